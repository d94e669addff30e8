# SPDX-License-Identifier: MIT
"""Entries, documents and archives at the limits of their formats, to the last one."""
import contextlib
import io
import json
import os
import re
import stat
import struct
import tarfile

import pytest

import badregistry
import layout
import test_sources
from archive import (BLOCK, END, GNU, base256, char, block, directory, expand, file, hardlink,
                     header, layer, libarchive_records, pad, pax, record, sparse_pax, stored,
                     whiteout)
from mounting import eventually, find_daemon, is_mounted, mount, run, unmount
from test_bad import counted
from tree import read_xattrs


def names(m):
    return sorted(os.listdir(m.root))


def refused(where, source, *options):
    """Exit 32 and one sentence, which is given; nothing is left."""
    path = str(where / "refused")
    os.makedirs(path, exist_ok=True)
    done = run("-o", ",".join(("cache_dir=%s" % (where / "other"),) + options), source, path)
    if is_mounted(path):
        unmount(path)
        eventually(lambda: not find_daemon(path))
    assert done.returncode == 32 and done.stderr.count("\n") == 1, done
    return done.stderr


# Whiteouts

@pytest.mark.parametrize("length", range(250, 256))
@pytest.mark.parametrize("where", ["", "d/"])
def test_whiteout_of_a_long_name(images, length, where):
    """A name is 255 bytes at most; ".wh." before it is not part of the name."""
    name = where + "n" * length
    with mount(images.image([layer(file(name), file(where + "k")), layer(whiteout(name))])) as m:
        assert os.listdir(m.at(where)) == ["k"]


def test_whiteout_of_a_long_directory(images):
    long = "e" * 255
    with mount(images.image([layer(directory(long), file(long + "/old")), layer(whiteout(long)),
                             layer(directory(long), file(long + "/new"))])) as m:
        assert os.listdir(m.at(long)) == ["new"]


def test_whiteout_of_a_name_that_cannot_be(images):
    """256 bytes: there is nothing that it could hide, and nothing is shown."""
    with mount(images.image([layer(file("k")), layer(whiteout("n" * 256))]), quiet=False) as m:
        assert names(m) == ["k"]


@pytest.mark.parametrize("layers,want,nlink", [
    ([[file("x"), file("k")], [file("t", "1"), hardlink(".wh.x", "t")]], ["k", "t"], 1),
    ([[file("t", "1"), hardlink(".wh.x", "t")]], ["t"], 1),
    ([[file("x"), file("t", "1")], [hardlink(".wh.x", "t")]], ["t"], 1),
    ([[file("x"), file("t", "1"), hardlink("u", "t")], [hardlink(".wh.x", "t")]], ["t", "u"], 2),
    ([[directory("d"), file("d/x")], [file("t", "1"), directory("d"), hardlink("d/.wh..wh..opq", "t")]],
     ["d", "t"], 1)], ids=["upper", "alone", "into-lower", "linked", "opaque"])
def test_hard_link_that_is_a_whiteout(images, layers, want, nlink):
    with mount(images.image([layer(*d) for d in layers])) as m:
        assert names(m) == want
        assert os.stat(m.at("t")).st_nlink == nlink
        assert "d" not in want or os.listdir(m.at("d")) == []


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("lower", [[], [file("k")], [directory("t"), file("t/a"), file("k")],
                                   [file("t"), file("k")]], ids=["alone", "none", "dir", "file"])
def test_whiteout_beside_one_below(images, order, lower):
    """`t` is taken away, and what is taken away inside it does not bring it back."""
    entries = [whiteout("t"), whiteout("t/t")][::order]
    layers = [layer(*lower)] if lower else []
    with mount(images.image([*layers, layer(*entries)])) as m:
        assert names(m) == (["k"] if lower else [])


# Attributes

def test_xattrs_that_linux_has_not(images):
    """A name is of user, trusted, security or system."""
    attributes = {"com.apple.provenance": "1", "user.ok": "2", "user": "3", "User.x": "4"}
    with mount(images.image([layer(file("f", xattrs=attributes))]), quiet=False) as m:
        assert read_xattrs(m.at("f")) == {b"user.ok": b"2"}


