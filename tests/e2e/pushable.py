# SPDX-License-Identifier: MIT
"""A registry in this process that can be pushed to, and fails as a test asks: it wants tokens
that separate pull from push, has or lacks the referrers API, breaks uploads off, refuses."""
import base64
import contextlib
import http.server
import json
import re
import threading
import urllib.parse

import layout


class Pushable:
    def __init__(self):
        self.blobs = {}          # digest: bytes
        self.manifests = {}      # (repository, digest or tag): (media type, bytes)
        self.uploads = {}        # number: bytearray
        self.api = True          # of referrers
        self.says_subject = True  # OCI-Subject
        self.users = None        # {name: actions}; None: nobody needs a token
        self.hint = True         # a challenge says which scope is needed
        self.fail_each = 0       # each so many uploads break, in one way or another
        self.refuse = None       # (status, code, message) of all uploads
        self.refuse_if = None    # fn(method, path): (status, code, message) or None
        self.elsewhere = False   # uploads continue at the other host
        self.etag = False
        self.before_put = None   # called once, before a manifest is put: fn(reference)
        self.asked = []          # (method, path, Range)
        self.scopes = []         # that tokens were asked for
        self.leaked = []         # credentials that the other host got
        self.n_uploads = 0
        self.lock = threading.Lock()

    # How images get into it without a push

    def blob(self, data, media_type):
        self.blobs[layout.digest(data)] = data
        return {"mediaType": media_type, "digest": layout.digest(data), "size": len(data)}

    def document(self, repository, value, media_type, *tags):
        data = json.dumps(value).encode()
        for name in (layout.digest(data), *tags):
            self.manifests[repository, name] = media_type, data
        return {"mediaType": media_type, "digest": layout.digest(data), "size": len(data)}

    def take(self, images, descriptor, repository, *tags):
        """The manifest of a Layout, with all that it names."""
        data = images.read(descriptor)
        for name in (descriptor["digest"], *tags):
            self.manifests[repository, name] = descriptor["mediaType"], data
        j = json.loads(data)
        for d in j.get("manifests", []):
            self.take(images, d, repository)
        for d in [*j.get("layers", []), *([j["config"]] if "config" in j else [])]:
            self.blobs[d["digest"]] = images.read(d)
        return "%s/%s:%s" % (self.host, repository, tags[0]) if tags else None

    def writes(self):
        return [(m, p) for m, p, _ in self.asked if m not in ("GET", "HEAD")]

    def referrers(self, repository, digest):
        found = {}
        for (where, name), (media, data) in self.manifests.items():
            j = json.loads(data)
            if where == repository and j.get("subject", {}).get("digest") == digest:
                found[layout.digest(data)] = {
                    "mediaType": media, "digest": layout.digest(data), "size": len(data),
                    "artifactType": j.get("artifactType") or j["config"]["mediaType"],
                    **({"annotations": j["annotations"]} if "annotations" in j else {})}
        return list(found.values())


