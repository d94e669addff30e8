# SPDX-License-Identifier: MIT
"""From a reference to the right image: registries, layouts, indexes, platforms."""
import base64
import hashlib
import json
import os

import pytest

import layout
import oracle
import tree
from archive import file, layer
from mounting import is_mounted, mount, run

ARM64 = ("linux", "arm64", "")
OTHER = ARM64 if layout.HOST[1] != "arm64" else ("linux", "amd64", "")


def fails(source, *options, words=(), where):
    """Exit 32, nothing mounted, and one sentence that holds `words`."""
    path = str(where / "mnt")
    os.makedirs(path, exist_ok=True)
    done = run("-o", ",".join(("cache_dir=%s,wait" % (where / "cache"),) + options), source, path)
    assert done.returncode == 32, done
    assert not is_mounted(path)
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1 and done.stderr.endswith("\n"), done.stderr
    for word in words:
        assert str(word) in done.stderr, done.stderr
    return done.stderr


def one(text):
    return [layer(file("f", text))]


def shown(m):
    with open(m.at("f")) as f:
        return f.read()


# Documents

@pytest.mark.core
@pytest.mark.parametrize("family", ["oci", "docker"])
def test_documents_byte_for_byte(images, registry, family):
    config = images.config([images.layer(one("1")[0], family=family)], family=family)
    manifest = images.manifest(one("1"), config=config, family=family)
    index = images.index([(manifest, layout.HOST)],
                         layout.INDEX if family == "oci" else layout.DOCKER_LIST)
    name = "documents/" + family
    for d in (config, images.layer(one("1")[0], family=family)):
        registry.put_blob(name, images.read(d))
    for d, tag in ((manifest, "one"), (index, "list")):
        registry.put_manifest(name, tag, images.read(d), d["mediaType"])
    for source, has_index in (
            (images.tag(manifest, "one"), False), (images.tag(index, "list"), True),
            ("%s/%s:one" % (registry.host, name), False),
            ("%s/%s:list" % (registry.host, name), True)):
        with mount(source) as m:
            assert shown(m) == "1"
            assert m.read("config.json") == images.read(config)
            assert m.read("manifest.json") == images.read(manifest)
            assert os.path.exists(os.path.join(m.path, "index.json")) == has_index
            if has_index:
                assert m.read("index.json") == images.read(index)


# Names in a registry

@pytest.mark.core
def test_names_in_a_registry(images, registry):
    source = images.image(one("named"))
    reference = registry.push(source, "team/sub/name", "v1")
    registry.push(source, "team/sub/name", "latest")
    digest = images.tags[0]["digest"]
    bare = reference.rpartition(":")[0]
    port = registry.host.split(":")[1]
    for name in (reference, bare, bare + "@" + digest, reference + "@" + digest,
                 "docker://" + reference, "localhost:%s/team/sub/name:v1" % port):
        with mount(name) as m:
            assert shown(m) == "named", name


@pytest.mark.parametrize("kind", ["gzip", "zstd", "none"])
def test_layers_from_a_registry(images, registry, kind):
    layers = [layer(file("f", "lower"), file("g", "g" * 100000)), layer(file("f", kind))]
    source = images.image([images.layer(tar, kind) for tar in layers])
    with mount(registry.push(source, "kinds/" + kind, "t", "--preserve-digests")) as m:
        assert shown(m) == kind
        assert len(open(m.at("g")).read()) == 100000


def test_media_type_lies_about_the_compression(images):
    """What a layer is, its bytes say."""
    tar = one("sniffed")[0]
    for said in ("gzip", "zstd", "none"):
        for real in ("gzip", "zstd", "none"):
            d = {**images.layer(tar, real), "mediaType": layout.LAYER["oci", said]}
            with mount(images.image([d], name=said + real)) as m:
                assert shown(m) == "sniffed"


