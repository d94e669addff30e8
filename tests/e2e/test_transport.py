# SPDX-License-Identifier: MIT
"""An answer that is not what was asked for says nothing of the blob: it is asked for again,
within timeout=, and at the registry if it came from elsewhere. Only bytes that two well-formed
answers gave, and whose digest is wrong both times, are blamed on the content."""
import errno
import os
import random
import time

import pytest

import badregistry
import layout
import test_lazy
from archive import file, layer
from mounting import SLOWER, eventually, find_daemon, is_mounted, mount, run, unmount
from test_network import forget_data

NOISE = random.Random(11).randbytes(700_000)
TAR = layer(file("noise", NOISE), file("f", "text"))

# What comes once in place of the answer. Some need a request for a range.
RANGE_ONLY = ("wrong start", "wrong total", "416", "no bytes")
FAULTS = ("page", "coding", "404", "empty 200", "lengths", "two lengths", "flipped",
          *RANGE_ONLY)


@pytest.fixture(params=[False, True], ids=["registry", "elsewhere"])
def bad(request, images):
    with badregistry.running(images) as b:
        b.redirect = request.param
        yield b


@pytest.fixture
def near(images):
    with badregistry.running(images) as b:
        yield b


def is_whole(m, path="rootfs"):
    assert m.read(path + "/noise") == NOISE
    assert m.read(path + "/f") == b"text"


# Where it comes

def first_pass(b, name, cache):
    """In place of a whole layer."""
    d = b.images.layer(TAR)
    source = b.image("team/app", [d])
    b.fail(name, about=d["digest"])
    with mount(source, "timeout=9", cache=cache) as m:
        is_whole(m)


def ranges(b, name, cache):
    """In place of a part whose data was evicted."""
    d = b.images.layer(TAR)
    source = b.image("team/app", [d])
    with mount(source, cache=cache):
        pass
    forget_data(cache)
    with mount(source, "timeout=9", cache=cache) as m:
        b.fail(name, about=d["digest"])
        assert m.read("rootfs/f") == b"text"
        is_whole(m)


def table(form):
    def check(b, name, cache):
        """In place of a layer's own table. It is believed afterwards, and next time, too."""
        d = test_lazy.put(b.images, form, TAR)
        source = b.image("team/app", [d])
        b.fail(name, about=d["digest"])
        with mount(source, "timeout=9", cache=cache) as m:
            assert test_lazy.kinds(m) == [test_lazy.kind_of(form)]
            is_whole(m)
        forget_data(cache)
        with mount(source, "timeout=9", cache=cache) as m:
            assert test_lazy.kinds(m) == [test_lazy.kind_of(form)]
            assert m.read("rootfs/f") == b"text"
            assert m.status()["network"]["bytes"] < 300_000
    return check


def chunk(form):
    def check(b, name, cache):
        """In place of a piece of a file, in such a layer."""
        d = test_lazy.put(b.images, form, TAR)
        source = b.image("team/app", [d])
        with mount(source, "timeout=9", cache=cache) as m:
            b.fail(name, about=d["digest"])
            assert m.read("rootfs/f") == b"text"
            is_whole(m)
        forget_data(cache)
        with mount(source, "timeout=9", cache=cache) as m:
            assert test_lazy.kinds(m) == [test_lazy.kind_of(form)]
            is_whole(m)
    return check


def raw(b, name, cache):
    """In place of a blob that is shown as it is."""
    d = b.images.layer(TAR)
    source = b.image("team/app", [d])
    with mount(source, "timeout=9", cache=cache) as m:
        is_whole(m)
        b.fail(name, about=d["digest"])
        assert m.read("oci/blobs/" + d["digest"].replace(":", "/")) == b.images.read(d)


def config(b, name, cache):
    """In place of a document that is a blob."""
    d = b.images.layer(TAR)
    text = b.images.config([d])
    source = b.image("team/app", [d], config=text)
    b.fail(name, about=text["digest"])
    with mount(source, "timeout=9", cache=cache) as m:
        is_whole(m)
        assert m.read("config.json") == b.images.read(text)


WHERE = {"first-pass": first_pass, "ranges": ranges, "table-estargz": table("estargz"),
         "table-chunked": table("storage"), "chunk-estargz": chunk("estargz"),
         "chunk-chunked": chunk("storage"), "raw": raw, "config": config}


def rows():
    for where in WHERE:
        for name in FAULTS:
            if name in RANGE_ONLY and where in ("first-pass", "config", "raw"):
                continue
            for role in ("registry", "elsewhere"):
                word = name.replace(" ", "-")
                yield pytest.param(role == "elsewhere", where, name,
                                   id="%s-%s-%s" % (role, where, word))


@pytest.mark.parametrize("bad,where,name", rows(), indirect=["bad"])
def test_once(bad, tmp_path, where, name):
    WHERE[where](bad, name, tmp_path / "cache")


@pytest.mark.parametrize("names", [
    ["page", "page", "page"], ["416", "404", "wrong start"], ["no bytes", "coding", "503"],
    ["empty 200", "reset", "lengths"]], ids="-".join)
def test_one_after_another(bad, tmp_path, names):
    d = bad.images.layer(TAR)
    source, cache = bad.image("team/app", [d]), tmp_path / "cache"
    with mount(source, cache=cache):
        pass
    forget_data(cache)
    with mount(source, "timeout=9", cache=cache) as m:
        for name in names:
            bad.fail(name, about=d["digest"])
        assert m.read("rootfs/f") == b"text"  # one request meets them all
        is_whole(m)


# Documents that are no blobs