def error(status, code, message="no"):
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    return status, {"Content-Type": "application/json"}, body


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    registry = None

    def log_message(self, *_):
        pass

    def read_body(self):
        return self.rfile.read(int(self.headers["Content-Length"] or 0))

    def reply(self, status, headers=None, body=b""):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    # Rights

    def token(self):
        r = self.registry
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        r.scopes += query.get("scope", [])
        given = self.headers["Authorization"] or ""
        user = base64.b64decode(given[6:]).decode().partition(":")[0] if given else ""
        granted = set(r.users.get(user, ["pull"]))
        asked = {a for s in query.get("scope", []) for a in s.rpartition(":")[2].split(",")}
        text = "T" + ",".join(sorted(granted & asked))
        self.reply(200, {"Content-Type": "application/json"}, json.dumps({"token": text}).encode())

    def may(self, repository, action):
        """Or the answer that refuses."""
        r = self.registry
        given = (self.headers["Authorization"] or "").partition("Bearer T")[2]
        if r.users is None or action in given.split(","):
            return None
        scope = ',scope="repository:%s:%s"' % (repository, "pull" if action == "pull"
                                               else "pull,push") if r.hint else ""
        status, headers, body = error(401, "UNAUTHORIZED", "authentication required")
        headers["WWW-Authenticate"] = 'Bearer realm="http://%s/token",service="s"%s' % (
            r.host, scope)
        return status, headers, body

    # What is there

    def get(self, repository, kind, name):
        r = self.registry
        if kind == "manifests" and (repository, name) in r.manifests:
            media, data = r.manifests[repository, name]
            tag = {"ETag": '"%s"' % layout.digest(data)} if r.etag else {}
            return 200, {"Content-Type": media, "Docker-Content-Digest": layout.digest(data),
                         **tag}, data
        if kind == "blobs" and name in r.blobs:
            data = r.blobs[name]
            span = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers["Range"] or "")
            if not span:
                return 200, {}, data
            first, last = int(span[1]), min(int(span[2] or len(data)), len(data) - 1)
            return 206, {"Content-Range": "bytes %d-%d/%d" % (first, last, len(data))}, \
                data[first:last + 1]
        if kind == "referrers" and r.api:
            return 200, {"Content-Type": layout.INDEX}, json.dumps({
                "schemaVersion": 2, "mediaType": layout.INDEX,
                "manifests": r.referrers(repository, name)}).encode()
        return error(404, "MANIFEST_UNKNOWN" if kind == "manifests" else "BLOB_UNKNOWN")

    # Uploads

    def session(self, number, status):
        r = self.registry
        where = "http://%s" % r.other if r.elsewhere else ""
        have = len(r.uploads[number])
        return status, {"Location": "%s/v2/%s/blobs/uploads/%d?state=x" % (
            where, self.repository, number), "Range": "0-%d" % max(0, have - 1)}, b""

    def upload(self, number, query, body):
        r = self.registry
        if self.command == "POST":
            number = len(r.uploads) + 1
            r.uploads[number] = bytearray()
            return self.session(number, 202)
        if number not in r.uploads:
            return error(404, "BLOB_UPLOAD_UNKNOWN")
        if self.command == "GET":
            return self.session(number, 204)
        span = re.fullmatch(r"(\d+)-(\d+)", self.headers["Content-Range"] or "")
        if span and int(span[1]) != len(r.uploads[number]):
            return error(416, "RANGE_INVALID")
        r.uploads[number] += body
        if self.command == "PATCH":
            return self.session(number, 202)
        data = bytes(r.uploads.pop(number))
        digest = query["digest"][0]
        if layout.digest(data) != digest:
            return error(400, "DIGEST_INVALID")
        r.blobs[digest] = data
        return 201, {"Location": "/v2/%s/blobs/%s" % (self.repository, digest)}, b""

    def put_manifest(self, repository, name, body):
        r = self.registry
        if r.before_put:
            fn, r.before_put = r.before_put, None
            fn(name)
        old = r.manifests.get((repository, name))
        want = self.headers["If-Match"]
        if want and (not old or '"%s"' % layout.digest(old[1]) != want):
            return error(412, "MANIFEST_INVALID", "it has changed")
        j = json.loads(body)
        for d in [*j.get("layers", []), *([j["config"]] if "config" in j else [])]:
            if d["digest"] not in r.blobs:
                return error(400, "MANIFEST_BLOB_UNKNOWN", d["digest"])
        r.manifests[repository, name] = r.manifests[repository, layout.digest(body)] = (
            self.headers["Content-Type"], body)
        said = r.api and r.says_subject and "subject" in j
        return 201, {"Location": "/v2/x", **(
            {"OCI-Subject": j["subject"]["digest"]} if said else {})}, b""

    def fails(self):
        """How this upload breaks: None, "before" or "after" it is done, "500"."""
        r = self.registry
        if not r.fail_each or self.command in ("GET", "HEAD"):
            return None
        with r.lock:
            r.n_uploads += 1
            n = r.n_uploads
        return ("before", "after", "500")[n // r.fail_each % 3] if n % r.fail_each == 0 else None

    def answer(self, body):
        r = self.registry
        url = urllib.parse.urlsplit(self.path)
        found = re.fullmatch(
            r"/v2/(.+)/(?:(manifests|blobs|referrers)/([^/]+)|blobs/uploads/(\d*))", url.path)
        if url.path == "/v2/":
            return self.may("x", "pull") or (200, {}, b"{}")
        if not found:
            return error(404, "NAME_UNKNOWN")
        self.repository = found[1]
        is_write = self.command not in ("GET", "HEAD") or found[4] is not None
        if not self.is_other:
            refused = self.may(found[1], "push" if is_write else "pull")
            if refused:
                return refused
        if is_write and (r.refuse or r.refuse_if):
            refused = r.refuse or r.refuse_if(self.command, url.path)
            if refused:
                return error(*refused)
        if found[4] is not None:
            return self.upload(int(found[4] or 0), urllib.parse.parse_qs(url.query), body)
        if self.command == "PUT":
            return self.put_manifest(found[1], found[3], body)
        return self.get(found[1], found[2], found[3])

    def serve(self):
        r = self.registry
        if self.path.startswith("/token"):
            self.token()
            return
        self.is_other = self.server.server_address[1] == int(r.other.partition(":")[2])
        if self.is_other and self.headers["Authorization"]:
            r.leaked.append(self.path)
        body = self.read_body()
        r.asked.append((self.command, self.path, self.headers["Range"]))
        how = self.fails()
        if how == "before":
            self.close_connection = True
            return
        given = error(500, "UNKNOWN") if how == "500" else self.answer(body)
        if how == "after":
            self.close_connection = True
            return
        self.reply(*given)

    def do_GET(self):
        with contextlib.suppress(OSError):
            self.serve()

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET


@contextlib.contextmanager
def running():
    r = Pushable()
    servers = []
    for _ in range(2):
        server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), type("Of", (Handler,), {"registry": r}))
        server.daemon_threads = True
        servers.append(server)
    r.host, r.other = ("127.0.0.1:%d" % s.server_address[1] for s in servers)
    threads = [threading.Thread(target=s.serve_forever, kwargs={"poll_interval": 0.05})
               for s in servers]
    for t in threads:
        t.start()
    try:
        yield r
    finally:
        for s in servers:
            s.shutdown()
            s.server_close()
        for t in threads:
            t.join()
