# SPDX-License-Identifier: MIT
"""What an image, a registry, a store or another's mount says reaches no terminal raw, and
nothing secret reaches a log."""
import base64
import contextlib
import io
import json
import os
import re
import tarfile

import pytest

import badregistry
import layout
import test_sources
from archive import directory, file, hardlink, header, layer, pad, pax
from badregistry import PASSWORD, SECRET, SIGNATURE, TOKEN
from mounting import (PEELCTL, environment, eventually, find_daemon, foreground, is_mounted,
                      mount, run, unmount)
from test_artifacts import Artifacts
from test_network import authfile


# One of each: C0, DEL, C1 in UTF-8, controls of direction.
SIGNS = {"escape": "\x1b", "bell": "\a", "return": "\r", "line": "\n", "delete": "\x7f",
         "next-line": "\u0085", "csi": "\u009b", "override": "\u202e", "embedding": "\u202a",
         "isolate": "\u2066", "end-of-isolate": "\u2069"}
EVIL = "<" + "|".join(SIGNS.values()) + ">"
SHORT = "\x1b\u009b\u202e"  # where no long one is taken
# Without those that no header of HTTP, and no name in some places, can hold.
HEADER = "".join(c for c in EVIL if c >= " " and c != "\x7f").encode().decode("latin-1")
RAW = re.compile("[\0-\x08\x0b-\x1f\x7f\x80-\x9f\u202a-\u202e\u2066-\u2069]")


def assert_clean(text, where=""):
    """Line ends and tabs of our own are no harm; a line of theirs is seen by its rest."""
    found = RAW.search(text)
    assert not found, "%s: %r in %r" % (where, found[0], text[max(0, found.start() - 60):][:160])
    assert "\n|" not in text, "%s: a line of theirs: %r" % (where, text)


def ctl(*words, **more):
    done = run(*words, program=PEELCTL, **more)
    return done.stdout + done.stderr


@contextlib.contextmanager
def tried(source, *options, where, arguments=(), env=None):
    """What the mount prints, and where it is mounted or None; nothing is left."""
    path = str(where / "mnt")
    os.makedirs(path, exist_ok=True)
    done = run(*arguments, "-v", "-o", ",".join(("cache_dir=%s" % (where / "cache"), "timeout=4") + options),
               source, path, env=env)
    try:
        yield done.stderr, path if done.returncode == 0 else None
    finally:
        if is_mounted(path):
            unmount(path)
            eventually(lambda: not find_daemon(path))


def all_of(source, where, *options, env=None):
    """(program, what it prints) for everything that can be asked about a source."""
    with tried(source, *options, where=where, env=env) as (said, path):
        yield "mount", said
        if path:
            yield "status", ctl("status", path)
            yield "status --json", ctl("status", "--json", path)
            yield "status of all", "".join(line for line in ctl("status").splitlines(True)
                                           if path in line)
            yield "status.json", read(path + "/.peelfs/status.json")
            for name in ("rootfs", "rootfs/f", "rootfs/d"):
                yield "which", ctl("which", os.path.join(path, name))
            for name in ("files", "referrers", "platforms", "layers"):
                with contextlib.suppress(OSError):
                    for top, folders, names in os.walk(os.path.join(path, name)):
                        yield "names in " + name, "|".join(folders + names)
                        break
    index = ["index", "-o", ",".join(("cache_dir=%s" % (where / "own"), "timeout=4") + options)]
    yield "index", ctl(*index, source, env=env)
    yield "cache list", ctl("cache", "list", str(where / "own"))


def read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


# Texts of an image on disk

def of_tar(*entries):
    return lambda images: images.image([layer(file("f", "1"), directory("d"), *entries)])


def of_config(**more):
    def make(images):
        one = images.layer(layer(file("f", "1"), directory("d")))
        return images.image([one], config=images.config([one], more=more))
    return make


