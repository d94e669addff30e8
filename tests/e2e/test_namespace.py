# SPDX-License-Identifier: MIT
"""Whole registries, and parts of one, as directories."""
import concurrent.futures
import contextlib
import errno
import json
import os
import signal
import socket
import subprocess
import time

import pytest

import badregistry
import layout
from archive import directory, file, layer
from mounting import SANITIZED, SLOWER, eventually, mount, run
from stores import ctl

BASE = layer(directory("etc"), file("etc/shared", "s" * 100000))


def version(n):
    return [BASE, layer(file("version", str(n)), file("etc/own", "own %d" % n))]


def fill(fake, images, repository, versions):
    """Tags v1, v2... in the fake registry."""
    for n in versions:
        d = images.manifest(version(n))
        fake.tag(repository, "v%d" % n, images.read(d), d["mediaType"])


def text(*names):
    with open(os.path.join(*names)) as f:
        return f.read()


def error(ask, *arguments):
    with pytest.raises(OSError) as e:
        ask(*arguments)
    return e.value.errno


@pytest.fixture
def stocked(images, new_registry):
    for n in (1, 2):
        new_registry.push(images.image(version(n), "v%d" % n), "team/app", "v%d" % n)
    new_registry.push(images.image(version(7), "other"), "team/app/tools", "7")
    new_registry.push(images.image([BASE], "solo"), "solo", "latest")
    return new_registry


def test_offline(stocked, tmp_path):
    """What the store knows is found by its names, though nothing can be listed."""
    with mount(stocked.host + "/", cache=tmp_path / "c") as m:
        assert text(m.path, "team/app/v1/rootfs/version") == "1"
        digest = os.readlink(m.path + "/team/app/v1").split("@")[1]
    with mount(stocked.host + "/", "offline", cache=tmp_path / "c", quiet=False) as m:
        for name in ("team/app/v1", "team/app:v1", "team/app@" + digest):
            assert text(m.path, name, "rootfs/version") == "1"
        with pytest.raises(OSError):
            os.stat(m.path + "/team/app:v2/rootfs")
        with pytest.raises(OSError):
            os.listdir(m.path)


def test_a_registry(stocked):
    with mount(stocked.host + "/") as m:
        app = m.path + "/team/app"
        assert sorted(os.listdir(m.path)) == [".peelfs", "solo", "team"]
        assert os.listdir(m.path + "/team") == ["app"]
        assert sorted(os.listdir(app)) == ["tools", "v1", "v2"]
        for n in (1, 2):
            assert text(app, "v%d" % n, "rootfs/version") == str(n)
            link = os.readlink("%s/v%d" % (app, n))
            data = open("%s/v%d/manifest.json" % (app, n), "rb").read()
            assert link == "../app@" + layout.digest(data)
            assert os.lstat("%s/v%d" % (app, n)).st_size == len(link)
            assert os.path.samefile("%s/v%d" % (app, n), m.path + "/team/" + link[3:])
            assert text(m.path, "team/app:v%d" % n, "rootfs/version") == str(n)
        assert text(app, "tools/7/rootfs/version") == "7"
        assert text(m.path, "solo:latest/rootfs/etc/shared") == "s" * 100000
        assert json.loads(text(m.path, "solo/latest/inspect.json"))[0]["RepoDigests"]
        status = m.status()
        assert status["namespace"] == stocked.host + "/" and status["images"]["loaded"] == 4


def test_up_again(stocked):
    with mount(stocked.host + "/") as m:
        top = os.path.realpath(m.path + "/team/app/v1")
        for path, around in ((top, m.path + "/team"), (top + "/rootfs", top),
                             (m.path + "/team/app", m.path + "/team"),
                             (m.path + "/team", m.path)):
            assert os.path.samefile(path + "/..", around)
            entries = subprocess.run(["ls", "-ai1", path], capture_output=True, text=True)
            numbers = dict(reversed(line.split()) for line in entries.stdout.splitlines())
            assert int(numbers[".."]) == os.stat(around).st_ino or around == m.path
            assert int(numbers["."]) == os.stat(path).st_ino


