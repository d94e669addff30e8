# SPDX-License-Identifier: MIT
"""Registries that misbehave: the right bytes, or one sentence in bounded time; and no
secret on a host it is not for.

PEELFS_MOUNTS is how many mounts, and images in one mount, the tests with failures by chance
make; 20 unless said.
"""
import base64
import contextlib
import errno
import json
import os
import random
import resource
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import badregistry
import test_lazy
import test_store_limits
from archive import file, layer
from mounting import SANITIZED, SLOWER, environment, eventually, mount, run
from test_resolve import fails

MOUNTS = int(os.environ.get("PEELFS_MOUNTS", 20))

NOISE = random.Random(7).randbytes(1500000)


@pytest.fixture(scope="session")
def ca():
    where = tempfile.mkdtemp(prefix="peelfs-e2e-ca-")
    yield badregistry.make_ca(where)
    shutil.rmtree(where)


@pytest.fixture(params=["http", "https"])
def bad(request, images, ca):
    with badregistry.running(images, ca if request.param == "https" else None) as b:
        b.options = ("cacert=" + ca[0], "timeout=9") if request.param == "https" else ("timeout=9",)
        yield b


@pytest.fixture
def plain(images):
    with badregistry.running(images) as b:
        b.options = ("timeout=9",)
        yield b


def picture(b, name="team/app"):
    return b.image(name, [layer(file("noise", NOISE)), layer(file("f", "text"))])


def is_whole(m):
    with open(m.at("noise"), "rb") as f:
        assert f.read() == NOISE
    with open(m.at("f")) as f:
        assert f.read() == "text"


# What can be mended

@pytest.mark.parametrize("faults", [
    ["short"], ["reset"], ["half"], ["stall"], ["drop"], ["500"], ["503"], ["429"],
    ["429 date"], ["reset", "no range"], ["reset", "short", "503", "drop"],
    ["half", "half", "half", "half", "half"]])
def test_mended(bad, faults):
    source = picture(bad)
    for name in faults:
        bad.fail(name)
    with mount(source, *bad.options) as m:
        is_whole(m)


@pytest.mark.parametrize("fault", ["short", "reset", "drop", "503", "429", "no digest", "no head"])
def test_documents_mended(bad, fault, tmp_path):
    source = picture(bad)
    bad.fail(fault, "manifests", times=2)
    with mount(source, *bad.options, cache=tmp_path / "cache") as m:
        is_whole(m)
    bad.fail(fault, "manifests", times=2)
    with mount(source, *bad.options, cache=tmp_path / "cache") as m:
        is_whole(m)


# What cannot

@pytest.mark.parametrize("fault,error", [
    ("wrong bytes", "digest"), ("coding", "coding"), ("long", "bytes")])
def test_not_mended(plain, fault, error):
    source = picture(plain)
    plain.fail(fault, times=1000)
    start = time.monotonic()
    done = None
    base = tempfile.mkdtemp()
    path = os.path.join(base, "mnt")
    os.mkdir(path)
    done = run("-o", "timeout=4,cache_dir=" + base + "/cache", source, path)
    assert time.monotonic() - start < 40
    assert done.returncode == 32 and error in done.stderr, done


@pytest.mark.parametrize("fault,error", [
    ("wrong bytes", "another document"), ("500", "500"), ("drop", "localhost"), ("stall", "localhost")])
def test_documents_not_mended(plain, fault, error, tmp_path):
    source = picture(plain)
    if fault == "wrong bytes":
        digest = plain.digest(plain.manifests["team/app", "t"][1])
        source = source.rpartition(":")[0] + "@" + digest
    plain.fail(fault, "manifests", times=1000)
    start = time.monotonic()
    fails(source, "timeout=4", words=[error, "team/app"], where=tmp_path)
    assert time.monotonic() - start < 20


def forget_data(cache):
    """What was decoded is no longer in the store; the indexes are."""
    for where, _, names in os.walk(cache):
        for name in {"data", "spans"} & set(names):
            os.unlink(os.path.join(where, name))


