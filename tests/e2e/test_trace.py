# SPDX-License-Identifier: MIT
"""peelctl index push --trace: what was read of a mount is what other mounts fetch first."""
import json
import random

import pytest

import layout
import pushable
from archive import file, layer
from mounting import PEELCTL, eventually, mount, run

RANDOM = random.Random(12)
INDEXES = "application/vnd.peelfs.index.v1+json"
TRACE = "application/vnd.peelfs.trace.v1"
KEY = "org.peelfs.trace"
MIB = 1 << 20

# Of the first layer a program reads here and there, of the second only the end, of the third
# nothing. Each file has spans that no other has.
TARS = [layer(*[file("%s%d" % (name, i), RANDOM.randbytes(3 * MIB)) for i in range(4)])
        for name in "abc"]
WANTED = ["a3", "a0", "b3"]


@pytest.fixture
def host():
    with pushable.running() as r:
        yield r


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return layout.Layout(tmp_path_factory.mktemp("images") / "layout")


@pytest.fixture(scope="module")
def packed(images):
    return [images.layer(t, kind="gzip") for t in TARS]


@pytest.fixture
def image(host, images, packed):
    d = images.manifest(packed)
    return host.take(images, d, "app", "t"), d


def push(cache, *words, code=0):
    done = run("index", "push", "-o", "cache_dir=%s" % cache, *words, program=PEELCTL)
    assert done.returncode == code, done.stderr + done.stdout
    return done


def read_wanted(m):
    return [m.read("rootfs/" + name)[:100] for name in WANTED]


def push_both(ref, tmp_path):
    """The indexes, and what a mount from nothing reads of WANTED."""
    push(tmp_path / "a", ref)
    with mount(ref, cache=tmp_path / "b") as m:
        read_wanted(m)
        push(tmp_path / "b", "--trace", str(m.path))


def blobs(host):
    return [p for _, p, r in host.asked if "/blobs/" in p and r]


def spans(m):
    return [d["spansRead"] for d in m.status()["layers"]]


def is_quiet(host, m):
    """Nothing is fetched any more."""
    seen = []

    def same():
        seen.append(spans(m))
        return len(seen) > 10 and len({tuple(s) for s in seen[-10:]}) == 1
    assert eventually(same, step=0.05)


def artifact(host, image):
    found = [d for d in host.referrers("app", image["digest"]) if d["artifactType"] == TRACE]
    assert len(found) == 1
    return json.loads(host.manifests["app", found[0]["digest"]][1])


def ranges(text):
    """{layer: bytes}"""
    found = {}
    for word in text.split(" "):
        number, _, words = word.partition("=")
        for one in words.split(","):
            first, last = map(int, one.split("-"))
            found[int(number)] = found.get(int(number), 0) + last - first + 1
    return found


def test_what_was_read_is_fetched_first(host, image, tmp_path):
    ref, d = image
    push_both(ref, tmp_path)
    made = artifact(host, d)
    assert made["subject"] == d and made["layers"] == [made["config"]]
    found = ranges(made["annotations"][KEY])
    assert set(found) == {0, 1} and 6 * MIB <= found[0] <= 9 * MIB and \
        3 * MIB <= found[1] <= 5 * MIB
    host.asked.clear()
    with mount(ref, cache=tmp_path / "c") as m:
        m.read("rootfs/a3")
        is_quiet(host, m)
        before, fetched = blobs(host), spans(m)
        assert fetched[2] == 0 and 9 <= sum(fetched) <= 14, fetched
        read_wanted(m)
        assert blobs(host) == before and spans(m) == fetched
        assert not any(layer["warning"] for layer in m.status()["layers"])
    # no request for the trace itself: the list of referrers has it
    assert not [p for _, p, _ in host.asked if "/manifests/sha256:" in p]
    # and each byte once
    asked = [(p, r) for _, p, r in host.asked if r]
    assert len(set(asked)) == len(asked), asked


def test_without_a_mount_nothing_more_is_fetched(host, image, tmp_path):
    """peelctl reads what it was asked for."""
    ref, _ = image
    push_both(ref, tmp_path)
    host.asked.clear()
    run("ls", "-o", "cache_dir=%s" % (tmp_path / "c"), ref, "/", program=PEELCTL)
    assert not blobs(host) or all("bytes=0-" in r for _, p, r in host.asked if r)
    with mount(ref, "index=none", cache=tmp_path / "d") as m:
        m.read("rootfs/c0")
        assert spans(m) == [0, 0, 0]


