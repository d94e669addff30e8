# SPDX-License-Identifier: MIT
"""A mount answers when its image is resolved; a layer is fetched when something needs it."""
import contextlib
import os
import random
import re
import signal
import subprocess
import time

import pytest

import layout
import tree
from archive import directory, expand, file, layer, sparse_pax
from mounting import (PEELFS, SLOWER, eventually, foreground, is_mounted, mount, run)
from terminal import terminal

NOISE = random.Random(12).randbytes(2_000_000)
HOLES = [(0, NOISE[:4096]), (1 << 20, NOISE[:4096])]
# user:1000:rwx, as the kernel keeps it
ACL = bytes.fromhex("02000000" "01000600ffffffff" "02000700e8030000" "04000400ffffffff"
                    "10000700ffffffff" "20000400ffffffff")
PLAIN = [layer(directory("d"), *(file("d/f%02d" % i, "%d\n" % i) for i in range(40))),
         layer(file("noise", NOISE), directory("e"), file("e/g", "g\n"))]
ODD = [layer(file("plain", "1")),
       layer(file("noted", "2", xattrs={"user.note": "hello"}),
             file("listed", "3", xattrs={"system.posix_acl_access": ACL}, mode=0o674),
             sparse_pax("sparse", HOLES, 2 << 20, "1.0"))]
S390X = ("linux", "s390x", "")
DOCUMENTS = ("config.json", "manifest.json", "index.json", "inspect.json", "history", "Dockerfile")
# On any machine much less than the time that a silent registry takes.
AT_ONCE = 0.5 * SLOWER


@contextlib.contextmanager
def at_once(seconds=AT_ONCE):
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < seconds


class Image:
    """In a registry: an index with another platform, and what was asked of their layers."""

    def __init__(self, fake, layers=None, repository="a"):
        self.fake, images = fake, fake.images
        self.layers = [images.layer(tar) for tar in layers or PLAIN]
        other = [images.layer(layer(file("other", "1")))]
        self.digests = [d["digest"] for d in self.layers + other]
        index = images.index([(images.manifest(self.layers), layout.HOST),
                              (images.manifest(other, where=S390X), S390X)])
        for d in (m["digest"] for m in _manifests(images, index)):
            fake.manifests[repository, d] = layout.MANIFEST, images.read({"digest": d})
        self.source = fake.tag(repository, "t", images.read(index), layout.INDEX)

    def asked(self):
        """The numbers of the layers that were asked for, from 1; of the other platform, the last."""
        return sorted({1 + self.digests.index(digest) for _, path, _ in list(self.fake.asked)
                       for digest in self.digests if digest in path})

    def folder(self, number):
        return "layers/%d-%s" % (number, self.digests[number - 1][7:19])


def _manifests(images, index):
    import json
    return json.loads(images.read(index))["manifests"]


@pytest.fixture
def image(fake):
    return Image(fake)


def look_at_top(m, top=""):
    """All that asks the mount itself, and the entries at its top."""
    for command in (["df", m.path], ["df", "-i", m.path], ["findmnt", m.path],
                    ["mountpoint", m.path], ["stat", m.path], ["ls", "-d", m.path]):
        done = subprocess.run(command, capture_output=True, timeout=20)
        assert done.returncode == 0 and done.stderr == b"", (command, done)
    os.statvfs(m.path)
    subprocess.run(["getfattr", "-d", "-m", "-", m.path], check=True, capture_output=True, timeout=20)
    if top is not None:
        entries = [os.path.join(m.path + top, name) for name in os.listdir(m.path + top)]
        for command in (["ls", "-la", m.path + top], ["getfattr", "-d", "-m", "-", *entries],
                        ["find", m.path + top, "-maxdepth", "1", "-ls"],
                        ["sh", "-c", "cd $0/rootfs && pwd", m.path + top]):
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=20)
        for name in os.listdir(m.path + top):
            os.stat(os.path.join(m.path + top, name))
            assert os.access(os.path.join(m.path + top, name), os.R_OK)


