# SPDX-License-Identifier: MIT
"""What the benchmarks stand on: a registry on loopback, images in it, mounts, a stopwatch.

Everything lives in one temporary folder and ends with the rig, also after an exception.
"""
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
MIB = 1 << 20
LIMIT = 600     # seconds after which any one command has failed


class Failed(Exception):
    """A command went wrong: a benchmark without a result, which counts as missed."""


def shell(command):
    """What a shell command printed. Ends with all its children, also when we are stopped."""
    process = subprocess.Popen(["bash", "-o", "pipefail", "-c", command], text=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, errors="surrogateescape",
                               start_new_session=True)
    try:
        printed, complaint = process.communicate(timeout=LIMIT)
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    if process.returncode != 0:
        raise Failed("%s\n  exit %d: %s" % (command, process.returncode, complaint[-600:]))
    return printed


def clock(command, want=None):
    """Seconds that a shell command takes; its output must be WANT when that is given."""
    start = time.perf_counter()
    printed = shell(command).strip()
    seconds = time.perf_counter() - start
    if want is not None and printed != want:
        raise Failed("%s\n  printed %.200r, not %r" % (command, printed, want))
    return seconds


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_mounted(path):
    with open("/proc/self/mountinfo") as file:
        return any(line.split()[4] == path for line in file)