def of_media(images):
    one = {**images.layer(layer(file("f"))), "mediaType": "x/" + EVIL}
    return images.image([one])


def of_manifest_media(images):
    one = images.manifest([layer(file("f"))], more={"mediaType": "x/" + EVIL})
    return images.tag(one)


def of_index(images):
    one = images.manifest([layer(file("f"))])
    return images.tag(images.index([(one, (SHORT, "x" + SHORT, ""))]))


def of_platforms(images):
    one, two = images.manifest([layer(file("f"))]), images.manifest([layer(file("g"))])
    return images.tag(images.index([(one, layout.HOST), (two, (SHORT, "x" + SHORT, SHORT))]))


def of_tags(images):
    images.image([layer(file("f"))], name="one" + EVIL)
    images.image([layer(file("g"))], name="two" + EVIL)
    return "oci:%s:none" % images.path


def of_titles(images):
    own = Artifacts(images)
    return own.local([own.blob(b"1", "text/plain", "title" + EVIL)], artifactType="a/" + EVIL)


def of_repo_tags(images):
    path = os.path.join(os.path.dirname(images.path), "a.tar")
    source = test_sources.saved(path, test_sources.LAYERS, False)
    with tarfile.open(path) as old:
        members = [(m, old.extractfile(m).read()) for m in old]
    with tarfile.open(path, "w") as new:
        for member, data in members:
            data = data.replace(b'"app:t"', json.dumps("app" + EVIL + ":t").encode()) \
                if member.name.endswith("manifest.json") else data
            member.size = len(data)
            new.addfile(member, io.BytesIO(data))
    return source + ":none:t"


def of_json(images):
    return images.tag(images.blob(('{"schemaVersion":2,"layers":"%s"}' % EVIL).encode(),
                                  layout.MANIFEST))


IMAGES = {
    "hard link": of_tar(hardlink("a" + EVIL, "nowhere" + EVIL)),
    "long name": of_tar(file(EVIL + "n" * 256)),
    "long folder": of_tar(file(EVIL + "n" * 256 + "/" + EVIL)),
    "name in an error": of_tar(pax({"path": "e" + EVIL, "size": "-" + EVIL}) + header("e")),
    "checksum": of_tar(header("bad" + EVIL, checksum=1)),
    "sparse": of_tar(pax([("SUN.holesdata", " 1")]) + header("sparse" + EVIL, size=1) + pad(b"1")),
    "attribute": of_tar(file("g", records=[("SCHILY.xattr.user." + EVIL + "n" * 300, "1")])),
    "os": of_config(os=SHORT),
    "architecture": of_config(architecture=SHORT, variant=SHORT),
    "steps": of_config(history=[{"created_by": "RUN step" + EVIL, "comment": "c" + EVIL,
                                 "author": EVIL}]),
    "author": of_config(author=EVIL, created=EVIL),
    "media type": of_media,
    "media type of a manifest": of_manifest_media,
    "platform": of_index,
    "platforms": of_platforms,
    "tags": of_tags,
    "titles": of_titles,
    "RepoTags": of_repo_tags,
    "JSON": of_json,
}


@pytest.mark.parametrize("name", IMAGES)
def test_texts_of_an_image(images, tmp_path, name):
    source = IMAGES[name](images)
    for what, text in all_of(source, tmp_path):
        assert_clean(text, what)


@pytest.mark.parametrize("name", IMAGES)
def test_texts_in_the_foreground(images, name):
    """The log of -f is a terminal, too; -d traces the names of files."""
    with foreground(IMAGES[name](images), arguments=("-f", "-d", "-v"), wait=False) as m:
        eventually(lambda: is_mounted(m.path) or m.child.poll() is not None)
        if is_mounted(m.path):
            for top, _, names in os.walk(m.path):
                for n in names:
                    with contextlib.suppress(OSError):
                        os.lstat(os.path.join(top, n))
            with contextlib.suppress(OSError):
                os.lstat(m.at("look" + EVIL))
        m.log.seek(0)
        text = m.log.read().decode(errors="replace")
        assert_clean(text, "the log")


