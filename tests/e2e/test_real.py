# SPDX-License-Identifier: MIT
"""A root file system of real programs, pushed by real tools, against the oracles."""

import os
import struct
import subprocess

import pytest

import layout
import oracle
import tree
from archive import directory, file, hardlink, layer, opaque, whiteout
from mounting import PEELCTL, mount, run


def packed(*paths, more=()):
    """The machine's own files, as GNU tar packs them."""
    there = [p for p in paths if os.path.exists("/" + p)]
    done = subprocess.run(["tar", "-C", "/", "-c", "--format=pax", "--xattrs",
                           "--xattrs-include=*", "--pax-option=delete=atime,delete=ctime",
                           "--numeric-owner", "--sparse", "--ignore-failed-read",
                           "--warning=no-file-changed", *more, *there], capture_output=True,
                          timeout=60)
    assert done.stdout, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def layers():
    """Programs with setuid bits and links, then changes, then more of them."""
    return [
        packed("etc", "usr/bin/passwd", "usr/bin/su", "usr/bin/perl", "usr/bin/gzip",
               "usr/bin/awk", "usr/bin/mawk", "usr/bin/chfn", "usr/bin/mount", "usr/bin/env",
               "usr/lib/x86_64-linux-gnu/perl-base", "usr/share/zoneinfo", "usr/sbin/cron",
               "dev/null", more=["--exclude=etc/ssl/private"]),
        packed("usr/share/zoneinfo/Europe", "usr/share/doc/libc6",
               "usr/share/perl5"),
        layer(whiteout("etc/passwd"), whiteout("usr/share/zoneinfo/Asia"),
              directory("usr/share/zoneinfo/Asia"),
              file("usr/share/zoneinfo/Asia/new", "only this"),
              opaque("etc/apt"), file("usr/bin/su", "gone"), hardlink("usr/bin/su2", "usr/bin/su")),
        packed("usr/share/perl5", "etc/apt", "var/lib/dpkg/info/libc6:amd64.list"),
        layer(whiteout("usr/share/zoneinfo/Europe/Paris")),
    ]


@pytest.fixture(scope="module")
def real(layers, tmp_path_factory):
    """The layout's source, and the tree the oracles agree on."""
    where = tmp_path_factory.mktemp("real")
    with oracle.overlay(layers, where / "overlay") as path:
        want = tree.dump(path)
    assert len(want) > 2000
    assert any(f.get("nlink", 1) > 1 for f in want.values()), "no hard links in the sample"
    assert any(f["mode"] & 0o4000 for f in want.values()), "no setuid bits in the sample"
    images = layout.Layout(where / "layout")
    return images.image([images.layer(tar, "none") for tar in layers]), want


@pytest.mark.limit(60)
def test_oracles_agree(real, tmp_path):
    source, want = real
    with oracle.umoci(source, tmp_path / "umoci") as path:
        tree.assert_same(want, tree.dump(path), lambda path, field:
                         want.get(path, {}).get("type") == "dir" and field in ("mtime_ns", "mode"))


@pytest.mark.core
@pytest.mark.limit(60)
@pytest.mark.parametrize("kind", ["gzip", "zstd", "none"])
def test_pushed_by_skopeo(real, new_registry, kind, tmp_path):
    source, want = real
    options = {"gzip": ["--dest-compress-format", "gzip"],
               "zstd": ["--dest-compress-format", "zstd", "--format", "oci"],
               "none": ["--dest-compress-format", "gzip", "--preserve-digests"]}[kind]
    reference = new_registry.push(source, "real/" + kind, "t", *options)
    with mount(reference, cache=tmp_path / "cache") as m:
        tree.assert_same(want, tree.dump(m.root))
        assert ("+" + kind if kind != "none" else "layer.v1.tar\"") in \
            m.read("manifest.json").decode().replace("tar.gzip", "tar+gzip")
        # Read from several sides at once, cold caches of the kernel.
        done = subprocess.run(["sh", "-c", """
            for i in 1 2 3; do (cd "$1" && find . -type f -exec cat {} + | sha256sum) & done
            wait""", "sh", m.root], capture_output=True, text=True, timeout=60)
        assert done.stderr == ""
        assert len(set(done.stdout.split())) == 2 and done.stdout.count("\n") == 3, done.stdout
    # Again from the store: the same tree, and not a byte of the layers fetched.
    with mount(reference, cache=tmp_path / "cache") as m:
        tree.assert_same(want, tree.dump(m.root))


@pytest.mark.limit(60)
def test_tools_read_it(real, tmp_path):
    """tar, cp -a, diff and find see nothing odd, and the copy is the original."""
    source, want = real
    with mount(source) as m:
        copy = tmp_path / "copy"
        done = subprocess.run(["cp", "-a", m.root, str(copy)], capture_output=True, text=True,
                              timeout=60)
        assert (done.returncode, done.stderr) == (0, "")
        tree.assert_same(want, tree.dump(copy), lambda path, field: field == "nlink")
        done = subprocess.run(["diff", "-r", "--no-dereference", m.root, str(copy)],
                              capture_output=True, text=True, timeout=60)
        noise = [line for line in done.stdout.splitlines() if "special file" not in line]
        assert noise == [] and done.stderr == ""
        done = subprocess.run(["tar", "-C", m.root, "-c", "."], capture_output=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, b"")
        done = subprocess.run(["find", m.root, "-noleaf"], capture_output=True, timeout=60)
        assert len(done.stdout.splitlines()) == len(want) and done.stderr == b""


def sections(path):
    """Of an index file, as tar/index/format.h draws it: {name: bytes}, the decoded size."""
    names = "entries strings units spans foreign skipped".split()
    with open(path, "rb") as f:
        head = f.read(160)
    places = {n: struct.unpack_from("<QQ", head, 24 + 16 * i) for i, n in enumerate(names)}
    return {n: size for n, (_, size) in places.items()}, struct.unpack_from("<Q", head, 152)[0]


@pytest.mark.heavy
@pytest.mark.limit(60)
def test_an_index_is_small(tmp_path):
    """At most 128 bytes for an entry, name and digest included, and windows of 0.4 %."""
    tar = packed("usr/sbin", "usr/share/zoneinfo", "usr/share/perl", "usr/share/perl5",
                 "usr/lib/git-core", "etc", more=["--exclude=etc/ssl/private"])
    blob = subprocess.run(["gzip"], input=tar, capture_output=True).stdout
    images = layout.Layout(tmp_path / "layout")
    source = images.image([{**images.blob(blob, layout.LAYER["oci", "gzip"]),
                            "diff": layout.digest(tar)}])
    done = run("index", "-o", "cache_dir=%s" % (tmp_path / "c"), source, program=PEELCTL)
    assert done.returncode == 0, done.stderr
    [path] = (tmp_path / "c/layers/sha256").glob("*/index")
    size, decoded = sections(path)
    entries, spans = size["entries"] // 72, size["spans"] // 4
    assert decoded >= len(tar) and spans >= decoded >> 21
    assert sum(size.values()) <= 128 * entries + spans * (96 + 4) + 0.004 * decoded
