# SPDX-License-Identifier: MIT
"""A first pass that was interrupted goes on where it stopped."""
import errno
import os
import random
import signal
import time

import pytest

import badregistry
from archive import directory, file, layer
from mounting import eventually, foreground, mount
from stores import contents, ctl, data_files, same
from test_store_limits import small_disk

MIB = 1 << 20


@pytest.fixture
def plain(images):
    with badregistry.running(images) as b:
        yield b


def noisy(seed):
    """Files, a layer of 6 MB of them, and how to tell whether all are there."""
    files = contents(seed, 6, 1000000)
    return files, layer(directory("d"), *(file("d/" + n, data) for n, data in files.items()))


def partials(cache):
    return [os.path.join(folder, name) for folder, _, names in os.walk(cache)
            for name in names if name == "partial"]


def kept(cache):
    return sum(os.path.getsize(p) for p in partials(cache))


def interrupt(fake, source, cache, *options, how=signal.SIGKILL, at=2 * MIB):
    """Ends a slow first pass once AT bytes are kept; returns how many there are."""
    fake.pace = 3000000
    # A connection alone, so that no part is on its way twice.
    with foreground(source, "insecure", "connections=1", *options, wait=False, cache=cache) as m:
        assert eventually(lambda: kept(cache) >= at or m.child.poll() is not None)
        assert m.child.poll() is None
        m.child.send_signal(how)
        m.child.wait(10)
    fake.pace = None
    return kept(cache)


def first_range(fake, d):
    """Where the first request for a blob began since fake.asked was cleared."""
    asked = [span for method, path, span in fake.asked if d["digest"] in path]
    return int(asked[0].removeprefix("bytes=").partition("-")[0]) if asked and asked[0] else 0


@pytest.mark.parametrize("compression, how", [
    ("gzip", signal.SIGINT), ("gzip", signal.SIGTERM), ("gzip", signal.SIGKILL),
    ("zstd", signal.SIGKILL), ("none", signal.SIGKILL)])
def test_continued(fake, tmp_path, compression, how):
    files, tar = noisy(70)
    d = fake.images.layer(tar, compression)
    source, cache = fake.image("x", [d]), tmp_path / "c"
    where = "--dir=%s" % cache
    n = interrupt(fake, source, cache, how=how)
    assert 2 * MIB <= n < d["size"]
    shown = ctl("cache", "list", where).stdout
    assert "1 layer," in shown and "interrupted" in shown
    good = ctl("cache", "verify", where)
    assert good.returncode == 0 and "0 damaged" in good.stdout
    fake.asked.clear()
    with mount(source, "insecure", cache=cache) as m:
        assert same(m.root, files)
        assert m.status()["layers"][0]["fetched"] == d["size"] - n
    assert first_range(fake, d) == n
    assert not partials(cache)
    assert "interrupted" not in ctl("cache", "list", where).stdout
    sent = fake.sent
    with mount(source, "insecure", cache=cache) as m:
        assert same(m.root, files)
    assert fake.sent == sent


