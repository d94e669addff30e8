# SPDX-License-Identifier: MIT
"""The cache on disk: what is lost or damaged in it is fetched again."""
import errno
import os
import random
import shutil
import stat

import pytest

from archive import directory, file, layer
from mounting import eventually, foreground, mount
from stores import (are_right, blobs_of, contents, ctl, data_files, files_of, image_of, indexes,
                    prune_data, same)


def punch(path):
    size = os.path.getsize(path)
    os.truncate(path, 0)
    os.truncate(path, size)


@pytest.mark.core
@pytest.mark.parametrize("compression", ["gzip", "zstd", "none"])
def test_what_is_gone_is_fetched_again(images, tmp_path, compression):
    files = contents(1, 12, 700000)
    source = image_of(images, files, compression=compression)
    with mount(source, cache=tmp_path / "c") as m:
        assert same(m.root, files)
    for path in data_files(tmp_path / "c"):
        punch(path)
    with mount(source, cache=tmp_path / "c") as m:
        assert m.status()["layers"][0]["from"] == "store"
        name = random.Random(7).choice(sorted(files))
        with open(m.at("d", name), "rb") as f:
            assert f.read() == files[name]
        few = m.status()["layers"][0]
        assert same(m.root, files)
        all_ = m.status()["layers"][0]
        if compression == "gzip":
            assert few["fetched"] < few["size"] / 2  # not the layer for one file
        assert all_["errors"] == 0
    with mount(source, cache=tmp_path / "c") as m:
        assert same(m.root, files)
        assert m.status()["layers"][0]["fetched"] == 0


@pytest.mark.parametrize("megabytes", [8, 40])  # held in memory, and streamed
def test_one_frame_is_decoded_once(images, tmp_path, megabytes):
    """A zstd layer of one frame, evicted: its last file costs the frame, and then all is there."""
    files = contents(30, megabytes, 1 << 20)
    source = image_of(images, files, compression="zstd")
    with mount(source, cache=tmp_path / "c"):
        pass
    prune_data(tmp_path / "c")
    with mount(source, cache=tmp_path / "c") as m:
        last = "f%03d" % (megabytes - 1)
        assert same(m.root, {last: files[last]})
        found = m.status()["layers"][0]
        assert found["fetched"] <= found["size"] and found["spansRead"] >= megabytes - 1
        assert same(m.root, files)
        assert m.status()["layers"][0]["fetched"] <= 1.05 * found["size"]


def test_a_flipped_bit_is_mended(images, tmp_path):
    files = contents(2, 6, 900000)
    source = image_of(images, files)
    with mount(source, cache=tmp_path / "c"):
        pass
    rng = random.Random(3)
    for path in data_files(tmp_path / "c"):
        with open(path, "r+b") as f:
            for _ in range(10):
                f.seek(rng.randrange(os.path.getsize(path)))
                byte = f.read(1)
                f.seek(-1, os.SEEK_CUR)
                f.write(bytes([byte[0] ^ 1 << rng.randrange(8)]))
    with mount(source, cache=tmp_path / "c") as m:
        assert same(m.root, files)


