# SPDX-License-Identifier: MIT
"""-o erofs: the kernel's EROFS at the mount point, over a mount that is attached nowhere."""
import contextlib
import os
import pwd
import random
import signal
import stat
import subprocess
import time

import pytest

import badregistry
import tree
from archive import char, directory, file, layer, symlink
from mounting import (PEELCTL, PEELFS, SANITIZED, environment, eventually, foreground, is_mounted,
                      mount, run, unmount)
import test_lazy
from test_artifacts import Artifacts
from test_erofs import ALL_KINDS, has_form, lacks

OPTIONS = ("layout=rootfs", "erofs")
DATA = random.Random(1).randbytes(3 << 20)
IMAGE = [layer(directory("d"), file("d/f", "one"), file("su", "x", mode=0o4755), char("null", 1, 3),
               symlink("s", "d/f")), layer(file("d/g", DATA))]
LINKS = "/run/peelfs"


@pytest.fixture(autouse=True)
def has_erofs():
    if lacks().startswith("the kernel has no"):
        pytest.skip(lacks())


def ctl(*words, **more):
    return run(*words, program=PEELCTL, **more)


def kind_of(path):
    """[type, source, options] at a mount point."""
    with open("/proc/mounts") as f:
        found = [line.split(" ") for line in f if line.split(" ")[1] == path]
    assert len(found) == 1, found
    return found[0][2], found[0][0], found[0][3].split(",")


def link_of(path):
    number = os.stat(path).st_dev
    return "%s/%d:%d" % (LINKS, os.major(number), os.minor(number))


def test_same_tree(images):
    source = images.image([ALL_KINDS])
    with mount(source) as m:
        want = tree.dump(m.root)
    for fields in want.values():
        fields["xattrs"] = has_form(fields["xattrs"])
    with mount(source, *OPTIONS) as m:
        tree.assert_same(want, tree.dump(m.path))


def test_how_it_is_mounted(registry, images):
    source = registry.push(images.image(IMAGE), "erofs/mount")
    with mount(source, *OPTIONS) as m:
        kind, name, options = kind_of(m.path)
        assert (kind, name) == ("erofs", source)
        assert {"ro", "nosuid", "nodev"} <= set(options)
        with pytest.raises(PermissionError):
            open(os.path.join(m.path, "null"))
    with mount(source, "dev,suid,noexec", *OPTIONS) as m:
        options = set(kind_of(m.path)[2])
        assert "noexec" in options and not {"nosuid", "nodev"} & options
        assert open(os.path.join(m.path, "null")).read() == ""


def test_names_of_the_source(images, tmp_path):
    """Shown as given, unless the kernel takes no such name."""
    one = images.image(IMAGE)
    where = tmp_path / "with, a blank"
    where.symlink_to(images.path)
    for source in (one, "oci:%s%s" % (where, one[len("oci:" + str(images.path)):])):
        with mount(source, *OPTIONS) as m:
            with open("/proc/self/mountinfo") as f:
                shown = [line.split(" ")[-2] for line in f if line.split(" ")[4] == m.path]
            assert shown == [source.replace(" ", "\\040")]
    deep = tmp_path / ("x" * 200) / ("y" * 200)
    deep.mkdir(parents=True)
    (deep / "l").symlink_to(images.path)
    with mount("oci:%s/l%s" % (deep, one[len("oci:" + str(images.path)):]), *OPTIONS) as m:
        assert open(os.path.join(m.path, "d/f")).read() == "one"


def test_every_user_reads(images):
    """As in any file system of root's, modes and owners decide."""
    with mount(images.image([layer(file("a", "all"), file("r", "root", mode=0o600))]),
               *OPTIONS) as m:
        os.chmod(os.path.dirname(m.path), 0o755)
        read = ("cat", m.path + "/a", m.path + "/r")
        nobody = pwd.getpwnam("nobody").pw_uid
        done = subprocess.run(read, capture_output=True, text=True, user=nobody, timeout=30)
        assert done.stdout == "all" and "/r: Permission denied" in done.stderr


# peelctl

def test_peelctl(images):
    with mount(images.image(IMAGE), *OPTIONS) as m:
        line = [text for text in ctl("status").stdout.splitlines() if text.startswith(m.path + " ")]
        assert len(line) == 1 and "  ready  " in line[0]
        done = ctl("status", m.path)
        assert done.returncode == 0 and "state     ready" in done.stdout
        assert ctl("wait", m.path).returncode == 0
        done = ctl("which", m.path + "/d/g")
        assert done.returncode == 0 and "layer    2 of 2" in done.stdout, done.stderr
        assert ctl("which", m.path + "/d/x").returncode == 1


