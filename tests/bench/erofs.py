# SPDX-License-Identifier: MIT
"""rootfs.erofs, what it takes to make the metadata; and the kernel's EROFS as the mount."""
import shutil

from basics import ROUNDS, case, find, grep, memory_line, settle
from rig import MIB, clock, contest, shell

SECONDS = 2
OPTIONS = ("layout=rootfs", "erofs")


@case("erofs", "many")
def erofs(rig, report, image):
    reference, cache = rig.image(image), rig.path("cache")
    with rig.mounted(reference, cache, ["wait"]):
        pass
    with rig.watched(reference, cache, ["wait"]) as (where, memory):
        first = "dd if=%s/rootfs.erofs bs=4096 count=1 status=none | wc -c" % where
        seconds = clock(first, "4096")
        report.line("erofs-many", seconds, SECONDS, seconds / SECONDS, 1.0)
        memory_line(report, "erofs-many/memory", memory.peak, 64 * MIB)
    shutil.rmtree(cache)


@case("erofs-second", "node")
def erofs_second(rig, report, image):
    """Limit: 60 ms and 1.3 times a warm find of the plain tree."""
    reference, tree, cache = rig.image(image), rig.tree(image), rig.path("cache")
    entries = shell(find(tree)).strip()
    with rig.mounted(reference, cache, ["wait"]):
        pass

    def ours():
        with rig.mountpoint() as where:
            return clock("%s && %s" % (rig.command(reference, where, cache, OPTIONS), find(where)),
                         entries)

    def theirs():
        return 0.06 + 1.3 * clock(find(tree), entries)

    clock(find(tree), entries)
    contest(report, ROUNDS or 9, ours, [("erofs-second-%s" % image, theirs, 1.0)])
    shutil.rmtree(cache)


@case("erofs-warm", "node")
def erofs_warm(rig, report, image):
    """Against the same tree on the local disk."""
    reference, tree, cache = rig.image(image), rig.tree(image), rig.path("cache")
    works = [("find", find), ("ls", lambda d: "LC_ALL=C ls -lR %s > /dev/null" % d), ("grep", grep)]
    with rig.mounted(reference, cache, OPTIONS) as where:
        for name, work in works:
            for side in (where, tree) * 2:
                clock(work(side))
            settle()
            contest(report, ROUNDS or 15, lambda: clock(work(where)),
                    [("erofs-warm-%s-%s" % (name, image), lambda: clock(work(tree)), 1.0)])
    shutil.rmtree(cache)
