# SPDX-License-Identifier: MIT
"""All that a registry can do wrong, by chance, together, at any point of a transfer; over
http, over TLS, and over HTTP/2, for which nginx stands in front of it.

PEELFS_STORMS is how many seeds there are for each of the three; 4 unless said.
"""
import contextlib
import errno
import os
import random
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import badregistry
import front
import registry as registry_of
import test_lazy
from archive import file, layer
from mounting import SLOWER, is_mounted, mount, run, unmount
from test_network import authfile, forget_data

STORMS = int(os.environ.get("PEELFS_STORMS", 4))

MENDED = {
    "blobs": ("reset", "short", "half", "drop", "500", "502", "503", "429", "429 date",
              "no range"),
    "manifests": ("reset", "short", "drop", "503", "429", "no head", "no digest"),
    "token": ("reset", "drop", "503", "429"),
}
WORSE = {
    "blobs": (*MENDED["blobs"], "stall", "silent", "wrong start", "long", "wrong bytes", "coding"),
    "manifests": (*MENDED["manifests"], "stall", "long", "wrong bytes", "coding"),
    "token": (*MENDED["token"], "stall", "short"),
}

@pytest.fixture(scope="module")
def ca():
    where = tempfile.mkdtemp(prefix="peelfs-e2e-ca-")
    yield badregistry.make_ca(where)
    shutil.rmtree(where)


@contextlib.contextmanager
def http2(bad, ca):
    """nginx before a registry without TLS, and before its store."""
    ports = registry_of.free_port(), registry_of.free_port()
    servers = [front.server(port, "proxy_pass %s;" % url, "proxy_http_version 1.1;",
                            "proxy_buffering off;")
               for port, url in zip(ports, (bad.url, bad.store_url))]
    with tempfile.TemporaryDirectory(prefix="peelfs-e2e-front-") as where, \
            front.nginx(where, ca[1:], servers) as log:
        bad.host = "localhost:%d" % ports[0]
        bad.url, bad.store_url = "https://" + bad.host, "https://127.0.0.1:%d" % ports[1]
        yield
        assert "HTTP/2.0" in log()


class Picture:
    """An image with a layer of each of two kinds, and its files."""

    def __init__(self, b, chance):
        self.files = {"noise": chance.randbytes(1_700_000), "f": b"text",
                      "top": chance.randbytes(400_000)}
        layers = []
        for names in (("noise", "f"), ("top",)):
            tar = layer(*(file(name, self.files[name]) for name in names))
            form = chance.choice(("gzip", "zstd", "none", "estargz", "storage"))
            plain = form in ("gzip", "zstd", "none")
            layers.append(b.images.layer(tar, form) if plain else
                          test_lazy.put(b.images, form, tar))
        self.source = b.image("team/app", layers)

    def part(self, m, seed):
        """True; or False for EIO. All else is wrong."""
        chance = random.Random(seed)
        name = chance.choice(list(self.files))
        data = self.files[name]
        at, size = (chance.choice((0, chance.randrange(len(data)))),
                    chance.choice((100, 70_000, len(data))))
        start = time.monotonic()
        try:
            with open(m.at(name), "rb", buffering=0) as f:
                got = os.pread(f.fileno(), size, at)
                assert got == data[at:at + size], (name, at, size)
            return True
        except OSError as e:
            assert e.errno == errno.EIO
            return False
        finally:
            assert time.monotonic() - start < 90 * SLOWER

    def parts(self, m, readers, seed):
        return all(readers.map(lambda i: self.part(m, i), range(100 * seed, 100 * seed + 16)))

    def is_whole(self, m):
        for name, data in self.files.items():
            assert m.read("rootfs/" + name) == data


def may_fail(done):
    assert done.returncode == 32 and done.stderr.count("\n") == 1, done
    for secret in (badregistry.PASSWORD, badregistry.SECRET, badregistry.IDENTITY):
        assert secret not in done.stderr


def storm(b, seed, options, cache, readers):
    chance = random.Random(seed)
    b.auth = chance.choice((None, "basic", "token", "user token", "oauth"))
    b.token_seconds = chance.choice((2, 300))
    b.redirect = chance.random() < 0.5
    b.url_uses = chance.choice((1, 2, 1000))
    options += (authfile(cache.parent, b.host, {"identitytoken": badregistry.IDENTITY}
                         if b.auth == "oauth" else {"auth": badregistry.SECRET}),)
    picture = Picture(b, chance)
    worse = seed % 2 == 1
    b.weather = WORSE if worse else MENDED
    for _ in range(2):
        b.chance = 0.3
        if worse:
            # A mount may come to nothing, which the context below takes for wrong.
            done = run("-o", ",".join(("timeout=6", "cache_dir=%s" % cache, *options)),
                       picture.source, str(cache.parent / "mnt"))
            if done.returncode != 0:
                may_fail(done)
            else:
                assert unmount(cache.parent / "mnt")
            b.chance = 0
        with mount(picture.source, "timeout=%d" % (6 if worse else 40), *options, cache=cache,
                   quiet=not worse) as m:
            b.chance = 0.3
            assert picture.parts(m, readers, seed) or worse
            b.chance = 0
            if not worse:
                picture.is_whole(m)
        if cache.exists():
            forget_data(cache)
    # A table that a wrong byte seemed to contradict is not believed again, which is told.
    with mount(picture.source, *options, cache=cache, quiet=not worse) as m:
        picture.is_whole(m)
    for role, _, path, headers in b.asked:
        assert role == "registry" or "Authorization" not in headers, path


@pytest.mark.heavy
@pytest.mark.limit(300)
@pytest.mark.parametrize("way", ["http", "https", "http2"])
@pytest.mark.parametrize("seed", range(STORMS))
def test_storm(images, ca, way, seed, tmp_path):
    (tmp_path / "mnt").mkdir()
    with contextlib.ExitStack() as stack:
        b = stack.enter_context(badregistry.running(images, ca if way == "https" else None, seed))
        if way == "http2":
            stack.enter_context(http2(b, ca))
        readers = stack.enter_context(ThreadPoolExecutor(4))
        storm(b, seed, () if way == "http" else ("cacert=" + ca[0],), tmp_path / "cache", readers)
        print("%d of %d answers failed" % (b.n_failed, len(b.asked)))
    assert not is_mounted(str(tmp_path / "mnt"))
