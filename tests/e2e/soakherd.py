# SPDX-License-Identifier: MIT
"""The second half of tests/soak: a registry that is good, silent, dead or lying by turns, and 64
readers that come, wait and are interrupted at random, while their mounts are taken away.

No reader may see a wrong byte, wait without end, or survive its signal for long; no daemon may
outlive its mount. Once the registry has been good for some seconds, each read must succeed.
"""
import contextlib
import errno
import mmap
import os
import random
import shutil
import signal
import struct
import subprocess
import threading
import time

import archive
import badregistry
import carried
import layout
import mounting

READERS = 64
TIMEOUT = 3                     # of the mounts, timeout=
BOUND = 30 if mounting.SANITIZED else 15    # seconds within which a reader has ended by itself,
SIGNALLED = 2 * mounting.SLOWER  # or by a signal,
GONE = 3 * mounting.SLOWER      # and a daemon after its mount
HEAL = 8                        # after so long in good weather, reads succeed again,
WRONG = 200                     # exit status of a reader; any other is an errno

# Seconds that each may last.
WEATHER = {"good": (3, 16), "silent": (1, 8), "dead": (1, 6), "lying": (2, 10)}
KINDS = list(WEATHER)
LIES = {"blobs": ("flipped", "page", "wrong start", "wrong total", "coding", "404", "lengths",
                  "two lengths", "no bytes", "empty 200", "416", "reset", "short", "503"),
        "manifests": ("404", "503", "reset", "short", "page")}
CACHES = ["", "cache=none", "cache=index", "cache_size=2M", "connections=1"]
WAYS = {"lazy": ["umount", "-l"], "force": ["umount", "-fl"], "fusermount": ["fusermount3", "-uz"]}


class Wrong(Exception):
    """Something is not as it must be."""


class Sky:
    """What the weather is, for all processes."""

    def __init__(self):
        self.shared = mmap.mmap(-1, 4096)
        self.set("good")

    def set(self, kind):
        """By one process."""
        struct.pack_into("Id", self.shared, 0, KINDS.index(kind), time.monotonic())

    def get(self):
        """(kind, since when)"""
        kind, since = struct.unpack_from("Id", self.shared)
        return KINDS[kind], since


class Registry:
    """Serves `images`, in a process of its own."""

    def __init__(self, images, port, sky, seed):
        self.bad, self.port, self.sky = badregistry.Bad(images, seed), port, sky
        self.bad.host = "127.0.0.1:%d" % port
        self.bad.weather, self.bad.always = LIES, self.gate
        self.rng = random.Random(seed)
        self.server = None

    def gate(self, request):
        while self.sky.get()[0] == "silent":
            time.sleep(0.05)
        if self.sky.get()[0] == "dead":
            request.close_connection = True
            raise ConnectionAbortedError

    def open(self):
        while not self.server:
            try:
                self.server = badregistry.Server(("127.0.0.1", self.port), badregistry.Handler)
            except OSError:
                time.sleep(0.05)
        self.server.bad, self.server.role = self.bad, "registry"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.server = None

    def run(self):
        kind = "good"
        self.open()
        while True:
            time.sleep(self.rng.uniform(*WEATHER[kind]))
            kind = self.rng.choice([k for k in KINDS if k != kind] + ["good"])
            self.bad.asked.clear()
            self.bad.callers.clear()
            self.bad.every = dict.fromkeys(LIES, 5) if kind == "lying" else {}
            if kind == "dead" and self.server:
                self.sky.set(kind)
                self.close()
            elif kind != "dead" and not self.server:
                self.open()
            self.sky.set(kind)

    def start(self):
        pid = os.fork()
        if pid == 0:
            try:
                self.run()
            finally:
                os._exit(1)
        return pid


def make_images(registry, images, rng):
    """[(source, {path in its mount: bytes})]"""
    files = {"d%d/f%03d" % (i % 5, i): rng.randbytes(rng.choice((0, 700, 20000, 60000)))
             for i in range(300)}
    names = sorted(files)
    tars = [archive.layer(*(archive.file(name, files[name]) for name in names[i::2]))
            for i in range(2)]

    def with_table(kind, media, **how):
        layers = []
        for tar in tars:
            blob, notes = kind(tar, **how)
            layers.append({**images.blob(blob, layout.LAYER["oci", media]), "annotations": notes,
                           "diff": layout.digest(tar)})
        return images.manifest(layers)
    made = {"plain": images.manifest(tars),
            "estargz": with_table(carried.estargz, "gzip", chunk=50000),
            "chunked": with_table(carried.chunked, "zstd", chunk=65536)}
    found, inside = [], {}
    for name, manifest in made.items():
        registry.bad.tag("weather/" + name, "t", images.read(manifest), manifest["mediaType"])
        found.append(("%s/weather/%s@%s" % (registry.bad.host, name, manifest["digest"]),
                      {"rootfs/" + path: data for path, data in files.items()}))
        inside.update({"%s@%s/rootfs/%s" % (name, manifest["digest"], path): data
                       for path, data in files.items()})
    return found + [(registry.bad.host + "/weather/", inside)]


