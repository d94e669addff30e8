# SPDX-License-Identifier: MIT
"""The tools that people point at a root file system find nothing odd in a mounted one."""
import contextlib
import os
import shutil
import subprocess

import pytest

import system
import tree
from layout import Layout
from mounting import environment, eventually, is_mounted, mount


def tool(*command, code=0, timeout=60, **more):
    """What it printed; it must end as it should and complain of nothing."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True,
                          timeout=timeout, stdin=subprocess.DEVNULL, errors="surrogateescape",
                          env=environment(LC_ALL="C"), **more)
    assert done.returncode == code, (done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    images = Layout(tmp_path_factory.mktemp("tools") / "layout")
    return images.image(system.layers())


@pytest.fixture(scope="module")
def copy(source, tmp_path_factory):
    """The image as plain files."""
    path = tmp_path_factory.mktemp("copy") / "root"
    path.mkdir()
    with mount(source) as m:
        tool("sh", "-euc", 'tar -C "$1" --xattrs --xattrs-include="*" --sparse -c . | '
             'tar -C "$2" --xattrs --xattrs-include="*" -xp --numeric-owner', "sh", m.root, path)
        tree.assert_same(tree.dump(m.root), tree.dump(path))
    return path


@contextlib.contextmanager
def overlay(lower, where):
    """A writable tree over a mount."""
    for name in ("upper", "work", "merged"):
        (where / name).mkdir(parents=True)
    tool("mount", "-t", "overlay", "overlay", "-o", "lowerdir=%s,upperdir=%s,workdir=%s" % (
        lower, where / "upper", where / "work"), where / "merged")
    try:
        yield where / "merged"
    finally:
        tool("umount", where / "merged")


# Programs run in it

RUN = 'cat /srv/kept; id -u; if touch /srv/kept 2> /dev/null; then echo written; fi'


def test_chroot(source):
    with mount(source) as m:
        assert tool("chroot", m.root, "/bin/sh", "-c", RUN) == "kept\n0\n"


def test_chroot_of_another_user(source):
    with mount(source, "allow_other") as m:
        assert tool("chroot", "--userspec=1000:1000", m.root, "/bin/sh", "-c", RUN) == \
            "kept\n1000\n"


def test_unshare(source):
    with mount(source, "allow_other") as m:
        assert tool("unshare", "--mount", "--pid", "--fork", "--root", m.root, "--mount-proc",
                    "/bin/sh", "-c", RUN + "; echo $$") == "kept\n0\n1\n"


def test_bwrap(source):
    with mount(source) as m:
        assert tool("bwrap", "--ro-bind", m.root, "/", "--proc", "/proc", "--dev", "/dev",
                    "--tmpfs", "/tmp", "--unshare-all", "--die-with-parent", "sh", "-c",
                    RUN + "; echo x > /tmp/f; cat /tmp/f") == "kept\n0\nx\n"


@pytest.mark.heavy
@pytest.mark.parametrize("volatile", ["overlay", "yes"])
def test_systemd_nspawn(source, volatile):
    """Written to, and forgotten; without the services of systemd, that need not run here."""
    what = {"overlay": RUN + "; cat /srv/kept", "yes": "touch /etc/x; echo written"}[volatile]
    with mount(source) as m:
        out = tool("systemd-nspawn", "--quiet", "--register=no", "--keep-unit",
                   "--volatile=" + volatile, "-D", m.root, "/bin/sh", "-c", what)
        assert out.replace("\r", "") == {"overlay": "kept\n0\nwritten\nkept\n",
                                         "yes": "written\n"}[volatile]
        assert not os.path.exists(m.at("etc/x"))


PODMAN = """
    mount --make-rprivate /
    umount -R /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup
    mkdir "$1" && mount --bind "$1" /mnt    # its own store; podman wants its name short
    exec podman --root /mnt/root --runroot /mnt/run run --rm --network none --cgroups disabled \
        --ulimit nofile=256:256 --ulimit nproc=1000:1000 --rootfs "$2:O" sh -c "$3"
