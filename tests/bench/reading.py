# SPDX-License-Identifier: MIT
"""Images read without a mount, all in the store: peelctl tar and peelctl diff."""
import shutil

from basics import ROUNDS, case, settle
from rig import Failed, clock, contest, shell


def peelctl(rig, command, cache, *words, options=()):
    return "%s/peelctl %s -o %s %s" % (rig.build, command, ",".join(["cache_dir=" + cache, *options]),
                                       " ".join(words))


@case("read-tar", "big", "node")
def read_tar(rig, report, image):
    """To a tar that only lists, against tar of the plain tree on the local disk."""
    reference, tree, cache = rig.image(image), rig.tree(image), rig.path("cache")
    entries = shell("find %s | wc -l" % tree).strip()
    ours = "%s | tar -t | wc -l" % peelctl(rig, "tar", cache, reference)
    theirs = "tar -c -C %s . | tar -t | wc -l" % tree
    for command in (ours, theirs, ours, theirs):
        clock(command, entries)
    settle()
    contest(report, ROUNDS or 9, lambda: clock(ours, entries),
            [("read-tar-%s" % image, lambda: clock(theirs, entries), 1.0)])
    shutil.rmtree(cache)


@case("read-diff", "big")
def read_diff(rig, report, image):
    """Two images that differ in one layer: 0.2 s, and nothing but the references is asked for."""
    references = [rig.image(image), rig.image(image, "next")]
    cache = rig.path("cache")
    command = "%s || [ $? = 1 ]" % peelctl(rig, "diff", cache, *references)
    printed = shell(command).strip()
    offline = "%s || [ $? = 1 ]" % peelctl(rig, "diff", cache, *references, options=["offline"])
    if not printed or shell(offline).strip() != printed:
        raise Failed("offline, %s printed something else" % offline)
    ours = [clock(command, printed) for _ in range(ROUNDS or 9)]
    report.pairs("read-diff-%s" % image, ours, [0.2] * len(ours), 1.0)
    shutil.rmtree(cache)