def test_peelctl_of_others(images):
    """The daemon belongs to root, and so does what it says."""
    with mount(images.image(IMAGE), *OPTIONS) as m:
        os.chmod(os.path.dirname(m.path), 0o755)
        done = subprocess.run([PEELCTL, "status", m.path], capture_output=True, text=True,
                              user=pwd.getpwnam("nobody").pw_uid, timeout=30)
        assert done.returncode == 1 and "another user mounted it" in done.stderr


def test_mounted_over(images, tmp_path):
    source = images.image(IMAGE)
    with mount(source, *OPTIONS) as m:
        done = run("-o", "cache_dir=%s" % (tmp_path / "c"), source, m.path)
        assert done.returncode == 32 and "mounted something there already" in done.stderr


# How it ends

@pytest.mark.parametrize("command", [("umount",), ("fusermount3", "-u")])
def test_unmount(images, command):
    with mount(images.image(IMAGE), *OPTIONS) as m:
        link = link_of(m.path)
        assert os.path.isdir(link)
        assert unmount(m.path, command)
        assert eventually(m.has_ended) and m.status_code == 0
        assert not os.path.lexists(link)


def test_lazy_unmount(images):
    """What is open stays readable, and keeps the daemon."""
    with mount(images.image(IMAGE), *OPTIONS) as m:
        with open(os.path.join(m.path, "d/g"), "rb") as f:
            assert unmount(m.path, ("umount", "-l"))
            assert not eventually(m.has_ended, 0.3)
            assert f.read() == DATA
        assert eventually(m.has_ended)


def test_copy_of_the_mount(images, tmp_path):
    """A bind mount holds it as well as any."""
    (tmp_path / "b").mkdir()
    with mount(images.image(IMAGE), *OPTIONS) as m:
        subprocess.run(["mount", "--bind", m.path + "/d", tmp_path / "b"], check=True)
        try:
            assert unmount(m.path, ("umount",))
            assert not eventually(m.has_ended, 0.3)
            assert (tmp_path / "b/f").read_text() == "one"
            done = ctl("which", str(tmp_path / "b/f"))
            assert "only a part of its mount" in done.stderr
        finally:
            subprocess.run(["umount", tmp_path / "b"], check=True)
        assert eventually(m.has_ended)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal(images, number):
    with foreground(images.image(IMAGE), *OPTIONS) as m:
        link = link_of(m.path)
        m.child.send_signal(number)
        assert m.child.wait(10) == 0
        assert not is_mounted(m.path) and not os.path.lexists(link)


def test_killed(images):
    source = images.image(IMAGE)
    with mount(source, *OPTIONS) as m:
        link = link_of(m.path)
        os.kill(m.pid, signal.SIGKILL)
        assert eventually(m.has_ended)
        m.status_code = 0
        with pytest.raises(OSError):
            open(os.path.join(m.path, "d/g"), "rb").read()
        done = ctl("status", m.path)
        assert done.returncode == 1 and "daemon has died" in done.stderr
        assert unmount(m.path)
        assert os.path.lexists(link)
    with mount(source, *OPTIONS):
        assert os.path.exists(link) or not os.path.lexists(link)


@pytest.mark.parametrize("arguments", [(), ("-f",)])
def test_interrupted_while_loading(images, arguments):
    with badregistry.running(images) as registry:
        layers = [images.layer(t, "gzip") for t in IMAGE]
        source = registry.image("team/app", layers)
        about = layers[1]["digest"]
        registry.fail("silent", times=-1, about=about)
        with foreground(source, *OPTIONS, arguments=arguments, wait=False) as m:
            assert eventually(lambda: registry.asked_for(about))
            time.sleep(0.1)
            m.child.send_signal(signal.SIGINT)
            assert m.child.wait(10) == 32
            m.log.seek(0)
            assert b"interrupted" in m.log.read()
            assert not is_mounted(m.path)


@pytest.mark.limit(60)
def test_silent_registry(images):
    """Ctrl-C ends a read that waits; so does a lazy unmount, and then the daemon ends."""
    with badregistry.running(images) as registry:
        source = registry.image("team/app", [test_lazy.put(images, "storage", t) for t in IMAGE])
        with mount(source, "timeout=60", *OPTIONS) as m:
            registry.fail("silent", times=-1)
            for end in (lambda child: child.send_signal(signal.SIGINT),
                        lambda child: unmount(m.path, ("umount", "-l"))):
                child = subprocess.Popen(["cat", m.path + "/d/g"], stdout=subprocess.DEVNULL,
                                         stderr=subprocess.DEVNULL)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(0.3)
                assert child.poll() is None
                end(child)
                child.wait(10)
            assert eventually(m.has_ended, 15)


# Where there is none

@pytest.mark.parametrize("options, words", [
    ("erofs", "needs layout=rootfs"), ("erofs,layout=image", "needs layout=rootfs"),
    ("erofs,layout=rootfs,uid=0", "uid="), ("erofs=x,layout=rootfs", "takes no value")])
