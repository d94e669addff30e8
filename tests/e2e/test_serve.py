# SPDX-License-Identifier: MIT
"""The mount as programs use it."""
import ctypes
import errno
import hashlib
import json
import mmap
import os
import random
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
import time

import pytest

import tree
from archive import char, directory, file, layer, symlink, whiteout
from mounting import PEELFS, SLOWER, eventually, foreground, is_mounted, mount
from tree import Dir, File

TEXT = b"".join(b"%08d\n" % i for i in range(500000))  # 4.5 MB


@pytest.fixture
def big(images):
    return images.image([layer(file("f", TEXT), directory("d"), file("d/small", "s"))])


# Directories

@pytest.mark.core
@pytest.mark.parametrize("count", [0, 1, 5000])
def test_directory_of_many_names(images, count):
    names = ["name-%05d-%s" % (i, "x" * (i % 60)) for i in range(count)]
    lower = layer(directory("d"), *(file("d/" + n, n) for n in names[:count // 2]))
    upper = layer(*(file("d/" + n, n) for n in names[count // 2:]), directory("d"),
                  *(whiteout("d/" + n) for n in names[:count // 2:10]))
    want = sorted(set(names) - set(names[:count // 2:10]))
    with mount(images.image([lower, upper])) as m:
        assert sorted(os.listdir(m.at("d"))) == want
        assert sorted(os.listdir(m.at("d"))) == want  # from the kernel's cache
        with os.scandir(m.at("d")) as entries:
            for e in entries:
                assert e.is_file() and e.stat().st_size == len(e.name)
                assert e.inode() == e.stat().st_ino
        for n in names[count // 2::97]:
            assert open(m.at("d", n)).read() == n


def test_directory_read_from_its_middle(images):
    """seekdir goes back to where telldir was, also in a directory opened anew."""
    names = ["n%04d" % i for i in range(2000)]
    with mount(images.image([layer(*(file("d/" + n) for n in names))])) as m:
        libc = ctypes.CDLL(None, use_errno=True)

        class Dirent(ctypes.Structure):
            _fields_ = [("ino", ctypes.c_uint64), ("off", ctypes.c_int64),
                        ("reclen", ctypes.c_uint16), ("type", ctypes.c_uint8),
                        ("name", ctypes.c_char * 256)]
        libc.opendir.restype = ctypes.c_void_p
        libc.readdir.restype = ctypes.POINTER(Dirent)
        libc.telldir.restype = ctypes.c_long
        for f in (libc.readdir, libc.telldir, libc.closedir, libc.rewinddir):
            f.argtypes = [ctypes.c_void_p]
        libc.seekdir.argtypes = [ctypes.c_void_p, ctypes.c_long]

        d = libc.opendir(os.fsencode(m.at("d")))
        seen, places = [], []
        while True:
            places.append(libc.telldir(d))
            e = libc.readdir(d)
            if not e:
                break
            seen.append(e.contents.name)
        assert len(set(seen)) == 2002 and b"." in seen and b".." in seen
        again = libc.opendir(os.fsencode(m.at("d")))
        for directory_stream in (d, again):
            for i in random.Random(1).sample(range(2002), 60):
                libc.seekdir(directory_stream, places[i])
                e = libc.readdir(directory_stream)
                assert e and e.contents.name == seen[i]
            libc.rewinddir(directory_stream)
            assert libc.readdir(directory_stream).contents.name == seen[0]
            libc.closedir(directory_stream)


def test_dot_and_dot_dot(images):
    with mount(images.image([layer(file("a/b/c/f"))])) as m:
        assert os.stat(m.at("a/b/c/../..")).st_ino == os.stat(m.at("a")).st_ino
        assert os.path.samefile(m.at("a/.."), m.root)
        out = subprocess.run(["sh", "-c", "cd a/b/c && cd .. && /bin/pwd && ls -ia .."],
                             cwd=m.root, capture_output=True, text=True, timeout=10)
        assert out.stdout.startswith(m.at("a/b") + "\n") and out.stderr == ""


def test_names_that_are_not_there(images):
    with mount(images.image([layer(file("d/f"), symlink("s", "nowhere"))])) as m:
        for name in ("x", "d/x", "d/f/x", "s", "d/.wh.f", ".wh.d", "d/.wh..wh..opq", "n" * 255):
            for _ in range(2):
                with pytest.raises((FileNotFoundError, NotADirectoryError)):
                    os.stat(m.at(name))
        with pytest.raises(OSError) as e:
            os.stat(m.at("n" * 256))
        assert e.value.errno == errno.ENAMETOOLONG
        with pytest.raises(FileNotFoundError):
            os.stat(os.path.join(m.path, "nothing"))


# Reading

@pytest.mark.core
def test_reads_anywhere(big):
    rng = random.Random(5)
    with mount(big) as m:
        fd = os.open(m.at("f"), os.O_RDONLY)
        for _ in range(300):
            at = rng.randrange(len(TEXT) + 5000)
            n = rng.choice((1, 9, 4096, 4097, 131072, 1 << 20))
            assert os.pread(fd, n, at) == TEXT[at:at + n]
        os.close(fd)
        assert tree.sha256_of(m.at("f")) == hashlib.sha256(TEXT).hexdigest()


@pytest.mark.core
def test_many_readers_at_once(images, tmp_path):
    names = ["f%02d" % i for i in range(24)]
    source = images.image([layer(*(file(n, n.encode() * 100000) for n in names[i::3]))
                           for i in range(3)])
    wrong = []
    with mount(source) as m:
        def reader(seed):
            rng = random.Random(seed)
            for name in rng.sample(names, len(names)):
                with open(m.at(name), "rb") as f:
                    if f.read() != name.encode() * 100000 or os.listdir(m.root).sort():
                        wrong.append((seed, name))
        threads = [threading.Thread(target=reader, args=(i,)) for i in range(12)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    assert wrong == []


def test_mmap(big):
    with mount(big) as m, open(m.at("f"), "rb") as f:
        for flags in (mmap.MAP_PRIVATE, mmap.MAP_SHARED):
            with mmap.mmap(f.fileno(), 0, flags, mmap.PROT_READ) as view:
                assert view[-10:] == TEXT[-10:]
                assert view.find(b"00499999") == TEXT.find(b"00499999")


def program_and_libraries(program):
    """Entries for a program of this machine with all it loads."""
    program = os.path.realpath(shutil.which(program))
    out = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
    files = [program] + re.findall(r"(/\S+) \(0x", out)
    return program, [file(p[1:], open(p, "rb").read(), mode=0o755) for p in dict.fromkeys(files)]


def test_programs_run_from_it(images):
    """execve from the mount, and chroot into it."""
    program, entries = program_and_libraries("dash")
    script = file("bin/hello", "#!%s\necho hello from $0\n" % program, mode=0o755)
    with mount(images.image([layer(*entries, script)])) as m:
        out = subprocess.run([m.at(program[1:]), "-c", "echo $((6 * 7))"], capture_output=True,
                             text=True, timeout=20)
        assert (out.stdout, out.stderr) == ("42\n", "")
        out = subprocess.run(["chroot", m.root, "/bin/hello"], capture_output=True, text=True,
                             timeout=20)
        assert (out.stdout, out.stderr) == ("hello from /bin/hello\n", "")


@pytest.mark.core
def test_nothing_can_be_written(images):
    with mount(images.image([layer(file("f", "1"), directory("d"))])) as m:
        def refused(call, *arguments):
            with pytest.raises(OSError) as e:
                call(*arguments)
            assert e.value.errno == errno.EROFS, (call, e.value)
        refused(open, m.at("f"), "r+")
        refused(open, m.at("new"), "w")
        refused(os.mkdir, m.at("n"))
        refused(os.unlink, m.at("f"))
        refused(os.rmdir, m.at("d"))
        refused(os.rename, m.at("f"), m.at("g"))
        refused(os.chmod, m.at("f"), 0o600)
        refused(os.utime, m.at("f"))
        refused(os.symlink, "x", m.at("s"))
        refused(os.link, m.at("f"), m.at("h"))
        refused(os.truncate, m.at("f"), 0)
        refused(os.setxattr, m.at("f"), "user.x", b"1")
        refused(open, os.path.join(m.path, "config.json"), "r+")


# Metadata

def test_statfs(images):
    with mount(images.image([layer(*(file("f%d" % i, bytes(10000)) for i in range(100)))])) as m:
        st = os.statvfs(m.root)
        assert st.f_blocks * st.f_frsize >= 100 * 10000
        assert st.f_bfree == st.f_bavail == 0
        assert st.f_files >= 100 and st.f_ffree == 0
        assert st.f_namemax == 255
        assert st.f_flag & os.ST_RDONLY and st.f_flag & os.ST_NOSUID and st.f_flag & os.ST_NODEV


@pytest.mark.core
def test_blocks_of_plain_files(images):
    sizes = [0, 1, 511, 512, 513, 4096, 100000]
    with mount(images.image([layer(*(file("f%d" % n, b"x" * n) for n in sizes))])) as m:
        for n in sizes:
            st = os.stat(m.at("f%d" % n))
            assert st.st_size == n and 512 * st.st_blocks >= n
            assert 512 * st.st_blocks < n + 4096 + 512
            fd = os.open(m.at("f%d" % n), os.O_RDONLY)
            if n:
                assert os.lseek(fd, 0, os.SEEK_DATA) == 0
                assert os.lseek(fd, 0, os.SEEK_HOLE) == n
            with pytest.raises(OSError):
                os.lseek(fd, n, os.SEEK_DATA)
            os.close(fd)


def test_inode_numbers_are_what_a_thing_is(images, tmp_path):
    """The same in the next mount, and for the same layer in another image."""
    base = layer(directory("d"), file("d/f", "1"), symlink("d/s", "f"))
    other = layer(file("other", "2"))
    seen = []
    for source in (images.image([base], name="a"), images.image([base], name="b"),
                   images.image([base, other], name="c")):
        with mount(source) as m:
            seen.append([os.lstat(m.at(n)).st_ino for n in ("d", "d/f", "d/s")])
            with os.scandir(m.at("d")) as entries:
                assert {e.name: e.inode() for e in entries} == {
                    "f": seen[-1][1], "s": seen[-1][2]}
    assert seen[0] == seen[1] == seen[2]
    assert len(set(seen[0])) == 3


@pytest.mark.core
def test_xattr_calls(images):
    xattrs = {"user.a": "1", "user.long": "x" * 3000}
    with mount(images.image([layer(file("f", xattrs=xattrs), file("g"))])) as m:
        assert sorted(os.listxattr(m.at("f"))) == sorted(xattrs)
        assert os.getxattr(m.at("f"), "user.long") == b"x" * 3000
        assert os.listxattr(m.at("g")) == []
        for path, name in ((m.at("g"), "user.a"), (m.at("f"), "user.b"), (m.root, "user.a"),
                           (m.at("f"), "system.posix_acl_access")):
            with pytest.raises(OSError) as e:
                os.getxattr(path, name)
            assert e.value.errno in (errno.ENODATA, errno.ENOTSUP)
        # A buffer that is too small is ERANGE; one of no size asks for the size.
        libc = ctypes.CDLL(None, use_errno=True)
        path, small = os.fsencode(m.at("f")), ctypes.create_string_buffer(10)
        assert libc.getxattr(path, b"user.long", None, 0) == 3000
        assert libc.getxattr(path, b"user.long", small, 10) == -1
        assert ctypes.get_errno() == errno.ERANGE
        assert libc.listxattr(path, None, 0) == len("user.a") + len("user.long") + 2
        assert libc.listxattr(path, small, 10) == -1 and ctypes.get_errno() == errno.ERANGE


def test_image_without_xattrs(images):
    with mount(images.image([layer(file("f"), directory("d"))])) as m:
        for path in (m.at("f"), m.at("d"), m.root):
            assert tree.read_xattrs(path) == {}
            with pytest.raises(OSError):
                os.getxattr(path, "user.a")
        out = subprocess.run(["ls", "-lR", m.root], capture_output=True, text=True, timeout=10)
        assert out.stderr == ""


# The tree around the root file system

@pytest.mark.core
def test_tree_of_an_image(images):
    with mount(images.image([layer(file("f", "1")), layer(file("g", "22"))])) as m:
        names = set(os.listdir(m.path))
        assert names >= {"rootfs", "config.json", "manifest.json"}
        assert "index.json" not in names
        for name in names - {"rootfs"}:
            st = os.lstat(os.path.join(m.path, name))
            assert not st.st_mode & 0o222, name
        for name in ("config.json", "manifest.json"):
            assert os.stat(os.path.join(m.path, name)).st_size == len(m.read(name))
        status = m.status()
        text = json.dumps(status)
        for d in json.loads(m.read("manifest.json"))["layers"]:
            assert d["digest"] in text
        layers = status["layers"]
        assert [d["digest"] for d in layers] == [
            d["digest"] for d in json.loads(m.read("manifest.json"))["layers"]]
        for d in layers:
            assert {"digest", "state", "entries"} <= d.keys(), d
        assert os.stat(os.path.join(m.path, ".peelfs/status.json")).st_mode & 0o444


@pytest.mark.core
def test_root_file_system_at_the_mount_point(images):
    layers = [layer(file("a", "1"), directory("rootfs"), file("config.json", "mine")),
              layer(whiteout("a"))]
    with mount(images.image(layers), "layout=rootfs") as m:
        want = {"rootfs": Dir(), "config.json": File("mine")}
        tree.assert_same(tree.expected(want), tree.dump(m.path))


def test_files_of_the_image_named_like_ours(images):
    with mount(images.image([layer(directory("rootfs"), file("rootfs/f", "1"),
                                   file(".peelfs/status.json", "mine"))])) as m:
        assert open(m.at("rootfs/f")).read() == "1"
        assert open(m.at(".peelfs/status.json")).read() == "mine"
        m.status()


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
        shutil.rmtree(tmp_path / "cache")
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