def test_a_part_of_a_registry(stocked):
    with mount(stocked.host + "/team/") as m:
        assert sorted(os.listdir(m.path)) == [".peelfs", "app"]
        assert text(m.path, "app/v2/rootfs/version") == "2"
        assert error(os.stat, m.path + "/solo") == errno.ENOENT


def test_a_repository_at_the_top(stocked):
    with mount("docker://" + stocked.host + "/team/app/") as m:
        assert sorted(os.listdir(m.path)) == [".peelfs", "tools", "v1", "v2"]
        assert os.readlink(m.path + "/v1").startswith("@sha256:")
        assert text(m.path, "v1/rootfs/version") == "1"
        assert text(m.path, "tools:7/rootfs/version") == "7"


def test_all_registries(stocked):
    with mount("/") as m:
        assert os.listdir(m.path) == [".peelfs"]
        for name in ("nothing", "etc", ".Trash-1000", "autorun.inf", "UPPER"):
            assert error(os.stat, m.path + "/" + name) == errno.ENOENT
        assert m.status()["network"]["requests"] == 0
        assert text(m.path, stocked.host, "team/app/v1/rootfs/version") == "1"
        assert eventually(lambda: sorted(os.listdir(m.path)) == sorted([".peelfs", stocked.host]))


def test_names_without_end(stocked):
    """Any name like a host's is one, but a crawler does not fill the memory with them."""
    with mount("/") as m:
        known = text(m.path, stocked.host, "team/app/v1/rootfs/version")
        inside = os.open(m.path + "/h0.example", os.O_PATH)
        for n in range(30000):
            os.stat("%s/h%d.example" % (m.path, n))
        before = m.memory("RssAnon")
        for n in range(30000, 90000):
            os.stat("%s/h%d.example" % (m.path, n))
        # A sanitizer keeps what is freed for a while.
        assert SANITIZED or m.memory("RssAnon") < before + (8 << 20)
        assert os.path.isdir(m.path + "/h0.example")
        with contextlib.suppress(OSError):
            os.listdir(inside)
        os.close(inside)
        assert text(m.path, stocked.host, "team/app/v1/rootfs/version") == known
        for n in range(20):
            assert error(os.stat, "%s/%s/team/app:none%d" % (m.path, stocked.host, n)) == \
                errno.ENOENT


def test_what_is_not_there(stocked):
    with mount(stocked.host + "/") as m:
        before = m.status()["network"]["requests"]
        for name in (".git", ".Trash", ".Trash-1000", "autorun.inf", "desktop.ini", "UPPER",
                     "a..b", "-x", "team/app@sha256:12", "team/app@nothing", "a b", "x:y:z"):
            assert error(os.stat, m.path + "/" + name) == errno.ENOENT, name
        assert m.status()["network"]["requests"] <= before + 3  # of team/ itself
        for name in ("nothing", "team/nothing", "team/app/nothing", "team/app:nothing",
                     "nothing:v1", "team/app@sha256:" + "0" * 64):
            assert error(os.stat, m.path + "/" + name) == errno.ENOENT, name


def test_not_there_is_not_for_ever(stocked, images):
    with mount(stocked.host + "/", "tag_ttl=1") as m:
        assert error(os.stat, m.path + "/team/late") == errno.ENOENT
        assert "v9" not in os.listdir(m.path + "/team/app")
        stocked.push(images.image(version(9), "v9"), "team/late", "v9")
        stocked.push(images.image(version(9), "v9"), "team/app", "v9")
        assert eventually(lambda: os.path.exists(m.path + "/team/late/v9/rootfs"))
        assert eventually(lambda: "v9" in os.listdir(m.path + "/team/app"))
        assert eventually(lambda: "late" in os.listdir(m.path + "/team"))


@pytest.mark.parametrize("source", ["UPPER.CASE/x y/", "docker://", "docker.io//x/"])
def test_no_namespace(source, tmp_path):
    (tmp_path / "mnt").mkdir()
    done = run(source, str(tmp_path / "mnt"))
    assert done.returncode == 32 and done.stderr.count("\n") == 1


