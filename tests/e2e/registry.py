# SPDX-License-Identifier: MIT
"""docker-registry on loopback, and how images get into it."""
import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time

import layout


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


CONFIG = """\
version: 0.1
log:
  accesslog: {{disabled: true}}
  level: error
storage:
  filesystem: {{rootdirectory: {root}}}
  delete: {{enabled: true}}
http:
  addr: 127.0.0.1:{port}
"""


class Registry:
    def __init__(self, host, root):
        self.host = host
        self.root = root

    def push(self, source, repository, tag="latest", *options):
        """Copies oci:DIR:TAG with skopeo; gives the reference."""
        to = "%s/%s:%s" % (self.host, repository, tag)
        done = subprocess.run(["skopeo", "copy", "-q", "--insecure-policy",
                               "--dest-tls-verify=false", *options, source, "docker://" + to],
                              capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return to

    def request(self, method, path, body=b"", headers=None):
        with contextlib.closing(http.client.HTTPConnection(self.host, timeout=30)) as c:
            c.request(method, path, body, headers or {})
            answer = c.getresponse()
            data = answer.read()
            assert answer.status < 400, (method, path, answer.status, data)
            return answer, data

    def put_blob(self, repository, data):
        answer, _ = self.request("POST", "/v2/%s/blobs/uploads/" % repository)
        where = answer.headers["Location"].split(self.host, 1)[-1]
        where += ("&" if "?" in where else "?") + "digest=" + layout.digest(data)
        self.request("PUT", where, data, {"Content-Type": "application/octet-stream"})

    def put_manifest(self, repository, reference, data, media_type):
        self.request("PUT", "/v2/%s/manifests/%s" % (repository, reference), data,
                     {"Content-Type": media_type})
        return "%s/%s:%s" % (self.host, repository, reference)

    def get_manifest(self, repository, reference, *media_types):
        _, data = self.request("GET", "/v2/%s/manifests/%s" % (repository, reference),
                               headers={"Accept": ",".join(media_types)})
        return data

    def blob_file(self, digest_text):
        """Where the registry keeps a blob, for tests that damage it."""
        algorithm, text = digest_text.split(":")
        return os.path.join(self.root, "docker/registry/v2/blobs", algorithm, text[:2], text,
                            "data")


@contextlib.contextmanager
def running(where):
    """A registry over http with its files under `where`."""
    port = free_port()
    root = os.path.join(str(where), "root")
    config = os.path.join(str(where), "config.yml")
    with open(config, "w") as f:
        f.write(CONFIG.format(root=root, port=port))
    log = open(os.path.join(str(where), "log"), "wb")
    child = subprocess.Popen(["docker-registry", "serve", config], stdout=log, stderr=log,
                             env={**os.environ, "OTEL_TRACES_EXPORTER": "none"})
    registry = Registry("127.0.0.1:%d" % port, root)
    try:
        for _ in range(200):
            with contextlib.suppress(OSError):
                registry.request("GET", "/v2/")
                break
            assert child.poll() is None, "docker-registry ended; see %s" % log.name
            time.sleep(0.05)
        else:
            raise AssertionError("docker-registry does not answer")
        yield registry
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        log.close()
