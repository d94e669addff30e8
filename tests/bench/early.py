# SPDX-License-Identifier: MIT
"""What is there before the layers are: a mount and a document, the first walk, one file."""
import shutil
import statistics

from basics import ROUNDS, case, find, first_mount
from plain import stored_indexes
from rig import MIB, Failed, clock, say, shell


@case("early-config", "big")
def early_config(rig, report, image):
    """Mount and read the config, nothing stored: 4 round trips and 64 KiB, whatever the size of
    the layers, which are not asked for."""
    reference, rounds, came = rig.image(image), [], []
    with rig.slow() as (host, counters):
        for _ in range(ROUNDS or 5):
            cache = rig.path("cache")
            with rig.mountpoint() as where:
                counters()
                clock("%s && cat %s/config.json > /dev/null" % (
                    rig.command(reference.replace(rig.host, host), where, cache), where))
                seen = counters()
                states = {layer["state"] for layer in rig.status(where)["layers"]}
            if states != {"waiting"}:
                raise Failed("the layers are %s" % states)
            rounds.append(seen["rounds"])
            came.append(seen["down"] / 1024)
            shutil.rmtree(cache)
    say("early-config: %s" % seen)
    report.line("early-config-%s" % image, max(rounds), 4, max(rounds) / 4, 1.0, unit=" ")
    report.line("early-config-%s/bytes" % image, max(came), 64, max(came) / 64, 1.0, unit="K")


@case("early-find", "small", "big")
def early_find(rig, report, image):
    """Mount and the first walk, nothing stored: the same as with -o wait."""
    reference, times = rig.image(image), {(): [], ("wait",): []}
    for turn in range(ROUNDS or 9):
        for options in sorted(times, reverse=turn % 2):
            times[options].append(first_mount(rig, reference, find, host_options=options))
    # 5 % is less than what a busy machine adds to most runs: so the best of each.
    ours, theirs = map(min, times.values())
    report.line("early-find-%s" % image, ours, theirs, ours / theirs, 1.05)


@case("early-cat", "small")
def early_cat(rig, report, image):
    """peelctl cat of a small file, index stored, data not: 3 round trips and one span (1 MiB of
    output)."""
    reference, rounds, came = rig.image(image), [], []
    with rig.slow() as (host, counters), stored_indexes(rig, reference) as copied:
        far = reference.replace(rig.host, host)
        for _ in range(ROUNDS or 5):
            with copied() as cache:
                counters()
                text = shell("%s/peelctl cat -o cache_dir=%s %s etc/os-release" % (
                    rig.build, cache, far))
                seen = counters()
            if "PRETTY_NAME" not in text:
                raise Failed("peelctl cat printed %.200r" % text)
            rounds.append(seen["rounds"])
            came.append(seen["down"] / MIB)
    say("early-cat: %s" % seen)
    report.line("early-cat-%s" % image, max(rounds), 3, max(rounds) / 3, 1.0, unit=" ")
    report.line("early-cat-%s/bytes" % image, statistics.median(came), 1.0,
                statistics.median(came), 1.0, unit="M")