def test_layout_rootfs_is_for_one(tmp_path):
    (tmp_path / "mnt").mkdir()
    done = run("-o", "layout=rootfs", "localhost:1/", str(tmp_path / "mnt"))
    assert done.returncode == 32 and "layout=rootfs" in done.stderr


# Tags

def test_many_tags(fake, images):
    """A list of pages asks for the pages and for nothing else; nor does walking it."""
    fill(fake, images, "big", [1])
    fake.page = 1000
    fake.tags["big"] = ["v1"] + ["t%05d" % i for i in range(10000)]
    with mount(fake.host + "/") as m:
        os.stat(m.path + "/big")
        del fake.asked[:]
        assert len(os.listdir(m.path + "/big")) == 10001
        assert len([a for a in fake.asked if "/tags/list" in a[1]]) == 11
        done = subprocess.run(["find", m.path], capture_output=True, text=True)
        assert done.stdout.count("\n") == 10001 + 4 and done.stderr == ""
        for entry in os.scandir(m.path + "/big"):
            assert entry.is_symlink() and entry.stat(follow_symlinks=False).st_size == 78
        assert not [a for a in fake.asked if "/manifests/" in a[1]]
        assert text(m.path, "big/v1/rootfs/version") == "1"
        assert error(os.readlink, m.path + "/big/t00007") == errno.ENOENT


def test_a_tag_that_moves(fake, images):
    fill(fake, images, "app", [1])
    old = fake.manifests["app", "v1"]
    with mount(fake.host + "/", "tag_ttl=1") as m:
        path = m.path + "/app/v1"
        os.chdir(path + "/rootfs")
        try:
            assert text("version") == "1"
            with open("etc/own") as kept:
                first = os.readlink(path)
                fill(fake, images, "app", [2])
                fake.manifests["app", "v1"] = fake.manifests.pop(("app", "v2"))
                assert eventually(lambda: os.readlink(path) != first)
                assert text(path, "rootfs/version") == "2"
                assert text(m.path, "app:v1/rootfs/version") == "2"
                # What is open keeps its image, and what is known by its digest.
                assert text("version") == "1" and kept.read() == "own 1"
                assert text(m.path, "app", first, "rootfs/version") == "1"
                fake.manifests["app", "v1"] = old
                assert eventually(lambda: os.readlink(path) == first)
                del fake.manifests["app", "v1"]
                assert eventually(lambda: not os.path.lexists(path))
        finally:
            os.chdir("/")


def test_a_tag_that_does_not_move_is_not_asked_for_again(fake, images):
    fill(fake, images, "app", [1])
    with mount(fake.host + "/", "tag_ttl=100000") as m:
        assert text(m.path, "app/v1/rootfs/version") == "1"
        del fake.asked[:]
        for _ in range(3):
            assert os.readlink(m.path + "/app/v1")
            assert os.stat(m.path + "/app/v1/rootfs/version")
        assert fake.asked == []


# Directories without a catalog

def test_without_a_catalog(fake, images):
    fill(fake, images, "group/sub/app", [1])
    with mount(fake.host + "/", "tag_ttl=1") as m:
        assert os.listdir(m.path) == [".peelfs"]
        assert text(m.path, "group/sub/app/v1/rootfs/version") == "1"
        # What was visited is listed from then on.
        assert eventually(lambda: "group" in os.listdir(m.path))
        assert eventually(lambda: os.listdir(m.path + "/group/sub") == ["app"])
        assert os.listdir(m.path + "/group/sub/app") == ["v1"]
        assert error(os.stat, m.path + "/group/sub/app/v2") == errno.ENOENT


def test_with_a_catalog_of_pages(fake, images):
    fake.has_catalog, fake.page = True, 7
    for i in range(50):
        fake.tags["r%02d/x" % i] = ["t"]
    fill(fake, images, "app", [1])
    with mount(fake.host + "/") as m:
        assert len(os.listdir(m.path)) == 52
        assert len([a for a in fake.asked if "_catalog" in a[1]]) == 8
        assert error(os.stat, m.path + "/r99") == errno.ENOENT
        assert os.listdir(m.path + "/r07") == ["x"]