def acl(*entries):
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *e) for e in entries)


NOBODY = 0xffffffff
ACCESS = acl((1, 6, NOBODY), (2, 4, 1000), (4, 4, NOBODY), (8, 7, 50), (16, 6, NOBODY),
             (32, 4, NOBODY))
DEFAULT = acl((1, 7, NOBODY), (4, 5, NOBODY), (32, 0, NOBODY))


@pytest.mark.parametrize("access,default", [
    ("user::rw-,user:1000:r--,group::r--,group:50:rwx,mask::rw-,other::r--",
     "user::rwx,group::r-x,other::---"),
    ("user::rw-\nuser:1000:r--\ngroup::r--\ngroup:50:rwx\nmask::rw-\nother::r--\n",
     "user::rwx\ngroup::r-x\nother::---\n"),
    ("user::rw-,user:lisa:r--:1000,group::r--,group:staff:rwx:50,mask::rw-,other::r--",
     "user::rwx,group::r-x,other::---"),
    ("u::rw-,u:1000:r--,g::r--,g:50:rwx,m::rw-,o::r--", "u::rwx,g::r-x,o::---")],
    ids=["numbers", "lines", "star", "short"])
def test_acls(images, access, default):
    with mount(images.image([layer(
            directory("d", mode=0o750, records={"SCHILY.acl.default": default}),
            file("f", mode=0o664, records={"SCHILY.acl.access": access}))])) as m:
        assert os.getxattr(m.at("f"), "system.posix_acl_access") == ACCESS
        assert os.getxattr(m.at("d"), "system.posix_acl_default") == DEFAULT


def left_out(m):
    """What the status counts, of entries and of attributes."""
    more = sum(v for k, v in m.status().items() if "ttr" in k and isinstance(v, int))
    return counted(m) + more


BIG = b"x" * 65537


@pytest.mark.parametrize("records", [
    [("SCHILY.xattr.user.big", BIG)], list(libarchive_records({"user.big": BIG})),
    [("SCHILY.xattr.user." + "n" * 251, "1")],
    [("SCHILY.xattr.user.big", BIG), ("SCHILY.xattr.user.bigger", BIG * 2)]],
    ids=["value", "libarchive", "name", "two"])
def test_xattr_that_is_too_large(images, records):
    """It is left out, and counted; all else is there."""
    good = [("SCHILY.xattr.user.ok", "1"), ("SCHILY.xattr.user.full", b"y" * 65536)]
    with mount(images.image([layer(file("f", "text", records=records + good), file("g"))]),
               quiet=False) as m:
        assert m.read("rootfs/f") == b"text" and names(m) == ["f", "g"]
        assert read_xattrs(m.at("f")) == {b"user.ok": b"1", b"user.full": b"y" * 65536}
        assert left_out(m) == (2 if len(records) == 2 and "bigger" in str(records[1][0]) else 1)


NO_ID = 0xffffffff


@pytest.mark.parametrize("entry", [
    header("f", uid=base256(NO_ID, 8), gid=base256(NO_ID, 8)),
    pax({"uid": str(NO_ID), "gid": str(NO_ID)}) + header("f", uid=5, gid=6)],
    ids=["base-256", "pax"])
def test_ids_that_are_none(images, entry):
    """chown(-1) changes nothing, so that who unpacks keeps them."""
    with mount(images.image([layer(entry, file("g"))])) as m:
        st = os.stat(m.at("f"))
        assert (st.st_uid, st.st_gid) == (0, 0)


DEVICES = {
    "major": header("c", b"3", major=base256(4096, 8), minor=1),
    "minor": header("c", b"3", major=1, minor=base256(2 ** 20, 8)),
    "pax minor": pax({"SCHILY.devminor": str(2 ** 20 + 1)}) + header("c", b"4", major=1, minor=1),
    "pax major": pax({"SCHILY.devmajor": str(4096 + 1)}) + header("c", b"4", major=1, minor=3),
    "both": header("c", b"4", major=base256(2 ** 31, 8), minor=base256(2 ** 31, 8)),
}


