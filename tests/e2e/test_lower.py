# SPDX-License-Identifier: MIT
"""Stores that are only read, below the one that a mount writes to (-o lower_cache=)."""
import contextlib
import hashlib
import os
import re
import shutil
import subprocess

import pytest

from archive import directory, file, layer
from mounting import PEELCTL, PEELFS, environment, eventually, mount, run, unmount
from stores import contents, ctl, data_files, files_of, image_of, indexes, noise, prune_data, same


def shared(store):
    """Makes a store readable for all, as an administrator would."""
    for folder, folders, names in os.walk(store):
        os.chmod(folder, 0o755)
        for name in names:
            os.chmod(os.path.join(folder, name), 0o644)
    return store


def state_of(store):
    """All that a writer would change: names, times, modes, bytes."""
    found = {}
    for folder, folders, names in os.walk(store):
        for path in [folder, *(os.path.join(folder, n) for n in names)]:
            st = os.lstat(path)
            found[path] = (st.st_mode, st.st_mtime_ns, st.st_ctime_ns, st.st_size, st.st_blocks)
    return found


@pytest.fixture
def filled(fake, tmp_path):
    """(source, contents, the store that has all of it)"""
    files = contents(60, 4, 900000)
    tar = layer(directory("d"), *(file("d/" + n, data) for n, data in files.items()))
    source = fake.image("x", [fake.images.layer(tar)])
    with mount(source, "insecure", cache=tmp_path / "low") as m:
        assert same(m.root, files)
    return source, files, tmp_path / "low"


def blob_requests(fake):
    return [a for a in fake.asked if "/blobs/" in a[1]]


def test_used_in_place(fake, filled, tmp_path):
    source, files, low = filled
    before = state_of(low)
    fake.asked.clear()
    with mount(source, "insecure", "lower_cache=%s" % low, cache=tmp_path / "own") as m:
        assert same(m.root, files)
        status = m.status()
        assert [x["from"] for x in status["layers"]] == ["lower"]
        assert status["lowerStores"] == [str(low)] and status["layers"][0]["fetched"] == 0
        assert "layer" in ctl("which", m.at("d/f001")).stdout
    assert not blob_requests(fake)
    assert state_of(low) == before
    assert not indexes(tmp_path / "own") and not list(data_files(tmp_path / "own"))


def test_offline(filled, tmp_path):
    """The documents and what the tag was come from there, too; and without a store of its own."""
    source, files, low = filled
    for options in (["cache_dir=%s" % (tmp_path / "own")], ["cache=none"]):
        words = "lower_cache=%s,offline,insecure,%s" % (low, ",".join(options))
        done = subprocess.run([PEELCTL, "cat", "-o", words, source, "d/f002"], capture_output=True,
                              env=environment(), timeout=60)
        assert done.stdout == files["f002"], done.stderr


def words_of(*options):
    return ["-o", ",".join(("insecure", *options))]


@contextlib.contextmanager
def mounted_by(user, source, home, *options):
    """A mount of an ordinary user; yields a function that reads a file in it as that user."""
    where = home / "mnt"
    where.mkdir()
    shutil.chown(home, user)
    shutil.chown(where, user)

    def as_user(*words):
        return subprocess.run(["runuser", "-u", user, "--", *words], capture_output=True,
                              timeout=60, env=environment())
    done = as_user(PEELFS, *words_of("cache_dir=%s/own" % home, *options), source, str(where))
    assert done.returncode == 0, done.stderr
    try:
        yield lambda name: as_user("cat", str(where / "rootfs/d" / name)), done.stderr.decode()
    finally:
        assert eventually(lambda: as_user("fusermount3", "-u", str(where)).returncode == 0)


def open_way(path):
    """Others can reach it."""
    while path != path.parent:
        os.chmod(path, os.stat(path).st_mode | 0o011)
        path = path.parent


