# SPDX-License-Identifier: MIT
"""Mounts of peelfs that cannot hang the suite and leave nothing behind.

The tests' process is the reaper of its orphans, so a daemon that went to the
background is waited for, and its exit status seen, like a child.

Every wait has an end. A test that takes too long has its daemons killed by a timer
thread and their FUSE connections aborted: a thread that sleeps in the kernel on such
a mount then wakes with an error, and the test fails.
"""
import contextlib
import ctypes
import faulthandler
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

BUILD = os.environ["PEELFS_BUILD"]
PEELFS = os.path.join(BUILD, "peelfs")
PEELCTL = os.path.join(BUILD, "peelctl")
SANITIZED = os.path.basename(BUILD) != "build"
# What a wait may last is for the normal build; sanitizers are slow.
SLOWER = 6 if SANITIZED else 1

PR_SET_CHILD_SUBREAPER = 36
CLONE_NEWNS = 0x20000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

us = os.getpid()
live = []  # the Mounts and Popens that the timer has to end
places = [tempfile.gettempdir()]  # where they are mounted; pytest may add its own
reports = tempfile.mkdtemp(prefix="peelfs-e2e-reports-")


def environment(**more):
    env = {k: v for k, v in os.environ.items() if k not in ("XDG_CACHE_HOME", "DOCKER_CONFIG")}
    log = "log_path=%s/report" % reports
    env["ASAN_OPTIONS"] = log + ":detect_leaks=1:detect_stack_use_after_return=1"
    env["UBSAN_OPTIONS"] = log + ":print_stacktrace=1"
    env["TSAN_OPTIONS"] = log + ":second_deadlock_stack=1"
    return {**env, **more}


def sanitizer_reports():
    """The text of reports written since the last call."""
    out = []
    for name in sorted(os.listdir(reports)):
        path = os.path.join(reports, name)
        with open(path, errors="replace") as f:
            out.append(f.read())
        os.unlink(path)
    return out


def is_mounted(path):
    path = os.fsencode(path).replace(b"\\", b"\\134").replace(b" ", b"\\040")
    with open("/proc/self/mountinfo", "rb") as f:
        return any(line.split(b" ")[4] == path for line in f)


def connection_of(path):
    """The number of a FUSE mount's connection, without touching the mount."""
    with open("/proc/self/mountinfo") as f:
        for line in f:
            field = line.split(" ")
            if field[4] == path:
                return field[2].split(":")[1]
    return None


def descends_from_us(pid):
    """Orphans are ours too: we are their reaper. Also asked by processes that we forked."""
    while pid > 1:
        if pid == us:
            return True
        with open("/proc/%d/stat" % pid) as f:
            pid = int(f.read().rpartition(")")[2].split()[1])
    return False


def daemons():
    """{pid: arguments} of the peelfs processes of this build, started here, that are alive."""
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            if not (os.readlink("/proc/%s/exe" % name).startswith(PEELFS) and
                    descends_from_us(int(name))):
                continue
            with open("/proc/%s/cmdline" % name, "rb") as f:
                found[int(name)] = f.read().split(b"\0")
        except OSError:
            pass
    return found


def eventually(condition, seconds=10, step=0.02):
    end = time.monotonic() + seconds * SLOWER
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value
        time.sleep(step)


def unmount(path, command=("fusermount3", "-u")):
    """Is it done? Refused while `peelctl status` of another test looks at all mounts: so a few
    times."""
    path = str(path)

    def ask():
        done = subprocess.run([*command, path], capture_output=True, timeout=30)
        return done.returncode == 0 or not is_mounted(path)
    return eventually(ask, 3, 0.1)


def abort_connection(number):
    with contextlib.suppress(OSError):
        base = "/sys/fs/fuse/connections"
        if not os.path.isdir(os.path.join(base, number)):
            subprocess.run(["mount", "-t", "fusectl", "fusectl", base], capture_output=True,
                           timeout=10)
        with open(os.path.join(base, number, "abort"), "w") as f:
            f.write("1")


class Mount:
    def __init__(self, path, source):
        self.path = path
        self.source = source
        self.pid = None
        self.stderr = ""
        self.status_code = None  # of the daemon, once it has ended

    @property
    def root(self):
        return os.path.join(self.path, "rootfs")

    def at(self, *names):
        return os.path.join(self.path, "rootfs", *names)

    def read(self, name):
        with open(os.path.join(self.path, name), "rb") as f:
            return f.read()

    def status(self):
        return json.loads(self.read(".peelfs/status.json"))

    def memory(self, key):
        """Of the daemon, in bytes: VmHWM (peak resident), RssAnon (now)."""
        with open("/proc/%d/status" % self.pid) as f:
            for line in f:
                if line.startswith(key + ":"):
                    return int(line.split()[1]) * 1024
        raise KeyError(key)

    def has_ended(self):
        if self.status_code is not None:
            return True
        try:
            pid, code = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            pid, code = self.pid, 0
        if pid:
            self.status_code = os.waitstatus_to_exitcode(code)
        return bool(pid)

    def unmount(self):
        """Lets the daemon end in its own way; says what is wrong, or None."""
        wrong = []
        if is_mounted(self.path) and not unmount(self.path):
            wrong.append("cannot be unmounted")
        if self.pid and not wrong:
            if not eventually(self.has_ended, 15):
                wrong.append("the daemon goes on after the unmount")
            elif self.status_code != 0:
                wrong.append("the daemon ended with %d" % self.status_code)
        if wrong:
            self.kill()
        if is_mounted(self.path):
            wrong.append("still mounted")
        return "; ".join(wrong) or None

    def kill(self):
        """No way is left but force. Safe at any time, from any thread."""
        number = connection_of(self.path)
        if self.pid and self.status_code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        if number:
            abort_connection(number)
            subprocess.run(["umount", "-l", self.path], capture_output=True, timeout=30)


