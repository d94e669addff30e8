# SPDX-License-Identifier: MIT
"""oci/ of a mount: the image as an OCI layout, for other tools."""
import errno
import gzip
import hashlib
import json
import os
import signal
import subprocess

import pytest

import layout
from archive import file, layer, whiteout
from mounting import SLOWER, eventually, mount
from test_views import LAYERS, tool
from tree import dump


# oci/

def blobs_under(path):
    return {name: layout.digest(open(os.path.join(path, name), "rb").read())
            for name in os.listdir(path)}


def is_layout_of(m, tag, tmp_path):
    """What skopeo and umoci make of oci/ is what was mounted."""
    oci, manifest = m.path + "/oci", m.read("manifest.json")
    blobs = blobs_under(oci + "/blobs/sha256")
    described = json.loads(manifest)
    assert all("sha256:" + name == digest for name, digest in blobs.items())
    assert set(blobs.values()) == {layout.digest(manifest), described["config"]["digest"],
                                   *(d["digest"] for d in described["layers"])}
    seen = json.loads(tool("skopeo", "inspect", "oci:%s:%s" % (oci, tag)))
    assert seen["Digest"] == layout.digest(manifest)
    assert seen["Layers"] == [d["digest"] for d in described["layers"]]
    tool("skopeo", "--insecure-policy", "copy", "-q", "--preserve-digests",
         "oci:%s:%s" % (oci, tag), "dir:%s/copy" % tmp_path)
    assert (tmp_path / "copy" / "manifest.json").read_bytes() == manifest
    for d in described["layers"]:
        assert layout.digest((tmp_path / "copy" / d["digest"][7:]).read_bytes()) == d["digest"]


@pytest.mark.parametrize("kind", ["gzip", "zstd", "none"])
def test_oci(images, tmp_path, kind):
    # An archive without a hard link out of its layer, which umoci does not unpack.
    plain = layer(whiteout("g"), file("d/new", "upper"), file("big", os.urandom(3 << 20)))
    layers = [images.layer(t, kind) for t in (LAYERS[0], plain)]
    with mount(images.image(layers, "v1")) as m:
        is_layout_of(m, "v1", tmp_path)
        if kind != "zstd":  # umoci of now does not read it
            tool("umoci", "unpack", "--image", m.path + "/oci:v1", str(tmp_path / "bundle"))
            theirs = dump(str(tmp_path / "bundle" / "rootfs"))
            assert {n: e.get("sha256") for n, e in dump(m.root).items()} == \
                {n: e.get("sha256") for n, e in theirs.items()}


def test_oci_of_a_registry_and_back(images, registry, tmp_path):
    reference = registry.push(images.image(LAYERS, "v2"), "team/layout", "v2")
    before = registry.get_manifest("team/layout", "v2", layout.MANIFEST)
    with mount(reference) as m:
        is_layout_of(m, "v2", tmp_path)
        registry.push("oci:%s/oci:v2" % m.path, "team/again", "x", "--preserve-digests")
    assert registry.get_manifest("team/again", "x", layout.MANIFEST) == before


def test_oci_of_docker_media_types(images):
    """Byte for byte too; but skopeo looks for no manifest of Docker in an OCI layout."""
    with mount(images.image(LAYERS, "d1", family="docker")) as m:
        [d] = json.loads(m.read("oci/index.json"))["manifests"]
        assert d["mediaType"] == layout.DOCKER_MANIFEST
        assert m.read("oci/blobs/sha256/" + d["digest"][7:]) == m.read("manifest.json")
        assert all("sha256:" + name == digest for name, digest in
                   blobs_under(m.path + "/oci/blobs/sha256").items())


def test_oci_of_other_digests(images):
    """Each kind of digest has a folder, as the layout wants it."""
    tar = layer(file("f", os.urandom(5000)))
    d = {**images.layer(tar), "digest": "sha512:" + hashlib.sha512(gzip.compress(
        tar, compresslevel=6, mtime=0)).hexdigest()}
    os.mkdir(images.path + "/blobs/sha512")
    os.link(images.blob_path(images.layer(tar)["digest"]), images.blob_path(d["digest"]))
    plain = images.layer(LAYERS[0])
    with mount(images.image([plain, d])) as m:
        assert sorted(os.listdir(m.path + "/oci/blobs")) == ["sha256", "sha512"]
        [name] = os.listdir(m.path + "/oci/blobs/sha512")
        with open(m.path + "/oci/blobs/sha512/" + name, "rb") as f:
            assert hashlib.sha512(f.read()).hexdigest() == name == d["digest"][7:]
        blobs = blobs_under(m.path + "/oci/blobs/sha256")
        assert all("sha256:" + name == digest for name, digest in blobs.items())
        assert len(blobs) == 3 and plain["digest"] in blobs.values()
        for path in ("sha384", "sha256/" + name, "sha512/" + plain["digest"][7:]):
            with pytest.raises(FileNotFoundError):
                os.stat(m.path + "/oci/blobs/" + path)
    with mount(images.image([plain], "plain")) as m:
        assert os.listdir(m.path + "/oci/blobs") == ["sha256"]


