# SPDX-License-Identifier: MIT
"""A registry in this process, for what a real one does not do: old formats, slow or
silent answers. Serves the blobs of a layout and manifests under any names."""
import contextlib
import http.server
import json
import re
import threading

import layout


class Fake:
    def __init__(self, images):
        self.images = images
        self.manifests = {}          # (repository, reference): (media type, bytes)
        self.pace = None             # bytes a second of a blob
        self.silent = threading.Event()  # blobs are not answered while it is set,
        self.silent_about = ""       # whose path has this
        self.silent_always = False   # or nothing is, of any kind
        self.ended = threading.Event()
        self.tags = {}               # repository: its tags, of the manifests if not here
        self.page = 100              # names on a page of a list
        self.has_catalog = False
        self.status = None           # what all else is answered, too
        self.referrers = {}          # digest: descriptors, or a status
        self.asked = []              # (method, path, Range)
        self.waiting = 0             # requests that silence holds
        self.sent = 0                # bytes of blobs
        self.lock = threading.Lock()

    def tag(self, repository, reference, data, media_type):
        self.manifests[repository, reference] = (media_type, data)
        return "%s/%s:%s" % (self.host, repository, reference)

    def image(self, repository, layers, **more):
        d = self.images.manifest(layers, **more)
        return self.tag(repository, "t", self.images.read(d), d["mediaType"])

    def listed(self, request, key, names):
        """A page of a list, and the header that leads to the next."""
        query = dict(re.findall(r"(\w+)=([^&]*)", request.path))
        left = sorted(n for n in names if n > query.get("last", ""))
        page = left[:min(self.page, int(query.get("n", self.page)))]
        link = {}
        if len(page) < len(left) and page:
            link["Link"] = '<%s?last=%s&n=%d>; rel="next"' % (
                request.path.partition("?")[0], page[-1], self.page)
        return json.dumps({"name": "x", key: page}).encode(), link

    def names(self, request):
        """The same as answer() with headers, of lists; None for all else."""
        path = request.path.partition("?")[0]
        found = re.fullmatch(r"/v2/(.+)/tags/list", path)
        known = {}
        for repository, reference in self.manifests:
            known.setdefault(repository, []).append(reference)
        known.update(self.tags)
        if found and found[1] in known:
            body, link = self.listed(request, "tags", known[found[1]])
        elif path == "/v2/_catalog" and self.has_catalog:
            body, link = self.listed(request, "repositories", known)
        else:
            return None
        return 200, "application/json", body, link

    def by_digest(self, repository, digest):
        for (where, _), (media_type, data) in self.manifests.items():
            if where == repository and layout.digest(data) == digest:
                return media_type, data
        return None

    def answer(self, request):
        """(status, media type, body) for a path."""
        found = re.fullmatch(r"/v2/(.+)/(manifests|blobs)/([^/?]+)(?:\?ns=.*)?", request.path)
        if request.path == "/v2/":
            return 200, "application/json", b"{}"
        if found and found[2] == "manifests" and (found[1], found[3]) in self.manifests:
            return 200, *self.manifests[found[1], found[3]]
        if found and found[2] == "manifests" and self.by_digest(found[1], found[3]):
            return 200, *self.by_digest(found[1], found[3])
        if found and found[2] == "blobs":
            with contextlib.suppress(OSError):
                return 200, "application/octet-stream", self.images.read({"digest": found[3]})
        found = re.fullmatch(r"/v2/.+/referrers/([^/?]+)(?:\?.*)?", request.path)
        if found and isinstance(self.referrers.get(found[1], 404), list):
            return 200, layout.INDEX, json.dumps({
                "schemaVersion": 2, "mediaType": layout.INDEX,
                "manifests": self.referrers[found[1]]}).encode()
        if found and found[1] in self.referrers:
            return self.referrers[found[1]], "text/plain", b"no"
        return 404, "application/json", b'{"errors":[{"code":"NOT_FOUND","message":"no"}]}'

    def serve(self, request):
        self.asked.append((request.command, request.path, request.headers["Range"]))
        status, media_type, body, extra = (*self.answer(request), {})
        if self.names(request):
            status, media_type, body, extra = self.names(request)
        if self.status:
            status, media_type, body, extra = self.status, "text/plain", b"no", {}
        if "/manifests/" in request.path and status == 200:
            extra["Docker-Content-Digest"] = layout.digest(body)
        is_blob = "/blobs/" in request.path
        span = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers["Range"] or "")
        if is_blob and status == 200 and span:
            first, last = int(span[1]), min(int(span[2] or len(body)), len(body) - 1)
            extra["Content-Range"] = "bytes %d-%d/%d" % (first, last, len(body))
            status, body = 206, body[first:last + 1]
        if (is_blob or "/referrers/" in request.path or self.silent_always) and \
                self.silent.is_set() and self.silent_about in request.path:
            self.waiting += 1
            while self.silent.is_set() and not self.ended.wait(0.05):
                pass
        request.send_response(status)
        for name, value in {"Content-Type": media_type, "Content-Length": str(len(body)),
                            **extra}.items():
            request.send_header(name, value)
        request.end_headers()
        if request.command == "HEAD":
            return
        step = max(1, self.pace // 20) if self.pace and is_blob else len(body) or 1
        for at in range(0, len(body), step):
            request.wfile.write(body[at:at + step])
            if is_blob:
                with self.lock:
                    self.sent += len(body[at:at + step])
            if step < len(body) and self.ended.wait(0.05):
                return


@contextlib.contextmanager
def running(images):
    fake = Fake(images)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            with contextlib.suppress(OSError):
                fake.serve(self)

        do_HEAD = do_GET

        def log_message(self, *_):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    fake.host = "127.0.0.1:%d" % server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield fake
    finally:
        fake.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
