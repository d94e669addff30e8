# SPDX-License-Identifier: MIT
"""Registries, proxies and clients' files as they are in the world: each right in a mount."""
import base64
import hashlib
import json
import os
import random
import shutil
import tempfile
import time

import pytest

import badregistry
import layout
import test_lazy
from archive import file, layer
from badregistry import IDENTITY, PASSWORD, SECRET, USER
from mounting import SLOWER, environment, eventually, find_daemon, is_mounted, mount, run, unmount
from test_network import authfile, forget_data

NOISE = random.Random(12).randbytes(300_000)
TAR = layer(file("noise", NOISE), file("f", "text"))
# More than one piece of a range reader.
LONG = random.Random(13).randbytes(5_000_000)


@pytest.fixture(scope="session")
def ca():
    where = tempfile.mkdtemp(prefix="peelfs-e2e-ca-")
    yield badregistry.make_ca(where)
    shutil.rmtree(where)


@pytest.fixture
def b(images):
    with badregistry.running(images) as b:
        yield b


def is_whole(m, path="rootfs"):
    assert m.read(path + "/noise") == NOISE
    assert m.read(path + "/f") == b"text"


def works(b, *options, env=None, cache=None, source=None):
    """It can be mounted and read, and read again when nothing of it is stored."""
    with tempfile.TemporaryDirectory() as own:
        cache = cache or os.path.join(own, "cache")
        source = source or b.image("team/app", [TAR])
        with mount(source, "timeout=9", *options, cache=cache, env=env) as m:
            is_whole(m)
        forget_data(cache)
        with mount(source, "timeout=9", *options, cache=cache, env=env) as m:
            is_whole(m)


def refused(where, source, *options, env=None):
    """Exit 32 and one sentence, which is given; nothing is left."""
    path = str(where / "refused")
    os.makedirs(path, exist_ok=True)
    done = run("-o", ",".join(("cache_dir=%s" % (where / "other"),) + options), source, path,
               env=env)
    if is_mounted(path):
        unmount(path)
        eventually(lambda: not find_daemon(path))
    assert done.returncode == 32 and done.stderr.count("\n") == 1, done
    return done.stderr


# Tokens and passwords

@pytest.mark.parametrize("status", [400, 403])
@pytest.mark.parametrize("what", ["data", "tag"])
def test_expired_token_without_a_challenge(b, tmp_path, what, status):
    """Renewed by the challenge that was met before; the request is repeated once."""
    b.auth = "token"
    source, cache = b.image("team/app", [TAR]), tmp_path / "cache"
    with mount(b.host + "/" if what == "tag" else source, "timeout=9", "tag_ttl=1",
               cache=cache) as m:
        path = "team/app:t/rootfs" if what == "tag" else "rootfs"
        is_whole(m, path)
        b.expire()
        b.expired_status = status
        before = len(b.asked)
        if what == "tag":
            fresh = layer(file("noise", NOISE), file("f", "text"), file("new"))
            b.image("team/app", [fresh])
            where = os.path.join(m.path, path)
            assert eventually(lambda: "new" in os.listdir(where), 4, 0.2)
            return
        assert m.read("oci/blobs/" + layer_of(b)) == b.images.read({"digest": digest_of_layer(b)})
        assert len([r for r in b.asked[before:] if "/blobs/" in r[2]]) == 2


def digest_of_layer(b):
    return json.loads(b.manifests["team/app", "t"][1])["layers"][0]["digest"]


def layer_of(b):
    return digest_of_layer(b).replace(":", "/")


@pytest.mark.parametrize("line", ['basic realm="Registry"', 'BASIC realm="Nexus Repository"',
                                  "Basic realm=/", "Basic"])
def test_basic_after_bearer(b, tmp_path, line):
    b.auth = "user token"
    option = authfile(tmp_path, b.host, {"auth": SECRET})
    with mount(b.image("team/app", [TAR]), "timeout=9", option) as m:
        is_whole(m)
        b.auth, b.challenges = "basic", [line]
        assert m.read("oci/blobs/" + layer_of(b)) == b.images.read({"digest": digest_of_layer(b)})


