# SPDX-License-Identifier: MIT
"""Each form of tar header that image layers hold, as files on the mount."""
import os

import pytest

from archive import (BLOCK, END, GNU, V7, block, char, directory, expand, fifo, file, gnu_long,
                     hardlink, header, layer, libarchive_records, pad, pax, sparse_gnu,
                     sparse_pax, symlink, xattr_records)
from cases import OVERLAY, Cases
from mounting import mount
from tree import Dir, File, Link, Node

CASES = Cases()
NS = 10 ** 9


def case(name, entries, want, **more):
    CASES.add(name, [entries], want, **more)


# Headers

case("v7", [directory("d", style="v7"), file("d/f", "1", style="v7"),
            symlink("s", "d/f", style="v7"), hardlink("h", "d/f", style="v7")],
     {"d": Dir(), "d/f": File("1", nlink=2, same="d/f"), "s": Link("d/f"),
      "h": File("1", nlink=2, same="d/f")})

case("v7 directory by its slash", [header("d/", type=b"\0", magic=V7, mode=0o700),
                                   file("d/f", style="v7")],
     {"d": Dir(0o700), "d/f": File()}, agree=OVERLAY)

case("type NUL is a file", [header("f", type=b"\0", size=3) + pad(b"abc")], {"f": File("abc")})

case("contiguous file", [header("f", type=b"7", size=3) + pad(b"abc")], {"f": File("abc")},
     agree=OVERLAY)

case("ustar prefix", [header("n" * 100, prefix=b"p" * 155, size=1) + pad(b"1")],
     {"p" * 155: Dir(mtime=0, implied=True), "p" * 155 + "/" + "n" * 100: File("1")})

case("name and link of exactly 100 bytes", [symlink("n" * 100, "t" * 100)],
     {"n" * 100: Link("t" * 100)})

case("no prefix under GNU magic",
     [header("f", magic=GNU, size=1, tail=b"1234567\0    " + b"\0") + pad(b"1")],
     {"f": File("1")})

case("kinds", [fifo("p", mode=0o622), char("c", 1, 3, mode=0o666), block("b", 7, 1000),
               symlink("s", "x"), char("big", 4095, 1048575)],
     {"p": Node("fifo", mode=0o622), "c": Node("char", 1, 3, mode=0o666),
      "b": Node("block", 7, 1000), "s": Link("x"), "big": Node("char", 4095, 1048575)})

case("modes", [file("u", mode=0o4755), file("g", mode=0o2755), directory("t", mode=0o1777),
               file("none", mode=0), directory("all", mode=0o7777), file("x", mode=0o111)],
     {"u": File(mode=0o4755), "g": File(mode=0o2755), "t": Dir(0o1777), "none": File(mode=0),
      "all": Dir(0o7777), "x": File(mode=0o111)})

case("mode with the type's bits", [file("f", "1", mode=0o100644)], {"f": File("1")})

case("owners", [file("f", uid=1000, gid=50), directory("d", uid=65534, gid=65534),
                symlink("s", "f", uid=7, gid=8), file("max", uid=2097151, gid=2097151)],
     {"f": File(uid=1000, gid=50), "d": Dir(uid=65534, gid=65534),
      "s": Link("f", uid=7, gid=8), "max": File(uid=2097151, gid=2097151)})

case("large owners in base 256", [file("f", uid=4294967294, gid=3000000000, style="gnu")],
     {"f": File(uid=4294967294, gid=3000000000)})

case("number fields filled, with spaces, or empty",
     [header("a", mode=b"0000644 ", uid=b"     12 ", gid=b"", mtime=b"11145401322 ",
             size=b"          3\0") + pad(b"abc"),
      header("b", size=b"000000000002", mtime=b"11145401322\0") + pad(b"xy")],
     {"a": File("abc", uid=10), "b": File("xy")})

case("signed checksum", [header("\xc3\xa9".encode("latin-1") * 20, size=1, checksum="signed")
                         + pad(b"1")],
     {b"\xc3\xa9" * 20: File("1")}, agree=OVERLAY)

case("size on what has no data",
     [header("d/", type=b"5", size=1234, mode=0o755),
      header("s", type=b"2", link="d", size=77, mode=0o777),
      file("f", "1")],
     {"d": Dir(), "s": Link("d"), "f": File("1")}, agree=())

# Names

ODD = [b"new\nline", b"tab\tand space ", b"back\\slash", b"\xff\xfe not UTF-8", b"\xc3\xa9",
       b"e\xcc\x81", b"quote'\"", b"*?[", b"-rf", b"...", b"a:b", b"\x01\x7f", b"%s%n"]
