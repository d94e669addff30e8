# SPDX-License-Identifier: MIT
"""erofs/: each layer as an EROFS image by its diff ID. The kernel stacks them to rootfs/."""
import contextlib
import gzip
import json
import os
import stat
import subprocess
import tempfile
import threading

import pytest

import generate
import layout
import test_lazy
import test_merge
import tree
from archive import (char, directory, file, hardlink, layer, opaque, sparse_pax, symlink, whiteout)
from mounting import eventually, mount, unmount
from test_erofs import has_form, is_accepted, kernel

HIDES_LOWER = {b"trusted.overlay.opaque": b"y"}


def path_of(m, diff_id):
    hexa = diff_id.split(":")[1]
    return os.path.join(m.path, "erofs", "sha256", hexa[:2], hexa + ".erofs")


def diff_ids(m):
    with open(os.path.join(m.path, "config.json")) as f:
        return json.load(f)["rootfs"]["diff_ids"]


def files_of(m):
    return [path_of(m, d) for d in diff_ids(m)]


def has_none(m):
    return not any(os.path.exists(p) for p in files_of(m))


def told(m):
    return " ".join(e["error"] for e in m.status()["lastErrors"])


def overlay_xattrs(path):
    names = os.listxattr(path, follow_symlinks=False)
    return {os.fsencode(n): os.getxattr(path, n, follow_symlinks=False)
            for n in names if n.startswith("trusted.overlay.")}


@contextlib.contextmanager
def stacked(paths):
    """The overlayfs of images, the base first."""
    with contextlib.ExitStack() as stack:
        lower = []
        for path in paths:
            top = stack.enter_context(kernel(path))
            # The kernel does not ask whether the root of a layer is opaque.
            hides = overlay_xattrs(top).get(b"trusted.overlay.opaque") == b"y"
            lower = [top] if hides else [top] + lower
        work = stack.enter_context(tempfile.TemporaryDirectory(prefix="peelfs-e2e-overlay-"))
        os.mkdir(os.path.join(work, "none"))
        os.mkdir(os.path.join(work, "mnt"))
        lower.append(os.path.join(work, "none"))
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o",
                        "ro,lowerdir=" + ":".join(lower), os.path.join(work, "mnt")], check=True)
        try:
            yield os.path.join(work, "mnt")
        finally:
            assert unmount(os.path.join(work, "mnt"), ("umount",))


def is_implied(fields):
    return (fields["type"], fields["mode"], fields["uid"], fields["gid"],
            fields["mtime_ns"]) == ("dir", 0o755, 0, 0, 0)


def stack_is_rootfs(m):
    """But for directories that a layer has no entry for: that layer alone says 0755."""
    for path in files_of(m):
        is_accepted(path)
    want = tree.dump(m.root)
    for fields in want.values():
        fields["xattrs"] = has_form(fields["xattrs"])
    with stacked(files_of(m)) as top:
        got = tree.dump(top)
    tree.assert_same(want, got, lambda path, field: field != "type" and is_implied(got[path]))
    return want


@pytest.mark.parametrize("seed", [pytest.param(s, marks=pytest.mark.core) if s <= 2 else s
                                  for s in range(1, 7)])
def test_random(seed, images):
    with mount(images.image([images.layer(t, "gzip") for t in generate.image(seed)])) as m:
        assert len(stack_is_rootfs(m)) > 60


@pytest.mark.parametrize("case", [c for c in test_merge.CASES if c.values[0].layers])
def test_merge_cases(case, images):
    with mount(images.image(case.layers), quiet=False) as m:
        if has_none(m):
            assert "hard links to files of other layers" in told(m)
        else:
            stack_is_rootfs(m)


LOWER = layer(directory("d"), file("d/gone", "1"), file("d/kept", "2"), directory("new"),
              file("new/old", "3"), directory("hidden"), file("hidden/old", "4"), file("f", "5"),
              directory("empty"))
