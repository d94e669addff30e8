# SPDX-License-Identifier: MIT
"""Signatures that cosign, podman and skopeo have made (tests/trust/record), and skopeo's
decisions where no signature matters."""
import json
import os
import subprocess

import pytest

from archive import file, layer
from mounting import PEELCTL, run
from signing import ACCEPT, REJECT, Key, policy, signed_by

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../data/trust")
KEY = os.path.join(DATA, "key.pub")
NAME = "registry.example/team/app"

# The tool, and what it signs the image as; a bundle says nothing of that.
TOOLS = {"cosign2": NAME, "cosign2-referrers": NAME, "cosign3-old": NAME, "cosign3": None,
         "podman": NAME + ":t"}


class Recorded:
    """An image in the fake registry, as one of the tools has left it there."""

    def __init__(self, fake, name):
        self.fake = fake
        with open(os.path.join(DATA, name + ".json")) as f:
            self.known = json.load(f)
        for tag, digest in self.known["tags"].items():
            self.put(tag, digest)
        for listed in self.known["referrers"].values():
            for d in listed:
                self.put(d["digest"], d["digest"])
        for name in os.listdir(os.path.join(DATA, "blobs")):
            fake.images.blob(self.read(name), "")
        fake.referrers.update(self.known["referrers"])
        self.source = "%s/team/app:t" % fake.host

    def read(self, name):
        with open(os.path.join(DATA, "blobs", name), "rb") as f:
            return f.read()

    def put(self, reference, digest):
        data = self.read(digest[7:])
        self.fake.tag("team/app", reference, data, json.loads(data)["mediaType"])


def look(source, cache, *options):
    """(exit status, what is in /f or the sentence)"""
    done = run("cat", "-o", ",".join(("cache_dir=%s,platform=linux/amd64" % cache,) + options),
               source, "/f", program=PEELCTL)
    return done.returncode, done.stdout or done.stderr


def mirrored(fake, key=KEY, **more):
    """What the registry has was signed as an image of another one."""
    return signed_by(key, {"type": "remapIdentity", "prefix": fake.host,
                           "signedPrefix": "registry.example"}, **more)


@pytest.mark.parametrize("tool", TOOLS)
def test_recorded(fake, tool, tmp_path):
    image = Recorded(fake, tool)
    exact = {"type": "exactReference", "dockerReference": NAME + ":t"}
    any_tag = {"type": "exactRepository", "dockerRepository": NAME}
    as_it_is = {"type": "matchRepository"}
    other = Key(tmp_path, "other").public
    claims = TOOLS[tool]
    rows = [
        (signed_by(KEY, any_tag), claims),
        (signed_by(other, any_tag), None),
        (signed_by(KEY, exact), claims == NAME + ":t"),
        (mirrored(fake), claims == NAME + ":t"),
        (signed_by(KEY, as_it_is), None),
        (signed_by(KEY), None),
    ]
    for i, (requirement, good) in enumerate(rows):
        path = policy(tmp_path, docker={fake.host: [requirement]})
        code, said = look(image.source, tmp_path / str(i), "policy=" + path)
        assert (code == 0, said == "1") == (bool(good), bool(good)), (i, said)
    code, said = look(image.source, tmp_path / "verify", "verify=" + KEY)
    assert said == "1" if claims is None else "is for " + claims in said
    code, said = look(image.source, tmp_path / "other", "verify=" + other)
    assert code and "another key" in said


def test_recorded_of_another_image(fake, tmp_path):
    """Signatures that were moved to another image."""
    for tool in TOOLS:
        image = Recorded(fake, tool)
        other = fake.images.manifest([layer(file("f", "2"))], where=("linux", "amd64", ""))
        data = fake.images.read(other)
        source = fake.tag("team/app", "t", data, other["mediaType"])
        for tag, digest in image.known["tags"].items():
            if tag.endswith(".sig"):
                image.put(other["digest"].replace(":", "-") + ".sig", digest)
        fake.referrers[other["digest"]] = sum(image.known["referrers"].values(), [])
        path = policy(tmp_path, docker={fake.host: [signed_by(
            KEY, {"type": "exactRepository", "dockerRepository": NAME})]})
        for option in "verify=" + KEY, "policy=" + path:
            code, said = look(source, tmp_path / tool, option)
            assert code and "of another image" in said, (tool, option, said)
        fake.manifests.clear()
        fake.referrers.clear()


def test_as_skopeo_decides(registry, images, tmp_path):
    """Scopes, and files that are valid or not."""
    source = registry.push(images.image([layer(file("f", "1"))]), "trust/a", "t")
    name = source[:-2]
    host = registry.host
    transports = [
        {}, {"docker": {"": REJECT}}, {"docker": {host: REJECT}},
        {"docker": {host: REJECT, host + "/trust": ACCEPT}},
        {"docker": {name: REJECT, host + "/trust": ACCEPT}},
        {"docker": {source: ACCEPT, name: REJECT}},
        {"docker": {name + ":other": REJECT}}, {"docker": {host + "/tru": REJECT}},
        {"docker": {"*.0.0.1": REJECT}}, {"docker": {"*.0.1": REJECT, host: ACCEPT}},
        {"docker": {"127.0.0.1": REJECT}}, {"docker": {host: ACCEPT + REJECT}},
        {"oci": {"": REJECT}}, {"oci": {"/": REJECT}}, {"dir": {"/a//b": REJECT}},
        {"docker-archive": {"/x": REJECT}}, {"docker-archive": {"": REJECT}},
        {"docker": {host: []}}, {"docker": {host: [{"type": "reject", "x": 1}]}},
        {"docker": {host: [{"type": "unknown"}]}}, {"nothing": {"x": REJECT}},
        {"docker": {"x": [signed_by("/x", {"type": "matchExact", "x": 1})]}},
        {"docker": {"x": [signed_by("/x", keyData="eA==")]}},
        {"docker": {"x": [signed_by("/x", {"type": "exactReference",
                                           "dockerReference": "a.b/c"})]}},
        {"docker": {"x": [signed_by("/x", {"type": "remapIdentity", "prefix": "a.b/",
                                           "signedPrefix": "c"})]}},
    ]
    for i, what in enumerate(transports):
        path = policy(tmp_path, default=ACCEPT, **what)
        theirs = subprocess.run(
            ["skopeo", "--policy", path, "copy", "-q", "--src-tls-verify=false",
             "docker://" + source, "dir:%s" % (tmp_path / ("dir%d" % i))],
            capture_output=True, text=True, timeout=60)
        code, said = look(source, tmp_path / "cache", "policy=" + path)
        assert (code == 0) == (theirs.returncode == 0), (what, said, theirs.stderr)