def read_documents(m, top=""):
    found = {}
    for name in DOCUMENTS:
        with contextlib.suppress(FileNotFoundError):
            found[name] = m.read(top.lstrip("/") + "/" * bool(top) + name)
    assert found.keys() >= {"config.json", "manifest.json", "history", "Dockerfile"}
    return found


# What needs no layer

def test_documents_need_no_layer(image):
    with mount(image.source, load=False) as m:
        assert read_documents(m).keys() == set(DOCUMENTS)
        look_at_top(m)
        subprocess.run(["ls", "-lR", m.path + "/referrers", m.path + "/.peelfs"], check=True,
                       stdout=subprocess.DEVNULL, timeout=20)
        assert os.listdir(m.path + "/platforms") == ["linux-s390x"]
        look_at_top(m, "/platforms/linux-s390x")
        read_documents(m, "/platforms/linux-s390x")
        assert len(os.listdir(m.path + "/layers")) == 4
        for name in os.listdir(m.path + "/layers"):
            st = os.stat(m.path + "/layers/" + name)
            if name.endswith(".json"):
                assert len(m.read("layers/" + name)) == st.st_size
        m.read("oci/index.json")
        os.listdir(m.path + "/oci/blobs/sha256")
        assert image.asked() == []
        assert m.status()["state"] == "waiting"


def test_mount_point_with_layout_rootfs(image):
    with mount(image.source, "layout=rootfs", load=False) as m:
        look_at_top(m, None)
        assert image.asked() == []
        assert sorted(os.listdir(m.path)) == ["d", "e", "noise"]
        assert image.asked() == [1, 2]


def test_blob_that_is_read_is_fetched(image):
    with mount(image.source, load=False) as m:
        hexes = [digest[7:] for digest in image.digests]
        m.read("oci/blobs/sha256/" + layout.digest(m.read("config.json"))[7:])
        assert image.asked() == []
        assert layout.digest(m.read("oci/blobs/sha256/" + hexes[1])) == image.digests[1]
        assert image.asked() == [2]
        assert m.status()["state"] == "waiting"


def test_folder_of_a_layer_loads_that_layer(image):
    with mount(image.source, load=False) as m:
        assert sorted(os.listdir(m.path + "/" + image.folder(2))) == ["e", "noise"]
        assert image.asked() == [2]
        assert [d["state"] for d in m.status()["layers"]] == ["waiting", "ready"]
        assert m.status()["state"] == "waiting"
        assert m.read(image.folder(1) + "/d/f07") == b"7\n"
        assert image.asked() == [1, 2]
        assert m.read("rootfs/e/g") == b"g\n"


def test_first_access_loads_all_layers(image):
    with mount(image.source, load=False) as m:
        with pytest.raises(FileNotFoundError):
            os.stat(m.at("none"))
        assert image.asked() == [1, 2]
        assert m.status()["state"] == "ready"
        assert os.listdir(m.path + "/platforms/linux-s390x/rootfs") == ["other"]
        assert image.asked() == [1, 2, 3]


def test_image_of_a_namespace(fake):
    image = Image(fake, repository="team/app")
    with mount(fake.host + "/team/", load=False) as m:
        read_documents(m, "/app/t")
        look_at_top(m, "/app/t")
        assert image.asked() == []
        fake.silent.set()
        with at_once(3 * SLOWER):
            look_at_top(m, "/app/t")
        with interrupted(["ls", m.path + "/app/t/rootfs"], fake):
            pass
        fake.silent.clear()
        assert sorted(os.listdir(m.path + "/app/t/" + image.folder(2))) == ["e", "noise"]
        assert sorted(os.listdir(m.path + "/app/t/rootfs")) == ["d", "e", "noise"]
        assert image.asked() == [1, 2]


# Waits

