# SPDX-License-Identifier: MIT
"""The store: shared, killed, full, damaged, bounded; and peelctl, which looks into it.

PEELFS_KILLS is how often test_kill kills; 24 unless said.
"""
import contextlib
import errno
import hashlib
import json
import os
import random
import re
import shutil
import signal
import stat
import subprocess
import time

import pytest

import carried
import layout
import test_soci
from archive import directory, file, hardlink, layer, symlink, whiteout
from mounting import (PEELCTL, PEELFS, SLOWER, daemons, environment, eventually, foreground,
                      is_mounted, mount, run)

KILLS = int(os.environ.get("PEELFS_KILLS", 24))


def noise(seed, size):
    """Bytes that gzip cannot shrink much, nor know by heart."""
    return random.Random(seed).randbytes(size)


def contents(seed, count, size):
    return {"f%03d" % i: noise(seed + i, size) for i in range(count)}


def image_of(images, files, name="latest", compression="gzip"):
    tar = layer(directory("d"), *(file("d/" + n, data) for n, data in files.items()))
    return images.image([images.layer(tar, compression)], name)


def same(root, files):
    for name, data in files.items():
        with open(os.path.join(root, "d", name), "rb") as f:
            if f.read() != data:
                return False
    return True


def data_files(cache):
    for folder, _, names in os.walk(cache):
        for name in names:
            if name == "data":
                yield os.path.join(folder, name)


def punch(path):
    size = os.path.getsize(path)
    os.truncate(path, 0)
    os.truncate(path, size)


def ctl(*words, timeout=60):
    return run(*words, program=PEELCTL, timeout=timeout)


@pytest.mark.core
@pytest.mark.parametrize("compression", ["gzip", "zstd", "none"])
def test_what_is_gone_is_fetched_again(images, tmp_path, compression):
    files = contents(1, 12, 700000)
    source = image_of(images, files, compression=compression)
    with mount(source, cache=tmp_path / "c") as m:
        assert same(m.root, files)
    for path in data_files(tmp_path / "c"):
        punch(path)
    with mount(source, cache=tmp_path / "c") as m:
        assert m.status()["layers"][0]["from"] == "store"
        name = random.Random(7).choice(sorted(files))
        with open(m.at("d", name), "rb") as f:
            assert f.read() == files[name]
        few = m.status()["layers"][0]
        assert same(m.root, files)
        all_ = m.status()["layers"][0]
        if compression == "gzip":
            assert few["fetched"] < few["size"] / 2  # not the layer for one file
        assert all_["errors"] == 0
    with mount(source, cache=tmp_path / "c") as m:
        assert same(m.root, files)
        assert m.status()["layers"][0]["fetched"] == 0


@pytest.mark.parametrize("megabytes", [8, 40])  # held in memory, and streamed
def test_one_frame_is_decoded_once(images, tmp_path, megabytes):
    """A zstd layer of one frame, evicted: its last file costs the frame, and then all is there."""
    files = contents(30, megabytes, 1 << 20)
    source = image_of(images, files, compression="zstd")
    with mount(source, cache=tmp_path / "c"):
        pass
    assert ctl("cache", "prune", "--dir=%s" % (tmp_path / "c"), "1").returncode == 0
    with mount(source, cache=tmp_path / "c") as m:
        last = "f%03d" % (megabytes - 1)
        assert same(m.root, {last: files[last]})
        found = m.status()["layers"][0]
        assert found["fetched"] <= found["size"] and found["spansRead"] >= megabytes - 1
        assert same(m.root, files)
        assert m.status()["layers"][0]["fetched"] <= 1.05 * found["size"]


def test_a_flipped_bit_is_mended(images, tmp_path):
    files = contents(2, 6, 900000)
    source = image_of(images, files)
    with mount(source, cache=tmp_path / "c"):
        pass
    rng = random.Random(3)
    for path in data_files(tmp_path / "c"):
        with open(path, "r+b") as f:
            for _ in range(10):
                f.seek(rng.randrange(os.path.getsize(path)))
                byte = f.read(1)
                f.seek(-1, os.SEEK_CUR)
                f.write(bytes([byte[0] ^ 1 << rng.randrange(8)]))
    with mount(source, cache=tmp_path / "c") as m:
        assert same(m.root, files)


