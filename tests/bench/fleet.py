# SPDX-License-Identifier: MIT
"""Many machines, each with an empty store, behind one slow link to the registry.

What is the same for each machine and would take hours for all is measured on FEW and multiplied:
a pull by skopeo, and all that reads whole layers.
"""
import contextlib
import shutil
import statistics
from concurrent.futures import ThreadPoolExecutor

from basics import case, five_kb, grep
from rig import MIB, clock, say, shell

MACHINES = 50
FEW = 2


def with_index(rig, image):
    """The image in a repository of its own, with its indexes beside it: a reference."""
    name = "fleet-" + image
    if (name, "latest") not in rig.pushed:
        rig.image(image)
        reference = "%s/%s:latest" % (rig.host, name)
        shell("skopeo copy -q --preserve-digests --dest-tls-verify=false oci:%s/%s:latest docker://%s" % (
            rig.images, image, reference))
        cache = rig.path("cache")
        say(shell("%s/peelctl index push -o cache_dir=%s %s" % (rig.build, cache, reference)).strip())
        shutil.rmtree(cache)
        rig.pushed.add((name, "latest"))
    return "%s/%s:latest" % (rig.host, name)


def run_fleet(rig, reference, n, work):
    """Mounts on N machines at one time, and WORK(rootfs) on each: seconds until each is done, and
    the bytes that came over the link."""
    with contextlib.ExitStack() as stack:
        host, counters = stack.enter_context(rig.slow())
        far = reference.replace(rig.host, host)
        caches = [rig.path("cache") for _ in range(n)]
        for cache in caches:
            stack.callback(shutil.rmtree, cache, ignore_errors=True)
        places = [stack.enter_context(rig.mountpoint()) for _ in range(n)]
        counters()
        with ThreadPoolExecutor(n) as pool:
            seconds = list(pool.map(lambda at: clock("%s && %s" % (
                rig.command(far, at[0], at[1]), work(at[0] + "/rootfs"))), zip(places, caches)))
        return seconds, counters()["down"]


def pulls(rig, reference):
    """Seconds and bytes of one pull, and so of each."""
    with rig.slow() as (host, counters):
        into = rig.path("pull")
        counters()
        seconds = clock("skopeo copy -q --src-tls-verify=false docker://%s dir:%s" % (
            reference.replace(rig.host, host), into))
        shutil.rmtree(into)
        return seconds, counters()["down"]


@case("fleet-cat", "big")
def fleet_cat(rig, report, image):
    """Mount and one file of 5 KB on 50 machines, against 50 pulls."""
    path = five_kb(rig, image)
    one, came = pulls(rig, rig.image(image))

    def cat(root):
        return "cat %s/%s > /dev/null" % (root, path)
    seconds, bytes_ = run_fleet(rig, with_index(rig, image), MACHINES, cat)
    report.line("fleet-cat-%s/bytes" % image, bytes_ / MIB, MACHINES * came / MIB,
                bytes_ / MACHINES / came, 0.03, unit="M")
    report.line("fleet-cat-%s" % image, max(seconds), MACHINES * one,
                max(seconds) / MACHINES / one, 0.03,
                "  (the median machine: %.2f s)" % statistics.median(seconds))
    seconds, bytes_ = run_fleet(rig, rig.image(image), FEW, cat)
    report.line("fleet-cat-%s/no index" % image, bytes_ / FEW * MACHINES / MIB,
                MACHINES * came / MIB, bytes_ / FEW / came, 1.05,
                "  (%d machines: %.2f s)" % (FEW, max(seconds)), unit="M")


@case("fleet-grep", "big")
def fleet_grep(rig, report, image):
    """Mount and grep of a directory, and of everything, each against the same number of pulls."""
    one, came = pulls(rig, rig.image(image))
    for what, folder, n, limit in (("etc", "/etc", MACHINES, 0.05), ("all", "", FEW, 1.1)):
        seconds, bytes_ = run_fleet(rig, with_index(rig, image), n,
                                    lambda root, folder=folder: grep(root + folder))
        name = "fleet-grep-%s/%s" % (image, what)
        report.line(name, max(seconds), n * one, max(seconds) / n / one, limit,
                    "  (%d machines)" % n)
        report.line(name + " bytes", bytes_ / MIB, n * came / MIB, bytes_ / n / came, limit,
                    unit="M")
    seconds, bytes_ = run_fleet(rig, rig.image(image), FEW, grep)
    report.line("fleet-grep-%s/no index" % image, max(seconds), FEW * one,
                max(seconds) / FEW / one, 1.1, "  (%d machines)" % FEW)