@pytest.mark.parametrize("name", DEVICES)
def test_device_numbers_that_linux_has_not(images, name):
    with mount(images.image([layer(DEVICES[name], file("g"))]), quiet=False) as m:
        assert names(m) == ["g"]
        assert counted(m) == 1


def test_device_numbers_that_are_the_last(images):
    with mount(images.image([layer(char("c", 4095, 2 ** 20 - 1), block("b", 4095, 1))])) as m:
        st = os.stat(m.at("c"))
        assert (os.major(st.st_rdev), os.minor(st.st_rdev)) == (4095, 2 ** 20 - 1)
        assert os.major(os.stat(m.at("b")).st_rdev) == 4095


# Types

def test_dump_directory(images):
    """GNU's list of what was in a directory, at an incremental backup: a directory."""
    tar = layer(header("d/", b"D", size=4, mode=0o700, uid=1000, gid=1000, magic=GNU) +
                pad(b"Yf\0\0"), file("d/f", "1"))
    with mount(images.image([tar])) as m:
        st = os.stat(m.at("d"))
        assert stat.S_ISDIR(st.st_mode) and stat.S_IMODE(st.st_mode) == 0o700
        assert (st.st_uid, st.st_gid) == (1000, 1000)
        assert m.read("rootfs/d/f") == b"1" and names(m) == ["d"]


def test_continued_volume(images):
    """The rest of a file whose beginning is in another archive: not shown, and told."""
    tar = layer(header("first", b"M", size=4, magic=GNU) + pad(b"rest"), file("g", "1"))
    with mount(images.image([tar]), quiet=False) as m:
        assert names(m) == ["g"] and m.read("rootfs/g") == b"1"
        assert "first" in m.stderr and m.stderr.count("\n") == 1, m.stderr


@pytest.mark.parametrize("entries", [
    [file("d/foo", "lost"), file("d/foo/file", "1")],
    [file("d/foo", "lost"), directory("d/foo/dir")],
    [hardlink("d/foo", "g"), file("d/foo/file", "1")]], ids=["file", "directory", "link"])
def test_file_that_becomes_a_directory_in_one_layer(images, tmp_path, entries):
    """Refused by every other tool. Refused, or the later entry is there and the lost one told."""
    source = images.image([layer(file("g", "1"), *entries)])
    with mount(source, quiet=False) as m:
        assert "d/foo" in m.stderr, m.stderr
        with contextlib.suppress(OSError):
            assert len(os.listdir(m.at("d/foo"))) == 1


# Documents

@pytest.mark.parametrize("where", ["layout", "registry"])
@pytest.mark.parametrize("values", [([], None), (None, None), (None, [])], ids=str)
def test_no_layers(images, fake, where, values):
    """What FROM scratch alone makes, in some tools' spelling."""
    config = images.config([], more={"rootfs": {"type": "layers", "diff_ids": values[1]}})
    d = images.manifest([], config=config, more={"layers": values[0]})
    source = images.tag(d) if where == "layout" else \
        fake.tag("none", "t", images.read(d), d["mediaType"])
    with mount(source) as m:
        assert os.listdir(m.root) == [] and os.listdir(m.path + "/layers") == []


def respell(path, spell):
    """The archive with other keys in its manifest.json."""
    out = io.BytesIO()
    with tarfile.open(path) as old, tarfile.open(fileobj=out, mode="w") as new:
        for member in old:
            data = old.extractfile(member).read() if member.isreg() else b""
            if os.path.basename(member.name) == "manifest.json":
                data = json.dumps([{spell(k): v for k, v in one.items()}
                                   for one in json.loads(data)]).encode()
                member.size = len(data)
            new.addfile(member, io.BytesIO(data))
    path.write_bytes(out.getvalue())


@pytest.mark.parametrize("spell", [str, str.lower, lambda k: k[0].lower() + k[1:]],
                         ids=["usual", "lower", "camel"])
