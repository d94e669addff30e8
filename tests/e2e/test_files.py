# SPDX-License-Identifier: MIT
"""files/ of an artifact as a tree: titles that are paths, and directories that ORAS packed."""
import concurrent.futures
import errno
import gzip
import os
import subprocess

import pytest

from archive import directory, file, hardlink, layer, symlink
from carried import gzip_member
from mounting import eventually, mount
from stores import noise
from test_artifacts import TEXT, TITLE, Artifacts, shown
from tree import sha256_of

TAR_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
UNPACK = "io.deis.oras.content.unpack"


@pytest.fixture
def artifacts(images):
    return Artifacts(images)


def packed(artifacts, title, *entries, data=None, **annotations):
    """As `oras push` makes of a directory: its tar has the title before each name."""
    d = artifacts.blob(gzip.compress(layer(*entries), mtime=0) if data is None else data, TAR_GZIP,
                       title)
    return {**d, "annotations": {**d.get("annotations", {}), UNPACK: "true", **annotations}}


def tree(m):
    """The directories in files/, and the files in it with their digests."""
    top = m.path + "/files"
    return sorted(os.path.relpath(os.path.join(where, name), top)
                  for where, names, _ in os.walk(top) for name in names), shown(m)


def test_paths(artifacts):
    """A title with slashes is a path; what is in the way of another gets its number."""
    titles = ["readme", "a/one", "a/b/two", "a/b", "a/one/x", "readme", "a/../b", "z/\ny"]
    blobs = [artifacts.blob(b"%d" % i, "text/plain", t) for i, t in enumerate(titles)]
    names = ["readme", "a/one", "a/b/two", None, None, None, "a_.._b", "z/_y"]
    with mount(artifacts.local(blobs, artifactType="application/x.y")) as m:
        names = [n or "%d-%s.txt" % (i + 1, blobs[i]["digest"][7:19]) for i, n in enumerate(names)]
        assert tree(m) == (["a", "a/b", "z"], {n: b["digest"] for n, b in zip(names, blobs)})
        for name in names:  # by name, without a list
            assert m.read("files/" + name) == b"%d" % names.index(name)
        for where in ("a", "a/b"):
            top = m.path + "/files/" + where
            assert os.path.samefile(top + "/..", os.path.dirname(top))
            for missing in ("nothing", "readme"):
                with pytest.raises(FileNotFoundError):
                    os.stat(os.path.join(top, missing))
        done = subprocess.run(["find", m.path + "/files", "-printf", "%P\n"], check=True,
                              capture_output=True, text=True, timeout=30)
        assert sorted(done.stdout.split("\n")) == sorted(["", "", "a", "a/b", "z", *names])


def test_packed_directory(artifacts, registry):
    """It is a directory, read like a layer, beside its archive."""
    weights = noise(1, 3 << 20)
    model = packed(artifacts, "model", directory("model"), file("model/weights.bin", weights),
                   file("model/config.json", "{}", mode=0o640), symlink("model/link", "config.json"),
                   directory("model/sub", mode=0o700), file("model/sub/x", "deep"),
                   hardlink("model/again", "model/config.json"))
    other = artifacts.blob(TEXT, "text/plain", "notes/readme")
    d = artifacts.manifest([other, model], artifactType="application/x.model")
    with mount(artifacts.push(registry, "models/one", d, "1")) as m:
        top = m.path + "/files/model"
        before = m.status()["network"]["requests"]
        assert sorted(os.listdir(m.path + "/files")) == ["model", "model.tar.gz", "notes"]
        assert m.status()["network"]["requests"] == before, "fetched before it was used"
        assert sorted(os.listdir(top)) == ["again", "config.json", "link", "sub", "weights.bin"]
        asked = m.status()["network"]["requests"]
        assert m.read("files/model/weights.bin") == weights
        assert open(top + "/sub/x").read() == "deep" and os.readlink(top + "/link") == "config.json"
        assert os.stat(top + "/sub").st_mode & 0o7777 == 0o700
        assert os.stat(top + "/config.json").st_mode & 0o7777 == 0o640
        assert os.path.samefile(top + "/again", top + "/config.json")
        assert os.path.samefile(top + "/sub/..", top)
        assert os.path.samefile(top + "/..", m.path + "/files")
        assert m.status()["network"]["requests"] == asked, "fetched again"
        assert "sha256:" + sha256_of(top + ".tar.gz") == model["digest"]
        with pytest.raises(FileNotFoundError):
            os.stat(top + "/model")
        copy = subprocess.run(["tar", "-C", m.path + "/files", "-cf", "-", "model"], check=True,
                              capture_output=True, timeout=30).stdout
        assert len(copy) > len(weights)


