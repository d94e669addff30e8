# SPDX-License-Identifier: MIT
"""oci/ of an image with an index: all of it, though only one image of it is mounted."""
import errno
import json
import os
import subprocess

import pytest

import layout
from archive import file, layer
from mounting import mount
from test_artifacts import Artifacts
from tree import sha256_of

S390X = ("linux", "s390x", "")
SHARED = layer(file("shared", b"s" * 50000))


def attested(images, extra=()):
    """An index as BuildKit makes one: two platforms, and an attestation for each."""
    artifacts, entries = Artifacts(images), []
    for where in (layout.HOST, S390X):
        image = images.manifest([images.layer(SHARED), layer(file("arch", where[1]))],
                                where=where)
        said = artifacts.manifest(
            [artifacts.blob(b'{"about": "%s"}' % where[1].encode(), "application/vnd.in-toto+json")],
            images.config([{"diff": layout.digest(where[1].encode())}]))
        entries += [(image, where), {
            **said, "platform": {"os": "unknown", "architecture": "unknown"},
            "annotations": {"vnd.docker.reference.digest": image["digest"],
                            "vnd.docker.reference.type": "attestation-manifest"}}]
    return images.index([*entries, *extra])


def all_blobs(images, index):
    """Everything that hangs from an index."""
    found = {index["digest"]}
    for d in json.loads(images.read(index))["manifests"]:
        manifest = json.loads(images.read(d))
        found |= {d["digest"], manifest["config"]["digest"]}
        found |= {blob["digest"] for blob in manifest["layers"]}
    return found


