# SPDX-License-Identifier: MIT
"""peelctl and the cache on disk: what it verifies, lists, prunes and makes."""
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sysconfig
import time

import pytest

import carried
import layout
import test_soci
from archive import directory, file, hardlink, layer, symlink, whiteout
from mounting import PEELCTL, SANITIZED, environment, eventually, mount
from stores import contents, ctl, data_files, files_of, image_of, noise, same


FAKETIME = "/usr/lib/%s/faketime/libfaketimeMT.so.1" % sysconfig.get_config_var("MULTIARCH")


# peelctl

def test_verify_finds_damage(images, tmp_path):
    files = contents(13, 4, 800000)
    source = image_of(images, files)
    with mount(source, cache=tmp_path / "c"):
        pass
    where = "--dir=%s" % (tmp_path / "c")
    good = ctl("cache", "verify", where)
    assert good.returncode == 0 and "0 damaged" in good.stdout
    for path in data_files(tmp_path / "c"):
        with open(path, "r+b") as f:
            f.seek(1000000)
            f.write(b"?")
    bad = ctl("cache", "verify", where)
    assert bad.returncode == 1 and "will be fetched again" in bad.stdout
    assert ctl("cache", "verify", where).returncode == 0
    [document, *_] = (tmp_path / "c/documents/sha256").iterdir() if \
        (tmp_path / "c/documents/sha256").is_dir() else [None]
    if document:
        document.write_bytes(b"{}")
        assert ctl("cache", "verify", where).returncode == 1
    for folder, _, names in os.walk(tmp_path / "c/layers"):
        if "index" in names:
            with open(os.path.join(folder, "index"), "r+b") as f:
                f.seek(5000)
                f.write(b"\xff\xfe\xfd\xfc")
    bad = ctl("cache", "verify", where)
    assert bad.returncode == 1 and "index is damaged" in bad.stdout
    with mount(source, cache=tmp_path / "c") as m:
        assert same(m.root, files)


def back(hours):
    """The environment of a program whose clock is so far behind."""
    return environment(FAKETIME="-%dh" % hours, FAKETIME_DONT_FAKE_MONOTONIC="1",
                       FAKETIME_FORCE_MONOTONIC_FIX="0", LD_PRELOAD=FAKETIME)


@pytest.mark.skipif(SANITIZED, reason="two libraries want to be loaded first")
def test_clock_set_back(images, tmp_path):
    """Spans that were read in what is now the future are as good as any."""
    files = contents(15, 4, 800000)
    where = "--dir=%s" % (tmp_path / "c")
    with mount(image_of(images, files), cache=tmp_path / "c") as m:
        assert same(m.root, files)
    good = ctl("cache", "verify", where)
    past = ctl("cache", "verify", where, env=back(1))
    assert past.returncode == 0 and past.stdout == good.stdout
    with mount(image_of(images, files), cache=tmp_path / "c", env=back(1)) as m:
        assert same(m.root, files)
    assert ctl("cache", "verify", where).stdout == good.stdout