# Texts of a registry

def words(status, **more):
    body = json.dumps({"errors": [{"code": "C" + EVIL, "message": "M" + EVIL}], **more}).encode()
    return lambda b: setattr(b, "always", lambda request: (status, body, "application/json"))


def headers(status=200, **lines):
    named = {k.replace("_", "-"): v for k, v in lines.items()}
    return lambda b: setattr(b, "always", lambda request: (status, b"", HEADER, named))


def token(status, body):
    def change(b):
        b.auth = "token"
        b.always = lambda request: (status, json.dumps(body).encode(), "application/json") \
            if request.path.startswith("/token") else None
    return change


def challenge(line):
    def change(b):
        b.auth, b.challenges = "token", [line % HEADER]
    return change


def referrers(b):
    d = b.images.document({"x": EVIL}, "x/" + "y")
    b.answers["referrers"] = 200, json.dumps({
        "schemaVersion": 2, "manifests": [{**d, "artifactType": "type/" + EVIL,
                                           "mediaType": layout.MANIFEST}]}).encode(), layout.INDEX


REGISTRIES = {
    "words of 403": words(403), "words of 404": words(404), "words of 500": words(500),
    "words of 400": words(400),
    "no list of errors": lambda b: setattr(b, "always", lambda request: (
        403, json.dumps({"error": EVIL, "error_description": EVIL}).encode(), "application/json")),
    "Content-Type": headers(), "Location": headers(307, Location="http://[%s" % HEADER),
    "Location elsewhere": headers(307, Location="ftp://%s/" % HEADER),
    "Content-Encoding": headers(Content_Encoding=HEADER),
    "token server": token(403, {"details": EVIL, "message": EVIL}),
    "token": token(200, {"token": "t" + EVIL}),
    "realm": challenge('Bearer realm="ftp://%s"'), "realm that is a URL": challenge(
        'Bearer realm="http://[%s/"'), "scheme": challenge("%s"),
    "referrers": referrers,
}


@pytest.mark.parametrize("name", REGISTRIES)
def test_texts_of_a_registry(images, tmp_path, name):
    with badregistry.running(images) as b:
        source = b.image("team/app", [layer(file("f", "1"), directory("d"))])
        REGISTRIES[name](b)
        for what, text in all_of(source, tmp_path):
            assert_clean(text, what)


# Texts of others on this machine

def test_texts_of_a_store(images, tmp_path):
    """Whose files are of anybody that can write to it."""
    with badregistry.running(images) as b:
        source, cache = b.image("team/app", [layer(file("f", "1"))]), tmp_path / "cache"
        with mount(source, cache=cache):
            pass
        for top, _, names in os.walk(cache):
            for name in names:
                path = os.path.join(top, name)
                if os.path.getsize(path) < 2000:
                    with open(path, "rb") as f:
                        data = f.read()
                    with open(path, "wb") as f:
                        f.write(data.replace(b"application/vnd.oci.image.manifest.v1+json",
                                             ("x/" + EVIL).encode()))
        b.fail("403", "heads")
        b.fail("403", "manifests", times=-1)
        for what, text in all_of(source, tmp_path):
            assert_clean(text, what)
        for words in (["cache", "list"], ["cache", "verify"]):
            assert_clean(ctl(*words, str(cache)), words)