case("odd names", [file(n, n) for n in ODD], {n: File(n) for n in ODD})

case("odd link texts", [symlink(b"s%d" % i, n) for i, n in enumerate(ODD)],
     {b"s%d" % i: Link(n) for i, n in enumerate(ODD)})

DEEP = "/".join(["component-%02d" % i for i in range(20)])
PARENTS = {"/".join(DEEP.split("/")[:i]): Dir(mtime=0, implied=True) for i in range(1, 20)}

for style in ("gnu", "pax"):
    case("long name in " + style, [file(DEEP, "1", style=style)], {**PARENTS, DEEP: File("1")})
    case("long symlink in " + style, [symlink("s", "t" * 4000, style=style)],
         {"s": Link("t" * 4000)})
    case("long hard link in " + style, [file(DEEP, "1", style=style),
                                        hardlink("h", DEEP, style=style)],
         {**PARENTS, DEEP: File("1", nlink=2, same=DEEP), "h": File("1", nlink=2, same=DEEP)})

case("component of 255 bytes", [file("n" * 255, "1")], {"n" * 255: File("1")})

case("empty pax path falls back", [pax([("path", "")]) + header("f", size=1) + pad(b"1")],
     {"f": File("1")}, agree=())

case("GNU long name beats pax path",
     [pax([("path", "wrong")]) + gnu_long(b"L", "right") + header("f", size=1) + pad(b"1")],
     {"right": File("1")}, agree=())

case("the last of several pax headers holds",
     [pax([("path", "one")]) + pax([("path", "two")]) + header("f", size=1) + pad(b"1")],
     {"two": File("1")}, agree=())

case("a later record of one key holds",
     [pax([("path", "one"), ("path", "two")]) + header("f", size=1) + pad(b"1")],
     {"two": File("1")})

# Pax fields

case("pax size, owner and time",
     [pax([("size", "3"), ("uid", "3000000"), ("gid", "4000000000"),
           ("mtime", "1234567890.123456789")]) + header("f", size=0) + pad(b"abc"), file("g")],
     {"f": File("abc", uid=3000000, gid=4000000000, mtime_ns=1234567890123456789),
      "g": File()})

TIMES = {"ns": 1234567890123456789, "half": 1500000000, "zero": 0, "minus-one": -NS,
         "minus-one-and-a-half": -1500000000, "minus-a-nanosecond": -1, "1901": -2147483648 * NS,
         "after-2038": 4102444800 * NS + 1, "round": 1600000000 * NS}
case("times in pax", [file(n, mtime_ns=t) for n, t in TIMES.items()] +
     [directory("d", mtime_ns=-1500000000), symlink("s", "x", mtime_ns=1234567890987654321)],
     {**{n: File(mtime_ns=t) for n, t in TIMES.items()}, "d": Dir(mtime_ns=-1500000000),
      "s": Link("x", mtime_ns=1234567890987654321)}, agree=("tar",))

case("more digits than nanoseconds are cut",
     [pax([("mtime", "5.1234567899999")]) + header("f")], {"f": File(mtime_ns=5123456789)})

case("negative time in base 256", [file("f", mtime=-86400, style="gnu"),
                                   file("big", mtime=8 ** 11, style="gnu")],
     {"f": File(mtime=-86400), "big": File(mtime=8 ** 11)}, agree=OVERLAY)

# Extended attributes

BINARY = bytes(range(256))
CAPABILITY = b"\x01\x00\x00\x02\x00\x20\x00\x00" + bytes(12)
case("xattrs",
     [file("f", xattrs={"user.text": "va=lue\n", "user.binary": BINARY,
                        "security.capability": CAPABILITY}),
      directory("d", xattrs={"user.on": "dir", "trusted.t": "1"}),
      symlink("s", "x", xattrs={"trusted.on": "link"}), file("plain")],
     {"f": File(xattrs={"user.text": "va=lue\n", "user.binary": BINARY,
                        "security.capability": CAPABILITY}),
      "d": Dir(xattrs={"user.on": "dir", "trusted.t": "1"}),
      "s": Link("x", xattrs={"trusted.on": "link"}), "plain": File()}, agree=("umoci",))

case("xattrs of libarchive",
     [file("f", records=libarchive_records({"user.a": BINARY, "user.per%cent": "2"}))],
     {"f": File(xattrs={"user.a": BINARY, "user.per%cent": "2"})}, agree=("bsdtar",))

case("SCHILY wins over libarchive",
     [file("f", records=libarchive_records({"user.a": "lib"}) +
           xattr_records({"user.a": "schily"})),
      file("g", records=xattr_records({"user.a": "schily"}) +
           libarchive_records({"user.a": "lib"}))],
     {"f": File(xattrs={"user.a": "schily"}), "g": File(xattrs={"user.a": "schily"})}, agree=())