def test_usage(images, tmp_path, options, words):
    done = run("-o", options, images.image(IMAGE), str(tmp_path))
    assert done.returncode == 1 and words in done.stderr and done.stderr.count("\n") == 1


def refused(source, where, words, env=None, program=(PEELFS,), status=32):
    where.mkdir(exist_ok=True)
    done = run(*program[1:], "-o", "cache_dir=%s/c,%s" % (where, ",".join(OPTIONS)), source,
               str(where), program=program[0], env=env)
    assert done.returncode == status, done.stderr
    assert words in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert not is_mounted(where)


def test_not_root(images, tmp_path):
    """Nor root of a user namespace, who may mount FUSE."""
    refused(images.image(IMAGE), tmp_path / "m", "lets only root mount an EROFS",
            program=("unshare", "-rm", PEELFS))
    done = subprocess.run([PEELFS, "-o", "layout=rootfs,erofs", "oci:/nowhere", "/tmp"],
                          capture_output=True, text=True, user=pwd.getpwnam("nobody").pw_uid)
    assert done.returncode == 32 and done.stderr.count("\n") == 1


def test_without_a_mount(images):
    """peelctl takes the options of a mount, and mounts nothing."""
    done = ctl("cat", "-o", ",".join(OPTIONS), images.image(IMAGE), "d/f")
    assert done.stdout == "one"


def test_no_such_tree(images, tmp_path):
    artifacts = Artifacts(images)
    refused(artifacts.local([artifacts.blob(b"x", title="x")]), tmp_path / "a", "it has no filesystem layers")
    refused("localhost:1/", tmp_path / "n", "layout=rootfs is for one image")
    broken = images.image([images.layer(b"no archive at all" * 100, "none")])
    refused(broken, tmp_path / "b", "layer")


# A kernel of before 6.12 (FILE), or without EROFS (TYPE): its answers, in front of this one's.
OTHER_KERNEL = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static __thread char source[256], type[16];

long syscall(long number, ...)
{
	long (*real)(long, ...) = dlsym(RTLD_NEXT, "syscall"), a[6];
	struct stat st;
	va_list list;
	int i;

	va_start(list, number);
	for (i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	if (number == SYS_fsopen)
		strncpy(type, (char *)a[0], sizeof(type) - 1);
	if (number == SYS_fsopen && strcmp(type, "erofs") == 0 && getenv("TYPE"))
		return errno = ENODEV, -1;
	if (number == SYS_fsconfig && a[1] == 1 && strcmp((char *)a[2], "source") == 0)
		strncpy(source, (char *)a[3], sizeof(source) - 1);
	if (number == SYS_fsconfig && a[1] == 6 && strcmp(type, "erofs") == 0 &&
	    stat(source, &st) == 0 && S_ISREG(st.st_mode))
		return errno = ENOTBLK, -1;
	if (number == SYS_fsconfig && a[1] == 6 && strcmp(type, "erofs") == 0 && getenv("BAD"))
		return errno = EUCLEAN, -1;
	return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
"""


@pytest.fixture
def other_kernel(tmp_path):
    if SANITIZED:
        pytest.skip("two libraries want to be loaded first")
    (tmp_path / "kernel.c").write_text(OTHER_KERNEL)
    made = tmp_path / "kernel.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", made, tmp_path / "kernel.c", "-ldl"], check=True)
    return lambda **more: environment(LD_PRELOAD=str(made), **more)


def loop_devices():
    done = subprocess.run(["losetup", "-n", "-O", "BACK-FILE"], capture_output=True, text=True)
    return [line for line in done.stdout.splitlines() if "rootfs.erofs" in line]


def test_old_kernel(images, other_kernel):
    """A loop device, which is gone with the mount."""
    source = images.image(IMAGE)
    with mount(source, *OPTIONS, env=other_kernel()) as m:
        assert kind_of(m.path)[:2] == ("erofs", source)
        assert os.major(os.stat(m.path).st_dev) == 7
        assert stat.S_IMODE(os.stat(m.path + "/su").st_mode) == 0o4755
        assert open(m.path + "/d/g", "rb").read() == DATA
        assert ctl("which", m.path + "/d/g").returncode == 0
        assert len(loop_devices()) == 1
    assert eventually(lambda: not loop_devices())


def test_kernel_without(images, tmp_path, other_kernel):
    source = images.image(IMAGE)
    refused(source, tmp_path / "m", "the kernel has no EROFS", env=other_kernel(TYPE="1"))
    refused(source, tmp_path / "m", "does not mount an EROFS: Structure needs cleaning",
            env=other_kernel(BAD="1"))
    assert eventually(lambda: not loop_devices())
