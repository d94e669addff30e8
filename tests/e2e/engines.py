# SPDX-License-Identifier: MIT
"""podman with a store of its own, and a mount as an additional image store."""
import contextlib
import os
import pwd
import re
import shutil
import subprocess
import tempfile

from mounting import PEELFS, environment, eventually, find_daemon, is_mounted, live, run

STORAGE = """\
[storage]
driver = "overlay"
graphroot = "%s/graph"
runroot = "%s/run"
[storage.options]
additionalimagestores = [%s]
"""
# Nothing of the machine is needed: no networks, no cgroups, no journal.
CONTAINERS = """\
[containers]
default_ulimits = ["nofile=1024:4096", "nproc=1024:1024"]
netns = "none"
cgroups = "disabled"
[engine]
events_logger = "none"
cgroup_manager = "cgroupfs"
"""
# crun fails on a second hierarchy that it may not use.
START = """\
mount --make-rprivate /
umount /sys/fs/cgroup/unified 2>/dev/null || :
exec $PEELFS_ENTER podman "$@"
"""
# How the root of another podman is entered (tests/engines/podman), or nothing.
ENTER = os.environ.get("PEELFS_ENTER", "")


class Podman:
    def __init__(self, path, stores):
        self.path = path
        self.write("storage.conf", STORAGE % (
            path, path, ", ".join('"%s"' % s for s in stores)))
        self.write("containers.conf", CONTAINERS)
        self.env = environment(
            CONTAINERS_CONF=path + "/containers.conf",
            CONTAINERS_STORAGE_CONF=path + "/storage.conf", TMPDIR=path, HOME=path,
            PEELFS_ENTER=ENTER)

    def write(self, name, text):
        with open(os.path.join(self.path, name), "w") as f:
            f.write(text)

    def command(self, *arguments):
        return ["unshare", "-m", "sh", "-ec", START, "podman", *map(str, arguments)]

    def call(self, *arguments, timeout=60):
        return subprocess.run(self.command(*arguments), capture_output=True, text=True,
                              timeout=timeout, stdin=subprocess.DEVNULL, env=self.env)

    def __call__(self, *arguments, **more):
        done = self.call(*arguments, **more)
        assert done.returncode == 0, (arguments, done.stdout[-1000:], done.stderr[-2000:])
        return done.stdout

    def pull(self, reference):
        return self("pull", "-q", "--tls-verify=false", reference).strip()

    def run(self, *arguments):
        return self("run", "--rm", "--pull=never", *arguments)

    @contextlib.contextmanager
    def service(self):
        """One daemon of podman; yields what asks it instead of doing the work."""
        url = "unix://%s/socket" % self.path
        child = subprocess.Popen(self.command("system", "service", "--time=0", url), env=self.env,
                                 stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        live.append(child)
        try:
            assert eventually(lambda: os.path.exists(self.path + "/socket"))
            yield lambda *arguments: self("--remote", "--url", url, *arguments)
        finally:
            child.terminate()
            child.wait(20)
            live.remove(child)


@contextlib.contextmanager
def mounted(*arguments):
    """`peelfs` with these arguments, of which the last is the mount point; it may be killed and
    started again. Yields what finds its process."""
    path = arguments[-1]
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    try:
        yield lambda: find_daemon(path)
    finally:
        if is_mounted(path):
            subprocess.run(["umount", "-l", path], capture_output=True, timeout=20)


# All of it in one mount namespace, where the mount is, too, and in one of processes, so that
# nothing is left.
AS_USER = """\
umount /sys/fs/cgroup/unified 2>/dev/null || :
mkdir -p "$XDG_RUNTIME_DIR" && chown "$1:$1" "$HOME" "$XDG_RUNTIME_DIR" "$HOME/store"
exec $PEELFS_ENTER setpriv --reuid "$1" --regid "$1" --clear-groups sh -euc "$2" sh "$3"
"""


def portable(program, path):
    """A program where the user can reach it, with its libraries, for another root."""
    os.mkdir(path + "/lib")
    done = subprocess.run(["ldd", program], capture_output=True, text=True, timeout=10)
    for library in re.findall(r"(/\S+) \(0x", done.stdout):
        shutil.copy(library, path + "/lib")
    loader = os.path.basename(re.search(r"\n\s*(/\S+) \(0x", done.stdout).group(1))
    shutil.copy(program, path + "/lib/program")
    with open(path + "/peelfs", "w") as f:
        f.write('#!/bin/sh\nexec "%s/lib/%s" --library-path "%s/lib" "%s/lib/program" "$@"\n' % (
            path, loader, path, path))


class Rootless(Podman):
    def __init__(self, path, user):
        super().__init__(path, [path + "/store"])
        self.uid = pwd.getpwnam(user).pw_uid
        os.mkdir(path + "/store")
        portable(PEELFS, path)
        os.chmod(path, 0o755)
        for name in os.listdir(path):
            os.chmod(os.path.join(path, name), 0o755)
        self.env.update(XDG_RUNTIME_DIR=path + "/xdg", PEELFS=path + "/peelfs", USER=user)

    def __call__(self, script, *arguments, timeout=100):
        return subprocess.run(
            ["unshare", "-m", "-p", "-f", "--mount-proc", "--kill-child", "sh", "-euc", AS_USER,
             "sh", str(self.uid), script, *arguments], capture_output=True, text=True,
            timeout=timeout, stdin=subprocess.DEVNULL, env=self.env, cwd=self.path)


@contextlib.contextmanager
def rootless(user):
    with place() as path:
        yield Rootless(path, user)


@contextlib.contextmanager
def podman(*stores):
    with place() as path:
        yield Podman(path, stores)


@contextlib.contextmanager
def place():
    """A tmpfs: an overlay's upper directory cannot be on another overlay."""
    path = tempfile.mkdtemp(prefix="pod-", dir="/tmp")  # short, because of sockets
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2g,mode=755", "podman", path],
                   check=True, timeout=10)
    try:
        yield path
    finally:
        subprocess.run(["umount", "-R", path + "/graph/overlay"], capture_output=True, timeout=20)
        subprocess.run(["umount", "-l", path], check=True, timeout=20)
        shutil.rmtree(path, ignore_errors=True)
