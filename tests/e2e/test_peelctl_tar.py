# SPDX-License-Identifier: MIT
"""peelctl tar: the root file system of an image as a tar, without a mount."""
import contextlib
import errno
import os
import pathlib
import pty
import shutil
import subprocess
import tarfile
import tempfile

import pytest

import generate
import oracle
import system
import tree
from archive import (block, char, directory, fifo, file, hardlink, layer, sparse_pax, symlink,
                     whiteout)
from mounting import PEELCTL, environment, mount, run
from stores import data_files, noise
from test_ctl import AS_NOBODY, NO_DEVICE

ACL = bytes.fromhex("02000000010006000000000002000700e803000004000400ffffffff10000600ffffffff"
                    "20000000ffffffff")
CAPABILITY = bytes.fromhex("0100000200040000000000000000000000000000")
LONG = "/".join(["l" * 60, "m" * 200, "n" * 200])

KINDS = [
    layer(directory("etc", mtime_ns=1700000000123456789), file("etc/passwd", "root\n", mtime_ns=5),
          file("etc/shadow", "", mode=0o4600, uid=4294967290, gid=3000000),
          file("gone", "x"), file("below", "linked from above\n"),
          file("old", "1", mtime_ns=-(10 ** 17) - 1), file("older", "1", mtime_ns=-250000000),
          char("null", 1, 3, mode=0o666), block("disk", 259, 70000), fifo("pipe")),
    layer(
        whiteout("gone"), symlink("etc/link", "passwd"), file("etc/one", "two names\n", uid=7),
        hardlink("etc/two", "etc/one"), hardlink("etc/three", "below"), symlink("s1", "t"),
        hardlink("s2", "s1"),
        directory("deep"), directory("deep/" + LONG), file("deep/" + LONG + "/" + "o" * 255, "far down"),
        hardlink("deep/again", "deep/" + LONG + "/" + "o" * 255),
        symlink("deep/longlink", "x/" * 1500 + "end"),
        file("caf\u00e9", "utf-8"), file(b"bad\xff\xfe", "not utf-8"), file("n\nl \\ \"", "odd"),
        file("tagged", "x" * 700, xattrs={"user.note": "a value", "user.empty": "",
                                          "user.bytes": bytes(range(256)), "trusted.t": "1",
                                          "security.capability": CAPABILITY}),
        directory("tagged.d", xattrs={"user.d": "1"}), file("acl", "x", mode=0o660, xattrs={
            "system.posix_acl_access": ACL}),
        sparse_pax("sparse", [(1 << 20, b"data" * 1024), (5 << 20, b"more" * 1024)], 8 << 20, "1.0"),
        sparse_pax("hole", [], 3 << 20, "1.0"),
        file("big", noise(3, 3 << 20)), file("megabyte", noise(4, 1 << 20))),
]


def tar_of(source, *paths, cache, options=(), status=0, says=""):
    """The archive's bytes."""
    done = subprocess.run([PEELCTL, "tar", "-o", ",".join(("cache_dir=%s" % cache, *options)),
                           source, *paths], capture_output=True, env=environment(), timeout=120)
    assert done.returncode == status, done.stderr
    assert (says in done.stderr.decode(errors="replace")) if says else not done.stderr, done.stderr
    return done.stdout


def names_of(tar):
    return oracle.run("tar", "-t", "--quoting-style=literal", "--warning=no-unknown-keyword",
                      input=tar).decode(errors="surrogateescape").splitlines()


@contextlib.contextmanager
def unpacked(tar, where, tool="tar"):
    os.makedirs(where)
    try:
        oracle.untar(tar, str(where), tool)
        yield where
    finally:
        shutil.rmtree(where)


def blocks(root):
    """Allocated, of each file."""
    root = os.fsencode(root)
    return {os.path.relpath(os.path.join(d, n), root): os.lstat(os.path.join(d, n)).st_blocks
            for d, _, names in os.walk(root) for n in names}


