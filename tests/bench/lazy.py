# SPDX-License-Identifier: MIT
"""Layers that carry their own index: eStargz and zstd:chunked, as the usual tools write them."""
import os
import shutil
import statistics
import sys

from basics import ROUNDS, case, find, five_kb, memory_line
from rig import HERE, MIB, clock, say

sys.path.insert(0, os.path.join(HERE, "../e2e"))
import tree

FORMS = ("estargz", "zstd:chunked")
POSITION = ".zstd-chunked.manifest-position"     # after one of two prefixes


def sizes(rig, name, form):
    """Bytes of an image's layers, and of the tables in them."""
    layers = rig.manifest(name, form.replace(":", "-"))["layers"]
    tables = 0
    for layer in layers:
        if form == "zstd:chunked":
            tables += sum(int(value.split(":")[1]) for key, value in layer["annotations"].items()
                          if key.endswith(POSITION))
            continue
        # An eStargz footer of 51 bytes has the table's offset at 16: "%016xSTARGZ".
        path = os.path.join(rig.images, name + ".estargz/blobs", *layer["digest"].split(":"))
        with open(path, "rb") as file:
            file.seek(-51, os.SEEK_END)
            tables += layer["size"] - int(file.read(51)[16:32], 16)
    return sum(layer["size"] for layer in layers), tables


@case("lazy-cat", "node", "big")
def lazy_cat(rig, report, image):
    """Nothing stored: mount and one file of 5 KB. 8 round trips, those at one time being one; and
    1 % of the layers beside their tables."""
    path = five_kb(rig, image)
    for form in FORMS:
        reference = rig.lazy(image, form)
        total, tables = sizes(rig, image, form)
        seconds, rounds, came = [], [], []
        with rig.slow() as (host, counters):
            for _ in range(ROUNDS or 5):
                cache = rig.path("cache")
                with rig.mountpoint() as where:
                    counters()
                    far = reference.replace(rig.host, host)
                    seconds.append(clock("%s && cat %s/rootfs/%s > /dev/null" % (
                        rig.command(far, where, cache), where, path)))
                    seen = counters()
                rounds.append(seen["rounds"])
                came.append(seen["down"])
                shutil.rmtree(cache)
        name = "lazy-cat-%s-%s" % (image, form)
        say("%s: %s: %s; layers %d, tables %d" % (name, path, seen, total, tables))
        median = statistics.median
        report.line(name, median(rounds), 8, median(rounds) / 8, 1.0,
                    "  (%.2f s)" % median(seconds), unit=" ")
        allowed = tables + total / 100
        report.line(name + "/bytes", median(came) / MIB, allowed / MIB, median(came) / allowed,
                    1.0, unit="M")


@case("lazy-same", "node", "big")
def lazy_same(rig, report, image):
    """Entry by entry: attributes, links and contents. The limit is no difference at all."""
    with rig.mounted(rig.image(image)) as where:
        want = tree.dump(where + "/rootfs")
    for form in FORMS:
        with rig.mounted(rig.lazy(image, form), options=["wait"]) as where:
            kinds = {layer["index"] for layer in rig.status(where)["layers"]}
            got = tree.dump(where + "/rootfs")
        if form == "estargz":   # its tables have times in whole seconds
            for path, fields in got.items():
                time = want.get(path, fields)["mtime_ns"]
                if abs(fields["mtime_ns"] - time) < 10 ** 9:
                    fields["mtime_ns"] = time
        lines = tree.differences(want, got)
        if kinds != {form}:
            lines.append("the layers' indexes are from %s" % kinds)
        for line in lines[:5]:
            say(line)
        report.line("lazy-same-%s-%s" % (image, form), len(lines), len(want),
                    len(lines) / len(want), 0.0, unit=" ")


@case("lazy-memory", "node", "many")
def lazy_memory(rig, report, image):
    """Anonymous memory of the daemon while tables are read, and when they are stored."""
    for form in FORMS:
        reference, cache = rig.lazy(image, form), rig.path("cache")
        for name, allowed in (("first", 160 * MIB), ("stored", 24 * MIB)):
            with rig.watched(reference, cache) as (where, memory):
                clock(find(where + "/rootfs"))
                memory_line(report, "lazy-memory-%s-%s/%s" % (image, form, name), memory.peak,
                            allowed)
        shutil.rmtree(cache)