def test_texts_of_another_mount(images, tmp_path):
    """A file system that says it is ours: with the root file system at the mount point the image
    itself can have a .peelfs/status.json."""
    status = json.dumps({
        "image": "i" + EVIL, "source": EVIL, "manifest": EVIL, "platform": EVIL, "state": EVIL,
        "store": EVIL, "storeWarning": EVIL, "namespace": EVIL, "artifactType": EVIL,
        "layers": [{"digest": EVIL, "state": EVIL, "index": EVIL, "error": EVIL}],
        "network": {"requests": 1}}, ensure_ascii=False)
    tar = layer(directory(".peelfs"), file(".peelfs/status.json", status), file("f", "1"))
    place = tmp_path / ("at" + EVIL.replace("\n", "").replace("/", ""))
    place.mkdir()
    with mount(images.image([tar]), "layout=rootfs") as m:
        shown = [ctl("status", m.path), ctl("status", "--json", m.path), ctl("which", m.path + "/f"),
                 "".join(line for line in ctl("status").splitlines(True) if m.path in line)]
        for text in shown:
            assert_clean(text)


def test_place_of_another_mount(images, tmp_path):
    """And its mount point has a name."""
    base = tmp_path / "x"
    base.mkdir()
    place = str(base / ("at" + EVIL))
    os.mkdir(place)
    source = images.image([layer(file("f", "1"))])
    done = run("-o", "cache_dir=%s" % (tmp_path / "cache"), source, place)
    try:
        assert done.returncode == 0, done
        said = "".join(line for line in ctl("status").splitlines(True) if str(base) in line)
        assert said
        assert_clean(said)
    finally:
        unmount(place)
        eventually(lambda: not find_daemon(place))


# Secrets

def no_secret(text, *more):
    for secret in (PASSWORD, SECRET, SIGNATURE, TOKEN, *more):
        assert secret not in text, text


@pytest.mark.parametrize("url", [
    "http://me:proxyS3cret@[bad", "http://me:proxyS3cret@host:port/",
    "ftp://me:proxyS3cret@host", "me:proxyS3cret@exa mple:1",
    "http://me:proxyS3cret@none.invalid:1/"])
def test_bad_proxy_does_not_print_its_password(tmp_path, url):
    env = environment(https_proxy=url, HTTPS_PROXY=url, http_proxy=url)
    for what, text in all_of("none.invalid/app:t", tmp_path, env=env):
        no_secret(text, "proxyS3cret")


@pytest.mark.parametrize("location", [
    "ftp://%(host)s%(path)s", "http://[bad%(path)s", "http://a b%(path)s",
    "http://%(host)s:99999%(path)s", "gopher:%(path)s", "http://me:pass%%s@%(path)s",
    "file://%(path)s", "http://127.0.0.1:1%(path)s", "https://%(host)s%(path)s"])
@pytest.mark.parametrize("what", ["blobs", "manifests"])
def test_refused_redirect_does_not_print_its_signature(images, tmp_path, location, what):
    with badregistry.running(images) as b:
        b.redirect, b.redirect_manifests, b.location = what == "blobs", what == "manifests", location
        source = b.image("team/app", [layer(file("f", "1"))])
        for what, text in all_of(source, tmp_path):
            no_secret(text)


def echo(request):
    """What was sent, in all the places that are read."""
    said = request.headers["Authorization"]
    if not said:
        return None
    return 403, json.dumps({"errors": [{"code": "DENIED", "message": "no use for " + said}]}
                           ).encode(), "application/json"


def echo_pairs(request):
    said = (request.headers["Authorization"] or "").rpartition(" ")[2]
    if not said:
        return None
    return 403, json.dumps({"error": "denied", "error_description": "%s is %s" % (
        said, base64.b64decode(said).decode())}).encode(), "application/json"


@pytest.mark.parametrize("answer", [echo, echo_pairs])
@pytest.mark.parametrize("auth", ["basic", "user token"])
def test_echoed_password_is_not_printed(images, tmp_path, answer, auth):
    with badregistry.running(images) as b:
        b.auth, b.always = auth, answer
        option = authfile(tmp_path, b.host, {"auth": SECRET})
        for what, text in all_of(b.image("team/app", [layer(file("f", "1"))]), tmp_path, option):
            no_secret(text)
