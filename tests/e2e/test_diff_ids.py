# SPDX-License-Identifier: MIT
"""layout=erofs: the layers of many images by diff ID, for containerd."""
import json
import os
import stat
import subprocess

import pytest

import test_lazy
import tree
from archive import directory, file, layer, whiteout
from mounting import PEELCTL, PEELFS, environment, eventually, mount, run, unmount
from test_erofs import is_accepted, kernel
from test_layer_files import has_none, with_diff_id

BASE = layer(directory("d"), file("d/f", "base"), file("big", b"b" * 300000))
TOP = layer(whiteout("d/f"), file("d/g", "top"))
OTHER = layer(file("other", "1"))


def path_of(m, diff_id):
    hexa = diff_id.split(":")[1]
    return os.path.join(m.path, "sha256", hexa[:2], hexa + ".erofs")


def status(m):
    return json.loads(run("status", "--json", m.path, program=PEELCTL).stdout)


def told(m):
    return " ".join(e["error"] for e in status(m)["lastErrors"])


def found(m):
    return sorted(f for _, _, files in os.walk(m.path) for f in files)


def names(*layers):
    return sorted(d["diff"].split(":")[1] + ".erofs" for d in layers)


@pytest.fixture
def made(images):
    return [images.layer(t) for t in (BASE, TOP, OTHER)]


def test_one_image(images, made):
    with mount(images.image(made[:2]), "layout=erofs") as m:
        assert os.listdir(m.path) == ["sha256"]
        assert found(m) == names(*made[:2])
        for d in made[:2]:
            assert stat.S_ISREG(os.lstat(path_of(m, d["diff"])).st_mode)
            is_accepted(path_of(m, d["diff"]))
        assert not os.path.exists(path_of(m, made[2]["diff"]))
        for name in ("x", "sha512", "sha256/0", "sha256/zz", "sha256/000", ".peelfs"):
            assert not os.path.exists(os.path.join(m.path, name))
        with kernel(path_of(m, made[0]["diff"])) as top:
            assert open(os.path.join(top, "d/f")).read() == "base"
            assert open(os.path.join(top, "big"), "rb").read() == b"b" * 300000


def test_same_file_as_in_the_tree_of_an_image(images, made):
    source = images.image(made[:2])
    sums = []
    for options, below in ((("layout=erofs",), ""), ((), "erofs")):
        with mount(source, *options) as m:
            sums.append([tree.sha256_of(os.path.join(m.path, below, "sha256", f[:2], f))
                         for f in names(*made[:2])])
    assert sums[0] == sums[1]


@pytest.fixture
def listed(registry, images, tmp_path):
    """A file of images, empty, and a call that pushes an image and gives its reference."""
    path = tmp_path / "images"
    path.write_text("")
    return path, lambda name, layers: registry.push(images.image(layers, name), "diff/" + name)


def test_a_list_that_grows(listed, made, tmp_path):
    path, push = listed
    path.write_text(push("one", made[:2]) + "\n")
    with mount("/", "layout=erofs", "images=%s" % path, cache=tmp_path / "cache") as m:
        assert found(m) == names(*made[:2])
        assert not os.path.exists(path_of(m, made[2]["diff"]))
        before = os.stat(path_of(m, made[0]["diff"]))
        assert run("add", m.path, push("two", [made[0], made[2]]), program=PEELCTL).returncode == 0
        assert found(m) == names(*made)
        is_accepted(path_of(m, made[2]["diff"]))
        after = os.stat(path_of(m, made[0]["diff"]))
        assert (before.st_ino, before.st_size) == (after.st_ino, after.st_size)
        sums = [tree.sha256_of(path_of(m, d["diff"])) for d in made]
        path.write_text(path.read_text().splitlines()[0] + "\n")
        assert eventually(lambda: found(m) == names(*made[:2]))
        assert not os.path.exists(path_of(m, made[2]["diff"]))
    with mount("/", "layout=erofs", "images=%s" % path, "offline",
               cache=tmp_path / "cache") as m:
        assert [tree.sha256_of(path_of(m, d["diff"])) for d in made[:2]] == sums[:2]


