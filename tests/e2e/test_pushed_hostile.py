# SPDX-License-Identifier: MIT
"""Indexes in a registry that lie about a layer: never a wrong byte, and the layer is streamed."""
import errno
import json
import os

import pytest

import layout
import pushable
import pushed
from archive import directory, file, hardlink, layer, symlink
from mounting import mount
from test_push import NOISE, TYPE, kinds, push

TWIN = NOISE[2_000_000:2_000_700]
TARS = [
    layer(directory("usr"), directory("usr/bin"), symlink("bin", "usr/bin"),
          file("big", NOISE), file("bin/tool", b"tool\n" * 20), hardlink("again", "usr/bin/tool"),
          directory("a"), directory("b"), file("a/twin", TWIN), file("b/twin", TWIN[::-1]),
          *[file("many/%03d" % i, b"%d\n" % i * i) for i in range(100)]),
    layer(file("other", NOISE[1000:]), file("text", b"some text\n" * 200_000)),
]


@pytest.fixture
def host():
    with pushable.running() as r:
        yield r


@pytest.fixture(scope="module")
def want(tmp_path_factory):
    images = layout.Layout(tmp_path_factory.mktemp("want") / "layout")
    with mount(images.image(TARS)) as m:
        return contents(m.root)


def contents(root):
    found = {}
    for at, _, names in os.walk(root):
        for name in names:
            path = os.path.join(at, name)
            if os.path.islink(path):
                continue
            try:
                with open(path, "rb") as f:
                    found[os.path.relpath(path, root)] = f.read()
            except OSError as e:
                assert e.errno == errno.EIO
                found[os.path.relpath(path, root)] = None
    return found


def lie(host, images, tmp_path, change):
    """An image whose first layer's index was changed, as its pusher would have pushed it."""
    d = images.manifest(TARS)
    ref = host.take(images, d, "app", "t")
    push(ref, tmp_path / "pusher")
    (entry,) = host.referrers("app", d["digest"])
    made = json.loads(host.manifests.pop(("app", entry["digest"]))[1])
    blobs = [host.blobs[b["digest"]] for b in made["layers"]]
    index = pushed.Index(blobs[0])
    assert index.pack() and pushed.Index(index.pack()).columns == index.columns
    blobs[0] = change(index, blobs) or index.pack()
    for b, data in zip(made["layers"], blobs):
        b.update(host.blob(data, b["mediaType"]))
    host.document("app", made, layout.MANIFEST)
    assert [x["artifactType"] for x in host.referrers("app", d["digest"])] == [TYPE]
    return ref


def test_nothing_changed(host, images, want, tmp_path):
    """A path through a symlink of the layer, and hard links, are no lies."""
    ref = lie(host, images, tmp_path, lambda index, _: None)
    with mount(ref) as m:
        assert contents(m.root) == want
        assert kinds(m) == ["pushed", "pushed"]


def other_files_place(index, _):
    """Two files of one name and size."""
    places = index.places()
    sizes = [n for n in index.get("sizes") if n]
    i, k = (n for n, size in enumerate(sizes) if size == len(TWIN))
    places[i], places[k] = places[k], places[i]
    index.set_places(places)


def place_inside_a_file(index, _):
    places = index.places()
    places[[n for n in index.get("sizes") if n].index(len(TWIN))] -= 512
    index.set_places(places)


def wrong_digest(index, _):
    index.columns["sums"][pushed.SUMS * 1 + 5] ^= 1


def all_digests_wrong(index, _):
    for i in range(0, len(index.columns["sums"]), pushed.SUMS):
        index.columns["sums"][i + 5] ^= 1


def wrong_crc(index, _):
    for i in range(0, len(index.columns["sums"]), pushed.SUMS):
        index.columns["sums"][i + 35] ^= 1


@pytest.mark.parametrize("change", [other_files_place, place_inside_a_file, wrong_digest,
                                    all_digests_wrong, wrong_crc])
def test_a_lie_about_contents(host, images, want, change, tmp_path):
    """It is found out, and the mount goes on with the streamed layer."""
    ref = lie(host, images, tmp_path, change)
    with mount(ref, cache=tmp_path / "cache") as m:
        assert kinds(m) == ["pushed", "pushed"]
        assert contents(m.root) == want
        status = m.status()["layers"]
        assert [d["index"] for d in status] == ["streamed", "pushed"]
        assert "was wrong" in status[0]["warning"] and not m.status()["errors"]
    with mount(ref, cache=tmp_path / "cache", quiet=False) as m:
        assert kinds(m) == ["streamed", "pushed"]
        assert contents(m.root) == want


def other_name(index, _):
    index.columns["names"] = index.columns["names"].replace(b"twin\0", b"twim\0", 1)


def other_size(index, _):
    sizes = index.get("sizes")
    sizes[sizes.index(len(TWIN))] -= 1
    index.set("sizes", sizes)


def other_mode(index, _):
    modes = index.columns["modes"]
    for i in range(0, len(modes), 2):
        if modes[i + 1] & 0xf0 == 0x80:
            modes[i + 1] |= 0x08


@pytest.mark.parametrize("change", [other_name, other_size, other_mode])
def test_a_lie_about_the_tree(host, images, want, change, tmp_path):
    """What is shown cannot change under a mount; the next one shows the truth."""
    ref = lie(host, images, tmp_path, change)
    with mount(ref, cache=tmp_path / "cache", quiet=False) as m:
        found = contents(m.root)
    for name, text in found.items():
        assert text is None or name not in want or text == want[name], name
    if None in found.values():
        with mount(ref, cache=tmp_path / "cache", quiet=False) as m:
            assert kinds(m) == ["streamed", "pushed"]
            assert contents(m.root) == want


def no_frame(*_):
    return b"not zstd"


def cut(index, _):
    return index.pack()[:-20]


def other_layer(_, blobs):
    return blobs[1]


def too_many_entries(index, _):
    index.head[4] = 1 << 30


def outside(index, _):
    index.head[2] -= 512


def no_children(index, _):
    index.set("children", [n + 1 for n in index.get("children")])


def bomb(*_):
    return pushed.zstd(data=bytes(300 << 20))


@pytest.mark.parametrize("change", [no_frame, cut, other_layer, too_many_entries, outside,
                                    no_children, bomb])
def test_what_is_no_index(host, images, want, change, tmp_path):
    ref = lie(host, images, tmp_path, change)
    with mount(ref, quiet=False) as m:
        assert kinds(m) == ["streamed", "pushed"]
        assert m.status()["layers"][0]["warning"]
        assert contents(m.root) == want


def test_the_blob_is_not_there(host, images, want, tmp_path):
    ref = lie(host, images, tmp_path, lambda index, _: None)
    for b in json.loads(host.manifests["app", host.referrers(
            "app", json_digest(host))[0]["digest"]][1])["layers"]:
        del host.blobs[b["digest"]]
    with mount(ref, quiet=False) as m:
        assert kinds(m) == ["streamed", "streamed"]
        assert contents(m.root) == want


def json_digest(host):
    return layout.digest(host.manifests["app", "t"][1])
