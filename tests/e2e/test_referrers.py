# SPDX-License-Identifier: MIT
"""referrers/: what refers to an image, by type, asked for when somebody looks."""
import errno
import json
import os
import signal
import subprocess

import pytest

import layout
from archive import file, layer
from mounting import PEELCTL, SLOWER, eventually, mount
from test_artifacts import Artifacts

IMAGE = [layer(file("f", "1"))]
SBOM, SIGNATURE = "application/spdx+json", "application/vnd.dev.cosign.artifact.sig.v1+json"


@pytest.fixture
def artifacts(images):
    return Artifacts(images)


def refers(artifacts, of, kind, text, **more):
    """An artifact that refers to @of, and how it is listed."""
    subject = {k: of[k] for k in ("mediaType", "digest", "size")}
    d = artifacts.manifest([artifacts.blob(text, "text/plain", "said")], artifactType=kind,
                           subject=subject, **more)
    return {**d, "artifactType": kind}


def hexes(descriptors):
    return sorted(d["digest"][7:] for d in descriptors)


def entry(m, d):
    """Where a referrer is."""
    kind = d["artifactType"].replace("/", "_")
    return "referrers/%s/%s" % (kind, d["digest"][7:])


def asked_for(fake):
    return [path for _, path, _ in fake.asked if "/referrers/" in path or "/sha256-" in path]


def publish(fake, images, descriptor, repository="team/app"):
    data = images.read(descriptor)
    fake.tag(repository, descriptor["digest"], data, descriptor["mediaType"])
    return fake.tag(repository, "t", data, descriptor["mediaType"])


def test_referrers(images, fake, artifacts):
    image = images.manifest(IMAGE)
    of = [refers(artifacts, image, SBOM, b"one"), refers(artifacts, image, SIGNATURE, b"two"),
          refers(artifacts, image, SBOM, b"three")]
    for d in of:
        publish(fake, images, d)
    fake.referrers[image["digest"]] = of
    with mount(publish(fake, images, image), "index=none") as m:
        assert "referrers" in os.listdir(m.path)
        os.stat(m.path + "/referrers")
        assert asked_for(fake) == [], "nobody has looked into it"
        assert sorted(os.listdir(m.path + "/referrers")) == [
            "application_spdx+json", "application_vnd.dev.cosign.artifact.sig.v1+json"]
        assert sorted(os.listdir(m.path + "/referrers/application_spdx+json")) == \
            hexes([of[0], of[2]])
        assert sum("/manifests/" + d["digest"] in path for _, path, _ in fake.asked
                   for d in of) == 0, "none of them was entered"
        for d, text in zip(of, (b"one", b"two", b"three")):
            at = entry(m, d)
            assert m.read(at + "/files/said") == text
            assert layout.digest(m.read(at + "/manifest.json")) == d["digest"]
            assert m.read(at + "/config.json") == b"{}"
            # It is told of by what it refers to, and itself has no such directory.
            assert "referrers" not in os.listdir(m.path + "/" + at)
            assert os.path.samefile(m.path + "/" + at + "/../..", m.path + "/referrers")
        with pytest.raises(FileNotFoundError):
            os.stat(m.path + "/referrers/application_spdx+json/" + "0" * 64)
        with pytest.raises(FileNotFoundError):
            os.stat(m.path + "/referrers/none")
        assert len(asked_for(fake)) == 4, "once for all: the list, and three tags of cosign's"


def test_none(images, fake):
    """An API that knows none, and none at all."""
    image = images.manifest(IMAGE)
    fake.referrers[image["digest"]] = []
    with mount(publish(fake, images, image)) as m:
        assert os.listdir(m.path + "/referrers") == []
    del fake.referrers[image["digest"]]
    with mount(publish(fake, images, image)) as m:
        assert os.listdir(m.path + "/referrers") == []
    with mount(images.tag(image)) as m:
        assert os.listdir(m.path + "/referrers") == []
    with mount(images.tag(image), "layout=rootfs") as m:
        assert os.listdir(m.path) == ["f"]


def test_by_tag_of_a_real_registry(images, registry, artifacts):
    """Where there is no API, clients keep an index at a tag; that is looked at."""
    reference = registry.push(images.image(IMAGE), "refer/tag", "t", "--preserve-digests")
    image = json.loads(open(images.path + "/index.json").read())["manifests"][0]
    of = [refers(artifacts, image, SBOM, b"one")]
    artifacts.push(registry, "refer/tag", of[0])
    index = images.index(of)
    registry.put_manifest("refer/tag", image["digest"].replace(":", "-"), images.read(index),
                          layout.INDEX)
    with mount(reference) as m:
        assert m.read(entry(m, of[0]) + "/files/said") == b"one"


