# SPDX-License-Identifier: MIT
"""An image that programs run in, packed from this machine: a shell, a few tools, their
libraries, dpkg's database; and a layer that changes and removes."""
import io
import os
import re
import shutil
import subprocess
import tarfile

from archive import (directory, fifo, file, hardlink, layer, opaque, sparse_pax, symlink,
                     whiteout)

PROGRAMS = "sh dash cat ls touch rm mkdir id true env stat mv ln sha256sum".split()
PACKAGES = ["dash"]


def libraries(paths):
    """The shared libraries of programs, by the names they are asked for, and the loader."""
    found = set()
    for path in paths:
        done = subprocess.run(["ldd", path], capture_output=True, text=True, timeout=30)
        found |= set(re.findall(r"(/\S+) \(0x", done.stdout))
    return found


def package_files(name):
    done = subprocess.run(["dpkg-query", "-L", name], capture_output=True, text=True, timeout=30)
    return [p for p in done.stdout.splitlines() if os.path.isfile(p)]


def resolved(path):
    """With the machine's own links for /bin and /lib followed, but not the last one."""
    return os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))


def base():
    """A tar of the machine's files under the names that they have with a merged /usr."""
    programs = [shutil.which(name) for name in PROGRAMS]
    wanted = {resolved(p) for p in [*programs, *libraries(programs)]}
    for name in PACKAGES:
        wanted |= {resolved(p) for p in package_files(name)}
    info = "/var/lib/dpkg/info/"
    wanted |= {info + n for n in os.listdir(info) if n.split(".")[0].split(":")[0] in PACKAGES}
    wanted |= {"/var/lib/dpkg/status", "/var/lib/dpkg/diversions", "/usr/lib/os-release", "/etc/passwd", "/etc/group"}
    # Where a name is a link, what it leads to is needed too.
    wanted |= {os.path.realpath(p) for p in wanted}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in ("bin", "sbin", "lib", "lib64"):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, "usr/" + name
            tar.addfile(link)
        for path in sorted(wanted):
            tar.add(path, path.lstrip("/"))
    return out.getvalue()


def layers():
    places = [directory(name) for name in ("dev", "proc", "run", "sys", "root", "usr/bin",
                                           "usr/sbin", "etc", "srv", "var/tmp")]
    return [
        layer(*places, directory("tmp", 0o1777), symlink("etc/os-release", "../usr/lib/os-release"),
              directory("srv/old"), file("srv/old/hidden", "needle, but hidden"),
              file("srv/gone", "needle, but gone"), file("srv/kept", "kept\n", uid=1000, gid=1000),
              file("srv/big", b"needle and hay\n" * 300000)),
        base(),
        layer(whiteout("srv/gone"), opaque("srv/old"), file("srv/old/new", "needle\n"),
              hardlink("srv/old/again", "srv/old/new"),
              file("srv/tagged", "x", xattrs={"user.note": "a value", "user.empty": ""}),
              file("srv/setuid", "#!/bin/sh\n", mode=0o4755), fifo("srv/pipe"),
              symlink("srv/nowhere", "not/there"), file("srv/a b\nc", "odd name"),
              file("srv/caps", "x", mode=0o755, xattrs={
                  "security.capability": bytes.fromhex("0100000200040000000000000000000000000000")}),
              sparse_pax("srv/sparse", [(1 << 20, b"data" * 1024)], 8 << 20, "1.0")),
    ]
