# SPDX-License-Identifier: MIT
"""st_ino: what is one thing has one number, and what only looks alike has not."""
import os
import re
import shutil
import subprocess

import pytest

import carried
import layout
from archive import char, directory, file, hardlink, layer, symlink
from mounting import mount
from tree import assert_same, dump

TEXT = b"the same in every build\n" * 100


def build(*last):
    """A layer's files, in an order and with other entries of its own."""
    files = [file("d/f%02d" % i, TEXT + b"%d" % i) for i in range(20)]
    files += [file("d/empty"), symlink("d/link", "f01"), char("d/null", 1, 3),
              file("d/odd", TEXT, mode=0o4711, uid=7, gid=8, xattrs={"user.a": "b"},
                   mtime_ns=1_500_000_000_123_456_789)]
    return layer(directory("d"), *(files[::-1] if last else files), *last)


def layers_of(m):
    names = sorted(n for n in os.listdir(m.path + "/layers") if not n.endswith(".json"))
    return [os.path.join(m.path, "layers", n) for n in names]


def numbers(path):
    """{name: st_ino} as stat tells it, which readdir must tell too."""
    found = {}
    for e in os.scandir(path):
        found[e.name] = os.lstat(e.path).st_ino
        assert e.inode() == found[e.name], e.path
        # Asked by node, past what the kernel keeps.
        fresh = subprocess.run(["stat", "--cached=never", "-c", "%i", e.path],
                               capture_output=True, text=True, check=True, timeout=10)
        assert int(fresh.stdout) == found[e.name], e.path
    return found


def operations(m):
    status = m.status()
    return {**status["operations"], "spans": sum(d["spansRead"] for d in status["layers"]),
            "requests": status["network"]["requests"]}


def test_rebuilt_layer_compares_without_reading(images):
    """Other layers, other digests, the same files: diff opens only what changed."""
    rebuilt = build(file("d/f07", TEXT + b"!"), file("d/new", "new"))
    with mount(images.image([build(), rebuilt])) as m:
        one, two = layers_of(m)
        m.status()
        before = operations(m)
        alone = operations(m)
        done = subprocess.run(["diff", "-r", "--no-dereference", one, two],
                              capture_output=True, text=True, timeout=20)
        after = operations(m)
        assert done.returncode == 1
        assert re.findall(r"^(?:diff|Only).*", done.stdout, re.M) == [
            "diff -r --no-dereference %s/d/f07 %s/d/f07" % (one, two), "Only in %s/d: new" % two]
        # Each of the two is one page: one read.
        asked = after["read"] - before["read"] - 2 * (alone["read"] - before["read"])
        assert asked == 2, (before, alone, after)
        a, b = numbers(one + "/d"), numbers(two + "/d")
        assert {n for n in a if a[n] != b[n]} == {"f07"}
        assert len(set(a.values())) == len(a)
        assert os.lstat(one + "/d").st_ino != os.lstat(two + "/d").st_ino
        assert min(*a.values(), *b.values()) > 1


def test_numbers_by_place(images):
    with mount(images.image([build(), build(file("d/new", "new"))]), "ino=unique") as m:
        one, two = (numbers(path + "/d") for path in layers_of(m))
        assert not set(one.values()) & set(two.values())
        assert numbers(m.at("d")).items() >= two.items()


@pytest.mark.parametrize("option", ["ino=content", "ino=unique"])
def test_numbers_last(images, option):
    """Whatever shows a number again, it is the same: a mount, a store, a path."""
    source = images.image([build(), layer(file("x", "1"), hardlink("d/two", "d/f01"))])

    def look():
        found = {}
        with mount(source, option) as m:
            for under, dirs, files in os.walk(m.path):
                for name in dirs + files:
                    path = os.path.join(under, name)
                    found[os.path.relpath(path, m.path)] = os.lstat(path).st_ino
            assert numbers(m.root) and numbers(m.at("d")) and numbers(m.path)
        return found
    first = look()
    assert first == look()
    assert first["rootfs/d/two"] == first["rootfs/d/f01"] != first["rootfs/d/f02"]


