# SPDX-License-Identifier: MIT
"""layout=store: the files of an additional image store; test_podman.py uses it."""
import base64
import gzip
import json
import os
import stat

import pytest

import archive
import test_lazy
from layout import digest
from mounting import mount, run

LAYERS = [
    archive.layer(archive.directory("d"), archive.file("d/low", b"low"), archive.directory("gone"),
                  archive.file("gone/x", b"x"), archive.directory("opaque"),
                  archive.file("opaque/low", b"low"), archive.file("f", b"f" * 1000)),
    archive.layer(archive.directory("d"), archive.file("d/high", b"high"),
                  archive.whiteout("gone"), archive.directory("opaque"),
                  archive.opaque("opaque"), archive.file("opaque/high", b"")),
]


def store(source, *options, **more):
    return mount(source, "layout=store", "suid", "dev", *options, load=False, **more)


def layer_of(m, index):
    with open(os.path.join(m.path, "overlay-layers/layers.json")) as f:
        return json.load(f)[index]["id"]


def test_tree(images):
    source = images.image(LAYERS)
    with store(source) as m:
        [image] = json.loads(m.read("overlay-images/images.json"))
        layers = json.loads(m.read("overlay-layers/layers.json"))
        assert image["layer"] == layers[1]["id"] and layers[1]["parent"] == layers[0]["id"]
        assert image["id"] == image["big-data-names"][-1].split(":")[1]
        assert len(m.read("overlay-layers/layers.lock")) == 64
        for layer in layers:
            link = m.read("overlay/%s/link" % layer["id"]).decode()
            assert os.readlink(m.path + "/overlay/l/" + link) == "../%s/diff" % layer["id"]
        assert m.read("overlay/%s/lower" % layers[1]["id"]).decode() == "l/" + \
            m.read("overlay/%s/link" % layers[0]["id"]).decode()
        assert not os.path.exists(m.path + "/overlay/%s/lower" % layers[0]["id"])
        names = os.listdir(m.path + "/overlay-images/" + image["id"])
        assert len(names) == 3 and "manifest" in names
        documents = {m.read("overlay-images/%s/%s" % (image["id"], name)) for name in names}
        assert len(documents) == 2


@pytest.mark.core
def test_overlay_form(images):
    with store(images.image(LAYERS)) as m:
        top = "%s/overlay/%s/diff" % (m.path, layer_of(m, 1))
        with os.scandir(top) as entries:
            kinds = {e.name: e.is_dir(follow_symlinks=False) or e.is_file(follow_symlinks=False)
                     for e in entries}
        assert kinds == {"d": True, "gone": False, "opaque": True}
        gone = os.lstat(top + "/gone")
        assert stat.S_ISCHR(gone.st_mode) and gone.st_rdev == 0
        assert not os.path.lexists(top + "/.wh.gone")
        for name in ("trusted.overlay.opaque", "user.overlay.opaque"):
            assert os.getxattr(top + "/opaque", name) == b"y"
            with pytest.raises(OSError) as e:
                os.getxattr(top + "/d", name)
            assert e.value.errno == 61    # ENODATA
        assert sorted(os.listxattr(top + "/opaque")) == \
            ["trusted.overlay.opaque", "user.overlay.opaque"]
        assert os.listxattr(top + "/d") == []
        assert sorted(os.listdir(top + "/opaque")) == ["high"]


def test_stable(images, tmp_path):
    source = images.image(LAYERS)
    seen = []
    for _ in range(2):
        with store(source, cache=tmp_path / "cache") as m:
            seen.append([m.read("overlay-layers/layers.json"), m.read("overlay-images/images.json"),
                         m.read("overlay-layers/layers.lock"), sorted(os.listdir(m.path + "/overlay/l"))])
    assert seen[0] == seen[1]


@pytest.mark.core
def test_lists_follow_what_is_learnt(images):
    """The size of a layer is known once it is opened; the lock files say that the lists changed."""
    with store(images.image(LAYERS)) as m:
        before = m.read("overlay-layers/layers.lock")
        layers = json.loads(m.read("overlay-layers/layers.json"))
        assert [d["diff-size"] for d in layers] == [d["compressed-size"] for d in layers]
        os.listdir("%s/overlay/%s/diff" % (m.path, layers[0]["id"]))
        os.listdir("%s/overlay/%s/diff" % (m.path, layers[1]["id"]))
        layers = json.loads(m.read("overlay-layers/layers.json"))
        assert [d["diff-size"] for d in layers] == [len(d) for d in LAYERS]
        assert m.read("overlay-layers/layers.lock") != before
        assert m.read("overlay-images/images.lock") == m.read("overlay-layers/layers.lock")


