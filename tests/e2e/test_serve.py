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
import subprocess
import threading

import pytest

import tree
from archive import directory, file, layer, symlink, whiteout
from mounting import mount
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
