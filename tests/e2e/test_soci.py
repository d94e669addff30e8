# SPDX-License-Identifier: MIT
"""SOCI: indexes of ordinary gzip layers that a registry keeps beside an image. Found in all
the ways there are, used where that may be, and never believed against the layer."""
import errno
import json
import os
import random
import shutil

import pytest

import layout
import soci
import tree
from archive import directory, file, hardlink, layer, opaque, symlink, whiteout
from mounting import PEELCTL, mount, run

RANDOM = random.Random(7)
NOISE = RANDOM.randbytes(400_000)
TEXT = b"".join(b"%d: the quick brown fox\n" % i for i in range(40_000))
STEP = 1 << 16

TARS = [
    layer(directory("bin"), file("bin/a", NOISE, mode=0o4755, uid=1000, gid=70_000),
          symlink("b", "bin/a"), file("empty"), file("text", TEXT, xattrs={"user.note": "hello"}),
          hardlink("text2", "text"), directory("old"), file("old/file", "old"),
          file("twin/a", NOISE[:1000]), file("twin/b", NOISE[1000:2000]),
          *[file("many/%03d" % i, b"%d\n" % i * i) for i in range(200)]),
    layer(whiteout("empty"), opaque("old"), file("old/new", NOISE[:200_000])),
]


def index_of(images, version, tables):
    """SOCI's manifest; tables are pairs (layer, zTOC's bytes)."""
    config = images.blob(b"{}", "application/vnd.amazon.soci.index.v%d+json" % version)
    found = [{**images.blob(blob, "application/octet-stream"), "annotations": {
        "com.amazon.soci.image-layer-mediaType": of["mediaType"],
        "com.amazon.soci.image-layer-digest": of["digest"]}} for of, blob in tables]
    return images.document({"schemaVersion": 2, "mediaType": layout.MANIFEST, "config": config,
                            "layers": found}, layout.MANIFEST)


class Made:
    """An image in a registry, with SOCI's index of some of its layers."""

    def __init__(self, fake, how, which=(0, 1), edit=None, tars=TARS):
        images = self.images = fake.images
        self.fake, self.how = fake, how
        self.layers = [images.layer(tar) for tar in tars]
        self.tables = [(self.layers[i], soci.ztoc(images.read(self.layers[i]), STEP, edit=edit))
                       for i in which]
        self.index = index_of(images, 2 if how == "v2" else 1, self.tables)
        more = {"annotations": {"com.amazon.soci.index-digest": self.index["digest"]}} \
            if how == "v2" else {}
        self.manifest = images.manifest(self.layers, more=more)
        self.tag = self.put("t", self.manifest)
        self.put(self.manifest["digest"], self.manifest)
        self.pinned = "%s/soci@%s" % (fake.host, self.manifest["digest"])
        self.put(self.index["digest"], self.index)
        self.refer([{**self.index, "artifactType": "application/vnd.amazon.soci.index.v1+json"}])

    def put(self, reference, d):
        return self.fake.tag("soci", reference, self.images.read(d), d["mediaType"])

    def refer(self, entries):
        """What the API, or the tag that stands for it, has to say."""
        digest = self.manifest["digest"]
        if self.how == "v1":
            self.fake.referrers = {digest: entries}
        elif self.how == "v1 by tag":
            d = self.images.document({"schemaVersion": 2, "mediaType": layout.INDEX,
                                      "manifests": entries}, layout.INDEX)
            self.put(digest.replace(":", "-"), d)

    def asked(self, *words):
        return [path for _, path, _ in self.fake.asked if any(w in path for w in words)]


HOW = ["v1", "v1 by tag", "v2"]


def kinds(m):
    return [d["index"] for d in m.status()["layers"]]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    images = layout.Layout(tmp_path_factory.mktemp("plain") / "layout")
    with mount(images.image(TARS)) as m:
        return tree.dump(m.root)


