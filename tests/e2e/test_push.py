# SPDX-License-Identifier: MIT
"""peelctl index push: indexes of layers beside an image in its registry, and mounts that find
them."""
import base64
import json
import os
import random
import shutil

import pytest

import layout
import pushable
import tree
from archive import directory, file, hardlink, layer, opaque, symlink, whiteout
from mounting import PEELCTL, mount, run

RANDOM = random.Random(11)
NOISE = RANDOM.randbytes(3_000_000)
TYPE = "application/vnd.peelfs.index.v1+json"

TARS = [
    layer(directory("bin"), file("bin/a", NOISE, mode=0o4755, uid=1000, gid=70_000),
          symlink("b", "bin/a"), file("empty"), file("text", b"text\n" * 500_000,
                                                     xattrs={"user.note": "hello"}),
          hardlink("text2", "text"), directory("old"), file("old/file", "old"),
          *[file("many/%03d" % i, b"%d\n" % i * i) for i in range(200)]),
    layer(whiteout("empty"), opaque("old"), file("old/new", NOISE[:200_000]),
          file("deep/er/file", b"deep")),
]


@pytest.fixture
def host():
    with pushable.running() as r:
        yield r


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    images = layout.Layout(tmp_path_factory.mktemp("plain") / "layout")
    with mount(images.image(TARS)) as m:
        return tree.dump(m.root)


def put_image(host, images, *, kind="gzip", repository="app"):
    d = images.manifest([images.layer(t, kind=kind) for t in TARS])
    return host.take(images, d, repository, "t"), d


def push(source, cache, *flags, options=(), code=0):
    done = run("index", "push", "-o", ",".join(("cache_dir=%s" % cache, *options)), *flags, source,
               program=PEELCTL)
    assert done.returncode == code, done.stderr + done.stdout
    return done


def kinds(m):
    return [d["index"] for d in m.status()["layers"]]


def artifact(host, image, repository="app"):
    found = host.referrers(repository, image["digest"])
    assert [d["artifactType"] for d in found] == [TYPE]
    return json.loads(host.manifests[repository, found[0]["digest"]][1])


@pytest.mark.parametrize("kind", ["gzip", "zstd", "none"])
def test_pushed_and_found(host, images, plain, kind, tmp_path):
    ref, image = put_image(host, images, kind=kind)
    push(ref, tmp_path / "a")
    made = artifact(host, image)
    assert made["subject"] == image and made["mediaType"] == layout.MANIFEST
    layers = json.loads(images.read(image))["layers"]
    assert [d["annotations"]["org.peelfs.layer.digest"] for d in made["layers"]] == \
        [d["digest"] for d in layers]
    host.asked.clear()
    with mount(ref, cache=tmp_path / "b") as m:
        assert kinds(m) == ["pushed", "pushed"]
        assert not any(d["spansRead"] or d["warning"] for d in m.status()["layers"])
        tree.assert_same(plain, tree.dump(m.root))
    assert len([p for _, p, _ in host.asked if "/referrers/" in p]) == 1
    host.asked.clear()
    with mount(ref, cache=tmp_path / "b") as m:
        assert kinds(m) == ["pushed", "pushed"]
        assert [d["from"] for d in m.status()["layers"]] == ["store", "store"]
        tree.assert_same(plain, tree.dump(m.root))
    assert {p for _, p, _ in host.asked} == {"/v2/app/manifests/t"}


def test_little_is_fetched(host, images, tmp_path):
    ref, image = put_image(host, images)
    push(ref, tmp_path / "a")
    indexes = sum(d["size"] for d in artifact(host, image)["layers"])
    host.asked.clear()
    with mount(ref) as m:
        assert m.read("rootfs/many/007") == b"7\n" * 7
        layers = m.status()["layers"]
    assert [d["spansRead"] for d in layers] == [1, 0]
    # tag, config, referrers in two ways at once, an index each, a span; the artifact is known
    # from the list
    assert len(host.asked) == 7, host.asked
    assert layers[1]["fetched"] + layers[0]["fetched"] < indexes + layers[0]["size"] / 2


def test_how_a_host_lists_referrers_is_noted(host, images, tmp_path):
    """Once it is known, there is one request."""
    for i, api in enumerate((True, False)):
        host.api = api
        cache = tmp_path / ("cache%d" % i)
        refs = [host.take(images, images.manifest([TARS[n]]), "app%d%d" % (i, n), "t")
                for n in range(2)]
        for n, ref in enumerate(refs):
            host.asked.clear()
            with mount(ref, cache=cache):
                pass
            shutil.rmtree(cache / "layers")
            asked = [p for _, p, _ in host.asked if "/referrers/" in p or "/sha256-" in p]
            assert len(asked) == 2 - n, asked
            assert not n or ("/referrers/" in asked[0]) == api