def test_tag_that_moved_is_asked_for_again(images, registry, tmp_path):
    for text in ("old", "new"):
        reference = registry.push(images.image(one(text), name=text), "moved", "t")
        with mount(reference, cache=tmp_path / "cache") as m:
            assert shown(m) == text


def test_not_there(images, registry, tmp_path):
    registry.push(images.image(one("1")), "there", "t")
    host = registry.host
    fails(host + "/there:missing", words=["there:missing"], where=tmp_path)
    fails(host + "/nowhere:t", words=["nowhere"], where=tmp_path)
    fails(host + "/there@sha256:" + "0" * 64, words=["0" * 64], where=tmp_path)
    fails("127.0.0.1:1/x:t", words=["127.0.0.1:1"], where=tmp_path)
    fails("nowhere.invalid/x:t", words=["nowhere.invalid"], where=tmp_path)
    fails(images.image(one("1")).replace("latest", "other"), words=["other"], where=tmp_path)
    fails("oci:%s" % (tmp_path / "no-such"), words=["no-such"], where=tmp_path)


@pytest.mark.parametrize("text", ["UPPER/case", "a//b", "x@sha256:1234", "x:" + "t" * 200,
                                  "http://x/y", "", "-x", "x y", "x:tag:tag", "a" * 300])
def test_no_reference(text, tmp_path):
    path = tmp_path / "mnt"
    path.mkdir()
    done = run("-o", "cache_dir=%s" % (tmp_path / "cache"), "--", text, str(path))
    assert done.returncode in (1, 32)
    assert done.stderr.strip() and not is_mounted(str(path))


def test_layout_without_tag(images):
    images.image(one("only"))
    with mount("oci:" + images.path) as m:
        assert shown(m) == "only"


def test_layout_with_two_images_wants_a_tag(images, tmp_path):
    images.image(one("1"), name="first")
    images.image(one("2"), name="second")
    with mount("oci:%s:second" % images.path) as m:
        assert shown(m) == "2"
    fails("oci:" + images.path, where=tmp_path)


# Platforms

def by_platform(images, *triples, extra=()):
    entries = [(images.manifest(one("/".join(t)), where=t), t) for t in triples]
    return images.tag(images.index(list(extra) + entries))


@pytest.mark.core
def test_host_platform_by_default(images):
    source = by_platform(images, ("windows", "amd64", ""), OTHER, layout.HOST,
                         ("linux", "s390x", ""))
    with mount(source) as m:
        assert shown(m) == "/".join(layout.HOST)


@pytest.mark.parametrize("asked,got", [
    ("linux/arm64", "linux/arm64/"), ("arm64", "linux/arm64/"), ("linux/aarch64", "linux/arm64/"),
    ("linux/arm64/v8", "linux/arm64/"), ("linux/arm/v7", "linux/arm/v7"),
    ("linux/arm", "linux/arm/v7"), ("linux/arm/v6", "linux/arm/v6"), ("linux/386", "linux/386/"),
    ("linux/i386", "linux/386/"), ("linux/amd64", "linux/amd64/"),
    ("linux/x86_64", "linux/amd64/"), ("linux/amd64/v3", "linux/amd64/v3"),
    ("linux/amd64/v4", "linux/amd64/v3"), ("linux/amd64/v2", "linux/amd64/"),
    ("linux/riscv64", "linux/riscv64/")])
def test_platform_asked_for(images, asked, got):
    source = by_platform(images, ("linux", "386", ""), ("linux", "arm", "v6"),
                         ("linux", "arm", "v7"), ("linux", "arm64", ""), ("linux", "amd64", ""),
                         ("linux", "amd64", "v3"), ("linux", "riscv64", ""))
    with mount(source, "platform=" + asked) as m:
        assert shown(m) == got


def test_variant_falls_to_an_older_one(images):
    source = by_platform(images, ("linux", "arm", "v5"), ("linux", "arm", "v6"))
    with mount(source, "platform=linux/arm/v7") as m:
        assert shown(m) == "linux/arm/v6"


