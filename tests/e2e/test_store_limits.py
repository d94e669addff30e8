# SPDX-License-Identifier: MIT
"""The cache on disk where there is no room, no right to it, or a limit."""
import contextlib
import errno
import json
import os
import random
import stat
import subprocess

import pytest

from archive import directory, file, layer
from mounting import PEELFS, SLOWER, daemons, environment, eventually, foreground, is_mounted, mount
from stores import are_right, blobs_of, contents, ctl, data_files, image_of, same


@contextlib.contextmanager
def small_disk(path, size):
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%d,mode=700" % size, "tmpfs", str(path)],
                   check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


@pytest.mark.heavy
@pytest.mark.limit(120)
@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_full_disk(images, tmp_path, compression):
    """A 20 MB disk, an image of 200 MB: everything can be read."""
    files = contents(6, 40, 5 << 20)
    source = image_of(images, files, compression=compression)
    with small_disk(tmp_path / "disk", 20 << 20) as disk:
        with mount(source, cache=disk / "c", quiet=False) as m:
            assert same(m.root, files)
            assert m.memory("RssAnon") < (160 << 20) * SLOWER
        with mount(source, cache=disk / "c", quiet=False) as m:
            names = sorted(files)
            random.Random(8).shuffle(names)
            for name in names[:6]:
                assert same(m.root, {name: files[name]})


@pytest.mark.parametrize("kept, size", [("data", 1 << 20), ("data", 8192), ("index", 8192)])
def test_full_disk_is_told(fake, tmp_path, kept, size):
    """One sentence, and in the status; whatever is read is right, and nothing is an error."""
    files = contents(61, 6, 300000)
    tar = layer(directory("d"), *(file("d/" + n, data) for n, data in files.items()))
    source = fake.image("full", [fake.images.layer(tar)])
    with small_disk(tmp_path / "disk", size) as disk:
        for _ in range(2):
            with foreground(source, "insecure", "cache=" + kept, cache=disk) as m:
                before = m.status()["network"]["errors"]  # a 404 is one
                assert same(m.root, files)
                are_right(m, blobs_of(m))
                found = m.status()
                assert found["errors"] == 0 and found["network"]["errors"] == before
                assert found["store"] == str(disk)
                assert "the store %s is full" % disk in found["storeWarning"]
                assert found["storeWarning"] in ctl("status", m.path).stdout
                m.log.seek(0)
                assert m.log.read().decode() == "peelfs: %s\n" % found["storeWarning"]
    with mount(source, "insecure", cache=tmp_path / "c") as m:
        assert m.status()["storeWarning"] == ""


def test_no_room_for_a_blob(fake, tmp_path):
    """Without room in TMPDIR a blob under oci/ is an error, and the status says why."""
    files = contents(61, 2, 300000)
    source = fake.image("full", [fake.images.layer(layer(*(file(*f) for f in files.items())))])
    with small_disk(tmp_path / "disk", 100000) as disk:
        with mount(source, "insecure", "cache=none", env=environment(TMPDIR=str(disk))) as m:
            digest = json.loads(m.read("manifest.json"))["layers"][0]["digest"]
            with pytest.raises(OSError) as wrong:
                m.read("oci/blobs/" + digest.replace(":", "/"))
            assert wrong.value.errno == errno.EIO
            (found,) = m.status()["lastErrors"]
            assert digest in found["error"] and "No space left" in found["error"]
            assert all(m.read("rootfs/" + name) == data for name, data in files.items())


def test_limit(images, tmp_path):
    """cache_size= is kept, beside live mounts, by taking out what is not mounted."""
    first, second = contents(9, 8, 2 << 20), contents(10, 8, 2 << 20)
    a, b = image_of(images, first, "a"), image_of(images, second, "b")
    with mount(a, "cache_size=24M", cache=tmp_path / "c") as m:
        assert same(m.root, first)
    with mount(b, "cache_size=24M", cache=tmp_path / "c") as m:
        assert same(m.root, second)
        held = sum(os.stat(p).st_blocks * 512 for p in data_files(tmp_path / "c"))
        assert held <= 26 << 20
        with mount(a, "cache_size=24M", cache=tmp_path / "c") as n:
            assert same(n.root, first)
            assert same(m.root, second)