@pytest.mark.parametrize("lines", [
    ['BASIC realm="Sonatype Nexus Repository Manager"'], ["Basic realm=/"],
    ["Negotiate", 'Basic realm="x"'], ['Negotiate, NTLM, Basic realm="x"'],
    ['Digest realm="a, b", nonce="Basic x", Basic realm="x"']], ids=repr)
def test_challenges_of_basic(b, tmp_path, lines):
    b.auth, b.challenges = "basic", lines
    works(b, authfile(tmp_path, b.host, {"auth": SECRET}))


@pytest.mark.parametrize("root", [False, True], ids=["everywhere", "root"])
@pytest.mark.parametrize("scope", [
    'scope="repository::pull"', 'scope="repository::pull,push"', 'scope=""', ""], ids=repr)
def test_scope(b, scope, root):
    """One that names no repository is none: ours is asked for."""
    b.auth, b.strict_scope, b.challenge_at_root = "token", True, root
    b.challenges = ['Bearer realm="%s/token",service="x"%s' % (b.url, scope and "," + scope)]
    works(b)


@pytest.mark.parametrize("line", [
    'Bearer realm="%s/token"', 'Bearer realm="%s/token",service="x",scope="*"',
    'Basic realm="x", Bearer realm="%s/token",service="x"',
    'bearer Realm="%s/token", Service = "x"', 'Bearer realm=%s/token,service=x'], ids=repr)
def test_challenges_of_bearer(b, line):
    b.auth, b.challenges = "token", [line.replace("%s", b.url)]
    works(b)


@pytest.mark.parametrize("answer", [
    {"token": ""}, {"token": None, "expires_in": None}, {"expires_in": "300"}, {"expires_in": 0},
    {"expires_in": 3e2}, {"expires_in": -1}, {"issued_at": 1457510670}, {"issued_at": ""},
    {"expires_in": 10 ** 30}, {"issued_at": "2100-01-01T00:00:00Z"}], ids=repr)
def test_answers_of_token_servers(b, answer):
    b.auth, b.token_answer = "token", answer
    works(b)


def test_token_that_is_not_yet_good(b):
    """The clock of one of the registry's machines is late."""
    b.auth, b.token_after = "token", 2
    works(b)


@pytest.mark.parametrize("fault", ["404", "405", "403", "page"])
def test_identity_token_where_none_is_taken(b, tmp_path, fault):
    """With a password beside it, which is asked for in the old way."""
    b.auth, b.post_fault = "user token", fault
    works(b, authfile(tmp_path, b.host, {"auth": SECRET, "identitytoken": IDENTITY}))


def test_identity_token_alone_where_none_is_taken(b, tmp_path):
    b.auth, b.post_fault = "user token", "404"
    said = refused(tmp_path, b.image("team/app", [TAR]), "timeout=4",
                   authfile(tmp_path, b.host, {"identitytoken": IDENTITY}))
    assert "404" in said and IDENTITY not in said


def folded(text, end):
    half = len(text) // 2
    return {"in": text[:half] + end + text[half:], "behind": text + end,
            "often": end.join(text[i:i + 4] for i in range(0, len(text), 4)) + end}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=repr)
@pytest.mark.parametrize("where", ["in", "behind", "often"])
def test_auth_with_line_breaks(b, tmp_path, where, end):
    b.auth = "basic"
    works(b, authfile(tmp_path, b.host, {"auth": folded(SECRET, end)[where]}))


@pytest.mark.parametrize("auth", [
    "!!!", base64.b64encode(b"nocolon").decode(), SECRET[:-3], "me:password"])