@pytest.mark.parametrize("name", ["page", "coding", "empty 200", "lengths", "flipped"])
@pytest.mark.parametrize("by", ["tag", "digest"])
def test_manifest(near, by, name, tmp_path):
    source = near.image("team/app", [TAR])
    if by == "digest":
        source = "%s/team/app@%s" % (near.host, near.digest(near.manifests["team/app", "t"][1]))
    near.fail(name, "manifests")
    near.fail(None, "manifests")
    near.fail(name, "manifests")
    with mount(source, "timeout=9") as m:
        is_whole(m)


# An answer from elsewhere

@pytest.mark.parametrize("name", ["page", "coding", "empty 200", "404", "flipped"])
def test_a_store_that_stays_wrong(near, name, tmp_path):
    """One of several behind an address, say: only a new URL leads to another."""
    near.redirect = True
    d = near.images.layer(TAR)
    near.signed_faults[d["digest"]] = [name]  # all that is asked by the first URL
    with mount(near.image("team/app", [d]), "timeout=9") as m:
        is_whole(m)
    assert len(near.asked_for("/blobs/" + d["digest"])) >= 2


# When it does not end

def refused(source, *options, where):
    """The same as fails(), that leaves nothing behind where it is not so."""
    path = str(where / "mnt")
    os.makedirs(path)
    done = run("-o", ",".join(("cache_dir=%s,wait" % (where / "cache"),) + options), source, path)
    if is_mounted(path):
        unmount(path)
        eventually(lambda: not find_daemon(path))
    assert done.returncode == 32 and done.stderr.count("\n") == 1, done
    return done.stderr


@pytest.mark.parametrize("name", ["page", "coding", "404", "empty 200", "lengths"])
def test_what_does_not_end_is_no_damage(near, name, tmp_path):
    """The sentence is of the registry, in bounded time; nothing is mounted, for another
    attempt may succeed; and the digest is not blamed."""
    d = near.images.layer(TAR)
    source = near.image("team/app", [d])
    near.fail(name, times=-1, about=d["digest"])
    start = time.monotonic()
    said = refused(source, "timeout=3", where=tmp_path)
    assert d["digest"][7:19] in said
    assert time.monotonic() - start < 12 * SLOWER
    asked = len(near.asked_for(d["digest"]))
    assert asked == 4 if name == "404" else asked >= 3
    assert "damaged" not in said and "digest" not in said, said
    near.faults.clear()
    with mount(source, cache=tmp_path / "cache") as m:
        is_whole(m)


def test_content_is_blamed_at_the_second_answer(near, tmp_path):
    """It is damaged where it lies: told without waiting for timeout=."""
    d = near.images.layer(TAR)
    source = near.image("team/app", [d])
    path = near.images.blob_path(d["digest"])
    with open(path, "r+b") as f:
        f.seek(300_000)
        byte = f.read(1)
        f.seek(300_000)
        f.write(bytes([byte[0] ^ 1]))
    start = time.monotonic()
    with mount(source, "timeout=30", quiet=False) as m:
        assert time.monotonic() - start < 10 * SLOWER
        assert d["digest"][7:19] in m.stderr and "digest" in m.stderr
        with pytest.raises(OSError) as wrong:
            os.listdir(m.root)
        assert wrong.value.errno == errno.EIO
    assert len(near.asked_for(d["digest"])) == 2


# Healing

def heals(m, path):
    """At the latest when loading is tried again."""
    def ask():
        try:
            is_whole(m, path)
            return True
        except OSError as e:
            assert e.errno == errno.EIO
            return False
    assert eventually(ask, 8, 0.1)


def asleep(m, path):
    with pytest.raises(OSError) as wrong:
        os.listdir(os.path.join(m.path, path))
    assert wrong.value.errno == errno.EIO


@pytest.mark.parametrize("name", [
    "503", "drop", "404", "page", "coding", "empty 200", "lengths"])
@pytest.mark.parametrize("how", ["namespace", "platforms"])
def test_heals(near, how, name):
    """A layer that was asked for in vain is there as soon as it can be had."""
    d = near.images.layer(TAR)
    if how == "namespace":
        near.image("team/app", [d])
        source, path = near.host + "/", "team/app:t/rootfs"
    else:
        entries = [(near.images.manifest([layer(file("own"))]), layout.HOST),
                   (near.images.manifest([d], where=("linux", "mips", "")), ("linux", "mips", ""))]
        for e, _ in entries:
            near.tag("team/app", "x", near.images.read(e), e["mediaType"])
        index = near.images.index(entries)
        source = near.tag("team/app", "t", near.images.read(index), index["mediaType"])
        path = "platforms/linux-mips/rootfs"
    with mount(source, "timeout=2") as m:
        near.fail(name, times=-1, about=d["digest"])
        asleep(m, path)
        near.faults.clear()
        heals(m, path)


# By number

@pytest.mark.limit(60)
@pytest.mark.parametrize("form", ["gzip", "estargz"])
def test_every_seventh_answer(bad, form, tmp_path):
    """No mount is refused, no layer lost, no table forgotten."""
    bad.every["blobs"] = 7
    bad.weather["blobs"] = ("flipped", "page", "wrong start", "coding", "404", "lengths",
                            "empty 200", "416")
    layers = []
    for i in range(3):
        tar = layer(file("noise%d" % i, NOISE[i:]), file("f%d" % i, "text"))
        layers.append(bad.images.layer(tar) if form == "gzip" else
                      test_lazy.put(bad.images, form, tar))
    source = bad.image("team/app", layers)
    for i in range(12):
        cache = tmp_path / ("cache%d" % (i // 3 * 2 + (i % 3 > 0)))
        with mount(source, "timeout=20", cache=cache) as m:
            for j in range(3):
                assert m.read("rootfs/noise%d" % j) == NOISE[j:]
            if form != "gzip":
                assert test_lazy.kinds(m) == [form] * 3
        forget_data(cache)
    assert bad.n_failed >= 5