def processes_of(path):
    """Processes with PATH among their arguments: the daemon of a mount."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue
        if path.encode() in words:
            found.append(int(pid))
    return found


class Memory:
    """Watches the anonymous memory of a process (RssAnon) and keeps the peak, in bytes."""

    def __init__(self, pid):
        self.pid, self.peak, self.last = pid, 0, 0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def watch(self):
        while not self.stop.wait(0.003):
            try:
                with open("/proc/%d/status" % self.pid) as file:
                    found = re.search(r"RssAnon:\s+(\d+) kB", file.read())
            except OSError:
                return
            if found:
                self.last = int(found[1]) * 1024
                self.peak = max(self.peak, self.last)

    def end(self):
        self.stop.set()
        self.thread.join()
        return self.peak


class Rig:
    def __init__(self, build, images):
        self.build, self.images = os.path.abspath(build), os.path.abspath(images)
        self.exits = contextlib.ExitStack()
        self.work = tempfile.mkdtemp(prefix="peelfs-bench.", dir=os.environ.get("TMPDIR", "/var/tmp"))
        self.exits.callback(shutil.rmtree, self.work, ignore_errors=True)
        self.counter = 0
        self.pushed, self.trees = set(), {}
        self.host = self.start_registry()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.exits.close()

    def path(self, name):
        """A new name in the temporary folder."""
        self.counter += 1
        return os.path.join(self.work, "%s-%d" % (name, self.counter))

    # --- registry and images

    def start_registry(self):
        """docker-registry; what was pushed stays beside the images, for the next run."""
        port = free_port()
        config = self.path("registry.yml")
        with open(config, "w") as file:
            json.dump({"version": 0.1, "log": {"level": "error", "accesslog": {"disabled": True}},
                       "storage": {"filesystem": {"rootdirectory": self.images + "/.registry"},
                                   "cache": {"blobdescriptor": "inmemory"}},
                       "http": {"addr": "127.0.0.1:%d" % port}}, file)
        log = open(self.path("registry.log"), "w")
        self.registry = self.spawn(["docker-registry", "serve", config], stdout=log, stderr=log)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return "127.0.0.1:%d" % port
            except OSError:
                time.sleep(0.05)
        raise Failed("docker-registry did not start")

    def spawn(self, command, **more):
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, **more)

        def end():
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
        self.exits.callback(end)
        return process

    def image(self, name, tag="latest"):
        """Makes and pushes an image where that is still to be done; its reference."""
        if (name, tag) not in self.pushed:
            subprocess.run([os.path.join(HERE, "../images/make-images"), "-q", self.images, name],
                           check=True)
            shell("skopeo copy -q --dest-tls-verify=false oci:%s/%s:%s docker://%s/%s:%s" % (
                self.images, name, tag, self.host, name, tag))
            self.pushed.add((name, tag))
        return "%s/%s:%s" % (self.host, name, tag)

    def lazy(self, name, form):
        """The same root with layers that carry their own index: a reference. FORM is estargz or
        zstd:chunked, made by the tools that make them."""
        tag = form.replace(":", "-")
        if (name, tag) not in self.pushed:
            self.image(name)
            layout = "%s/%s.%s" % (self.images, name, tag)
            if not os.path.exists(layout):
                say("making the %s form of %s" % (form, name))
                making = layout.replace(":", "-") + ".making"
                shutil.rmtree(making, ignore_errors=True)
                shell("%s/../images/make-lazy %s %s/%s %s" % (HERE, form, self.images, name, making))
                os.rename(making, layout)
            shell("skopeo copy -q --preserve-digests --dest-tls-verify=false oci:%s:latest "
                  "docker://%s/%s:%s" % (layout, self.host, name, tag))
            self.pushed.add((name, tag))
        return "%s/%s:%s" % (self.host, name, tag)

    def manifest(self, name, tag="latest"):
        """As the registry has it."""
        accept = "-H 'Accept: application/vnd.oci.image.manifest.v1+json'"
        return json.loads(shell("curl -sf %s http://%s/v2/%s/manifests/%s" % (
            accept, self.host, name, tag)))

    def layers(self, name, tag="latest", host=None):
        """URLs of an image's layers, as the registry's manifest has them."""
        self.image(name, tag)
        return ["http://%s/v2/%s/blobs/%s" % (host or self.host, name, layer["digest"])
                for layer in self.manifest(name, tag)["layers"]]

    def tree(self, name, tag="latest"):
        """The image unpacked on the local disk by umoci: what warm mounts compare with."""
        if (name, tag) not in self.trees:
            self.image(name, tag)
            bundle = self.path("bundle")
            shell("umoci --log=error unpack --image %s/%s:%s %s" % (self.images, name, tag, bundle))
            self.trees[name, tag] = bundle + "/rootfs"
        return self.trees[name, tag]

    def forget_tree(self, name, tag="latest"):
        """Frees the disk and the page cache of a tree that is no longer wanted."""
        tree = self.trees.pop((name, tag), None)
        if tree:
            shutil.rmtree(os.path.dirname(tree))

    @contextlib.contextmanager
    def slow(self, *more, server=None):
        """The registry, or another server, behind 50 ms and 100 Mbit/s: a host, and a call for
        its counters."""
        process = subprocess.Popen([HERE + "/slowlink", *more, server or self.host],
                                   stdout=subprocess.PIPE, text=True)

        def counters():
            process.send_signal(signal.SIGUSR1)
            return dict(zip(("connections", "bursts", "up", "down", "rounds"),
                            map(int, process.stdout.readline().split())))
        try:
            yield "127.0.0.1:" + process.stdout.readline().strip(), counters
        finally:
            process.terminate()
            process.wait()

    # --- mounts

    def command(self, reference, mountpoint, cache, options=()):
        words = ",".join(["cache_dir=" + cache, *options])
        return "%s/peelfs -o %s %s %s" % (self.build, words, reference, mountpoint)

    @contextlib.contextmanager
    def mountpoint(self):
        """A folder to mount on. Afterwards nothing is mounted and no process is left."""
        where = self.path("mnt")
        os.mkdir(where)
        try:
            yield where
        finally:
            self.unmount(where)

    def unmount(self, where):
        deadline = time.monotonic() + 20
        # Stopped while it was mounting, it may be mounted a moment later: so look again.
        while is_mounted(where) | bool(left := processes_of(where)):
            if is_mounted(where) and subprocess.run(["umount", where],
                                                    capture_output=True).returncode != 0:
                subprocess.run(["umount", "-l", where], check=True)
                say("umount of %s was refused: something still used it" % where)
            if time.monotonic() > deadline:
                for pid in left:
                    os.kill(pid, signal.SIGKILL)
                raise Failed("peelfs was still there 20 seconds after umount: %s" % left)
            time.sleep(0.01)

    @contextlib.contextmanager
    def mounted(self, reference, cache=None, options=()):
        cache = cache or self.path("cache")
        with self.mountpoint() as where:
            clock(self.command(reference, where, cache, options))
            yield where

    @contextlib.contextmanager
    def watched(self, reference, cache, options=()):
        """A mount in the foreground, so that its process is known: path and Memory."""
        with self.mountpoint() as where:
            log = open(self.path("log"), "w+")
            words = self.command(reference, where, cache, options).split()
            process = subprocess.Popen([words[0], "-f", *words[1:]], stdin=subprocess.DEVNULL,
                                       stdout=log, stderr=log)
            memory = Memory(process.pid)
            deadline = time.monotonic() + LIMIT
            while not is_mounted(where):
                if process.poll() is not None or time.monotonic() > deadline:
                    process.kill()
                    log.seek(0)
                    raise Failed("peelfs -f: " + log.read()[-600:])
                time.sleep(0.01)
            try:
                yield where, memory
            finally:
                memory.end()
                self.unmount(where)
                process.wait()

    def status(self, where):
        with open(where + "/.peelfs/status.json") as file:
            return json.load(file)


def say(text):
    print("# " + text, file=sys.stderr, flush=True)


class Report:
    """Keeps a line for each comparison, for one table at the end; shows each as it comes."""

    HEAD = "%-30s %10s %10s %7s %6s" % ("name", "ours", "theirs", "ratio", "limit")

    def __init__(self):
        self.missed, self.table = [], [self.HEAD]

    def add(self, text):
        self.table.append(text)
        say(text)

    def print(self):
        print("\n".join(self.table))
        print("missed: " + " ".join(self.missed) if self.missed else "all met", flush=True)

    def line(self, name, ours, theirs, ratio, limit, note="", unit="s"):
        good = ratio <= limit
        if not good:
            self.missed.append(name)
        form = "%9.3f" if unit == "s" else "%9.1f"
        self.add("%-30s %s%s %s%s %7.2f %6.2f  %s%s" % (
            name, form % ours, unit, form % theirs, unit, ratio, limit,
            "met" if good else "MISSED", note))

    def failed(self, name, reason):
        self.missed.append(name)
        self.add("%-30s FAILED\n  %s" % (name, str(reason).replace("\n", "\n  ")))

    def pairs(self, name, ours, theirs, limit):
        """Rounds of both, in pairs: the median of the pairs' ratios, and how far they spread."""
        ratios = [a / b for a, b in zip(ours, theirs)]
        self.line(name, statistics.median(ours), statistics.median(theirs),
                  statistics.median(ratios), limit,
                  "  (%d rounds: %.2f to %.2f)" % (len(ratios), min(ratios), max(ratios)))


def contest(report, rounds, ours, rivals):
    """Runs OURS and each of RIVALS, a list of (name, function, limit), in turn, ROUNDS times.

    The order turns about from round to round, so that no one always comes after the same."""
    mine, times = [], [[] for _ in rivals]
    for turn in range(rounds):
        if turn % 2 == 0:
            mine.append(ours())
        for samples, rival in zip(times, rivals):
            samples.append(rival[1]())
        if turn % 2 == 1:
            mine.append(ours())
    for samples, (name, _, limit) in zip(times, rivals):
        report.pairs(name, mine, samples, limit)
