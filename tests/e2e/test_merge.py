# SPDX-License-Identifier: MIT
"""DESIGN "The merge", rule by rule."""
import pytest

from archive import (TIME, char, directory, entry, file, hardlink, opaque, pax_global, symlink,
                     whiteout)
from cases import OVERLAY, Cases
from tree import Dir, File, Implied, Link, Node

T2 = TIME + 1000
CASES = Cases()
case = CASES.add

# Whiteouts

case("whiteout of a file",
     [[file("f", "1"), file("g", "2")], [whiteout("f")]],
     {"g": File("2")})

case("whiteout of a directory with all below",
     [[directory("d"), directory("d/e"), file("d/e/f", "1"), file("g")], [whiteout("d")]],
     {"g": File()})

case("whiteout of a symlink leaves its target",
     [[directory("d"), file("d/f", "1"), symlink("s", "d")], [whiteout("s")]],
     {"d": Dir(), "d/f": File("1")})

case("whiteout of what is not there",
     [[file("g")], [whiteout("f")]],
     {"g": File()})

case("whiteout reaches every lower layer",
     [[file("f", "1")], [file("f", "2")], [file("g")], [whiteout("f")]],
     {"g": File()})

case("what a higher layer adds again is there",
     [[file("f", "1")], [whiteout("f")], [file("f", "3")]],
     {"f": File("3")})

case("whiteout before a file of its name in the layer",
     [[file("f", "old")], [whiteout("f"), file("f", "new")]],
     {"f": File("new")})

case("whiteout after a file of its name in the layer",
     [[file("f", "old")], [file("f", "new"), whiteout("f")]],
     {"f": File("new")})

case("whiteout before a new directory of its name",
     [[directory("d", xattrs={"user.a": "1"}), file("d/old", "1"), directory("d/e"),
       file("d/e/old")],
      [whiteout("d"), directory("d", mode=0o700), file("d/new", "2"), directory("d/e")]],
     {"d": Dir(0o700), "d/new": File("2"), "d/e": Dir()})

case("whiteout after a new directory of its name",
     [[directory("d"), file("d/old", "1")],
      [directory("d", mode=0o700), file("d/new", "2"), whiteout("d")]],
     {"d": Dir(0o700), "d/new": File("2")})

case("whiteout and an implied directory of its name",
     [[directory("d", mode=0o700, xattrs={"user.a": "1"}), file("d/old", "1")],
      [whiteout("d"), file("d/new", "2")]],
     {"d": Implied(), "d/new": File("2")})

case("whiteout acts on no layer above",
     [[file("a")], [whiteout("d")], [directory("d"), file("d/f")]],
     {"a": File(), "d": Dir(), "d/f": File()})

case("whiteout of a device",
     [[char("c", 1, 3), file("g")], [whiteout("c")]],
     {"g": File()})

case("whiteout of a name with a dot first",
     [[file(".hidden", "1"), file("..odd", "2"), file("g")],
      [whiteout(".hidden"), whiteout("..odd")]],
     {"g": File()})

case("whiteout that is a directory entry or holds data",
     [[file("a"), file("b"), file("g")],
      [file(".wh.a", "content"), symlink(".wh.b", "nowhere")]],
     {"g": File()}, agree=OVERLAY)

case("names that only look like markers",
     [[file("wh.f"), file(".whf"), file("x.wh.f", "1"), file("f")]],
     {"wh.f": File(), ".whf": File(), "x.wh.f": File("1"), "f": File()})

# Opaque directories

LOWER_D = [directory("d", mode=0o700), file("d/old", "1"), directory("d/e"), file("d/e/old", "2")]

case("opaque marker first",
     [LOWER_D, [directory("d"), opaque("d"), file("d/new", "3")]],
     {"d": Dir(), "d/new": File("3")})

case("opaque marker last",
     [LOWER_D, [directory("d"), file("d/new", "3"), opaque("d")]],
     {"d": Dir(), "d/new": File("3")})

case("opaque marker before its directory",
     [LOWER_D, [opaque("d"), file("d/new", "3"), directory("d", mode=0o750)]],
     {"d": Dir(0o750), "d/new": File("3")})

case("opaque marker in an implied directory",
     [LOWER_D, [opaque("d"), file("d/new", "3")]],
     {"d": Dir(0o700), "d/new": File("3")})

