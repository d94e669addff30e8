# SPDX-License-Identifier: MIT
"""platforms/: the other images of the index, each a tree like the mounted one's."""
import concurrent.futures
import errno
import json
import os
import subprocess

import pytest

import layout
from archive import directory, file, hardlink, layer, symlink
from mounting import eventually, mount
from test_resolve import fails
from tree import dump

OTHERS = [("linux", "arm64" if layout.HOST[1] != "arm64" else "amd64", ""),
          ("linux", "arm", "v7"), ("windows", "amd64", "")]
SHARED = layer(directory("etc"), file("etc/shared", "s" * 100000), file("base", "base"))


def name_of(triple):
    return "-".join(part for part in triple if part)


def build(images, name="latest", extra=()):
    """An index of four platforms that share a layer."""
    shared, entries = images.layer(SHARED), []
    for triple in [layout.HOST] + OTHERS:
        own = layer(file("arch", name_of(triple)), *extra)
        entries.append((images.manifest([shared, own], where=triple), triple))
    return images.tag(images.index(entries), name)


def test_same_tree_of_each(images, registry):
    reference = registry.push(build(images), "team/many", "t", "--all")
    with mount(reference) as m:
        assert sorted(os.listdir(m.path + "/platforms")) == sorted(map(name_of, OTHERS))
        assert m.status()["images"] == {"seen": 4, "loaded": 1}
        for triple in OTHERS:
            top = os.path.join(m.path, "platforms", name_of(triple))
            assert open(top + "/rootfs/arch").read() == name_of(triple)
            config = json.loads(open(top + "/config.json").read())
            assert config["architecture"] == triple[1] and config["os"] == triple[0]
            assert open(top + "/index.json", "rb").read() == m.read("index.json")
            assert sorted(os.listdir(top)) == sorted(set(os.listdir(m.path)) - {"platforms"})
            inside = json.loads(open(top + "/inspect.json").read())[0]
            assert inside["GraphDriver"]["Data"]["MergedDir"] == top + "/rootfs"
            assert os.path.samefile(top + "/../..", m.path)
            for where, folders, _ in os.walk(top):
                for folder in folders:
                    up = os.path.join(where, folder, "..")
                    assert os.stat(up).st_ino == os.stat(where).st_ino
        assert m.status()["images"] == {"seen": 4, "loaded": 4}


def test_resolved_when_entered(images, registry):
    """The directory is there without a request; a layer that was read is not fetched again."""
    reference = registry.push(build(images), "team/lazy", "t", "--all")
    with mount(reference) as m:
        assert len(open(m.at("etc/shared")).read()) == 100000
        before = m.status()["network"]["requests"]
        for triple in OTHERS:
            assert os.stat(os.path.join(m.path, "platforms", name_of(triple))).st_mode & 0o555
        assert m.status()["network"]["requests"] == before
        top = os.path.join(m.path, "platforms", name_of(OTHERS[0]))
        assert len(os.listdir(top + "/rootfs")) == 3
        after = m.status()["network"]["requests"]
        assert after > before
        shared = top + "/rootfs/etc/shared"
        assert len(open(shared).read()) == 100000
        assert m.status()["network"]["requests"] == after
        # One inode: one page cache.
        assert os.stat(shared).st_ino == os.stat(m.at("etc/shared")).st_ino


def test_diff_enters_what_differs_only(images):
    with mount(build(images)) as m:
        other = os.path.join(m.path, "platforms", name_of(OTHERS[0]), "rootfs")
        done = subprocess.run(["diff", "-rq", m.root, other], capture_output=True, text=True)
        assert done.stdout == "Files %s/arch and %s/arch differ\n" % (m.root, other)


def test_one_that_cannot_be_had(images):
    """EIO and a sentence; it is tried again later, and the others are good."""
    source = build(images)
    entries = json.loads(images.read(images.tags[-1]))["manifests"]
    path = images.blob_path(entries[1]["digest"])
    data = open(path, "rb").read()
    os.unlink(path)
    with mount(source) as m:
        top = os.path.join(m.path, "platforms", name_of(OTHERS[0]))
        assert os.path.isdir(top)
        for ask in (os.listdir, lambda p: os.stat(p + "/rootfs")):
            with pytest.raises(OSError) as e:
                ask(top)
            assert e.value.errno == errno.EIO
        assert m.status()["errors"] >= 1
        assert open(os.path.join(m.path, "platforms", name_of(OTHERS[1]), "rootfs/arch")).read() \
            == name_of(OTHERS[1])
        open(path, "wb").write(data)
        assert eventually(lambda: os.path.exists(top + "/rootfs/arch"), seconds=30)


