# SPDX-License-Identifier: MIT
"""Archives on disk that are compressed as a whole, and those that come from a pipe."""
import contextlib
import gzip
import os
import pty
import select
import signal
import subprocess
import threading
import time

import pytest

import layout
from archive import directory, file, layer
from mounting import PEELFS, SANITIZED, environment, eventually, foreground, is_mounted, mount, run
from stores import noise
from test_resolve import fails
from test_sources import LAYERS, is_right, saved, skopeo
from test_store_limits import small_disk

COPIED = "peelfs: standard input is copied to an unnamed file in %s\n"


def packed(path, kind, *options):
    """The archive at @path, compressed beside it; the path of that."""
    out = "%s.%s" % (path, kind)
    if kind == "gzip":
        data = open(path, "rb").read()
        half = len(data) // 2
        with open(out, "wb") as f:  # two members, as pigz and cat make them
            f.write(gzip.compress(data[:half], 6) + gzip.compress(data[half:], 1))
    else:
        subprocess.run(["zstd", "-q", *options, "-o", out, path], check=True, timeout=60)
    return out


@contextlib.contextmanager
def piped(data, hold=False):
    """The reading end of a pipe that gives `data`, and ends then, unless it is held."""
    ends = os.pipe()

    def write():
        with contextlib.suppress(OSError), open(ends[1], "wb", closefd=False) as f:
            f.write(data)
        if not hold:
            os.close(ends[1])
    thread = threading.Thread(target=write)
    thread.start()
    yield ends[0]
    os.close(ends[0])
    thread.join()
    if hold:
        os.close(ends[1])


# Compressed as a whole

@pytest.mark.parametrize("kind", ["gzip", "zstd"])
@pytest.mark.parametrize("form", ["oci-archive", "docker-archive"])
def test_compressed(images, tmp_path, form, kind):
    if form == "oci-archive":
        skopeo(images.image(LAYERS), "oci-archive:%s/a.tar" % tmp_path)
    else:
        saved(tmp_path / "a.tar", LAYERS, False)
    path, cache = packed(tmp_path / "a.tar", kind), tmp_path / "cache"
    for _ in range(2):
        with mount("%s:%s" % (form, path), cache=cache) as m:
            is_right(m)
    with open(path, "rb") as f:  # it is kept as a layer is
        assert (cache / "layers" / layout.digest(f.read()).replace(":", "/") / "index").exists()
    with mount("%s:%s" % (form, tmp_path / "a.tar")) as m:
        is_right(m)


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
@pytest.mark.parametrize("cache", ["data", "index", "none"])
def test_compressed_and_large(tmp_path, kind, cache):
    """Read at any place, whatever is kept, in little memory."""
    data = {"f%d" % i: noise(i, 3 << 20) for i in range(8)}
    tars = [layer(directory("d"), file("d/" + n, b)) for n, b in data.items()]
    source = "docker-archive:" + packed(saved(tmp_path / "a.tar", tars, True)[15:], kind)
    with mount(source, "cache=" + cache) as m:
        for name in reversed(data):
            with open(m.at("d", name), "rb") as f:
                f.seek(2 << 20)
                assert f.read(1000) == data[name][2 << 20:(2 << 20) + 1000]
        for name, want in data.items():
            assert m.read("rootfs/d/" + name) == want
        assert SANITIZED or m.memory("RssAnon") < 100 << 20