case("opaque marker after children of implied subdirectories",
     [LOWER_D, [file("d/e/new", "3"), opaque("d")]],
     {"d": Dir(0o700), "d/e": Implied(), "d/e/new": File("3")})

case("opaque root",
     [LOWER_D + [file("g")], [opaque(""), file("new", "3")]],
     {"new": File("3")}, agree=OVERLAY)

case("opaque marker acts on no layer above",
     [[directory("d"), file("d/a")], [directory("d"), opaque("d"), file("d/b")],
      [directory("d"), file("d/c")]],
     {"d": Dir(), "d/b": File(), "d/c": File()})

case("opaque directory inside an opaque directory",
     [[directory("d"), directory("d/e"), file("d/e/a"), file("d/b")],
      [directory("d"), opaque("d"), directory("d/e"), opaque("d/e"), file("d/e/n")],
      [directory("d"), directory("d/e"), file("d/e/m")]],
     {"d": Dir(), "d/e": Dir(), "d/e/n": File(), "d/e/m": File()})

# One object over another

case("directory over directory: metadata of the upper, names of both",
     [[directory("d", mode=0o700, uid=1, gid=2, mtime=T2, xattrs={"user.a": "1"}),
       file("d/a", "1")],
      [directory("d", mode=0o1777, uid=3, gid=4), file("d/b", "2")]],
     {"d": Dir(0o1777, uid=3, gid=4), "d/a": File("1"), "d/b": File("2")})

case("replaced directory loses its xattrs and gains the new",
     [[directory("d", xattrs={"user.a": "1", "user.b": "2"}), file("d/a")],
      [directory("d", xattrs={"user.b": "3", "user.c": "4"})]],
     {"d": Dir(xattrs={"user.b": "3", "user.c": "4"}), "d/a": File()})

case("the topmost layer that has the directory gives its metadata",
     [[directory("d", mode=0o700, mtime=1)], [directory("d", mode=0o750, mtime=2)],
      [file("d/f")]],
     {"d": Dir(0o750, mtime=2), "d/f": File()})

case("file over directory ends all below",
     [[directory("d"), file("d/f"), directory("d/e"), file("d/e/g")], [file("d", "now a file")]],
     {"d": File("now a file")})

case("symlink over directory ends all below",
     [[directory("d"), file("d/f"), directory("t"), file("t/x")], [symlink("d", "t")]],
     {"d": Link("t"), "t": Dir(), "t/x": File()})

case("directory over file",
     [[file("d", "1")], [directory("d"), file("d/f", "2")]],
     {"d": Dir(), "d/f": File("2")})

case("directory over symlink replaces the link and leaves its target",
     [[directory("t"), file("t/x"), symlink("d", "t")], [directory("d"), file("d/f", "2")]],
     {"d": Dir(), "d/f": File("2"), "t": Dir(), "t/x": File()})

case("a file between hides the directory below it for good",
     [[directory("d"), file("d/old")], [file("d", "file")], [directory("d"), file("d/new")]],
     {"d": Dir(), "d/new": File()})

case("a whiteout between hides the directory below it for good",
     [[directory("d"), file("d/old")], [whiteout("d")], [directory("d"), file("d/new")]],
     {"d": Dir(), "d/new": File()})

case("file over file: nothing of the lower one is left",
     [[file("f", "longer content", mode=0o4755, uid=7, xattrs={"user.a": "1"})],
      [file("f", "short", mtime=T2)]],
     {"f": File("short", mtime=T2)})

# Lower symlinks as parents: each layer is unpacked by itself, so the parent is a new directory

case("entry below a lower symlink",
     [[directory("t"), symlink("d", "t")], [file("d/f", "2")]],
     {"d": Implied(), "d/f": File("2"), "t": Dir()}, agree=OVERLAY)

case("whiteout below a lower symlink",
     [[directory("t"), file("t/f"), symlink("d", "t")], [whiteout("d/f"), file("d/g")]],
     {"d": Implied(), "d/g": File(), "t": Dir(), "t/f": File()}, agree=OVERLAY)

case("entry below a lower file",
     [[file("d", "1")], [file("d/f", "2")]],
     {"d": Implied(), "d/f": File("2")},
     agree=OVERLAY)