@pytest.mark.parametrize("old", [True, False], ids=["old", "new"])
def test_docker_archive(tmp_path, old, spell):
    source = test_sources.saved(tmp_path / "a.tar", test_sources.LAYERS, old)
    respell(tmp_path / "a.tar", spell)
    for one in (source, source + ":app:t", source + ":@0"):
        with mount(one) as m:
            test_sources.is_right(m)
            assert json.loads(m.read("inspect.json"))[0]["RepoTags"] == ["app:t"]


@pytest.mark.parametrize("where", ["layout", "registry"])
def test_platform_that_no_inner_index_has(images, fake, tmp_path, where):
    inner = [images.index([(images.manifest([layer()], where=("linux", a, "")), ("linux", a, ""))])
             for a in ("mips", "s390x")]
    outer = images.index([*inner, (images.manifest([layer()], where=("aix", "power", "")),
                                   ("aix", "power", ""))])
    if where == "layout":
        source = images.tag(outer)
    else:
        for d in inner:
            fake.tag("nested", d["digest"], images.read(d), d["mediaType"])
        source = fake.tag("nested", "t", images.read(outer), outer["mediaType"])
    said = refused(tmp_path, source, "platform=linux/riscv64")
    for word in ("linux/riscv64", "linux/mips", "linux/s390x", "aix/power"):
        assert word in said, said


# Forms of compression and of sparse files

GOOD = layer(file("f", "text"), file("g"))


@pytest.mark.parametrize("junk", [b"junk!!", b"\n", b"\0" * 6, b"\0\0junk"], ids=repr)
def test_junk_behind_gzip(images, junk):
    """GNU's programs read what is before it and warn."""
    packed = layout.compress(GOOD, "gzip") + junk
    d = {**images.blob(packed, layout.LAYER["oci", "gzip"]), "diff": layout.digest(GOOD)}
    with mount(images.image([d]), quiet=False) as m:
        shown_or_told(m, {"f": b"text"}, ("behind", "after", "trailing", "junk", "garbage"))


def shown_or_told(m, files, words):
    """Right, or refused with one of these words."""
    try:
        os.listdir(m.root)
    except OSError:
        assert any(word in m.stderr for word in words), m.stderr
        return
    for name, data in files.items():
        assert m.read("rootfs/" + name) == data


PIECES = [(0, b"a" * 512), (65536, b"b" * 1024)]
REAL = 100000


def sparse_toybox(name):
    """As form 1.0, called 1.1."""
    made = sparse_pax(name, PIECES, REAL, "1.0")
    return made.replace(record("GNU.sparse.minor", "0"), record("GNU.sparse.minor", "1"))


def sparse_sun(name):
    holes = " 512 65536 66560 100000"
    return pax({"SUN.holesdata": holes}) + header(name, size=REAL) + pad(expand(PIECES, REAL))


def sparse_star(name):
    """Type S, a POSIX header; the map at 386 as GNU's has it, and the real size."""
    pairs = b"".join(b"%011o %011o " % (o, len(d)) for o, d in PIECES)
    tail = bytearray(167)
    tail[386 - 345:386 - 345 + len(pairs)] = pairs
    tail[483 - 345:495 - 345] = b"%011o " % REAL
    tail[508 - 345:512 - 345] = b"tar\0"
    return header(name, b"S", size=len(stored(PIECES)), tail=bytes(tail)) + pad(stored(PIECES))


@pytest.mark.parametrize("make", [sparse_toybox, sparse_sun, sparse_star],
                         ids=["toybox", "sun", "star"])
def test_sparse_forms(images, make):
    with mount(images.image([layer(make("f"), file("g", "after"))]), quiet=False) as m:
        shown_or_told(m, {"f": expand(PIECES, REAL), "g": b"after"},
                      ("sparse files of format 1.1", "Solaris", "star"))


# Numbers and many steps

NUMBERS = ["9007199254740993", "1.5", "18446744073709551617", "-9223372036854775809", "1e400",
           "0.1000000000000000055511151231257827"]


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_of_a_config(images, number):
    """Kept as they are written."""
    one = images.layer(layer(file("f")))
    text = images.read(images.config([one], more={"config": {
        "Healthcheck": {"Test": ["NONE"], "Interval": 77777}, "StopTimeout": 77777}}))
    config = images.blob(text.replace(b"77777", number.encode()), layout.CONFIG)
    with mount(images.image([one], config=config)) as m:
        shown = m.read("inspect.json").decode()
        assert shown.count(number) == 2, re.findall(r'"(?:Interval|StopTimeout)".*', shown)


