# SPDX-License-Identifier: MIT
"""Requests that wait for a silent registry delay nobody, and each wait can be ended."""
import contextlib
import os
import random
import signal
import subprocess
import sys
import time

import pytest

import layout
from archive import directory, file, layer
from mounting import (SLOWER, abort_connection, connection_of, eventually, foreground,
                      mount)

# A wait for the registry lasts 60 s here. What does not wait is much faster than this on any
# machine; `make bench` measures how fast.
PATIENCE = 10

N_FILES = 200
NOISE = random.Random(3).randbytes(N_FILES * 20000)

# Reads the first bytes of each file named on stdin, each in a thread of its own, and prints a
# line when all have begun.
READERS = r"""
import os, sys, threading, time
flags = os.O_RDONLY | (os.O_DIRECT if sys.argv[1] == "direct" else 0)
threading.stack_size(65536)
def read(path):
    import mmap
    fd = os.open(path, flags)
    try:
        os.preadv(fd, [mmap.mmap(-1, 4096)], 0)
    except OSError:
        pass
    os.close(fd)
names = sys.stdin.read().split()
for name in names:
    threading.Thread(target=read, args=(name,), daemon=True).start()
print("begun", flush=True)
time.sleep(1000)
"""


@pytest.fixture
def half(fake, tmp_path):
    """(source, cache): an image with its index stored, but only the data of its second layer."""
    cache = tmp_path / "cache"
    source = fake.image("half", [
        layer(*(file("f%d" % i, NOISE[i * 20000:][:20000]) for i in range(N_FILES))),
        layer(file("stored", "here" * 1000))])
    with mount(source, cache=cache) as m:
        m.read("rootfs/stored")
    big = max(cache.glob("layers/sha256/*/data"), key=lambda p: p.stat().st_size)
    big.unlink()
    (big.parent / "spans").unlink()
    fake.silent.set()
    return source, cache


@contextlib.contextmanager
def waiting(m, n, kind="plain"):
    """@n reads that wait for the registry, in one process that ignores nothing."""
    names = [m.at("f%d" % (i % N_FILES)) for i in range(n)]
    child = subprocess.Popen([sys.executable, "-c", READERS, kind], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE)
    try:
        child.stdin.write("\n".join(names).encode())
        child.stdin.close()
        assert child.stdout.readline() == b"begun\n"
        time.sleep(1)
        yield child
    finally:
        child.kill()


def slowest(work, seconds=1.5):
    worst, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        begun = time.monotonic()
        work()
        worst = max(worst, time.monotonic() - begun)
        time.sleep(0.02)
    return worst


@pytest.mark.parametrize("kind", ["plain", "direct"])
@pytest.mark.parametrize("n", [34, pytest.param(1000, marks=pytest.mark.heavy)])
def test_waiting_reads_delay_nobody(half, n, kind):
    source, cache = half
    with mount(source, "timeout=60", cache=cache) as m:
        with waiting(m, n, kind) as child:
            fresh = iter(range(10 ** 9))

            def ask():
                with contextlib.suppress(FileNotFoundError):
                    os.stat(m.at("none%d" % next(fresh)))
                os.stat(m.path)
                fd = os.open(m.at("stored"), os.O_RDONLY)
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
                assert os.pread(fd, 4, 0) == b"here"
                os.close(fd)
            took = slowest(ask)
            assert took < PATIENCE * SLOWER
            begun = time.monotonic()
            child.send_signal(signal.SIGINT)
            child.wait(30)
            took = time.monotonic() - begun
            assert took < PATIENCE * SLOWER


@pytest.mark.heavy
@pytest.mark.limit(60)
def test_reader_behind_many(half):
    """It has no thread of the daemon yet, and can be interrupted all the same."""
    source, cache = half
    with mount(source, "timeout=60", cache=cache) as m:
        with waiting(m, 2060, "direct"), waiting(m, 3, "direct") as child:
            begun = time.monotonic()
            child.send_signal(signal.SIGINT)
            child.wait(30)
            assert time.monotonic() - begun < PATIENCE * SLOWER


WAYS = {
    "umount -l": ["umount", "-l"],
    "umount -f": ["umount", "-f"],
    "umount -fl": ["umount", "-fl"],
    "fusermount3 -uz": ["fusermount3", "-uz"],
}


@pytest.mark.parametrize("way", [*WAYS, "abort"])
def test_daemon_ends_with_its_mount(half, way):
    source, cache = half
    with foreground(source, "timeout=60", cache=cache) as m:
        assert eventually(lambda: os.path.exists(m.at("stored")))
        with waiting(m, 40):
            if way == "abort":
                abort_connection(connection_of(m.path))
            else:
                subprocess.run([*WAYS[way], m.path], timeout=30)
            begun = time.monotonic()
            with contextlib.suppress(subprocess.TimeoutExpired):
                m.child.wait(8 * SLOWER)
            assert m.child.poll() is not None
            assert time.monotonic() - begun < PATIENCE * SLOWER


def test_daemon_ends_while_many_look_up_one_name(fake):
    """The kernel asks for it once, and again when that has failed, for each of them."""
    source = fake.image("a", [layer(directory("d"), file("d/f", "1"))])
    with foreground(source, "timeout=60", load=False) as m:
        fake.silent.set()
        readers = [subprocess.Popen(["cat", m.at("d/f")], stderr=subprocess.DEVNULL)
                   for _ in range(60)]
        assert eventually(lambda: fake.waiting)
        time.sleep(0.5)
        subprocess.run(["umount", "-l", m.path], check=True, timeout=30)
        m.child.wait(8 * SLOWER)
        for reader in readers:
            assert reader.wait(8 * SLOWER) == 1


@pytest.mark.parametrize("end", ["answer", "SIGKILL"])
def test_images_load_side_by_side(fake, end):
    """Two lookups in one directory at one time; and one that waits can be killed."""
    for name in "ab":
        fake.image("many/" + name, [layer(file("f", name))])
    digests = sorted(layout.digest(data) for _, data in fake.manifests.values())
    for digest in digests:
        fake.manifests["many", digest] = next(
            v for v in fake.manifests.values() if layout.digest(v[1]) == digest)
    fake.silent_always = True
    fake.silent_about = "sha256:"
    with mount("%s/" % fake.host, "timeout=60") as m:
        fake.silent.set()
        readers = [subprocess.Popen(["ls", "%s/many@%s" % (m.path, d)], stdout=subprocess.PIPE)
                   for d in digests]
        assert eventually(lambda: fake.waiting >= 2, 5)
        if end == "SIGKILL":
            for reader in readers:
                reader.kill()
                assert reader.wait(5 * SLOWER) == -signal.SIGKILL
        fake.silent.clear()
        if end == "answer":
            for reader in readers:
                assert b"rootfs" in reader.communicate(timeout=20 * SLOWER)[0]
