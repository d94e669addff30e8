# SPDX-License-Identifier: MIT
"""rootfs.erofs: what fsck.erofs accepts, and what the kernel's EROFS shows of it, is rootfs/."""
import contextlib
import errno
import functools
import os
import random
import struct
import subprocess
import tempfile

import pytest

import badregistry
import generate
import test_lazy
import test_merge
import test_platforms as test_platforms_of
import test_real
import tree
from archive import (TIME, block, char, directory, fifo, file, hardlink, layer, sparse_pax, symlink)
from mounting import eventually, mount, unmount
from test_artifacts import Artifacts

CASES = test_merge.CASES
images_of_real = test_real.layers, test_real.real


@functools.lru_cache
def lacks():
    """Why the kernel cannot mount a file as EROFS here, or ""."""
    with open("/proc/filesystems") as f:
        known = "\terofs\n" in f.read()
    if not known and subprocess.run(["modprobe", "erofs"], capture_output=True).returncode:
        return "the kernel has no EROFS"
    with tempfile.TemporaryDirectory() as where:
        top = os.path.join(where, "mnt")
        os.makedirs(os.path.join(where, "empty"))
        os.mkdir(top)
        made = os.path.join(where, "image")
        subprocess.run(["mkfs.erofs", "--quiet", made, os.path.join(where, "empty")],
                       capture_output=True, check=False)
        done = subprocess.run(["mount", "-t", "erofs", "-o", "ro", made, top],
                              capture_output=True, text=True)
        if done.returncode:
            return "the kernel does not mount a file as EROFS: " + done.stderr.strip()
        subprocess.run(["umount", top], check=True)
    return ""


@contextlib.contextmanager
def kernel(path):
    """The image, mounted."""
    if lacks():
        pytest.skip(lacks())
    top = tempfile.mkdtemp(prefix="peelfs-e2e-erofs-")
    subprocess.run(["mount", "-t", "erofs", "-o", "ro", path, top], check=True, timeout=60)
    try:
        yield top
    finally:
        assert unmount(top, ("umount",))
        os.rmdir(top)


def image_of(m):
    return os.path.join(m.path, "rootfs.erofs")