@contextlib.contextmanager
def interrupted(command, fake):
    """Runs it until it waits for the registry, then ends it by SIGINT."""
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert eventually(lambda: fake.waiting, 10)
        time.sleep(0.1)
        assert child.poll() is None
        yield child
        child.send_signal(signal.SIGINT)
        with at_once():
            child.wait(10)
        assert child.returncode == -signal.SIGINT
    finally:
        child.kill()
        child.communicate()


@pytest.mark.parametrize("options, command", [
    ((), "ls %s/rootfs"), ((), "cat %s/rootfs/e/g"), ((), "ls %s/layers/2-*/"),
    ((), "cat %s/oci/blobs/sha256/LAYER"), (("layout=rootfs",), "ls %s"),
    (("layout=rootfs",), "stat %s/e/g"), ((), "find %s/platforms/linux-s390x/rootfs")])
def test_silent_registry(image, fake, options, command):
    with mount(image.source, "timeout=60", *options, load=False) as m:
        fake.silent_about = "/blobs/"
        words = (command % m.path).replace("LAYER", image.digests[0][7:])
        if "*" in words:
            words = words.replace("2-*", os.path.basename(image.folder(2)))
        if "platforms" in words:
            os.listdir(m.path + "/platforms/linux-s390x")
        fake.silent.set()
        with at_once(3 * SLOWER):
            look_at_top(m, None if options else "")
        with interrupted(words.split(), fake):
            with at_once(3 * SLOWER):
                look_at_top(m, None if options else "")
                if not options:
                    read_documents(m)
        fake.silent.clear()
        assert sorted(os.listdir(m.path if options else m.root)) == ["d", "e", "noise"]


def test_two_at_once(image, fake):
    """Each byte is fetched once, and both see the same."""
    fake.pace = 2_000_000
    with mount(image.source, load=False) as m:
        finds = [subprocess.Popen(["find", m.root, "-ls"], stdout=subprocess.PIPE)
                 for _ in range(2)]
        out = [sorted(f.communicate(timeout=20 * SLOWER)[0].splitlines()) for f in finds]
        assert out[0] == out[1] and len(out[0]) == 45
        blobs = [path for _, path, _ in fake.asked if any(d in path for d in image.digests)]
        assert sorted(blobs) == sorted(set(blobs))
        assert m.status()["errors"] == 0


def test_daemon_is_killed_while_it_loads(image, fake, tmp_path):
    fake.pace = 1_000_000
    cache = tmp_path / "cache"
    with foreground(image.source, cache=cache, load=False) as m:
        child = subprocess.Popen(["ls", m.root], stderr=subprocess.PIPE)
        assert eventually(lambda: fake.sent > 300_000)
        m.child.kill()
        assert child.wait(10 * SLOWER) != 0
        assert re.search(b"not connected|abort", child.communicate()[1])
        subprocess.run(["umount", "-l", m.path], check=True, timeout=10)
    fake.pace = None
    with mount(image.source, cache=cache, load=False) as m:
        assert sorted(os.listdir(m.root)) == ["d", "e", "noise"]
        assert m.read("rootfs/noise") == NOISE


# -o wait

def test_wait_serves_a_second_reader(image, fake):
    fake.pace = 1_000_000
    with foreground(image.source, load=True) as m:
        with at_once(2 * SLOWER):
            read_documents(m)
            look_at_top(m)
        assert m.status()["state"] == "loading"
        assert m.read(image.folder(1) + "/d/f07") == b"7\n"
        assert m.status()["state"] == "loading"
        assert sorted(os.listdir(m.root)) == ["d", "e", "noise"]
        assert m.status()["state"] == "ready"


@pytest.mark.parametrize("arguments", [(), ("-f",)])
def test_wait_is_interrupted(image, fake, arguments):
    fake.silent_about = image.digests[1]
    fake.silent.set()
    with foreground(image.source, "timeout=60", arguments=arguments, load=True, wait=False) as m:
        assert eventually(lambda: fake.waiting and is_mounted(m.path))
        reader = subprocess.Popen(["ls", m.root], stderr=subprocess.PIPE)
        time.sleep(0.3)
        m.child.send_signal(signal.SIGINT)
        with at_once(6 * SLOWER):
            assert m.child.wait(20) == 32
        assert not is_mounted(m.path)
        assert reader.wait(5 * SLOWER) != 0
        m.log.seek(0)
        assert m.log.read().decode().count("interrupted") == 1