def test_xattrs_and_links_of_another_platform(images):
    """The kernel is told only once that there are no xattrs: not while nobody knows."""
    plain = images.manifest([SHARED, layer(file("arch", "here"))])
    rich = images.manifest(
        [SHARED, layer(file("x", xattrs={"user.k": b"v"}), hardlink("again", "base"),
                       symlink("l", "base"))], where=OTHERS[0])
    with mount(images.tag(images.index([(plain, layout.HOST), (rich, OTHERS[0])]))) as m:
        assert os.listxattr(m.at("arch")) == []
        top = os.path.join(m.path, "platforms", name_of(OTHERS[0]), "rootfs")
        assert os.getxattr(top + "/x", "user.k") == b"v"
        assert os.readlink(top + "/l") == "base"
        # Names of one inode inside the image, whatever the other image has.
        a, b = os.stat(top + "/again"), os.stat(top + "/base")
        assert a.st_ino == b.st_ino and a.st_nlink == b.st_nlink == 2
        tar = subprocess.run(["tar", "-C", top, "-cf", "-", "again", "base"], check=True,
                             capture_output=True).stdout
        kinds = [tar[i + 156:i + 157] for i in (0, 1024)]
        assert kinds == [b"0", b"1"]


def test_two_of_one_platform(images):
    """As Windows has them, one of each version: each has a name of its own."""
    entries = [(images.manifest([layer(file("f", "0"))]), layout.HOST)]
    for i in (1, 2):
        entries.append((images.manifest([layer(file("f", str(i)))], where=OTHERS[2]), OTHERS[2]))
    with mount(images.tag(images.index(entries))) as m:
        second = "windows-amd64-" + entries[2][0]["digest"][7:19]
        assert sorted(os.listdir(m.path + "/platforms")) == ["windows-amd64", second]
        assert open(os.path.join(m.path, "platforms", second, "rootfs/f")).read() == "2"
        for name in ("windows-amd64", second):
            top = os.path.join(m.path, "platforms", name)
            inside = json.loads(open(top + "/inspect.json").read())[0]
            assert inside["GraphDriver"]["Data"]["MergedDir"] == top + "/rootfs"


def test_one_that_is_there_again(images):
    entries = [(images.manifest([layer(file("f", "0"))]), layout.HOST)]
    entries += [(images.manifest([layer(file("f", "1"))], where=OTHERS[0]), OTHERS[0])] * 3
    # The same image, called in another way and so that it is called the same.
    entries += [(entries[1][0], OTHERS[2]), (entries[1][0], OTHERS[0][:2] + ("x/y",)),
                (entries[1][0], OTHERS[0][:2] + ("x_y",))]
    with mount(images.tag(images.index(entries))) as m:
        names = [name_of(OTHERS[0]), name_of(OTHERS[2]), name_of(OTHERS[0]) + "-x_y"]
        assert sorted(os.listdir(m.path + "/platforms")) == sorted(names)
        for name in names:
            assert open(os.path.join(m.path, "platforms", name, "rootfs/f")).read() == "1"


ATTESTATION = {"vnd.docker.reference.type": "attestation-manifest"}


def attestation_of(images, image):
    """As BuildKit makes one: it says what it is about, and has an unknown platform."""
    statement = images.blob(b"{}", "application/vnd.in-toto+json")
    manifest = images.document(
        {"schemaVersion": 2, "mediaType": layout.MANIFEST, "config": images.config([]),
         "layers": [statement]}, layout.MANIFEST)
    return {**manifest, "platform": {"os": "unknown", "architecture": "unknown"},
            "annotations": {**ATTESTATION, "vnd.docker.reference.digest": image["digest"]}}


def nested(images, name="latest"):
    """Each image in an index of its own with an attestation, as some builders join them."""
    outer = []
    for triple in [layout.HOST] + OTHERS:
        manifest = images.manifest([SHARED, layer(file("arch", name_of(triple)))], where=triple)
        outer.append(images.index([attestation_of(images, manifest), (manifest, triple)]))
    return images.tag(images.index([images.index(outer[:2]), *outer[2:]]), name), outer


def push(images, registry, repository, d, reference=None):
    """An index with all that it refers to: skopeo copies none that has indexes inside."""
    data = images.read(d)
    document = json.loads(data)
    for inner in document.get("manifests", []):
        push(images, registry, repository, inner)
    for blob in [document.get("config"), *document.get("layers", [])]:
        if blob:
            registry.put_blob(repository, images.read(blob))
    return registry.put_manifest(repository, reference or d["digest"], data, d["mediaType"])


def test_indexes_inside(images, registry):
    """Their images are shown as if the outer index had them; attestations are none."""
    source, _ = nested(images)
    with mount(source) as local, \
            mount(push(images, registry, "team/nested", images.tags[-1], "t")) as remote:
        for m in (local, remote):
            assert open(m.at("arch")).read() == name_of(layout.HOST)
            assert sorted(os.listdir(m.path + "/platforms")) == sorted(map(name_of, OTHERS))
            for triple in OTHERS:
                top = os.path.join(m.path, "platforms", name_of(triple))
                assert open(top + "/rootfs/arch").read() == name_of(triple)
                assert open(top + "/index.json", "rb").read() == m.read("index.json")
            assert len(os.listdir(m.path + "/referrers")) == 1  # the attestation
    for triple in OTHERS[:1]:
        with mount(source, "platform=" + "/".join(t for t in triple if t)) as m:
            assert open(m.at("arch")).read() == name_of(triple)
            assert name_of(layout.HOST) in os.listdir(m.path + "/platforms")


