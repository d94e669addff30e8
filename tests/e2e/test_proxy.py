# SPDX-License-Identifier: MIT
"""docker-registry as it is found in the world: behind nginx, with TLS, HTTP/2 and a
password; by configuration files that other tools have as well."""
import base64
import json
import os
import shutil
import tempfile

import pytest

import badregistry
import front
import mounting
import registry as registry_of
from archive import file, layer
from mounting import find_daemon, mount, run, unmount
from test_network import NOISE, is_whole


class Proxy:
    def __init__(self, host, ca, log):
        self.host, self.ca, self.log = host, ca, log


@pytest.fixture(scope="module")
def proxy(registry):
    port = registry_of.free_port()
    with tempfile.TemporaryDirectory(prefix="peelfs-e2e-proxy-") as where:
        ca, *key = badregistry.make_ca(where)
        users = os.path.join(where, "users")
        with open(users, "w") as f:
            f.write("me:{PLAIN}secret\n")
        server = front.server(
            port, 'auth_basic "x";', "auth_basic_user_file %s;" % users,
            "proxy_pass http://%s;" % registry.host, "proxy_set_header Host $http_host;",
            'proxy_set_header Authorization "";', "proxy_set_header X-Forwarded-Proto https;")
        with front.nginx(where, key, [server]) as log:
            yield Proxy("localhost:%d" % port, ca, log)


@pytest.fixture
def home(tmp_path, proxy):
    """A home with a login for the proxy, and no other configuration."""
    login = base64.b64encode(b"me:secret").decode()
    (tmp_path / "home" / ".docker").mkdir(parents=True)
    (tmp_path / "home" / ".docker" / "config.json").write_text(
        json.dumps({"auths": {proxy.host: {"auth": login}}}))
    return tmp_path / "home"


def environment(home):
    env = mounting.environment(HOME=str(home))
    for name in ("XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "REGISTRY_AUTH_FILE"):
        env.pop(name, None)
    return env


def push(images, registry, name):
    registry.push(images.image([layer(file("noise", NOISE)), layer(file("f", "text"))]), name, "t")


def test_http2(images, registry, proxy, home):
    push(images, registry, "proxied/one")
    with mount(proxy.host + "/proxied/one:t", "cacert=" + proxy.ca, env=environment(home)) as m:
        is_whole(m)
    log = proxy.log()
    assert 'manifests/t HTTP/2.0" 200' in log
    assert 'HTTP/1.1" 206' in log or 'HTTP/1.1" 200' in log  # a layer has a connection of its own


def test_names_by_a_relative_certificate(images, registry, proxy, home, tmp_path):
    """Which is read before the daemon leaves the folder; as is one that is none."""
    push(images, registry, "proxied/five")
    (tmp_path / "mnt").mkdir()
    shutil.copy(proxy.ca, tmp_path / "own.crt")
    env = environment(home)
    done = run("-o", "cache_dir=cache,cacert=own.crt", proxy.host + "/", "mnt", cwd=tmp_path, env=env)
    assert done.returncode == 0 and done.stderr == "", done
    pid = find_daemon("mnt")
    assert os.listdir(tmp_path / "mnt" / "proxied" / "five") == ["t"]
    assert unmount(tmp_path / "mnt")
    assert mounting.eventually(lambda: os.waitpid(pid, os.WNOHANG)[0])
    (tmp_path / "own.crt").write_text("no certificate")
    done = run("-o", "cache_dir=cache,cacert=own.crt", proxy.host + "/", "mnt", cwd=tmp_path, env=env)
    assert done.returncode == 32 and "own.crt" in done.stderr, done


def test_certs_d(images, registry, proxy, home, tmp_path):
    push(images, registry, "proxied/two")
    source = proxy.host + "/proxied/two:t"
    folder = home / ".config" / "containers" / "certs.d" / proxy.host
    folder.mkdir(parents=True)
    shutil.copy(proxy.ca, folder / "ca.crt")
    with mount(source, env=environment(home)) as m:
        is_whole(m)


def test_mirror(images, registry, proxy, home):
    """registries.conf: a mirror that is down, one that does not have it, and the proxy."""
    push(images, registry, "proxied/three")
    (home / ".config" / "containers").mkdir(parents=True)
    (home / ".config" / "containers" / "registries.conf").write_text("""
[[registry]]
prefix = "example.com/team"
location = "%s/proxied"
insecure = true
[[registry.mirror]]
location = "127.0.0.1:1/x"
[[registry.mirror]]
location = "%s/nowhere"
[aliases]
"three" = "example.com/team/three"
""" % (proxy.host, registry.host))
    for source in ("example.com/team/three:t", "three:t"):
        with mount(source, env=environment(home)) as m:
            is_whole(m)


def test_hosts_toml(images, registry, proxy, home):
    push(images, registry, "proxied/four")
    folder = home / ".config" / "containerd" / "certs.d" / "example.org"
    folder.mkdir(parents=True)
    shutil.copy(proxy.ca, folder / "ca.crt")
    (folder / "hosts.toml").write_text("""
server = "https://example.invalid"
[host."https://%s"]
capabilities = ["pull", "resolve"]
ca = "ca.crt"
""" % proxy.host)
    with mount("example.org/proxied/four:t", env=environment(home)) as m:
        is_whole(m)
    assert "manifests/t?ns=example.org" in proxy.log()