case("xattrs of one entry are not the next one's",
     [file("a", xattrs={"user.a": "1"}), file("b")],
     {"a": File(xattrs={"user.a": "1"}), "b": File()}, agree=("tar", "umoci"))

case("empty xattr", [file("f", xattrs={"user.empty": ""})],
     {"f": File(xattrs={"user.empty": ""})}, agree=("tar",))

MANY = {"user.name-%03d" % i: "v" * i for i in range(1, 40)}
case("many xattrs", [file("f", xattrs=MANY)], {"f": File(xattrs=MANY)}, agree=("tar", "umoci"))

# Sparse files

PIECES = [(0, b"a" * 512), (65536, b"b" * 1024), (200000, b"c" * 100)]
REAL = 300000
# More than the four of a header, and more than the 21 of a block behind it.
PIECES_MANY = [(i * 8192, b"%04d" % i * 128) for i in range(60)]
REAL_MANY = 60 * 8192
for name, pieces, real in (("few", PIECES, REAL), ("many", PIECES_MANY, REAL_MANY),
                           ("all hole", [], 100000)):
    content = expand(pieces, real)
    case("sparse GNU, " + name, [sparse_gnu("f", pieces, real), file("g", "after")],
         {"f": File(content), "g": File("after")}, agree=OVERLAY)
    for version in ("0.0", "0.1", "1.0"):
        case("sparse %s, %s" % (version, name),
             [sparse_pax("f", pieces, real, version), file("g", "after")],
             {"f": File(content), "g": File("after")},
             agree=OVERLAY)
    if pieces:
        # The end of the map may say less than the size does.
        case("sparse 0.1 without an end, " + name,
             [sparse_pax("f", pieces, real, "0.1", last=[])], {"f": File(content)}, agree=())

# Ends

case("no end marker", layer(file("f", "1"), end=b""), {"f": File("1")})
case("half an end marker", layer(file("f", "1"), end=bytes(BLOCK)), {"f": File("1")},
     agree=("bsdtar", "umoci"))
case("no bytes at all", b"", {}, agree=("umoci",))
case("padding to 10 KiB", layer(file("f", "1"), end=bytes(10240 - 1024)), {"f": File("1")})
case("junk after the end", layer(file("f", "1"), end=END + b"junk" * 1000), {"f": File("1")})
case("another archive after the end", layer(file("f", "1")) + layer(file("g", "2")),
     {"f": File("1")})
case("a layer of a few large files",
     [file("zeros", bytes(3 << 20)), file("count", b"".join(b"%d\n" % i for i in range(400000)))],
     {"zeros": File(bytes(3 << 20)),
      "count": File(b"".join(b"%d\n" % i for i in range(400000)))})


@pytest.mark.parametrize("case", CASES)
def test_oracles_agree(case, images, tmp_path):
    case.check_oracles(images, tmp_path)


@pytest.mark.core
@pytest.mark.parametrize("case", CASES)
def test_peelfs(case, images):
    case.check_peelfs(images)


@pytest.mark.core
@pytest.mark.parametrize("pieces,real", [(PIECES, REAL), (PIECES_MANY, REAL_MANY),
                                         ([], 1 << 40)])
@pytest.mark.parametrize("form", ["gnu", "0.0", "0.1", "1.0"])
def test_sparse_blocks_and_holes(form, pieces, real, images):
    """st_blocks says what is stored, SEEK_DATA and SEEK_HOLE where."""
    made = sparse_gnu("f", pieces, real) if form == "gnu" else \
        sparse_pax("f", pieces, real, form)
    with mount(images.image([layer(made)])) as m:
        st = os.stat(m.at("f"))
        data = sum(len(d) for _, d in pieces)
        assert st.st_size == real
        assert data // 512 <= st.st_blocks <= sum(len(d) // 4096 + 2 for _, d in pieces) * 8
        fd = os.open(m.at("f"), os.O_RDONLY)
        try:
            at, found = 0, []
            while True:
                try:
                    start = os.lseek(fd, at, os.SEEK_DATA)
                except OSError as e:
                    assert e.errno == 6  # ENXIO: nothing but a hole is left
                    break
                at = os.lseek(fd, start, os.SEEK_HOLE)
                found.append((start, at))
            assert found == [(o, o + len(d)) for o, d in pieces]
            assert os.pread(fd, 100, real) == b""
            assert os.pread(fd, 100, real - 10) == expand(pieces, real)[-10:] \
                if real < 1 << 30 else bytes(10)
        finally:
            os.close(fd)