def end_everything():
    for thing in list(live):
        thing.kill()
    for pid in daemons():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def all_mounts():
    """The mount points of peelfs."""
    with open("/proc/self/mountinfo") as f:
        fields = [line.split(" ") for line in f]
    return [field[4] for field in fields if "fuse.peelfs" in field]


def mounts():
    """Those under the temporary directories."""
    return [path for path in all_mounts() if any(path.startswith(p + "/") for p in places)]


def mount_alone():
    """From now on this process and its children mount in a namespace of their own.

    A new namespace has copies of all mounts of the one it comes from, and a daemon ends with
    the last copy of its mount. So a namespace of one test would keep daemons of others alive.
    """
    assert libc.unshare(CLONE_NEWNS) == 0, os.strerror(ctypes.get_errno())
    assert libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) == 0
    for path in all_mounts():
        subprocess.run(["umount", "-l", path], capture_output=True, timeout=10)


class Limit:
    """Ends what a test has running when it takes longer than it may."""

    def __init__(self, seconds):
        self.seconds = seconds * SLOWER
        self.passed = False
        self.timer = threading.Timer(self.seconds, self._end)
        self.timer.daemon = True

    def _end(self):
        self.passed = True
        faulthandler.dump_traceback(file=sys.__stderr__)
        # Again and again: the test may go on to start the next.
        while not self.timer.finished.wait(1):
            end_everything()

    def __enter__(self):
        self.timer.start()
        return self

    def __exit__(self, *_):
        self.timer.finished.set()
        self.timer.cancel()


def run(*arguments, timeout=60, env=None, program=PEELFS, stdin=subprocess.DEVNULL, **more):
    """Runs a program to its end; text outputs. A daemon it leaves holding its stderr
    would make this wait, and fail, as it would make a shell's $(...) wait."""
    child = subprocess.Popen([program, *arguments], stdin=stdin,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             env=env or environment(), **more)
    live.append(child)
    try:
        out, err = child.communicate(timeout=timeout * SLOWER)
    except subprocess.TimeoutExpired:
        child.kill()
        raise
    finally:
        live.remove(child)
    return subprocess.CompletedProcess(child.args, child.returncode,
                                       out.decode(errors="replace"),
                                       err.decode(errors="replace"))


def find_daemon(path):
    path = os.fsencode(path)
    for pid, arguments in daemons().items():
        if path in arguments:
            return pid
    return None


@contextlib.contextmanager
def mount(source, *options, cache=None, arguments=(), quiet=True, timeout=60, env=None,
          stdin=subprocess.DEVNULL, load=True):
    """A mount in the background, with a cache of its own, whose layers are loaded if `load`.
    Yields a Mount; `quiet` says that nothing may be written to stderr."""
    base = tempfile.mkdtemp(prefix="peelfs-e2e-")
    path = os.path.join(base, "mnt")
    os.mkdir(path)
    cache = cache or os.path.join(base, "cache")
    m = Mount(path, source)
    live.append(m)
    try:
        done = run(*arguments, "-o",
                   ",".join(("cache_dir=" + str(cache),) + ("wait",) * load + options),
                   source, path, timeout=timeout, env=env, stdin=stdin)
        m.stderr = done.stderr
        assert done.returncode == 0, "exit %d: %s" % (done.returncode, done.stderr)
        assert is_mounted(path), "exit 0, but nothing is mounted"
        m.pid = find_daemon(path)
        assert m.pid, "mounted, but no daemon is there"
        assert not quiet or not done.stderr, done.stderr
        yield m
    finally:
        try:
            wrong = m.unmount()
        finally:
            m.kill()
            live.remove(m)
            shutil.rmtree(base, ignore_errors=is_mounted(path))
    assert not wrong, wrong


@contextlib.contextmanager
def foreground(source, *options, arguments=("-f",), env=None, wait=True, cache=None, load=True,
               stdin=subprocess.DEVNULL, **more):
    """`peelfs -f`: yields a Mount with .child, the Popen; nothing is asserted of its end."""
    base = tempfile.mkdtemp(prefix="peelfs-e2e-")
    path = os.path.join(base, "mnt")
    os.mkdir(path)
    m = Mount(path, source)
    m.log = open(os.path.join(base, "stderr"), "w+b")
    m.child = subprocess.Popen(
        [PEELFS, *arguments, "-o",
         ",".join(("cache_dir=" + str(cache or os.path.join(base, "cache")),) +
                  ("wait",) * load + options),
         source, path], stdin=stdin, stdout=m.log, stderr=m.log,
        env=env or environment(), **more)
    m.pid = m.child.pid
    live.append(m.child)
    live.append(m)
    try:
        if wait:
            assert eventually(lambda: is_mounted(path) or m.child.poll() is not None), "no mount"
            assert m.child.poll() is None, "ended with %r" % m.child.poll()
        yield m
    finally:
        if is_mounted(path):
            subprocess.run(["fusermount3", "-u", path], capture_output=True, timeout=30)
            with contextlib.suppress(subprocess.TimeoutExpired):
                m.child.wait(5 * SLOWER)
        m.kill()
        m.child.kill()
        m.child.wait(10)
        live.remove(m.child)
        live.remove(m)
        m.log.close()
        shutil.rmtree(base, ignore_errors=is_mounted(path))
