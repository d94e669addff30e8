# SPDX-License-Identifier: MIT
"""peelctl diff: what differs between two images, against trees that others unpacked."""
import json
import os

import pytest

import generate
import oracle
import test_random
import tree
from archive import (block, char, directory, fifo, file, hardlink, layer, sparse_pax, symlink,
                     whiteout)
from mounting import PEELCTL, run
from stores import data_files, noise
from test_lazy import put

FIELDS = {"type": "type", "sha256": "content", "size": "size", "mode": "mode", "uid": "owner",
          "gid": "owner", "mtime_ns": "times", "xattrs": "xattrs", "target": "target",
          "rdev": "device"}
OF_ONE_TYPE = {"content", "size", "target", "device"}


def between(a, b):
    """{path: "added", "removed" or what has changed}, of two tree.dump()s."""
    out = {}
    for path in a.keys() | b.keys():
        name = "/" if path == b"." else "/" + path.decode(errors="replace")
        if path not in a or path not in b:
            out[name] = "added" if path in b else "removed"
            continue
        what = {word for field, word in FIELDS.items() if a[path].get(field) != b[path].get(field)}
        if "type" in what:
            what -= OF_ONE_TYPE
        if a[path]["type"] != "file":
            what -= {"size"}  # of a symlink: its target's length
        if what:
            out[name] = what
    return out


@pytest.fixture
def diff(tmp_path):
    """The exit status, the object of --json and the lines on stderr."""
    def run_it(*words, options=()):
        done = run("diff", "--json", "-o", ",".join(("cache_dir=%s" % (tmp_path / "c"), *options)),
                   *words, program=PEELCTL)
        return done.returncode, json.loads(done.stdout or "null"), done.stderr
    return run_it


def found(answer):
    """In the form of between()."""
    return {c["path"]: set(c["what"]) if c["change"] == "changed" else c["change"]
            for c in answer["changes"]}


def order(path):
    return [part.encode() for part in path.split("/")]


@pytest.mark.parametrize("seed", test_random.SEEDS[:6])
def test_by_chance(images, diff, tmp_path, seed):
    """Images that share layers, and images that share nothing but names."""
    first = generate.image(seed)
    others = [first[:3], generate.image(seed + 20)]
    with oracle.overlay(first, tmp_path / "o") as path:
        a = tree.dump(path)
    for i, layers in enumerate(others):
        with oracle.overlay(layers, tmp_path / "o") as path:
            b = tree.dump(path)
        sources = [images.image(first, "a"), images.image(layers, "b%d" % i)]
        status, answer, said = diff(*sources)
        want = between(a, b)
        assert found(answer) == want and status == (1 if want else 0) and not said
        paths = [c["path"] for c in answer["changes"]]
        assert paths == sorted(paths, key=order) and len(set(paths)) == len(paths)
        for c in answer["changes"]:
            for side, of in (("a", a), ("b", b)):
                if side in c:
                    it = of[b"." if c["path"] == "/" else c["path"][1:].encode()]
                    assert c[side]["mode"] == "%04o" % it["mode"] and c[side]["uid"] == it["uid"]
                    assert c[side]["mtime"] * 10 ** 9 + c[side]["mtime_ns"] == it["mtime_ns"]
                    assert c[side].get("size", 0) == (it["size"] if it["type"] == "file" else 0)
        status, back, _ = diff(*reversed(sources))
        swap = {"added": "removed", "removed": "added"}
        assert found(back) == {p: w if isinstance(w, set) else swap[w] for p, w in want.items()}


BEFORE = [directory("d"), file("same", "1"), file("content", "old"), file("size", "old"),
          file("mode", "1"), file("owner", "1"), file("times", "1", mtime_ns=5), file("gone", "four"),
          file("tagged", "1", xattrs={"user.a": "1", "user.b": "2"}), symlink("link", "a"),
          char("null", 1, 3), block("disk", 7, 1), fifo("pipe"), file("type", "12345"),
          directory("tree"), file("tree/f", "1"), symlink("tree/l", "f"), directory("old"),
          file("old/f", "1"), file("sparse", "x"),
          file("far", "x" * 100)]