def numbers(path):
    """The names of a directory, and the inode that each has in its list."""
    return [(e.name, e.inode()) for e in os.scandir(path)]


@pytest.mark.parametrize("ttl", [1, 100000])
def test_a_tag_called_as_a_repository(fake, images, ttl):
    """Each name is there once, as what lookup gives: the directory."""
    fake.has_catalog = True
    fill(fake, images, "a", [1, 2, 3])
    fill(fake, images, "a/v1", [4])
    fill(fake, images, "a/v2/deep", [5])
    with mount(fake.host + "/", "tag_ttl=%d" % ttl) as m:
        path = m.path + "/a"
        os.listdir(path)
        for _ in range(2):
            listed = numbers(path)
            assert sorted(name for name, _ in listed) == ["v1", "v2", "v3"]
            assert sorted(listed) == [(n, os.lstat(path + "/" + n).st_ino)
                                      for n in ("v1", "v2", "v3")]
            assert text(path, "v1/v4/rootfs/version") == "4"
            assert text(path, "v2/deep/v5/rootfs/version") == "5"
            assert text(path, "v3/rootfs/version") == "3"
            for n in (1, 2, 3):
                assert text(m.path, "a:v%d/rootfs/version" % n) == str(n)
            # However old the catalog is.
            fake.asked.clear()
            assert ttl > 1 or eventually(lambda: os.path.isdir(path + "/v1/v4") and fake.asked)


def test_a_tag_called_as_a_repository_that_is_visited(fake, images):
    fill(fake, images, "a", [1])
    fill(fake, images, "a/v1", [4])
    with mount(fake.host + "/", "tag_ttl=1") as m:
        path = m.path + "/a"
        assert text(path, "v1/rootfs/version") == "1"  # nobody knows of another
        assert [name for name, _ in numbers(path)] == ["v1"]
        assert text(path, "v1:v4/rootfs/version") == "4"
        assert eventually(lambda: os.path.exists(path + "/v1/v4/rootfs"))
        for _ in range(2):
            assert numbers(path) == [("v1", os.lstat(path + "/v1").st_ino)]
            fake.asked.clear()
            assert eventually(lambda: os.path.exists(path + "/v1/v4/rootfs") and fake.asked)
        assert text(m.path, "a:v1/rootfs/version") == "1"


# What one daemon for all is for

def test_two_versions_side_by_side(stocked):
    with mount(stocked.host + "/") as m:
        a, b = (m.path + "/team/app/v%d/rootfs" % n for n in (1, 2))
        done = subprocess.run(["diff", "-rq", a, b], capture_output=True, text=True)
        assert sorted(done.stdout.splitlines()) == [
            "Files %s/%s and %s/%s differ" % (a, f, b, f) for f in ("etc/own", "version")]
        assert os.stat(a + "/etc/shared").st_ino == os.stat(b + "/etc/shared").st_ino
        assert text(a, "etc/shared") == "s" * 100000
        before = m.status()["operations"]["read"]
        assert text(b, "etc/shared") == "s" * 100000  # of the page cache
        assert m.status()["operations"]["read"] == before + 1  # the status itself


def test_programs_of_two_versions(images, new_registry):
    for n in (1, 2):
        tar = layer(file("bin/say", "#!/bin/sh\ncat \"$(dirname \"$0\")/../v\"\n", mode=0o755),
                    file("v", str(n)))
        new_registry.push(images.image([tar], "v%d" % n), "app", "v%d" % n)
    with mount(new_registry.host + "/") as m:
        said = [subprocess.run([m.path + "/app/v%d/rootfs/bin/say" % n], capture_output=True,
                               timeout=20).stdout for n in (1, 2, 1)]
        assert said == [b"1", b"2", b"1"]


