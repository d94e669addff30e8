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
        self.ended = threading.Event()
        self.referrers = {}          # digest: descriptors, or a status
        self.asked = []              # (method, path, Range)
        self.waiting = 0             # requests that silence holds

    def tag(self, repository, reference, data, media_type):
        self.manifests[repository, reference] = (media_type, data)
        return "%s/%s:%s" % (self.host, repository, reference)

    def image(self, repository, layers, **more):
        d = self.images.manifest(layers, **more)
        return self.tag(repository, "t", self.images.read(d), d["mediaType"])

    def answer(self, request):
        """(status, media type, body) for a path."""
        found = re.fullmatch(r"/v2/(.+)/(manifests|blobs)/([^/?]+)", request.path)
        if request.path == "/v2/":
            return 200, "application/json", b"{}"
        if found and found[2] == "manifests" and (found[1], found[3]) in self.manifests:
            return 200, *self.manifests[found[1], found[3]]
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
        status, media_type, body = self.answer(request)
        is_blob = "/blobs/" in request.path
        span = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers["Range"] or "")
        extra = {}
        if is_blob and status == 200 and span:
            first, last = int(span[1]), min(int(span[2] or len(body)), len(body) - 1)
            extra["Content-Range"] = "bytes %d-%d/%d" % (first, last, len(body))
            status, body = 206, body[first:last + 1]
        if (is_blob or "/referrers/" in request.path) and self.silent.is_set() and \
                self.silent_about in request.path:
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