def test_packed_in_other_ways(artifacts):
    """In a directory; with a title that is no path; by another tool, without the title inside;
    and where its name is taken. The archive stays beside each."""
    blobs = [packed(artifacts, "a/b", directory("a/b"), file("a/b/f", "1")),
             packed(artifacts, ".", directory("."), file("f", "2")),
             packed(artifacts, "other", directory("d"), file("d/f", "3")),
             packed(artifacts, "a/b", directory("a/b"), file("a/b/f", "4")),
             packed(artifacts, "../up", file("f", "5")),
             packed(artifacts, "file", file("file", "6"))]
    number = ["%d-%s" % (i + 1, b["digest"][7:19]) for i, b in enumerate(blobs)]
    with mount(artifacts.local(blobs)) as m:
        found = {"a/b/f": "1", number[1] + "/f": "2", "other/d/f": "3", number[3] + "/f": "4",
                 ".._up/f": "5", "file/file": "6"}
        for name, text in found.items():
            assert m.read("files/" + name).decode() == text
        archives = ["a/b", number[1], "other", number[3], ".._up", "file"]
        for name, blob in zip(archives, blobs):
            assert "sha256:" + sha256_of("%s/files/%s.tar.gz" % (m.path, name)) == blob["digest"]
        assert len(shown(m)) == 2 * len(blobs)


def test_packed_with_xattrs_and_whiteouts(artifacts):
    """What an image's layer may have, its tree may have; nothing in it deletes anything."""
    blob = packed(artifacts, "d", directory("d"), file("d/x", "1", xattrs={"user.k": b"v"}),
                  file("d/.wh.x", ""), hardlink("d/nowhere", "e/f"))
    with mount(artifacts.local([blob])) as m:
        assert os.getxattr(m.path + "/files/d/x", "user.k") == b"v"
        assert sorted(os.listdir(m.path + "/files/d")) == [".wh.x", "x"]


def test_packed_but_broken(artifacts, images):
    """EIO for the directory; all else is there."""
    good = artifacts.blob(TEXT, "text/plain", "good")
    text = packed(artifacts, "text", data=b"no archive\n" * 1000)
    changed = packed(artifacts, "changed", directory("changed"), file("changed/f", "x" * 5000))
    with open(images.blob_path(changed["digest"]), "r+b") as f:
        f.seek(-6, os.SEEK_END)
        f.write(b"?")
    with mount(artifacts.local([good, text, changed]), quiet=False) as m:
        assert m.read("files/good") == TEXT
        assert m.read("files/text.tar.gz") == b"no archive\n" * 1000
        for name in ("text", "changed"):
            for ask in (os.listdir, lambda p: os.stat(p + "/f")):
                with pytest.raises(OSError) as e:
                    ask(m.path + "/files/" + name)
                assert e.value.errno == errno.EIO
        assert m.status()["errors"] >= 2


def test_packed_and_unused(artifacts, registry):
    """The second mount fetches nothing of what the store has."""
    blob = packed(artifacts, "d", directory("d"), file("d/f", noise(2, 1 << 20)))
    source = artifacts.push(registry, "models/again", artifacts.manifest([blob]), "1")
    with mount(source) as m, mount(source, cache=m.status()["store"]) as again:
        assert len(m.read("files/d/f")) == 1 << 20
        before = again.status()["network"]["bytes"]
        assert len(again.read("files/d/f")) == 1 << 20
        assert again.status()["network"]["bytes"] == before


# Shapes that are common

def test_helm_chart(artifacts):
    """Helm packs by itself and says nothing to ORAS: the archive is a file."""
    config = artifacts.blob(b'{"name": "app"}', "application/vnd.cncf.helm.config.v1+json")
    chart = artifacts.blob(gzip_member(layer(file("app/Chart.yaml", "name: app\n"))),
                           "application/vnd.cncf.helm.chart.content.v1.tar+gzip")
    with mount(artifacts.local([chart], config)) as m:
        assert tree(m) == ([], {"1-%s.tar.gz" % chart["digest"][7:19]: chart["digest"]})


def test_wasm_module(artifacts):
    """As the CNCF's artifact has it: a module that is named, or not."""
    config = artifacts.blob(b'{"architecture": "wasm"}', "application/vnd.wasm.config.v0+json")
    named = artifacts.blob(b"\0asm\1\0\0\0", "application/wasm", "bin/app.wasm")
    plain = artifacts.blob(b"\0asm\1\0\0\0\0", "application/wasm")
    with mount(artifacts.local([named, plain], config)) as m:
        assert tree(m) == (["bin"], {"bin/app.wasm": named["digest"],
                                     "2-%s.wasm" % plain["digest"][7:19]: plain["digest"]})


def test_large_model(artifacts, fake):
    """The status shows how much of a blob has been fetched while a reader waits for it."""
    data = noise(3, 4 << 20)
    blob = artifacts.blob(data, "application/vnd.x.model.weight.v1.raw", "weights/1-of-1.bin")
    d = artifacts.manifest([blob], artifactType="application/vnd.x.model")
    source = fake.tag("models/large", "t", artifacts.images.read(d), d["mediaType"])
    with mount(source, "insecure") as m, concurrent.futures.ThreadPoolExecutor(1) as pool:
        def state():
            [found] = m.status()["layers"]
            return found["state"], found["fetched"]
        assert state() == ("waiting", 0)
        fake.pace = 4 << 20
        reader = pool.submit(m.read, "files/weights/1-of-1.bin")
        assert eventually(lambda: state()[0] == "fetching" and 0 < state()[1] < len(data))
        fake.pace = None
        assert reader.result(60) == data
        assert state() == ("ready", len(data))