def test_oci_read_by_many_at_once(images, registry):
    reference = registry.push(images.image([layer(file("f", os.urandom(4 << 20)))]), "team/many")
    with mount(reference) as m:
        [d] = json.loads(m.read("manifest.json"))["layers"]
        path = os.path.join(m.path, "oci/blobs/sha256", d["digest"][7:])
        before = m.status()["network"]["requests"]
        readers = [subprocess.Popen(["sha256sum", path], stdout=subprocess.PIPE)
                   for _ in range(6)]
        for reader in readers:
            assert reader.communicate(timeout=30)[0].decode().split()[0] == d["digest"][7:]
        # One fetch, perhaps in several pieces.
        assert m.status()["network"]["requests"] < before + 6


def test_oci_is_fetched_once_and_only_when_read(images, registry):
    reference = registry.push(images.image([layer(file("f", os.urandom(2 << 20)))]), "team/once")
    with mount(reference) as m:
        [d] = json.loads(m.read("manifest.json"))["layers"]
        path = os.path.join(m.path, "oci/blobs/sha256", d["digest"][7:])
        assert os.stat(path).st_size == d["size"]
        before = m.status()["network"]["requests"]
        with open(path, "rb") as f:
            f.seek(d["size"] - 10)
            end = f.read()
        after = m.status()["network"]["requests"]
        assert after > before
        assert open(path, "rb").read()[-10:] == end
        assert m.status()["network"]["requests"] == after


def test_oci_beside_a_broken_layer(images):
    bad, good = images.layer(LAYERS[0]), images.layer(LAYERS[1])
    path = images.blob_path(bad["digest"])
    data = bytearray(open(path, "rb").read())
    data[40] ^= 1
    open(path, "wb").write(data)
    with mount(images.image([bad, good]), quiet=False) as m:
        where = m.path + "/oci/blobs/sha256/"
        with pytest.raises(OSError) as e:
            open(where + bad["digest"][7:], "rb").read()
        assert e.value.errno == errno.EIO
        assert layout.digest(open(where + good["digest"][7:], "rb").read()) == good["digest"]
        assert json.loads(m.read("oci/oci-layout")) == {"imageLayoutVersion": "1.0.0"}


@pytest.mark.parametrize("tag", ["latest", "1.27-x"])
def test_oci_tags(images, tag, tmp_path):
    source = images.image(LAYERS, tag)
    for name in (source, source.rsplit(":", 1)[0]):
        with mount(name) as m:
            [d] = json.loads(m.read("oci/index.json"))["manifests"]
            expected = tag if name == source else "latest"
            assert d["annotations"] == {"org.opencontainers.image.ref.name": expected}


def test_small_files_in_order_are_not_asked_for_one_by_one(images):
    """Who reads one after another gets the next ones before asking; right bytes all the same."""
    content = {"d%d/f%03d" % (d, i): ("%d %d " % (d, i)) * (1 + i * 7 % 900)
               for d in range(3) for i in range(150)}
    hidden = [whiteout("d1/f%03d" % i) for i in range(40, 150, 40)] + [file("d2/f077", "above")]
    source = images.image([layer(*[file(n, t) for n, t in content.items()]), layer(*hidden)])
    content.update({"d2/f077": "above"})
    with mount(source) as m:
        def scan():
            before = m.status()["operations"]["read"]
            for top, _, found in sorted(os.walk(m.root)):
                for name in sorted(found):
                    path = os.path.join(top, name)
                    with open(path) as f:
                        assert f.read() == content[os.path.relpath(path, m.root)], path
            return m.status()["operations"]["read"] - before
        first = scan()
        assert 0 < first < len(content) / 3, "%d reads" % first
        scan()      # from the pages that were put there


def test_blob_that_waits_is_interrupted(fake):
    """Also by who was the first to want it; and what it began goes on for the next."""
    reference = fake.image("waiting", [layer(file("f", "text"))])
    with mount(reference) as m:
        fake.silent.set()
        d = json.loads(m.read("manifest.json"))["layers"][0]
        path = os.path.join(m.path, "oci/blobs/sha256", d["digest"][7:])
        first = subprocess.Popen(["cat", path], stdout=subprocess.PIPE)
        assert eventually(lambda: fake.waiting) and first.poll() is None
        first.send_signal(signal.SIGINT)
        assert first.wait(5 * SLOWER) == -signal.SIGINT
        first.communicate()
        asked = len(fake.asked)
        second = subprocess.Popen(["cat", path], stdout=subprocess.PIPE)
        fake.silent.clear()
        out, _ = second.communicate(timeout=20 * SLOWER)
        assert out == fake.images.read(d) and second.returncode == 0
        assert len(fake.asked) == asked
