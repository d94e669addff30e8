# SPDX-License-Identifier: MIT
"""Bad input: the mount says which layer and why, shows nothing of what depends on
it, and costs no more memory than a good one."""
import errno
import gzip
import json
import os
import random
import re

import pytest

import layout
from archive import (END, GNU, base256, directory, file, hardlink, header, layer, pad, pax,
                     sparse_gnu, sparse_pax, symlink)
from mounting import SANITIZED, foreground, mount
from test_resolve import fails

GOOD = layer(file("f", b"".join(b"line %d\n" % i for i in range(20000))), directory("d"),
             file("d/g", "more"))
NOISE = random.Random(1).randbytes(50000)
MIB = 1 << 20
# Peak resident memory of the daemon, shared libraries and all. Sanitizers keep much more.
PEAK = (1024 if SANITIZED else 96) * MIB


def damaged(data, at):
    return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1:]


def plain(data):
    return data, "none"


def gz(data):
    return data, "gzip"


gz_good = layout.compress(GOOD, "gzip")
zstd_good = layout.compress(GOOD, "zstd")
tar_good = len(header("f"))

# name: (bytes of the blob, the kind its media type says)
LAYERS = {
    "tar cut in a header": plain(file("f", "1") + header("g")[:300]),
    "tar cut in content": plain(header("f", size=100000) + bytes(1000)),
    "tar cut in a pax header": plain(pax([("path", "x" * 600)])[:700]),
    "tar cut after a pax header": plain(pax([("path", "x")])),
    "tar cut, in gzip": gz(gzip.compress(GOOD[:5000], mtime=0)),
    "gzip cut": gz(gz_good[:len(gz_good) // 2]),
    "gzip cut in its trailer": gz(gz_good[:-3]),
    "gzip with a flipped bit": gz(damaged(gz_good, len(gz_good) // 2)),
    "gzip with a wrong CRC": gz(damaged(gz_good, len(gz_good) - 6)),
    "gzip with a wrong length": gz(damaged(gz_good, len(gz_good) - 2)),
    "gzip with a damaged second member": gz(gz_good + damaged(gz_good, 40)),
    "zstd cut": (zstd_good[:len(zstd_good) // 2], "zstd"),
    "zstd with a flipped bit": (damaged(zstd_good, len(zstd_good) // 2), "zstd"),
    "zstd with a wrong checksum": (damaged(zstd_good, len(zstd_good) - 2), "zstd"),
    "zstd of no end of window": (b"\x28\xb5\x2f\xfd\x00\xff" + bytes(20), "zstd"),
    "header with a wrong checksum": plain(layer(file("f"), header("g", checksum=1))),
    "not a tar": plain(b"this is no archive " * 100),
    "an empty gzip header": gz(b"\x1f\x8b"),
    "size of 2^63": plain(layer(header("f", size=b"\x80" + b"\0" * 3 + b"\x80" + b"\0" * 7))),
    "size of 2^63-1": plain(layer(header("f", size=base256(2 ** 63 - 1, 12)))),
    "size of 2^95": plain(layer(header("f", size=b"\xbf" + b"\xff" * 11))),
    "negative size": plain(layer(header("f", size=base256(-512, 12)))),
    "size that is no number": plain(layer(header("f", size=b"12x45678901"))),
    "pax size of 2^64": plain(layer(pax([("size", str(2 ** 64))]), header("f"))),
    "pax record with a wrong length": plain(layer(pax(b"99 path=x\n"), file("f"))),
    "pax record without a line end": plain(layer(pax(b"9 path=xy"), file("f"))),
    "pax record without a value": plain(layer(pax(b"8 path\n\n"), file("f"))),
    "pax header of 1 GiB": plain(header("x", type=b"x", size=1 << 30) + bytes(4096)),
    "long name of 1 GiB": plain(header("x", type=b"L", size=1 << 30, magic=GNU) + bytes(4096)),
    "sparse map that goes back": plain(layer(sparse_pax(
        "f", [(4096, b"a" * 512), (0, b"b" * 512)], 10000, "0.1"))),
    "sparse map that overlaps": plain(layer(sparse_pax(
        "f", [(0, b"a" * 512), (100, b"b" * 512)], 10000, "1.0"))),
    "sparse map beyond the end": plain(layer(sparse_gnu("f", [(9000, b"a" * 2048)], 10000))),
    "sparse map longer than the data": plain(layer(
        pax([("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"),
             ("GNU.sparse.name", "f"), ("GNU.sparse.realsize", "9")]) +
        header("x", size=512) + pad(b"1000000\n0\n1\n"))),
    "sparse map of 2^64": plain(layer(
        pax([("GNU.sparse.map", "18446744073709551615,2"), ("GNU.sparse.size", "9"),
             ("GNU.sparse.numblocks", "1")]) + header("x", size=2) + pad(b"ab"))),
}


def with_layer(images, data, kind, **changes):
    """A good layer below, and one that is described as `changes` says."""
    bad = {**images.blob(data, layout.LAYER["oci", kind]), "diff": "sha256:" + "0" * 64, **changes}
    return images.image([GOOD, bad]), bad["digest"]


def assert_broken(source, digest, registry_path=None):
    """The contract for a layer that is damaged."""
    with mount(source, quiet=False) as m:
        assert m.stderr.count("\n") == 1, m.stderr
        assert re.search(digest.split(":")[1][:12], m.stderr), m.stderr
        json.loads(m.read("config.json"))
        json.loads(m.read("manifest.json"))
        for use in (lambda: os.listdir(m.root), lambda: os.stat(m.at("f")),
                    lambda: os.stat(m.at("d", "g")), lambda: os.stat(m.at("not-there")),
                    lambda: open(m.at("f")).read()):
            with pytest.raises(OSError) as e:
                use()
            assert e.value.errno == errno.EIO
        assert digest in json.dumps(m.status())
        assert m.memory("VmHWM") < PEAK
    return m.stderr


@pytest.mark.core
@pytest.mark.parametrize("name", LAYERS)
def test_damaged_layer(images, name):
    source, digest = with_layer(images, *LAYERS[name])
    assert_broken(source, digest)


def test_damaged_layer_at_the_mount_point(images, tmp_path):
    """With the root file system itself as the mount there is nothing to show."""
    source, digest = with_layer(images, *LAYERS["gzip with a flipped bit"])
    fails(source, "layout=rootfs", words=[digest[7:19]], where=tmp_path)


def test_damaged_base_layer(images):
    bad = {**images.blob(LAYERS["gzip cut"][0], layout.LAYER["oci", "gzip"]),
           "diff": "sha256:" + "1" * 64}
    assert_broken(images.image([bad, GOOD]), bad["digest"])


def test_two_damaged_layers(images):
    bad = [{**images.blob(LAYERS[n][0], layout.LAYER["oci", "gzip"]), "diff": "sha256:" + "1" * 64}
           for n in ("gzip cut", "gzip with a wrong CRC")]
    with mount(images.image(bad + [GOOD]), quiet=False) as m:
        for d in bad:
            assert d["digest"][7:19] in m.stderr
        with pytest.raises(OSError) as e:
            os.listdir(m.root)
        assert e.value.errno == errno.EIO


# A manifest that lies about its layers

def test_layer_with_other_bytes_than_its_digest(images):
    source, digest = with_layer(images, gz_good, "gzip", digest="sha256:" + "5" * 64)
    with open(images.blob_path(digest), "wb") as f:
        f.write(gz_good)
    assert_broken(source, digest)


@pytest.mark.parametrize("kind", ["gzip", "zstd", "none"])
@pytest.mark.parametrize("by", [-1, 1, -1000, 10 ** 9, 2 ** 62])
def test_layer_of_another_size(images, kind, by):
    data = layout.compress(layer(file("other", NOISE)), kind)
    source, digest = with_layer(images, data, kind, size=len(data) + by)
    assert_broken(source, digest)


def test_layer_that_is_missing(images, fake, tmp_path):
    """Another thing than a damaged one: who tries again may have it."""
    source, digest = with_layer(images, b"x", "gzip", digest="sha256:" + "6" * 64)
    fails(source, words=[digest[7:]], where=tmp_path)
    fails(fake.tag("missing", "t", images.read(images.tags[0]), layout.MANIFEST),
          words=[digest[7:19]], where=tmp_path)


@pytest.mark.parametrize("by", [-1, 1, 10 ** 9])
def test_layer_of_another_size_in_a_registry(images, fake, tmp_path, by):
    """A length proves no damage: a proxy may have answered. So whoever tries again may have it."""
    data = layout.compress(layer(file("other", b"line\n" * 20000)), "gzip")
    source, digest = with_layer(images, data, "gzip", size=len(data) + by)
    fails(fake.tag("size", "t", images.read(images.tags[0]), layout.MANIFEST), "timeout=3",
          words=[digest[7:19]], where=tmp_path)


def test_layer_damaged_in_the_registry(images, registry):
    source = images.image([GOOD], name="damaged")
    reference = registry.push(source, "damaged-blob", "t", "--preserve-digests")
    digest = json.loads(images.read(images.tags[0]))["layers"][0]["digest"]
    with open(registry.blob_file(digest), "r+b") as f:
        data = bytearray(f.read())
        data[len(data) // 2] ^= 1
        f.seek(0)
        f.write(data)
    assert_broken(reference, digest)


# Documents that are bad: nothing to mount

def nested(depth, open_="[", close="]"):
    return (open_ * depth + close * depth).encode()


CONFIG = b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'
DOCUMENTS = {
    "not JSON": b"<html>502 Bad Gateway</html>",
    "nothing": b"",
    "cut": b'{"schemaVersion":2,"layers":[',
    "JSON 10,000 deep": nested(10000),
    "JSON 10,000 objects deep": b'{"a":' * 10000 + b"1" + b"}" * 10000,
    "an array": b"[]",
    "a number": b"12",
    "NUL bytes": b"\0" * 100,
    "JSON and more": b"{} {}",
}
MANIFESTS = {
    **DOCUMENTS,
    "no config": b'{"schemaVersion":2,"layers":[]}',
    "over 4 MiB": b'{"schemaVersion":2,"layers":[],"x":"' + b"a" * (5 << 20) + b'"}',
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_bad_manifest(images, name, tmp_path):
    d = images.blob(MANIFESTS[name], layout.MANIFEST)
    fails(images.tag(d), where=tmp_path)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_bad_index(images, name, tmp_path):
    d = images.blob(DOCUMENTS[name], layout.INDEX)
    fails(images.tag(d), where=tmp_path)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_bad_config(images, name, tmp_path):
    config = images.blob(DOCUMENTS[name], layout.CONFIG)
    fails(images.tag(images.manifest([GOOD], config=config)), where=tmp_path)


@pytest.mark.parametrize("what", ["manifest", "config", "index"])
def test_document_with_other_bytes_than_its_digest(images, what, tmp_path):
    config = images.config([images.layer(GOOD)])
    manifest = images.manifest([GOOD], config=config)
    index = images.index([(manifest, layout.HOST)])
    source = images.tag(index)
    wrong = {"manifest": manifest, "config": config, "index": index}[what]
    with open(images.blob_path(wrong["digest"]), "r+b") as f:
        text = f.read()
        f.seek(0)
        f.write(text[:-1] + b" ")
    fails(source, words=[wrong["digest"][7:19]], where=tmp_path)


@pytest.mark.parametrize("what", ["manifest", "config"])
@pytest.mark.parametrize("by", [-1, 1, 10 ** 12])
def test_document_of_another_size(images, what, by, tmp_path):
    config = images.config([images.layer(GOOD)])
    if what == "config":
        config["size"] += by
    manifest = images.manifest([GOOD], config=config)
    if what == "manifest":
        manifest["size"] += by
    fails(images.tag(images.index([(manifest, layout.HOST)])), where=tmp_path)


@pytest.mark.parametrize("change", [
    {"digest": "sha256:xyz"}, {"digest": "sha256:" + "A" * 64}, {"digest": "md5:" + "0" * 32},
    {"digest": "sha256:../../../../etc/passwd"}, {"digest": ""}, {"digest": 7}, {"digest": None},
    {"size": -1}, {"size": "12"}, {"size": 2 ** 64}, {"size": 1.5}], ids=str)
def test_bad_layer_descriptor(images, change, tmp_path):
    d = {**images.layer(GOOD), **change}
    fails(images.image([d]), where=tmp_path)


def test_ten_thousand_layers(images, tmp_path):
    one = images.layer(layer())
    fails(images.image([one] * 10000), words=["layers"], where=tmp_path)


def test_index_that_holds_itself_deep(images, tmp_path):
    d = images.index([])
    for _ in range(100):
        d = images.index([d])
    fails(images.tag(d), where=tmp_path)


# Layers that are odd, not broken

def multi_member(member, times, *rest):
    """gzip members joined: a large layer from little work."""
    return b"".join([*rest[:1], member * times, *rest[1:]])


@pytest.mark.limit(60)
def test_bomb_of_zeros(images):
    """1 GiB of zeros in 1 MiB of gzip is a file of 1 GiB, at no cost in memory."""
    zeros = gzip.compress(bytes(16 * MIB), mtime=0)
    blob = multi_member(zeros, 64, gzip.compress(header("zeros", size=1 << 30), mtime=0),
                        gzip.compress(file("f", "1") + END, mtime=0))
    d = {**images.blob(blob, layout.LAYER["oci", "gzip"]), "diff": "sha256:" + "0" * 64}
    with foreground(images.image([d])) as m:
        assert os.stat(m.at("zeros")).st_size == 1 << 30
        fd = os.open(m.at("zeros"), os.O_RDONLY)
        for at in (0, 12345678, (1 << 30) - 10):
            assert os.pread(fd, 4096, at) == bytes(min(4096, (1 << 30) - at))
        os.close(fd)
        assert open(m.at("f")).read() == "1"
        assert m.memory("VmHWM") < PEAK


@pytest.mark.limit(60)
def test_bomb_of_one_header(images):
    """The same as one string of zeros: an archive that ends at once."""
    blob = multi_member(gzip.compress(bytes(16 * MIB), mtime=0), 64)
    d = {**images.blob(blob, layout.LAYER["oci", "gzip"]), "diff": "sha256:" + "0" * 64}
    with foreground(images.image([d])) as m:
        assert os.listdir(m.root) == []
        assert m.memory("VmHWM") < PEAK


@pytest.mark.limit(60)
def test_bomb_of_a_sparse_file(images):
    """2^62 bytes that are nowhere stored."""
    with foreground(images.image([layer(sparse_pax("f", [], 1 << 62, "1.0"))])) as m:
        assert os.stat(m.at("f")).st_size == 1 << 62
        with open(m.at("f"), "rb") as f:
            f.seek((1 << 62) - 5)
            assert f.read() == bytes(5)


def counted(m):
    """What the status says is not shown."""
    status = m.status()
    assert status["skippedEntries"] == sum(d["skipped"] for d in status["layers"])
    return status["skippedEntries"] + status["unboundLinks"]


# name: (entries, names that are shown, how many are not)
SKIPPED = {
    "name of 256 bytes": ([file("n" * 256), file("g")], {"g"}, 1),
    "name of 64 KiB": ([file("n" * 65536), file("g")], {"g"}, 1),
    "directory name of 64 KiB": ([file("n" * 65536 + "/f"), file("g")], {"g"}, 1),
    "cycle of two hard links": ([hardlink("a", "b"), hardlink("b", "a"), file("g")], {"g"}, 2),
    "cycle of three hard links": ([hardlink("a", "b"), hardlink("b", "c"), hardlink("c", "a"),
                                   file("g")], {"g"}, 3),
    "hard link to itself": ([hardlink("a", "a"), file("g")], {"g"}, 1),
    "hard link to a directory": ([directory("d"), hardlink("a", "d"), file("g")], {"d", "g"}, 1),
    "hard link without a target": ([hardlink("a", "nowhere"), file("g")], {"g"}, 1),
    "hard link to the root": ([hardlink("a", "/"), file("g")], {"g"}, 1),
}


@pytest.mark.core
@pytest.mark.parametrize("name", SKIPPED)
def test_what_cannot_be_shown_is_counted(images, name):
    entries, names, count = SKIPPED[name]
    with mount(images.image([layer(*entries)]), quiet=False) as m:
        assert set(os.listdir(m.root)) == names
        with pytest.raises(FileNotFoundError):
            os.lstat(m.at("a"))
        assert counted(m) == count, m.status()


def test_symlinks_that_lead_in_a_circle(images):
    tar = layer(symlink("a", "b"), symlink("b", "a"), file("a/f", "1"), file("g", "2"))
    with mount(images.image([tar]), quiet=False) as m:
        assert open(m.at("g")).read() == "2"


@pytest.mark.limit(60)
@pytest.mark.parametrize("levels", [1000, 100000])
def test_many_levels_of_directories(images, levels):
    """One entry, its parents all implied. Either all are there, or none and that is said."""
    name = "d/" * levels + "f"
    with foreground(images.image([layer(file(name, "deep"), file("g", "1"))])) as m:
        assert open(m.at("g")).read() == "1"
        assert m.memory("VmHWM") < PEAK
        if counted(m):
            assert levels > 1000 and os.listdir(m.root) == ["g"]
            return
        fd = os.open(m.root, os.O_RDONLY | os.O_DIRECTORY)
        for _ in range(levels):
            below = os.open("d", os.O_RDONLY | os.O_DIRECTORY, dir_fd=fd)
            os.close(fd)
            fd = below
        assert os.listdir(fd) == ["f"]
        leaf = os.open("f", os.O_RDONLY, dir_fd=fd)
        assert os.read(leaf, 10) == b"deep"
        os.close(leaf)
        os.close(fd)


def empty_files(names):
    """layer(*map(file, names)), fast."""
    plain = header(b"\0")
    total = sum(plain[:148]) + sum(plain[156:]) + 8 * 32
    return b"".join(n.ljust(100, b"\0") + plain[100:148] + b"%06o\0 " % (total + sum(n)) +
                    plain[156:] for n in names) + END


@pytest.mark.limit(60)
@pytest.mark.heavy
def test_many_entries_cost_little_memory(images):
    """Beyond 100,000 entries no more than 150 bytes for each."""
    def peak(count):
        tar = empty_files(b"d%d/f%d" % (i // 1000, i) for i in range(count))
        with foreground(images.image([tar], name=str(count))) as m:
            assert len(os.listdir(m.root)) == count // 1000
            return m.memory("VmHWM")
    small, large = peak(100000), peak(200000)
    assert SANITIZED or large - small < 150 * 100000