def test_auth_that_cannot_be_read(b, tmp_path, auth):
    """Named by its file and host, and not shown."""
    b.auth = "basic"
    said = refused(tmp_path, b.image("team/app", [TAR]), "timeout=4",
                   authfile(tmp_path, b.host, {"auth": auth}))
    assert "auth.json" in said and b.host in said and '"auth"' in said, said
    assert "password" not in auth or "me:password" not in said
    assert SECRET[:-3] not in said


HELPER = """#!/bin/sh
cat > /dev/null
echo >> "$0.times"
cat "$0.says"
"""


@pytest.mark.parametrize("status", [403, 400])
def test_password_of_a_helper_that_has_expired(b, tmp_path, status):
    """It is good for some hours. What a registry says then need not be 401."""
    program = tmp_path / "docker-credential-test"
    program.write_text(HELPER)
    program.chmod(0o755)
    says = tmp_path / "docker-credential-test.says"
    says.write_text(json.dumps({"ServerURL": "x", "Username": USER, "Secret": PASSWORD}))
    (tmp_path / "config.json").write_text(json.dumps({"credsStore": "test"}))
    env = environment(PATH="%s:%s" % (tmp_path, os.environ["PATH"]), DOCKER_CONFIG=str(tmp_path))
    b.auth = "basic"
    with mount(b.image("team/app", [TAR]), "timeout=9", env=env) as m:
        is_whole(m)
        b.secret = base64.b64encode(b"me:another").decode()
        b.expired_status = status
        says.write_text(json.dumps({"ServerURL": "x", "Username": USER, "Secret": "another"}))
        assert m.read("oci/blobs/" + layer_of(b)) == b.images.read({"digest": digest_of_layer(b)})


CONF = """[[registry]]
prefix = "example.org"
location = "%s"
insecure = true
"""


@pytest.mark.parametrize("variable,name", [
    ("REGISTRY_AUTH_FILE", "conf/config.json"), ("REGISTRY_AUTH_FILE", "./conf/config.json"),
    ("DOCKER_CONFIG", "conf"), ("CONTAINERS_REGISTRIES_CONF", "conf/registries.conf")])
