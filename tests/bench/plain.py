# SPDX-License-Identifier: MIT
"""Ordinary images: the first mount, the second, warm, memory, and a far registry."""
import contextlib
import os
import shutil
import statistics

from basics import ROUNDS, case, fetch, find, five_kb, first_mount, grep, memory_line, settle
from rig import MIB, clock, contest, say, shell

PARTS = ("small", "big", "node")


# --- first mounts

@case("first-find", *PARTS)
def first_find(rig, report, image):
    reference, urls = rig.image(image), rig.layers(image)
    entries = shell(find(rig.tree(image))).strip()

    def ours():
        return first_mount(rig, reference, find, entries)

    def gzip():
        settle()
        return clock(fetch(urls, "gzip -dc > /dev/null"))

    def igzip():
        settle()
        return clock(fetch(urls, "igzip -dc > /dev/null"))

    contest(report, ROUNDS or 5, ours, [("first-find-%s" % image, gzip, 1.0),
                                        ("first-find-%s/igzip" % image, igzip, 1.6)])


@case("first-grep", *PARTS)
def first_grep(rig, report, image):
    reference, urls = rig.image(image), rig.layers(image)

    def ours():
        return first_mount(rig, reference, grep, "")

    def theirs(command):
        folder = rig.path("pull")
        os.mkdir(folder)
        settle()
        try:
            return clock("cd %s && %s" % (folder, command), "")
        finally:
            shutil.rmtree(folder)

    def pull():
        return theirs("skopeo copy -q --src-tls-verify=false docker://%s oci:l:x && "
                      "umoci --log=error unpack --image l:x b >&2 && %s" % (
                          reference, grep("b/rootfs")))

    def untar():
        return theirs("mkdir t && for u in %s; do curl -sf $u | igzip -dc | tar -x -C t || exit 1; "
                      "done && %s" % (" ".join(urls), grep("t")))

    contest(report, ROUNDS or 3, ours, [("first-grep-%s/pull" % image, pull, 0.4),
                                        ("first-grep-%s/tar" % image, untar, 1.3)])


@case("second-find", *PARTS)
def second_find(rig, report, image):
    """Limit: 60 ms and 1.3 times a warm find of the plain tree."""
    reference, tree = rig.image(image), rig.tree(image)
    entries = shell(find(tree)).strip()
    cache = rig.path("cache")
    with rig.mounted(reference, cache) as where:
        clock(find(where + "/rootfs"), entries)

    def ours():
        with rig.mountpoint() as where:
            return clock("%s && %s" % (rig.command(reference, where, cache),
                                       find(where + "/rootfs")), entries)

    def theirs():
        return 0.06 + 1.3 * clock(find(tree), entries)

    clock(find(tree), entries)
    contest(report, ROUNDS or 9, ours, [("second-find-%s" % image, theirs, 1.0)])
    shutil.rmtree(cache)


# --- warm, against the local disk

@case("warm", "big", "node")
def warm(rig, report, image):
    tree = rig.tree(image)
    largest = shell("cd %s && find . -xdev -type f -printf '%%s %%p\\n' | sort -n | tail -1"
                     % tree).split(None, 1)[1].strip()
    works = [("find", find, 1.1), ("find-ls", lambda d: "find %s -ls > /dev/null" % d, 1.2),
             ("ls", lambda d: "LC_ALL=C ls -lR %s > /dev/null" % d, 1.2), ("grep", grep, 1.2),
             ("read", lambda d: "for i in 1 2 3 4 5 6 7 8; do cat %s/%s > /dev/null; done"
              % (d, largest), 1.2)]
    with rig.mounted(rig.image(image)) as where:
        root = where + "/rootfs"
        for name, work, limit in works:
            for side in (root, tree) * 2:
                clock(work(side))
            settle()
            contest(report, ROUNDS or 15, lambda: clock(work(root)),
                    [("warm-%s-%s" % (name, image), lambda: clock(work(tree)), limit)])


# --- memory

@case("memory", "big")
def memory_big(rig, report, image):
    cache = rig.path("cache")
    with rig.watched(rig.image(image), cache) as (where, memory):
        for work in (find, grep):
            clock(work(where + "/rootfs"))
        memory_line(report, "memory-big", memory.peak, 64 * MIB)
    shutil.rmtree(cache)


@case("memory", "many")
def memory_many(rig, report, image):
    reference, cache, entries = rig.image(image), rig.path("cache"), 1000000
    with rig.watched(reference, cache) as (where, memory):
        clock(find(where + "/rootfs"), str(entries + 1))
        memory_line(report, "memory-many", memory.peak, 64 * MIB + 150 * (entries - 100000))
        memory_line(report, "memory-many/building", memory.peak, 160 * MIB)
    with rig.watched(reference, cache) as (where, memory):
        clock(find(where + "/rootfs"), str(entries + 1))
        memory_line(report, "memory-many/stored", memory.peak, 24 * MIB)
    shutil.rmtree(cache)