@pytest.mark.parametrize("kind", ["gzip", "none"])
def test_all_kinds_of_files(images, tmp_path, kind):
    """GNU tar makes of it what umoci makes of the image, to the last nanosecond and hole."""
    source = images.image([images.layer(data, kind) for data in KINDS])
    tar = tar_of(source, cache=tmp_path / "c")
    with oracle.umoci(source, tmp_path / "umoci") as want, \
            unpacked(tar, tmp_path / "tar") as got:
        wanted, found = tree.dump(want), tree.dump(got)
        wanted[b"tagged"]["xattrs"][b"user.empty"] = b""  # which umoci drops
        # umoci leaves the parents' times as unpacking leaves them, and the root's mode.
        tree.assert_same(wanted, found, lambda path, field: field in ("mtime_ns", "mode") and (
            path == b"." or field == "mtime_ns" and wanted[path]["type"] == "dir"))
        assert found[b"etc/three"]["same"] == b"below" and found[b"s2"]["nlink"] == 2
        assert found[b"old"]["mtime_ns"] == -(10 ** 17) - 1
        assert found[b"older"]["mtime_ns"] == -250000000
        a, b = blocks(want), blocks(got)
        assert {k for k in a if a[k] != b[k]} == {b"hole", b"sparse"}  # umoci makes no holes
        assert b[b"hole"] == 0 and b[b"sparse"] <= 16
    assert names_of(tar)[0] == "./"


def test_bsdtar(images, tmp_path):
    """It reads what GNU tar reads. Fractions of a second before 1970 are a fault of its own, and
    it leaves ACLs that are xattrs."""
    source = images.image(KINDS)
    tar = tar_of(source, cache=tmp_path / "c")
    with unpacked(tar, tmp_path / "gnu") as want, unpacked(tar, tmp_path / "bsd", "bsdtar") as got:
        want, got = tree.dump(want), tree.dump(got)
        tree.assert_same(want, got, lambda path, field: path in (b"old", b"older", b".")
                         and field == "mtime_ns" or path == b"acl")


@pytest.mark.parametrize("seed", range(3))
def test_by_chance(images, tmp_path, seed):
    """The same as a mount shows, whatever layers there are."""
    source = images.image(generate.image(seed + 700))
    with mount(source, cache=tmp_path / "c") as m, \
            unpacked(tar_of(source, cache=tmp_path / "c"), tmp_path / "t") as got:
        # Links that upper layers have hidden count in a mount, as with overlayfs.
        tree.assert_same(tree.dump(m.root), tree.dump(got), lambda path, field: field == "nlink")


def test_large_hole(images, tmp_path):
    """A size that ustar cannot hold, of a file with hardly any bytes."""
    source = images.image([layer(sparse_pax("huge", [(9 << 30, b"x" * 4096)], 12 << 30, "1.0"))])
    tar = tar_of(source, cache=tmp_path / "c")
    assert len(tar) < 20000
    for tool in ("tar", "bsdtar"):
        with unpacked(tar, tmp_path / "t", tool) as top, open(top / "huge", "rb") as f:
            st = os.fstat(f.fileno())
            assert st.st_size == 12 << 30 and st.st_blocks <= 16
            f.seek(9 << 30)
            assert f.read(5000) == b"x" * 4096 + bytes(904)


def test_same_bytes(images, tmp_path):
    """In every process, with any store, locale and zone; and no name of an owner is in it."""
    source = images.image(KINDS)
    first = tar_of(source, cache=tmp_path / "c")
    for more in ({"LC_ALL": "C"}, {"LC_ALL": "C.UTF-8", "TZ": "Asia/Tokyo"}):
        again = subprocess.run([PEELCTL, "tar", "-o", "cache_dir=%s" % (tmp_path / "d"), source],
                               stdout=subprocess.PIPE, env=environment(**more), timeout=60)
        assert again.returncode == 0 and again.stdout == first
    assert len(first) % 10240 == 0 and first.endswith(bytes(1024))
    with open(tmp_path / "t", "wb") as f:
        f.write(first)
    with tarfile.open(tmp_path / "t", errors="surrogateescape") as t:
        members = t.getmembers()
    assert {(m.uname, m.gname) for m in members} == {("", "")}
    names = [m.name for m in members if "/" not in m.name][1:]
    assert names == sorted(names, key=lambda n: n.encode(errors="surrogateescape"))


