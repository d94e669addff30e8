# SPDX-License-Identifier: MIT
"""Images on disk in every form, read in place: all show the same tree."""
import bz2
import hashlib
import io
import json
import os
import subprocess
import tarfile

import pytest

import layout
from archive import directory, file, layer, symlink
from mounting import mount
from test_resolve import fails

LAYERS = [layer(directory("d"), file("d/f", "lower"), file("g", "g" * 5000)),
          layer(file("d/f", "upper"), symlink("l", "d/f")), layer(file("last", "z"))]


def is_right(m):
    assert open(m.at("d/f")).read() == "upper"
    assert open(m.at("g")).read() == "g" * 5000
    assert os.readlink(m.at("l")) == "d/f"
    assert sorted(os.listdir(m.root)) == ["d", "g", "l", "last"]


def skopeo(*arguments):
    subprocess.run(["skopeo", "--insecure-policy", "copy", "-q", *arguments], check=True,
                   timeout=60, capture_output=True)


@pytest.mark.parametrize("form", ["oci-archive:%s/a.tar", "oci-archive:%s/a.tar:tag",
                                  "docker-archive:%s/a.tar:team/app:v1", "dir:%s/dir"])
def test_written_by_skopeo(images, tmp_path, form):
    target = form % tmp_path
    skopeo(images.image(LAYERS), target)
    with mount(target) as m:
        is_right(m)
    if form.startswith("docker-archive"):
        for source in (target.replace(":team/app:v1", ""), target.replace("team", "docker.io/team"),
                       target.replace("team/app:v1", "@0")):
            with mount(source) as m:
                is_right(m)
        fails(target.replace("v1", "v2"), words=["team/app:v2", "team/app:v1"], where=tmp_path)


def saved(path, layers, old, again=()):
    """What `docker save` writes: old, with a folder a layer, where what occurs twice is a
    link; or new, by digest."""
    members, names, ids = {}, [], []
    for i, tar in enumerate(layers):
        data, kind = tar if isinstance(tar, tuple) else (tar, "none")
        ids.append(layout.digest(data))
        packed = layout.compress(data, kind)
        name = "%064d/layer.tar" % i if old else "blobs/sha256/" + layout.digest(packed)[7:]
        names.append(name)
        members[name] = packed
    config = json.dumps({"os": "linux", "architecture": layout.HOST[1],
                         "rootfs": {"type": "layers", "diff_ids": ids}}).encode()
    config_name = hashlib.sha256(config).hexdigest()
    config_name = config_name + ".json" if old else "blobs/sha256/" + config_name
    members[config_name] = config
    members["manifest.json"] = json.dumps([{"Config": config_name, "RepoTags": ["app:t"],
                                            "Layers": names}]).encode()
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as t:
        for name, data in members.items():
            info = tarfile.TarInfo(("./" if old else "") + name)
            same = [n for n in names[:names.index(name)] if members[n] == data] \
                if name in names else []
            if old and same:
                info.type, info.linkname = tarfile.SYMTYPE, "../" + same[0]
                t.addfile(info)
            else:
                info.size = len(data)
                t.addfile(info, io.BytesIO(data))
    return "docker-archive:%s" % path


@pytest.mark.parametrize("old", [True, False], ids=["old", "new"])
def test_docker_save(tmp_path, old):
    with mount(saved(tmp_path / "a.tar", LAYERS, old)) as m:
        is_right(m)


def test_docker_save_with_links(tmp_path):
    with mount(saved(tmp_path / "a.tar", [LAYERS[0], LAYERS[1], LAYERS[0], LAYERS[1], LAYERS[2]],
                     True)) as m:
        is_right(m)


@pytest.mark.parametrize("old", [True, False], ids=["old", "new"])
def test_docker_save_with_compressed_layers(tmp_path, old):
    packed = [(LAYERS[0], "gzip"), (LAYERS[1], "zstd"), LAYERS[2]]
    with mount(saved(tmp_path / "a.tar", packed, old)) as m:
        is_right(m)


def test_not_an_archive(tmp_path, images):
    skopeo(images.image(LAYERS), "oci-archive:%s/a.tar" % tmp_path)
    whole = (tmp_path / "a.tar").read_bytes()
    (tmp_path / "a.tar.bz2").write_bytes(bz2.compress(whole))
    (tmp_path / "cut.tar").write_bytes(whole[:len(whole) // 2])
    (tmp_path / "text").write_text("no archive\n" * 100)
    fails("oci-archive:%s/a.tar.bz2" % tmp_path, words=["bzip2 -d", "a.tar.bz2"], where=tmp_path)
    fails("oci-archive:%s/text" % tmp_path, words=["text"], where=tmp_path)
    fails("oci-archive:%s/cut.tar" % tmp_path, words=["cut.tar"], where=tmp_path)
    fails("docker-archive:%s/a.tar" % tmp_path, words=["manifest.json", "as oci-archive: it can"],
          where=tmp_path)
    saved(tmp_path / "b.tar", LAYERS, False)
    fails("oci-archive:%s/b.tar" % tmp_path, words=["as docker-archive: it can"], where=tmp_path)
    fails("oci-archive:%s/none.tar" % tmp_path, words=["none.tar"], where=tmp_path)
    fails("dir:%s/none" % tmp_path, words=["none"], where=tmp_path)