def copy(*words):
    done = subprocess.run(["skopeo", "copy", "-q", "--insecure-policy", *words],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_round_trip(images, registry, tmp_path):
    """Pushed from the mount, the index has the digest that it had, and so has all of it."""
    index = attested(images)
    reference = registry.push(images.tag(index, "v1"), "whole/one", "v1", "--all",
                              "--preserve-digests")
    with mount(reference) as m:
        blobs = m.path + "/oci/blobs/sha256/"
        assert {"sha256:" + name for name in os.listdir(blobs)} == all_blobs(images, index)
        for name in os.listdir(blobs):
            assert sha256_of(blobs + name) == name
            assert os.stat(blobs + name).st_size == len(images.read({"digest": "sha256:" + name}))
        [d, own] = json.loads(m.read("oci/index.json"))["manifests"]
        assert (d["digest"], d["size"], d["mediaType"]) == \
            (index["digest"], index["size"], layout.INDEX)
        assert own["digest"] == layout.digest(m.read("manifest.json"))
        done = subprocess.run(["umoci", "unpack", "--image", "%s/oci:v1-%s" % (
            m.path, "-".join(part for part in layout.HOST if part)), str(tmp_path / "bundle")],
            capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "bundle/rootfs/arch").read_text() == layout.HOST[1]
        to = "docker://%s/whole/again:x" % registry.host
        copy("--all", "--preserve-digests", "--dest-tls-verify=false", "oci:%s/oci:v1" % m.path, to)
    assert layout.digest(registry.get_manifest("whole/again", "x", layout.INDEX)) == \
        index["digest"]


def test_one_image_asks_for_nothing_else(images, registry, tmp_path):
    """Who copies this machine's image has no other resolved, and nobody's layers fetched."""
    reference = registry.push(images.tag(attested(images), "v1"), "whole/lazy", "v1", "--all")
    with mount(reference) as m:
        before = m.status()["network"]["requests"]
        json.loads(m.read("oci/index.json"))
        manifest = json.loads(m.read("manifest.json"))
        for d in [manifest["config"], *manifest["layers"]]:
            assert sha256_of(m.path + "/oci/blobs/sha256/" + d["digest"][7:]) == d["digest"][7:]
        used = m.status()["network"]["requests"] - before
        assert used == len(manifest["layers"]), "a request for each blob"
        copy("oci:%s/oci:v1" % m.path, "dir:%s/copy" % tmp_path)
        assert json.loads((tmp_path / "copy/manifest.json").read_bytes()) == manifest
        assert m.status()["network"]["requests"] - before == used
        # A name that is none of ours makes us look for it among the others, once.
        for _ in range(2):
            with pytest.raises(FileNotFoundError):
                os.stat(m.path + "/oci/blobs/sha256/" + "0" * 64)
        used = m.status()["network"]["requests"] - before - used
        assert used == 6, "three manifests and their configs"
        assert m.status()["images"]["loaded"] == 1


def test_one_platform_that_was_asked_for(images):
    """Then that is the image, in oci/ as elsewhere; and so it is below platforms/."""
    source = images.tag(attested(images))
    with mount(source, "platform=linux/s390x") as m:
        [d] = json.loads(m.read("oci/index.json"))["manifests"]
        assert d["digest"] == layout.digest(m.read("manifest.json"))
        assert len(os.listdir(m.path + "/oci/blobs/sha256")) == 4
    with mount(source) as m:
        inner = "platforms/linux-s390x/"
        [d] = json.loads(m.read(inner + "oci/index.json"))["manifests"]
        assert d["digest"] == layout.digest(m.read(inner + "manifest.json"))
        copy_of = {"sha256:" + name for name in os.listdir(m.path + "/" + inner +
                                                           "oci/blobs/sha256")}
        assert len(copy_of) == 4 and d["digest"] in copy_of


def nested(images, *more):
    """An index in an index in an index, one of them there twice; and all of their blobs."""
    def of(arch, variant=""):
        where = ("linux", arch, variant)
        return images.manifest([layer(file("arch", arch + variant))], where=where), where
    others = [of("s390x"), of("arm", "v6"), of("arm", "v7"), of("riscv64")]
    host = images.manifest([SHARED]), layout.HOST
    innermost = images.index([others[3]])
    inner = images.index([*others[1:3], innermost], layout.DOCKER_LIST)
    outer = images.index([host, others[0], inner, innermost, *more])
    found = {d["digest"] for d in (outer, inner, innermost, *more)}
    for d, _ in [host, *others]:
        manifest = json.loads(images.read(d))
        found |= {d["digest"], manifest["config"]["digest"]}
        found |= {blob["digest"] for blob in manifest["layers"]}
    return outer, found


def test_indexes_in_an_index(images, registry):
    """All that hangs from them is there. skopeo knows no such thing; a registry takes it."""
    outer, found = nested(images)
    with mount(images.tag(outer, "v1")) as m:
        blobs = m.path + "/oci/blobs/sha256/"
        assert {"sha256:" + name for name in os.listdir(blobs)} == found
        for name in os.listdir(blobs):
            assert sha256_of(blobs + name) == name
        assert m.status()["errors"] == 0

        def push(d, reference):
            data = m.read("oci/blobs/sha256/" + d["digest"][7:])
            document = json.loads(data)
            for inner in document.get("manifests", []):
                push(inner, inner["digest"])
            if "layers" in document:
                for blob in [document["config"], *document["layers"]]:
                    registry.put_blob("whole/nested", m.read("oci/blobs/sha256/" +
                                                             blob["digest"][7:]))
            return registry.put_manifest("whole/nested", reference, data, d["mediaType"])
        reference = push(json.loads(m.read("oci/index.json"))["manifests"][0], "v1")
    with mount(reference) as m:
        assert layout.digest(m.read("index.json")) == outer["digest"]
        assert {"sha256:" + name for name in os.listdir(m.path + "/oci/blobs/sha256")} == found
    with mount(reference, "platform=linux/riscv64") as m:
        assert open(m.at("arch")).read() == "riscv64"


def test_index_in_an_index_that_is_none(images):
    """Its bytes are there, as it leads nowhere; one that is gone is left out."""
    broken = [images.blob(b"no index", layout.INDEX), images.blob(b"[1]", layout.DOCKER_LIST)]
    gone = {"mediaType": layout.INDEX, "digest": layout.digest(b"gone"), "size": 4}
    outer, found = nested(images, *broken, gone)
    with mount(images.tag(outer), quiet=False) as m:
        assert {"sha256:" + name for name in os.listdir(m.path + "/oci/blobs/sha256")} == \
            found - {gone["digest"]}
        for d in broken:
            assert m.read("oci/blobs/sha256/" + d["digest"][7:]) == images.read(d)


def test_entries_of_no_use(images):
    """What cannot be resolved is named in the log, and the others are there."""
    gone = {"mediaType": layout.MANIFEST, "digest": layout.digest(b"gone"), "size": 4,
            "platform": {"os": "linux", "architecture": "riscv64"}}
    odd = [{**images.blob(b"{}", "application/x.odd")}, {"mediaType": layout.MANIFEST}]
    index = attested(images, [gone, *odd])
    with mount(images.tag(index), quiet=False) as m:
        names = {"sha256:" + n for n in os.listdir(m.path + "/oci/blobs/sha256")}
        assert gone["digest"] not in names and len(names) == 14, names


def test_blob_of_another_image_is_verified(images):
    index = attested(images)
    other = next(d for d in json.loads(images.read(index))["manifests"]
                 if d["platform"]["architecture"] == "s390x")
    [_, own] = json.loads(images.read(other))["layers"]
    data = images.read(own)
    with open(images.blob_path(own["digest"]), "wb") as f:
        f.write(data[:-1] + bytes([data[-1] ^ 1]))
    with mount(images.tag(index), quiet=False) as m:
        with pytest.raises(OSError) as e:
            open(m.path + "/oci/blobs/sha256/" + own["digest"][7:], "rb").read()
        assert e.value.errno == errno.EIO
        assert m.read("oci/blobs/sha256/" + other["digest"][7:]) == images.read(other)


def test_blob_that_is_said_to_be_empty(images):
    """Of a file without bytes the kernel asks nothing: it must not be taken for one."""
    good, other = (images.layer(layer(file(name, "1"))) for name in ("f", "g"))
    empty = images.blob(b"", layout.OCI + "layer.v1.tar")
    for said, real in (({**other, "size": 0}, False), ({**empty, "diff": empty["digest"]}, True)):
        source = images.tag(images.manifest([good, said]), "real" if real else "false")
        with mount(source, quiet=False) as m:
            path = m.path + "/oci/blobs/sha256/" + said["digest"][7:]
            if real:
                assert open(path, "rb").read() == b""
                continue
            with pytest.raises(OSError) as e:
                open(path, "rb").read()
            assert e.value.errno == errno.EIO