def test_parts(images, tmp_path):
    """Named as tar(1) names them, without the directories above; links are followed only on the
    way."""
    source, cache = images.image(KINDS), tmp_path / "c"
    assert names_of(tar_of(source, "etc", cache=cache)) == [
        "etc/", "etc/link", "etc/one", "etc/passwd", "etc/shadow",
        "etc/three", "etc/two"]
    assert names_of(tar_of(source, "/etc//./passwd", "null", cache=cache)) == ["etc/passwd", "null"]
    assert names_of(tar_of(source, "etc/../etc/link", "etc/../../etc/one", cache=cache)) == [
        "etc/link", "etc/one"]
    assert names_of(tar_of(source, ".", cache=cache)) == names_of(tar_of(source, cache=cache))
    # The second of two names of a file, alone, is the file.
    with unpacked(tar_of(source, "etc/two", cache=cache), tmp_path / "t") as top:
        assert (top / "etc/two").read_text() == "two names\n"
        assert (top / "etc/two").stat().st_nlink == 1
    tar = tar_of(source, "none", "etc/passwd/x", "etc/one", cache=cache, status=1, says="none: No such")
    assert names_of(tar) == ["etc/one"]
    # Named twice, it is no link to itself.
    with unpacked(tar_of(source, "etc/one", "etc", cache=cache), tmp_path / "u") as top:
        assert (top / "etc/two").stat().st_nlink == 2


def test_a_part_is_fetched_alone(fake, tmp_path):
    """Of an image in a registry: its own bytes, once the index is stored."""
    tar = layer(file("a", noise(1, 6 << 20)), file("m", "small\n"), file("z", noise(2, 6 << 20)))
    source = fake.image("team/part", [fake.images.layer(tar, "none")])
    cache, options = tmp_path / "c", ("timeout=5",)
    tar_of(source, "none", cache=cache, options=options, status=1, says="none")
    for path in data_files(cache):
        os.unlink(path)
    for path in pathlib.Path(cache).rglob("spans"):
        os.unlink(path)
    fake.asked.clear()
    with unpacked(tar_of(source, "m", cache=cache, options=options), tmp_path / "t") as top:
        assert (top / "m").read_text() == "small\n"
    ranges = [r for _, path, r in fake.asked if "/blobs/" in path]
    assert len(ranges) == 1 and ranges[0], fake.asked
    first, last = map(int, ranges[0].split("=")[1].split("-"))
    assert last - first < 2 << 20


def test_layer(images, tmp_path):
    """One layer as it is, with its markers."""
    source = images.image(KINDS)
    tar = tar_of("--layer=2", source, cache=tmp_path / "c")
    assert {".wh.gone", "etc/one", "deep/again"} <= set(names_of(tar))
    assert "etc/passwd" not in names_of(tar)
    tar_of("--layer=3", source, cache=tmp_path / "c", status=1, says="1 to 2")


def test_programs(images, tmp_path):
    """What a shell and its libraries are packed into runs when it is unpacked."""
    source = images.image(system.layers())
    with unpacked(tar_of(source, cache=tmp_path / "c"), tmp_path / "t") as top:
        done = run(str(top), "/bin/sh", "-c", "cat /srv/old/again; ls /srv", program="chroot")
        assert done.returncode == 0 and done.stdout.startswith("needle\n"), done.stderr
        assert "gone" not in done.stdout


def test_without_a_device_and_root(images, tmp_path):
    """What nobody gets where there is no /dev/fuse has the owners and devices all the same."""
    source = images.image(KINDS)
    with tempfile.TemporaryDirectory(prefix="peelfs-e2e-nobody-", dir="/tmp") as where:
        os.chmod(where, 0o755)
        shutil.copy(PEELCTL, where)
        shutil.copytree(images.path, where + "/l")
        os.mkdir(where + "/c")
        os.chown(where + "/c", 65534, 65534)
        for folder, _, names in os.walk(where + "/l"):
            for name in ["", *names]:
                os.chmod(os.path.join(folder, name), 0o755)
        done = subprocess.run(
            ["unshare", "-m", "sh", "-euc", NO_DEVICE, "sh", *AS_NOBODY, where + "/peelctl", "tar",
             "-o", "cache_dir=%s/c" % where, "oci:%s/l:latest" % where],
            capture_output=True, env=environment(), timeout=60)
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert done.stdout == tar_of(source, cache=tmp_path / "c")


