# SPDX-License-Identifier: MIT
"""podman through a mount with layout=store, against podman that pulls."""
import contextlib
import os
import shutil
import subprocess

from basics import ROUNDS, case, settle
from plain import stored_indexes
from rig import Failed, clock, contest, say, shell

STORAGE = """\
[storage]
driver = "overlay"
graphroot = "{0}/graph"
runroot = "{0}/run"
[storage.options]
additionalimagestores = [{1}]
"""
# Nothing of the machine is needed: no networks, no cgroups, no journal.
CONTAINERS = """\
[containers]
default_ulimits = ["nofile=1024:4096", "nproc=4096:4096"]
netns = "none"
cgroups = "disabled"
[engine]
events_logger = "none"
cgroup_manager = "cgroupfs"
"""
# crun fails on a second hierarchy that it may not use.
APART = ("unshare -m sh -euc 'mount --make-rprivate /; umount /sys/fs/cgroup/unified 2>/dev/null || :; "
         "eval \"$1\"' sh '%s'")
WORK = "podman run --rm --pull=never %s cat /etc/os-release | grep -c PRETTY_NAME"


class Podman:
    """podman with new storage of its own, in a tmpfs: an overlay's upper directory cannot be on
    another overlay."""

    def __init__(self, place, stores):
        self.place = place
        for name, text in (
                ("storage.conf", STORAGE.format(place, ", ".join('"%s"' % s for s in stores))),
                ("containers.conf", CONTAINERS), ("registries.conf", ""),
                ("policy.json", '{"default": [{"type": "insecureAcceptAnything"}]}')):
            with open(os.path.join(place, name), "w") as file:
                file.write(text)
        self.env = ("export HOME={0} TMPDIR={0} CONTAINERS_CONF={0}/containers.conf "
                    "CONTAINERS_STORAGE_CONF={0}/storage.conf "
                    "CONTAINERS_REGISTRIES_CONF={0}/registries.conf; ".format(place))

    def command(self, script):
        return self.env + APART % script


@contextlib.contextmanager
def podman(rig, *stores):
    place = rig.path("p")
    os.mkdir(place)
    shell("mount -t tmpfs -o size=3g,mode=755 podman %s" % place)
    try:
        yield Podman(place, stores)
    finally:
        subprocess.run(["umount", "-R", place + "/graph/overlay"], capture_output=True)
        shell("umount -l %s" % place)
        os.rmdir(place)


@contextlib.contextmanager
def store(rig, cache):
    """An empty store, with a list of images in a file."""
    images = rig.path("images")
    with rig.mounted("/", cache, ["layout=store", "suid", "dev", "images=" + images]) as where:
        yield where


def pulled(rig, reference):
    with podman(rig) as engine:
        settle()
        return clock(engine.command("podman pull -q --tls-verify=false %s > /dev/null && %s" % (
            reference, WORK % reference)), "1")


def added(rig, reference, copied):
    """The index of each layer is known, but no byte of a file."""
    with copied() as cache, store(rig, cache) as where, podman(rig, where) as engine:
        settle()
        return clock(engine.command("%s/peelctl add %s %s && %s" % (
            rig.build, where, reference, WORK % reference)), "1")


def need_podman():
    if not shutil.which("podman"):
        raise Failed("podman is missing (package podman)")


@case("engine-run", "big")
def engine_run(rig, report, image):
    """podman run, from an image that is not on the machine to the end of a program in it."""
    need_podman()
    reference = rig.image(image)
    with stored_indexes(rig, reference) as copied:
        contest(report, ROUNDS or 5, lambda: added(rig, reference, copied),
                [("engine-run-%s" % image, lambda: pulled(rig, reference), 0.1)])
        with rig.slow() as (host, _):
            far = reference.replace(rig.host, host)
            contest(report, ROUNDS or 3, lambda: added(rig, far, copied),
                    [("engine-run-%s/slow" % image, lambda: pulled(rig, far), 0.05)])


@case("engine-pull", "big")
def engine_pull(rig, report, image):
    """podman pull of a listed image: manifest and config, and what podman asks before them."""
    need_podman()
    reference = rig.image(image)
    with rig.slow() as (host, counters):
        far, cache = reference.replace(rig.host, host), rig.path("cache")
        with store(rig, cache) as where, podman(rig, where) as engine:
            shell("%s/peelctl add %s %s" % (rig.build, where, far))
            counters()
            clock(engine.command("podman pull -q --tls-verify=false %s > /dev/null" % far))
            seen = counters()
        shutil.rmtree(cache)
    say("engine-pull: %s" % seen)
    # /v2/ over TLS and without, then manifest and config.
    report.line("engine-pull-%s/requests" % image, seen["bursts"], 4, seen["bursts"] / 4, 1.0,
                unit=" ")
    report.line("engine-pull-%s/bytes" % image, seen["down"] / 1024, 64, seen["down"] / 1024 / 64,
                1.0, unit="K")
