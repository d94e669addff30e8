# SPDX-License-Identifier: MIT
"""Policies and signatures: what is not trusted is not shown."""
import base64
import errno
import json
import os
import subprocess
import time

import pytest

import pushable
import signing
from archive import file, layer
from mounting import PEELCTL, eventually, foreground, is_mounted, mount, run
from signing import ACCEPT, REJECT, Key, Signer, payload, policy, signed_by
from test_soci import Made, kinds

IMAGE = [layer(file("f", "1"))]
REPOSITORY = {"type": "matchRepository"}


@pytest.fixture
def signer(images, fake):
    return Signer(images, fake)


@pytest.fixture
def key(tmp_path):
    return Key(tmp_path)


def refused(source, *options, cache, program=None):
    """The sentence with which a mount is refused."""
    where = str(cache) + "-mnt"
    os.makedirs(where, exist_ok=True)
    done = run("-o", ",".join(("cache_dir=" + str(cache),) + options), source, where)
    assert not is_mounted(where)
    assert done.returncode == 32, done.stderr
    return done.stderr


def is_shown(source, *options, **more):
    with mount(source, *options, **more) as m:
        assert m.read("rootfs/f") == b"1"


@pytest.mark.parametrize("kind", signing.KINDS)
def test_key(images, signer, tmp_path, kind):
    """-o verify= wants a signature by this key."""
    image = images.manifest(IMAGE)
    source, key, other = signer.publish(image), Key(tmp_path, "a", kind), Key(tmp_path, "b", kind)
    verify = "verify=" + key.public
    assert "there is none" in refused(source, verify, cache=tmp_path / "none")
    signer.sign(other, image)
    said = refused(source, verify, cache=tmp_path / "other")
    assert "by another key" in said and source in said and key.public in said
    signer.sign(key, image)
    is_shown(source, verify, cache=tmp_path / "good")


def test_is_of_this_image(images, signer, key, tmp_path):
    """A good signature of something else, or a changed one, is of no use."""
    image, other = images.manifest(IMAGE), images.manifest([layer(file("f", "2"))])
    digest, verify = image["digest"], "verify=" + key.public
    source = signer.publish(image)
    text = payload(digest, signer.name)
    good = key.sign(text)
    strange = json.loads(text)
    strange["critical"]["more"] = 1
    rows = [
        ("of another image", signer.simple(key, payload(other["digest"], signer.name))),
        ("is for elsewhere.example/app", signer.simple(
            key, payload(digest, "elsewhere.example/app"))),
        ("by another key", signer.simple(key, text[:-1], good)),
        ("by another key", signer.simple(key, text.replace(b"team", b"taem"), good)),
        ("by another key", signer.simple(key, text, good[:-1])),
        ("unreadable", signer.simple(key, text[:-1])),
        ("unreadable", signer.simple(key, b"")),
        ("unreadable", signer.simple(key, json.dumps(strange).encode())),
        ("unknown type", signer.simple(key, payload(digest, signer.name, type="x"))),
        ("there is none", {**signer.simple(key, text), "annotations": {}}),
        ("there is none", {**signer.simple(key, text), "mediaType": "text/plain"}),
    ]
    for i, (why, found) in enumerate(rows):
        signer.attach(digest, [found])
        assert why in refused(source, verify, cache=tmp_path / str(i)), i
    # One good one among them is enough.
    signer.attach(digest, [found for _, found in rows] + [signer.simple(key, text)])
    is_shown(source, verify)