def two_images(images):
    """An index of this machine's image and another: a layer in both, one built anew."""
    base = layer(directory("base"), file("base/a", TEXT), file("base/b", TEXT),
                 directory("d"), file("d/from-base", TEXT), hardlink("base/c", "base/b"))
    layers = [images.layer(base), images.layer(build())]
    other = [images.layer(base), images.layer(build(file("d/new", "new"), file("d/f07", "7")))]
    s390x = ("linux", "s390x", "")
    return images.tag(images.index([(images.manifest(layers), layout.HOST),
                                    (images.manifest(other, where=s390x), s390x)]))


def test_two_images_compare_without_reading(images):
    """Neither what they share is entered, nor what was only built anew is read."""
    with mount(two_images(images)) as m:
        other = m.path + "/platforms/linux-s390x/rootfs"
        os.stat(other + "/d")
        before = operations(m)
        alone = operations(m)
        done = subprocess.run(["diff", "-rq", "--no-dereference", m.root, other],
                              capture_output=True, text=True, timeout=20)
        after = operations(m)
        assert sorted(done.stdout.splitlines()) == sorted([
            "Files %s/d/f07 and %s/d/f07 differ" % (m.root, other), "Only in %s/d: new" % other])

        def asked(key):
            return after[key] - before[key] - 2 * (alone[key] - before[key])
        # The two roots and the two d/, until each is told to end; base/ is not among them.
        assert asked("readdirplus") <= 8 and asked("readdir") == 0
        assert asked("read") == 0, "what differs in size need not be read either"
        assert after["requests"] == before["requests"] and after["spans"] == before["spans"]
        assert os.stat(m.at("base")).st_ino == os.stat(other + "/base").st_ino
        assert numbers(m.at("base")) == numbers(other + "/base")
        assert os.stat(m.at("d")).st_ino != os.stat(other + "/d").st_ino
        # One page cache, too; and each tree by itself is as ever.
        for root in (m.root, other):
            tree = dump(root)
            assert tree[b"base/c"]["same"] == tree[b"base/b"]["same"] == b"base/b"
            assert all(f.get("same", p) == p for p, f in tree.items() if p != b"base/c")


@pytest.mark.parametrize("option", ["ino=content", "ino=unique"])
def test_two_images_copied_at_once(images, option, tmp_path):
    """Both copies are whole; what has several names has them in both, or in each."""
    parts = ["rootfs", "platforms/linux-s390x/rootfs"]
    with mount(two_images(images), option) as m:
        want = [dump(os.path.join(m.path, part)) for part in parts]
        for name in ("tar", "rsync"):
            (tmp_path / name).mkdir()
        xattrs = ["--xattrs", "--xattrs-include=*"]
        tool("tar", "-xpf", "-", "-C", tmp_path / "tar", *xattrs, input=tool(
            "tar", "-C", m.path, "--format=pax", *xattrs, "-cf", "-", *parts))
        tool("rsync", "-aHXR", *parts, str(tmp_path / "rsync") + "/", cwd=m.path)
        tool("cp", "-a", "--parents", *parts, tmp_path, cwd=m.path)
        for where in (tmp_path / "tar", tmp_path / "rsync", tmp_path):
            for part, tree in zip(parts, want):
                assert_same(tree, dump(where / part), lambda path, field: field == "nlink")
            links = os.stat(where / "rootfs/base/b").st_nlink
            assert links == (4 if option == "ino=content" else 2), where


def test_two_images_by_place(images):
    """No file of the one has a number of the other, and hard links are what they were."""
    def all_numbers(root):
        return {os.lstat(os.path.join(top, n)).st_ino
                for top, dirs, files in os.walk(root) for n in dirs + files + ["."]}
    seen = []
    for _ in range(2):
        with mount(two_images(images), "ino=unique") as m:
            other = m.path + "/platforms/linux-s390x/rootfs"
            one, two = all_numbers(m.root), all_numbers(other)
            assert not one & two
            assert dump(other)[b"base/c"]["same"] == b"base/b"
            assert open(other + "/d/f01", "rb").read() == open(m.at("d/f01"), "rb").read()
            assert all_numbers(other) == two
            seen.append((one, two))
    assert seen[0] == seen[1]


