# SPDX-License-Identifier: MIT
"""Layers that carry their own index: the same tree as without it, little fetched, and
nothing shown that the manifest does not vouch for."""
import json
import os
import random
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

import carried
import layout
import tree
from archive import (block, char, directory, fifo, file, hardlink, layer, opaque, symlink,
                     whiteout)
from mounting import SANITIZED, SLOWER, eventually, foreground, mount

RANDOM = random.Random(4)
TEXT = b"".join(b"%d: the quick brown fox\n" % i for i in range(60_000))  # 1.6 MB
NOISE = RANDOM.randbytes(300_000)
HOLES = NOISE[:5000] + bytes(200_000) + NOISE[5000:6000] + bytes(65536)

TARS = [
    layer(directory("bin"), file("bin/a", NOISE, mode=0o4755, uid=1000, gid=70_000),
          symlink("b", "bin/a"), hardlink("bin/later", "z/end"), file("empty"),
          file("text", TEXT, xattrs={"user.note": "hello", "user.none": ""}),
          hardlink("text2", "text"), char("dev/null", 1, 3, mode=0o666),
          block("dev/sda", 8, 0, mode=0o660), fifo("pipe", mode=0o600),
          file("holes", HOLES), file("zeros", bytes(300_000)), directory("gone"),
          file("gone/file", "gone"), directory("old"), file("old/file", "old"),
          *[file("many/%03d" % i, b"%d\n" % i * (i % 50)) for i in range(300)],
          file("z/end", "the end")),
    layer(whiteout("gone"), opaque("old"), file("old/new", NOISE[:100]), file("b", TEXT[:70_000]),
          file("caf\u00e9", "utf-8")),
]

FORMS = {
    "estargz": lambda tar, **how: carried.estargz(tar, **how),
    "estargz-chunks": lambda tar, **how: carried.estargz(tar, chunk=65536, **how),
    "estargz-shared": lambda tar, **how: carried.estargz(tar, share=50_000, **how),
    "estargz-shared-chunks": lambda tar, **how: carried.estargz(tar, share=30_000, chunk=40_000,
                                                                **how),
    "estargz-47": lambda tar, **how: carried.estargz(tar, footer=47, **how),
    "storage": lambda tar, **how: carried.chunked(tar, chunk=65536, zeros=True, **how),
    "storage-whole": lambda tar, **how: carried.chunked(tar, **how),
    "stargz": lambda tar, **how: carried.chunked(tar, dialect="stargz", chunk=100_000, **how),
}


def kind_of(form):
    return "estargz" if form.startswith("estargz") else "zstd:chunked"


def put(images, form, tar, notes=None, **how):
    """A layer's descriptor; `notes` instead of the right annotations."""
    blob, right = FORMS[form](tar, **how)
    d = images.blob(blob, layout.LAYER["oci", "gzip" if "estargz" in form else "zstd"])
    return {**d, "annotations": right if notes is None else notes, "diff": layout.digest(tar)}


def kinds(m):
    return [d["index"] for d in m.status()["layers"]]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """What all the forms have to show."""
    images = layout.Layout(tmp_path_factory.mktemp("plain") / "layout")
    with mount(images.image(TARS)) as m:
        assert kinds(m) == ["streamed"] * len(TARS)
        return tree.dump(m.root)


@pytest.mark.parametrize("form", FORMS)
def test_same_tree(images, plain, form, tmp_path):
    source = images.image([put(images, form, tar) for tar in TARS])
    with mount(source, cache=tmp_path / "cache") as m:
        before = m.status()
        assert kinds(m) == [kind_of(form)] * len(TARS)
        assert all(d["spansRead"] == 0 and not d["warning"] for d in before["layers"])
        tree.assert_same(plain, tree.dump(m.root))
        status = m.status()
        for d in status["layers"]:
            # A member is not fetched again for each file that shares it.
            assert d["fetched"] < 1.2 * d["size"] + 65536, d
    with mount(source, cache=tmp_path / "cache") as m:
        assert [d["from"] for d in m.status()["layers"]] == ["store"] * len(TARS)
        tree.assert_same(plain, tree.dump(m.root))
        assert m.status()["fetchedBytes"] == 0


@pytest.mark.parametrize("form", ["estargz-chunks", "storage", "stargz"])
def test_parts_in_any_order(images, form):
    """Single reads at odd places give the bytes of the file."""
    files = {"text": TEXT, "bin/a": NOISE, "holes": HOLES}
    with mount(images.image([put(images, form, TARS[0])])) as m:
        for _ in range(60):
            name = RANDOM.choice(list(files))
            at = RANDOM.randrange(len(files[name]))
            with open(m.at(name), "rb", buffering=0) as f:
                assert os.pread(f.fileno(), 5000, at) == files[name][at:at + 5000]