@pytest.mark.parametrize("how", HOW)
def test_same_tree(fake, plain, how, tmp_path):
    made = Made(fake, how)
    with mount(made.tag, cache=tmp_path / "cache") as m:
        assert kinds(m) == ["soci", "soci"]
        assert all(not d["warning"] and d["spansRead"] == 0 for d in m.status()["layers"])
        tree.assert_same(plain, tree.dump(m.root))
    made.fake.asked.clear()
    with mount(made.tag, cache=tmp_path / "cache") as m:
        assert kinds(m) == ["soci", "soci"]
        assert [d["from"] for d in m.status()["layers"]] == ["store", "store"]
        tree.assert_same(plain, tree.dump(m.root))
    # The tag is asked, and nothing else.
    assert {path for _, path, _ in made.fake.asked} == {"/v2/soci/manifests/t"}


@pytest.mark.parametrize("how", HOW)
def test_who_asks_for_a_digest_trusts_nothing_else(fake, plain, how, tmp_path):
    made = Made(fake, how)
    with mount(made.pinned, cache=tmp_path / "a") as m:
        assert kinds(m) == ["streamed", "streamed"]
        tree.assert_same(plain, tree.dump(m.root))
    assert not made.asked("referrers", made.manifest["digest"].replace(":", "-"),
                          made.index["digest"])
    with mount(made.pinned, "index=registry", cache=tmp_path / "b") as m:
        assert kinds(m) == ["soci", "soci"]
        tree.assert_same(plain, tree.dump(m.root))
    # What was made from a table is not for one who does not trust it.
    with mount(made.pinned, cache=tmp_path / "b") as m:
        assert kinds(m) == ["streamed", "streamed"]
        tree.assert_same(plain, tree.dump(m.root))
    with mount(made.tag, "index=none", cache=tmp_path / "c") as m:
        assert kinds(m) == ["streamed", "streamed"]


def test_images_of_a_registry_are_known_by_digest(fake):
    made = Made(fake, "v1")
    name = made.pinned.partition("/")[2]
    for option, kind in ("index=auto", "streamed"), ("index=registry", "soci"):
        with mount(fake.host + "/", option) as m:
            os.listdir(os.path.join(m.path, name, "rootfs"))
            status = json.loads(m.read(name + "/.peelfs/status.json"))
            assert [d["index"] for d in status["layers"]] == [kind, kind]


@pytest.mark.parametrize("how", HOW)
def test_little_is_fetched(fake, how):
    made = Made(fake, how)
    with mount(made.tag) as m:
        assert m.read("rootfs/many/007") == b"7\n" * 7
        status = m.status()["layers"][0]
    size = len(made.tables[0][1])
    assert status["fetched"] < size + made.layers[0]["size"] / 2, status


def test_some_layers_have_a_table(fake, plain):
    with mount(Made(fake, "v1", which=[0]).tag) as m:
        assert kinds(m) == ["soci", "streamed"]
        tree.assert_same(plain, tree.dump(m.root))


def test_none_is_noted(fake, tmp_path):
    """That there is none is asked once, whatever becomes of the layers' indexes."""
    made = Made(fake, "v1")
    made.refer([])
    for _ in range(2):
        with mount(made.tag, cache=tmp_path / "cache") as m:
            assert kinds(m) == ["streamed", "streamed"]
        shutil.rmtree(tmp_path / "cache" / "layers")
    assert len(made.asked("referrers")) == 1


def test_a_host_without_the_api_is_noted(fake, tmp_path):
    fake.image("a", [TARS[0]])
    fake.image("b", [TARS[1]])
    for name in "ab":
        with mount("%s/%s:t" % (fake.host, name), cache=tmp_path / "cache"):
            pass
    assert len([path for _, path, _ in fake.asked if "/referrers/" in path]) == 1


def test_layers_that_need_none_ask_nothing(fake):
    d = fake.images.layer(TARS[1])
    key = "io.github.containers.zstd-chunked.manifest-checksum"
    ref = fake.image("z", [{**d, "annotations": {key: layout.digest(b"")}}])
    with mount(ref) as m:
        assert kinds(m) == ["streamed"]
    assert not [path for _, path, _ in fake.asked if "referrers" in path or "sha256-" in path]