AFTER = [directory("d", mode=0o1777), file("same", "1"), file("content", "new"), file("size", "newer"),
         file("mode", "1", mode=0o600), file("owner", "1", uid=5, gid=70000),
         file("times", "1", mtime_ns=6),
         file("tagged", "1", xattrs={"user.a": "1", "user.b": "3"}), symlink("link", "b"),
         char("null", 1, 5), block("disk", 7, 1), fifo("pipe"), directory("type"),
         file("type/in", "67"), file("tree", "1"), file("n\n\x1b", "x"), file("sparse", "x"),
         file("far", "x" * 100)]
TEXT = """\
C /content\tcontent
C /d\tmode 0755 -> 1777
D /gone\t4 bytes
C /link\ttarget
C /mode\tmode 0644 -> 0600
A /n??\t1 bytes
C /null\tdevice 1:3 -> 1:5
D /old\tdirectory
D /old/f\t1 bytes
C /owner\towner 0:0 -> 5:70000
C /size\tcontent, size 3 -> 5
C /tagged\txattrs
C /times\ttimes
C /tree\ttype directory -> file, mode 0755 -> 0644
D /tree/f\t1 bytes
D /tree/l\tsymlink
C /type\ttype file -> directory, mode 0644 -> 0755
A /type/in\t2 bytes
2 added, 5 removed, 11 changed: 12 bytes more, 17 less
"""


def test_text(images, tmp_path):
    a, b = images.image([layer(*BEFORE)], "a"), images.image([layer(*AFTER)], "b")
    words = ["diff", "-o", "cache_dir=%s" % (tmp_path / "c"), a, b]
    done = run(*words, program=PEELCTL)
    assert done.stdout == TEXT and done.returncode == 1 and not done.stderr
    done = run(*words[:3], a, a, program=PEELCTL)
    assert done.stdout == "" and done.returncode == 0 and not done.stderr


def test_rebuilt(images, diff):
    """Other layers, other compression, files with several names: the same tree is the same."""
    files = [directory("d"), file("d/f", noise(1, 3 << 20)), hardlink("d/g", "d/f"),
             symlink("l", "d"), file("e")]
    a = images.image([images.layer(layer(*files), "gzip")], "a")
    b = images.image([images.layer(layer(*files[:2]), "zstd"),
                      images.layer(layer(hardlink("d/g", "d/f"), *files[3:]), "none")], "b")
    assert diff(a, b)[0] == 0


@pytest.mark.parametrize("form", ["estargz-chunks", "storage", "stargz"])
def test_tables_of_contents(images, diff, form):
    """Of a file of several chunks the table's digest is checked by nobody, so it is read."""
    data = noise(1, 300000)  # three chunks and more
    tar = layer(directory("d"), file("d/f", data), file("d/small", "1"))
    other = layer(directory("d"), file("d/f", data[:-1] + b"?"), file("d/small", "2"))
    a = images.image([tar], "a")
    b = images.image([put(images, form, tar)], "b")
    c = images.image([put(images, form, other)], "c")
    assert diff(a, b)[0] == 0 and diff(b, a)[0] == 0
    assert found(diff(b, c)[1]) == {"/d/f": {"content"}, "/d/small": {"content"}}


def test_holes(images, diff):
    """They have no digest, so both are read."""
    def image(name, first, *pieces):
        return images.image([layer(file("n", name), sparse_pax("f", [(4096, first), *pieces],
                                                               3 << 20, "1.0"))], name)
    a, same, moved = image("a", b"x" * 512), image("b", b"x" * 512), image("c", b"y" * 512)
    assert found(diff(a, same)[1]) == {"/n": {"content"}}
    assert found(diff(a, moved)[1]) == {"/n": {"content"}, "/f": {"content"}}
    filled = images.image([layer(file("n", "a"), file(
        "f", bytes(4096) + b"x" * 512 + bytes((3 << 20) - 4608)))], "d")
    assert diff(a, filled)[0] == 0