def test_holes(images):
    with mount(images.image([put(images, "storage", TARS[0])])) as m:
        st = os.stat(m.at("zeros"))
        assert st.st_size == 300_000 and st.st_blocks * 512 < 100_000
        with open(m.at("zeros"), "rb") as f:
            assert f.read() == bytes(300_000)


# What may go wrong with a table: all of it leads to the layer, and a warning.

def drop_digest(table):
    for e in table["entries"]:
        e.pop("digest", None)
        e.pop("chunkDigest", None)


def turn_round(table):
    table["entries"].reverse()


def lose_bytes(table):
    table["entries"][-1]["name"] = "caf\ufffd"


def far_away(table):
    for e in table["entries"]:
        if "offset" in e:
            e["offset"] += 1 << 40


def too_short(table):
    next(e for e in table["entries"] if e["name"] == "text")["size"] += 1


WRONG = {
    "no digests": dict(edit=drop_digest),
    "another order": dict(edit=turn_round),
    "lost bytes": dict(edit=lose_bytes),
    "far away": dict(edit=far_away),
    "sizes": dict(edit=too_short),
    "no JSON": dict(edit=lambda table: b"{"),
    "version 2": dict(edit=lambda table: {**table, "version": 2}),
    "an unknown type": dict(edit=lambda table: table["entries"].append(
        {"name": "x", "type": "door"})),
}


@pytest.mark.parametrize("form", ["estargz-chunks", "storage"])
@pytest.mark.parametrize("wrong", WRONG)
def test_bad_table(images, plain, form, wrong):
    source = images.image([put(images, form, TARS[0], **WRONG[wrong]), TARS[1]])
    with mount(source, quiet=False) as m:
        assert "table of contents" in m.stderr
        assert kinds(m) == ["streamed", "streamed"]
        assert "table of contents" in m.status()["layers"][0]["warning"]
        tree.assert_same(plain, tree.dump(m.root))


@pytest.mark.parametrize("form", ["estargz", "storage", "stargz"])
def test_another_digest(images, plain, form):
    _, notes = FORMS[form](TARS[0])
    for key in notes:
        if not key.endswith("position"):
            notes[key] = "sha256:" + 64 * "0"
    source = images.image([put(images, form, TARS[0], notes=notes), TARS[1]])
    with mount(source, quiet=False) as m:
        assert "digest" in m.status()["layers"][0]["warning"]
        assert kinds(m) == ["streamed", "streamed"]
        tree.assert_same(plain, tree.dump(m.root))


@pytest.mark.parametrize("notes", [
    {carried.STARGZ_DIGEST: "sha256:00"},
    {carried.CHUNKED["storage"] + "checksum": "md5:" + 32 * "0",
     carried.CHUNKED["storage"] + "position": "1:2:3:1"},
    {carried.CHUNKED["storage"] + "checksum": "sha256:" + 64 * "0",
     carried.CHUNKED["storage"] + "position": "1:2:3"},
    {carried.CHUNKED["storage"] + "checksum": "sha256:" + 64 * "0",
     carried.CHUNKED["storage"] + "position": "999999999:2:3:1"},
    {carried.STARGZ_DIGEST: "sha256:" + 64 * "0"},
])
def test_bad_annotations(images, plain, notes):
    source = images.image([{**images.layer(TARS[0]), "annotations": notes}, TARS[1]])
    with mount(source, quiet=False) as m:
        assert m.status()["layers"][0]["warning"]
        tree.assert_same(plain, tree.dump(m.root))


@pytest.mark.parametrize("form", ["estargz", "storage"])
def test_without_annotation(images, plain, form):
    """Nothing vouches for the table: an ordinary layer, and nothing to warn of."""
    source = images.image([put(images, form, tar, notes={}) for tar in TARS])
    with mount(source) as m:
        assert kinds(m) == ["streamed", "streamed"]
        tree.assert_same(plain, tree.dump(m.root))


def test_place_in_the_footer_alone(images, plain):
    """One dialect says the digest of the JSON: the rest is in the layer."""
    layers = []
    for tar in TARS:
        _, notes = FORMS["stargz"](tar)
        notes = {carried.STARGZ_DIGEST: notes[carried.STARGZ_DIGEST]}
        layers.append(put(images, "stargz", tar, notes=notes))
    with mount(images.image(layers)) as m:
        assert kinds(m) == ["zstd:chunked"] * len(TARS)
        tree.assert_same(plain, tree.dump(m.root))