def test_a_list_that_says_less(host, images, plain, tmp_path):
    """Without annotations, or with wrong ones, the artifact is fetched."""
    ref, image = put_image(host, images)
    push(ref, tmp_path / "a")
    known = host.referrers
    for said in {}, {"org.peelfs.blobs": "0=%s:1" % ("1" * 64)}, {"org.peelfs.blobs": "9=x:y"}:
        host.referrers = lambda *which, said=said: [{**d, "annotations": said}
                                                    for d in known(*which)]
        host.asked.clear()
        with mount(ref) as m:
            assert kinds(m) == ["pushed", "pushed"]
            tree.assert_same(plain, tree.dump(m.root))
        assert [p for _, p, _ in host.asked if "/manifests/sha256:" in p]


@pytest.mark.parametrize("said", [{}, {"artifactType": "application/vnd.oci.empty.v1+json"}])
def test_a_list_without_our_type(host, images, plain, said, tmp_path):
    """Some registries list the type of the config. Those of an unknown type are looked into."""
    ref, image = put_image(host, images)
    empty = host.blob(b"{}", "application/vnd.oci.empty.v1+json")
    others = [host.document("app", {
        "schemaVersion": 2, "mediaType": layout.MANIFEST, "artifactType": "application/x.%d" % i,
        "config": empty, "layers": [], "subject": image}, layout.MANIFEST) for i in range(2)]
    known = host.referrers
    host.says_subject = False
    host.referrers = lambda *which: [{**{k: d[k] for k in ("mediaType", "digest", "size")}, **said}
                                     for d in known(*which)]
    with mount(ref, cache=tmp_path / "none") as m:
        assert kinds(m) == ["streamed", "streamed"]
    assert "pushed" in push(ref, tmp_path / "a").stdout
    assert ("app", tag_of(image)) not in host.manifests
    assert "is there" in push(ref, tmp_path / "a").stdout
    for asked in (len(others) + 1, 0):
        host.asked.clear()
        with mount(ref, cache=tmp_path / "b") as m:
            assert kinds(m) == ["pushed", "pushed"]
            tree.assert_same(plain, tree.dump(m.root))
        assert len([p for _, p, _ in host.asked if "/manifests/sha256:" in p]) == asked


def test_again_sends_nothing(host, images, tmp_path):
    """Nor does another machine, whose index is the same."""
    ref, _ = put_image(host, images)
    first = push(ref, tmp_path / "a").stdout.splitlines()
    assert "pushed" in first[-1]
    for cache in "a", "b":
        host.asked.clear()
        again = push(ref, tmp_path / cache).stdout.splitlines()
        assert again[:-1] == first[:-1] and "is there" in again[-1]
        assert again[-1].split()[0] == first[-1].split()[0]
        assert host.writes() == []


def test_dry_run(host, images, tmp_path):
    ref, image = put_image(host, images)
    said = push(ref, tmp_path / "a", "--dry-run").stdout
    assert "would push" in said and host.writes() == []
    assert push(ref, tmp_path / "a").stdout == said.replace("would push", "pushed")
    artifact(host, image)


def test_who_asks_for_a_digest_trusts_nothing_else(host, images, plain, tmp_path):
    ref, image = put_image(host, images)
    push(ref, tmp_path / "a")
    pinned = "%s/app@%s" % (host.host, image["digest"])
    with mount(pinned, cache=tmp_path / "b") as m:
        assert kinds(m) == ["streamed", "streamed"]
    with mount(pinned, "index=registry", cache=tmp_path / "c") as m:
        assert kinds(m) == ["pushed", "pushed"]
        tree.assert_same(plain, tree.dump(m.root))
    # What was made from it is not for one who does not trust it.
    with mount(pinned, cache=tmp_path / "c") as m:
        assert kinds(m) == ["streamed", "streamed"]
    with mount(ref, "index=none", cache=tmp_path / "d") as m:
        assert kinds(m) == ["streamed", "streamed"]


def test_a_repository_speaks_for_its_own_images(host, images, plain, tmp_path):
    """Another one may have the same image, and may be trusted more."""
    theirs, image = put_image(host, images, repository="theirs")
    ours = host.take(images, image, "ours", "t")
    push(theirs, tmp_path / "a")
    with mount(theirs, cache=tmp_path / "b") as m:
        assert kinds(m) == ["pushed", "pushed"]
    for _ in range(2):
        with mount(ours, cache=tmp_path / "b") as m:
            assert kinds(m) == ["streamed", "streamed"]
            tree.assert_same(plain, tree.dump(m.root))


