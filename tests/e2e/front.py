# SPDX-License-Identifier: MIT
"""nginx, as it stands before registries: TLS and HTTP/2."""
import contextlib
import os
import subprocess

import mounting

CONF = """daemon off;
pid %(where)s/pid;
error_log %(where)s/error.log;
events {}
http {
	access_log %(where)s/access.log combined;
	client_body_temp_path %(where)s/1;
	proxy_temp_path %(where)s/2;
	fastcgi_temp_path %(where)s/3;
	uwsgi_temp_path %(where)s/4;
	scgi_temp_path %(where)s/5;
	ssl_certificate %(crt)s;
	ssl_certificate_key %(key)s;
%(servers)s}
"""

SERVER = """	server {
		listen 127.0.0.1:%d ssl http2;
		location / {
%s
		}
	}
"""


def server(port, *lines):
    """What nginx() is to serve at a port of 127.0.0.1: the lines of its location /."""
    return SERVER % (port, "\n".join("\t\t\t" + line for line in lines))


@contextlib.contextmanager
def nginx(where, key, servers):
    """Runs it in an empty folder WHERE; KEY is (certificate, key), paths. Gives its log, a call."""
    os.chmod(where, 0o755)  # its workers are another user's
    conf, log = os.path.join(where, "conf"), os.path.join(where, "access.log")
    with open(conf, "w") as f:
        f.write(CONF % {"where": where, "crt": key[0], "key": key[1], "servers": "".join(servers)})
    process = subprocess.Popen(["/usr/sbin/nginx", "-p", where, "-c", conf],
                               stderr=subprocess.DEVNULL)

    def read_log():
        with open(log) as f:
            return f.read()
    try:
        assert mounting.eventually(lambda: os.path.exists(os.path.join(where, "pid")))
        yield read_log
    finally:
        process.terminate()
        process.wait(10)
