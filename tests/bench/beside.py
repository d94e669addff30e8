# SPDX-License-Identifier: MIT
"""Indexes beside an image in its registry, as `peelctl index push` puts them there: their size,
one file and a walk from nothing."""
import re
import shutil
import statistics

from basics import ROUNDS, case, find, five_kb, settle
from rig import MIB, clock, say, shell


def pushed(rig, name):
    """The image in a repository of its own, so that others are streamed: a reference, and what
    the push said."""
    rig.image(name)
    copy = "%s/%s-pushed:latest" % (rig.host, name)
    shell("skopeo copy -q --src-tls-verify=false --dest-tls-verify=false docker://%s/%s:latest "
          "docker://%s" % (rig.host, name, copy))
    cache = rig.path("cache")
    said = shell("%s/peelctl index push -o cache_dir=%s %s" % (rig.build, cache, copy))
    shutil.rmtree(cache)
    return copy, said


@case("pushed-size", "small", "big", "node")
def pushed_size(rig, report, image):
    """Against the compressed layers: 1.5 %."""
    _, said = pushed(rig, image)
    ours = float(re.search(r"([\d.]+) KiB for", said)[1]) / 1024
    theirs = sum(layer["size"] for layer in rig.manifest(image)["layers"]) / MIB
    report.line("pushed-size-%s" % image, ours, theirs, ours / theirs, 0.015, unit="M")


def far_cat(rig, reference, path, work="true"):
    """Nothing stored: seconds of a mount, a cat and WORK(where), counters, and the status."""
    cache = rig.path("cache")
    with rig.slow() as (host, counters):
        with rig.mountpoint() as where:
            counters()
            seconds = clock("%s && cat %s/rootfs/%s > /dev/null && %s" % (
                rig.command(reference.replace(rig.host, host), where, cache), where, path,
                work.format(where=where)))
            seen, layers = counters(), rig.status(where)["layers"]
    shutil.rmtree(cache)
    return seconds, seen, layers


@case("pushed-cat", "small", "node", "big")
def pushed_cat(rig, report, image):
    """Nothing stored: mount and one file of 5 KB. 7 round trips; the indexes and one span, which
    is about 1 MiB of output."""
    reference, said = pushed(rig, image)
    indexes = float(re.search(r"([\d.]+) KiB for", said)[1]) / 1024
    seconds, rounds, came = [], [], []
    for _ in range(ROUNDS or 5):
        one, seen, layers = far_cat(rig, reference, five_kb(rig, image))
        seconds.append(one)
        rounds.append(seen["rounds"])
        came.append(seen["down"] / MIB)
    median = statistics.median
    say("pushed-cat-%s: %s, %d spans" % (image, seen, sum(d["spansRead"] for d in layers)))
    report.line("pushed-cat-%s" % image, median(rounds), 7, median(rounds) / 7, 1.0,
                "  (%.2f s)" % median(seconds), unit=" ")
    allowed = indexes + 1.0
    report.line("pushed-cat-%s/bytes" % image, median(came), allowed, median(came) / allowed, 1.0,
                unit="M")


@case("pushed-find", "big")
def pushed_find(rig, report, image):
    """Nothing stored: mount, a file and a walk, against the same of a streamed image."""
    reference, _ = pushed(rig, image)
    plain, ratios = rig.image(image), []
    walk = find("{where}/rootfs")
    for _ in range(ROUNDS or 3):
        settle()
        ours, _, _ = far_cat(rig, reference, five_kb(rig, image), walk)
        theirs, _, _ = far_cat(rig, plain, five_kb(rig, image), walk)
        ratios.append((ours / theirs, ours, theirs))
    ratio, ours, theirs = sorted(ratios)[len(ratios) // 2]
    report.line("pushed-find-%s" % image, ours, theirs, ratio, 0.15)


PROGRAM = "chroot {where}/rootfs python3 -Bc 'import json'"


def start_program(rig, reference):
    """Nothing stored: seconds from the mount to the end of PROGRAM,
    and counters."""
    cache = rig.path("cache")
    with rig.slow() as (host, counters):
        with rig.mountpoint() as where:
            settle()
            seconds = clock("%s && %s" % (
                rig.command(reference.replace(rig.host, host), where, cache),
                PROGRAM.format(where=where)))
            seen = counters()
    shutil.rmtree(cache)
    return seconds, seen


@case("trace-start", "big")
def trace_start(rig, report, image):
    """A program that starts from nothing, with an index beside the image: with the list of what
    it reads (peelctl index push --trace) and without."""
    plain, _ = pushed(rig, image)
    traced = plain.replace("-pushed", "-traced")
    shell("skopeo copy -q --src-tls-verify=false --dest-tls-verify=false docker://%s docker://%s"
          % (plain, traced))
    cache = rig.path("cache")
    shell("%s/peelctl index push -o cache_dir=%s %s" % (rig.build, cache, traced))
    shutil.rmtree(cache)
    with rig.mounted(traced, cache) as where:
        shell(PROGRAM.format(where=where))
        say(shell("%s/peelctl index push --trace -o cache_dir=%s %s" % (
            rig.build, cache, where)).strip())
    shutil.rmtree(cache)
    ours, theirs = [], []
    for _ in range(ROUNDS or 5):
        seconds, with_it = start_program(rig, traced)
        ours.append(seconds)
        seconds, without = start_program(rig, plain)
        theirs.append(seconds)
    say("trace-start-%s: %s, without %s" % (image, with_it, without))
    report.pairs("trace-start-%s" % image, ours, theirs, 0.7)