def test_referrers(images, signer, key, tmp_path):
    """Signatures that the registry lists, of cosign 2 and 3."""
    verify = "verify=" + key.public
    for i, kind in enumerate((signing.ARTIFACT, signing.BUNDLE)):
        image = images.manifest([layer(file("f", "1"), file("n", kind))])
        source = signer.publish(image)
        if kind == signing.BUNDLE:
            signer.refer(image, kind, [signer.bundle(key, image["digest"], "https://spdx.dev")])
            assert "no signature" in refused(source, verify, cache=tmp_path / "sbom")
            signer.refer(image, kind, [signer.bundle(key, "sha256:" + "0" * 64)])
            assert "of another image" in refused(source, verify, cache=tmp_path / "0")
            made = signer.bundle(key, image["digest"])
        else:
            made = signer.simple(key, payload(image["digest"], signer.name))
        signer.refer(image, kind, [made])
        is_shown(source, verify)


def test_bundles_name_no_image(images, signer, key, tmp_path):
    """So they say less than a policy asks for."""
    image = images.manifest(IMAGE)
    source = signer.publish(image)
    signer.refer(image, signing.BUNDLE, [signer.bundle(key, image["digest"])])
    file = policy(tmp_path, docker={signer.name: [signed_by(key, REPOSITORY)]})
    assert "names no image" in refused(source, "policy=" + file, cache=tmp_path / "c")


def test_index(images, signer, key, tmp_path):
    """cosign signs the index of an image for several platforms: that is enough for a key, but a
    policy asks for a signature of the image itself, as podman does."""
    image = images.manifest(IMAGE)
    index = images.index([(image, ("linux", "amd64", "")), (image, ("linux", "arm64", ""))])
    signer.publish(image, image["digest"])
    source = signer.publish(index)
    signer.sign(key, index)
    options = "platform=linux/amd64", "verify=" + key.public
    is_shown(source, *options)
    file = policy(tmp_path, docker={signer.name: [signed_by(key, REPOSITORY)]})
    assert "there is none" in refused(source, options[0], "policy=" + file, cache=tmp_path / "c")
    signer.sign(key, image)
    is_shown(source, options[0], "policy=" + file)


def test_policy(images, signer, key, tmp_path):
    image = images.manifest(IMAGE)
    source = signer.publish(image)
    by_digest = "%s@%s" % (signer.name, image["digest"])
    host = signer.fake.host
    other = Key(tmp_path, "other")
    signer.sign(key, image, source)
    unsupported = {"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/x"}
    rows = [
        (None, dict(default=ACCEPT)),
        ("rejects", dict(default=REJECT)),
        (None, dict(docker={host: ACCEPT})),
        (None, dict(docker={"": ACCEPT})),
        ("rejects", dict(docker={"": ACCEPT, signer.name: REJECT})),
        (None, dict(docker={source: ACCEPT, signer.name: REJECT})),
        (None, dict(docker={host: [signed_by(key)]})),
        ("another key", dict(docker={host: [signed_by(other)]})),
        (None, dict(docker={host: [signed_by(key), signed_by(key, REPOSITORY)]})),
        ("another key", dict(docker={host: [signed_by(key), signed_by(other)]})),
        ("No such file", dict(docker={host: [signed_by(str(tmp_path / "gone.pub"))]})),
        ("signedBy, which", dict(docker={host: [unsupported]})),
        ("fulcio, which", dict(docker={host: [{"type": "sigstoreSigned", "fulcio": {}}]})),
        ("rekorPublicKeyPath", dict(docker={host: [signed_by(key, rekorPublicKeyPath="/x")]})),
        ("is for " + source, dict(docker={host: [signed_by(key, {
            "type": "exactRepository", "dockerRepository": "example.com/app"})]})),
        (None, dict(docker={host: [signed_by(key, {
            "type": "exactReference", "dockerReference": source})]})),
    ]
    for i, (why, what) in enumerate(rows):
        file = policy(tmp_path, **what)
        if why:
            said = refused(source, "policy=" + file, cache=tmp_path / str(i))
            scope = next(iter(what.get("docker", {"default": 0})))
            assert why in said and file in said and len(said.splitlines()) == 1, (i, said)
            assert scope in said or signer.name in said, said
        else:
            is_shown(source, "policy=" + file, cache=tmp_path / str(i))
    # With a digest any tag of the repository will do.
    file = policy(tmp_path, docker={host: [signed_by(key)]})
    is_shown(by_digest, "policy=" + file)