# --- readers: each gives what is wrong, or None

def same(got, want):
    if got == want:
        return None
    if isinstance(got, int):
        return "size %d, not %d" % (got, want)
    at = next((i for i, (a, b) in enumerate(zip(got, want)) if a != b), min(map(len, (got, want))))
    return "%d bytes, not %d; other from %d" % (len(got), len(want), at)


def read_from(fd, at, size):
    """All of it up to the end of the file: a read ends early where an error is, and gives what
    was before."""
    page, done = memoryview(mmap.mmap(-1, size)), 0
    while done < size and (n := os.preadv(fd, [page[done:]], at + done)):
        done += n
    return page[:done].tobytes()


def read_direct(path, want, rng):
    at = rng.randrange(len(want) // 4096 + 1) * 4096
    fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
    return same(read_from(fd, at, 8192), want[at:at + 8192])


def read_some(path, want, rng):
    fd = os.open(path, os.O_RDONLY)
    if rng.random() < 0.5:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    at, size = rng.randrange(len(want) + 1), rng.choice((1, 4096, 65536))
    return same(read_from(fd, at, size), want[at:at + size])


def read_all(path, want, _):
    with open(path, "rb") as f:
        return same(f.read(), want)


def look(path, want, _):
    if os.path.basename(path) not in os.listdir(os.path.dirname(path)):
        return "it is not listed"
    return same(os.lstat(path).st_size, len(want))


def read_and_exit(path, want, seed, report):
    """Never returns. What is wrong is in the file REPORT."""
    status = WRONG
    try:
        rng = random.Random(seed)
        read = rng.choice((read_direct, read_some, read_some, read_all, look))
        wrong = read(path, want, rng)
        if wrong:
            with open(report, "a") as f:
                f.write("%s: %s\n" % (read.__name__, wrong))
        else:
            status = 0
    except OSError as error:
        status = error.errno
    finally:
        os._exit(status)


class Reader:
    def __init__(self, slot, path, pid, sky):
        self.slot, self.path, self.pid = slot, path, pid
        self.turn, self.sky, self.begun = slot.turn, sky, time.monotonic()
        self.signal = self.signalled = None

    def interrupt(self, number):
        if self.signal is None:
            self.signal, self.signalled = number, time.monotonic()
        os.kill(self.pid, number)

    def has_to_succeed(self, sky):
        kind, since = sky
        return (self.sky == sky and kind == "good" and self.begun - since > HEAL and
                self.slot.turn == self.turn and self.turn % 2 == 0)


# --- the herd

class Herd:
    def __init__(self, slots, truth, sky, base, seed):
        self.slots, self.truth, self.sky, self.base = slots, truth, sky, base
        self.rng = random.Random(seed)
        self.paths = {slot: sorted(truth[slot]) for slot in slots}
        self.daemons = dict.fromkeys(slots)   # Popen, or None
        self.readers = {}                     # pid: Reader
        self.counts = dict.fromkeys(("right", "failed", "interrupted", "ends"), 0)
        self.report = os.path.join(base, "herd.report")
        self.longest = 0.0

    def complain(self, reader, text):
        raise Wrong("%s: %s; weather %r, now %r; mount %d of %s: %s" % (
            reader.path, text, reader.sky, self.sky.get(), reader.turn // 2, reader.slot.path,
            reader.slot.words()))

    def come(self):
        slot = self.rng.choice(self.slots)
        path, seed = self.rng.choice(self.paths[slot]), self.rng.random()
        sky = self.sky.get()
        pid = os.fork()
        if pid == 0:
            read_and_exit(os.path.join(slot.path, path), self.truth[slot][path], seed, self.report)
        self.readers[pid] = Reader(slot, os.path.join(slot.path, path), pid, sky)

    def judge(self, reader, status):
        if reader.signal and status in (-reader.signal, -signal.SIGKILL):
            self.counts["interrupted"] += 1
        elif status == 0:
            self.counts["right"] += 1
        elif status == WRONG or status < 0:
            words = "status %d" % status
            with contextlib.suppress(OSError):
                words += ": " + open(self.report).read()
            self.complain(reader, words)
        elif reader.has_to_succeed(self.sky.get()):
            self.complain(reader, errno.errorcode.get(status, status))
        else:
            self.counts["failed"] += 1

    def see_off(self):
        """Those that have ended, and those that should have."""
        now = time.monotonic()
        for pid, reader in list(self.readers.items()):
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                del self.readers[pid]
                self.longest = max(self.longest, now - reader.begun)
                self.judge(reader, os.waitstatus_to_exitcode(status))
            elif now - reader.begun > BOUND:
                self.complain(reader, "it still waits")
            # The kernel lets no signal end the wait for another's lookup of the same name.
            elif reader.signal and now - reader.signalled > SIGNALLED and "@" not in reader.path:
                self.complain(reader, "it outlives signal %d" % reader.signal)

    def interrupt(self):
        if self.readers:
            reader = self.rng.choice(list(self.readers.values()))
            reader.interrupt(self.rng.choice((signal.SIGINT, signal.SIGINT, signal.SIGINT,
                                              signal.SIGTERM, signal.SIGKILL)))

    def mount(self, slot):
        """Not always possible in this weather: then the daemon ends, and it is tried again."""
        cache = "%s/weather-cache%d" % (self.base, slot.number)
        if self.rng.random() < 0.3:
            shutil.rmtree(cache, ignore_errors=True)
        options = ["cache_dir=" + cache, "timeout=%d" % TIMEOUT, "tag_ttl=1",
                   self.rng.choice(CACHES)]
        with open(slot.log, "w") as log:
            self.daemons[slot] = subprocess.Popen(
                [mounting.PEELFS, "-f", "-o", ",".join(filter(None, options)), slot.source,
                 slot.path], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=mounting.environment(), start_new_session=True)

    def unmount(self, slot):
        child = self.daemons[slot]
        way = self.rng.choice((*WAYS, "lazy", "lazy", "abort", "term", "interrupt", "kill"))
        signals = {"term": signal.SIGTERM, "interrupt": signal.SIGINT, "kill": signal.SIGKILL}
        if way in signals:
            child.send_signal(signals[way])
        elif way == "abort":
            mounting.abort_connection(mounting.connection_of(slot.path) or "0")
        else:
            subprocess.run([*WAYS[way], slot.path], capture_output=True, timeout=BOUND)
        begun = time.monotonic()
        try:
            status = child.wait(GONE)
        except subprocess.TimeoutExpired:
            raise Wrong("%s: the daemon outlives its mount (%s): %s" % (
                slot.path, way, slot.words())) from None
        self.counts["ends"] += 1
        if status not in (0, -signal.SIGKILL if way == "kill" else 0):
            raise Wrong("%s: the daemon ended with %d (%s) after %.1f s: %s" % (
                slot.path, status, way, time.monotonic() - begun, slot.words()))
        while mounting.is_mounted(slot.path):
            subprocess.run(["umount", "-l", slot.path], capture_output=True, timeout=BOUND)

    def turn_over(self):
        """A mount ends, whoever waits in it; or one that has ended is made again."""
        slot = self.rng.choice(self.slots)
        if slot.turn % 2 == 0:
            slot.turn += 1
            self.unmount(slot)
            self.mount(slot)

    def see_mounts(self):
        """Of those that were begun, which one is there, or has failed to come?"""
        for slot in self.slots:
            child = self.daemons[slot]
            if slot.turn % 2 == 0:
                if child and child.poll() is not None:
                    raise Wrong("%s: the daemon ended with %d: %s" % (
                        slot.path, child.returncode, slot.words()))
            elif mounting.is_mounted(slot.path):
                slot.turn += 1
            elif not child or child.poll() is not None:
                self.mount(slot)

    def step(self):
        self.see_off()
        self.see_mounts()
        for _ in range(self.rng.randrange(8)):
            if len(self.readers) < READERS:
                self.come()
        if self.rng.random() < 0.3:
            self.interrupt()
        if self.rng.random() < 0.01:
            self.turn_over()
        time.sleep(self.rng.random() * 0.05)

    def kill(self):
        for reader in self.readers.values():
            with contextlib.suppress(ProcessLookupError):
                reader.interrupt(signal.SIGKILL)

    def end(self):
        self.kill()
        until = time.monotonic() + BOUND
        while self.readers and time.monotonic() < until:
            self.see_off()
            time.sleep(0.02)
        for slot in self.slots:
            if slot.turn % 2 == 0:
                self.unmount(slot)
            elif self.daemons[slot]:
                self.daemons[slot].terminate()
                self.daemons[slot].wait(BOUND)

    def words(self):
        return "%s, longest %.1f s" % (", ".join("%d %s" % (n, what) for what, n in
                                                 self.counts.items()), self.longest)


def work(slots, truth, sky, base, seed, end, note):
    """Until the time `end`. The slots are not mounted yet."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # of the readers, too
    herd = Herd(slots, truth, sky, base, seed)
    for slot in slots:
        slot.turn += 1
    try:
        while time.time() < end:
            note("%d readers, %s, weather %r" % (len(herd.readers), herd.words(), sky.get()))
            herd.step()
        herd.end()
    finally:
        herd.kill()
    note("herd: " + herd.words())
