# SPDX-License-Identifier: MIT
"""A registry that misbehaves on request, over http or TLS, with or without tokens,
and a blob store on another port that it can redirect to.

`faults` holds what goes wrong: each request takes the first fault that is for it and
has a turn left. `chance` makes any answer fail at random, from a seeded generator, in one
of the ways that `weather` has for it. `every` makes each nth answer fail, in those ways one
after another.
"""
import base64
import contextlib
import email.utils
import http.server
import json
import os
import random
import re
import socket
import ssl
import struct
import subprocess
import threading
import time
import urllib.parse

USER, PASSWORD = "me", "pass:wordQ7hGx2"
IDENTITY, TOKEN, SIGNATURE = "identityM3pLz8", "tokenV9kRw4", "signedT5nYc1"
SECRET = base64.b64encode(("%s:%s" % (USER, PASSWORD)).encode()).decode()


FAIR = ("reset", "short", "503", "half", "drop", "502")


class Fault:
    def __init__(self, name, kind="blobs", times=1, about=""):
        self.name, self.kind, self.left, self.about = name, kind, times, about


class Bad:
    def __init__(self, images, seed=0):
        self.images = images
        self.manifests = {}       # (repository, reference): (media type, bytes)
        self.faults = []
        self.chance = 0.0
        self.every = {}           # kind: n
        self.n_answers = {}       # kind: those that could have failed
        self.n_failed = 0         # by chance
        self.weather = {}         # kind: names of faults; those of FAIR where it has none
        self.random = random.Random(seed)
        self.auth = None          # "basic", "token" (of anyone), "user token", "oauth"
        self.token_seconds = 300
        self.token_answer = {}    # what else is in it
        self.token_after = 0      # seconds until a new one is taken, as by a clock that is late
        self.post_fault = None    # of the token server, for POST
        self.expired_status = 401  # without a challenge if another
        self.strict_scope = False  # a token is for the repositories of its scope
        self.scopes = {}          # token: those
        self.challenges = None    # header lines; %s is the repository
        self.challenge_at_root = False  # and nowhere else
        self.secret = SECRET      # of "basic"
        self.retry_after = "1"    # with 429
        self.always = None        # what give() takes, for a request; or None, to go on
        self.http10 = False
        self.redirect = False     # blobs are at the store, behind URLs that expire
        self.redirect_manifests = False
        self.redirect_status = 307
        self.location = "%(url)s%(path)s"  # of the store; "host" is known, too
        self.url_uses = 1000      # of one signed URL
        self.url_refused = 403    # what a used one gets
        self.signature_end = ""
        self.needs_referer = False
        self.answers = {}         # "tags" or "referrers": what give() takes, for a path or all
        self.tokens = {}          # token: when it ends
        self.urls = {}            # signature: uses left
        self.signed_faults = {}   # digest: what the next URLs of it always lead to
        self.signed_with = {}     # signature: that
        self.asked = []           # (role, method, path, headers)
        self.callers = []         # of each of those, its connection
        self.lock = threading.Lock()
        self.ended = threading.Event()

    def tag(self, repository, reference, data, media_type):
        self.manifests[repository, reference] = (media_type, data)
        self.manifests[repository, self.digest(data)] = (media_type, data)
        return "%s/%s:%s" % (self.host, repository, reference)

    def image(self, repository, layers, **more):
        d = self.images.manifest(layers, **more)
        return self.tag(repository, "t", self.images.read(d), d["mediaType"])

    @staticmethod
    def digest(data):
        import layout
        return layout.digest(data)

    def fail(self, name, kind="blobs", times=1, about=""):
        """`times`: -1 for always; `about`: what the path must have in it."""
        self.faults.append(Fault(name, kind, times, about))

    def asked_for(self, text, role="registry"):
        return [r for r in self.asked if r[0] == role and text in r[2]]

    def take_fault(self, kind, path=""):
        with self.lock:
            for fault in self.faults:
                if fault.kind == kind and fault.left != 0 and fault.about in path:
                    fault.left -= 1
                    return fault.name
            ways = self.weather.get(kind, FAIR)
            if self.every.get(kind):
                n = self.n_answers[kind] = self.n_answers.get(kind, 0) + 1
                if n % self.every[kind] == 0:
                    self.n_failed += 1
                    return ways[n // self.every[kind] % len(ways)]
            if self.random.random() < self.chance:
                self.n_failed += 1
                return self.random.choice(ways)
        return None

    # Who may

    def may(self, request, repository):
        said = request.headers["Authorization"] or ""
        if self.auth == "basic":
            return said == "Basic " + self.secret
        if self.auth:
            left = self.tokens.get(said[7:], 0) - time.monotonic()
            return said.startswith("Bearer ") and 0 < left <= self.token_seconds - self.token_after \
                and (not self.strict_scope or not repository or
                     "repository:%s:pull" % repository in self.scopes[said[7:]])
        return True

    def challenge(self):
        if self.challenges:
            return self.challenges
        if self.auth == "basic":
            return ['Basic realm="x, y"']
        return ['Negotiate abc==, Bearer realm="%s/token?a=b",service="the service",'
                'scope="repository:%%s:pull"' % self.url]

    def refuse(self, request, path, repository):
        if self.expired_status != 401 and request.headers["Authorization"]:
            return request.give(self.expired_status, b'{"errors":[{"code":"DENIED","message":'
                                b'"Your authorization token has expired."}]}', "application/json")
        lines = [line.replace("%s", repository) for line in self.challenge()]
        if self.challenge_at_root and path != "/v2/":
            lines = []
        return request.give(401, b'{"errors":[{"code":"UNAUTHORIZED","message":"no"}]}',
                            "application/json", {"WWW-Authenticate": lines})

    def expire(self):
        """No token that was given is good any longer."""
        with self.lock:
            self.tokens = dict.fromkeys(self.tokens, 0)

    def give_token(self, request, form):
        said = request.headers["Authorization"]
        if self.auth == "user token" and said != "Basic " + SECRET:
            return 401, {"details": "incorrect username or password"}
        if self.auth == "oauth" and form.get("refresh_token") != [IDENTITY]:
            return 400, {"error": "invalid_grant", "error_description": "no such token"}
        token = "%s-%d" % (TOKEN, len(self.tokens))
        self.tokens[token] = time.monotonic() + self.token_seconds
        self.scopes[token] = " ".join(form.get("scope", []))
        name = "access_token" if self.auth == "oauth" or "token" in self.token_answer else "token"
        answer = {name: token, "expires_in": self.token_seconds, **self.token_answer}
        return 200, {k: v for k, v in answer.items() if v is not None}

    # Answers

    def registry(self, request):
        url = urllib.parse.urlsplit(request.path)
        answer = self.always and self.always(request)
        if answer:
            return request.give(*answer)
        if url.path.startswith("/store/"):
            return self.store(request)
        if url.path == "/token":
            length = int(request.headers["Content-Length"] or 0)
            form = urllib.parse.parse_qs(request.rfile.read(length).decode() or url.query)
            fault = self.take_fault("token")
            if self.post_fault and request.command == "POST":
                fault = self.post_fault
            if fault:
                return request.misbehave(fault, b"{}", "application/json")
            status, body = self.give_token(request, form)
            return request.give(status, json.dumps(body).encode(), "application/json")
        found = re.fullmatch(r"/v2/(.+)/(manifests|blobs|tags|referrers)/([^/]+)", url.path)
        repository = found[1] if found else ""
        if not self.may(request, repository):
            return self.refuse(request, url.path, repository)
        if url.path == "/v2/":
            return request.give(200, b"{}", "application/json")
        if found and found[2] == "manifests" and (found[1], found[3]) in self.manifests:
            media, body = self.manifests[found[1], found[3]]
            if self.redirect_manifests:
                return self.lead_away(request, self.digest(body))
            fault = self.take_fault("manifests", url.path)
            if request.command == "HEAD":
                fault = next((f.name for f in self.faults if f.kind == "heads"), fault)
            return request.misbehave(fault, body, media,
                                     {"Docker-Content-Digest": self.digest(body)})
        if found and found[2] in self.answers:
            answer = self.answers[found[2]]
            return request.give(*(answer(request.path) if callable(answer) else answer))
        if found and found[2] == "blobs":
            with contextlib.suppress(OSError):
                return self.blob(request, self.images.read({"digest": found[3]}), found[3])
        return request.give(404, b'{"errors":[{"code":"NOT_FOUND","message":"no such thing"}]}',
                            "application/json")

    def lead_away(self, request, digest):
        with self.lock:
            signature = "%s-%d%s" % (SIGNATURE, len(self.urls), self.signature_end)
            self.urls[signature] = self.url_uses
            if self.signed_faults.get(digest):
                self.signed_with[signature] = self.signed_faults[digest].pop(0)
        return request.give(self.redirect_status, b"", "text/plain", {"Location": self.location % {
            "url": self.store_url, "host": self.store_url.partition("://")[2],
            "path": "/store/%s?signature=%s" % (digest, signature)}})

    def blob(self, request, body, digest):
        if self.redirect:
            return self.lead_away(request, digest)
        return request.misbehave(self.take_fault("blobs", request.path), body)

    def store(self, request):
        """A request for what is signed, at whatever port."""
        url = urllib.parse.urlsplit(request.path)
        signature = url.query.partition("signature=")[2]  # as it was sent, to the letter
        if request.headers["Authorization"]:
            return request.give(400, b"Only one auth mechanism allowed", "text/plain")
        with self.lock:
            left = self.urls.get(signature, 0)
            self.urls[signature] = left - 1
        if left <= 0 or self.needs_referer and not request.headers["Referer"]:
            return request.give(self.url_refused, b"<Error>expired</Error>", "application/xml")
        body = self.images.read({"digest": url.path.rsplit("/", 1)[1]})
        if signature in self.signed_with:
            return request.misbehave(self.signed_with[signature], body)
        return request.misbehave(self.take_fault("blobs", request.path), body)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        bad, role = self.server.bad, self.server.role
        if bad.http10:
            self.protocol_version, self.close_connection = "HTTP/1.0", True
        with bad.lock:
            bad.asked.append((role, self.command, self.path, dict(self.headers)))
            bad.callers.append(self.client_address)
        with contextlib.suppress(OSError):
            getattr(bad, role)(self)

    do_HEAD = do_POST = do_GET

    def log_message(self, *_):
        pass

    def give(self, status, body, media="application/octet-stream", headers=None, length=None):
        self.send_response(status)
        for name, value in {"Content-Type": media,  # None: there is no such line
                            "Content-Length": str(len(body) if length is None else length),
                            **(headers or {})}.items():
            for one in value if isinstance(value, list) else [value]:
                if one is not None:
                    self.send_header(name, one)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def give_without_length(self, fault, status, body, media, headers):
        if fault == "multipart" or fault == "head without length" and self.command != "HEAD":
            return self.give(status, body, media, headers)
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(body[i:i + 50000]), body[i:i + 50000])
                          for i in range(0, len(body), 50000)) + b"0\r\n\r\n"
        coding = {"Transfer-Encoding": "chunked"} if fault == "chunked" else {}
        return self.give(status, chunks, media, {**headers, **coding, "Content-Length": None})

    def break_off(self, hard):
        if hard:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                       struct.pack("ii", 1, 0))
        self.close_connection = True
        self.wfile.flush()
        if hard:
            # TLS would say goodbye; a reset does not.
            os.close(self.connection.detach())
            raise ConnectionAbortedError

    def misbehave(self, fault, body, media="application/octet-stream", headers=None):
        headers = dict(headers or {})
        span = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers["Range"] or "")
        whole, status = body, 200
        if span and fault != "no range":
            first, last = int(span[1]), min(int(span[2] or len(body)), len(body) - 1)
            shift = 1 if fault == "wrong start" else 0
            headers["Content-Range"] = "bytes %d-%d/%d" % (
                first + shift, last, len(whole) + (1 if fault == "wrong total" else 0))
            status, body = 206, body[first + shift:last + 1]
        range_fault = re.fullmatch(r"range(0?) (\d+)", fault or "")
        if range_fault:
            refused = span and (not range_fault[1] or span[1] == "0")
            if refused:
                return self.give(int(range_fault[2]), b"<html>no ranges</html>", "text/html")
            fault = None
        cut = self.server.bad.random.randrange(len(body)) if len(body) > 1 else 0
        if fault in (None, "no range", "wrong start", "wrong total"):
            self.give(status, body, media, headers)
        elif fault == "page":
            self.give(200, b"<html>Please log in to this network</html>", "text/html")
        elif fault == "416":
            self.give(416, b"", "text/plain", {"Content-Range": "bytes */%d" % len(whole)})
        elif fault == "no bytes":
            self.give(status, b"", media, headers)
        elif fault == "empty 200":
            self.give(200, b"", media)
        elif fault == "lengths":  # that contradict each other
            self.give(status, body[:-cut - 1] if span else body + b"x", media, headers)
        elif fault == "two lengths":
            self.give(status, body, media, {**headers, "content-length": str(len(body) + 7)})
        elif fault == "part as 200":
            self.give(200, body, media, headers)
        elif fault == "unknown total":
            if span:
                headers["Content-Range"] = headers["Content-Range"].rpartition("/")[0] + "/*"
            self.give(status, body, media, headers)
        elif fault == "multipart" and span:
            part = b"--x\r\nContent-Type: %s\r\nContent-Range: %s\r\n\r\n%s\r\n--x--\r\n" % (
                media.encode(), headers.pop("Content-Range").encode(), body)
            self.give(206, part, "multipart/byteranges; boundary=x", headers)
        elif fault in ("multipart", "chunked", "head without length"):
            self.give_without_length(fault, status, body, media, headers)
        elif fault == "head length 0":
            self.give(status, body, media, headers, 0 if self.command == "HEAD" else None)
        elif fault == "head only":
            self.give(status, b"", media, headers, length=len(body))
            self.break_off(False)
        elif fault.startswith("type "):
            self.give(status, body, fault[5:] or None, headers)
        elif fault == "other digest":
            self.give(status, body, media, {**headers, "Docker-Content-Digest": "sha256:" + "7" * 64})
        elif fault in ("gzip", "x-gzip"):  # said of bytes that are as they are stored
            self.give(status, body, media, {**headers, "Content-Encoding": fault})
        elif fault == "429":
            self.give(429, b"{}", "application/json",
                      {"Retry-After": self.server.bad.retry_after})
        elif fault == "429 date":
            self.give(429, b"{}", "application/json",
                      {"Retry-After": email.utils.formatdate(time.time() + 2, usegmt=True)})
        elif fault in ("drop", "silent"):
            if fault == "silent":
                self.server.bad.ended.wait(30)
            self.break_off(True)
        elif fault in ("short", "reset", "half", "stall"):
            self.give(status, body[:cut if fault != "half" else len(body) // 2], media, headers,
                      length=len(body))
            if fault == "stall":
                self.wfile.flush()
                self.server.bad.ended.wait(30)
            self.break_off(fault == "reset")
        elif fault == "long":
            self.give(status, body + b"x" * 5000, media, headers)
        elif fault == "wrong bytes":
            self.give(status, body[:cut] + bytes([body[cut] ^ 1]) + body[cut + 1:], media, headers)
        elif fault == "flipped":
            at = len(body) - 100 if len(body) > 100 else len(body) // 2
            self.give(status, body[:at] + bytes([body[at] ^ 1]) + body[at + 1:], media, headers)
        elif fault == "coding":
            import gzip
            self.give(status, gzip.compress(body), media, {**headers, "Content-Encoding": "gzip"})
        elif fault == "no head" and self.command == "HEAD":
            self.give(405, b"", "text/plain")
        elif fault in ("no head", "no digest"):
            headers.pop("Docker-Content-Digest", None)
            self.give(status, body, media, headers)
        elif fault.isdigit():
            self.give(int(fault), b"<html>no</html>", "text/html")
        else:
            raise ValueError(fault)


def make_ca(where):
    """A test CA, and a certificate for loopback. (ca, certificate, key)"""
    ca, key, crt = (os.path.join(where, n) for n in ("ca.crt", "key.pem", "crt.pem"))

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=where, check=True, capture_output=True,
                       timeout=30)
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-days", "2", "-subj", "/CN=test CA", "-keyout", "ca.key", "-out", ca)
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", "/CN=localhost", "-keyout", key, "-out", "csr.pem")
    with open(os.path.join(where, "ext"), "w") as f:
        f.write("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", "csr.pem", "-CA", ca, "-CAkey", "ca.key", "-CAcreateserial",
            "-days", "2", "-extfile", "ext", "-out", crt)
    return ca, crt, key


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    tls = None

    def finish_request(self, request, client):
        with contextlib.suppress(OSError):
            if self.tls:
                request = self.tls.wrap_socket(request, server_side=True)
            self.RequestHandlerClass(request, client, self)

    def handle_error(self, *_):
        pass


@contextlib.contextmanager
def running(images, tls=None, seed=0, store_tls=True):
    """`tls`: what make_ca() gave; not for the store unless `store_tls`."""
    bad = Bad(images, seed)
    servers, threads = [], []
    for role in ("registry", "store"):
        server = Server(("127.0.0.1", 0), Handler)
        server.bad, server.role = bad, role
        if tls and (role == "registry" or store_tls):
            server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            server.tls.load_cert_chain(tls[1], tls[2])
        servers.append(server)
        threads.append(threading.Thread(target=server.serve_forever,
                                        kwargs={"poll_interval": 0.05}))
    scheme = "https" if tls else "http"
    bad.host = "localhost:%d" % servers[0].server_address[1]
    bad.url = "%s://%s" % (scheme, bad.host)
    bad.store_url = "%s://127.0.0.1:%d" % (scheme if store_tls else "http",
                                           servers[1].server_address[1])
    for thread in threads:
        thread.start()
    try:
        yield bad
    finally:
        bad.ended.set()
        for server in servers:
            server.shutdown()
            server.server_close()
        for thread in threads:
            thread.join()