def test_later_mounts_know_it(host, image, tmp_path):
    """It was noted, so what the store has lost since is fetched again, offline it is not."""
    ref, _ = image
    push_both(ref, tmp_path)
    cache = tmp_path / "c"
    with mount(ref, cache=cache) as m:
        is_quiet(host, m)
        fetched = spans(m)
    for name in "data", "spans":
        for path in cache.glob("layers/*/*/" + name):
            path.unlink()
    with mount(ref, "offline", cache=cache) as m:
        m.at()
        is_quiet(host, m)
        assert sum(spans(m)) == 0
    with mount(ref, cache=cache) as m:
        is_quiet(host, m)
        assert spans(m) == fetched


def test_again_and_dry_run(host, image, tmp_path):
    ref, d = image
    push(tmp_path / "a", ref)
    with mount(ref, cache=tmp_path / "b") as m:
        path = str(m.path)
        assert "nothing was read" in push(tmp_path / "b", "--trace", path).stdout
        read_wanted(m)
        writes = host.writes()
        said = push(tmp_path / "b", "--trace", "--dry-run", path).stdout
        assert "would push" in said and host.writes() == writes
        assert push(tmp_path / "b", "--trace", path).stdout == said.replace("would push", "pushed")
        assert "is there" in push(tmp_path / "b", "--trace", path).stdout
        artifact(host, d)


def test_another_image_by_now(host, images, image, tmp_path):
    ref, _ = image
    with mount(ref, cache=tmp_path / "b") as m:
        m.read("rootfs/a0")
        host.take(images, images.manifest([TARS[1]]), "app", "t")
        done = push(tmp_path / "b", "--trace", str(m.path), code=1)
        assert "mount it again" in done.stderr and len(done.stderr.splitlines()) == 1


def test_not_a_mount(tmp_path):
    done = push(tmp_path / "a", "--trace", str(tmp_path), code=1)
    assert len(done.stderr.splitlines()) == 1
    done = push(tmp_path / "a", "--trace", "--platform=all", str(tmp_path), code=1)
    assert "--trace" in done.stderr


def hang(host, image, text, **more):
    """An artifact that says TEXT, as anybody may push it."""
    empty = host.blob(b"{}", "application/vnd.oci.empty.v1+json")
    manifest = "application/vnd.oci.image.manifest.v1+json"
    return host.document("app", {
        "schemaVersion": 2, "mediaType": manifest, "artifactType": TRACE, "config": empty,
        "layers": [empty], "subject": image, "annotations": {KEY: text}, **more}, manifest)


@pytest.mark.parametrize("text, most", [
    ("", 0), ("0=5-4", 0), ("nonsense", 0), ("0=0-18446744073709551615", 0),
    ("999=0-99 3=0-99 0=99999999999-999999999999", 0),
    ("7=0-1 0=0-99", 1), (" ".join(["2=0-99999999999"] * 20), 13),
], ids=["empty", "backwards", "nonsense", "huge", "elsewhere", "partly", "often"])
def test_what_is_wrong_costs_little(host, image, text, most, tmp_path):
    ref, d = image
    push(tmp_path / "a", ref)
    hang(host, d, text)
    with mount(ref, cache=tmp_path / "b") as m:
        is_quiet(host, m)
        assert sum(spans(m)) <= most and (sum(spans(m)) > 0) == (most > 0)
        assert m.read("rootfs/b0")[:9] == TARS[1][512:521]


def test_a_list_that_says_less(host, image, tmp_path):
    """Then the artifact is fetched; and of two with ranges the larger is taken."""
    ref, d = image
    push(tmp_path / "a", ref)
    hang(host, d, "2=0-99")
    known = host.referrers
    host.referrers = lambda *which: [{**r, "annotations": {}} for r in known(*which)]
    with mount(ref, cache=tmp_path / "b") as m:
        is_quiet(host, m)
        assert spans(m) == [0, 0, 1]
    # or lists the type of the config
    host.referrers = lambda *which: [
        {**r, "artifactType": "application/vnd.oci.empty.v1+json"} if r["artifactType"] == TRACE
        else r for r in known(*which)]
    host.asked.clear()
    with mount(ref, cache=tmp_path / "d") as m:
        is_quiet(host, m)
        assert spans(m) == [0, 0, 1]
    del host.referrers
    push_both(ref, tmp_path / "x")
    with mount(ref, cache=tmp_path / "c") as m:
        is_quiet(host, m)
        assert spans(m)[2] == 0 and sum(spans(m)) > 8
