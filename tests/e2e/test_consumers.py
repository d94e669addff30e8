# SPDX-License-Identifier: MIT
"""What programs of other kinds take for a normal file system: 32-bit ones, and those that copy
extended attributes, map owners, or ask for what a tree does not have."""
import contextlib
import ctypes
import errno
import functools
import os
import platform
import struct
import subprocess

import pytest

import engines
import generate
import test_podman
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


# Idmapped mounts

OPEN_TREE, MOUNT_SETATTR = 428, 442
KERNEL = tuple(int(n) for n in os.uname().release.split("-")[0].split(".")[:2])


def system_call(number, *arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    result = libc.syscall(number, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


@contextlib.contextmanager
def idmapped(path):
    """A descriptor of a copy of the mount where 0 is 100000."""
    with contextlib.ExitStack() as stack:
        child = subprocess.Popen(["unshare", "-U", "sh", "-c", "echo; exec cat"],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        stack.callback(child.communicate)
        child.stdout.readline()
        for name in ("uid_map", "gid_map"):
            with open("/proc/%d/%s" % (child.pid, name), "w") as f:
                f.write("0 100000 65536")
        space = os.open("/proc/%d/ns/user" % child.pid, os.O_RDONLY)
        stack.callback(os.close, space)
        fd = system_call(OPEN_TREE, -100, os.fsencode(path), 1 | os.O_CLOEXEC)
        stack.callback(os.close, fd)
        attributes = struct.pack("QQQQ", 0x100000, 0, 0, space)
        system_call(MOUNT_SETATTR, fd, b"", 0x1000, attributes, len(attributes))
        yield fd


OWNERS = [layer(directory("d", uid=7, gid=8), file("d/f", "one", uid=5, gid=6, mode=0o600),
                file("high", "x", uid=70000))]


@pytest.mark.parametrize("options", [("default_permissions",), ("allow_other",), ("erofs",)])
def test_idmapped(images, options):
    with mount(images.image(OWNERS), "layout=rootfs", *options) as m:
        try:
            with idmapped(m.path) as fd:
                of = {name: os.stat(name, dir_fd=fd) for name in ("d", "d/f", "high")}
                assert (of["d"].st_uid, of["d"].st_gid) == (100007, 100008)
                assert (of["d/f"].st_uid, of["d/f"].st_gid) == (100005, 100006)
                assert of["high"].st_uid == 65534
                opener = functools.partial(os.open, dir_fd=fd)
                assert open("d/f", opener=opener).read() == "one"
        except OSError as e:
            assert e.errno == errno.EINVAL and "erofs" not in options and KERNEL < (6, 12)
        assert os.stat(m.path + "/d/f").st_uid == 5


def test_not_idmapped(images):
    """Where the file system itself lets its user read everything, there is nothing to map."""
    with mount(images.image(OWNERS), "layout=rootfs") as m:
        with pytest.raises(OSError) as e, idmapped(m.path):
            pass
        assert e.value.errno == errno.EINVAL


bootable = test_podman.bootable


@pytest.mark.limit(120)
def test_podman_with_user_namespace(bootable):
    """podman maps the owners of each layer of the store; an older kernel refuses that."""
    with test_podman.store(bootable, "allow_other") as m, engines.podman(m.path) as podman:
        done = podman.call("run", "--rm", "--pull=never", "--uidmap", "0:100000:65536", bootable,
                           "sh", "-c", "cat /proc/self/uid_map; ls -ln /srv/kept")
        if KERNEL < (6, 12):
            assert "mapped mount" in done.stderr
        else:
            words = done.stdout.split()
            assert words[:3] == ["0", "100000", "65536"], done.stderr
            assert words[5:7] == ["1000", "1000"] and done.returncode == 0


# "None" as an answer about extended attributes

PLAIN = directory("d"), file("d/f", "one"), symlink("s", "d/f")
WITH = *PLAIN, file("x", "two", xattrs={"user.a": "1"})


@pytest.mark.parametrize("files", [PLAIN, WITH], ids=["none", "some"])
def test_copies_with_xattrs(images, tmp_path, files):
    with mount(images.image([layer(*files)]), "layout=rootfs") as m:
        for name, command in (("cp", ["cp", "-a", m.path + "/.", "cp"]),
                              ("rsync", ["rsync", "-aXA", m.path + "/", "rsync"]),
                              ("tar", ["tar", "--xattrs", "--acls", "--selinux", "-cf", "tar.tar",
                                       "-C", m.path, "."]),
                              ("bsdtar", ["bsdtar", "-cf", "bsdtar.tar", "-C", m.path, "."])):
            (tmp_path / name).mkdir()
            done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30)
            assert done.returncode == 0, (name, done.stderr)
            if name.endswith("tar"):
                subprocess.run(["tar", "--xattrs", "-xf", name + ".tar", "-C", name], cwd=tmp_path,
                               check=True)
            # tar says that there are none (the manual does, too)
            if name != "tar" or files is WITH:
                assert done.stderr == "", (name, done.stderr)
            assert (tmp_path / name / "d/f").read_text() == "one"
            assert os.readlink(tmp_path / name / "s") == "d/f"
            if files is WITH:
                assert os.listxattr(tmp_path / name / "x") == ["user.a"]


@pytest.mark.parametrize("files", [PLAIN, WITH], ids=["none", "some"])
def test_overlay(images, tmp_path, files):
    """overlayfs asks for its own attributes, and copies all others."""
    with mount(images.image([layer(*files)]), "layout=rootfs", "allow_other") as m, \
            contextlib.ExitStack() as stack:
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", tmp_path], check=True)
        stack.callback(subprocess.run, ["umount", "-l", tmp_path], check=True)
        for name in ("upper", "work", "all"):
            (tmp_path / name).mkdir()
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o",
                        "lowerdir=%s,upperdir=upper,workdir=work" % m.path, "all"],
                       check=True, cwd=tmp_path)
        stack.callback(subprocess.run, ["umount", "-l", tmp_path / "all"], check=True)
        (tmp_path / "all/d/f").chmod(0o600)
        (tmp_path / "all/d/g").write_text("new")
        (tmp_path / "all/s").unlink()
        assert (tmp_path / "upper/d/f").read_text() == "one"
        if files is WITH:
            (tmp_path / "all/x").chmod(0o600)
            assert os.getxattr(tmp_path / "upper/x", "user.a") == b"1"