def with_table(images, made):
    data, notes = made
    kind = "zstd" if data.startswith(b"\x28\xb5") else "gzip"
    return {**images.blob(data, layout.LAYER["oci", kind]), "annotations": notes}


def test_layers_with_tables(images):
    """A digest that only a table tells counts if it is what reading checks."""
    plain = layer(file("small", b"s" * 1000), file("large", b"l" * 5000), file("empty"),
                  symlink("link", "small"), file("lie", b"z" * 5000))
    honest = layer(file("lie", b"y" * 5000))

    def lie(table):
        # Of several chunks, which are what they are: only their sum is a lie.
        next(e for e in table["entries"] if e["name"] == "lie")["digest"] = \
            carried.sha256(b"y" * 5000)
    descriptors = [with_table(images, carried.estargz(plain, lie, chunk=3000)),
                   with_table(images, carried.chunked(plain, chunk=2000)),
                   {**images.layer(plain, "zstd")}, images.layer(honest)]
    config = images.config([{"diff": layout.digest(t)} for t in (plain, plain, plain, honest)])
    manifest = images.manifest(descriptors, config)
    with mount(images.tag(manifest)) as m:
        assert [d["index"] for d in m.status()["layers"]] == \
            ["estargz", "zstd:chunked", "streamed", "streamed"]
        found = [numbers(path) for path in layers_of(m)]
        for name in ("small", "empty", "link"):
            assert len({n[name] for n in found[:3]}) == 1, name
        for name in ("large", "lie"):
            assert len({n[name] for n in found if name in n}) == \
                (3 if name == "large" else 4), name
        assert all(len(set(n.values())) == len(n) for n in found)


TWINS = [layer(directory("a"), directory("b"), directory("b/c"),
               file("a/same", TEXT), file("b/same", TEXT), file("b/c/same", TEXT),
               file("a/other", TEXT), file("a/empty"), file("b/empty"),
               symlink("a/l", "same"), symlink("b/l", "same"),
               file("a/h1", TEXT + b"h"), hardlink("a/h2", "a/h1"), hardlink("b/h1", "a/h1"),
               file("low", TEXT + b"l"), file("gone", TEXT)),
         # The same once more, and links to a lower layer's files; then a twin of a target.
         layer(directory("c"), file("c/same", TEXT), hardlink("c/low", "low"),
               hardlink("c/gone", "gone")),
         layer(file("gone", TEXT))]
LINKED = [{b"a/h1", b"a/h2", b"b/h1"}, {b"low", b"c/low"}]


def tool(*words, **more):
    done = subprocess.run(words, capture_output=True, timeout=20, **more)
    assert done.returncode == 0 and not done.stderr, done
    return done.stdout