@pytest.mark.parametrize("option,artifact_is_read", [(None, False), ("index=registry", True)])
def test_layers_of_a_store_are_everybodys(host, images, option, artifact_is_read, tmp_path):
    ref, image = put_image(host, images)
    push(ref, tmp_path / "a")
    blobs = {d["digest"] for d in artifact(host, image)["layers"]}
    host.asked.clear()
    options = ["layout=store"] + ([option] if option else [])
    with mount(ref, *options, cache=tmp_path / "b", load=False) as m:
        base = json.loads(m.read("overlay-layers/layers.json"))[0]["id"]
        assert m.read("overlay/%s/diff/many/007" % base) == b"7\n" * 7
    read = any(p.endswith(blob) for _, p, _ in host.asked for blob in blobs)
    assert read == artifact_is_read


def test_what_came_from_a_registry_is_not_pushed_on(host, images, tmp_path):
    """An index is pushed if it was made from the layer, and by the one who pushes it."""
    ref, image = put_image(host, images)
    push(ref, tmp_path / "a")
    with mount(ref, cache=tmp_path / "b") as m:
        assert kinds(m) == ["pushed", "pushed"]
    push(ref, tmp_path / "b")
    done = run("index", "-o", "cache_dir=%s" % (tmp_path / "b"), ref, program=PEELCTL)
    assert done.stdout.count("streamed") == 2, done.stdout


def test_no_registry(images, tmp_path):
    """It is refused before the layers are loaded."""
    source = images.image([TARS[0]])
    for more in ([], ["--dry-run"]):
        done = run("index", "push", *more, "-o", "cache_dir=%s" % (tmp_path / "c"), source,
                   program=PEELCTL)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.endswith(": not in a registry, so nothing can be pushed\n")
    assert not [d for _, _, names in os.walk(tmp_path / "c") for d in names if d == "index"]


def test_peelctl_says_where_from(host, images, tmp_path):
    ref, _ = put_image(host, images)
    push(ref, tmp_path / "a")
    done = run("index", "-o", "cache_dir=%s" % (tmp_path / "b"), ref, program=PEELCTL)
    assert done.returncode == 0 and done.stdout.count("registry  pushed") == 2, done.stdout


def test_platforms(host, images, tmp_path):
    ours = images.manifest([TARS[0]])
    other = images.manifest([TARS[1]], where=("linux", "s390x", ""))
    index = images.index([(ours, layout.HOST), (other, ("linux", "s390x", ""))])
    ref = host.take(images, index, "app", "t")
    push(ref, tmp_path / "a", "--platform=linux/s390x")
    assert not host.referrers("app", ours["digest"]) and artifact(host, other)
    said = push(ref, tmp_path / "a", "--platform", "all").stdout
    assert artifact(host, ours) and artifact(host, other) and "linux/s390x:" in said
    with mount(ref) as m:
        assert kinds(m) == ["pushed"]
    with mount(ref, "platform=linux/s390x") as m:
        assert kinds(m) == ["pushed"]


def test_docker_registry(registry, images, plain, tmp_path):
    """A real registry, without the API."""
    ref = registry.push(images.tag(images.manifest(TARS)), "push/app")
    push(ref, tmp_path / "a")
    assert "is there" in push(ref, tmp_path / "b").stdout
    with mount(ref, cache=tmp_path / "c") as m:
        assert kinds(m) == ["pushed", "pushed"]
        tree.assert_same(plain, tree.dump(m.root))


# The list of referrers that clients keep

def tag_of(image):
    return image["digest"].replace(":", "-")


def put_list(host, image, entries, **more):
    return host.document("app", {"schemaVersion": 2, "mediaType": layout.INDEX, **more,
                                 "manifests": entries}, layout.INDEX, tag_of(image))


def get_list(host, image):
    return json.loads(host.manifests["app", tag_of(image)][1])


SIGNATURE = {"mediaType": layout.MANIFEST, "digest": "sha256:" + "5" * 64, "size": 5,
             "artifactType": "application/x", "annotations": {"a": "b"}, "odd": [1, {"x": 1.5}]}


@pytest.mark.parametrize("etag", [False, True])
def test_the_list_keeps_what_others_wrote(host, images, etag, tmp_path):
    host.api, host.etag = False, etag
    ref, image = put_image(host, images)
    put_list(host, image, [SIGNATURE], annotations={"of": "others"})
    push(ref, tmp_path / "a")
    found = get_list(host, image)
    assert found["annotations"] == {"of": "others"} and found["manifests"][0] == SIGNATURE
    assert [d["artifactType"] for d in found["manifests"]] == ["application/x", TYPE]
    host.asked.clear()
    push(ref, tmp_path / "a")
    assert host.writes() == [] and get_list(host, image) == found
    with mount(ref) as m:
        assert kinds(m) == ["pushed", "pushed"]


