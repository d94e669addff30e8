# SPDX-License-Identifier: MIT
"""Mounts that begin, wait, share a store and end, and those of an ordinary user."""
import json
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
import time

import pytest

import tree
from archive import char, directory, file, layer
from mounting import PEELFS, SLOWER, eventually, foreground, is_mounted, mount
from test_serve import TEXT, big


# From the store

@pytest.mark.core
def test_second_mount_needs_no_registry(images, registry, tmp_path):
    """The layers come from the store: nothing of them is asked of the registry."""
    layers = [layer(file("f%d" % i, os.urandom(300000))) for i in range(3)]
    source = images.image(layers)
    reference = registry.push(source, "stored", "t")
    cache = tmp_path / "cache"
    with mount(reference, cache=cache) as m:
        first = tree.dump(m.root)
    for d in json.loads(images.read(images.tags[0]))["layers"]:
        with open(registry.blob_file(d["digest"]), "wb"):
            pass  # what would come now is nothing
    with mount(reference, cache=cache) as m:
        tree.assert_same(first, tree.dump(m.root))
    assert stat.S_IMODE(os.stat(cache).st_mode) == 0o700


@pytest.mark.core
def test_two_mounts_share_a_store(images, tmp_path):
    source = images.image([layer(file("f", TEXT))])
    with mount(source, cache=tmp_path / "cache") as a, mount(source, cache=tmp_path / "cache") as b:
        assert a.pid != b.pid
        assert open(a.at("f"), "rb").read() == open(b.at("f"), "rb").read() == TEXT