def test_invalid_policy(images, signer, tmp_path):
    """A file that is not understood as a whole admits nothing."""
    source = signer.publish(images.manifest(IMAGE))
    for i, text in enumerate((
            "", "{}", "[]", '{"default":[]}', '{"default":[{"type":"unknown"}]}',
            '{"default":[{"type":"insecureAcceptAnything"}],"defualt":[]}',
            '{"default":[{"type":"insecureAcceptAnything","x":1}]}')):
        path = tmp_path / "policy.json"
        path.write_text(text)
        assert str(path) in refused(source, "policy=%s" % path, cache=tmp_path / str(i))
    assert "No such file" in refused(source, "policy=/gone.json", cache=tmp_path / "gone")
    assert "No such file" in refused(source, "verify=/gone.pub", cache=tmp_path / "key")


def test_where_the_policy_is(images, signer, tmp_path):
    """The user's own file is found in HOME."""
    source = signer.publish(images.manifest(IMAGE))
    home = tmp_path / "home/.config/containers"
    home.mkdir(parents=True)
    env = {**os.environ, "HOME": str(tmp_path / "home")}
    policy(home)
    where = tmp_path / "mnt"
    where.mkdir()
    done = run("-o", "cache_dir=%s" % (tmp_path / "c"), source, str(where), env=env)
    assert done.returncode == 32 and str(home / "policy.json") in done.stderr
    file = policy(tmp_path, default=ACCEPT)
    is_shown(source, "policy=" + file, env=env)
    # One that cannot be read is not none.
    (home / "policy.json").unlink()
    for target in "policy.json", "gone":
        (home / "policy.json").symlink_to(target)
        done = run("-o", "cache_dir=%s" % (tmp_path / "c"), source, str(where), env=env)
        assert done.returncode == 32 and str(home / "policy.json") in done.stderr
        (home / "policy.json").unlink()


def test_on_disk(images, key, tmp_path):
    source = images.image(IMAGE)
    path = images.path
    rows = [
        (None, dict(oci={path: ACCEPT})),
        (None, dict(oci={os.path.dirname(path): ACCEPT})),
        ("rejects", dict(oci={path: REJECT, os.path.dirname(path): ACCEPT})),
        ("rejects", dict(oci={path + "x": ACCEPT})),
        ("rejects", dict(dir={path: ACCEPT})),
        ("such an image has none", dict(oci={path: [signed_by(key)]})),
    ]
    for why, what in rows:
        file = policy(tmp_path, **what)
        if why:
            assert why in refused(source, "policy=" + file, cache=tmp_path / "c")
        else:
            is_shown(source, "policy=" + file)


