# SPDX-License-Identifier: MIT
"""podman with a store of its own, and a mount as an additional image store."""
import contextlib
import os
import shutil
import subprocess
import tempfile

from mounting import environment

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
exec podman "$@"
"""


class Podman:
    def __init__(self, path, stores):
        self.path = path
        self.write("storage.conf", STORAGE % (
            path, path, ", ".join('"%s"' % s for s in stores)))
        self.write("containers.conf", CONTAINERS)
        self.write("registries.conf", '[[registry]]\nprefix = "*.0.0.1"\nlocation = "127.0.0.1"\n'
                   'insecure = true\n')
        self.write("policy.json", '{"default": [{"type": "insecureAcceptAnything"}]}')
        self.env = environment(
            CONTAINERS_CONF=path + "/containers.conf",
            CONTAINERS_STORAGE_CONF=path + "/storage.conf", TMPDIR=path, HOME=path)

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
def podman(*stores):
    """Its files are in a tmpfs: an overlay's upper directory cannot be on another overlay."""
    path = tempfile.mkdtemp(prefix="pod-", dir="/tmp")  # short, because of sockets
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2g,mode=755", "podman", path],
                   check=True, timeout=10)
    try:
        yield Podman(path, stores)
    finally:
        subprocess.run(["umount", "-R", path + "/graph/overlay"], capture_output=True, timeout=20)
        subprocess.run(["umount", "-l", path], check=True, timeout=20)
        shutil.rmtree(path, ignore_errors=True)
