# SPDX-License-Identifier: MIT
"""peelctl run: from the command to its end."""
import os
import shutil

from basics import ROUNDS, case
from rig import clock, contest

NOBODY = 65534
# By an ordinary user, with /dev/fuse as udev makes it.
AS_NOBODY = ("unshare -m sh -euc 'mknod -m 666 {0}/fuse c 10 229; mount --bind {0}/fuse /dev/fuse; "
             "rm -f {0}/fuse; exec setpriv --reuid {1} --regid {1} --clear-groups \"$@\"' sh {2}")


@case("run-true", "small")
def run_true(rig, report, image):
    """Limit: 0.2 s with the store warm."""
    reference, place = rig.image(image), rig.path("run")
    os.mkdir(place)
    os.chmod(rig.work, 0o711)
    for program in ("peelfs", "peelctl"):
        shutil.copy(os.path.join(rig.build, program), place)
    os.mkdir(place + "/cache")
    os.chown(place + "/cache", NOBODY, NOBODY)
    command = AS_NOBODY.format(place, NOBODY, "%s/peelctl run -o cache_dir=%s/cache %s true" % (
        place, place, reference))
    clock(command, "")
    contest(report, ROUNDS or 9, lambda: clock(command, ""),
            [("run-true-%s" % image, lambda: 0.2, 1.0)])
    shutil.rmtree(place)
