# SPDX-License-Identifier: MIT
"""What is no image: its blobs as files, fetched whole and verified before they are shown."""
import errno
import json
import os
import subprocess

import pytest

import layout
from archive import file, layer
from mounting import PEELCTL, mount, run
from tree import sha256_of

TITLE = "org.opencontainers.image.title"
EMPTY = "application/vnd.oci.empty.v1+json"
TEXT = b"some text\n" * 1000


class Artifacts:
    """Manifests in a layout, which can be pushed to a registry over HTTP."""

    def __init__(self, images):
        self.images = images

    def blob(self, data, media_type="application/octet-stream", title=None, **more):
        d = {**self.images.blob(data, media_type), **more}
        return {**d, "annotations": {TITLE: title}} if title is not None else d

    def manifest(self, layers, config=None, **more):
        config = config or self.images.blob(b"{}", EMPTY)
        return self.images.document(
            {"schemaVersion": 2, "mediaType": layout.MANIFEST, "config": config, "layers": layers,
             **more}, layout.MANIFEST)

    def local(self, *arguments, **more):
        return self.images.tag(self.manifest(*arguments, **more), "v1")

    def push(self, registry, repository, descriptor, tag=None):
        data = self.images.read(descriptor)
        manifest = json.loads(data)
        for d in [manifest.get("config")] + manifest.get("layers", []):
            registry.put_blob(repository, self.images.read(d))
        return registry.put_manifest(repository, tag or descriptor["digest"], data,
                                     descriptor["mediaType"])


@pytest.fixture
def artifacts(images):
    return Artifacts(images)


def shown(m):
    """{path: SHA-256} of its files."""
    top = m.path + "/files"
    paths = [os.path.join(where, name) for where, _, names in os.walk(top) for name in names]
    return {os.path.relpath(p, top): "sha256:" + sha256_of(p) for p in paths}


def test_chart(artifacts, registry):
    """As helm pushes one: a config of its own, and blobs without titles."""
    config = artifacts.blob(b'{"name": "chart"}', "application/vnd.cncf.helm.config.v1+json")
    chart = artifacts.blob(b"\x1f\x8b" + TEXT,
                           "application/vnd.cncf.helm.chart.content.v1.tar+gzip")
    made = {"annotations": {"org.opencontainers.image.created": "2024-05-06T07:08:09Z"}}
    d = artifacts.manifest([chart], config, **made)
    with mount(artifacts.push(registry, "charts/one", d, "1.0")) as m:
        name = "1-%s.tar.gz" % chart["digest"][7:19]
        assert sorted(os.listdir(m.path)) == [".peelfs", "config.json", "files", "manifest.json",
                                              "oci", "referrers"]
        before = m.status()["network"]["requests"]
        st = os.lstat(m.path + "/files/" + name)
        assert (st.st_size, st.st_mode, st.st_mtime) == (chart["size"], 0o100444, 1714979289)
        assert m.status()["network"]["requests"] == before, "fetched before it was read"
        assert shown(m) == {name: chart["digest"]}
        assert m.status()["network"]["requests"] == before + 1
        assert m.read("config.json") == b'{"name": "chart"}'
        assert layout.digest(m.read("manifest.json")) == d["digest"]
        status = m.status()
        assert status["state"] == "ready"
        assert status["artifactType"] == "application/vnd.cncf.helm.config.v1+json"
        assert os.statvfs(m.path).f_blocks > 0
        assert "platform" not in run("status", m.path, program=PEELCTL).stdout


HOSTILE = {"../../etc/passwd": ".._.._etc_passwd", "/abs": "_abs", "a//b": "a__b", "..": None,
           ".": None, "": None, "x" * 300: "x" * 255, "new\nline\x1b[2J": "new_line_[2J",
           "twice": "twice", "config.json": "config.json", "\u00e9" * 200: "\u00e9" * 127,
           "-rf": "-rf", ".peelfs": ".peelfs"}