def test_nothing_is_read(fake, diff, tmp_path):
    """Indexes are enough, stored as they are: no blob is asked for, and offline nothing is."""
    make = fake.images.layer
    base = make(layer(directory("d"), file("d/f", noise(1, 2 << 20))))
    a = fake.image("team/a", [base, make(layer(file("x", noise(2, 2 << 20))))])
    b = fake.image("team/b", [base, make(layer(file("x", noise(3, 2 << 20)), file("y", "1")))])
    options = ("timeout=5",)
    want = {"/x": {"content"}, "/y": "added"}
    assert found(diff(a, b, options=options)[1]) == want
    for path in data_files(tmp_path / "c"):
        os.unlink(path)
    fake.asked.clear()
    answer = diff(a, b, options=options)[1]
    assert found(answer) == want
    assert fake.asked and not [p for _, p, _ in fake.asked if "/blobs/" in p or "/manifests/t" not in p
                               and p != "/v2/"], fake.asked
    fake.asked.clear()
    assert found(diff(a, b, options=("offline",))[1]) == want
    digests = ["%s@%s" % (name[:-2], answer[side]["digest"]) for name, side in ((a, "a"), (b, "b"))]
    assert found(diff(*digests, options=options)[1]) == want
    assert not fake.asked


def test_trouble(images, diff, tmp_path):
    """The status is 2, and no list of differences is invented."""
    a = images.image([layer(file("f", "1"))], "a")
    for words, about in (([a, a + "x"], "ax"), ([a + "x", a], "ax"), ([a], "two images"),
                         ([a, a, a], "two images"), (["-x", a, a], "-x"),
                         ([a, "localhost:1/"], "not an image")):
        status, answer, said = diff(*words)
        assert status == 2 and answer is None and about in said, said
    bad = images.layer(layer(file("g", "1")), "gzip")
    with open(images.blob_path(bad["digest"]), "r+b") as f:
        f.seek(10)
        f.write(b"xxxx")
    status, answer, said = diff(a, images.image([bad], "bad"))
    assert status == 2 and answer is None and "layer" in said
    with open("/dev/full", "w") as full:
        done = run("-c", 'exec "$0" diff -o "$1" "$2" "$3" > /dev/full', PEELCTL,
                   "cache_dir=%s" % (tmp_path / "c"), a, images.image([layer(file("h", "1"))], "h"),
                   program="sh")
    assert done.returncode == 2 and "cannot write" in done.stderr


def test_unreadable_bytes(images, diff, tmp_path):
    """A file that must be read and cannot be is no difference; the rest is compared."""
    tars = [layer(file("n", name), sparse_pax("f", [(4096, noise(1, 512))], 1 << 20, "1.0"))
            for name in "ab"]
    layers = [images.layer(tar, "none") for tar in tars]
    a, b = (images.image([d], n) for d, n in zip(layers, "ab"))
    assert diff(a, b)[0] == 1
    for path in data_files(tmp_path / "c"):
        os.unlink(path)
    blob = images.blob_path(layers[1]["digest"])
    with open(blob, "r+b") as f:
        f.seek(tars[1].index(noise(1, 512)))
        f.write(b"wrong")
    status, answer, said = diff(a, b)
    assert status == 2 and found(answer) == {"/n": {"content"}} and "/f in " in said


def test_deep_trees(images, diff, tmp_path):
    """2,000 directories in each other."""
    path = "/".join(["d"] * 2000)
    tar = layer(file(path + "/f", "1"))
    a, b = images.image([tar], "a"), images.image([tar, layer(file(path + "/g", "1"),
                                                              whiteout(path + "/f"))], "b")
    assert found(diff(a, b)[1]) == {"/" + path + "/f": "removed", "/" + path + "/g": "added"}
    none = images.image([layer(file("x"))], "none")
    assert len(diff(a, none)[1]["changes"]) == 2002
    done = run("-c", '"$0" tar -o "$1" "$2" | tar -t | wc -l', PEELCTL,
               "cache_dir=%s" % (tmp_path / "c"), a, program="sh")
    assert done.stdout.strip() == "2002", done.stderr