@pytest.mark.parametrize("victim", ["index", "spans", "data", "lock"])
@pytest.mark.parametrize("how", ["gone", "empty", "half", "swapped"])
def test_a_file_of_the_store_is_not_what_it_was(images, tmp_path, victim, how):
    files = contents(4, 5, 300000)
    source = image_of(images, files)
    with mount(source, cache=tmp_path / "c"):
        pass
    other = image_of(images, contents(5, 5, 300000), "other")
    with mount(other, cache=tmp_path / "c"):
        pass
    paths = []
    for folder, _, names in os.walk(tmp_path / "c" / "layers"):
        if "index" in names:
            paths.append(os.path.join(folder, victim))
    assert len(paths) == 2
    for path in paths:
        if how == "gone":
            os.unlink(path)
        elif how == "empty":
            os.truncate(path, 0)
        elif how == "half":
            os.truncate(path, os.path.getsize(path) // 2)
    if how == "swapped":
        os.rename(paths[0], paths[0] + "x")
        os.rename(paths[1], paths[0])
        os.rename(paths[0] + "x", paths[1])
    with mount(source, cache=tmp_path / "c") as m:
        assert same(m.root, files)


def right_or_eio(root, files):
    """How many of the files could be read. None is wrong, and none is not there."""
    right = 0
    for name, data in files.items():
        try:
            with open(os.path.join(root, "d", name), "rb") as f:
                assert f.read() == data
            right += 1
        except OSError as e:
            assert e.errno == errno.EIO
    return right


@pytest.mark.parametrize("victim", ["index", "spans"])
@pytest.mark.parametrize("how", ["empty", "half", "a byte less"])
def test_cut_short_under_a_mount(images, tmp_path, victim, how):
    """What is mapped and gone is no end of the daemon, nor is anything wrong shown."""
    files = {"%05d" % i: b"%d\n" % i * (i % 40) for i in range(3000)}
    source = image_of(images, files)
    with mount(source, cache=tmp_path / "c") as m:
        names = sorted(files)[::50]
        assert right_or_eio(m.root, {name: files[name] for name in names}) == len(names)
        [index] = indexes(tmp_path / "c")
        path = os.path.join(os.path.dirname(index), victim)
        size = {"empty": 0, "half": os.path.getsize(path) // 2,
                "a byte less": os.path.getsize(path) - 1}[how]
        os.truncate(path, size)
        right = right_or_eio(m.root, files)
        assert right == len(files) if victim == "spans" else right < len(files)
    with mount(source, cache=tmp_path / "c") as m:
        assert same(m.root, files)


@pytest.mark.limit(60)
def test_damage_in_a_large_index(images, tmp_path):
    """It is looked at as it is touched: an error, once, and made again by the next mount."""
    files = {"%05d" % i: b"%d\n" % i for i in range(51000)}
    source = image_of(images, files)
    some = {name: files[name] for name in sorted(files)[::100]}
    with mount(source, cache=tmp_path / "c") as m:
        assert m.status()["layers"][0]["entries"] > 50000
    [index] = indexes(tmp_path / "c")
    rng = random.Random(31)
    with open(index, "r+b") as f:
        for _ in range(3):
            f.seek(rng.randrange(os.path.getsize(index) // 2))
            f.write(b"damage")
    with mount(source, cache=tmp_path / "c") as m:
        assert m.status()["layers"][0]["from"] == "store"
        assert right_or_eio(m.root, some) < len(some)
    with mount(source, cache=tmp_path / "c") as m:
        assert m.status()["layers"][0]["from"] != "store"
        assert right_or_eio(m.root, some) == len(some)


def test_store_is_removed_under_a_mount(fake, tmp_path):
    """It is done without, and said."""
    files = contents(62, 6, 300000)
    tar = layer(directory("d"), *(file("d/" + n, data) for n, data in files.items()))
    source = fake.image("gone", [fake.images.layer(tar)])
    with foreground(source, "insecure", cache=tmp_path / "c") as m:
        before = m.status()["network"]["errors"]
        # The mount may note something at this moment.
        assert eventually(lambda: shutil.rmtree(tmp_path / "c", ignore_errors=True) or
                          not os.path.exists(tmp_path / "c"))
        assert same(m.root, files)
        are_right(m, blobs_of(m))
        found = m.status()
        assert found["errors"] == 0 and found["network"]["errors"] == before
        assert "cannot write to the store" in found["storeWarning"]
        m.log.seek(0)
        assert m.log.read().decode().count(found["storeWarning"]) == 1


@pytest.mark.parametrize("kept", ["index", "none"])
def test_cache_that_keeps_less(images, tmp_path, kept):
    files = contents(11, 6, 700000)
    source = image_of(images, files)
    for _ in range(2):
        with mount(source, "cache=" + kept, cache=tmp_path / "c") as m:
            assert same(m.root, files)
    held = [p for p in data_files(tmp_path / "c") if os.stat(p).st_blocks]
    indexes = [n for _, _, names in os.walk(tmp_path / "c") for n in names if n == "index"]
    assert not held
    assert len(indexes) == (1 if kept == "index" else 0)


@pytest.mark.parametrize("name", ["index", "data", "spans", "lock"])
@pytest.mark.parametrize("kind", ["fifo", "directory", "symlink", "socket"])
def test_no_file_at_all(images, tmp_path, name, kind):
    """What has the name of a file of ours and is none stops nobody."""
    files = contents(21, 3, 300000)
    source = image_of(images, files)
    with mount(source, cache=tmp_path / "c"):
        pass
    [index] = indexes(tmp_path / "c")
    path = os.path.join(os.path.dirname(index), name)
    os.unlink(path)
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        os.mkdir(path)
    elif kind == "symlink":
        os.symlink("/etc/passwd", path)
    else:
        os.mknod(path, stat.S_IFSOCK | 0o600)
    for _ in range(2):
        with mount(source, cache=tmp_path / "c", quiet=name != "lock") as m:
            assert same(m.root, files)
    for words in ["list"], ["verify"], ["prune", "1"], ["prune"]:
        ctl("cache", words[0], "--dir=%s" % (tmp_path / "c"), *words[1:])
    with mount(source, cache=tmp_path / "c", quiet=name != "lock") as m:
        assert same(m.root, files)
    with open("/etc/passwd", "rb") as f:
        assert f.read(5) == b"root:"


def test_documents_that_are_none(fake, tmp_path):
    """A FIFO where a manifest, a config or a note is looked for."""
    files = contents(22, 2, 1000)
    tar = layer(directory("d"), *(file("d/" + n, data) for n, data in files.items()))
    source = fake.image("x", [fake.images.layer(tar)])
    with mount(source, "insecure", cache=tmp_path / "c"):
        pass
    found = [p for p in files_of(tmp_path / "c") if "/documents/" in p or "/names/" in p]
    assert len(found) >= 3
    for path in found:
        os.unlink(path)
        os.mkfifo(path)
    with mount(source, "insecure", cache=tmp_path / "c") as m:
        assert same(m.root, files)
    ctl("cache", "verify", "--dir=%s" % (tmp_path / "c"))  # what nobody needed again goes
    assert ctl("cache", "verify", "--dir=%s" % (tmp_path / "c")).returncode == 0
    assert not any(stat.S_ISFIFO(os.stat(p).st_mode) for p in found if os.path.exists(p))


# What goes on beside a mount

def test_damage_that_verify_finds_is_mended_in_a_live_mount(images, tmp_path):
    files = contents(17, 3, 900000)
    with mount(image_of(images, files), cache=tmp_path / "c") as m:
        assert same(m.root, files)
        for path in data_files(tmp_path / "c"):
            punch(path)
        assert ctl("cache", "verify", "--dir=%s" % (tmp_path / "c")).returncode == 1
        for name in files:  # the kernel's own copy has to go first
            fd = os.open(m.at("d", name), os.O_RDONLY)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)
        assert same(m.root, files)
        assert m.status()["layers"][0]["spansRead"] > 0