def test_wait_with_a_broken_layer(images):
    d = images.layer(PLAIN[1])
    with open(images.blob_path(d["digest"]), "r+b") as f:
        f.write(b"other bytes")
    source = images.image([PLAIN[0], d])
    with mount(source, quiet=False) as m:
        assert re.fullmatch("peelfs: layer %s.*; rootfs/ cannot be shown\n" % d["digest"], m.stderr)
        with pytest.raises(OSError):
            os.listdir(m.root)
        assert m.read("layers/1-%s/d/f07" % m.status()["layers"][0]["digest"][7:19]) == b"7\n"
    os.mkdir(images.path + "/mnt")
    done = run("-o", "wait,layout=rootfs,cache=none", source, images.path + "/mnt")
    assert done.returncode == 32 and not is_mounted(images.path + "/mnt")
    assert done.stderr.count("\n") == 1 and d["digest"] in done.stderr


# The same as with -o wait

def test_sizes_before_and_after(image):
    names = ["history", "inspect.json"] + [image.folder(n) + ".json" for n in (1, 2)]
    with mount(image.source, load=False) as m:
        def texts():
            found = {}
            for name in names:
                data = m.read(name)
                listed = subprocess.run(["ls", "-l", m.path + "/" + name], capture_output=True,
                                        text=True, check=True).stdout.split()
                assert os.stat(m.path + "/" + name).st_size == len(data) == int(listed[4])
                found[name] = data.decode()
            return found
        before = texts()
        assert len(re.findall(r" \? ", before["history"])) == 2
        os.listdir(m.root)
        after = texts()
        assert " ? " not in after["history"]
        assert all(before[name] != after[name] for name in names)
    with mount(image.source) as m:
        waited = texts()
        assert waited["history"] == after["history"]


@pytest.mark.parametrize("options", [(), ("layout=rootfs",), ("ino=unique",)])
def test_attributes_of_a_root_that_came_late(fake, options):
    """Its number stays, so a program that is in it notices nothing; all else becomes true."""
    root = [directory("./", mode=0o1751, uid=7, gid=8, xattrs={"user.root": "yes"})]
    image = Image(fake, [layer(*root), PLAIN[0]])
    names = [""] if "layout=rootfs" in options else ["rootfs", image.folder(1)]

    def attributes(m, name):
        st = os.stat(os.path.join(m.path, name))
        return st.st_mode, st.st_uid, st.st_gid, st.st_mtime_ns, st.st_nlink, st.st_ino
    with mount(image.source, *options) as m:
        want = [attributes(m, name) for name in names]
        assert all(w[:3] == (0o41751, 7, 8) for w in want)
    with mount(image.source, *options, load=False) as m:
        assert [attributes(m, name)[5] for name in names] == [w[5] for w in want]
        inside = [os.open(os.path.join(m.path, name), os.O_RDONLY) for name in names]
        for name in names:
            os.listdir(os.path.join(m.path, name))
        assert [attributes(m, name) for name in names] == want
        assert [os.fstat(fd).st_mode for fd in inside] == [0o41751] * len(names)
        assert [os.getxattr(os.path.join(m.path, name), "user.root") for name in names] == \
            [b"yes"] * len(names)
        for fd in inside:
            os.close(fd)


def odd_things(root):
    def note(name, key):
        done = subprocess.run(["getfattr", "--absolute-names", "--only-values", "-n", key,
                               os.path.join(root, name)], capture_output=True, timeout=20)
        return done.stdout
    fd = os.open(os.path.join(root, "sparse"), os.O_RDONLY)
    seeks = [os.lseek(fd, off, whence) for off, whence in
             ((0, os.SEEK_HOLE), (4096, os.SEEK_DATA), (1 << 20, os.SEEK_HOLE))]
    os.close(fd)
    listed = subprocess.run(["ls", "-l", os.path.join(root, "listed")], capture_output=True,
                            text=True, timeout=20).stdout
    return (note("noted", "user.note"), note("listed", "system.posix_acl_access"), seeks,
            listed[:11])