def test_many_readers_of_many_images(stocked, images):
    for n in range(10, 20):
        stocked.push(images.image(version(n), "v%d" % n), "team/app", "v%d" % n)

    def read(i):
        n = 10 + i % 10
        return text(m.path, "team/app/v%d/rootfs/version" % n) == str(n)
    with mount(stocked.host + "/") as m:
        with concurrent.futures.ThreadPoolExecutor(10) as pool:
            assert all(pool.map(read, range(100)))
        assert m.status()["images"]["seen"] == 11
        assert m.status()["errors"] == 0


def test_platforms_inside(images, new_registry):
    other = ("linux", "s390x", "")
    entries = [(images.manifest(version(n), where=where), where)
               for n, where in ((1, layout.HOST), (2, other))]
    new_registry.push(images.tag(images.index(entries), "both"), "both", "t", "--all")
    with mount(new_registry.host + "/") as m:
        assert text(m.path, "both/t/rootfs/version") == "1"
        assert text(m.path, "both/t/platforms/linux-s390x/rootfs/version") == "2"
        oci = os.path.realpath(m.path + "/both/t/oci")
        for manifest, _ in entries:
            assert layout.digest(open(oci + "/blobs/sha256/" + manifest["digest"][7:],
                                      "rb").read()) == manifest["digest"]


# Failures

def test_a_registry_that_is_not_there(tmp_path):
    with mount("localhost:1/", "timeout=2", quiet=False) as m:
        assert "localhost:1" in m.stderr
        assert error(os.listdir, m.path) == errno.EIO
        assert error(os.stat, m.path + "/app:v1/rootfs") == errno.EIO
        assert m.status()["errors"] >= 2


def test_what_is_known_stays_while_the_registry_fails(fake, images):
    fill(fake, images, "team/app", [1, 2])
    with mount(fake.host + "/", "tag_ttl=1", "timeout=3") as m:
        app = m.path + "/team/app"
        assert text(app, "v1/rootfs/version") == "1" and len(os.listdir(app)) == 2
        fake.status = 400
        assert eventually(lambda: fake.asked.clear() or os.listdir(app) and fake.asked)
        assert sorted(os.listdir(app)) == ["v1", "v2"]
        assert text(app, "v1/rootfs/etc/own") == "own 1"
        assert error(os.stat, app + "/v2/rootfs") in (errno.EIO, errno.ENOENT)
        fake.status = None
        assert eventually(lambda: os.path.exists(app + "/v2/rootfs/version"), seconds=20)


def test_refused(fake, images):
    fill(fake, images, "team/app", [1])
    fake.status = 403
    with mount(fake.host + "/team/app/", quiet=False) as m:
        assert m.stderr.count("\n") == 1 and "403" in m.stderr, m.stderr
        assert error(os.listdir, m.path) == errno.EACCES
        assert error(os.stat, m.path + "/x:v1") == errno.EACCES


