# SPDX-License-Identifier: MIT
"""The cache on disk with several processes in it, some of which are stopped or killed.

PEELFS_KILLS is how often test_kill kills; 24 unless said.
"""
import contextlib
import os
import random
import re
import signal
import subprocess
import time

import pytest

from archive import directory, file, layer
from mounting import PEELFS, SLOWER, environment, eventually, foreground, is_mounted, mount
from stores import contents, ctl, data_files, image_of, indexes, noise, prune_data, same

KILLS = int(os.environ.get("PEELFS_KILLS", 24))


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
    prune_data(tmp_path / "c")
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
@pytest.mark.parametrize("place", ["disk", "registry"])
def test_kill(images, fake, tmp_path, place):
    """Four processes on one store, killed at any moment of first pass, reading and
    eviction; after each round all bytes are compared."""
    rng = random.Random(12)
    sets = [contents(100 * i, 6, 1 << 20) for i in range(3)]
    sources = [image_of(images, files, "t%d" % i) for i, files in enumerate(sets)]
    if place == "registry":
        sources = [fake.image("t%d" % i, [images.layer(layer(
            directory("d"), *(file("d/" + n, data) for n, data in files.items())))])
            for i, files in enumerate(sets)]
        fake.pace = 30000000
    cache = tmp_path / "c"
    kills = 0
    while kills < KILLS:
        started = []
        for i in range(4):
            which = rng.randrange(3)
            where = tmp_path / ("m%d-%d" % (kills, i))
            where.mkdir()
            child = subprocess.Popen(
                [PEELFS, "-f", "-o", "insecure,cache_dir=%s,cache_size=10M" % cache, sources[which],
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
        with mount(sources[which], "insecure", "cache_size=10M", cache=cache) as m:
            assert same(m.root, sets[which])
    done = ctl("cache", "verify", "--dir=%s" % cache)
    assert "index is damaged" not in done.stdout