# Inside one layer

case("a later entry replaces an earlier one",
     [[file("f", "1", mode=0o4755, xattrs={"user.a": "1"}), file("f", "two", mtime=T2)]],
     {"f": File("two", mtime=T2)})

case("a later entry of another spelling replaces too",
     [[file("./d/f", "1"), file("d//f", "2"), file("d/./f", "3")]],
     {"d": Implied(), "d/f": File("3")})

case("a later file replaces an earlier directory with all below",
     [[directory("d"), file("d/f"), file("d", "file")]],
     {"d": File("file")}, agree=("umoci",))

case("a later symlink replaces an earlier file",
     [[file("f", "1"), symlink("f", "g"), file("g")]],
     {"f": Link("g"), "g": File()})

case("a later directory replaces an earlier file",
     [[file("d", "1"), directory("d"), file("d/f")]],
     {"d": Dir(), "d/f": File()})

case("a later directory entry keeps the children",
     [[directory("d", mode=0o700), file("d/f"), directory("d", mode=0o755, mtime=T2)]],
     {"d": Dir(mtime=T2), "d/f": File()},
     agree=("tar", "umoci"))

case("a directory entry after its children",
     [[file("d/e/f"), directory("d/e", mode=0o700), directory("d", mode=0o711)]],
     {"d": Dir(0o711), "d/e": Dir(0o700), "d/e/f": File()})

case("a symlinked parent of the layer is followed",
     [[directory("t"), symlink("s", "t"), file("s/f", "1")]],
     {"t": Dir(), "t/f": File("1"), "s": Link("t")},
     agree=("bsdtar", "umoci"))

case("a chain of symlinked parents is followed",
     [[directory("a"), directory("a/t"), symlink("a/l", "t"), symlink("s", "a/l"),
       file("s/f", "1"), directory("s/d")]],
     {"a": Dir(), "a/t": Dir(), "a/t/f": File("1"), "a/t/d": Dir(), "a/l": Link("t"),
      "s": Link("a/l")},
     agree=("bsdtar", "umoci"))

case("a symlinked parent with dots stays inside the root",
     [[directory("t"), directory("d"), symlink("d/s", "../../../t"), file("d/s/f", "1")]],
     {"t": Dir(), "t/f": File("1"), "d": Dir(), "d/s": Link("../../../t")}, agree=("umoci",))

case("a symlinked parent that is absolute stays inside the root",
     [[directory("t"), symlink("s", "/t"), file("s/f", "1")]],
     {"t": Dir(), "t/f": File("1"), "s": Link("/t")}, agree=("umoci",))

case("a directory entry over a symlink of the same layer replaces it",
     [[directory("t"), file("t/x"), symlink("s", "t"), directory("s"), file("s/f")]],
     {"t": Dir(), "t/x": File(), "s": Dir(), "s/f": File()},
     agree=("tar", "umoci"))

case("a whiteout below a symlinked parent of the layer acts where the link leads",
     [[directory("t"), file("t/f"), file("t/g")],
      [directory("t"), symlink("s", "t"), whiteout("s/f")]],
     {"t": Dir(), "t/g": File(), "s": Link("t")},
     agree=("bsdtar", "umoci"))

case("dots and absolute names never escape",
     [[file("../a", "1"), file("/b", "2"), file("../../c/../d", "3"), directory("e"),
       file("e/../../f", "4"), file("/../g", "5")]],
     {"a": File("1"), "b": File("2"), "d": File("3"), "e": Dir(), "f": File("4"),
      "g": File("5")}, agree=("umoci",))

case("missing parents are implied",
     [[file("a/b/c/f", "1")]],
     {"a": Implied(), "a/b": Implied(), "a/b/c": Implied(), "a/b/c/f": File("1")})

case("the metadata of a lower directory stands where the upper one is implied",
     [[directory("a", mode=0o700, uid=5, gid=6, mtime=T2, xattrs={"user.a": "1"}),
       directory("a/b", mode=0o711)],
      [file("a/b/c/f", "1")]],
     {"a": Dir(0o700, uid=5, gid=6, mtime=T2, xattrs={"user.a": "1"}), "a/b": Dir(0o711),
      "a/b/c": Implied(), "a/b/c/f": File("1")})

