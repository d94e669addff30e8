# SPDX-License-Identifier: MIT
"""What the benchmarks share: how they are registered, and the work that they time."""
import functools
import os
import shutil

from rig import MIB, clock, shell

ROUNDS = int(os.environ.get("PEELFS_ROUNDS") or 0)
NOWHERE = "a string that is in no file " + "x"    # in two pieces: not in this file either
CASES = {}


def case(prefix, *images):
    """Registers a function (rig, report, image) under PREFIX-IMAGE for each of IMAGES."""
    def keep(function):
        for image in images:
            CASES["%s-%s" % (prefix, image)] = functools.partial(function, image=image)
        return function
    return keep


def grep(where):
    """grep stops early when its output is /dev/null, so a pipe; and it must find nothing."""
    return "{ LC_ALL=C grep -r -a -F %r %s || [ $? = 1 ]; } | cat" % (NOWHERE, where)


def find(where):
    return "find %s | wc -l" % where


def fetch(urls, what):
    """One process per layer, in parallel; fails when one of them does."""
    each = " & p+=($!); ".join("curl -sf %s | %s" % (url, what) for url in urls)
    return "p=(); %s & p+=($!); for i in ${p[@]}; do wait $i || exit 1; done" % each


def settle():
    """What earlier rounds wrote is on disk before the clock starts."""
    os.sync()


def first_mount(rig, reference, work, want=None, host_options=()):
    """Seconds from an empty cache to the end of WORK(rootfs), mount included."""
    cache = rig.path("cache")
    settle()
    try:
        with rig.mountpoint() as where:
            return clock("%s && %s" % (rig.command(reference, where, cache, host_options),
                                       work(where + "/rootfs")), want)
    finally:
        shutil.rmtree(cache, ignore_errors=True)


def memory_line(report, name, peak, allowed):
    report.line(name, peak / MIB, allowed / MIB, peak / allowed, 1.0, unit="M")


def five_kb(rig, image):
    """A file of about 5 KB, by its path in the image; always the same one."""
    return shell("cd %s && find $(ls -d usr app 2>&-) -xdev -type f -size 9b -o -type f -size 10b | sort | sed -n 1p"
                  % rig.tree(image)).strip()
