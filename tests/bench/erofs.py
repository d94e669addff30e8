# SPDX-License-Identifier: MIT
"""rootfs.erofs: what it takes to make the metadata."""
import shutil

from basics import case, memory_line
from rig import MIB, clock

SECONDS = 2


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
