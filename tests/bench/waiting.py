# SPDX-License-Identifier: MIT
"""What others notice of readers that wait for a registry which does not answer."""
import contextlib
import itertools
import os
import random
import signal
import subprocess
import sys
import time

from basics import case, five_kb
from plain import index_only
from rig import Failed, shell

READERS = 1000
SAMPLES = 500
PAUSE = 0.01    # seconds between two of them

# The names of files are on stdin. Each thread reads the first page of one after another until a
# read waits. Prints a line once none has gone on for two seconds; a signal ends it.
CHILD = r"""
import os, sys, threading, time
count, names, lock = int(sys.argv[1]), iter(sys.stdin.read().split("\n")), threading.Lock()
reads = 0
def read_until_one_waits():
    global reads
    while True:
        with lock:
            name = next(names)
        fd = os.open(name, os.O_RDONLY)
        os.pread(fd, 4096, 0)
        os.close(fd)
        reads += 1
threading.stack_size(65536)
for _ in range(count):
    threading.Thread(target=read_until_one_waits, daemon=True).start()
seen = -1
while seen != reads:
    seen = reads
    time.sleep(2)
print("waiting", threading.active_count() - 1, flush=True)
time.sleep(1000)
"""


@contextlib.contextmanager
def readers(paths, count):
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(count)], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        child.stdin.write("\n".join(paths))
        child.stdin.close()
        line = child.stdout.readline()
        if line != "waiting %d\n" % count:
            raise Failed("of %d readers: %r" % (count, line))
        yield child
    finally:
        child.kill()
        child.wait()


@contextlib.contextmanager
def silence(process):
    """The registry accepts connections, and answers nothing."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def slowest_hundredth(work, arguments):
    """The 99th percentile of the seconds that WORK(ARGUMENT) takes."""
    took = []
    for argument in itertools.islice(arguments, SAMPLES):
        start = time.perf_counter()
        work(argument)
        took.append(time.perf_counter() - start)
        time.sleep(PAUSE)
    return sorted(took)[len(took) * 99 // 100]


def read_again(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        if not os.pread(fd, 4096, 0):
            raise Failed(path + " is empty")
    finally:
        os.close(fd)


@case("waiting-stat", "small")
def waiting_stat(rig, report, image):
    """1,000 readers wait for a registry that is silent. Meanwhile: stat of names that were not
    looked up yet, and reads of a stored file whose pages were dropped, 99th percentile; and the
    time until the readers have ended after SIGINT."""
    reference, stored = rig.image(image), five_kb(rig, image)
    inside = sorted(shell("cd %s && find . -xdev -type f -size +0" % rig.tree(image)).split("\n"))
    inside = [path[2:] for path in inside if path]
    random.Random(1).shuffle(inside)
    with index_only(rig, reference) as mounted, mounted(reference, ["timeout=300"]) as where:
        paths = [os.path.join(where, "rootfs", path) for path in inside]
        read_again(os.path.join(where, "rootfs", stored))
        fresh, others = paths[:SAMPLES], paths[SAMPLES:]
        with silence(rig.registry), readers(others, READERS) as child:
            stat = slowest_hundredth(os.stat, fresh)
            read = slowest_hundredth(read_again,
                                     itertools.repeat(os.path.join(where, "rootfs", stored)))
            if child.poll() is not None:
                raise Failed("the readers have ended by themselves")
            start = time.perf_counter()
            child.send_signal(signal.SIGINT)
            child.wait(100)
            end = time.perf_counter() - start
    report.line("waiting-stat-" + image, stat, 0.05, stat / 0.05, 1.0)
    report.line("waiting-stat-%s/read" % image, read, 0.05, read / 0.05, 1.0)
    report.line("waiting-stat-%s/end" % image, end, 0.5, end / 0.5, 1.0)