UPPER = layer(directory("d", mode=0o700, uid=5), whiteout("d/gone"), whiteout("new"),
              directory("new"), file("new/own", "6"), directory("hidden", xattrs={"user.x": "y"}),
              opaque("hidden"), file("hidden/own", "7"), whiteout("f"), file("f", "8"),
              directory("only"), whiteout("only/nothing"), char("empty", 0, 0),
              directory("over", xattrs={"trusted.overlay.opaque": "y"}), file(".wh..wh.plnk", ""),
              file("a.b", "sorted"), whiteout("a"), file("a!", "before"))


def test_whiteouts_in_overlay_form(images):
    with mount(images.image([LOWER, UPPER])) as m:
        with kernel(files_of(m)[1]) as top:
            def node(name):
                return os.lstat(os.path.join(top, name))
            for name in ("d/gone", "only/nothing", "a", "empty"):
                assert stat.S_ISCHR(node(name).st_mode) and node(name).st_rdev == 0, name
            names = [n for _, dirs, files in os.walk(top) for n in dirs + files]
            assert sorted(names) == sorted(["d", "gone", "new", "own", "hidden", "own", "f", "only",
                                            "nothing", "empty", "over", "a.b", "a", "a!"])
            kinds = {e.name: e.is_file() for e in os.scandir(os.path.join(top, "d"))}
            assert kinds == {"gone": False}
            for name, want in {"new": HIDES_LOWER, "hidden": HIDES_LOWER, "f": {}, "over": {},
                               "d": {b"trusted.overlay.origin": b""},
                               "only": {b"trusted.overlay.origin": b""}}.items():
                assert overlay_xattrs(os.path.join(top, name)) == want, name
            assert os.getxattr(os.path.join(top, "hidden"), "user.x") == b"y"
            assert node("d").st_uid == 5 and stat.S_IMODE(node("d").st_mode) == 0o700
        want = stack_is_rootfs(m)
        assert b"d/gone" not in want and b"new/old" not in want and b"only" in want


CONTENTS = layer(file("f", b"content" * 100000), hardlink("g", "f"), symlink("s", "f"),
                 sparse_pax("holes", [(1 << 20, b"a" * 512)], 9 << 20, "1.0"))


def test_contents(images):
    with mount(images.image([CONTENTS])) as m:
        stack_is_rootfs(m)


# Whose file it is

def test_same_bytes(images, tmp_path):
    """In another mount, after other layers, beside another image."""
    alone = images.image([images.layer(UPPER, "none")])
    both = images.image([LOWER, images.layer(UPPER, "gzip")], "both")
    sums = set()
    for source, options in ((alone, ()), (both, ()), (both, ("ino=unique",)), (both, ())):
        with mount(source, *options, cache=tmp_path / "cache") as m:
            path = files_of(m)[-1]
            sums.add((os.stat(path).st_size, tree.sha256_of(path)))
    with mount(both) as m:
        sums.add((os.stat(files_of(m)[-1]).st_size, tree.sha256_of(files_of(m)[-1])))
    assert len(sums) == 1


def test_a_lie_about_a_diff_id_shows_nothing(images):
    """A config that gives its layers the diff IDs of another image's."""
    good, bad = images.layer(LOWER), images.layer(UPPER)
    with mount(images.image([bad, {**bad, "diff": good["diff"]}]), quiet=False) as m:
        assert os.listdir(os.path.join(m.path, "erofs"))
        assert has_none(m)
        assert not os.path.exists(path_of(m, good["diff"]))
        assert "layer 1 has the diff ID %s, not %s" % (bad["diff"], good["diff"]) in told(m)
        assert os.listdir(m.root)


def with_diff_id(images, descriptor):
    """The diff ID of what the blob decodes to, which has the table, too."""
    with open(images.blob_path(descriptor["digest"]), "rb") as f:
        data = f.read()
    if "zstd" in descriptor["mediaType"]:
        data = subprocess.run(["zstd", "-dcq"], input=data, capture_output=True, check=True).stdout
    else:
        data = gzip.decompress(data)
    return {**descriptor, "diff": layout.digest(data)}