def test_unknown_names_need_no_network(listed, made):
    path, push = listed
    path.write_text(push("one", made[:2]) + "\n")
    with mount("/", "layout=erofs", "images=%s" % path) as m:
        before = status(m)["network"]["requests"]
        assert not os.path.exists(path_of(m, made[2]["diff"]))
        assert not os.path.exists(os.path.join(m.path, "sha256", made[0]["diff"][7:9], "0" * 64))
        assert not os.path.exists(path_of(m, made[0]["diff"]).replace("erofs", "erofs.dmverity"))
        assert status(m)["network"]["requests"] == before


def test_a_liar_gives_nobody_its_layer(listed, made):
    """Its config has the diff IDs of a good image, which comes later."""
    path, push = listed
    evil = [{**made[2], "diff": made[0]["diff"]}, made[1]]
    path.write_text("%s\n" % push("evil", evil))
    with mount("/", "layout=erofs", "images=%s" % path) as m:
        assert not os.path.exists(path_of(m, made[0]["diff"]))
        assert "layer 0 has the diff ID %s" % made[2]["diff"] in told(m)
        assert found(m) == []
    path.write_text("%s\n%s\n" % (push("evil", evil), push("good", made[:2])))
    with mount("/", "layout=erofs", "images=%s" % path) as m:
        with kernel(path_of(m, made[0]["diff"])) as top:
            assert open(os.path.join(top, "d/f")).read() == "base"
        assert found(m) == names(*made[:2])


def test_an_image_that_is_gone_hides_no_other(listed, made, registry, images):
    """Its layers cannot be fetched: that is EIO, and no lasting answer."""
    path, push = listed
    lost = images.layer(layer(file("lost", "x")))
    source = push("lost", [lost, made[0]])
    os.unlink(registry.blob_file(lost["digest"]))
    path.write_text("%s\n%s\n" % (source, push("kept", made[:2])))
    with mount("/", "layout=erofs", "images=%s" % path) as m:
        with pytest.raises(OSError):
            os.stat(path_of(m, lost["diff"]))
        is_accepted(path_of(m, made[0]["diff"]))


@pytest.mark.parametrize("form", ["estargz-chunks", "storage"])
def test_tables_of_contents_are_not_used(images, form, tmp_path):
    """Nor are indexes that were made from them, so that the whole image is shown."""
    layers = [with_diff_id(images, test_lazy.put(images, form, t)) for t in (BASE, TOP)]
    source = images.image(layers)
    with mount(source, cache=tmp_path / "cache", quiet=False) as m:
        assert has_none(m)
    with mount(source, "layout=erofs", cache=tmp_path / "cache") as m:
        assert found(m) == names(*layers)
        for d in layers:
            is_accepted(path_of(m, d["diff"]))
        assert {d["index"] for d in status(m)["layers"]} == {"streamed"}


def test_few_files(fake, tmp_path):
    """With few open files allowed, images that nobody uses make room for others."""
    for i in range(12):
        fake.image("many/n%d" % i, [layer(file("n", b"%d-%d" % (i, k)))
                                    for k in range(6)])
    listed = tmp_path / "images"
    listed.write_text("".join("%s/many/n%d:t\n" % (fake.host, i) for i in range(12)))
    path = tmp_path / "mnt"
    path.mkdir()
    done = subprocess.run(
        ["prlimit", "--nofile=128:128", PEELFS, "-o", "layout=erofs,images=%s,cache_dir=%s" % (
            listed, tmp_path / "cache"), "/", str(path)], env=environment(), timeout=60)
    assert done.returncode == 0
    try:
        seen = [f.read_bytes() for f in path.glob("sha256/*/*.erofs")]
        assert len(seen) == 72 and all(seen)
    finally:
        unmount(path)