@pytest.mark.parametrize("how", HOW)
def test_an_index_that_is_no_good(fake, plain, how):
    """Its manifest is not there, is of another kind, or is no JSON: as if there were none."""
    made = Made(fake, how)
    key = "soci", made.index["digest"]
    media, text = fake.manifests[key]
    for bad in (b"no JSON", text.replace(b"amazon", b"banana"), None):
        if bad is None:
            del fake.manifests[key]
        else:
            fake.manifests[key] = media, bad
        with mount(made.tag) as m:
            assert kinds(m) == ["streamed", "streamed"]
            tree.assert_same(plain, tree.dump(m.root))


def spoil_digests(root):
    root[5][2] = [soci.sha256(b"%d" % i) for i, _ in enumerate(root[5][2])]


def spoil_offsets(root):
    for entry in root[4][0]:
        if entry[1] == "reg" and entry[3][1] > 1000:
            entry[2] = ("q", entry[2][1] + 512)


def spoil_sizes(root):
    root[4][0][1][3] = ("q", root[4][0][1][3][1] - 1)


def spoil_size_of_all(root):
    root[2] = ("q", root[2][1] + 1)


def spoil_points(root):
    blob = bytearray(root[5][3])
    blob[12 + 32785:12 + 32785 + 8] = (12345).to_bytes(8, "little")
    root[5][3] = bytes(blob)


def spoil_names(root):
    """Two files of one size change their places."""
    files = [e for e in root[4][0] if e[0] in ("twin/a", "twin/b")]
    files[0][0], files[1][0] = files[1][0], files[0][0]


SPOILT = [spoil_digests, spoil_offsets, spoil_sizes, spoil_size_of_all, spoil_points, spoil_names]


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


@pytest.mark.parametrize("spoil", SPOILT)
def test_a_table_that_lies(fake, spoil, tmp_path):
    """The bytes of a file, its size, or EIO, and never others; then the layer is streamed."""
    made = Made(fake, "v1", which=[0], edit=spoil, tars=TARS[:1])
    with mount(made.images.image(TARS[:1])) as m:
        want = contents(m.root)
    with mount(made.tag, quiet=False, cache=tmp_path / "cache") as m:
        found = contents(m.root)
    assert found.keys() == want.keys()
    for name, text in found.items():
        assert text is None or text == want[name], name
    if None in found.values():
        with mount(made.tag, quiet=False, cache=tmp_path / "cache") as m:
            assert kinds(m) == ["streamed"]
            assert contents(m.root) == want


def test_a_table_of_another_digest(fake, plain):
    made = Made(fake, "v1")
    d = made.images.blob(made.tables[0][1], "application/octet-stream")
    with open(made.images.blob_path(d["digest"]), "r+b") as f:
        f.seek(1000)
        f.write(b"x")
    with mount(made.tag, quiet=False) as m:
        assert kinds(m) == ["streamed", "soci"]
        assert d["digest"].split(":")[1][:12] in m.stderr or "digest" in m.stderr
        tree.assert_same(plain, tree.dump(m.root))


def test_peelctl_says_so(fake, tmp_path):
    made = Made(fake, "v2", which=[1])
    done = run("index", "-o", "cache_dir=%s" % (tmp_path / "cache"), made.tag, program=PEELCTL)
    assert done.returncode == 0, done.stderr
    assert ["soci" in line for line in done.stdout.splitlines()] == [False, True], done.stdout


def test_offline(fake, plain, tmp_path):
    made = Made(fake, "v1")
    with mount(made.tag, cache=tmp_path / "cache") as m:
        tree.assert_same(plain, tree.dump(m.root))
    fake.asked.clear()
    with mount(made.tag, "offline", cache=tmp_path / "cache", quiet=False) as m:
        assert kinds(m) == ["soci", "soci"]
        tree.assert_same(plain, tree.dump(m.root))
    assert not fake.asked


def test_bad_option(fake):
    done = run("-o", "index=maybe", fake.image("a", [TARS[1]]), "/mnt")
    assert done.returncode == 1 and "index=maybe" in done.stderr