@pytest.mark.parametrize("fault", ["silent", "503", "drop"])
def test_read_in_vain(plain, tmp_path, fault):
    """EIO when nothing came for so long, and the bytes as soon as they can be had."""
    source, cache = picture(plain), tmp_path / "cache"
    with mount(source, *plain.options, cache=cache):
        pass
    forget_data(cache)
    with mount(source, "timeout=4", cache=cache) as m:
        plain.fail(fault, times=-1)
        for _ in range(2):
            with pytest.raises(OSError) as wrong, open(m.at("noise"), "rb") as f:
                f.read()
            assert wrong.value.errno == errno.EIO
        plain.faults.clear()
        is_whole(m)


# Without ranges

LONG = random.Random(8).randbytes(20_000_000)


@pytest.mark.limit(60)
@pytest.mark.parametrize("redirect", [False, True])
@pytest.mark.parametrize("form", ["gzip", "zstd", "none", "estargz", "storage"])
def test_without_ranges_all_comes_once(plain, tmp_path, form, redirect):
    """Parts of a layer whose data was evicted, or that has a table of its own."""
    cache, tar = tmp_path / "cache", layer(file("long", LONG), file("f", "text"))
    if form in ("gzip", "zstd", "none"):
        d = plain.images.layer(tar, form)
    else:
        d = test_lazy.put(plain.images, form, tar)
    source = plain.image("team/app", [d])
    plain.redirect = redirect
    if form in ("gzip", "zstd", "none"):
        with mount(source, *plain.options, cache=cache):
            pass
        forget_data(cache)
    plain.fail("no range", times=-1)
    places = list(range(0, len(LONG), 900_000))
    random.Random(form).shuffle(places)
    with mount(source, *plain.options, cache=cache) as m:
        with open(m.at("long"), "rb", buffering=0) as f:
            for at in places:
                assert os.pread(f.fileno(), 5000, at) == LONG[at:at + 5000]
        assert m.read("rootfs/long") == LONG and m.read("rootfs/f") == b"text"
        assert m.status()["network"]["bytes"] < 1.2 * d["size"] + 100_000
        before = m.status()["network"]["bytes"]
        for _ in range(2):
            assert m.read("oci/blobs/" + d["digest"].replace(":", "/")) == plain.images.read(d)
        assert m.status()["network"]["bytes"] - before <= d["size"]


def test_without_ranges_and_without_room(plain, tmp_path):
    """It need not lie in the store; TMPDIR will do."""
    d = plain.images.layer(layer(file("long", LONG)))
    source = plain.image("team/app", [d])
    plain.fail("no range", times=-1)
    with test_store_limits.small_disk(tmp_path / "disk", 1 << 20) as disk:
        with mount(source, *plain.options, cache=disk, quiet=False):
            pass  # the index stays
        with mount(source, *plain.options, cache=disk, quiet=False) as m:
            with open(m.at("long"), "rb", buffering=0) as f:
                for at in range(len(LONG) - 5000, 0, -900_000):
                    assert os.pread(f.fileno(), 5000, at) == LONG[at:at + 5000]
            assert m.status()["network"]["bytes"] < 1.2 * d["size"] + 100_000
            assert m.status()["errors"] == 0


@pytest.mark.parametrize("fault", ["half", "stall", "reset", "503"])
def test_without_ranges_and_broken_off(plain, tmp_path, fault):
    source, cache = picture(plain), tmp_path / "cache"
    with mount(source, *plain.options, cache=cache):
        pass
    forget_data(cache)
    plain.fail("no range")
    plain.fail(fault, times=3)
    plain.fail("no range", times=-1)
    with mount(source, *plain.options, cache=cache) as m:
        is_whole(m)


def test_headers_of_hosts_toml(plain, tmp_path):
    """For the registry and for nobody else."""
    folder = tmp_path / "containerd" / "certs.d" / plain.host
    folder.mkdir(parents=True)
    (folder / "hosts.toml").write_text("""
server = "%s"
dial_timeout = "5s"
[header]
x-one = ["a b", "c"]
""" % plain.url)
    plain.redirect = True
    plain.auth = "token"
    source = picture(plain)
    with mount(source, *plain.options, env=environment(XDG_CONFIG_HOME=str(tmp_path))) as m:
        is_whole(m)
    assert {r[0] for r in plain.asked} == {"registry", "store"}
    for role, _, path, headers in plain.asked:
        # Of the two with one name the server keeps the first.
        assert headers.get("x-one") == ("a b" if role == "registry" else None), path