@pytest.mark.parametrize("form", ["estargz-chunks", "storage"])
def test_a_table_of_contents_is_not_enough(images, form, tmp_path):
    """Until the layers are streamed, as the same without tables are."""
    listed = [with_diff_id(images, test_lazy.put(images, form, t)) for t in (LOWER, UPPER)]
    with mount(images.image(listed), cache=tmp_path / "cache", quiet=False) as m:
        assert has_none(m)
        assert "only its table of contents is known" in told(m)
        assert all(d["spansRead"] == 0 for d in m.status()["layers"])
    plain = [{k: v for k, v in d.items() if k != "annotations"} for d in listed]
    with mount(images.image(plain, "plain"), cache=tmp_path / "cache") as m:
        assert not told(m)
        stack_is_rootfs(m)
    with mount(images.image(listed, "again"), cache=tmp_path / "cache") as m:
        stack_is_rootfs(m)


def test_links_to_other_layers_have_no_file(images):
    with mount(images.image([layer(file("f", "1")), layer(hardlink("g", "f"))]),
               quiet=False) as m:
        assert has_none(m)
        assert "hard links to files of other layers" in told(m)


def test_broken_layer_has_none(images):
    layers = [images.layer(t, "none") for t in (LOWER, b"no archive at all" * 100)]
    with mount(images.image(layers), quiet=False) as m:
        assert has_none(m)


def test_the_same_layer_twice(images):
    with mount(images.image([LOWER, UPPER, LOWER])) as m:
        top = os.path.join(m.path, "erofs", "sha256")
        assert sum(len(os.listdir(os.path.join(top, d))) for d in os.listdir(top)) == 2
        for path in files_of(m):
            is_accepted(path)


# When it is made

def test_unknown_names_need_no_network(registry, images):
    source = registry.push(images.image([LOWER]), "files/cold")
    with mount(source, load=False) as m:
        found = files_of(m)
        before = m.status()["network"]["requests"]
        for name in ("sha256/00/" + "0" * 64 + ".erofs", "sha512", "sha256/%s/x" % found[0][-70:-68]):
            assert not os.path.exists(os.path.join(m.path, "erofs", name))
        assert not os.path.exists(found[0] + ".dmverity")
        assert m.status()["state"] == "waiting"
        assert m.status()["network"]["requests"] == before
        assert os.stat(found[0]).st_size > 4096
        assert m.status()["state"] == "ready"
        is_accepted(found[0])


def test_lists(images):
    """Who recurses over the mount does not meet the files; who lists them waits for all."""
    def found(m):
        return [os.path.join(d, f) for d, _, files in os.walk(os.path.join(m.path, "erofs"))
                for f in files]
    with mount(images.image([LOWER]), "list=all", load=False) as m:
        assert "erofs" not in os.listdir(m.path)
        assert os.listdir(os.path.join(m.path, "erofs")) == ["sha256"]
        assert found(m) == files_of(m)
    with mount(images.image([layer(file("f", "1")), layer(hardlink("g", "f"))], "links"),
               quiet=False, load=False) as m:
        assert found(m) == []


def test_a_lookup_can_be_interrupted(fake):
    with mount(fake.image("files", [CONTENTS]), load=False) as m:
        path = files_of(m)[0]
        fake.silent.set()
        child = subprocess.Popen(["stat", path], stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        try:
            assert eventually(lambda: m.status()["state"] == "loading")
            child.terminate()
            assert child.wait(5) != 0
        finally:
            child.kill()
            fake.silent.clear()


def test_many_at_once(images):
    with mount(images.image([LOWER, UPPER, CONTENTS]), load=False) as m:
        sizes = []
        paths = files_of(m)
        threads = [threading.Thread(target=lambda p=p: sizes.append(os.stat(p).st_size))
                   for p in paths * 5]
        for t in threads:
            t.start()
        for t in threads:
            t.join(20)
        assert len(sizes) == 15 and min(sizes) > 0