@pytest.mark.core
def test_many_mounts_start_at_once_on_a_new_store(images, tmp_path):
    source = images.image([layer(file("f%d" % i, TEXT[i:])) for i in range(3)])
    wrong = []

    def one():
        try:
            with mount(source, cache=tmp_path / "cache") as m:
                if open(m.at("f2"), "rb").read() != TEXT[2:]:
                    wrong.append("content")
        except BaseException as e:
            wrong.append(repr(e))
    threads = [threading.Thread(target=one) for _ in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert wrong == []


@pytest.fixture
def waiting(fake, tmp_path):
    """A mount whose index is in the store and whose data was damaged there, of a registry
    that is silent when it is asked for it again."""
    reference = fake.image("waiting", [layer(file("f", TEXT), directory("d"), file("d/g", "2"))])
    cache = tmp_path / "cache"
    with mount(reference, cache=cache):
        pass
    kept = list(cache.glob("layers/sha256/*/data"))
    assert kept
    for path in kept:
        path.write_bytes(bytes(path.stat().st_size))
    with mount(reference, cache=cache) as m:
        assert os.stat(m.at("f")).st_size == len(TEXT)
        fake.silent.set()
        yield m, fake
        fake.silent.clear()


def cat(m, name="f"):
    return subprocess.Popen(["cat", m.at(name)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.core
def test_data_that_the_store_lost_is_fetched_again(waiting):
    m, fake = waiting
    fake.silent.clear()
    asked = len(fake.asked)
    assert open(m.at("f"), "rb").read() == TEXT
    assert len(fake.asked) > asked


@pytest.mark.core
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_read_that_waits_is_interrupted(waiting, name):
    m, fake = waiting
    child = cat(m)
    assert eventually(lambda: fake.waiting) and child.poll() is None
    # Others are served meanwhile.
    assert sorted(os.listdir(m.root)) == ["d", "f"]
    m.status()
    child.send_signal(getattr(signal, name))
    assert child.wait(5 * SLOWER) == -getattr(signal, name)
    child.communicate()
    fake.silent.clear()
    assert open(m.at("f"), "rb").read() == TEXT


@pytest.mark.core
def test_readers_that_wait_get_the_same_bytes(waiting):
    m, fake = waiting
    children = [cat(m) for _ in range(4)]
    assert eventually(lambda: fake.waiting)
    children[0].kill()
    fake.silent.clear()
    for child in children[1:]:
        out, err = child.communicate(timeout=20 * SLOWER)
        assert (out, err, child.returncode) == (TEXT, b"", 0)
    children[0].communicate()


@pytest.mark.core
def test_daemon_ends_while_a_read_waits(waiting):
    m, fake = waiting
    child = cat(m)
    assert eventually(lambda: fake.waiting)
    os.kill(m.pid, signal.SIGTERM)
    assert eventually(m.has_ended)
    assert m.status_code == 0
    _, err = child.communicate(timeout=10 * SLOWER)
    assert child.returncode == 1 and err


@pytest.mark.core
def test_daemon_ends_in_the_middle_of_a_scan(images, tmp_path):
    """What is being put into the page cache then may be what a reader has just asked for,
    and that wait in the kernel has no end if nobody answers any more."""
    reference = images.image([layer(*(
        entry for d in range(60) for entry in (
            directory("d%d" % d), *(file("d%d/f%d" % (d, i), "%d\n" % i * 300)
                                    for i in range(100)))))])
    for i in range(20):
        with mount(reference, cache=tmp_path / "cache") as m:
            scans = [subprocess.Popen(["grep", "-ra", "nothing of it", m.root],
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                     for _ in range(1 + i % 2)]
            time.sleep(0.05 + 0.02 * (i % 7))  # somewhere in it; any moment is as good
            os.kill(m.pid, signal.SIGTERM)
            assert eventually(m.has_ended)
            assert m.status_code == 0
            for scan in scans:
                scan.wait(20 * SLOWER)


@pytest.mark.parametrize("name", ["SIGHUP", "SIGINT", "SIGTERM"])
def test_signals_end_the_daemon(images, name):
    """Also after one that means nothing to it."""
    with mount(images.image([layer(file("f"))])) as m:
        os.kill(m.pid, signal.SIGUSR1)
        assert open(m.at("f")).read() == ""
        os.kill(m.pid, getattr(signal, name))
        assert eventually(m.has_ended)
        assert m.status_code == 0


# Life and death

@pytest.mark.core
def test_open_file_survives_a_lazy_unmount(big):
    with foreground(big) as m:
        with open(m.at("f"), "rb") as f:
            assert f.read(10) == TEXT[:10]
            subprocess.run(["umount", "-l", m.path], check=True, timeout=10)
            assert not is_mounted(m.path)
            f.seek(4000000)
            assert f.read(1000) == TEXT[4000000:4001000]
        assert m.child.wait(20) == 0


def test_the_daemon_holds_nothing(images, tmp_path):
    """Neither the caller's directory, nor its files, nor its terminal."""
    with open(tmp_path / "open", "w") as inherited:
        os.set_inheritable(inherited.fileno(), True)
        where = tmp_path / "here"
        where.mkdir()
        with mount(images.image([layer(file("f"))])) as m:
            proc = "/proc/%d/" % m.pid
            assert os.readlink(proc + "cwd") == "/"
            assert os.getsid(m.pid) == m.pid or os.getsid(m.pid) != os.getsid(0)
            for n in ("0", "1", "2"):
                assert os.readlink(proc + "fd/" + n) == "/dev/null"


def test_removed_cache_directory_does_not_matter(big, tmp_path):
    with mount(big, cache=tmp_path / "cache") as m:
        # The mount may note something at this moment.
        assert eventually(lambda: shutil.rmtree(tmp_path / "cache", ignore_errors=True) or
                          not os.path.exists(tmp_path / "cache"))
        assert open(m.at("f"), "rb").read() == TEXT


# As an ordinary user

@pytest.mark.core
def test_ordinary_user(user, images):
    """Mounts by fusermount3, reads all that is in the image whatever its modes, alone."""
    images.image([layer(file("secret", "read me", mode=0o000, uid=0),
                        directory("closed", mode=0o000), file("closed/f", "2", mode=0),
                        file("setuid", "", mode=0o4755), char("null", 1, 3))])
    base = tempfile.mkdtemp(prefix="peelfs-e2e-user-")
    try:
        os.chmod(base, 0o755)
        shutil.copytree(images.path, base + "/layout")
        shutil.copy(PEELFS, base + "/peelfs")
        script = """
            set -e
            mkdir {b}/own/mnt
            {b}/peelfs oci:{b}/layout:latest {b}/own/mnt
            cd {b}/own/mnt/rootfs
            cat secret closed/f
            ls -l setuid >/dev/null
            cat null 2>&1 || echo refused
            findmnt -n -o OPTIONS {b}/own/mnt
            stat -c cache=%a {b}/own/.cache/peelfs
            cd /
            echo ready
            read go
            fusermount3 -u {b}/own/mnt
            """.format(b=base)
        os.mkdir(base + "/own")
        shutil.chown(base + "/own", user, user)
        subprocess.run(["usermod", "-d", base + "/own", user], check=True, timeout=30)
        # As mount(8) says it to whom it lends its rights.
        child = subprocess.Popen(["setpriv", "--reuid", user, "--regid", user, "--clear-groups",
                                  "env", "HOME=/root", "sh", "-c", script],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True)
        seen = []
        for line in child.stdout:
            seen.append(line)
            if line == "ready\n":
                break
        # Nobody else, not even root, without allow_other.
        if seen[-1:] == ["ready\n"]:
            with pytest.raises(PermissionError):
                os.listdir(base + "/own/mnt")
        out, err = child.communicate("go\n", timeout=60)
        assert child.returncode == 0, (seen, err)
        text = "".join(seen)
        assert text.startswith("read me2"), text
        assert "refused" in text  # no devices
        assert seen[-2] == "cache=700\n"
        options = seen[-3].strip().split(",")
        assert {"ro", "nosuid", "nodev"} <= set(options)

        def gone():
            with open("/proc/self/mountinfo") as f:
                return base not in f.read()
        assert gone()
        pid = [p for p in map(int, filter(str.isdigit, os.listdir("/proc")))
               if reads_link(p) == base + "/peelfs"]
        assert eventually(lambda: not [p for p in pid if reads_link(p)])
    finally:
        subprocess.run(["umount", "-l", base + "/own/mnt"], capture_output=True, timeout=10)
        shutil.rmtree(base)


def test_ordinary_user_is_told_first(user, images):
    """What fusermount3 would refuse is refused before anything is fetched."""
    images.image([layer(file("f", "1"))])
    base = tempfile.mkdtemp(prefix="peelfs-e2e-user-")
    try:
        os.chmod(base, 0o755)
        shutil.copytree(images.path, base + "/layout")
        shutil.copy(PEELFS, base + "/peelfs")
        for name in ("own", "theirs"):
            os.mkdir(os.path.join(base, name))
        shutil.chown(base + "/own", user, user)
        os.mkdir(base + "/own/mnt")
        shutil.chown(base + "/own/mnt", user, user)
        for options, where, word in (("", "theirs", "write"), (",allow_other", "own/mnt", "fuse.conf")):
            done = subprocess.run(
                ["unshare", "-m", "sh", "-c", """
                 : > {b}/conf
                 [ -e /etc/fuse.conf ] && mount --bind {b}/conf /etc/fuse.conf
                 exec setpriv --reuid {u} --regid {u} --clear-groups env HOME={b}/own \
                    {b}/peelfs -o cache_dir={b}/own/cache{o} oci:{b}/layout:latest {b}/{w}
                 """.format(b=base, u=user, o=options, w=where)],
                capture_output=True, text=True, timeout=30)
            assert done.returncode == 32 and word in done.stderr, done
            assert done.stderr.count("\n") == 1, done
            assert not os.path.exists(base + "/own/cache")
    finally:
        shutil.rmtree(base)


def reads_link(pid):
    try:
        return os.readlink("/proc/%d/exe" % pid)
    except OSError:
        return None


def test_allow_other_checks_modes(user, images):
    source = images.image([layer(file("all", "1"), file("none", "2", mode=0o600),
                                 file("theirs", "3", mode=0o600, uid=4000000))])
    with mount(source, "allow_other") as m:
        os.chmod(os.path.dirname(m.path), 0o755)

        def cat(name):
            return subprocess.run(["setpriv", "--reuid", user, "--regid", user, "--clear-groups",
                                   "cat", m.at(name)], capture_output=True, text=True, timeout=10)
        assert cat("all").stdout == "1"
        assert "Permission denied" in cat("none").stderr
        assert "Permission denied" in cat("theirs").stderr