def test_broken_layer(images):
    """Once it is known, the image is not listed."""
    bad = {**images.layer(LAYERS[1]), "digest": images.layer(LAYERS[0])["digest"]}
    os.truncate(images.blob_path(bad["digest"]), 100)
    good = images.layer(archive.layer(archive.file("g", b"g")))
    with store(images.image([good, bad]), quiet=False) as m:
        assert len(json.loads(m.read("overlay-images/images.json"))) == 1
        before = m.read("overlay-images/images.lock")
        with pytest.raises(OSError):
            os.listdir("%s/overlay/%s/diff" % (m.path, layer_of(m, 1)))
        assert json.loads(m.read("overlay-images/images.json")) == []
        assert json.loads(m.read("overlay-layers/layers.json")) == []
        assert m.read("overlay-images/images.lock") != before


def test_artifact(images, tmp_path):
    artifact = images.document({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                                "artifactType": "application/x", "layers": [],
                                "config": images.blob(b"{}", "application/vnd.oci.empty.v1+json")},
                               "application/vnd.oci.image.manifest.v1+json")
    (tmp_path / "mnt").mkdir()
    done = run("-o", "layout=store,cache_dir=%s" % (tmp_path / "c"), images.tag(artifact),
               str(tmp_path / "mnt"))
    assert done.returncode == 32 and "artifact" in done.stderr


def made_again(m, layer):
    """The archive of a layer, from its tar-split and its tree."""
    out = b""
    with gzip.open("%s/overlay-layers/%s.tar-split.gz" % (m.path, layer["id"])) as lines:
        for line in lines:
            entry = json.loads(line)
            if entry["type"] == 2:
                out += base64.b64decode(entry["payload"])
            else:
                name = base64.b64decode(entry["name_raw"]) if "name_raw" in entry else \
                    entry["name"].encode()
                root = os.fsencode("%s/overlay/%s/diff" % (m.path, layer["id"]))
                with open(os.path.join(root, name), "rb") as f:
                    data = f.read()
                assert len(data) == entry["size"]
                out += data
    return out


@pytest.mark.core
@pytest.mark.parametrize("form", ["gzip", "zstd", "none", "estargz-chunks", "storage"])
def test_tar_split(images, form):
    """A layer that was opened by its table of contents is streamed for it."""
    layers = [test_lazy.put(images, form, t) if form in test_lazy.FORMS else
              images.layer(t, form) for t in [*LAYERS, *test_lazy.TARS]]
    if "estargz" in form:    # which has entries of its own
        layers = [{**d, "diff": digest(gzip.decompress(images.read(d)))} for d in layers]
    with store(images.image(layers)) as m:
        listed = json.loads(m.read("overlay-layers/layers.json"))
        for layer in listed:
            data = made_again(m, layer)
            assert digest(data) == layer["diff-digest"]
        sizes = [d["diff-size"] for d in json.loads(m.read("overlay-layers/layers.json"))]
        assert sizes[-1] == len(data)
        assert all(a["compressed-size"] != size or form == "none" for a, size in zip(listed, sizes))


def test_unloaded(fake, tmp_path):
    """More images than stay loaded: whatever is unloaded, the store is the same."""
    for i in range(40):
        fake.image("many/n%d" % i, [archive.layer(archive.file("n", b"%d" % i))])
    (tmp_path / "images").write_text("".join("%s/many/n%d:t\n" % (fake.host, i) for i in range(40)))

    def look(m):
        found = [m.read("overlay-layers/layers.json"), m.read("overlay-images/images.json")]
        for layer in json.loads(found[0]):
            found.append(m.read("overlay/%s/diff/n" % layer["id"]))
            found.append(m.read("overlay/%s/link" % layer["id"]))
        for image in json.loads(found[1]):
            found.append(m.read("overlay-images/%s/manifest" % image["id"]))
        return found
    with store(fake.host + "/", "images=%s" % (tmp_path / "images")) as m:
        look(m)    # sizes become known
        seen = look(m)
        assert len(seen) == 2 + 3 * 40
        # An open file of an image that is not loaded any more.
        layer = json.loads(seen[0])[0]["id"]
        with open("%s/overlay/%s/diff/n" % (m.path, layer), "rb") as f:
            assert look(m) == seen
            os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            assert f.read() == b"0"
        assert m.read("overlay-layers/layers.lock") == m.read("overlay-images/images.lock")