def test_files_on_disk(images, key, tmp_path):
    """Those that skopeo writes beside an image."""
    image = images.manifest(IMAGE)
    where = tmp_path / "dir"
    done = subprocess.run(["skopeo", "copy", "-q", "--insecure-policy", "--preserve-digests",
                           images.tag(image), "dir:%s" % where], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    source, text = "dir:%s" % where, payload(image["digest"], "example.com/app:t")
    exact = {"type": "exactReference", "dockerReference": "example.com/app:t"}
    file = policy(tmp_path, dir={str(where): [signed_by(key, exact)]})
    options = "policy=" + file, "verify=" + key.public
    for option in options:
        assert "there is none" in refused(source, option, cache=tmp_path / "c")

    def keep(n, text, signature):
        (where / ("signature-%d" % n)).write_bytes(b"\0sigstore-json\n" + json.dumps({
            "mimeType": signing.SIMPLE, "payload": base64.b64encode(text).decode(),
            "annotations": {"dev.cosignproject.cosign/signature": base64.b64encode(
                signature).decode()}}).encode())
    keep(1, text, Key(tmp_path, "other").sign(text))
    (where / "signature-2").write_bytes(b"a signature by GPG")
    for option in options:
        assert "by another key" in refused(source, option, cache=tmp_path / "c")
    keep(3, text, key.sign(text))
    for option in options:
        is_shown(source, option)
    file = policy(tmp_path, dir={str(where): [signed_by(key, {**exact, "dockerReference": "a:b"})]})
    assert "is for example.com" in refused(source, options[0], cache=tmp_path / "c")


def test_again(images, signer, key, tmp_path):
    """What was verified once is verified again, from the store; another key is not content."""
    image = images.manifest(IMAGE)
    source = signer.publish(image)
    signer.sign(key, image)
    cache, verify = tmp_path / "cache", "verify=" + key.public
    is_shown(source, verify, cache=cache)
    signer.fake.asked.clear()
    is_shown(source, verify, cache=cache)
    assert not [path for _, path, _ in signer.fake.asked if "sha256-" in path]
    is_shown(source, verify, "offline", cache=cache)
    other = Key(tmp_path, "other")
    assert "another key" in refused(source, "verify=" + other.public, cache=cache)
    assert "looking for its signatures" in refused(source, "verify=" + other.public, "offline",
                                                   cache=cache)


def test_other_platforms(images, signer, key, tmp_path):
    """Each image of a mount passes, or is not shown."""
    one = images.manifest(IMAGE)
    two = images.manifest([layer(file("f", "2"))], where=("linux", "arm64", ""))
    source = signer.publish(images.index([(one, ("linux", "amd64", "")),
                                          (two, ("linux", "arm64", ""))]))
    for d in one, two:
        signer.publish(d, d["digest"])
    signer.sign(key, one)
    with foreground(source, "platform=linux/amd64", "verify=" + key.public) as m:
        assert m.read("rootfs/f") == b"1"
        with pytest.raises(PermissionError):
            m.read("platforms/linux-arm64/config.json")
        m.log.seek(0)
        assert b"there is none" in m.log.read()
        # Signed a little later, it is shown.
        signer.sign(key, two)
    with mount(source, "platform=linux/amd64", "verify=" + key.public) as m:
        assert m.read("platforms/linux-arm64/rootfs/f") == b"2"


def test_namespace(images, signer, key, tmp_path):
    good, bad = images.manifest(IMAGE), images.manifest([layer(file("f", "2"))])
    signer.publish(good, "good")
    signer.publish(bad, "bad")
    signer.sign(key, good)
    with foreground(signer.fake.host + "/", "verify=" + key.public, load=False) as m:
        assert m.read("team/app/good/rootfs/f") == b"1"
        for name in ("bad", "../app:bad", "../app@" + bad["digest"]):
            for what in ("config.json", "manifest.json", "rootfs/f", "oci/index.json"):
                with pytest.raises(OSError) as e:
                    m.read("team/app/%s/%s" % (name, what))
                assert e.value.errno == errno.EACCES, (name, what)
        m.log.seek(0)
        assert b"there is none" in m.log.read()


def test_without_a_mount(images, signer, key, tmp_path):
    """peelctl passes the same gate."""
    image = images.manifest(IMAGE)
    source = signer.publish(image)
    options = "-o", "cache_dir=%s,verify=%s" % (tmp_path / "cache", key.public)
    for command in (("cat",), ("ls",), ("inspect",), ("index",)):
        what = ("/f",) if command == ("cat",) else ()
        done = run(*command, *options, source, *what, program=PEELCTL)
        assert done.returncode and "there is none" in done.stderr, command
        assert not done.stdout, command
    signer.sign(key, image)
    done = run("cat", *options, source, "/f", program=PEELCTL)
    assert (done.returncode, done.stdout) == (0, "1"), done.stderr


def test_index_beside_the_image(fake, key, tmp_path):
    """What says what a layer contains is to be signed as the image is, or named by it."""
    options = "verify=" + key.public, "index=registry"
    made = Made(fake, "v1")
    signer = Signer(made.images, fake, "soci")
    with mount(made.tag, cache=tmp_path / "cache") as m:
        assert kinds(m) == ["soci", "soci"]
    signer.sign(key, made.manifest)
    for cache in "cache", "none":
        with mount(made.tag, *options, cache=tmp_path / cache) as m:
            assert "soci" not in kinds(m)
    signer.sign(key, made.index)
    with mount(made.tag, *options) as m:
        assert kinds(m) == ["soci", "soci"]
    named = Made(fake, "v2")
    signer.sign(key, named.manifest)
    with mount(named.tag, *options) as m:
        assert kinds(m) == ["soci", "soci"]


class Beside(Signer):
    """Signs in a registry that can be written to."""

    def publish(self, descriptor, tag="t"):
        return self.fake.take(self.images, descriptor, self.repository, tag)


@pytest.mark.parametrize("by", ["tag", "digest"])
def test_pushed_index(images, key, by, tmp_path):
    """With a key it is used for a digest, too; without a signature of its own, for neither."""
    with pushable.running() as host:
        signer = Beside(images, host)
        image = images.manifest(IMAGE)
        source = signer.publish(image)
        signer.sign(key, image)
        done = run("index", "push", "-o", "cache_dir=%s" % (tmp_path / "push"), source,
                   program=PEELCTL)
        assert done.returncode == 0, done.stderr
        pushed, = host.referrers("team/app", image["digest"])
        if by == "digest":
            source = "%s@%s" % (signer.name, image["digest"])
        verify = "verify=" + key.public
        with mount(source) as m:
            assert kinds(m) == (["pushed"] if by == "tag" else ["streamed"])
        with mount(source, verify, cache=tmp_path / "cache") as m:
            assert kinds(m) == ["streamed"]
        signer.sign(key, pushed)
        with mount(source, verify, cache=tmp_path / "other") as m:
            assert kinds(m) == ["pushed"]
            assert m.read("rootfs/f") == b"1"
        file = policy(tmp_path, docker={host.host: [signed_by(key, REPOSITORY)]})
        with mount(source, "policy=" + file) as m:
            assert kinds(m) == ["pushed"]


def test_trace(images, key, tmp_path):
    """What is to be fetched first is to be signed, too."""
    with pushable.running() as host:
        signer = Beside(images, host)
        image = images.manifest(IMAGE)
        source = signer.publish(image)
        signer.sign(key, image)
        with mount(source, cache=tmp_path / "a") as m:
            m.read("rootfs/f")
            for words in (source,), ("--trace", str(m.path)):
                done = run("index", "push", "-o", "cache_dir=%s" % (tmp_path / "a"), *words,
                           program=PEELCTL)
                assert done.returncode == 0, done.stderr
        index, trace = sorted(host.referrers("team/app", image["digest"]),
                              key=lambda d: "trace" in d["artifactType"])
        signer.sign(key, index)
        with mount(source, "verify=" + key.public) as m:
            assert kinds(m) == ["pushed"]
            time.sleep(0.3)
            assert m.status()["layers"][0]["spansRead"] == 0
        signer.sign(key, trace)
        with mount(source, "verify=" + key.public) as m:
            assert kinds(m) == ["pushed"]
            assert eventually(lambda: m.status()["layers"][0]["spansRead"] == 1)


def test_list_that_fails(images, signer, key, tmp_path):
    """A registry that cannot say whether there is a signature is no reason to do without."""
    image = images.manifest(IMAGE)
    source = signer.publish(image)
    for status in 503, 403:
        signer.fake.referrers[image["digest"]] = status
        said = refused(source, "verify=" + key.public, "timeout=3", cache=tmp_path / str(status))
        assert "looking for its signatures" in said and str(status) in said
    signer.sign(key, image)
    is_shown(source, "verify=" + key.public)