def cosign(artifacts, media, text, **more):
    """As cosign writes a signature: by its config an image, by its one blob none."""
    config = artifacts.images.document({"architecture": "", "os": "", "rootfs": {
        "type": "layers", "diff_ids": [layout.digest(text)]}}, layout.CONFIG)
    d = artifacts.manifest([artifacts.blob(text, media)], config, **more)
    return {**d, "artifactType": more.get("artifactType", media)}


SIMPLE, DSSE = "application/vnd.dev.cosign.simplesigning.v1+json", \
    "application/vnd.dsse.envelope.v1+json"


def test_tags_of_cosign(images, fake, artifacts):
    """Beside the registry's list, of the image and of its index, and asked for once."""
    host = images.manifest(IMAGE)
    index = images.index([(host, layout.HOST)])
    listed = refers(artifacts, host, SBOM, b"listed")
    known = {(host["digest"], "sig"): cosign(artifacts, SIMPLE, b'{"of": "host"}'),
             (host["digest"], "att"): cosign(artifacts, DSSE, b'{"payload": ""}'),
             (host["digest"], "sbom"): cosign(artifacts, "text/spdx+json", b"{}",
                                              artifactType="sbom/x"),
             (index["digest"], "sig"): cosign(artifacts, SIMPLE, b'{"of": "index"}'),
             # What is in both lists is there once.
             (index["digest"], "att"): listed}
    fake.referrers[host["digest"]] = [listed]
    for d in (host, listed):
        publish(fake, images, d)

    def tag_of(digest, suffix):
        return "%s.%s" % (digest.replace(":", "-"), suffix)
    for of, d in known.items():
        fake.tag("team/app", tag_of(*of), images.read(d), layout.MANIFEST)
    fake.tag("team/app", tag_of(index["digest"], "sbom"), images.read(index), layout.INDEX)
    with mount(publish(fake, images, index), "index=none") as m:
        os.stat(m.path + "/referrers")
        assert asked_for(fake) == [], "nobody has looked into it"
        assert sorted(os.listdir(m.path + "/referrers")) == [
            "application_spdx+json", "application_vnd.dev.cosign.simplesigning.v1+json",
            "application_vnd.dsse.envelope.v1+json", "sbom_x"]
        for d in known.values():
            at = m.path + "/" + entry(m, d) + "/files/"
            [name] = os.listdir(at)
            with open(at + name, "rb") as f:
                text = f.read()
            assert layout.digest(m.read(entry(m, d) + "/manifest.json")) == d["digest"]
            assert layout.digest(text) == json.loads(images.read(d))["layers"][0]["digest"]
        tags = [path for path in asked_for(fake) if path.endswith((".sig", ".att", ".sbom"))]
        assert sorted(tags) == sorted("/v2/team/app/manifests/" + tag_of(d["digest"], suffix)
                                      for d in (host, index) for suffix in ("sig", "att", "sbom"))
        assert not [path for _, path, _ in fake.asked for d in known.values()
                    if d is not listed and "/manifests/" + d["digest"] in path], "asked for twice"
        assert m.status()["errors"] == 0


def test_tags_of_cosign_in_a_real_registry(images, registry, artifacts):
    """Without a list, through a namespace too."""
    reference = registry.push(images.image(IMAGE), "refer/cosign", "t", "--preserve-digests")
    image = json.loads(open(images.path + "/index.json").read())["manifests"][0]
    d = cosign(artifacts, SIMPLE, b'{"critical": {}}')
    artifacts.push(registry, "refer/cosign", d, image["digest"].replace(":", "-") + ".sig")
    for source, top in ((reference, ""), (registry.host + "/refer/", "cosign/t/")):
        with mount(source) as m:
            at = m.path + "/" + top + entry(m, d) + "/files/"
            [name] = os.listdir(at)
            assert name.endswith(".json")
            with open(at + name, "rb") as f:
                assert f.read() == b'{"critical": {}}'


