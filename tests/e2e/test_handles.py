# SPDX-License-Identifier: MIT
"""File handles (name_to_handle_at(2)), as an NFS server or fanotify keeps them."""
import ctypes
import os

import pytest

from archive import directory, file, layer, symlink
from mounting import mount

libc = ctypes.CDLL(None, use_errno=True)
SIZE = 128  # MAX_HANDLE_SZ
AT_FDCWD = -100


class Handle(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint), ("type", ctypes.c_int), ("data", ctypes.c_char * SIZE)]


def handle_of(path):
    handle = Handle(size=SIZE)
    number = ctypes.c_int()
    if libc.name_to_handle_at(AT_FDCWD, os.fsencode(path), ctypes.byref(handle),
                              ctypes.byref(number), 0) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path)
    return handle


def open_handle(top, handle, flags):
    fd = libc.open_by_handle_at(top, ctypes.byref(handle), flags)
    if fd < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return fd


def forget():
    with open("/proc/sys/vm/drop_caches", "w") as f:
        f.write("2")


@pytest.fixture
def source(images):
    return images.image([
        layer(directory("d"), directory("d/e"), *(file("d/e/f%d" % i, str(i)) for i in range(200)),
              symlink("l", "d")),
        layer(directory("d"), file("d/g", "upper"))])


@pytest.mark.parametrize("option", ["layout=image", "layout=rootfs"])
def test_handles_stay(source, option):
    """After the kernel has forgotten every inode, each opens what it opened before."""
    with mount(source, option) as m:
        kept = []
        for where, dirs, files in os.walk(m.path):
            for name in dirs + files:
                path = os.path.join(where, name)
                if "status.json" not in name and not os.path.islink(path):
                    kept.append((path, os.stat(path), handle_of(path)))
        assert len(kept) > 200
        top = os.open(m.path, os.O_RDONLY)
        for _ in range(2):
            forget()
            for path, st, handle in kept:
                fd = open_handle(top, handle, os.O_RDONLY)
                again = os.fstat(fd)
                assert (again.st_ino, again.st_size) == (st.st_ino, st.st_size), path
                if os.path.isfile(path):
                    with open(path, "rb") as f:
                        assert os.pread(fd, 1 << 20, 0) == f.read(), path
                else:
                    assert sorted(os.listdir(fd)) == sorted(os.listdir(path)), path
                os.close(fd)
        os.close(top)


def test_path_of_a_handle(source):
    """The kernel connects a directory to the top by \"..\"."""
    with mount(source) as m:
        handle = handle_of(m.at("d", "e"))
        top = os.open(m.path, os.O_RDONLY)
        forget()
        fd = open_handle(top, handle, os.O_RDONLY)
        assert os.readlink("/proc/self/fd/%d" % fd) == m.at("d", "e")
        os.close(fd)
        os.close(top)