def test_titles(artifacts):
    """Whatever they are, each blob has one plain name in files/ and none elsewhere."""
    blobs = [artifacts.blob(b"%d" % i, "text/plain", title) for i, title in enumerate(HOSTILE)]
    blobs.append(artifacts.blob(b"again", "text/plain", "twice"))
    blobs.append(artifacts.blob(b"a__b", "a/b+json", "a__b"))
    source = artifacts.local(blobs, artifactType="application/x.y")
    with mount(source) as m:
        expected = {}
        for i, (blob, name) in enumerate(zip(blobs, [*HOSTILE.values(), None, None])):
            name = name or "%d-%s%s" % (i + 1, blob["digest"][7:19],
                                        ".json" if "json" in blob["mediaType"] else ".txt")
            expected[name] = blob["digest"]
        assert shown(m) == expected
        for name in expected:  # by name, without a list
            assert os.stat(m.path + "/files/" + name).st_ino
        with pytest.raises(FileNotFoundError):
            os.stat(m.path + "/files/nothing")
        assert len({os.stat(m.path + "/files/" + n).st_ino for n in expected}) == len(expected)
        assert m.status()["artifactType"] == "application/x.y"


def test_wrong_bytes_are_not_shown(artifacts, images):
    """Neither those of another digest nor too few or too many; the others are."""
    good = artifacts.blob(TEXT, title="good")
    blobs = {name: artifacts.blob(name.encode() * 5000, title=name)
             for name in ("changed", "short", "long", "gone")}
    source = artifacts.local([good, *blobs.values()])
    for name, blob in blobs.items():
        path, data = images.blob_path(blob["digest"]), images.read(blob)
        if name == "gone":
            os.unlink(path)
        else:
            with open(path, "wb") as f:
                f.write({"changed": b"?" + data[1:], "short": data[:-1], "long": data + b"?"}[name])
    with mount(source, quiet=False) as m:
        for name, blob in blobs.items():
            assert os.stat(m.path + "/files/" + name).st_size == blob["size"]
            for _ in range(2):
                with pytest.raises(OSError) as e, open(m.path + "/files/" + name, "rb") as f:
                    f.read()
                assert e.value.errno == errno.EIO, name
        assert m.read("files/good") == TEXT
        assert m.status()["errors"] >= len(blobs)


def test_empty_artifact(artifacts, tmp_path):
    """Nothing but a type: its one blob is the empty one, which is the config, too."""
    empty = artifacts.blob(b"{}", EMPTY)
    with mount(artifacts.local([empty], artifactType="application/x.attestation")) as m:
        hexes = os.listdir(m.path + "/oci/blobs/sha256")
        assert len(hexes) == len(set(hexes)) == 2
        assert list(shown(m).values()) == [empty["digest"]]
        for name in hexes:
            assert sha256_of(m.path + "/oci/blobs/sha256/" + name) == name


def test_layout_round_trip(artifacts, tmp_path):
    """oci/ of an artifact is one that skopeo copies, digests and all."""
    blobs = [artifacts.blob(TEXT, "text/plain", "t"), artifacts.blob(b"", "text/plain", "empty")]
    d = artifacts.manifest(blobs, artifactType="application/x.y")
    with mount(artifacts.images.tag(d, "v1")) as m:
        assert shown(m) == {"t": blobs[0]["digest"], "empty": blobs[1]["digest"]}
        done = subprocess.run(["skopeo", "copy", "-q", "--insecure-policy", "--preserve-digests",
                               "oci:%s/oci:v1" % m.path, "oci:%s/copy:v1" % tmp_path],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        [copied] = json.load(open(tmp_path / "copy/index.json"))["manifests"]
        assert copied["digest"] == d["digest"]
        for blob in blobs:
            path = tmp_path / "copy/blobs/sha256" / blob["digest"][7:]
            assert layout.digest(path.read_bytes()) == blob["digest"]


def test_no_root_file_system(artifacts, tmp_path):
    """Where nothing but one would do, a sentence says what it is."""
    source = artifacts.local([artifacts.blob(TEXT)], artifactType="application/x.y")
    cache = "cache_dir=%s" % tmp_path
    (tmp_path / "mnt").mkdir()
    for done in (run("-o", cache + ",layout=rootfs", source, str(tmp_path / "mnt")),
                 run("index", "-o", cache, source, program=PEELCTL)):
        assert done.returncode in (1, 32)
        assert "application/x.y" in done.stderr and done.stderr.count("\n") == 1


def test_images_have_no_files(images):
    with mount(images.image([layer(file("f"))])) as m:
        assert "files" not in os.listdir(m.path) and "artifactType" not in m.status()
        with pytest.raises(FileNotFoundError):
            os.stat(m.path + "/files")