def is_accepted(path):
    done = subprocess.run(["fsck.erofs", "--extract", path], capture_output=True, text=True,
                          timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def has_form(names):
    return {k: v for k, v in names.items() if k.startswith((b"user.", b"trusted.", b"security.",
                                                            b"system.posix_acl_"))}


def is_the_same(m):
    """Also what EROFS cannot express is left out, and nothing else."""
    is_accepted(image_of(m))
    want = tree.dump(m.root)
    for fields in want.values():
        fields["xattrs"] = has_form(fields["xattrs"])
    with kernel(image_of(m)) as top:
        tree.assert_same(want, tree.dump(top))
    return want


@pytest.mark.parametrize("case", CASES)
def test_merge_cases(case, images):
    with mount(images.image(case.layers)) as m:
        is_the_same(m)


@pytest.mark.parametrize("seed", [pytest.param(s, marks=pytest.mark.core) if s <= 3 else s
                                  for s in range(1, 37)])
def test_random(seed, images):
    with mount(images.image([images.layer(t, "gzip") for t in generate.image(seed)])) as m:
        assert len(is_the_same(m)) > 60


layers, real = images_of_real


def test_real_programs(real):
    source, want = real
    with mount(source) as m:
        assert len(is_the_same(m)) == len(want)


ALL_KINDS = layer(
    directory("d", mode=0o1777, uid=70000, gid=80000, xattrs={"user.d": "x" * 5000}),
    file("d/f", "content", mode=0o4755, mtime_ns=TIME * 10 ** 9 + 123456789,
         xattrs={"user.empty": "", "trusted.t": "1", "user.long": "y" * 20000}),
    file("before", "1", mtime_ns=-5 * 10 ** 9), file("empty"), hardlink("zlink", "d/f"),
    symlink("s", "d/f"), symlink("long", "t" * 4000), hardlink("s2", "s"),
    char("null", 1, 3), block("disk", 4095, 1048575), char("big", 255, 65535), fifo("p"),
    file("!", "sorted before the dots"), file("-x", "too"), file("n" * 255, "long name"),
    sparse_pax("holes", [(1 << 20, b"a" * 512), (5 << 20, b"b" * 1000)], 9 << 20, "1.0"),
    sparse_pax("hole", [], 1 << 20, "1.0"),
    *[file("many/%04d-%s" % (i, "n" * (i % 90)), b"%d" % i * (i % 3000)) for i in range(2000)])


def test_all_kinds(images):
    with mount(images.image([ALL_KINDS])) as m:
        is_the_same(m)
        with kernel(image_of(m)) as top:
            # Holes have no blocks, in steps of some of the file.
            with open(os.path.join(top, "holes"), "rb") as f:
                assert os.lseek(f.fileno(), 0, os.SEEK_DATA) == 1 << 20
                assert os.lseek(f.fileno(), 2 << 20, os.SEEK_DATA) == 5 << 20
                assert os.lseek(f.fileno(), 6 << 20, os.SEEK_HOLE) == 6 << 20


def test_holes_of_a_terabyte(images):
    tar = layer(sparse_pax("f", [(0, b"s" * 512), ((1 << 40) - 512, b"e" * 512)], 1 << 40, "1.0"))
    with mount(images.image([tar])) as m:
        assert os.stat(image_of(m)).st_size < 1 << 34
        subprocess.run(["fsck.erofs", image_of(m)], check=True, capture_output=True)
        with kernel(image_of(m)) as top, open(os.path.join(top, "f"), "rb") as f:
            assert f.read(1024) == b"s" * 512 + bytes(512)
            f.seek(1 << 39)
            assert f.read(1024) == bytes(1024)
            f.seek((1 << 40) - 1024)
            assert f.read() == bytes(512) + b"e" * 512


def test_same_bytes(images, tmp_path):
    """After another mount, and with layers that another process loaded."""
    source = images.image([ALL_KINDS, *test_lazy.TARS])
    sums = set()
    for _ in range(2):
        with mount(source, cache=tmp_path / "cache") as m:
            sums.add(tree.sha256_of(image_of(m)))
    with mount(source) as m:
        sums.add(tree.sha256_of(image_of(m)))
    assert len(sums) == 1


@pytest.mark.parametrize("form", ["estargz-chunks", "storage"])
def test_layers_with_a_table(images, form):
    """Nothing of them is in the store before the kernel asks for it."""
    with mount(images.image([test_lazy.put(images, form, t) for t in test_lazy.TARS])) as m:
        assert all(d["spansRead"] == 0 for d in m.status()["layers"])
        is_the_same(m)


# The size

def test_attributes_load_nothing(registry, images):
    """`ls -l` of the top asks for no layer; what is read waits for them and is whole."""
    source = registry.push(images.image([ALL_KINDS]), "erofs/cold")
    with mount(source, load=False) as m:
        names = sorted(e.name for e in os.scandir(m.path) if e.stat() or True)
        assert "rootfs.erofs" in names
        assert os.stat(image_of(m)).st_size == 0
        assert m.status()["state"] == "waiting"
        with open(image_of(m), "rb") as f:
            assert os.fstat(f.fileno()).st_size == 0
            head = f.read(4096)
            assert head[1024:1028] == b"\xe2\xe1\xf5\xe0"
            assert os.fstat(f.fileno()).st_size % 4096 == 0
            assert os.fstat(f.fileno()).st_size > 4096
        assert os.stat(image_of(m)).st_size > 4096


def test_seek_finds_the_end(images):
    with mount(images.image([layer(file("f", "1"))]), load=False) as m:
        with open(image_of(m), "rb") as f:
            assert f.seek(0, os.SEEK_END) > 4096


def test_mount_loads(images):
    """mount(8) needs no help: what it reads waits for the layers."""
    if tuple(int(n) for n in os.uname().release.split("-")[0].split(".")[:2]) >= (6, 19):
        pytest.skip("this kernel reads zeros behind a size that is not known yet")
    with mount(images.image([layer(directory("d"), file("d/f", "here"))]), load=False) as m:
        with kernel(image_of(m)) as top:
            assert open(os.path.join(top, "d/f")).read() == "here"


def test_loop_device(images):
    with mount(images.image([layer(file("f", b"z" * 100000))])) as m:
        done = subprocess.run(["losetup", "-r", "--show", "-f", image_of(m)],
                              capture_output=True, text=True)
        if done.returncode:
            pytest.skip("no loop device: " + done.stderr.strip())
        device = done.stdout.strip()
        try:
            with kernel(device) as top:
                assert open(os.path.join(top, "f"), "rb").read() == b"z" * 100000
        finally:
            subprocess.run(["losetup", "-d", device], check=True)


# Where there is none

def test_artifact_has_none(images):
    artifacts = Artifacts(images)
    source = artifacts.local([artifacts.blob(b"x", title="x")])
    with mount(source) as m:
        assert "rootfs.erofs" not in os.listdir(m.path)
        with pytest.raises(FileNotFoundError):
            os.stat(image_of(m))


BROKEN = [layer(file("f", "1")), b"no archive at all" * 100]


def test_broken_layer_has_none(images):
    with mount(images.image([images.layer(t, "none") for t in BROKEN]), quiet=False) as m:
        assert "rootfs.erofs" not in os.listdir(m.path)
        with pytest.raises(FileNotFoundError):
            os.stat(image_of(m))


def test_broken_layer_found_later(images):
    source = images.image([images.layer(t, "none") for t in BROKEN])
    with mount(source, quiet=False, load=False) as m:
        with open(image_of(m), "rb") as f, pytest.raises(OSError) as e:
            f.read(1)
        assert e.value.errno == errno.EIO
        with pytest.raises(FileNotFoundError):
            os.stat(image_of(m))


def test_too_large(images):
    """EROFS has 16 TiB of contents; what is too large is told, and fails when it is read."""
    tar = layer(file("f", "1"), sparse_pax("huge", [(0, b"s" * 512)], 1 << 52, "1.0"))
    with mount(images.image([tar]), quiet=False) as m:
        with open(image_of(m), "rb") as f, pytest.raises(OSError) as e:
            f.read(1)
        assert e.value.errno == errno.EIO
        assert any("too large for EROFS" in e["error"] for e in m.status()["lastErrors"])
        assert open(m.at("f")).read() == "1"


def test_foreign_xattrs(images):
    """One sentence tells how many are missing."""
    tar = layer(file("f", "1", xattrs={"user.a": "1", "system.other": "2", "odd": "3"}))
    with mount(images.image([tar])) as m:
        is_the_same(m)


ACL = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in (
    (1, 6, 0xffffffff), (2, 4, 1000), (4, 4, 0xffffffff), (0x10, 4, 0xffffffff),
    (0x20, 0, 0xffffffff)))