# Who may

def authfile(tmp_path, host, entry):
    path = tmp_path / "auth.json"
    path.write_text(json.dumps({"auths": {host: entry}}))
    return "authfile=%s" % path


@pytest.mark.parametrize("auth,entry", [
    ("basic", {"auth": badregistry.SECRET}), ("token", None),
    ("user token", {"auth": badregistry.SECRET}), ("oauth", {"identitytoken": badregistry.IDENTITY})])
def test_auth(bad, auth, entry, tmp_path):
    bad.auth = auth
    bad.redirect = True
    source = picture(bad)
    options = (authfile(tmp_path, bad.host, entry),) if entry else ()
    with mount(source, *bad.options, *options) as m:
        is_whole(m)
    tokens = [r for r in bad.asked if r[2].startswith("/token")]
    assert len(tokens) == (0 if auth == "basic" else 1)
    for role, method, path, headers in bad.asked:
        if role == "store":
            assert "Authorization" not in headers
    if auth == "user token":
        assert "scope=repository%3Ateam%2Fapp%3Apull" in tokens[0][2]
        assert "service=the%20service" in tokens[0][2] and "a=b" in tokens[0][2]
    if auth == "oauth":
        assert tokens[0][1] == "POST"


@pytest.mark.parametrize("auth, most", [(None, 4), ("token", 6)])
def test_few_round_trips(plain, auth, most):
    """From nothing to a resolved image: each request is one, and that of its connection. To look
    for a table beside a layer that is not stored are two more."""
    plain.auth = auth
    with mount(picture(plain), "index=none", *plain.options) as m:
        config = json.loads(m.read("manifest.json"))["config"]["digest"]
        resolving = [(path, caller) for (_, _, path, _), caller in zip(plain.asked, plain.callers)
                     if "/blobs/" not in path or path.endswith(config)]
        connections = {caller for _, caller in resolving}
        assert len(resolving) + len(connections) <= most, resolving


def test_authfile_that_is_not_there(plain, tmp_path):
    """Said at once, whether it is needed or not."""
    fails(picture(plain), "authfile=%s/none" % tmp_path, words=[tmp_path / "none"], where=tmp_path)
    assert not plain.asked


@pytest.mark.parametrize("auth,entry,word", [
    ("basic", None, "log in"), ("basic", {"auth": base64.b64encode(b"a:b").decode()}, "refuses"),
    ("user token", None, "password"), ("oauth", {"identitytoken": "old"}, "no such token")])
def test_auth_refused(plain, auth, entry, word, tmp_path):
    plain.auth = auth
    source = picture(plain)
    said = fails(source, authfile(tmp_path, plain.host if entry else "other", entry or {}),
                 words=[word, plain.host, *([tmp_path / "auth.json"] if entry else [])],
                 where=tmp_path)
    for secret in (badregistry.SECRET, "a:b", badregistry.PASSWORD):
        assert secret not in said


def test_token_that_ends_in_between(plain):
    plain.auth, plain.token_seconds = "token", 2
    plain.fail("half", times=3)
    source = picture(plain)
    with mount(source, *plain.options) as m:
        time.sleep(2.5)
        is_whole(m)


def test_token_server_fails_for_a_moment(plain):
    plain.auth = "token"
    plain.fail("503", "token", times=2)
    with mount(picture(plain), *plain.options) as m:
        is_whole(m)


def test_signed_urls_expire(bad):
    bad.redirect, bad.url_uses = True, 1
    for _ in range(4):
        bad.fail("half")
    with mount(picture(bad), *bad.options) as m:
        is_whole(m)


# TLS

def test_unknown_certificate(images, ca, tmp_path):
    with badregistry.running(images, ca) as b:
        source = picture(b)
        fails(source, "timeout=4", words=["localhost", "certificate", "cacert"], where=tmp_path)
        with mount(source, "insecure") as m:
            is_whole(m)