def test_twins_are_files_of_their_own(images, tmp_path):
    """Tools that look for hard links find those, and no other."""
    with mount(images.image(TWINS)) as m:
        tree = dump(m.root)
        groups = {}
        for path, fields in tree.items():
            if fields["type"] != "dir":
                groups.setdefault(fields["same"], set()).add(path)
        assert sorted((g for g in groups.values() if len(g) > 1), key=len) == LINKED[::-1]

        def is_one(path, field):
            # A name of it is hidden in the tree; the copy has no trace of that.
            return field == "nlink" and path == b"c/gone"
        for name, copy in (("cp", ["cp", "-a", m.root, tmp_path / "cp"]),
                           ("rsync", ["rsync", "-aHX", m.root + "/", tmp_path / "rsync"])):
            tool(*copy)
            assert_same(tree, dump(tmp_path / name), is_one)
        (tmp_path / "tar").mkdir()
        tool("tar", "-xpf", "-", "-C", tmp_path / "tar",
             input=tool("tar", "-C", m.root, "-cf", "-", "."))
        assert_same(tree, dump(tmp_path / "tar"), is_one)

        for path, fields in tree.items():
            if fields["type"] == "file":
                found = tool("find", m.root, "-samefile", m.at(os.fsdecode(path)))
                assert {os.path.relpath(p, os.fsencode(m.root)) for p in found.split()} == \
                    groups[fields["same"]], path
        # Each inode once, whether it is met from one directory or from several.
        files = sum(tree[min(g)]["size"] for g in groups.values())
        directories = sum(os.lstat(p).st_size for p, _, _ in os.walk(m.root))
        assert int(tool("du", "-sb", m.root).split()[0]) == files + directories
        parts = [m.at(n) for n in sorted(os.listdir(m.root))]
        sizes = tool("du", "-sbc", *parts).splitlines()
        assert int(sizes[-1].split()[0]) == files + directories - os.lstat(m.root).st_size
        # Alike, and yet not the same: who copies one over the other is not refused.
        for other in ("b/same", "c/same", "a/other"):
            assert not os.path.samefile(m.at("a/same"), m.at(other))


def test_git_and_ripgrep(images):
    with mount(images.image(TWINS)) as m:
        for words in (["git", "grep", "--no-index", "-l", "every build"],
                      ["rg", "--no-messages", "-l", "every build"]):
            if shutil.which(words[0]):
                found = tool(*words, cwd=m.root).split()
                assert len(found) == 12, found


def test_du_counts_what_is_shared_once(images):
    """Two directories given at once: a file that is in both is there once."""
    with mount(images.image([build(), build(file("d/new", "new"))])) as m:
        one, two = layers_of(m)
        both = tool("du", "-sbc", one, two).splitlines()
        alone = int(tool("du", "-sb", two).split()[0])
        assert int(both[1].split()[0]) < 200 < alone


def differ(one, two):
    """What diff -r says of two trees."""
    done = subprocess.run(["diff", "-rq", one, two], capture_output=True, text=True, timeout=30)
    return done.stdout.splitlines()


def test_layer_whose_links_lead_out_of_it(images, fake):
    """Its hard links are files of the layers below, which may be others."""
    top = images.layer(layer(directory("d"), hardlink("d/y", "base/x")))
    for tag, text in (("v1", "one\n"), ("v2", "two\n"), ("v3", "one\n")):
        d = images.manifest([images.layer(layer(file("base/x", text))), top])
        fake.tag("app", tag, images.read(d), d["mediaType"])
    with mount(fake.host + "/") as m:
        def tree(tag):
            where = m.path + "/app/" + tag
            name, = (n for n in os.listdir(where + "/layers")
                     if n.startswith("2-") and not n.endswith(".json"))
            return where + "/rootfs", where + "/layers/" + name
        for of_v1, of_v2, of_v3 in zip(tree("v1"), tree("v2"), tree("v3")):
            assert len([n for n in differ(of_v1, of_v2) if "d/y" in n]) == 1
            assert os.stat(of_v1 + "/d").st_ino != os.stat(of_v2 + "/d").st_ino
            assert os.stat(of_v1 + "/d").st_ino == os.stat(of_v3 + "/d").st_ino


def test_one_manifest_in_two_repositories(images, fake):
    """The trees tell their names, so they are not one."""
    d = images.manifest([layer(file("f", "1"))])
    for repository in ("one", "two"):
        fake.tag("team/" + repository, "t", images.read(d), d["mediaType"])
    with mount(fake.host + "/team/") as m:
        one, two = ("%s/%s/t" % (m.path, n) for n in ("one", "two"))
        assert os.stat(one).st_ino != os.stat(two).st_ino
        assert os.stat(one + "/rootfs").st_ino == os.stat(two + "/rootfs").st_ino
        assert any("inspect.json" in line for line in differ(one, two))