@pytest.mark.parametrize("options", [(), ("layout=rootfs",)])
@pytest.mark.parametrize("before", [False, True])
def test_xattrs_and_holes_of_what_came_late(fake, options, before):
    """The kernel asks whether there are such at all; a "no" would be the last answer."""
    with mount(Image(fake, ODD).source, *options, load=False) as m:
        root = m.path if options else m.root
        if before:
            for name in [m.path] + ([] if options else [m.path + "/config.json", m.root]):
                subprocess.run(["getfattr", "-d", "-m", "-", name], capture_output=True, timeout=20)
                subprocess.run(["ls", "-ld", name], capture_output=True, timeout=20)
            if not options:
                fd = os.open(m.path + "/config.json", os.O_RDONLY)
                assert os.lseek(fd, 0, os.SEEK_HOLE) == os.fstat(fd).st_size
                os.close(fd)
        assert odd_things(root) == (b"hello", ACL, [4096, 1 << 20, (1 << 20) + 4096], "-rw-rwxr--+")
        with open(os.path.join(root, "sparse"), "rb") as f:
            assert f.read() == expand(HOLES, 2 << 20)


def test_tree_is_the_same(fake):
    image = Image(fake, ODD + PLAIN)
    with mount(image.source) as m:
        want = tree.dump(m.root)
    with mount(image.source, load=False) as m:
        tree.assert_same(want, tree.dump(m.root))


def costs(m):
    """Requests of the kernel for a second listing and a scan."""
    os.listdir(m.root)
    before = m.status()["operations"]
    for command in (["ls", "-lR", m.root], ["grep", "-r", "nothing", m.root]) * 2:
        subprocess.run(command, stdout=subprocess.DEVNULL, timeout=20)
    after = m.status()["operations"]
    return {k: after[k] - before[k] for k in after}


def test_requests_of_the_kernel(fake):
    image = Image(fake)
    with mount(image.source) as m:
        waited = costs(m)
    with mount(image.source, load=False) as m:
        late = costs(m)
    assert all(late[k] <= waited[k] + 2 for k in waited), (late, waited)


# On a terminal

def test_what_a_terminal_shows(image, tmp_path):
    where, cache = tmp_path / "mnt", tmp_path / "cache"
    where.mkdir()
    for text in ("peelfs: mounted at %s; 2 layers (1.9 MiB) load when they are first used, and "
                 "`peelctl wait %s` waits for them\r\n" % (where, where), ""):
        with terminal(PEELFS, "-o", "cache_dir=%s" % cache, image.source, str(where)) as t:
            assert t.wait(20) == 0
            assert t.text == text
        os.listdir(where / "rootfs")
        subprocess.run(["umount", str(where)], check=True, timeout=20)
        assert eventually(lambda: not is_mounted(str(where)))


def test_wait_on_a_terminal(image, fake, tmp_path):
    """The bar, and what Ctrl-C leaves."""
    fake.silent_about = image.digests[1]
    fake.silent.set()
    where = tmp_path / "mnt"
    where.mkdir()
    with terminal(PEELFS, "-o", "wait,timeout=60,cache_dir=%s" % (tmp_path / "cache"), image.source,
                  str(where)) as t:
        assert t.shows(r"\r\[-*\] \d\.\d/1\.9 MiB  \d\.\d MiB/s  layer 1/2  waiting for %s, 2 s"
                       % re.escape(fake.host)), t.text
        assert is_mounted(str(where))
        os.write(t.end, b"\x03")
        assert t.wait(6) == 32, t.text
        assert re.search(r"\r\x1b\[K(.|\n)*peelfs: interrupted\r\n$", t.text), t.text
    assert eventually(lambda: not is_mounted(str(where)))