"""


@pytest.mark.heavy
@pytest.mark.limit(120)
def test_podman(source, copy, tmp_path):
    """A container whose changes go to an overlay over the mount."""
    def podman(root, name):
        return subprocess.run(
            ["unshare", "-m", "sh", "-euc", PODMAN, "sh", str(tmp_path / name), str(root),
             RUN + "; rm -r /srv/old; ls /srv/old 2>/dev/null || echo gone"], capture_output=True,
            text=True, timeout=100, stdin=subprocess.DEVNULL, env=environment())
    plain = podman(copy, "plain")
    if plain.returncode != 0:
        pytest.skip("podman cannot run a plain folder here: " + plain.stderr.strip()[-300:])
    with mount(source, "allow_other") as m:
        done = podman(m.root, "ours")
        assert (done.returncode, done.stdout) == (0, "kept\n0\nwritten\ngone\n"), done.stderr
        assert os.listdir(m.at("srv/old"))
    assert done.stdout == plain.stdout


# A writable tree over it

def test_overlay_shows_the_same(source, tmp_path):
    with mount(source) as m:
        want = tree.dump(m.root)
        with overlay(m.root, tmp_path / "overlay") as merged:
            tree.assert_same(want, tree.dump(merged), lambda path, field: path == b".")


def test_overlay_is_written_to(source, tmp_path):
    with mount(source) as m:
        want = tree.dump(m.root)
        with overlay(m.root, tmp_path / "overlay") as top:
            (top / "srv/new").write_text("new")
            with open(top / "srv/kept", "a") as f:      # copied up
                f.write("more\n")
            os.chmod(top / "srv/tagged", 0o600)
            os.chown(top / "srv/setuid", 7, 7)
            os.unlink(top / "srv/old/new")              # a hard link, and in an opaque directory
            shutil.rmtree(top / "usr/bin")              # whiteouts of the overlay's own
            (top / "usr/bin").mkdir()
            tool("mv", top / "srv/old", top / "srv/moved")
            with open(top / "srv/sparse", "r+b") as f:
                f.truncate(3 << 20)

            assert (top / "srv/kept").read_text() == "kept\nmore\n"
            assert (top / "srv/kept").stat().st_uid == 1000
            assert os.getxattr(top / "srv/tagged", "user.note") == b"a value"
            assert os.getxattr(top / "srv/tagged", "user.empty") == b""
            assert os.listdir(top / "usr/bin") == []
            assert os.listdir(top / "srv/moved") == ["again"]
            assert (top / "srv/moved/again").read_text() == "needle\n"
            assert not (top / "srv/old").exists() and not (top / "srv/gone").exists()
            assert (top / "srv/sparse").read_bytes()[1 << 20:][:4] == b"data"
        tree.assert_same(want, tree.dump(m.root))


# Queries

def test_dpkg(source):
    with mount(source) as m:
        admin = m.at("var/lib/dpkg")
        own = tool("dpkg-query", "-W")
        assert tool("dpkg-query", "--admindir=" + admin, "-W") == own
        assert tool("dpkg", "--root=" + m.root, "-s", "dash") == tool("dpkg", "-s", "dash")
        assert tool("dpkg", "--admindir=" + admin, "-L", "dash") == tool("dpkg", "-L", "dash")
        assert "dash: " in tool("dpkg", "--root=" + m.root, "-S", "*bin/dash")
        # All checksums are right, and a file that is none of the image's is found.
        assert tool("dpkg", "--root=" + m.root, "--verify", "dash") == ""


# The whole of it, read

def total(path, *more):
    return tool("sh", "-euc", 'tar -C "$1" --xattrs --xattrs-include="*" -c . | sha256sum', "sh",
                path, *more)


def test_tar_is_stable(source, tmp_path):
    """The same sum from every mount, whatever is in the store and wherever it is mounted."""
    cache = tmp_path / "cache"
    with mount(source, cache=cache) as one, mount(source, cache=tmp_path / "other") as two:
        want = total(one.root)
        assert total(two.root) == want
        assert total(one.root) == want
    with mount(source, cache=cache) as m:
        assert total(m.root) == want
    for where, _, names in os.walk(cache):      # the index is there, what was decoded is not
        for name in {"data", "spans"} & set(names):
            os.unlink(os.path.join(where, name))
    with mount(source, cache=cache) as m:
        assert total(m.root) == want
    for option in ("cache=index", "cache=none", "layout=rootfs"):
        with mount(source, option) as m:
            assert total(m.path if option.startswith("layout") else m.root) == want


def test_tar_of_two_mounts_at_once(source, tmp_path):
    with mount(source, cache=tmp_path / "c") as one, mount(source, cache=tmp_path / "c") as two:
        script = """for i in 1 2; do for d in "$1" "$2"; do
            tar -C "$d" -c . | sha256sum & done; done; wait"""
        sums = tool("sh", "-euc", script, "sh", one.root, two.root).splitlines()
        assert len(sums) == 4 and len(set(sums)) == 1


def test_rsync(source, tmp_path):
    to = tmp_path / "to"
    with mount(source) as m:
        tool("rsync", "-aHX", "--sparse", "--numeric-ids", m.root + "/", to)
        tree.assert_same(tree.dump(m.root), tree.dump(to))
        # Nothing is left to do, by times and by contents.
        for how in ("-aHXni", "-aHXnic"):
            assert tool("rsync", how, "--numeric-ids", "--delete", m.root + "/", to) == ""


def test_cp(source, tmp_path):
    with mount(source) as m:
        tool("cp", "-a", m.root, tmp_path / "to")
        tree.assert_same(tree.dump(m.root), tree.dump(tmp_path / "to"))
        # The hole is one here too, and stays one.
        assert os.stat(m.at("srv/sparse")).st_blocks * 512 < 1 << 20
        assert os.stat(tmp_path / "to/srv/sparse").st_blocks * 512 < 1 << 20


SEARCHES = [
    ("grep", "-r", "-c", "needle", "srv", "etc"),
    ("grep", "-rl", "--devices=skip", "needle", "."),
    ("rg", "--sort=path", "-uu", "--no-messages", "needle", "srv", "etc"),
    ("rg", "-l", "--sort=path", "-uuu", "needle", "."),
    ("git", "grep", "--no-index", "-c", "needle", "--", "srv"),
    ("find", ".", "-printf", "%p %y %m %U %G %s %n %T@ %l\\n"),
    ("find", ".", "-perm", "-4000", "-o", "-links", "+1", "-type", "f"),
    ("find", "srv", "-samefile", "srv/old/new"),
    ("find", ".", "-newer", "srv/kept", "-name", "*s*"),
    ("ls", "-lRn", "--time-style=full-iso", "srv", "etc", "usr/lib"),
    ("stat", "-c", "%A %u %g %s %h %Y %N", "srv/old/again", "srv/big", "srv/a b\nc"),
    ("getfattr", "-Rdh", "-m", "-", "srv"),
]


@pytest.mark.parametrize("command", SEARCHES, ids=lambda c: " ".join(c[:3]))
def test_searches(source, copy, command):
    """The same lines from a mount as from a plain folder."""
    def lines(root):
        out = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60,
                             stdin=subprocess.DEVNULL, errors="surrogateescape",
                             env=environment(LC_ALL="C", GIT_CEILING_DIRECTORIES="/"))
        # What a directory's size and link count are is each file system's own.
        found = [" ".join(line.split()) for line in out.stdout.splitlines() if line and not (
            line.startswith(("d", "total ")) or " d " in line)]
        return out.returncode, sorted(found), out.stderr.splitlines()
    if not shutil.which(command[0]):
        pytest.fail("%s is not here; tests/deps has it" % command[0])
    with mount(source) as m:
        want, got = lines(copy), lines(m.root)
        assert got == want
        assert len(want[1]) > 0 and want[0] in (0, 1)


def test_du(source, copy):
    """A file with two names is counted once, a hole not at all."""
    with mount(source) as m:
        def du(root, *names):
            return int(tool("du", "-sc", "-B1", "--apparent-size",
                            *(os.path.join(root, n) for n in names)).split()[-2])
        assert du(m.root, "srv/old/new", "srv/old/again") == du(m.root, "srv/old/new") == 7
        assert du(m.root, "srv/big") == 300000 * 15
        used = int(tool("du", "-s", "-B1", m.at("srv/sparse")).split()[0])
        assert used < 1 << 20
        # Blocks of 512 bytes, where a disk has some of 4096.
        for name in ("srv", "usr/lib", "."):
            ours, theirs = (int(tool("du", "-s", "-B1", os.path.join(root, name)).split()[0])
                            for root in (m.root, str(copy)))
            assert 0.5 * theirs <= ours <= theirs + 4096, name
        assert tool("df", "--output=fstype,source", m.path).splitlines()[1].split() == \
            ["fuse.peelfs", source]


def test_unmounted_under_an_overlay(source, tmp_path):
    """An overlay holds what it lies on: it goes on, and the daemon ends after it."""
    with mount(source) as m:
        with overlay(m.root, tmp_path / "overlay") as top:
            tool("umount", m.path)
            assert not is_mounted(m.path) and not m.has_ended()
            assert (top / "srv/kept").read_text() == "kept\n"
            (top / "srv/kept").write_text("other")
        assert eventually(m.has_ended)
        assert m.status_code == 0