# What the store has

def test_registry_that_is_gone(images, tmp_path):
    cache = tmp_path / "cache"
    with badregistry.running(images) as b:
        source = picture(b)
        by_digest = source.rpartition(":")[0] + "@" + b.digest(b.manifests["team/app", "t"][1])
        with mount(source, cache=cache) as m:
            is_whole(m)
        before = len(b.asked)
        with mount(source, cache=cache) as m:
            is_whole(m)
        assert [r[1] for r in b.asked[before:]] == ["HEAD"]
        before = len(b.asked)
        with mount(by_digest, cache=cache) as m:
            is_whole(m)
        with mount(source, "offline", cache=cache) as m:
            is_whole(m)
        assert len(b.asked) == before
        b.auth = "basic"
        with mount(source, cache=cache, quiet=False) as m:
            is_whole(m)
            assert "what it was last" in m.stderr
    with mount(source, cache=cache, quiet=False) as m:
        is_whole(m)
        assert "what it was last" in m.stderr
    with mount(by_digest, cache=cache) as m:
        is_whole(m)
    fails(source.replace(":t", ":other"), "offline", words=["offline"], where=tmp_path)


# Many times

def footprint(m):
    """(descriptors, threads, bytes of memory) of its daemon."""
    here = "/proc/%d/" % m.pid
    return (len(os.listdir(here + "fd")), len(os.listdir(here + "task")), m.memory("RssAnon"))


def files_below(path):
    return sum(len(names) for _, _, names in os.walk(path))


@pytest.mark.heavy
@pytest.mark.limit(60 + 6 * MOUNTS)
@pytest.mark.parametrize("seed", range(2))
def test_one_in_five_fails(images, seed, tmp_path):
    """Mounted and unmounted again and again, on a new store and on one that has lost its data."""
    cache, sizes, stored = tmp_path / "cache", [], []
    with badregistry.running(images, seed=seed) as b:
        b.chance = 0.2
        source = picture(b)
        for i in range(MOUNTS // 2):
            with mount(source, "timeout=30", cache=cache if i % 2 else None) as m:
                is_whole(m)
                sizes.append(footprint(m))
            if i % 2:
                stored.append(files_below(cache))
                forget_data(cache)
    print("descriptors, threads, memory:", sizes)
    for descriptors, threads, memory in sizes:
        assert descriptors <= sizes[0][0] + 12 and threads <= 32
        assert memory <= (16 << 20) * SLOWER
    assert max(stored) == stored[0], stored


@pytest.mark.heavy
@pytest.mark.limit(120 + 3 * MOUNTS)
def test_one_in_five_fails_in_one_process(images):
    """So many images are visited in a mount of all the registry. Only the last few stay loaded,
    so there are no more threads and memory after all than after the first 40."""
    first = 40

    def visit(i):
        noise = random.Random(i).randbytes(300_000)
        assert m.read("team/app%d:t/rootfs/noise" % i) == noise, i
        assert m.read("team/app%d:t/rootfs/f" % i) == b"text"

    with contextlib.ExitStack() as stack:
        b = stack.enter_context(badregistry.running(images, seed=3))
        readers = stack.enter_context(ThreadPoolExecutor(4))
        b.auth = "token"
        for i in range(first + MOUNTS):
            b.image("team/app%d" % i, [layer(file("noise", random.Random(i).randbytes(300_000))),
                                       layer(file("f", "text"))])
        b.chance = 0.2
        m = stack.enter_context(mount(b.host + "/", "timeout=30"))
        resource.prlimit(m.pid, resource.RLIMIT_NOFILE, (256, 256))
        list(readers.map(visit, range(first)))
        before = footprint(m)
        list(readers.map(visit, range(first, first + MOUNTS)))
        # 64 layers, a quarter of what may be open, with two files each.
        assert eventually(lambda: footprint(m)[0] <= 160), footprint(m)
        after = footprint(m)
        print("descriptors, threads, memory:", before, after, m.status()["network"])
        assert after[1] <= before[1] + 16
        if not SANITIZED:  # which keep what was freed
            assert after[2] - before[2] <= (2 << 20) + MOUNTS * 40_000