def test_two_users(fake, filled, user, tmp_path):
    """Neither fetches anything of what root has, nor keeps any of it."""
    source, files, low = filled
    shared(low)
    open_way(tmp_path)
    fake.asked.clear()
    for name in (user, "nobody"):
        home = tmp_path / ("home-" + name)
        home.mkdir()
        with mounted_by(name, source, home, "lower_cache=%s" % low) as (read, said):
            assert not said
            for file_name, data in files.items():
                assert read(file_name).stdout == data
        assert not indexes(home / "own") and not list(data_files(home / "own"))
    assert not blob_requests(fake)


@pytest.mark.parametrize("what", ["directory", "owner", "files", "foreign files"])
def test_refused(fake, filled, user, tmp_path, what):
    """What others than root and the user could have written is not used; one message says so."""
    source, files, low = filled
    shared(low)
    open_way(tmp_path)
    if what == "directory":
        os.chmod(low, 0o775)
    elif what == "owner":
        shutil.chown(low, "nobody")
    else:
        for path in files_of(low):
            if what == "files":
                os.chmod(path, 0o666)
            else:
                shutil.chown(path, "nobody")
    home = tmp_path / "home"
    home.mkdir()
    with mounted_by(user, source, home, "lower_cache=%s,wait" % low) as (read, said):
        assert said.count("\n") == 1 and str(low) in said and "not used" in said, said
        for file_name, data in files.items():
            assert read(file_name).stdout == data
    assert indexes(home / "own")


def test_read_only_mount(fake, filled, tmp_path):
    source, files, low = filled
    golden = tmp_path / "golden"
    golden.mkdir()
    subprocess.run(["mount", "--bind", str(low), str(golden)], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(golden)], check=True)
        fake.asked.clear()
        with mount(source, "insecure", "lower_cache=%s" % golden, cache=tmp_path / "own") as m:
            assert same(m.root, files)
        assert not blob_requests(fake)
    finally:
        subprocess.run(["umount", str(golden)], check=True)


