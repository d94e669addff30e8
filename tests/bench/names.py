# SPDX-License-Identifier: MIT
"""Whole registries: images side by side in one mount, and names by the thousand."""
import concurrent.futures
import contextlib
import json
import os
import shutil
import subprocess
import sys

from basics import ROUNDS, case, find, memory_line, settle
from rig import HERE, MIB, Failed, clock, contest, say, shell

sys.path.insert(0, HERE + "/../e2e")

import archive
import layout
import registry as registry_of

TAGS = 10000
# Visited in one mount; PEELFS_VISITS for a shorter look.
VISITS = int(os.environ.get("PEELFS_VISITS") or 2000)


def diff(one, other):
    """diff -rq counts; that they differ is no failure, trouble is."""
    return ("{ diff -rq --no-dereference %s %s || [ $? = 1 ]; } | grep -v 'special file' | wc -l"
            % (one, other))


@case("names-diff", "big")
def names_diff(rig, report, image):
    """Two images that differ in one layer of 14 KB."""
    old = rig.image(image)
    rig.image(image, "next")
    cache = rig.path("cache")
    plain = diff(rig.tree(image), rig.tree(image, "next"))
    want = shell(plain).strip()

    def ours(where):
        return diff("%s/%s/latest/rootfs" % (where, image), "%s/%s/next/rootfs" % (where, image))

    def from_nothing(source, work):
        cache = rig.path("cache")
        settle()
        try:
            with rig.mountpoint() as where:
                return clock("%s && %s" % (rig.command(source, where, cache), work(where)))
        finally:
            shutil.rmtree(cache, ignore_errors=True)

    with rig.mounted(rig.host + "/", cache) as where:
        for _ in range(2):
            clock(ours(where), want)
            clock(plain, want)
        contest(report, ROUNDS or 9, lambda: clock(ours(where), want),
                [("names-diff-%s/warm" % image, lambda: clock(plain, want), 0.05)])
    shutil.rmtree(cache)
    rig.forget_tree(image, "next")
    contest(report, ROUNDS or 3, lambda: from_nothing(rig.host + "/", ours), [
        ("names-diff-%s/first" % image,
         lambda: from_nothing(old, lambda where: find(where + "/rootfs")), 1.1)])


@case("names-find", "big", "node")
def names_find(rig, report, image):
    """The store has all, the kernel nothing; and again when the kernel has it too."""
    reference, cache = rig.image(image), rig.path("cache")
    with rig.mounted(reference, cache) as where:
        want = shell(find(where + "/rootfs")).strip()

    def once(source, root, colds, warms):
        with rig.mounted(source, cache) as where:
            work = "cd %s/%s && %s" % (where, root, find("."))  # names of one length
            clock("ls %s/%s/ > /dev/null" % (where, root))
            colds.append(clock(work, want))
            warms += [clock(work, want) for _ in range(3)]

    through, single = ([], []), ([], [])
    for _ in range(ROUNDS or 11):
        once(rig.host + "/", "%s/latest/rootfs" % image, *through)
        once(reference, "rootfs", *single)
    # 5 % is less than what a busy machine adds to most runs: so the best of each.
    for name, ours, theirs in zip(("", "/warm"), map(min, through), map(min, single)):
        report.line("names-find-%s%s" % (image, name), ours, theirs, ours / theirs, 1.05)
    shutil.rmtree(cache)


@contextlib.contextmanager
def tag_server():
    """A registry whose repositories all have TAGS tags, in pages."""
    process = subprocess.Popen([HERE + "/tagserver", str(TAGS)], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, text=True)
    try:
        yield "127.0.0.1:" + process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


@case("names-ls", "tags")
def names_ls(rig, report, image):
    """A listing of 10,000 tags, against curl of the same pages, behind the slow link; each round
    a repository that was not seen yet."""
    with tag_server() as server, rig.slow(server=server) as (host, counters):
        with rig.mounted(host + "/") as where:
            clock("ls %s/first > /dev/null" % where)
            counters()
            shell("ls %s/count > /dev/null" % where)
            pages = counters()["bursts"]
            rounds = iter(range(1000))

            def ours():
                return clock("ls %s/r%d | wc -l" % (where, next(rounds)), str(TAGS))

            def theirs():
                # The pages are of the size that was asked for, and one connection has them all.
                size = -(-TAGS // max(1, pages))
                urls = " ".join("'http://%s/v2/r/tags/list?n=%d&last=t%05d'" % (host, size, at - 1)
                                for at in range(0, TAGS, size))
                return clock("curl -sf %s | grep -o '\"t[0-9]*\"' | wc -l" % urls, str(TAGS))

            contest(report, ROUNDS or 5, ours, [("names-ls-10000", theirs, 1.2)])
    if pages < 2:
        raise Failed("%d pages: the tags were not asked for in pages" % pages)


def tiny_images(images, registry, count):
    """Pushes so many, ten in a repository: a base that all share, and two layers of their own.
    Every fifth is an image for two platforms."""
    base = images.layer(archive.layer(*[archive.file("usr/%d/%d" % (i % 7, i), b"%d" % i * 500)
                                        for i in range(60)]))
    registry_has = set()

    def push(number):
        own = [archive.layer(archive.file("%s/%d" % (folder, number), b"%d" % number))
               for folder in ("etc", "opt")]
        name = "team/app%d" % (number // 10)
        places = [layout.HOST, ("linux", "s390x", "")] if number % 5 == 0 else [layout.HOST]
        manifests = [images.manifest([base, *own], where=where) for where in places]
        for manifest in manifests:
            document = json.loads(images.read(manifest))
            for blob in [document["config"], *document["layers"]]:
                if (name, blob["digest"]) not in registry_has:
                    registry.put_blob(name, images.read(blob))
                    registry_has.add((name, blob["digest"]))
            registry.put_manifest(name, manifest["digest"], images.read(manifest),
                                  manifest["mediaType"])
        top = images.index(zip(manifests, places)) if len(places) > 1 else manifests[0]
        registry.put_manifest(name, "v%d" % (number % 10), images.read(top), top["mediaType"])
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(push, range(count)))


@case("names", "memory")
def names_memory(rig, report, image):
    """Anonymous memory of the daemon at its peak, while each of many images is looked through:
    every name in its tree, and every byte of its files."""
    place, cache = rig.path("registry"), rig.path("cache")
    os.mkdir(place)
    images = layout.Layout(place + "/layout")
    with registry_of.running(place) as registry:
        say("making %d images" % VISITS)
        tiny_images(images, registry, VISITS)
        with rig.watched(registry.host + "/", cache) as (where, memory):
            for number in range(VISITS):
                top = "%s/team/app%d/v%d" % (where, number // 10, number % 10)
                clock("find %s/ > /dev/null && cat %s/etc/%d && tar -cf - -C %s rootfs | wc -c > "
                      "/dev/null" % (top, top + "/rootfs", number, top), str(number))
            seen = rig.status(where)["images"]["seen"]
            if seen < VISITS:
                raise Failed("%d images were seen" % seen)
            memory_line(report, "names-memory/%d" % VISITS, memory.peak, 128 * MIB)
    shutil.rmtree(cache)
    shutil.rmtree(place)