@pytest.mark.parametrize("path", ["app", "app:v1", "app/v1/rootfs"])
def test_interrupted(fake, images, path):
    """Ctrl-C ends the wait for a registry that does not answer, whatever is asked."""
    fill(fake, images, "app", [1])
    fake.silent_always = True
    with mount(fake.host + "/", "timeout=600") as m:
        if "/" in path:
            fake.silent_about = "/manifests/"
            os.stat(m.path + "/app")
        fake.silent.set()
        reader = subprocess.Popen(["stat", "-L", m.path + "/" + path],
                                  stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        assert eventually(lambda: fake.waiting > 0)
        reader.send_signal(signal.SIGINT)
        reader.wait(20)
        fake.silent.clear()
        assert eventually(lambda: os.path.exists(m.path + "/app/v1/rootfs"))


@pytest.mark.parametrize("how", ["SIGTERM", "umount"])
def test_unmounted_while_a_resolve_hangs(fake, images, how):
    fill(fake, images, "app", [1])
    with mount(fake.host + "/", "timeout=600") as m:
        assert os.readlink(m.path + "/app/v1")
        fake.silent_always = True
        fake.silent.set()
        reader = subprocess.Popen(["ls", m.path + "/app/v1/rootfs"],
                                  stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        assert eventually(lambda: fake.waiting > 0)
        if how == "SIGTERM":
            os.kill(m.pid, signal.SIGTERM)
        else:
            reader.kill()
            reader.wait(20)
            assert eventually(lambda: subprocess.run(["umount", m.path],
                                                     capture_output=True).returncode == 0)
        assert eventually(m.has_ended, seconds=30)
        with contextlib.suppress(ProcessLookupError):
            reader.kill()
        reader.wait(20)


# Memory

def test_many_images_cost_little(fake, images):
    """More images visited than stay loaded: what is unused goes, before memory or descriptors do."""
    count = 60
    for n in range(count):
        d = images.manifest([BASE, layer(file("version", str(n)),
                                         *(file("d/f%d" % i, "x") for i in range(20)))])
        fake.tag("app", "v%d" % n, images.read(d), d["mediaType"])
    with mount(fake.host + "/") as m:
        for n in range(count):
            assert text(m.path, "app/v%d/rootfs/version" % n) == str(n)
            assert len(os.listdir(m.path + "/app/v%d/rootfs/d" % n)) == 20
        assert m.status()["images"]["seen"] == count + 1
        assert eventually(lambda: m.status()["images"]["loaded"] <= 40, seconds=60)
        # All of them are still good: an image is loaded again.
        for n in (0, 27, count - 1):
            assert text(m.path, "app/v%d/rootfs/d/f7" % n) == "x"


def test_login_is_missing(images):
    """Said on the terminal: the mount is in the background when the list turns out empty."""
    with badregistry.running(images) as b:
        b.always = lambda request: (401, b"{}", "application/json",
                                    {"WWW-Authenticate": 'Basic realm="here"'})
        with mount(b.host + "/", "timeout=5", quiet=False) as m:
            assert b.host in m.stderr and "log in" in m.stderr, m.stderr
            assert m.stderr.count("\n") == 1
            assert os.listdir(m.path) == [".peelfs"]
            last = m.status()["lastErrors"]
            assert [f["path"] for f in last] == ["/"] and "log in" in last[0]["error"]


def test_registry_is_gone():
    """It is named by the mount, which does not wait for it."""
    with socket.create_server(("127.0.0.1", 0)) as s:
        silent = "127.0.0.1:%d" % s.getsockname()[1]
        before = time.monotonic()
        with mount(silent + "/", "insecure", "timeout=30", quiet=False):
            assert time.monotonic() - before < 6
    with mount(silent + "/", "insecure", "timeout=5", quiet=False) as m:
        assert silent in m.stderr


def test_last_errors(images):
    """What a reader sees as EIO has its reason in the status."""
    with badregistry.running(images) as b:
        b.image("team/app", [BASE])
        with mount(b.host + "/", "timeout=2", quiet=False) as m:
            b.always = lambda request: (500, b"out of order", "text/plain")
            start = time.time()
            assert error(os.stat, m.path + "/team/other") == errno.EIO
            last = m.status()["lastErrors"][-1]
            assert last["path"] == "/team", last
            assert start - 2 < last["time"] < time.time() + 2 and b.host in last["error"]
            said = ctl("status", m.path).stdout
            assert last["path"] in said and last["error"] in said
            assert time.strftime("%Y-%m-%d %H:", time.localtime(last["time"])) in said


def test_silent_registry_holds_up_nobody_twice(fake, images):
    """What is known serves at once, after the one wait that told that nobody answers."""
    fill(fake, images, "own/img", [1])
    with mount(fake.host + "/", "timeout=4", "tag_ttl=1", quiet=False) as m:
        path = m.path + "/own/img/v1/config.json"
        whole = text(path)
        assert os.listdir(m.path + "/own/img") == ["v1"]
        time.sleep(1.5)
        fake.silent_always = True
        fake.silent.set()
        assert text(path) == whole
        begun = time.monotonic()
        for _ in range(3):
            assert text(path) == whole
            assert os.listdir(m.path + "/own/img")
        assert time.monotonic() - begun < 1.5 * SLOWER
        fake.silent.clear()