@pytest.mark.parametrize("which", ["data", "index", "spans", "all"])
def test_damaged(fake, filled, tmp_path, which):
    """Never a wrong byte; what is right is still used, the rest is fetched and kept."""
    source, files, low = filled
    for path in files_of(low):
        if os.path.basename(path) == which or (which == "all" and "/layers/" in path):
            size = os.path.getsize(path)
            with open(path, "r+b") as f:
                for at in range(100, size, max(size // 3, 1)):
                    f.seek(at)
                    byte = f.read(1)
                    f.seek(at)
                    f.write(bytes([byte[0] ^ 0x20]))
    before = state_of(low)
    with mount(source, "insecure", "lower_cache=%s" % low, cache=tmp_path / "own") as m:
        assert same(m.root, files)
    assert state_of(low) == before
    fake.asked.clear()
    with mount(source, "insecure", "lower_cache=%s" % low, cache=tmp_path / "own") as m:
        assert same(m.root, files)
    assert not blob_requests(fake), "what was fetched is in the own store"


def test_partly_filled(fake, filled, tmp_path):
    """The index and one span are there: the others are fetched, once."""
    source, files, low = filled
    prune_data(low)
    with mount(source, "insecure", cache=low) as m:
        m.read("rootfs/d/f000")
    had = sum(os.stat(p).st_blocks * 512 for p in data_files(low))
    assert 0 < had < 3 << 20
    before = state_of(low)
    with mount(source, "insecure", "lower_cache=%s" % low, cache=tmp_path / "own") as m:
        assert same(m.root, files)
        assert 0 < m.status()["layers"][0]["fetched"] < 3 << 20
    assert state_of(low) == before
    fake.asked.clear()
    with mount(source, "insecure", "lower_cache=%s" % low, cache=tmp_path / "own") as m:
        assert same(m.root, files)
    assert not blob_requests(fake)
    assert ctl("cache", "verify", "--dir=%s" % (tmp_path / "own")).returncode == 0


def test_evicted_under_a_mount(fake, filled, tmp_path):
    """Its owner cannot evict what a mount uses, and can do so afterwards."""
    source, files, low = filled
    where = "--dir=%s" % low
    with mount(source, "insecure", "lower_cache=%s" % low, cache=tmp_path / "own") as m:
        m.read("rootfs/d/f000")
        assert "mounted" in ctl("cache", "list", where).stdout
        assert "freed 0.0" in ctl("cache", "prune", where).stdout
        assert same(m.root, files)
    assert "freed 0.0" not in ctl("cache", "prune", where).stdout


def test_evicted_without_a_lock(fake, filled, tmp_path):
    """Where a lock is impossible, bytes are checked for each use: holes are never shown."""
    source, files, low = filled
    with contextlib.ExitStack() as stack:
        for path in data_files(low):
            child = stack.enter_context(subprocess.Popen(
                ["flock", "-x", path, "-c", "echo; read x"], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE))
            child.stdout.readline()
            stack.callback(child.stdin.close)
        with mount(source, "insecure", "lower_cache=%s" % low, cache=tmp_path / "own") as m:
            assert m.read("rootfs/d/f000") == files["f000"]
            assert m.status()["layers"][0]["fetched"] == 0
            for path in data_files(low):
                size = os.path.getsize(path)
                subprocess.run(["fallocate", "-p", "-o", "0", "-l", str(size), path], check=True)
            assert same(m.root, files)
            assert m.status()["layers"][0]["fetched"] > 0


def test_where_locks_may_not_reach(images, fake, filled, tmp_path):
    """A store on FUSE: in an image that is mounted."""
    source, files, low = filled
    entries = []
    for folder, _, names in sorted(os.walk(low)):
        entries.append(directory(os.path.relpath(folder, low.parent), mode=0o755))
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as f:
                entries.append(file(os.path.relpath(path, low.parent), f.read(), mode=0o644))
    golden = images.image([images.layer(layer(*entries))], "golden")
    fake.asked.clear()
    with mount(golden, cache=tmp_path / "other") as outer:
        with mount(source, "insecure", "lower_cache=%s" % outer.at("low"),
                   cache=tmp_path / "own") as m:
            assert same(m.root, files) and same(m.root, files)
            assert m.status()["layers"][0]["from"] == "lower"
        assert not list(data_files(tmp_path / "own"))
    assert not blob_requests(fake)


def test_full_own_store(fake, filled, tmp_path):
    """What does not fit into the own store is fetched when needed; the lower one is used."""
    source, files, low = filled
    prune_data(low)
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k,mode=0700", "tmpfs", str(small)],
                   check=True)
    try:
        with mount(source, "insecure", "lower_cache=%s" % low, cache=small / "own",
                   quiet=False) as m:
            assert same(m.root, files)
            assert m.status()["layers"][0]["from"] == "lower"
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_several(images, fake, tmp_path):
    """A list of directories, one with a colon and blanks, of which each has one layer."""
    sources, sets, dirs = [], [], [tmp_path / "a b:c,d", tmp_path / "second"]
    for i, low in enumerate(dirs):
        sets.append(contents(70 + i, 2, 300000))
        tar = layer(directory("d"), *(file("d/" + n, data) for n, data in sets[i].items()))
        sources.append(fake.image("s%d" % i, [images.layer(tar)]))
        escaped = str(low).replace(",", "\\,")
        with mount(sources[i], "insecure", cache=escaped) as m:
            assert same(m.root, sets[i])
    fake.asked.clear()
    both = ":".join(str(d).replace(":", "\\:").replace(",", "\\,") for d in dirs)
    for source, files in zip(sources, sets):
        with mount(source, "insecure", "lower_cache=%s" % both, cache=tmp_path / "own") as m:
            assert same(m.root, files)
            assert m.status()["lowerStores"] == [str(d) for d in dirs]
    assert not blob_requests(fake)


def test_absent(fake, filled, tmp_path):
    """No store there, or none at all: said, and no failure."""
    source, files, low = filled
    (tmp_path / "empty").mkdir()
    both = "lower_cache=%s:%s" % (tmp_path / "none", tmp_path / "empty")
    with mount(source, "insecure", both, cache=tmp_path / "own", quiet=False) as m:
        assert same(m.root, files)
        assert m.stderr.count("it is not used") == 2 and m.stderr.count("\n") == 2, m.stderr