@pytest.mark.parametrize("umask", [0o777, 0o000])
def test_umask(images, tmp_path, umask):
    """What we make is ours, and nobody else's."""
    files = contents(23, 2, 1000)
    source = image_of(images, files)
    for _ in range(2):
        with foreground(source, umask=umask, cache=tmp_path / "c") as m:
            assert eventually(lambda: os.path.exists(m.root))
            assert same(m.root, files)
    for folder, _, names in os.walk(tmp_path / "c"):
        assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
        for name in names:
            assert stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode) == 0o600


@pytest.mark.parametrize("why", ["foreign", "open", "read-only"])
def test_cache_that_is_not_ours(images, tmp_path, why):
    """It is said, left alone, and done without."""
    files = contents(24, 2, 300000)
    source = image_of(images, files)
    cache = tmp_path / "c"
    cache.mkdir(mode=0o700)
    if why == "foreign":
        os.chown(cache, 12345, 12345)
    elif why == "open":
        cache.chmod(0o770)
    else:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,mode=700", "tmpfs", str(cache)],
                       check=True)
    try:
        with mount(source, cache=cache, quiet=False) as m:
            assert m.stderr.count("\n") == 1 and str(cache) in m.stderr
            assert same(m.root, files)
        assert not os.listdir(cache)
    finally:
        if why == "read-only":
            subprocess.run(["umount", str(cache)], check=True)


def test_limit_below_a_layer(images, tmp_path):
    files = contents(25, 6, 1 << 20)
    source = image_of(images, files)
    for _ in range(2):
        with mount(source, "cache_size=1M", cache=tmp_path / "c", quiet=False) as m:
            assert same(m.root, files)
            assert "is full" in m.status()["storeWarning"]
            assert sum(os.stat(p).st_blocks * 512 for p in data_files(tmp_path / "c")) <= 2 << 20


# What goes on beside a mount

def test_prune_spares_a_mount_that_keeps_indexes_alone(images, tmp_path):
    with mount(image_of(images, contents(18, 2, 1000)), "cache=index", cache=tmp_path / "c"):
        assert ctl("cache", "prune", "--dir=%s" % (tmp_path / "c")).returncode == 0
        assert [n for _, _, names in os.walk(tmp_path / "c") for n in names if n == "index"]


def test_files_may_not_be_large(images, tmp_path):
    """A limit on the size of files is as a full disk."""
    files = contents(19, 4, 2 << 20)
    source = image_of(images, files)
    where = tmp_path / "m"
    where.mkdir()
    done = subprocess.run(["bash", "-c", 'ulimit -f 4000; exec "$@"', "-", PEELFS, "-o",
                           "cache_dir=%s" % (tmp_path / "c"), source, str(where)],
                          stdin=subprocess.DEVNULL, capture_output=True, env=environment())
    assert done.returncode == 0
    try:
        assert same(where / "rootfs", files)
    finally:
        subprocess.run(["umount", str(where)], check=True)
        assert eventually(lambda: not daemons())


def test_started_with_nothing_open(images, tmp_path):
    files = contents(20, 2, 100000)
    where = tmp_path / "m"
    where.mkdir()
    code = subprocess.run(["bash", "-c", '"$@" <&- >&- 2>&-', "-", PEELFS, "-o",
                           "cache_dir=%s" % (tmp_path / "c"), image_of(images, files),
                           str(where)], env=environment()).returncode
    assert code == 0 and is_mounted(str(where))
    try:
        assert same(where / "rootfs", files)
    finally:
        subprocess.run(["umount", str(where)], check=True)
        assert eventually(lambda: not daemons())