def test_an_index_inside_is_missing(images):
    """What it would have is not shown, and a message says so; all else is."""
    source, outer = nested(images)
    os.unlink(images.blob_path(outer[2]["digest"]))
    with mount(source, quiet=False) as m:
        assert m.stderr.count("\n") == 1 and outer[2]["digest"] in m.stderr
        assert sorted(os.listdir(m.path + "/platforms")) == sorted(
            name_of(t) for t in OTHERS if t != OTHERS[1])


def test_attestations_only_beside_the_image(images, tmp_path):
    """One is never the image, even where nothing else would do."""
    manifest = images.manifest([SHARED], where=OTHERS[0])
    index = images.index([attestation_of(images, manifest), (manifest, OTHERS[0])])
    with mount(images.tag(index), "platform=" + "/".join(OTHERS[0][:2])) as m:
        assert "platforms" not in os.listdir(m.path)
    said = fails(images.tag(index), "platform=linux/s390x", words=[OTHERS[0][1]], where=tmp_path)
    assert "unknown" not in said


def test_words_that_are_no_names(images):
    """What an index says of a platform may be anything; each is there, and can be entered."""
    words = {"a/b": "linux-a_b", "../../x": "linux-.._.._x", "\ny": "linux-_y", "..": "linux-..",
             "\u00e9\u202e": "linux-_____", " ": "linux-_"}
    entries = [(images.manifest([layer(file("f", "here"))]), layout.HOST)]
    entries += [(images.manifest([layer(file("f", word))], where=("linux", word, "")),
                 ("linux", word, "")) for word in words]
    with mount(images.tag(images.index(entries))) as m:
        assert sorted(os.listdir(m.path + "/platforms")) == sorted(words.values())
        for word, name in words.items():
            top = os.path.join(m.path, "platforms", name)
            assert open(top + "/rootfs/f").read() == word
            assert os.path.samefile(top + "/..", m.path + "/platforms")


def test_as_many_as_an_index_may_have(images):
    entries = [(images.manifest([layer(file("f", "here"))]), layout.HOST)]
    entries += [{"mediaType": layout.MANIFEST, "digest": "sha256:%064x" % i, "size": 1,
                 "platform": {"os": "l", "architecture": "c%d" % (i // 2)}} for i in range(9990)]
    with mount(images.tag(images.index(entries))) as m:
        # The second of each has the same twelve digits as all others, but another name before.
        assert set(os.listdir(m.path + "/platforms")) == {
            "l-c%d%s" % (i // 2, "-000000000000" if i % 2 else "") for i in range(9990)}
        for name in ("l-c0", "l-c4994-000000000000"):
            assert os.path.isdir(os.path.join(m.path, "platforms", name))
        assert not os.path.exists(m.path + "/platforms/l-c9990")


def test_none_without_others(images):
    with mount(images.image([SHARED])) as m:
        assert "platforms" not in os.listdir(m.path)
    with mount(build(images, "x"), "layout=rootfs") as m:
        assert sorted(os.listdir(m.path)) == ["arch", "base", "etc"]


def test_many_at_once(images, registry):
    """All of them, walked by eight at the same time on an empty store."""
    source = build(images, extra=[file("d/f%d" % i, str(i)) for i in range(50)])
    with mount(registry.push(source, "team/at-once", "t", "--all")) as m:
        tops = [os.path.join(m.path, "platforms", name_of(t), "rootfs") for t in OTHERS]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            trees = list(pool.map(dump, (tops + [m.root]) * 4))
        for i in range(4):
            assert all(t == trees[i] for t in trees[i::4])
            assert len(trees[i]) == 56


def test_recursion_meets_each_file_once(images, registry):
    """-o list=once: `grep -r` and `du` over the whole mount are those over rootfs/."""
    reference = registry.push(build(images), "team/once", "t", "--all")
    with mount(reference, "list=once") as m:
        asked = m.status()["network"]["requests"]
        found = subprocess.run(["grep", "-rl", "s" * 1000, m.path], capture_output=True,
                               text=True, timeout=60)
        assert found.stdout.split() == [m.at("etc/shared")], found
        assert m.status()["images"] == {"seen": 1, "loaded": 1}
        # The span of the file, and no blob.
        assert m.status()["network"]["requests"] <= asked + 1
        # All is there that is not listed.
        assert len(os.listdir(m.path + "/platforms")) == 3
        assert os.listdir(m.path + "/oci/blobs/sha256") and os.listdir(m.path + "/layers")
        top = os.path.join(m.path, "platforms", name_of(OTHERS[0]))
        assert "oci" not in os.listdir(top) and os.path.isdir(top + "/oci")