# --- a far registry

@case("slow-first", "small")
def slow_first(rig, report, image):
    """Mount and one small file, nothing stored, against curl of the layers alone."""
    reference = rig.image(image)
    with rig.slow() as (host, counters):
        far, urls = reference.replace(rig.host, host), rig.layers(image, host=host)

        def ours():
            return first_mount(rig, far, lambda d: "cat %s/etc/os-release > /dev/null" % d)

        contest(report, ROUNDS or 3, ours, [
            ("slow-first-%s" % image, lambda: clock(fetch(urls, "cat > /dev/null")), 1.15)])


@case("slow-share", "small")
def slow_share(rig, report, image):
    """The same where one connection gets 20 Mbit/s of the 100: several must fill the link."""
    reference = rig.image(image)
    with rig.slow("-c", "20") as (host, counters):
        far, urls = reference.replace(rig.host, host), rig.layers(image, host=host)

        def ours():
            return first_mount(rig, far, lambda d: "cat %s/etc/os-release > /dev/null" % d)

        contest(report, ROUNDS or 1, ours, [
            ("slow-share-%s" % image, lambda: clock(fetch(urls, "cat > /dev/null")), 0.4)])


@contextlib.contextmanager
def stored_indexes(rig, reference):
    """A call that gives a copy of a store that has the indexes of REFERENCE, its data not."""
    cache = rig.path("cache")
    with rig.mounted(reference, cache) as where:
        clock(find(where + "/rootfs"))
    for folder, _, names in os.walk(cache):
        for name in {"data", "spans"} & set(names):
            os.unlink(os.path.join(folder, name))

    @contextlib.contextmanager
    def copied():
        copy = rig.path("cache")
        shutil.copytree(cache, copy)
        try:
            yield copy
        finally:
            shutil.rmtree(copy)
    yield copied
    shutil.rmtree(cache)


@contextlib.contextmanager
def index_only(rig, reference):
    """A call that mounts REFERENCE's image, from any host, with its indexes stored, data not."""
    @contextlib.contextmanager
    def mounted(far, options=()):
        with copied() as copy, rig.mounted(far, copy, options) as where:
            yield where
    with stored_indexes(rig, reference) as copied:
        yield mounted


@case("slow-resolve", "small")
def slow_resolve(rig, report, image):
    """Layers stored, documents not: a mount is 4 round trips, that of the connection being one."""
    reference, cache, rounds = rig.image(image), rig.path("cache"), []
    with rig.mounted(reference, cache, ["wait"]):
        pass
    with rig.slow() as (host, counters):
        for _ in range(ROUNDS or 3):
            for folder in ("documents", "names"):
                shutil.rmtree(os.path.join(cache, folder), ignore_errors=True)
            counters()
            with rig.mounted(reference.replace(rig.host, host), cache):
                rounds.append(counters()["rounds"])
    shutil.rmtree(cache)
    report.line("slow-resolve-%s" % image, max(rounds), 4, max(rounds) / 4, 1.0, unit=" ")


@case("slow-cat", "small")
def slow_cat(rig, report, image):
    """Index stored, data not: 3 round trips and one span (1 MiB of output)."""
    reference, path = rig.image(image), five_kb(rig, image)
    ours, theirs, spans = [], [], []
    with rig.slow() as (host, counters), index_only(rig, reference) as mounted:
        for _ in range(ROUNDS or 5):
            with mounted(reference.replace(rig.host, host)) as where:
                clock("ls -l %s/rootfs/%s" % (where, path))
                counters()
                ours.append(clock("cat %s/rootfs/%s > /dev/null" % (where, path)))
                seen = counters()
            spans.append(seen["down"] / MIB)
            theirs.append(3 * 0.05 + min(seen["down"], MIB) / (100e6 / 8))
    say("slow-cat: %s: %s" % (path, seen))
    report.pairs("slow-cat-%s" % image, ours, theirs, 1.0)
    report.line("slow-cat-%s/bytes" % image, statistics.median(spans), 1.0,
                statistics.median(spans), 1.0, unit="M")


@case("slow-grep", "small")
def slow_grep(rig, report, image):
    """A scan of everything, index stored, data not, against curl of the layers."""
    reference = rig.image(image)
    with rig.slow() as (host, counters), index_only(rig, reference) as mounted:
        urls = rig.layers(image, host=host)

        def ours():
            with mounted(reference.replace(rig.host, host)) as where:
                return clock(grep(where + "/rootfs"), "")

        contest(report, ROUNDS or 3, ours, [
            ("slow-grep-%s" % image, lambda: clock(fetch(urls, "cat > /dev/null")), 1.15)])