def test_table_elsewhere(images, plain):
    source = images.image([put(images, "estargz", TARS[0], footer=46), TARS[1]])
    with mount(source, quiet=False) as m:
        assert "another image" in m.stderr
        assert kinds(m) == ["streamed", "streamed"]
        tree.assert_same(plain, tree.dump(m.root))


def test_landmarks(images):
    tar = layer(file("a", TEXT[:100_000]), file(".prefetch.landmark", b"\x0f"),
                file("b", TEXT[100_000:]), file("d/.prefetch.landmark", "mine"))
    with mount(images.image([put(images, "estargz", tar)])) as m:
        assert set(os.listdir(m.root)) == {"a", "b", "d"}
        assert os.listdir(m.at("d")) == [".prefetch.landmark"]
        with open(m.at("b"), "rb") as f:
            assert f.read() == TEXT[100_000:]


def test_prefetch(images):
    """What is before the landmark is fetched though nobody asks."""
    tar = layer(file("a", NOISE), file(".prefetch.landmark", b"\x0f"), file("b", TEXT))
    with mount(images.image([put(images, "estargz", tar, chunk=20_000)])) as m:
        assert eventually(lambda: m.status()["layers"][0]["spansRead"] >= 15)
        assert m.status()["layers"][0]["spansRead"] == 15


def lie(name):
    def edit(table):
        for e in table["entries"]:
            if e["name"] == name:
                e["digest"] = "sha256:" + 64 * "1"
                e.pop("chunkDigest", None)
    return edit


@pytest.mark.parametrize("form", ["estargz", "estargz-shared", "storage-whole"])
def test_chunk_of_another_digest(images, plain, form, tmp_path):
    """It is an error now; the table is not used again."""
    source = images.image([put(images, form, TARS[0], edit=lie("text")), TARS[1]])
    with mount(source, cache=tmp_path / "cache") as m:
        with open(m.at("bin/a"), "rb") as f:
            assert f.read() == NOISE
        with open(m.at("text"), "rb") as f, pytest.raises(OSError) as e:
            f.read()
        assert e.value.errno == 5
        with open(m.at("many/299"), "rb") as f:
            assert f.read() == b"299\n" * 49
    with mount(source, cache=tmp_path / "cache", quiet=False) as m:
        assert "table of contents" in m.stderr
        assert kinds(m) == ["streamed", "streamed"]
        tree.assert_same(plain, tree.dump(m.root))


def test_a_table_vouches_for_its_own_manifest_only(tmp_path):
    """A registry may say what it likes of a layer that others have, too: only by a table
    of its own, whose chunks are what it says. Nobody else sees them."""
    good, evil = [layer(file("sh", text * 2000)) for text in (b"good\n", b"evil\n")]
    notes, sizes, sources = [], [], []
    for tar in (good, evil):
        blob, note = carried.estargz(tar, level=0)
        notes.append(note)
        sizes.append(len(blob))
    assert sizes[0] == sizes[1]
    name = layout.digest(carried.estargz(good, level=0)[0])
    for i, tar in enumerate((good, evil)):
        images = layout.Layout(tmp_path / str(i))
        path = images.blob_path(name)
        with open(path, "wb") as f:
            f.write(carried.estargz(tar, level=0)[0])
        d = {"mediaType": layout.LAYER["oci", "gzip"], "digest": name, "size": sizes[0],
             "diff": layout.digest(tar)}
        sources.append([images.image([{**d, "annotations": notes[i]}], "lazy"),
                        images.image([d], "plain")])

    def read(source):
        with mount(source, cache=tmp_path / "cache") as m:
            with open(m.at("sh"), "rb") as f:
                return kinds(m)[0], f.read(4)
    assert read(sources[1][0]) == ("estargz", b"evil")
    assert read(sources[0][0]) == ("estargz", b"good")
    assert read(sources[1][0]) == ("estargz", b"evil")
    assert read(sources[0][1]) == ("streamed", b"good")
    assert read(sources[1][0]) == ("streamed", b"good")  # what has the layer's digest is right


# What it is for

