# SPDX-License-Identifier: MIT
"""What others make of an image: the trees that peelfs is compared with.

overlay   Each layer is unpacked alone by GNU tar or bsdtar, its markers are turned into what
          overlayfs knows, and the kernel merges. This is what the overlay drivers of
          Docker, containerd and Podman do, with two differences, both on the side of
          the image specification: a whiteout beside a new directory of the same name
          makes that directory opaque, and markers act on lower layers alone, wherever
          they stand. A directory that is only implied gets the metadata of the lower
          layers' one, or is 0755, root's, of the year 1970.
umoci     `umoci unpack`: one tree, layer laid over layer. Follows symlinks of lower
          layers, knows hard links into lower layers.

Where they say nothing or something else than DESIGN "The merge", the tests that
use them leave the case out, and have a tree written by hand instead.
"""
import contextlib
import decimal
import io
import os
import shutil
import stat
import subprocess
import tarfile

from archive import as_bytes

WH = b".wh."
OPAQUE = b".wh..wh..opq"


def run(*command, **more):
    done = subprocess.run(command, capture_output=True, timeout=120, **more)
    assert done.returncode == 0, (command, done.stderr.decode(errors="replace"))
    return done.stdout


def untar(tar, into, tool):
    if tool == "bsdtar":
        run("bsdtar", "-x", "-f", "-", "-C", into, "-p", "--same-owner", "--numeric-owner",
            "--xattrs", "-P", input=tar)
    else:
        run("tar", "-x", "-f", "-", "-C", into, "-p", "--same-owner", "--numeric-owner",
            "--xattrs", "--xattrs-include=*", "--absolute-names",
            "--warning=no-unknown-keyword", "--warning=no-timestamp", input=tar)


def explicit_dirs(tar, top):
    """The directories under `top` that the archive has entries for, and their times."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(tar), errors="surrogateescape") as t:
        for member in t:
            if member.isdir():
                path = os.path.normpath(os.path.join(top, os.fsencode(member.name)))
                if path != top:
                    head, base = os.path.split(path)
                    path = os.path.join(os.path.realpath(head), base)
                text = member.pax_headers.get("mtime", member.mtime)
                found[path] = int(decimal.Decimal(text) * 10 ** 9)
    return found


def make_upper(top, explicit, lower):
    """Turns an unpacked layer into an overlayfs layer. `lower` is the merged tree below
    it, or None."""
    # (directory, the directory below it that it merges with or None, is it opaque)
    todo = [(top, lower, False)]
    while todo:
        path, below, is_opaque = todo.pop()
        if below is not None and (os.path.islink(below) or not os.path.isdir(below)):
            below = None
        names = os.listdir(path)
        markers = {n for n in names if n.startswith(WH)}
        replaced = set()
        for name in markers:
            os.unlink(os.path.join(path, name))
        for name in markers - {OPAQUE}:
            gone = name[len(WH):]
            if gone not in names and below is not None:
                os.mknod(os.path.join(path, gone), stat.S_IFCHR, os.makedev(0, 0))
            replaced.add(gone)
        if OPAQUE in markers or is_opaque:
            os.setxattr(path, "trusted.overlay.opaque", b"y")
        if path in explicit:
            # Unpackers lose it when entries of a directory are not in one run.
            os.utime(path, ns=(explicit[path],) * 2)
        else:
            imply(path, below)
        if OPAQUE in markers:
            below = None
        for name in set(names) - markers:
            child = os.path.join(path, name)
            if stat.S_ISDIR(os.lstat(child).st_mode):
                none_below = below is None or name in replaced
                todo.append((child, None if none_below else os.path.join(below, name),
                             name in replaced))


def imply(path, below):
    """Gives an implied directory the metadata of the one below it."""
    if below is None:
        os.chown(path, 0, 0)
        os.chmod(path, 0o755)
        os.utime(path, ns=(0, 0))
        return
    st = os.lstat(below)
    for name in os.listxattr(below):
        if not name.startswith("trusted.overlay."):
            os.setxattr(path, name, os.getxattr(below, name))
    os.chown(path, st.st_uid, st.st_gid)
    os.chmod(path, stat.S_IMODE(st.st_mode))
    os.utime(path, ns=(st.st_mtime_ns, st.st_mtime_ns))


@contextlib.contextmanager
def merged(work, names):
    """The overlayfs of layer directories in `work`, base first."""
    if not os.path.isdir(os.path.join(work, "none")):
        os.mkdir(os.path.join(work, "none"))
    at = os.path.join(work, "merged")
    os.makedirs(at, exist_ok=True)
    # Relative names, for the option's length is one page.
    lower = ":".join(list(reversed(names)) + ["none"])
    run("mount", "-t", "overlay", "overlay", "-o", "ro,lowerdir=" + lower, at, cwd=work)
    try:
        yield as_bytes(at)
    finally:
        run("umount", at)


@contextlib.contextmanager
def overlay(layers, work, tool="tar"):
    """The merged tree of layers given as tar bytes, unpacked by "tar" or "bsdtar"."""
    work = str(work)
    os.makedirs(work)
    names = []
    try:
        for i, tar in enumerate(layers):
            name = str(i)
            top = os.path.join(work, name)
            os.mkdir(top)
            untar(tar, top, tool)
            top = as_bytes(top)
            explicit = explicit_dirs(tar, top)
            with merged(work, names) if names else contextlib.nullcontext() as lower:
                hides_all = os.path.exists(os.path.join(top, OPAQUE))
                make_upper(top, explicit, lower)
            # The kernel does not ask whether a layer's root is opaque.
            names = [name] if hides_all else names + [name]
        with merged(work, names) as at:
            yield at
    finally:
        shutil.rmtree(work)


@contextlib.contextmanager
def umoci(source, work):
    """The tree that `umoci unpack` makes of oci:DIR:TAG."""
    image = source[len("oci:"):]
    work = str(work)
    run("umoci", "unpack", "--image", image, work)
    try:
        yield as_bytes(os.path.join(work, "rootfs"))
    finally:
        shutil.rmtree(work)