case("an entry for the root gives its metadata",
     [[entry("./", b"5", mode=0o711, uid=3, gid=4), file("./f")], [file("g")]],
     {"f": File(), "g": File()}, root=Dir(0o711, uid=3, gid=4),
     agree=("tar", "umoci"))

case("an image without layers", [], {}, agree=())
case("an empty layer", [[]], {})

# Hard links

case("names of one inode",
     [[file("a", "1"), hardlink("b", "a"), directory("d"), hardlink("d/c", "./a")]],
     {"a": File("1", nlink=3, same="a"), "b": File("1", nlink=3, same="a"), "d": Dir(),
      "d/c": File("1", nlink=3, same="a")})

case("chain of links",
     [[file("a", "1"), hardlink("b", "a"), hardlink("c", "b"), hardlink("d", "c")]],
     {n: File("1", nlink=4, same="a") for n in "abcd"})

case("link to an absolute name",
     [[directory("d"), file("d/a", "1"), hardlink("b", "/d/a")]],
     {"d": Dir(), "d/a": File("1", nlink=2, same="b"), "b": File("1", nlink=2, same="b")},
     agree=("umoci",))

case("link to a symlink is a name of the symlink",
     [[file("a", "1"), symlink("s", "a"), hardlink("t", "s")]],
     {"a": File("1"), "s": Link("a", nlink=2, same="s"), "t": Link("a", nlink=2, same="s")})

case("link as its target was when it was laid",
     [[file("a", "old"), hardlink("b", "a"), file("a", "new")]],
     {"a": File("new"), "b": File("old")})

case("link through a symlinked parent",
     [[directory("t"), file("t/a", "1"), symlink("s", "t"), hardlink("b", "s/a")]],
     {"t": Dir(), "t/a": File("1", nlink=2, same="b"), "b": File("1", nlink=2, same="b"),
      "s": Link("t")})

case("link replaces what was there",
     [[file("a", "1"), file("b", "2"), hardlink("b", "a")]],
     {"a": File("1", nlink=2, same="a"), "b": File("1", nlink=2, same="a")})

case("link to a device",
     [[char("a", 1, 3), hardlink("b", "a")]],
     {"a": Node("char", 1, 3, nlink=2, same="a"), "b": Node("char", 1, 3, nlink=2, same="a")})

case("link into a lower layer",
     [[file("a", "1", mode=0o600)], [hardlink("b", "a")]],
     {"a": File("1", mode=0o600, nlink=2, same="a"),
      "b": File("1", mode=0o600, nlink=2, same="a")}, agree=("umoci",))

case("whiteout of one name leaves the others",
     [[file("a", "1"), hardlink("b", "a")], [whiteout("a")]],
     {"b": File("1", nlink=2, same="b")}, agree=OVERLAY)

case("upper file over one name leaves the others",
     [[file("a", "1"), hardlink("b", "a")], [file("a", "2")]],
     {"a": File("2"), "b": File("1", nlink=2, same="b")}, agree=OVERLAY)

# What must not show, and what must not matter

case("a character device 0:0 is a whiteout",
     [[file("f", "1"), file("g", "2")], [char("f", 0, 0)]],
     {"g": File("2")}, agree=OVERLAY)

case("xattrs of overlayfs itself are hidden",
     [[directory("d", xattrs={"trusted.overlay.opaque": "x", "user.overlay.opaque": "x",
                              "user.kept": "1"}),
       file("f", xattrs={"trusted.overlay.metacopy": "", "trusted.kept": "2"})]],
     {"d": Dir(xattrs={"user.kept": "1"}), "f": File(xattrs={"trusted.kept": "2"})}, agree=())

case("global pax headers are passed over",
     [[pax_global({"path": "wrong", "mtime": "5", "uid": "9", "comment": "0123"}),
       file("f", "1"), pax_global({"uid": "8"}), file("g", "2")]],
     {"f": File("1"), "g": File("2")},
     agree=())


@pytest.mark.parametrize("case", CASES)
def test_oracles_agree(case, images, tmp_path):
    case.check_oracles(images, tmp_path)


@pytest.mark.core
@pytest.mark.parametrize("case", CASES)
def test_peelfs(case, images):
    case.check_peelfs(images)