def test_platform_that_is_not_there(images, tmp_path):
    source = by_platform(images, ("linux", "ppc64le", ""), ("linux", "s390x", ""))
    fails(source, "platform=linux/arm64", words=["linux/arm64", "linux/s390x"], where=tmp_path)


def test_first_of_equal_entries(images):
    first, second = images.manifest(one("first")), images.manifest(one("second"))
    with mount(images.tag(images.index([(first, layout.HOST), (second, layout.HOST)]))) as m:
        assert shown(m) == "first"


def test_entries_that_are_no_images_are_passed_over(images):
    junk = images.manifest([images.blob(b"{}", "application/vnd.in-toto+json")],
                           config=images.blob(b"{}", layout.CONFIG))
    attestation = {**junk, "platform": {"os": "unknown", "architecture": "unknown"},
                   "annotations": {"vnd.docker.reference.type": "attestation-manifest",
                                   "vnd.docker.reference.digest": "sha256:" + "1" * 64}}
    soci = {**junk, "artifactType": "application/vnd.amazon.soci.index.v2+json",
            "platform": layout.platform_of(layout.HOST)}
    other = {**images.blob(b"text", "text/plain"), "platform": layout.platform_of(layout.HOST)}
    with mount(by_platform(images, layout.HOST, extra=[attestation, soci, other])) as m:
        assert shown(m) == "/".join(layout.HOST)


def test_index_within_an_index(images):
    inner = images.index([(images.manifest(one("inner")), layout.HOST)])
    with mount(images.tag(images.index([inner]))) as m:
        assert shown(m) == "inner"


def test_index_entry_without_platform(images):
    """Its config says it."""
    other = images.manifest(one("other"), where=OTHER)
    host = images.manifest(one("host"))
    with mount(images.tag(images.index([other, host]))) as m:
        assert shown(m) == "host"


def test_platform_of_a_single_manifest_is_not_asked(images):
    """There is no choice to make: whoever names one image sees it."""
    with mount(images.image(one("other"), where=OTHER)) as m:
        assert shown(m) == "other"


def test_platform_of_a_single_manifest_that_was_asked(images, tmp_path):
    source = images.image(one("other"), where=OTHER)
    asked = "/".join(p for p in OTHER if p)
    with mount(source, "platform=" + asked) as m:
        assert shown(m) == "other"
    host = "/".join(p for p in layout.HOST if p)
    done = run("-o", "platform=%s,cache_dir=%s" % (host, tmp_path / "c"), source, str(tmp_path))
    assert done.returncode == 32 and "is for " + asked in done.stderr


# What is no image

def test_artifact(images, tmp_path):
    empty = images.blob(b"{}", "application/vnd.oci.empty.v1+json")
    manifest = images.manifest([images.blob(b"text", "text/plain")], config=empty,
                               more={"artifactType": "application/vnd.example.thing"})
    fails(images.tag(manifest), "layout=rootfs", words=["application/vnd.example.thing"], where=tmp_path)


def test_schema_1(fake, tmp_path):
    text = json.dumps(
        {"schemaVersion": 1, "name": "x", "tag": "t", "architecture": "amd64",
         "fsLayers": [{"blobSum": "sha256:" + "0" * 64}], "history": [{"v1Compatibility": "{}"}]})
    for suffix in ("v1+prettyjws", "v1+json"):
        reference = fake.tag("old", "t", text.encode(), layout.DOCKER + suffix)
        fails(reference, words=["schema 1"], where=tmp_path)


def test_encrypted_layer(images, tmp_path):
    d = images.layer(one("1")[0])
    d["mediaType"] += "+encrypted"
    fails(images.image([d]), words=["encrypted"], where=tmp_path)


# Real tools write these