def test_index_and_platforms(images, fake, artifacts):
    """Who signs an image for many signs its index; and each of the others has its own."""
    host = images.manifest(IMAGE)
    other = images.manifest([layer(file("g", "2"))], where=("linux", "s390x", ""))
    attestation = artifacts.manifest([artifacts.blob(b"{}", "application/vnd.in-toto+json")],
                                     images.config([{"diff": layout.digest(b"")}]))
    index = images.index([
        (host, layout.HOST), (other, ("linux", "s390x", "")),
        {**attestation, "platform": {"os": "unknown", "architecture": "unknown"},
         "annotations": {"vnd.docker.reference.digest": host["digest"],
                         "vnd.docker.reference.type": "attestation-manifest"}}])
    of_index = refers(artifacts, index, SIGNATURE, b"index")
    of_host = refers(artifacts, host, SIGNATURE, b"host")
    of_other = refers(artifacts, other, SBOM, b"other")
    for d in (host, other, attestation, of_index, of_host, of_other):
        publish(fake, images, d)
    fake.referrers.update({index["digest"]: [of_index], host["digest"]: [of_host],
                           other["digest"]: [of_other]})
    with mount(publish(fake, images, index)) as m:
        assert sorted(os.listdir(m.path + "/referrers")) == [
            "application_vnd.dev.cosign.artifact.sig.v1+json", "attestation-manifest"]
        assert m.read(entry(m, of_index) + "/files/said") == b"index"
        assert m.read(entry(m, of_host) + "/files/said") == b"host"
        [at] = os.listdir(m.path + "/referrers/attestation-manifest")
        assert at == attestation["digest"][7:]
        path = m.path + "/platforms/linux-s390x/"
        assert os.listdir(path + "referrers") == ["application_spdx+json"]
        with open(path + entry(m, of_other) + "/files/said", "rb") as f:
            assert f.read() == b"other"


def test_in_a_namespace(images, registry, artifacts, tmp_path):
    """Each image of a namespace has its own, and an oci/ of all its index."""
    host = images.manifest(IMAGE)
    index = images.index([(host, layout.HOST), (images.manifest(
        [layer(file("g", "2"))], where=("linux", "s390x", "")), ("linux", "s390x", ""))])
    registry.push(images.tag(index), "refer/ns", "t", "--all", "--preserve-digests")
    of = [refers(artifacts, index, SBOM, b"one")]
    artifacts.push(registry, "refer/ns", of[0])
    registry.put_manifest("refer/ns", index["digest"].replace(":", "-"),
                          images.read(images.index(of)), layout.INDEX)
    with mount(registry.host + "/refer/") as m:
        top = "ns/t/"
        assert m.read(top + entry(m, of[0]) + "/files/said") == b"one"
        assert os.listdir(m.path + "/" + top + "platforms/linux-s390x/referrers") == []
        for where in (top, top + "platforms/linux-s390x/", top + entry(m, of[0]) + "/"):
            blobs = m.path + "/" + where + "oci/blobs/sha256/"
            assert len(os.listdir(blobs)) == (7 if where == top else 3)
            for name in os.listdir(blobs):
                with open(blobs + name, "rb") as f:
                    assert layout.digest(f.read()) == "sha256:" + name
        done = subprocess.run(["skopeo", "copy", "-q", "--insecure-policy", "--all",
                               "--preserve-digests", "oci:%s/%soci" % (m.path, top) + ":latest",
                               "oci:%s/copy:t" % tmp_path], capture_output=True, text=True,
                              timeout=60)
        assert done.returncode == 0, done.stderr
        [copied] = json.loads((tmp_path / "copy/index.json").read_bytes())["manifests"]
        assert copied["digest"] == index["digest"]


def test_hostile(images, fake, artifacts):
    """Types and digests as a registry may make them up: one plain name each, or EIO."""
    image = images.manifest(IMAGE)
    good = [refers(artifacts, image, kind, b"%d" % i) for i, kind in
            enumerate(["../../x", "..", "a\nb", "t" * 300, "a_b", "a/b", "", "unknown"])]
    missing = {**good[0], "digest": layout.digest(b"nowhere"), "artifactType": "gone"}
    lie = {**good[1], "digest": layout.digest(b"lie"), "artifactType": "lie"}
    for d in good:
        publish(fake, images, d)
    fake.tag("team/app", lie["digest"], images.read(good[1]), layout.MANIFEST)
    junk = [{"mediaType": layout.MANIFEST}, {"digest": "md5:00", "size": 1}, 7, None,
            {**good[2], "artifactType": 7}]
    fake.referrers[image["digest"]] = good + good + [missing, lie] + junk
    with mount(publish(fake, images, image), quiet=False) as m:
        kinds = os.listdir(m.path + "/referrers")
        assert len(kinds) == len(set(kinds))
        assert set(kinds) >= {".._.._x", "a_b", "t" * 255, "gone", "lie", "unknown"}
        found = [os.path.join(m.path, "referrers", k, h) for k in kinds
                 for h in os.listdir(os.path.join(m.path, "referrers", k))]
        assert len(found) == len({os.path.basename(p) for p in found})
        for d in (missing, lie):
            with pytest.raises(OSError) as e:
                os.listdir(m.path + "/" + entry(m, d))
            assert e.value.errno in (errno.EIO, errno.ENOENT)
        read = set()
        for path in found:
            if os.path.basename(path) not in hexes([missing, lie]):
                with open(path + "/files/said", "rb") as f:
                    read.add(f.read())
        assert read == {b"%d" % i for i in range(8)}


