# SPDX-License-Identifier: MIT
"""peelctl index push into registries that have the referrers API, mounts that find the indexes
there, and other clients that see them."""
import contextlib
import json
import subprocess
import time

import pytest

import layout
import registry
import tree
from mounting import mount
from test_push import TARS, TYPE, kinds, plain, push  # noqa: F401 (a fixture)


class Server(registry.Registry):
    def __init__(self, name, host, log):
        super().__init__(host, None)
        self.name, self.log = name, log

    def asked(self):
        """The requests so far: (method, path)."""
        with open(self.log) as f:
            return [tuple(line.split()) for line in f]


@pytest.fixture(params=["crane", "cue"])
def server(request, tmp_path):
    found = Server(request.param, "127.0.0.1:%d" % registry.free_port(),
                   str(tmp_path / "asked"))
    with open(found.log, "wb") as log:
        child = subprocess.Popen(["servers", found.name, found.host], stderr=log,
                                 stdout=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with contextlib.suppress(OSError):
                found.request("GET", "/v2/")
                break
            assert child.poll() is None
            time.sleep(0.05)
        yield found
    finally:
        child.kill()
        child.wait()


def client(*words):
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def writes(asked):
    return [(method, path) for method, path in asked if method not in ("GET", "HEAD")]


def put(server, images):
    image = images.manifest([images.layer(t, kind="gzip") for t in TARS])
    return server.push(images.tag(image), "team/app", "t", "--preserve-digests"), image


def test_found_and_used(server, images, plain, tmp_path):  # noqa: F811
    ref, image = put(server, images)
    assert "pushed: " in push(ref, tmp_path / "a").stdout
    before = len(server.asked())
    with mount(ref, cache=tmp_path / "b") as m:
        assert kinds(m) == ["pushed", "pushed"]
        mounted = server.asked()[before:]
        assert m.read("rootfs/many/007") == b"7\n" * 7
        assert [d["spansRead"] for d in m.status()["layers"]] == [1, 0]
        tree.assert_same(plain, tree.dump(m.root))
    # tag, config, referrers in two ways at once, an index each; crane's list lacks the type and
    # the annotations, so the artifact is fetched
    assert len(mounted) == (7 if server.name == "crane" else 6), mounted
    before = len(server.asked())
    with mount(ref, cache=tmp_path / "b") as m:
        assert kinds(m) == ["pushed", "pushed"]
        tree.assert_same(plain, tree.dump(m.root))
    assert server.asked()[before:] == [("HEAD", "/v2/team/app/manifests/t")]


def test_again_sends_nothing(server, images, tmp_path):
    ref, _ = put(server, images)
    push(ref, tmp_path / "a")
    for cache in "a", "b":
        before = len(server.asked())
        assert "is there: " in push(ref, tmp_path / cache).stdout
        assert writes(server.asked()[before:]) == []


def test_other_clients(server, images, tmp_path):
    """They list the artifact, and get it with its blobs."""
    ref, image = put(server, images)
    digest = push(ref, tmp_path / "a").stdout.splitlines()[-1].split()[0]
    by_digest = "%s/team/app@%s" % (server.host, digest)
    found = json.loads(client("oras", "discover", "--plain-http", "--format", "json", ref))
    assert [d["digest"] for d in found.get("referrers", found.get("manifests"))] == [digest]
    manifest = client("crane", "manifest", "--insecure", by_digest)
    made = json.loads(manifest)
    assert layout.digest(manifest.encode()) == digest
    assert made["artifactType"] == TYPE and made["subject"]["digest"] == image["digest"]
    client("oras", "copy", "--from-plain-http", by_digest, "--to-oci-layout",
           str(tmp_path / "copy"))
    for d in made["layers"]:
        data = (tmp_path / "copy/blobs/sha256" / d["digest"][7:]).read_bytes()
        assert layout.digest(data) == d["digest"] and len(data) == d["size"]
    assert "t" in client("crane", "ls", "--insecure", "%s/team/app" % server.host).split()


def test_copied_with_its_referrers(server, images, plain, tmp_path):  # noqa: F811
    """Into another repository, by a client that knows nothing of indexes."""
    ref, _ = put(server, images)
    push(ref, tmp_path / "a")
    to = "%s/mirror/app" % server.host
    client("oras", "copy", "--recursive", "--from-plain-http", "--to-plain-http", ref, to + ":t")
    with mount(to + ":t", cache=tmp_path / "b") as m:
        assert kinds(m) == ["pushed", "pushed"]
        tree.assert_same(plain, tree.dump(m.root))