def test_compressed_but_damaged(tmp_path):
    saved(tmp_path / "a.tar", LAYERS, False)
    with open(packed(tmp_path / "a.tar", "gzip"), "rb") as f:
        whole = f.read()
    cases = {"cut": whole[:len(whole) // 2], "text": gzip.compress(b"no archive\n" * 100),
             "flip": whole[:300] + bytes([whole[300] ^ 1]) + whole[301:],
             "empty": gzip.compress(b"")}
    for name, data in cases.items():
        (tmp_path / name).write_bytes(data)
        said = fails("docker-archive:%s/%s" % (tmp_path, name), words=[name], where=tmp_path)
        assert "layer" not in said
    (tmp_path / "bz").write_bytes(b"BZh91AY")
    fails("docker-archive:%s/bz" % tmp_path, words=["bzip2 -d"], where=tmp_path)


def test_compressed_and_replaced(tmp_path):
    """Another archive at the same path is that archive, and not what the store knows."""
    cache = tmp_path / "cache"
    for text in ("one", "two"):
        saved(tmp_path / "a.tar", [layer(file("f", text))], False)
        with mount("docker-archive:" + packed(tmp_path / "a.tar", "gzip"), cache=cache) as m:
            assert m.read("rootfs/f").decode() == text


# Standard input

@pytest.mark.parametrize("source,kind", [
    ("docker-archive:-", None), ("docker-archive:-:app:t", None), ("docker-archive:-:@0", "zstd"),
    ("oci-archive:-", "gzip"), ("oci-archive:-:tag", None)])
def test_from_a_pipe(images, tmp_path, source, kind):
    path = tmp_path / "a.tar"
    if source.startswith("oci"):
        skopeo(images.image(LAYERS), "oci-archive:%s:tag" % path)
    else:
        saved(path, LAYERS, False)
    data = open(packed(path, kind) if kind else path, "rb").read()
    place = tmp_path / "place"
    place.mkdir()
    with piped(data) as stdin, mount(source, stdin=stdin, quiet=False,
                                     env=environment(TMPDIR=str(place))) as m:
        assert m.stderr == COPIED % place
        is_right(m)
        assert os.listdir(place) == []


def test_from_a_redirected_file(tmp_path):
    """It is read in place, so nothing is copied."""
    saved(tmp_path / "a.tar", LAYERS, False)
    with open(tmp_path / "a.tar", "rb") as stdin, mount("docker-archive:-", stdin=stdin) as m:
        is_right(m)


@contextlib.contextmanager
def terminal():
    """Its other end, and itself."""
    ends = pty.openpty()
    yield ends
    os.close(ends[0])
    os.close(ends[1])


def refused(tmp_path, stdin, source="docker-archive:-", env=None):
    """Exit 32 and, behind the message of the copy, one sentence, which is returned."""
    (tmp_path / "mnt").mkdir(exist_ok=True)
    done = run("-o", "cache_dir=%s" % (tmp_path / "cache"), source, str(tmp_path / "mnt"),
               stdin=stdin, env=env)
    assert done.returncode == 32 and not is_mounted(str(tmp_path / "mnt"))
    lines = [n for n in done.stderr.splitlines() if "is copied" not in n]
    assert len(lines) == 1, done.stderr
    return lines[0]


def test_bad_input(tmp_path):
    saved(tmp_path / "a.tar", LAYERS, False)
    whole = (tmp_path / "a.tar").read_bytes()
    assert "standard input: it is empty" in refused(tmp_path, subprocess.DEVNULL)
    with piped(b"") as stdin:
        assert "standard input: it is empty" in refused(tmp_path, stdin, "oci-archive:-:tag")
    for part, word in ((whole[:len(whole) // 2], "docker-archive:-"), (whole[:700], "archive"),
                       (b"text\n" * 1000, "docker-archive:-")):
        with piped(part) as stdin:
            assert word in refused(tmp_path, stdin)
    with terminal() as (_, stdin):
        assert "terminal" in refused(tmp_path, stdin)


def test_full_disk(tmp_path):
    saved(tmp_path / "a.tar", [layer(file("f", noise(1, 4 << 20)))], False)
    with small_disk(tmp_path / "disk", 1 << 20) as disk, \
            piped((tmp_path / "a.tar").read_bytes()) as stdin:
        said = refused(tmp_path, stdin, env=environment(TMPDIR=str(disk)))
    assert "No space left on device" in said and str(disk) in said


@pytest.mark.parametrize("arguments", [("-f",), ()], ids=["foreground", "background"])
def test_interrupted(tmp_path, arguments):
    """Ctrl-C while the writer goes on: the program ends at once, and nothing is left."""
    env = environment(TMPDIR=str(tmp_path))
    with piped(b"x" * 100000, hold=True) as stdin, \
            foreground("docker-archive:-", arguments=arguments, stdin=stdin, env=env,
                       wait=False) as m:
        def said():
            m.log.seek(0)
            return m.log.read().decode()
        assert eventually(lambda: COPIED % tmp_path == said())
        time.sleep(0.3)
        m.child.send_signal(signal.SIGINT)
        assert eventually(lambda: m.child.poll() is not None, 5)
        assert m.child.returncode == 32
        assert said() == COPIED % tmp_path + "peelfs: interrupted\n"
    assert os.listdir(tmp_path) == []


def test_progress(tmp_path):
    """On a terminal a line says how much was read, while there is no more to tell."""
    (tmp_path / "mnt").mkdir()
    with piped(b"x" * (3 << 20), hold=True) as stdin, terminal() as (screen, end):
        child = subprocess.Popen([PEELFS, "-o", "cache_dir=%s" % (tmp_path / "cache"),
                                  "docker-archive:-", str(tmp_path / "mnt")],
                                 stdin=stdin, stdout=end, stderr=end, env=environment())
        said = b""
        while b"reading the archive, 3.0 MiB" not in said:
            assert select.select([screen], [], [], 20)[0], said
            said += os.read(screen, 1000)
        child.send_signal(signal.SIGINT)
        assert child.wait(20) == 32