@pytest.mark.parametrize("etag", [False, True])
def test_another_writes_the_list_at_the_same_time(host, images, etag, tmp_path):
    """What it wrote between our reading and our writing; and instead of what we wrote."""
    host.api, host.etag = False, etag
    ref, image = put_image(host, images)
    put_list(host, image, [SIGNATURE])
    other = {**SIGNATURE, "digest": "sha256:" + "6" * 64}

    def before_ours(name):
        if name == tag_of(image):
            put_list(host, image, [SIGNATURE, other] if etag else [other])
        else:
            host.before_put = before_ours
    host.before_put = before_ours
    push(ref, tmp_path / "a")
    digests = [d["digest"] for d in get_list(host, image)["manifests"]]
    assert SIGNATURE["digest"] in digests and len(digests) == len(set(digests))
    assert (other["digest"] in digests) == etag  # without ETags nobody can see that one
    assert artifact(host, image)


def test_what_is_no_list_is_left_alone(host, images, tmp_path):
    host.api = False
    ref, image = put_image(host, images)
    before = host.document("app", {"schemaVersion": 2, "mediaType": layout.MANIFEST, "config": {},
                                   "layers": []}, layout.MANIFEST, tag_of(image))
    done = push(ref, tmp_path / "a", code=1)
    assert "not a list of referrers" in done.stderr and len(done.stderr.splitlines()) == 1
    assert layout.digest(host.manifests["app", tag_of(image)][1]) == before["digest"]


def test_a_registry_that_does_not_say_what_it_noted(host, images, tmp_path):
    host.says_subject = False
    ref, image = put_image(host, images)
    push(ref, tmp_path / "a")
    assert artifact(host, image) and ("app", tag_of(image)) not in host.manifests


# Rights and failures

def login(host, tmp_path, user):
    path = tmp_path / (user + ".json")
    path.write_text(json.dumps({"auths": {host.host: {
        "auth": base64.b64encode((user + ":secret").encode()).decode()}}}))
    return "authfile=%s" % path


@pytest.mark.parametrize("hint", [True, False])
def test_tokens_separate_pull_from_push(host, images, hint, tmp_path):
    host.users, host.hint = {"writer": ["pull", "push"], "reader": ["pull"]}, hint
    ref, image = put_image(host, images)
    done = push(ref, tmp_path / "a", options=(login(host, tmp_path, "reader"),), code=1)
    assert "401 Unauthorized" in done.stderr and "may push there" in done.stderr
    assert len(done.stderr.splitlines()) == 1 and not host.referrers("app", image["digest"])
    host.scopes.clear()
    push(ref, tmp_path / "a", options=(login(host, tmp_path, "writer"),))
    assert artifact(host, image)
    assert "repository:app:pull,push" in host.scopes
    host.scopes.clear()
    with mount(ref, login(host, tmp_path, "reader")) as m:
        assert kinds(m) == ["pushed", "pushed"]
    assert set(host.scopes) == {"repository:app:pull"}


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_fifth_of_the_uploads_fails(host, images, plain, elsewhere, tmp_path):
    host.users, host.elsewhere, host.fail_each = {"writer": ["pull", "push"]}, elsewhere, 5
    ref, image = put_image(host, images)
    push(ref, tmp_path / "a", options=(login(host, tmp_path, "writer"),))
    assert not host.leaked and artifact(host, image)
    for d in artifact(host, image)["layers"]:
        assert len(host.blobs[d["digest"]]) == d["size"]
    with mount(ref) as m:
        assert kinds(m) == ["pushed", "pushed"]
        tree.assert_same(plain, tree.dump(m.root))


@pytest.mark.parametrize("status, code, words, advice", [
    (403, "DENIED", "quota of the project is exceeded", "may push there"),
    (405, "UNSUPPORTED", "this is a cache", "cannot be pushed to"),
    (413, "SIZE_INVALID", "too much", "takes nothing so large"),
    (429, "TOOMANYREQUESTS", "slow down", ""),
    (507, "UNKNOWN", "disk full", "is full"),
])
def test_refusals(host, images, status, code, words, advice, tmp_path):
    ref, image = put_image(host, images)
    host.refuse = status, code, words
    done = push(ref, tmp_path / "a", options=("timeout=2",), code=1)
    assert len(done.stderr.splitlines()) == 1
    for text in str(status), code, words, advice, "/app":
        assert text in done.stderr, done.stderr
    assert not host.referrers("app", image["digest"])


def test_not_in_a_registry(images, tmp_path):
    done = push(images.image(TARS), tmp_path / "a", code=1)
    assert "not in a registry" in done.stderr


def test_words(tmp_path):
    for words in (), ("a", "b"), ("--odd", "a"):
        done = run("index", "push", *words, program=PEELCTL)
        assert done.returncode == 1 and "index push" in done.stderr
    done = run("index", "push", "-h", program=PEELCTL)
    assert done.returncode == 0 and "--dry-run" in done.stdout