def test_unreadable_bytes(images, tmp_path):
    """A file that cannot be read is left out, one whose end cannot is filled with zeros; both are
    told of, and the rest is there."""
    cache = tmp_path / "c"
    big = noise(7, 4 << 20)
    tar = layer(file("a", "good\n"), file("big", big), file("bad", noise(8, 1000)),
                hardlink("bad2", "bad"), file("c", "good, too\n"))
    descriptor = images.layer(tar, "none")
    source = images.image([descriptor])
    assert run("index", "-o", "cache_dir=%s" % cache, source, program=PEELCTL).returncode == 0
    for path in data_files(cache):
        os.unlink(path)
    blob = images.blob_path(descriptor["digest"])
    with open(blob, "r+b") as f:
        at = tar.index(noise(8, 1000))
        f.seek(at)
        f.write(b"wrong")
    done = subprocess.run([PEELCTL, "tar", "-o", "cache_dir=%s" % cache, source],
                          capture_output=True, env=environment(), timeout=60)
    said = done.stderr.decode().splitlines()
    assert done.returncode == 1
    assert any("bad: left out: " in line for line in said), said
    assert any("bad2: left out: " in line for line in said), said
    names = names_of(done.stdout)
    assert "bad" not in names and "bad2" not in names
    with unpacked(done.stdout, tmp_path / "t") as top:
        assert (top / "a").read_text() == "good\n"
        found = (top / "big").read_bytes()
        assert len(found) == len(big)
        [line] = [line for line in said if "big: incomplete, with zeros from byte" in line]
        at = int(line.split("byte ")[1].split(" ")[0])
        assert 3 << 20 <= at < 4 << 20 and found == big[:at] + bytes(len(big) - at)


def test_broken_layer(images, tmp_path):
    """Nothing is written, not even an empty archive."""
    bad = images.layer(layer(file("f", "1")), "gzip")
    with open(images.blob_path(bad["digest"]), "r+b") as f:
        f.seek(10)
        f.write(b"xxxx")
    out = tar_of(images.image([KINDS[0], bad]), cache=tmp_path / "c", status=1, says="layer")
    assert out == b""


def test_output_that_ends(images, tmp_path):
    """A reader that leaves is no failure to speak of; a full disk is; a terminal is refused."""
    source = images.image([layer(file("a", noise(1, 8 << 20)))])
    words = [PEELCTL, "tar", "-o", "cache_dir=%s" % (tmp_path / "c"), source]
    tar_of(source, cache=tmp_path / "c")
    child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             env=environment())
    child.stdout.read(1000)
    child.stdout.close()
    assert child.stderr.read() == b"" and child.wait(30) == -13
    with open("/dev/full", "wb") as full:
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, env=environment(),
                              timeout=30)
    assert done.returncode == 1 and done.stderr == b"peelctl: cannot write: " + \
        os.strerror(errno.ENOSPC).encode() + b"\n"
    ours, theirs = pty.openpty()
    done = subprocess.run(words, stdout=theirs, stderr=subprocess.PIPE, env=environment(),
                          timeout=30)
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 1 and b"terminal" in done.stderr


def test_names_and_attributes_that_tar_cannot_hold(images, tmp_path):
    """They are left out, and told of."""
    pair = b"p\xed\xa0\x81\xed\xb0\xb7"
    source = images.image([layer(file(pair, "x"), symlink("to", pair), file("x", "1", xattrs={
        "user.a b": "1", "user.good": "2"}))])
    tar = tar_of(source, cache=tmp_path / "c", status=1, says="attribute user.a b is left out")
    assert names_of(tar) == ["./", "x"]


def test_usage(tmp_path):
    for words, about in ((["tar"], "image"), (["tar", "-x", "nginx"], "-x"),
                         (["tar", "localhost:1/"], "not an image")):
        done = run(*words, program=PEELCTL)
        assert done.returncode == 1 and about in done.stderr and not done.stdout