def test_often(fake, tmp_path):
    """However often it is killed, no byte that was kept is asked for again."""
    files, tar = noisy(71)
    d = fake.images.layer(tar)
    source, cache = fake.image("x", [d]), tmp_path / "c"
    n = 0
    for _ in range(4):
        fake.asked.clear()
        n, begun = interrupt(fake, source, cache, at=n + MIB // 2), n
        assert first_range(fake, d) == begun < n
    fake.asked.clear()
    with mount(source, "insecure", cache=cache) as m:
        assert same(m.root, files)
    assert first_range(fake, d) == n


def test_continued_by_who_waits(fake, tmp_path):
    """The process that gets the lock of one that was killed."""
    files, tar = noisy(72)
    d = fake.images.layer(tar)
    source, cache = fake.image("x", [d]), tmp_path / "c"
    fake.pace = 3000000
    with foreground(source, "insecure", "connections=1", wait=False, cache=cache) as first:
        assert eventually(lambda: kept(cache) > 0)
        with foreground(source, "insecure", "connections=1", wait=False, cache=cache) as second:
            assert eventually(lambda: kept(cache) >= 2 * MIB)
            fake.asked.clear()
            first.child.kill()
            first.child.wait(10)
            fake.pace = None
            assert eventually(lambda: os.path.exists(second.at("d/f000")))
            assert same(second.root, files)
            assert first_range(fake, d) >= 2 * MIB
    assert not partials(cache)


@pytest.mark.parametrize("how", ["flipped", "zeros", "longer", "of another", "folder"])
def test_damaged(fake, tmp_path, how):
    """What is wrong with it is our fault, and costs a fetch."""
    files, tar = noisy(73)
    d = fake.images.layer(tar)
    source, cache = fake.image("x", [d]), tmp_path / "c"
    n = interrupt(fake, source, cache)
    [path] = partials(cache)
    with open(path, "r+b") as f:
        if how == "flipped":
            f.seek(n - 1000)
            byte = f.read(1)[0]
            f.seek(n - 1000)
            f.write(bytes([byte ^ 0x10]))
        elif how == "zeros":
            f.truncate(n - 100000)
            f.truncate(n)
        elif how == "longer":
            f.truncate(d["size"] + 1)
        else:
            f.write(random.Random(5).randbytes(n))
    if how == "folder":
        os.unlink(path)
        os.mkdir(path)
    before = fake.sent
    with mount(source, "insecure", cache=cache) as m:
        assert same(m.root, files)
        assert m.status()["errors"] == 0
    assert d["size"] <= fake.sent - before <= 2 * d["size"]
    assert how == "folder" or not partials(cache)
    with mount(source, "insecure", cache=cache) as m:
        assert m.status()["layers"][0]["from"] == "store"
        assert same(m.root, files)


def test_prune(fake, tmp_path):
    files, tar = noisy(74)
    d = fake.images.layer(tar)
    source, cache = fake.image("x", [d]), tmp_path / "c"
    interrupt(fake, source, cache)
    done = ctl("cache", "prune", "--dir=%s" % cache)
    assert done.returncode == 0 and not partials(cache)
    assert "0 layers" in ctl("cache", "list", "--dir=%s" % cache).stdout
    with mount(source, "insecure", cache=cache) as m:
        assert same(m.root, files)


@pytest.mark.parametrize("option", ["cache=index", "cache=none"])
def test_not_kept(fake, tmp_path, option):
    files, tar = noisy(75)
    d = fake.images.layer(tar)
    source, cache = fake.image("x", [d]), tmp_path / "c"
    fake.pace = 3000000
    with foreground(source, "insecure", "connections=1", option, wait=False, cache=cache) as m:
        assert eventually(lambda: fake.sent >= 3 * MIB)
        assert not partials(cache)
        m.child.kill()
        m.child.wait(10)
    fake.pace = None
    with mount(source, "insecure", option, cache=cache) as m:
        assert same(m.root, files)


# Registries

def stop_halfway(plain, d, cache):
    """A first pass that is killed while the registry is silent; the number of bytes kept."""
    source = plain.image("team/app", [d])
    plain.fail("half", about=d["digest"])
    plain.fail("silent", times=-1, about=d["digest"])
    with foreground(source, "connections=1", wait=False, cache=cache) as m:
        assert eventually(lambda: len(plain.asked_for(d["digest"])) == 2)
        assert eventually(lambda: kept(cache) >= MIB // 2)
        m.child.kill()
        m.child.wait(10)
    plain.faults.clear()
    del plain.asked[:]
    return kept(cache)


@pytest.mark.parametrize("fault", ["no range", "range 403", "range 416", "range 501"])
def test_then_without_ranges(plain, tmp_path, fault):
    """A registry, perhaps another one, that sends the whole blob or does not like Range."""
    files, tar = noisy(76)
    d = plain.images.layer(tar)
    cache = tmp_path / "c"
    n = stop_halfway(plain, d, cache)
    plain.fail(fault, times=-1)
    with mount(plain.host + "/team/app:t", cache=cache) as m:
        assert same(m.root, files)
        assert m.status()["network"]["bytes"] < d["size"] + 100000
    asked, *more = plain.asked_for(d["digest"])
    assert len(more) == (fault != "no range")
    assert asked[3]["Range"].startswith("bytes=%d-" % n)
    assert not partials(cache)


def test_then_elsewhere(plain, images, tmp_path):
    """The layer of an image in another registry."""
    files, tar = noisy(77)
    d = plain.images.layer(tar)
    cache = tmp_path / "c"
    n = stop_halfway(plain, d, cache)
    with badregistry.running(images) as other:
        with mount(other.image("x", [d]), cache=cache) as m:
            assert same(m.root, files)
        assert other.asked_for(d["digest"])[0][3]["Range"].startswith("bytes=%d-" % n)
    assert not plain.asked


@pytest.mark.limit(60)
def test_in_one_mount(plain, tmp_path):
    """The network is lost and comes back."""
    files, tar = noisy(78)
    d = plain.images.layer(tar)
    plain.image("team/app", [d])
    cache = tmp_path / "c"
    with mount(plain.host + "/", "timeout=3", "connections=1", cache=cache) as m:
        root = os.path.join(m.path, "team/app:t/rootfs")
        assert os.path.exists(os.path.dirname(root))
        plain.fail("half", about=d["digest"])
        plain.fail("503", times=-1, about=d["digest"])
        with pytest.raises(OSError) as wrong:
            os.listdir(root)
        assert wrong.value.errno == errno.EIO
        n = kept(cache)
        assert n >= MIB // 2
        plain.faults.clear()
        del plain.asked[:]
        assert eventually(lambda: os.path.exists(os.path.join(root, "d")), 20, 0.5)
        assert same(root, files)
        assert plain.asked_for(d["digest"])[0][3]["Range"].startswith("bytes=%d-" % n)
    assert not partials(cache)


# Room

def test_full_disk(fake, tmp_path):
    """Nothing is kept for later, and nothing else is different."""
    files, tar = noisy(79)
    d = fake.images.layer(tar)
    source = fake.image("x", [d])
    with small_disk(tmp_path / "disk", 4 * MIB) as disk:
        for _ in range(2):
            with mount(source, "insecure", cache=disk / "c", quiet=False) as m:
                assert same(m.root, files)
                assert "is full" in m.status()["storeWarning"]
                assert m.status()["errors"] == 0
                assert not partials(disk)


def test_data_has_the_room(fake, tmp_path):
    """A layer fits into the store, but not beside its blob: it is stored, without a word."""
    files, tar = noisy(80)
    d = fake.images.layer(tar)
    source, cache = fake.image("x", [d]), tmp_path / "c"
    with mount(source, "insecure", "cache_size=9M", cache=cache) as m:
        assert same(m.root, files)
        assert m.status()["storeWarning"] == ""
        assert m.status()["layers"][0]["fetched"] == d["size"]
        assert sum(os.stat(p).st_blocks * 512 for p in data_files(cache)) >= 6000000


def test_limit_counts_it(fake, tmp_path):
    """What another layer needs is taken from the blob of an interrupted one."""
    one, two = noisy(81), noisy(82)
    cache = tmp_path / "c"
    interrupt(fake, fake.image("one", [fake.images.layer(one[1])]), cache, at=3 * MIB)
    [path] = partials(cache)
    old = time.time() - 600
    os.utime(path, (old, old))
    with mount(fake.image("two", [fake.images.layer(two[1], "none")]), "insecure",
               "cache_size=8M", cache=cache) as m:
        assert same(m.root, two[0])
        assert m.status()["storeWarning"] == ""
    assert not partials(cache)
