# SPDX-License-Identifier: MIT
"""What programs of other kinds take for a normal file system: 32-bit ones, and those that copy
extended attributes, map owners, or ask for what a tree does not have."""
import ctypes
import errno
import os
import platform
import struct
import subprocess
import tempfile

import pytest

import generate
from archive import directory, file, hardlink, layer, symlink
from mounting import mount

# Without a C library: stat(2), open(2), getdents(2) and read(2) as of 1995, for each argument.
# Prints the number of stat, and for a directory those of its names; the exit status is an errno.
OLD_PROGRAM = r"""
static long call(long n, long a, long b, long c)
{
	long r;

	__asm__ volatile("int $0x80" : "=a"(r) : "a"(n), "b"(a), "c"(b), "d"(c) : "memory");
	return r;
}

static char list[32768];

int run(long *words)
{
	char **argv = (char **)(words + 1);
	unsigned char st[256];
	long rc, fd, at;

	for (argv++; *argv; argv++) {
		rc = call(106, (long)*argv, (long)st, 0);
		if (rc < 0)
			return -rc;
		call(4, 1, (long)(st + 4), 4);
		fd = call(5, (long)*argv, 0, 0);
		if (fd < 0)
			return -fd;
		while ((rc = call(141, fd, (long)list, sizeof(list))) > 0)
			for (at = 0; at < rc; at += *(unsigned short *)(list + at + 8))
				call(4, 1, (long)(list + at), 4);
		if (rc < 0 && rc != -20)
			return -rc;
		if (rc == -20 && call(3, fd, (long)list, 1) != 1)
			return 200;
		call(6, fd, 0, 0);
	}
	return 0;
}

__asm__(".globl _start\n_start: mov %esp,%eax\npush %eax\ncall run\nmov %eax,%ebx\n"
	"mov $1,%eax\nint $0x80\n");
"""


@pytest.fixture(scope="module")
def old_program(tmp_path_factory):
    if platform.machine() != "x86_64":
        pytest.skip("a machine without 32-bit programs of this kind")
    where = tmp_path_factory.mktemp("old")
    (where / "old.c").write_text(OLD_PROGRAM)
    subprocess.run(["gcc", "-m32", "-O1", "-ffreestanding", "-fno-pie", "-no-pie", "-nostdlib",
                    "-static", "-fno-stack-protector", "-o", where / "old", where / "old.c"],
                   check=True)
    try:
        subprocess.run([where / "old"], check=True)
    except OSError:
        pytest.skip("the kernel runs no 32-bit programs")
    return where / "old"


FILES = [layer(directory("d"), file("d/f", "one"), hardlink("d/g", "d/f"), symlink("s", "d"))]


@pytest.mark.parametrize("options", [(), ("layout=rootfs",), ("ino=unique",)])
def test_32_bit_program(images, old_program, options):
    def run(m):
        top = m.path if "layout=rootfs" in options else m.root
        return top, subprocess.run([old_program, top, top + "/d", top + "/d/f", top + "/s"],
                                   capture_output=True, timeout=30)
    with mount(images.image(FILES), *options) as m:
        assert run(m)[1].returncode == errno.EOVERFLOW
    with mount(images.image(FILES), "ino32", *options) as m:
        top, done = run(m)
        assert done.returncode == 0
        got = struct.unpack("%dI" % (len(done.stdout) // 4), done.stdout)
        of = {name: os.stat(os.path.join(top, name)).st_ino for name in ("", "d", "d/f")}
        assert got[0] == of[""] and of["d"] in got and of["d/f"] in got
        assert os.stat(top + "/d/g").st_ino == of["d/f"]


def numbers(top):
    """{path: st_ino}, and what lists say is the same."""
    found = {}
    for where, _, _ in os.walk(top):
        for entry in os.scandir(where):
            found[os.path.relpath(entry.path, top)] = entry.inode()
            assert os.lstat(entry.path).st_ino == entry.inode()
    return found


def test_short_numbers_are_as_unique(images):
    source = images.image([images.layer(t, "gzip") for t in generate.image(5)])
    with mount(source, "list=once") as m:
        long = numbers(m.path)
    with mount(source, "list=once", "ino32") as m:
        short = numbers(m.path)
    status = ".peelfs/status.json"  # a new one each time
    long.pop(status), short.pop(status)
    assert long.keys() == short.keys() and max(long.values()) >> 32
    assert max(short.values()) < 1 << 32 and min(short.values()) > 1
    assert len(set(short.values())) == len(set(long.values())) == \
        len({(long[name], short[name]) for name in long})