@pytest.mark.parametrize("victim", ["index", "spans", "data", "lock"])
@pytest.mark.parametrize("how", ["gone", "empty", "half", "swapped"])
def test_a_file_of_the_store_is_not_what_it_was(images, tmp_path, victim, how):
    files = contents(4, 5, 300000)
    source = image_of(images, files)
    with mount(source, cache=tmp_path / "c"):
        pass
    other = image_of(images, contents(5, 5, 300000), "other")
    with mount(other, cache=tmp_path / "c"):
        pass
    paths = []
    for folder, _, names in os.walk(tmp_path / "c" / "layers"):
        if "index" in names:
            paths.append(os.path.join(folder, victim))
    assert len(paths) == 2
    for path in paths:
        if how == "gone":
            os.unlink(path)
        elif how == "empty":
            os.truncate(path, 0)
        elif how == "half":
            os.truncate(path, os.path.getsize(path) // 2)
    if how == "swapped":
        os.rename(paths[0], paths[0] + "x")
        os.rename(paths[1], paths[0])
        os.rename(paths[0] + "x", paths[1])
    with mount(source, cache=tmp_path / "c") as m:
        assert same(m.root, files)


def indexes(cache):
    return [os.path.join(folder, "index") for folder, _, names in os.walk(cache / "layers")
            if "index" in names]


def right_or_eio(root, files):
    """How many of the files could be read. None is wrong, and none is not there."""
    right = 0
    for name, data in files.items():
        try:
            with open(os.path.join(root, "d", name), "rb") as f:
                assert f.read() == data
            right += 1
        except OSError as e:
            assert e.errno == errno.EIO
    return right


@pytest.mark.parametrize("victim", ["index", "spans"])
@pytest.mark.parametrize("how", ["empty", "half", "a byte less"])
def test_cut_short_under_a_mount(images, tmp_path, victim, how):
    """What is mapped and gone is no end of the daemon, nor is anything wrong shown."""
    files = {"%05d" % i: b"%d\n" % i * (i % 40) for i in range(3000)}
    source = image_of(images, files)
    with mount(source, cache=tmp_path / "c") as m:
        names = sorted(files)[::50]
        assert right_or_eio(m.root, {name: files[name] for name in names}) == len(names)
        [index] = indexes(tmp_path / "c")
        path = os.path.join(os.path.dirname(index), victim)
        size = {"empty": 0, "half": os.path.getsize(path) // 2,
                "a byte less": os.path.getsize(path) - 1}[how]
        os.truncate(path, size)
        right = right_or_eio(m.root, files)
        assert right == len(files) if victim == "spans" else right < len(files)
    with mount(source, cache=tmp_path / "c") as m:
        assert same(m.root, files)


@pytest.mark.limit(60)
def test_damage_in_a_large_index(images, tmp_path):
    """It is looked at as it is touched: an error, once, and made again by the next mount."""
    files = {"%05d" % i: b"%d\n" % i for i in range(51000)}
    source = image_of(images, files)
    some = {name: files[name] for name in sorted(files)[::100]}
    with mount(source, cache=tmp_path / "c") as m:
        assert m.status()["layers"][0]["entries"] > 50000
    [index] = indexes(tmp_path / "c")
    rng = random.Random(31)
    with open(index, "r+b") as f:
        for _ in range(3):
            f.seek(rng.randrange(os.path.getsize(index) // 2))
            f.write(b"damage")
    with mount(source, cache=tmp_path / "c") as m:
        assert m.status()["layers"][0]["from"] == "store"
        assert right_or_eio(m.root, some) < len(some)
    with mount(source, cache=tmp_path / "c") as m:
        assert m.status()["layers"][0]["from"] != "store"
        assert right_or_eio(m.root, some) == len(some)


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


def blobs_of(m):
    """The paths in oci/ of all that the image is made of."""
    manifest = json.loads(m.read("manifest.json"))
    return ["oci/blobs/" + d["digest"].replace(":", "/")
            for d in [manifest["config"], *manifest["layers"]]]


def are_right(m, paths):
    for path in paths:
        assert hashlib.sha256(m.read(path)).hexdigest() == os.path.basename(path)


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
                assert "the cache %s is full" % disk in found["storeWarning"]
                assert found["storeWarning"] in ctl("status", m.path).stdout
                m.log.seek(0)
                assert m.log.read().decode() == "peelfs: %s\n" % found["storeWarning"]
    with mount(source, "insecure", cache=tmp_path / "c") as m:
        assert m.status()["storeWarning"] == ""


def test_store_is_removed_under_a_mount(fake, tmp_path):
    """It is done without, and said."""
    files = contents(62, 6, 300000)
    tar = layer(directory("d"), *(file("d/" + n, data) for n, data in files.items()))
    source = fake.image("gone", [fake.images.layer(tar)])
    with foreground(source, "insecure", cache=tmp_path / "c") as m:
        before = m.status()["network"]["errors"]
        shutil.rmtree(tmp_path / "c")
        assert same(m.root, files)
        are_right(m, blobs_of(m))
        found = m.status()
        assert found["errors"] == 0 and found["network"]["errors"] == before
        assert "cannot write to the cache" in found["storeWarning"]
        m.log.seek(0)
        assert m.log.read().decode().count(found["storeWarning"]) == 1


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


@pytest.mark.parametrize("kept", ["index", "none"])
def test_cache_that_keeps_less(images, tmp_path, kept):
    files = contents(11, 6, 700000)
    source = image_of(images, files)
    for _ in range(2):
        with mount(source, "cache=" + kept, cache=tmp_path / "c") as m:
            assert same(m.root, files)
    held = [p for p in data_files(tmp_path / "c") if os.stat(p).st_blocks]
    indexes = [n for _, _, names in os.walk(tmp_path / "c") for n in names if n == "index"]
    assert not held
    assert len(indexes) == (1 if kept == "index" else 0)


@pytest.mark.parametrize("name", ["index", "data", "spans", "lock"])
@pytest.mark.parametrize("kind", ["fifo", "directory", "symlink", "socket"])
def test_no_file_at_all(images, tmp_path, name, kind):
    """What has the name of a file of ours and is none stops nobody."""
    files = contents(21, 3, 300000)
    source = image_of(images, files)
    with mount(source, cache=tmp_path / "c"):
        pass
    [index] = indexes(tmp_path / "c")
    path = os.path.join(os.path.dirname(index), name)
    os.unlink(path)
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        os.mkdir(path)
    elif kind == "symlink":
        os.symlink("/etc/passwd", path)
    else:
        os.mknod(path, stat.S_IFSOCK | 0o600)
    for _ in range(2):
        with mount(source, cache=tmp_path / "c") as m:
            assert same(m.root, files)
    for words in ["list"], ["verify"], ["prune", "1"], ["prune"]:
        ctl("cache", words[0], "--dir=%s" % (tmp_path / "c"), *words[1:])
    with mount(source, cache=tmp_path / "c") as m:
        assert same(m.root, files)
    with open("/etc/passwd", "rb") as f:
        assert f.read(5) == b"root:"


def test_documents_that_are_none(fake, tmp_path):
    """A FIFO where a manifest, a config or a note is looked for."""
    files = contents(22, 2, 1000)
    tar = layer(directory("d"), *(file("d/" + n, data) for n, data in files.items()))
    source = fake.image("x", [fake.images.layer(tar)])
    with mount(source, "insecure", cache=tmp_path / "c"):
        pass
    found = [p for p in files_of(tmp_path / "c") if "/documents/" in p or "/names/" in p]
    assert len(found) >= 3
    for path in found:
        os.unlink(path)
        os.mkfifo(path)
    with mount(source, "insecure", cache=tmp_path / "c") as m:
        assert same(m.root, files)
    ctl("cache", "verify", "--dir=%s" % (tmp_path / "c"))  # what nobody needed again goes
    assert ctl("cache", "verify", "--dir=%s" % (tmp_path / "c")).returncode == 0
    assert not any(stat.S_ISFIFO(os.stat(p).st_mode) for p in found if os.path.exists(p))


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


def blobs_asked(fake, layers):
    return [a for a in fake.asked if any(d["digest"] in a[1] for d in layers)]


@pytest.mark.parametrize("ends", [False, True])
def test_one_download(fake, tmp_path, ends):
    """Of those who start at once on one layer one gets it; if that one is killed, another."""
    files = contents(26, 4, 300000)
    tar = layer(directory("d"), *(file("d/" + n, data) for n, data in files.items()))
    layers = [fake.images.layer(tar)]
    source = fake.image("x", layers)
    fake.silent_about = layers[0]["digest"]
    fake.silent.set()
    with contextlib.ExitStack() as stack:
        mounts = [stack.enter_context(foreground(source, "insecure", wait=False,
                                                 cache=tmp_path / "c")) for _ in range(3)]
        assert eventually(lambda: blobs_asked(fake, layers))
        [lock] = [p for p in (os.path.join(folder, name) for folder, _, names in
                              os.walk(tmp_path / "c") for name in names) if p.endswith("/lock")]

        def has_lock(m):
            with open("/proc/locks") as f:
                return re.search(r"FLOCK .* %d .*:%d " % (m.pid, os.stat(lock).st_ino), f.read())

        def has_open(m):
            with contextlib.suppress(OSError):
                return any(os.path.realpath("/proc/%d/fd/%s" % (m.pid, n)) == lock
                           for n in os.listdir("/proc/%d/fd" % m.pid))
        assert eventually(lambda: all(has_open(m) for m in mounts))
        [first] = [m for m in mounts if has_lock(m)]
        assert len(blobs_asked(fake, layers)) == 1
        if ends:
            first.child.kill()
            mounts.remove(first)
            assert eventually(lambda: len(blobs_asked(fake, layers)) == 2)
        fake.silent.clear()
        for m in mounts:
            assert eventually(lambda: os.path.exists(m.at("d/f000")))
            assert same(m.root, files)
        assert len(blobs_asked(fake, layers)) == (2 if ends else 1)


@pytest.mark.parametrize("other", ["mount", "index"])
def test_stopped_while_it_has_the_lock(fake, tmp_path, other):
    """It is not waited for without end, nor harmed; and it goes on when it may."""
    files = contents(28, 4, 300000)
    tar = layer(directory("d"), *(file("d/" + n, data) for n, data in files.items()))
    layers = [fake.images.layer(tar)]
    source = fake.image("x", layers)
    cache = tmp_path / "c"
    fake.silent_about = layers[0]["digest"]
    fake.silent.set()
    with foreground(source, "insecure", wait=False, cache=cache) as first:
        assert eventually(lambda: blobs_asked(fake, layers))
        os.kill(first.pid, signal.SIGSTOP)
        fake.silent.clear()
        if other == "mount":
            with mount(source, "insecure", "timeout=3", cache=cache, quiet=False) as m:
                assert same(m.root, files)
                said = m.stderr
                assert m.status()["layers"][0]["from"] != "store"
        else:
            done = ctl("index", "-o", "insecure,timeout=3,cache_dir=%s" % cache, source)
            assert done.returncode == 0
            said = done.stderr
        [where] = [folder for folder, _, names in os.walk(cache / "layers") if "lock" in names]
        assert said.count("\n") == 1 and where + "/lock is locked by " in said, said
        assert not indexes(cache)
        os.kill(first.pid, signal.SIGCONT)
        assert eventually(lambda: os.path.exists(first.at("d/f000")))
        assert same(first.root, files)
    with mount(source, "insecure", cache=cache) as m:
        assert m.status()["layers"][0]["from"] == "store"
        assert same(m.root, files)
        assert m.status()["layers"][0]["fetched"] == 0


def test_slow_is_waited_for(fake, tmp_path):
    """A first pass that takes longer than timeout= and the grace, and gets on."""
    files = contents(29, 4, 300000)
    tar = layer(directory("d"), *(file("d/" + n, data) for n, data in files.items()))
    layers = [fake.images.layer(tar)]
    source = fake.image("x", layers)
    fake.pace = 150000
    with foreground(source, "insecure", wait=False, cache=tmp_path / "c") as first:
        assert eventually(lambda: blobs_asked(fake, layers))
        with mount(source, "insecure", "timeout=2", cache=tmp_path / "c") as m:
            assert same(m.root, files)
            assert m.status()["layers"][0]["from"] == "store"
        assert eventually(lambda: os.path.exists(first.at("d/f000")))
        assert len(blobs_asked(fake, layers)) == 1


def test_one_file_of_a_known_layer(fake, tmp_path):
    """The index is in the store and the data is not: three round trips, and one span."""
    files = contents(27, 60, 100000)
    files["small"] = noise(5, 5000)
    tar = layer(directory("d"), *(file("d/" + n, data) for n, data in files.items()))
    layers = [fake.images.layer(tar)]
    source = fake.image("x", layers)
    with mount(source, "insecure", cache=tmp_path / "c"):
        pass
    assert ctl("cache", "prune", "--dir=%s" % (tmp_path / "c"), "1").returncode == 0
    assert indexes(tmp_path / "c")
    assert sum(os.stat(p).st_blocks * 512 for p in data_files(tmp_path / "c")) < 1 << 16
    fake.asked.clear()
    with mount(source, "insecure", cache=tmp_path / "c") as m:
        with open(m.at("d/small"), "rb") as f:
            assert f.read() == files["small"]
        status = m.status()
        assert status["layers"][0]["spansRead"] == 1
        assert status["layers"][0]["fetched"] < 3 << 20
        assert len(fake.asked) <= 3, fake.asked
        assert same(m.root, files)


@pytest.mark.heavy
@pytest.mark.limit(60 + KILLS * 10)
def test_kill(images, tmp_path):
    """Four processes on one store, killed at any moment of first pass, reading and
    eviction; after each round all bytes are compared."""
    rng = random.Random(12)
    sets = [contents(100 * i, 6, 1 << 20) for i in range(3)]
    sources = [image_of(images, files, "t%d" % i) for i, files in enumerate(sets)]
    cache = tmp_path / "c"
    kills = 0
    while kills < KILLS:
        started = []
        for i in range(4):
            which = rng.randrange(3)
            where = tmp_path / ("m%d-%d" % (kills, i))
            where.mkdir()
            child = subprocess.Popen(
                [PEELFS, "-f", "-o", "cache_dir=%s,cache_size=10M" % cache, sources[which],
                 str(where)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, env=environment())
            started.append((child, where, which))
        time.sleep(rng.random() * 0.3 * SLOWER)
        readers = [subprocess.Popen(["cat", str(w / "rootfs/d/f003")], stdout=subprocess.DEVNULL,
                                    stderr=subprocess.DEVNULL) for _, w, _ in started]
        time.sleep(rng.random() * 0.1)
        for child, where, _ in started:
            child.kill()
            child.wait()
            kills += 1
        for r in readers:
            r.wait(20)
        for _, where, _ in started:
            if is_mounted(str(where)):
                subprocess.run(["umount", "-l", str(where)], check=True)
        which = rng.randrange(3)
        with mount(sources[which], "cache_size=10M", cache=cache) as m:
            assert same(m.root, sets[which])
    done = ctl("cache", "verify", "--dir=%s" % cache)
    assert "index is damaged" not in done.stdout


# peelctl

def test_verify_finds_damage(images, tmp_path):
    files = contents(13, 4, 800000)
    source = image_of(images, files)
    with mount(source, cache=tmp_path / "c"):
        pass
    where = "--dir=%s" % (tmp_path / "c")
    good = ctl("cache", "verify", where)
    assert good.returncode == 0 and "0 damaged" in good.stdout
    for path in data_files(tmp_path / "c"):
        with open(path, "r+b") as f:
            f.seek(1000000)
            f.write(b"?")
    bad = ctl("cache", "verify", where)
    assert bad.returncode == 1 and "will be fetched again" in bad.stdout
    assert ctl("cache", "verify", where).returncode == 0
    [document, *_] = (tmp_path / "c/documents/sha256").iterdir() if \
        (tmp_path / "c/documents/sha256").is_dir() else [None]
    if document:
        document.write_bytes(b"{}")
        assert ctl("cache", "verify", where).returncode == 1
    for folder, _, names in os.walk(tmp_path / "c/layers"):
        if "index" in names:
            with open(os.path.join(folder, "index"), "r+b") as f:
                f.seek(5000)
                f.write(b"\xff\xfe\xfd\xfc")
    bad = ctl("cache", "verify", where)
    assert bad.returncode == 1 and "index is damaged" in bad.stdout
    with mount(source, cache=tmp_path / "c") as m:
        assert same(m.root, files)


def files_of(cache):
    return [os.path.join(folder, name) for folder, _, names in os.walk(cache) for name in names
            if os.path.getsize(os.path.join(folder, name))]


def flip(path, at, bit):
    with open(path, "r+b") as f:
        f.seek(at)
        byte = f.read(1)[0]
        f.seek(at)
        f.write(bytes([byte ^ 1 << bit]))


def read_minute(path, at):
    """Is this the byte that says when a span was last read? Any time that was may be right."""
    return path.endswith("/spans") and 12 <= at % 24 < 16


@pytest.mark.parametrize("form", ["gzip", "zstd", "none", "estargz", "soci"])
def test_verify_finds_every_flipped_bit(images, fake, tmp_path, form):
    """In every kind of file, wherever it is; and what was found is mended by the next mount."""
    rng = random.Random(41)
    cache = tmp_path / "c"
    tar = layer(directory("d"), *[file("d/f%03d" % i, noise(i, 300000) + bytes(9000))
                                  for i in range(6)])
    files = {"f%03d" % i: noise(i, 300000) + bytes(9000) for i in range(6)}
    if form == "estargz":
        blob, notes = carried.estargz(tar, chunk=100000)
        layers = [{**fake.images.blob(blob, layout.LAYER["oci", "gzip"]), "annotations": notes,
                   "diff": layout.digest(tar)}]
        source = fake.image("x", layers)
    elif form == "soci":
        source = test_soci.Made(fake, "v1", which=(0,), tars=[tar]).tag
    else:
        source = fake.image("x", [images.layer(tar, form)])
    with mount(source, "insecure", cache=cache) as m:
        assert form not in ("estargz", "soci") or m.status()["layers"][0]["index"] == form
        assert same(m.root, files)
    where = "--dir=%s" % cache
    assert ctl("cache", "verify", where).returncode == 0
    kinds = set()
    for path in files_of(cache):
        kinds.add("/".join(path[len(str(cache)) + 1:].split("/")[::3]))
        for _ in range(12):
            at, bit = rng.randrange(os.path.getsize(path)), rng.randrange(8)
            if read_minute(path, at):
                continue
            shutil.copytree(cache, tmp_path / "copy")
            flip(str(tmp_path / "copy") + path[len(str(cache)):], at, bit)
            done = ctl("cache", "verify", "--dir=%s" % (tmp_path / "copy"))
            assert done.returncode == 1, (path, at, bit, done.stdout)
            assert ctl("cache", "verify", "--dir=%s" % (tmp_path / "copy")).returncode == 0
            shutil.rmtree(tmp_path / "copy")
    assert len(kinds) >= 4, kinds  # a document, a note, an index, data, spans
    flip(next(data_files(cache)), 1000, 3)
    assert ctl("cache", "verify", where).returncode == 1
    with mount(source, "insecure", cache=cache) as m:
        assert same(m.root, files)


def test_list_and_prune(images, tmp_path):
    files = contents(14, 4, 800000)
    where = "--dir=%s" % (tmp_path / "c")
    with mount(image_of(images, files), cache=tmp_path / "c") as m:
        assert "mounted" in ctl("cache", "list", where).stdout
        assert ctl("cache", "prune", where).returncode == 0
        assert same(m.root, files)
        assert "1 layers" in ctl("cache", "list", where).stdout
    assert ctl("cache", "prune", where, "1M").returncode == 0
    assert "1 layers" in ctl("cache", "list", where).stdout  # the index stays
    assert ctl("cache", "prune", where).returncode == 0
    assert "0 layers" in ctl("cache", "list", where).stdout


@pytest.mark.parametrize("words", [["-h"], ["-V"], ["cache", "list"], ["cache", "verify"]])
def test_output_that_nobody_gets(tmp_path, words):
    (tmp_path / "c" / "layers").mkdir(mode=0o700, parents=True)
    where = ["--dir=%s" % (tmp_path / "c")] if words[0] == "cache" else []
    with open("/dev/full", "w") as full:
        done = subprocess.run([PEELCTL, *words, *where], stdout=full, stderr=subprocess.PIPE,
                              env=environment(), timeout=60)
    assert done.returncode == 1 and b"cannot write" in done.stderr


def test_no_cache_to_list(tmp_path):
    done = ctl("cache", "list", "--dir=%s" % (tmp_path / "nowhere"))
    assert done.returncode == 1 and "nowhere" in done.stderr
    assert not (tmp_path / "nowhere").exists()


def test_directory_of_another_use(images, tmp_path):
    """It is no store for peelctl; as the cache of a mount it keeps what it had."""
    (tmp_path / "tmp").mkdir()
    for name in ("thesis", "0123456789abcdef.txt", "0123456789abcdef"):
        (tmp_path / "tmp" / name).write_text(name)
        os.utime(tmp_path / "tmp" / name, (1, 1))
    for words in (["list"], ["verify"], ["prune"]):
        done = ctl("cache", *words, "--dir=%s" % tmp_path)
        assert done.returncode == 1 and "not a store" in done.stderr
    assert len(os.listdir(tmp_path / "tmp")) == 3
    with mount(images.image([layer(file("f", "1"))]), cache=tmp_path):
        pass
    for words in (["list"], ["verify"], ["prune", "0"]):
        assert ctl("cache", *words, "--dir=%s" % tmp_path).returncode == 0
    # The last is named as what a killed process leaves is.
    assert sorted(os.listdir(tmp_path / "tmp")) == ["0123456789abcdef.txt", "thesis"]


def test_directory_where_others_write(images, tmp_path):
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp").chmod(0o1777)
    with mount(images.image([layer(file("f", "1"))]), cache=tmp_path, quiet=False) as m:
        assert "others than its owner may write" in m.stderr and m.read("rootfs/f") == b"1"
    assert os.listdir(tmp_path / "tmp") == []


def test_which(images, tmp_path):
    layers = [layer(directory("d"), file("d/a", "1"), file("d/b", "2"), symlink("s", "d/a")),
              layer(file("d/b", "3"), whiteout("s"), hardlink("d/c", "d/b"))]
    history = {"history": [{"created_by": "COPY one"}, {"created_by": "ENV x", "empty_layer": True},
                           {"created_by": "RUN two"}]}
    descriptors = [images.layer(tar) for tar in layers]
    source = images.tag(images.manifest(descriptors, images.config(descriptors, more=history)))
    with mount(source, cache=tmp_path / "c") as m:
        one = ctl("which", m.at("d/a"), m.at("d/c")).stdout
        assert re.search(r"d/a\n  layer    1 of 2, %s\n  step     COPY one\n  content  sha256:%s\n" % (
            descriptors[0]["digest"], hashlib.sha256(b"1").hexdigest()), one)
        assert re.search(r"d/c\n  layer    2 of 2, .*\n  step     RUN two\n  content  sha256:%s\n" %
                         hashlib.sha256(b"3").hexdigest(), one)
        assert ctl("which", m.at("s")).returncode == 1
        assert ctl("which", "/etc/passwd").returncode == 1


def test_status(images, tmp_path):
    with mount(image_of(images, contents(15, 2, 1000)), cache=tmp_path / "c") as m:
        assert json.loads(ctl("status", "--json", m.path).stdout)["state"] == "ready"
        assert "layer" in ctl("status", m.path).stdout
        assert m.path in ctl("status").stdout
    assert ctl("status", str(tmp_path)).returncode == 1


def test_index_without_a_mount(images, tmp_path):
    files = contents(16, 3, 400000)
    source = image_of(images, files)
    done = ctl("index", "-o", "cache_dir=%s" % (tmp_path / "c"), source)
    assert done.returncode == 0 and "sha256:" in done.stdout
    with mount(source, cache=tmp_path / "c") as m:
        assert m.status()["layers"][0]["from"] == "store"
        assert same(m.root, files)
        assert m.status()["layers"][0]["fetched"] == 0


# What goes on beside a mount

def test_damage_that_verify_finds_is_mended_in_a_live_mount(images, tmp_path):
    files = contents(17, 3, 900000)
    with mount(image_of(images, files), cache=tmp_path / "c") as m:
        assert same(m.root, files)
        for path in data_files(tmp_path / "c"):
            punch(path)
        assert ctl("cache", "verify", "--dir=%s" % (tmp_path / "c")).returncode == 1
        for name in files:  # the kernel's own copy has to go first
            fd = os.open(m.at("d", name), os.O_RDONLY)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)
        assert same(m.root, files)
        assert m.status()["layers"][0]["spansRead"] > 0


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