def test_registry_that_fails(images, fake, artifacts):
    """An error, not an empty directory; and asked again later."""
    image = images.manifest(IMAGE)
    of = refers(artifacts, image, SBOM, b"one")
    publish(fake, images, of)
    fake.referrers[image["digest"]] = 403
    with mount(publish(fake, images, image), quiet=False) as m:
        with pytest.raises(OSError) as e:
            os.listdir(m.path + "/referrers")
        assert e.value.errno in (errno.EIO, errno.EACCES)
        assert open(m.at("f")).read() == "1"
        fake.referrers[image["digest"]] = [of]

        def listed():
            try:
                return os.listdir(m.path + "/referrers")
            except OSError:
                return None
        assert eventually(listed, 30) == ["application_spdx+json"]


def test_registry_that_is_down(images, fake, artifacts):
    """Empty, with the reason in the status, so that `ls -R` goes on; and asked again later."""
    image = images.manifest(IMAGE)
    of = refers(artifacts, image, SBOM, b"one")
    publish(fake, images, of)
    fake.referrers[image["digest"]] = 500
    with mount(publish(fake, images, image), "timeout=2", quiet=False) as m:
        assert os.listdir(m.path + "/referrers") == []
        done = subprocess.run(["ls", "-R", m.path + "/referrers"], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        assert any("the referrers of" in str(e) for e in m.status()["lastErrors"])
        shown = subprocess.run([PEELCTL, "status", m.path], capture_output=True, text=True).stdout
        assert "the referrers of" in shown
        fake.referrers[image["digest"]] = [of]
        assert eventually(lambda: os.listdir(m.path + "/referrers") == ["application_spdx+json"], 30)


def test_wait_is_interrupted(images, fake, artifacts):
    image = images.manifest(IMAGE)
    fake.referrers[image["digest"]] = [refers(artifacts, image, SBOM, b"one")]
    with mount(publish(fake, images, image)) as m:
        fake.silent.set()
        child = subprocess.Popen(["ls", m.path + "/referrers"], stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE)
        assert eventually(lambda: fake.waiting) and child.poll() is None
        assert sorted(os.listdir(m.root)) == ["f"]
        child.send_signal(signal.SIGINT)
        assert child.wait(5 * SLOWER) == -signal.SIGINT
        child.communicate()
        fake.silent.clear()
        assert os.listdir(m.path + "/referrers") == ["application_spdx+json"]


def test_offline(images, fake, tmp_path):
    """Nobody may ask, so there is nothing to look into."""
    reference = publish(fake, images, images.manifest(IMAGE))
    with mount(reference, cache=tmp_path / "c"):
        pass
    with mount(reference, "offline", cache=tmp_path / "c") as m:
        assert "referrers" not in os.listdir(m.path)


def test_numbers_are_the_same_each_time(images, fake, artifacts):
    image = images.manifest(IMAGE)
    of = [refers(artifacts, image, SBOM, b"%d" % i) for i in range(5)]
    for d in of:
        publish(fake, images, d)
    reference, seen = publish(fake, images, image), []
    for listed in (of, of[::-1]):
        fake.referrers[image["digest"]] = listed
        with mount(reference) as m:
            seen.append({os.path.relpath(p, m.path): os.lstat(p).st_ino
                         for top, dirs, files in os.walk(m.path + "/referrers")
                         for p in [os.path.join(top, n) for n in dirs + files]})
    assert seen[0].keys() == seen[1].keys() and len(seen[0]) > 20
    for path in seen[0]:
        if path.count("/") > 1:
            assert seen[0][path] == seen[1][path], path