def test_acls(images):
    tar = layer(file("f", "1", mode=0o640, xattrs={"system.posix_acl_access": ACL}),
                directory("d", mode=0o750, xattrs={"system.posix_acl_access": ACL,
                                                   "system.posix_acl_default": ACL}))
    with mount(images.image([tar])) as m:
        want = is_the_same(m)
        assert want[b"f"]["xattrs"][b"system.posix_acl_access"] == ACL


def test_platforms(images):
    with mount(test_platforms_of.build(images)) as m:
        for triple in test_platforms_of.OTHERS:
            name = test_platforms_of.name_of(triple)
            with kernel(os.path.join(m.path, "platforms", name, "rootfs.erofs")) as top:
                assert open(os.path.join(top, "arch")).read() == name


# What may fail

@pytest.mark.limit(90)
def test_registry_comes_back(images):
    """Contents that cannot be fetched are an error, not zeros, and right when they can be."""
    noise = {name: random.Random(name).randbytes(300_000) for name in ("a", "b")}
    tar = layer(*[file(name, data) for name, data in noise.items()])
    with badregistry.running(images) as registry:
        source = registry.image("team/app", [test_lazy.put(images, "storage", tar)])
        with mount(source, "timeout=2", quiet=False) as m, kernel(image_of(m)) as top:
            registry.fail("500", times=-1)
            for name in noise:
                with open(os.path.join(top, name), "rb") as f, pytest.raises(OSError) as e:
                    f.read()
                assert e.value.errno == errno.EIO
            registry.faults.clear()

            def is_right(name):
                with contextlib.suppress(OSError), open(os.path.join(top, name), "rb") as f:
                    return f.read() == noise[name]
                return False
            assert eventually(lambda: all(map(is_right, noise)), 20)


def test_full_store(images, tmp_path):
    """Where the store has no room for it, it is in memory."""
    tar = layer(*[file("many/%05d" % i, "x") for i in range(20000)])
    source = images.image([tar])
    with mount(source, cache=tmp_path / "cache") as m:
        want = tree.sha256_of(image_of(m))
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=700", "tmpfs", str(disk)],
                   check=True)
    try:
        with mount(source, cache=disk / "c", quiet=False) as m:
            assert tree.sha256_of(image_of(m)) == want
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