def test_pushed_by_skopeo_in_both_formats(images, registry, tmp_path):
    layers = [layer(file("f", "x"), file("g", "y")), layer(file("f", "z"))]
    source = images.image(layers)
    with oracle.overlay(layers, tmp_path / "overlay") as path:
        want = tree.dump(path)
    for form in ("oci", "v2s2"):
        with mount(registry.push(source, "skopeo/" + form, "t", "--format", form)) as m:
            tree.assert_same(want, tree.dump(m.root))
            media = json.loads(m.read("manifest.json"))["mediaType"]
            assert ("docker" in media) == (form == "v2s2")


def test_layout_of_unknown_form(images, tmp_path):
    """It is there: so that is not what the sentence says."""
    d = images.document({"schemaVersion": 1}, "application/vnd.example.thing.v9+json")
    source = images.tag(d, "odd")
    for s in (source, source[:source.rindex(":")]):
        assert "no image" not in fails(s, words=["application/vnd.example.thing.v9"],
                                       where=tmp_path)


def test_layout_says_that_it_is_an_artifact(images):
    """As ORAS writes index.json: with the artifact's type on the descriptor."""
    empty = images.blob(b"{}", "application/vnd.oci.empty.v1+json")
    title = {"annotations": {"org.opencontainers.image.title": "a.txt"}}
    d = images.manifest([{**images.blob(b"text", "text/plain"), **title}], config=empty,
                        more={"artifactType": "application/vnd.example.thing"})
    with mount(images.tag({**d, "artifactType": "application/vnd.example.thing"}, "v1")) as m:
        assert m.read("files/a.txt") == b"text"


# Other digests

def sha512(images, data, media_type):
    d = "sha512:" + hashlib.sha512(data).hexdigest()
    os.makedirs(os.path.dirname(images.blob_path(d)), exist_ok=True)
    with open(images.blob_path(d), "wb") as f:
        f.write(data)
    return {"mediaType": media_type, "digest": d, "size": len(data)}


@pytest.mark.parametrize("where", ["layout", "registry"])
@pytest.mark.parametrize("spoil", [False, True])
def test_sha512(images, fake, where, spoil):
    tar = one("1")[0]
    of_layer = sha512(images, layout.compress(tar, "gzip"), layout.LAYER["oci", "gzip"])
    of_layer["diff"] = "sha512:" + hashlib.sha512(tar).hexdigest()
    config = sha512(images, images.read(images.config([of_layer])), layout.CONFIG)
    manifest = images.read(images.manifest([of_layer], config=config))
    manifest = sha512(images, manifest, layout.MANIFEST)
    index = images.read(images.index([(manifest, layout.HOST)]))
    index = sha512(images, index, layout.INDEX)
    if where == "layout":
        source = images.tag(index)
    else:
        for d in (manifest, index):
            fake.tag("s", d["digest"], images.read(d), d["mediaType"])
        source = "%s/s@%s" % (fake.host, index["digest"])
    if spoil:
        with open(images.blob_path(of_layer["digest"]), "r+b") as f:
            f.write(b"\x1f\x8b\x08\x00\x01")
    with mount(source, quiet=not spoil) as m:
        if spoil:
            with pytest.raises(OSError):
                shown(m)
            return
        assert shown(m) == "1"
        assert m.read("config.json") == images.read(config)
        assert os.listdir(m.path + "/layers")
        assert m.status()["layers"][0]["digest"] == of_layer["digest"]


def test_data_of_a_descriptor(images, fake):
    """Used where it has the digest, and else as if it were not there."""
    layers = [images.layer(one("1")[0])]
    config = images.config(layers)
    for data in (images.read(config), b"x" * config["size"], b"short"):
        d = {**config, "data": base64.b64encode(data).decode()}
        source = fake.image("data", layers, config=d)
        fake.asked.clear()
        with mount(source) as m:
            assert shown(m) == "1"
        asked = any(config["digest"] in path for _, path, _ in fake.asked)
        assert asked == (data != images.read(config))