def test_history_of_many_steps(images):
    """What is cut is told."""
    n = 131072 + 1000
    text = images.read(images.config([], more={"history": ["here"]}))
    steps = b",".join([b'{"created_by":"R"}'] * (n - 1) + [b'{"created_by":"last"}'])
    config = images.blob(text.replace(b'"here"', steps), layout.CONFIG)
    with mount(images.image([], config=config)) as m:
        history = m.read("history").decode()
        assert "last" in history or str(n) in history or "more" in history, history[-300:]
        assert "last" in m.read("inspect.json").decode() or "last" in m.read("config.json").decode()


# Sentences

@pytest.mark.heavy
@pytest.mark.limit(90)
def test_too_many_attributes_name_the_right_limit(images):
    value = b"v" * 65000
    one = b"".join([pax([("SCHILY.xattr.user.a", b"%06d" % i + value)]) + header("f%d" % i)
                    for i in range(100)])
    packed = b"".join(layout.compress(one.replace(b"user.a=0000", b"user.a=%04d" % i), "gzip")
                      for i in range(42)) + layout.compress(END, "gzip")
    d = {**images.blob(packed, layout.LAYER["oci", "gzip"]), "diff": "sha256:" + "0" * 64}
    with mount(images.image([d]), quiet=False) as m:
        assert "256 MiB" in m.stderr, m.stderr


@pytest.mark.parametrize("length", [30_000, 90_000, 150_000])
@pytest.mark.parametrize("line", ['Bearer realm="%s/token",scope="%s"', 'Bearer realm="%s/%s"'])
def test_challenge_that_is_too_long(images, tmp_path, line, length):
    with badregistry.running(images) as b:
        b.auth, b.challenges = "token", [line % (b.url, "x" * length)]
        said = refused(tmp_path, b.image("team/app", [GOOD]), "timeout=4")
        assert "memory" not in said and "long" in said, said


# What builders write

def attested(images):
    """An index as BuildKit writes it, with provenance and an SBOM of each image."""
    image = images.manifest([GOOD])
    statements = [images.blob(json.dumps({
        "_type": "https://in-toto.io/Statement/v0.1", "predicateType": kind,
        "subject": [{"digest": {"sha256": image["digest"][7:]}}], "predicate": {}}).encode(),
        "application/vnd.in-toto+json") for kind in
        ("https://spdx.dev/Document", "https://slsa.dev/provenance/v0.2")]
    config = images.document({"architecture": "unknown", "os": "unknown", "config": {},
                              "rootfs": {"type": "layers",
                                         "diff_ids": [d["digest"] for d in statements]}},
                             layout.CONFIG)
    attestation = images.manifest([{**d, "annotations": {"in-toto.io/predicate-type": "x"}}
                                   for d in statements], config=config)
    index = images.index([(image, layout.HOST), {
        **attestation, "platform": {"os": "unknown", "architecture": "unknown"},
        "annotations": {"vnd.docker.reference.type": "attestation-manifest",
                        "vnd.docker.reference.digest": image["digest"]}}])
    return index, [image, attestation, config, *statements]


@pytest.mark.parametrize("where", ["layout", "registry"])
def test_image_with_attestations(images, fake, where):
    index, blobs = attested(images)
    if where == "layout":
        source = images.tag(index)
    else:
        for d in blobs[:2]:
            fake.tag("attested", d["digest"], images.read(d), d["mediaType"])
        source = fake.tag("attested", "t", images.read(index), index["mediaType"])
    with mount(source) as m:
        assert m.read("rootfs/f") == b"text"
        for d in (index, *blobs):
            assert m.read("oci/blobs/" + d["digest"].replace(":", "/")) == images.read(d)
        for root, _, files in os.walk(m.path + "/platforms"):
            for name in files:
                with open(os.path.join(root, name), "rb") as f:
                    f.read()