def test_relative_places(b, tmp_path, monkeypatch, variable, name):
    """Resolved before the daemon changes its directory: a namespace asks for them later."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/registries.conf").write_text(CONF % b.host)
    (tmp_path / "conf/config.json").write_text(json.dumps({"auths": {b.host: {"auth": SECRET}}}))
    b.auth = "basic" if "CONF" not in variable or "DOCKER" in variable else None
    b.image("team/app", [TAR])
    monkeypatch.chdir(tmp_path)
    host = b.host if b.auth else "example.org"
    with mount(host + "/", "timeout=4", env=environment(**{variable: name})) as m:
        is_whole(m, "team/app:t/rootfs")


# Ranges

STATUS = (400, 403, 416, 500, 501, 503)


@pytest.mark.parametrize("redirect", [False, True], ids=["registry", "elsewhere"])
@pytest.mark.parametrize("form", ["gzip", "estargz"])
@pytest.mark.parametrize("kind,status", [
    *((kind, status) for status in STATUS for kind in ("range0", "range")), ("multipart", "")])
def test_ranges_refused(b, tmp_path, request, kind, status, form, redirect):
    """By firewalls and old proxies: the blob is asked for without one, soon, and read."""
    b.redirect = redirect
    tar = layer(file("noise", NOISE), file("long", LONG), file("f", "text"))
    d = b.images.layer(tar) if form == "gzip" else test_lazy.put(b.images, form, tar)
    source, cache = b.image("team/app", [d]), tmp_path / "cache"
    b.fail(("%s %s" % (kind, status)).strip(), times=-1, about=d["digest"])
    with mount(source, "timeout=9", cache=cache, quiet=form == "gzip"):
        pass
    forget_data(cache)
    start = time.monotonic()
    with mount(source, "timeout=9", cache=cache, quiet=form == "gzip") as m:
        is_whole(m)
        assert m.read("rootfs/long") == LONG
    assert time.monotonic() - start < 5 * SLOWER


@pytest.mark.parametrize("form", ["gzip", "estargz", "storage"])
@pytest.mark.parametrize("fault", ["part as 200", "unknown total"])
def test_odd_ranges(b, tmp_path, form, fault):
    """A part that comes with Content-Range is that part, whatever its status."""
    d = b.images.layer(TAR) if form == "gzip" else test_lazy.put(b.images, form, TAR)
    b.fail(fault, times=-1, about=d["digest"])
    works(b, source=b.image("team/app", [d]))


# Tags

HEADS = ["400", "401", "403", "404", "405", "500"]


@pytest.mark.parametrize("status", HEADS)
@pytest.mark.parametrize("how", ["image", "namespace"])
def test_head_that_fails(b, tmp_path, how, status):
    """What GET says counts, though an older image is known."""
    source, cache = b.image("team/app", [TAR]), tmp_path / "cache"
    source, path = (source, "") if how == "image" else (b.host + "/", "team/app:t/")
    with mount(source, "timeout=9", cache=cache) as m:
        assert m.read(path + "rootfs/f") == b"text"
    b.image("team/app", [layer(file("f", "new"))])
    b.fail(status, "heads")
    with mount(source, "timeout=9", cache=cache) as m:
        assert m.read(path + "rootfs/f") == b"new"


@pytest.mark.parametrize("status", HEADS)
def test_head_that_fails_while_browsing(b, status):
    b.image("team/app", [TAR])
    with mount(b.host + "/", "timeout=9", "tag_ttl=1") as m:
        assert m.read("team/app:t/rootfs/f") == b"text"
        b.image("team/app", [layer(file("f", "new"))])
        b.fail(status, "heads")
        assert eventually(lambda: m.read("team/app:t/rootfs/f") == b"new", 4, 0.2)


@pytest.mark.parametrize("status", ["400", "403", "404"])
def test_head_and_get_that_fail(b, tmp_path, status):
    """Then what is stored serves."""
    source, cache = b.image("team/app", [TAR]), tmp_path / "cache"
    with mount(source, cache=cache) as m:
        is_whole(m)
    b.fail(status, "heads")
    b.fail("403" if status == "404" else status, "manifests", times=-1)
    with mount(source, "timeout=4", cache=cache, quiet=False) as m:
        is_whole(m)
        assert "what it was last" in m.stderr
    assert "GET" in [r[1] for r in b.asked_for("/manifests/t")[1:]]


@pytest.mark.parametrize("fault", ["chunked", "head without length", "head length 0", "no digest",
                                   "other digest", "type text/plain", "type application/json",
                                   "type application/octet-stream", "type ",
                                   "type " + layout.DOCKER_MANIFEST,
                                   "type %s; charset=utf-8" % layout.MANIFEST,
                                   "type Application/Vnd.OCI.image.manifest.v1+JSON", "gzip"])
def test_heads_of_manifests(b, fault, tmp_path):
    b.fail(fault, "manifests", times=-1)
    works(b)
    if "manifest" in fault:
        return  # which an index contradicts
    index = b.images.index([(b.images.manifest([TAR]), layout.HOST)])
    d = json.loads(b.images.read(index))["manifests"][0]
    b.tag("team/app", "x", b.images.read(d), d["mediaType"])
    works(b, source=b.tag("team/app", "i", b.images.read(index), index["mediaType"]))


# Redirects

@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_store_that_wants_a_referer(images, ca, tls):
    with badregistry.running(images, ca if tls else None) as b:
        b.redirect = b.needs_referer = True
        works(b, *(["cacert=" + ca[0]] if tls else []))
        for r in b.asked:
            want = "%s/v2/team/app/blobs/%s" % (b.url, r[2].split("?")[0].rsplit("/", 1)[1])
            assert r[3].get("Referer") == (want if r[0] == "store" else None), r


def test_no_referer_from_https_to_http(images, ca):
    with badregistry.running(images, ca, store_tls=False) as b:
        b.redirect = True
        works(b, "cacert=" + ca[0])
        assert b.asked_for("store/", "store")
        assert all("Referer" not in r[3] for r in b.asked)


def test_referer_without_query(b, tmp_path):
    """A mirror is asked with ?ns=."""
    folder = tmp_path / "containerd" / "certs.d" / "example.org"
    folder.mkdir(parents=True)
    (folder / "hosts.toml").write_text('server = "%s"\n[host."%s"]\n' % (
        b.url, b.url.replace("localhost", "127.0.0.1")))
    b.redirect = b.needs_referer = True
    b.image("team/app", [TAR])
    works(b, env=environment(XDG_CONFIG_HOME=str(tmp_path)), source="example.org/team/app:t")
    seen = {r[3].get("Referer") for r in b.asked if r[0] == "store"}
    assert b.asked_for("?ns=")
    assert None not in seen
    assert all("?" not in r and "@" not in r for r in seen), seen


@pytest.mark.parametrize("status", [401, 403])
def test_signed_url_that_expired(b, status):
    """A new one is asked for."""
    b.redirect, b.url_uses, b.url_refused = True, 1, status
    for _ in range(2):
        b.fail("half")
    works(b)


@pytest.mark.parametrize("status", [401, 403])
def test_signed_url_that_is_never_good(b, status, tmp_path):
    """Twice at most."""
    b.redirect, b.url_uses, b.url_refused = True, 0, status
    said = refused(tmp_path, b.image("team/app", [TAR]), "timeout=9")
    assert str(status) in said
    digest = json.loads(b.manifests["team/app", "t"][1])["config"]["digest"]
    assert len(b.asked_for(digest)) == 3, said


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("what", ["blobs", "manifests"])
def test_redirects(b, status, what):
    b.redirect_status = status
    b.redirect = b.redirect_manifests = True
    b.redirect = what == "blobs"
    b.redirect_manifests = what == "manifests"
    works(b)


@pytest.mark.parametrize("location", ["%(path)s", "//%(host)s%(path)s", "../../../..%(path)s",
                                      "%(url)s%(path)s#part", "HTTP://%(host)s%(path)s"])
def test_locations(b, location):
    b.redirect, b.location = True, location
    works(b)


@pytest.mark.parametrize("end", ["%2Fb%3D%3d+c~d", "/a//b/../c", "a=b&c", "%25%2b", "*(')!,;:@$",
                                 "%e4%F6"])
def test_signed_to_the_letter(b, end):
    """Another spelling of the same URL is not what was signed."""
    b.redirect, b.signature_end = True, end
    works(b)


# Blobs

@pytest.mark.parametrize("redirect", [False, True], ids=["registry", "elsewhere"])
@pytest.mark.parametrize("form", ["gzip", "none", "estargz"])
@pytest.mark.parametrize("fault", ["gzip", "x-gzip"])
def test_coding_that_is_of_the_blob_itself(b, fault, form, redirect):
    """A store that says so of what ends in .gz. The digest tells."""
    b.redirect = redirect
    d = b.images.layer(TAR, form) if form != "estargz" else test_lazy.put(b.images, form, TAR)
    b.fail(fault, times=-1)
    works(b, source=b.image("team/app", [d]))


@pytest.mark.parametrize("form", ["gzip", "estargz"])
@pytest.mark.parametrize("fault", ["chunked", "type text/html", "type "])
def test_heads_of_blobs(b, fault, form):
    d = b.images.layer(TAR) if form == "gzip" else test_lazy.put(b.images, form, TAR)
    b.fail(fault, times=-1)
    works(b, source=b.image("team/app", [d]))


def test_http_1_0(b):
    b.http10, b.redirect, b.auth = True, True, "token"
    works(b)


@pytest.mark.parametrize("after", [None, "880.092µs", "soon", "-1", "0", "0.5"])
@pytest.mark.parametrize("kind", ["blobs", "manifests", "token"])
def test_too_many_requests(b, kind, after):
    b.auth, b.retry_after = "token", after
    b.fail("429", kind, times=2)
    works(b)


# Mirrors

def behind(b, mirror, tmp_path, name="example.org"):
    """The environment of a machine that asks MIRROR first for what B has."""
    folder = tmp_path / "containerd" / "certs.d" / name
    folder.mkdir(parents=True)
    (folder / "hosts.toml").write_text('server = "%s"\n[host."%s"]\n' % (b.url, mirror.url))
    return environment(XDG_CONFIG_HOME=str(tmp_path))


@pytest.mark.parametrize("fault", [
    "404", "500", "403", "drop", "429", "head only", "empty 200", "page", "coding"])
@pytest.mark.parametrize("kind", ["blobs", "manifests"])
def test_mirror_that_fails(b, images, tmp_path, kind, fault):
    """The registry itself has it, and is asked within timeout=."""
    b.image("team/app", [TAR])
    with badregistry.running(images) as mirror:
        mirror.image("team/app", [TAR])
        mirror.fail(fault, kind, times=-1)
        with mount("example.org/team/app:t", "timeout=6", cache=tmp_path / "cache",
                   env=behind(b, mirror, tmp_path)) as m:
            is_whole(m)


# Lists

@pytest.mark.parametrize("link", [
    '<%s/v2/team/app/tags/list?next_page=abc%%3D&n=2>; rel="next"',
    '</v2/team/app/tags/list?next_page=abc%%3D&n=2>; rel=next',
    '<http://internal.example/v2/team/app/tags/list?next_page=abc%%3D&n=2>; rel="next"',
    '<tags/list?next_page=abc%%3D&n=2>;rel="next"',
    '<?next_page=abc%%3D&n=2>; rel="next"'])
def test_pages_of_tags(b, link):
    first = json.dumps({"name": "team/app", "tags": ["a", "b"]}).encode()
    second = json.dumps({"name": "team/app", "tags": ["c"]}).encode()

    def page(path):
        if "next_page=abc%3D" in path:
            return 200, second, "application/json"
        return 200, first, "application/json", {"Link": (link.replace("%%", "%")).replace(
            "%s", b.url)}
    b.answers["tags"] = page
    with mount(b.host + "/team/app/", "timeout=4") as m:
        assert set(os.listdir(m.path)) >= {"a", "b", "c"}


@pytest.mark.parametrize("text", ['{"name":"team/app","tags":null}', '{"name":"team/app","tags":[]}'])
def test_no_tags(b, text):
    b.image("team/app", [TAR])
    b.answers["tags"] = 200, text.encode(), "application/json"
    with mount(b.host + "/", "timeout=4") as m:
        os.listdir(m.path + "/team/app")
        is_whole(m, "team/app:t/rootfs")


REFERRERS = {
    "406": (406, b'{"errors":[{"code":"UNSUPPORTED","message":"no"}]}', "application/json"),
    "400": (400, b'{"errors":[{"code":"UNSUPPORTED","message":"no"}]}', "application/json"),
    "page": (200, b"<!doctype html><html>a page for people</html>", "text/html"),
    "json": (200, b'{"message":"hello"}', "application/json"),
    "empty": (200, b"", "application/json"),
    "null": (200, b'{"schemaVersion":2,"manifests":null}', layout.INDEX),
    "away": (302, b"", "text/plain", {"Location": "/login"}),
}


@pytest.mark.parametrize("name", REFERRERS)
def test_referrers_that_are_not_known(b, name):
    """The tag that the specification has for such registries counts."""
    source = b.image("team/app", [TAR])
    subject = b.digest(b.manifests["team/app", "t"][1])
    other = b.images.manifest([layer(file("sbom"))], more={
        "artifactType": "application/spdx+json",
        "subject": {"mediaType": layout.MANIFEST, "digest": subject, "size": 1}})
    b.tag("team/app", other["digest"], b.images.read(other), layout.MANIFEST)
    index = b.images.index([{**other, "artifactType": "application/spdx+json"}])
    b.tag("team/app", subject.replace(":", "-"), b.images.read(index), layout.INDEX)
    b.answers["referrers"] = REFERRERS[name]
    with mount(source, "timeout=4") as m:
        found = [n for _, _, names in os.walk(m.path + "/referrers") for n in names]
        assert len(found) > 0 or name == "null"


def test_tag_of_referrers_that_is_the_image(b):
    """One registry takes sha256-HEX for sha256:HEX: the images of an index refer to nothing."""
    entries = [(b.images.manifest([TAR]), layout.HOST),
               (b.images.manifest([layer(file("f"))], where=("linux", "mips", "")),
                ("linux", "mips", ""))]
    for e, _ in entries:
        b.tag("team/app", "x", b.images.read(e), e["mediaType"])
    index = b.images.index(entries)
    source = b.tag("team/app", "t", b.images.read(index), index["mediaType"])
    for d in (index, *(e for e, _ in entries)):
        b.tag("team/app", d["digest"].replace(":", "-"), b.images.read(d), d["mediaType"])
    with mount(source, "timeout=4") as m:
        is_whole(m)
        assert os.listdir(m.path + "/referrers") == []


# Documents

@pytest.mark.parametrize("media", [layout.MANIFEST, layout.INDEX, layout.DOCKER_MANIFEST, None])
@pytest.mark.parametrize("where", ["layout", "registry", "digest"])
def test_manifest_and_index_in_one(b, tmp_path, where, media):
    """Two trees for one digest, as the reader likes (CVE-2021-41190): neither is shown."""
    images = b.images
    one, other = images.manifest([TAR]), images.manifest([layer(file("f", "other"))])
    value = {**json.loads(images.read(one)),
             "manifests": [{**other, "platform": layout.platform_of(layout.HOST)}]}
    value.pop("mediaType")
    if media:
        value["mediaType"] = media
    for said in {media or layout.MANIFEST, media or layout.INDEX}:
        d = images.document(value, said)
        b.tag("team/app", other["digest"], images.read(other), layout.MANIFEST)
        source = images.tag(d, "t%d" % len(images.tags)) if where == "layout" else \
            b.tag("team/app", "t", images.read(d), said)
        if where == "digest":
            source = "%s/team/app@%s" % (b.host, d["digest"])
        words = refused(tmp_path, source, "timeout=4")
        assert "layers" in words and "manifests" in words, words


def sha512(data):
    return "sha512:" + hashlib.sha512(data).hexdigest()


@pytest.mark.parametrize("named", [False, True], ids=["manifest.json", "by-digest"])
def test_dir_with_sha512(images, tmp_path, named):
    """Blobs are sha512-HEX, and further manifests sha512-HEX.manifest.json."""
    packed = layout.compress(TAR, "gzip")
    d = {"mediaType": layout.LAYER["oci", "gzip"], "digest": sha512(packed), "size": len(packed)}
    config = images.read(images.config([{"diff": layout.digest(TAR)}]))
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": layout.MANIFEST, "layers": [d],
        "config": {"mediaType": layout.CONFIG, "digest": sha512(config),
                   "size": len(config)}}).encode()
    index = json.dumps({
        "schemaVersion": 2, "mediaType": layout.INDEX, "manifests": [
            {"mediaType": layout.MANIFEST, "digest": sha512(manifest), "size": len(manifest),
             "platform": layout.platform_of(layout.HOST)}]}).encode()
    where = tmp_path / "dir"
    where.mkdir()
    (where / "version").write_text("Directory Transport Version: 1.2\n")
    for data in (packed, config):
        (where / sha512(data).replace(":", "-")).write_bytes(data)
    (where / "manifest.json").write_bytes(index if named else manifest)
    (where / (sha512(manifest).replace(":", "-") + ".manifest.json")).write_bytes(manifest)
    with mount("dir:%s" % where) as m:
        is_whole(m)