BIG = layer(*[file("pkg%d/file%d" % (i // 50, i), RANDOM.randbytes(2500) + TEXT[i * 20:][:2500])
              for i in range(6000)])


@pytest.mark.limit(60)
@pytest.mark.parametrize("form", ["estargz", "estargz-shared", "storage", "stargz"])
def test_little_is_fetched(fake, form):
    d = put(fake.images, form, BIG)
    blob = fake.images.read(d)
    ref = fake.image("lazy", [d])
    with mount(ref, "insecure") as m:
        with open(m.at("pkg78/file3900"), "rb") as f:
            assert len(f.read()) == 5000
        asked = len(fake.asked)
        status = m.status()["layers"][0]
    assert asked <= 8, fake.asked
    if form.startswith("estargz"):
        table = len(blob) - int(blob[-51 + 16:-51 + 32], 16)
    else:
        table = int(d["annotations"][carried.CHUNKED["storage" if form == "storage" else
                                                     "stargz"] + "position"].split(":")[1])
    assert status["fetched"] <= table + len(blob) / 100, (status, table, len(blob))


@pytest.mark.heavy
@pytest.mark.limit(60)
def test_a_scan_leaves_no_memory_behind(fake):
    """Many threads fetch large runs; what they held is given back."""
    ref = fake.image("lazy", [put(fake.images, "estargz", BIG)])
    with mount(ref, "insecure") as m:
        with ThreadPoolExecutor(16) as readers:
            list(readers.map(m.read, ["rootfs/pkg%d/file%d" % (i // 50, i)
                                      for i in range(0, 6000, 7)]))
        assert eventually(lambda: m.memory("RssAnon") < (12 << 20) * SLOWER)


def table_of(images, count):
    """An image whose one layer has a table of so many files, and nothing behind it."""
    entries = [{"name": "d%d/f%d" % (i // 1000, i), "type": "reg", "size": 9, "offset": 32 * i,
                "digest": "sha256:%064x" % i} for i in range(count)]
    text = json.dumps({"version": 1, "entries": entries}).encode()
    blob = bytes(32 * count)
    blob += carried.gzip_member(carried.one_file_tar("stargz.index.json", text), level=1)
    blob += carried.gzip_member(b"", b"SG\x16\0" + b"%016xSTARGZ" % (32 * count))
    return images.image([{**images.blob(blob, layout.LAYER["oci", "gzip"]),
                          "annotations": {carried.STARGZ_DIGEST: carried.sha256(text)},
                          "diff": carried.sha256(b"")}], str(count))


@pytest.mark.limit(60)
@pytest.mark.heavy
def test_many_entries_of_a_table_cost_little_memory(images, tmp_path):
    """As those of a layer that is streamed: no more than 150 bytes for each, spans included;
    and none at all when the index is there."""
    def memory(count, key):
        with foreground(table_of(images, count), cache=tmp_path / "cache") as m:
            assert len(os.listdir(m.root)) == count // 1000
            assert kinds(m) == ["estargz"]
            return m.memory(key)
    small, large = memory(100000, "VmHWM"), memory(200000, "VmHWM")
    assert SANITIZED or large - small < 150 * 100000
    small, large = memory(100000, "RssAnon"), memory(200000, "RssAnon")
    assert SANITIZED or large - small < 1 << 20


# The ecosystem's own tools

MAKE_LAZY = os.path.join(os.path.dirname(__file__), "..", "images", "make-lazy")


def packed():
    """The machine's own files: hundreds, with links, in a tar as GNU tar writes it."""
    there = [p for p in ("usr/share/zoneinfo", "usr/bin/gzip", "usr/bin/perl", "etc/alternatives",
                         "usr/share/doc/libc6") if os.path.exists("/" + p)]
    return subprocess.run(["tar", "-C", "/", "-c", "--format=gnu", "--numeric-owner",
                           "--sort=name", *there], capture_output=True, check=True).stdout


def by_tool(images, form, tars, where, *first):
    images.image(tars)
    done = subprocess.run([MAKE_LAZY, form, images.path, str(where), *first],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return "oci:%s:latest" % where


@pytest.mark.limit(120)
@pytest.mark.parametrize("form", ["estargz", "zstd:chunked"])
def test_by_tool(images, form, tmp_path):
    if form == "estargz" and not os.path.isdir(
            "/usr/share/gocode/src/github.com/containerd/stargz-snapshotter/estargz"):
        pytest.skip("not installed: `tests/deps images` does it")
    tars = [packed(), TARS[1]]
    source = by_tool(images, form, tars, tmp_path / "lazy", "usr/bin/gzip")
    with mount("oci:%s:latest" % images.path) as m:
        want = tree.dump(m.root)
    with mount(source) as m:
        assert kinds(m) == [form, form]
        found = tree.dump(m.root)
    tree.assert_same(want, found)