@pytest.mark.skipif(SANITIZED, reason="two libraries want to be loaded first")
def test_clock_set_back_while_something_is_waited_for(fake, tmp_path):
    """Waits are as long as they would have been, and can be ended; so for what is loaded."""
    steps = tmp_path / "steps"
    steps.write_text("+0")
    source = fake.image("x", [layer(file("f", "1"))])
    env = {**back(0), "FAKETIME_TIMESTAMP_FILE": str(steps), "FAKETIME_NO_CACHE": "1"}
    del env["FAKETIME"]
    with mount("%s/" % fake.host, "timeout=60", env=env) as m:
        fake.silent_always = True
        fake.silent.set()
        path = "%s/%s" % (m.path, source.split("/", 1)[1])
        ask = ["ls", path + "/rootfs"]
        first = subprocess.Popen(ask, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert eventually(lambda: fake.waiting > 0)
        (tmp_path / "step").write_text("-1h")
        os.replace(tmp_path / "step", steps)
        time.sleep(0.3)
        begun = time.monotonic()
        first.send_signal(signal.SIGINT)
        first.wait(20)
        assert time.monotonic() - begun < 1
        second = subprocess.Popen(ask, stdout=subprocess.PIPE)
        time.sleep(0.3)
        fake.silent.clear()
        assert second.communicate(timeout=20)[0] == b"f\n"


def flip(path, at, bit):
    with open(path, "r+b") as f:
        f.seek(at)
        byte = f.read(1)[0]
        f.seek(at)
        f.write(bytes([byte ^ 1 << bit]))


def read_minute(path, at):
    """Is this the byte that says when a span was last read? Any time that was may be right."""
    return path.endswith("/spans") and 12 <= at % 24 < 16


@pytest.mark.parametrize("form", ["gzip", "zstd", "none", "estargz", "soci"])
def test_verify_finds_every_flipped_bit(images, fake, tmp_path, form):
    """In every kind of file, wherever it is; and what was found is mended by the next mount."""
    rng = random.Random(41)
    cache = tmp_path / "c"
    tar = layer(directory("d"), *[file("d/f%03d" % i, noise(i, 300000) + bytes(9000))
                                  for i in range(6)])
    files = {"f%03d" % i: noise(i, 300000) + bytes(9000) for i in range(6)}
    if form == "estargz":
        blob, notes = carried.estargz(tar, chunk=100000)
        layers = [{**fake.images.blob(blob, layout.LAYER["oci", "gzip"]), "annotations": notes,
                   "diff": layout.digest(tar)}]
        source = fake.image("x", layers)
    elif form == "soci":
        source = test_soci.Made(fake, "v1", which=(0,), tars=[tar]).tag
    else:
        source = fake.image("x", [images.layer(tar, form)])
    with mount(source, "insecure", cache=cache) as m:
        assert form not in ("estargz", "soci") or m.status()["layers"][0]["index"] == form
        assert same(m.root, files)
    where = "--dir=%s" % cache
    assert ctl("cache", "verify", where).returncode == 0
    kinds = set()
    for path in files_of(cache):
        kinds.add("/".join(path[len(str(cache)) + 1:].split("/")[::3]))
        for _ in range(12):
            at, bit = rng.randrange(os.path.getsize(path)), rng.randrange(8)
            if read_minute(path, at):
                continue
            shutil.copytree(cache, tmp_path / "copy")
            flip(str(tmp_path / "copy") + path[len(str(cache)):], at, bit)
            done = ctl("cache", "verify", "--dir=%s" % (tmp_path / "copy"))
            assert done.returncode == 1, (path, at, bit, done.stdout)
            assert ctl("cache", "verify", "--dir=%s" % (tmp_path / "copy")).returncode == 0
            shutil.rmtree(tmp_path / "copy")
    assert len(kinds) >= 4, kinds  # a document, a note, an index, data, spans
    flip(next(data_files(cache)), 1000, 3)
    assert ctl("cache", "verify", where).returncode == 1
    with mount(source, "insecure", cache=cache) as m:
        assert same(m.root, files)


def test_list_and_prune(images, tmp_path):
    files = contents(14, 4, 800000)
    where = "--dir=%s" % (tmp_path / "c")
    with mount(image_of(images, files), cache=tmp_path / "c") as m:
        assert "mounted" in ctl("cache", "list", where).stdout
        assert ctl("cache", "prune", where).returncode == 0
        assert same(m.root, files)
        assert "1 layer," in ctl("cache", "list", *where.split("=", 1)).stdout
    assert ctl("cache", "prune", where, "16K").returncode == 0
    listed = ctl("cache", "list", where).stdout
    assert "1 layer," in listed  # the index stays
    assert re.search(r"(?m)  0\.0  -$", listed), listed
    assert ctl("cache", "prune", where, "1K").returncode == 0
    assert "0 layers" in ctl("cache", "list", where).stdout  # unless it is larger
    assert ctl("cache", "prune", where).returncode == 0
    assert "0 layers" in ctl("cache", "list", where).stdout


@pytest.mark.parametrize("words", [["-h"], ["-V"], ["cache", "list"], ["cache", "verify"]])
def test_output_that_nobody_gets(tmp_path, words):
    (tmp_path / "c" / "layers").mkdir(mode=0o700, parents=True)
    where = ["--dir=%s" % (tmp_path / "c")] if words[0] == "cache" else []
    with open("/dev/full", "w") as full:
        done = subprocess.run([PEELCTL, *words, *where], stdout=full, stderr=subprocess.PIPE,
                              env=environment(), timeout=60)
    assert done.returncode == 1 and b"cannot write" in done.stderr


def test_no_cache_to_list(tmp_path):
    done = ctl("cache", "list", "--dir=%s" % (tmp_path / "nowhere"))
    assert done.returncode == 1 and "nowhere" in done.stderr
    assert not (tmp_path / "nowhere").exists()


def test_directory_of_another_use(images, tmp_path):
    """It is no store for peelctl; as the cache of a mount it keeps what it had."""
    (tmp_path / "tmp").mkdir()
    for name in ("thesis", "0123456789abcdef.txt", "0123456789abcdef"):
        (tmp_path / "tmp" / name).write_text(name)
        os.utime(tmp_path / "tmp" / name, (1, 1))
    for words in (["list"], ["verify"], ["prune"]):
        done = ctl("cache", *words, "--dir=%s" % tmp_path)
        assert done.returncode == 1 and "not a store" in done.stderr
    assert len(os.listdir(tmp_path / "tmp")) == 3
    with mount(images.image([layer(file("f", "1"))]), cache=tmp_path):
        pass
    for words in (["list"], ["verify"], ["prune", "0"]):
        assert ctl("cache", *words, "--dir=%s" % tmp_path).returncode == 0
    # The last is named as what a killed process leaves is.
    assert sorted(os.listdir(tmp_path / "tmp")) == ["0123456789abcdef.txt", "thesis"]


def test_which_without_its_cache(images, tmp_path):
    """A removed cache is not made anew by a question."""
    with mount(images.image([layer(file("f", "1"))]), cache=tmp_path / "c") as m:
        assert m.read("rootfs/f") == b"1"
        shutil.rmtree(tmp_path / "c")
        done = ctl("which", m.at("f"))
        assert done.returncode == 1 and "cannot use %s as the store" % (tmp_path / "c") in done.stderr
        assert not (tmp_path / "c").exists()


def test_directory_where_others_write(images, tmp_path):
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp").chmod(0o1777)
    with mount(images.image([layer(file("f", "1"))]), cache=tmp_path, quiet=False) as m:
        assert "others than its owner may write" in m.stderr and m.read("rootfs/f") == b"1"
    assert os.listdir(tmp_path / "tmp") == []


def test_which(images, tmp_path):
    layers = [layer(directory("d"), file("d/a", "1"), file("d/b", "2"), symlink("s", "d/a")),
              layer(file("d/b", "3"), whiteout("s"), hardlink("d/c", "d/b"))]
    history = {"history": [{"created_by": "COPY one"}, {"created_by": "ENV x", "empty_layer": True},
                           {"created_by": "RUN two"}]}
    descriptors = [images.layer(tar) for tar in layers]
    source = images.tag(images.manifest(descriptors, images.config(descriptors, more=history)))
    with mount(source, cache=tmp_path / "c") as m:
        one = ctl("which", m.at("d/a"), m.at("d/c")).stdout
        assert re.search(r"d/a\n  layer    1 of 2, %s\n  step     COPY one\n  content  sha256:%s\n" % (
            descriptors[0]["digest"], hashlib.sha256(b"1").hexdigest()), one)
        assert re.search(r"d/c\n  layer    2 of 2, .*\n  step     RUN two\n  content  sha256:%s\n" %
                         hashlib.sha256(b"3").hexdigest(), one)
        assert ctl("which", m.at("s")).returncode == 1
        assert ctl("which", "/etc/passwd").returncode == 1


def test_status(images, tmp_path):
    with mount(image_of(images, contents(15, 2, 1000)), cache=tmp_path / "c") as m:
        assert json.loads(ctl("status", "--json", m.path).stdout)["state"] == "ready"
        assert "layer" in ctl("status", m.path).stdout
        assert m.path in ctl("status").stdout
    assert ctl("status", str(tmp_path)).returncode == 1


def test_index_without_a_mount(images, tmp_path):
    files = contents(16, 3, 400000)
    source = image_of(images, files)
    done = ctl("index", "-o", "cache_dir=%s" % (tmp_path / "c"), source)
    assert done.returncode == 0 and "sha256:" in done.stdout
    with mount(source, cache=tmp_path / "c") as m:
        assert m.status()["layers"][0]["from"] == "store"
        assert same(m.root, files)
        assert m.status()["layers"][0]["fetched"] == 0
