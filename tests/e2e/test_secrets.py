# SPDX-License-Identifier: MIT
"""Passwords, tokens and signed URLs are nowhere but in memory and on the wire."""
import json
import os
import urllib.parse

import pytest

import badregistry
from badregistry import IDENTITY, PASSWORD, SECRET, SIGNATURE, TOKEN, USER
from mounting import PEELCTL, environment, foreground, mount, run
from test_network import forget_data, is_whole, picture

SECRETS = [text.encode() for text in (
    PASSWORD, PASSWORD.partition(":")[2], urllib.parse.quote(PASSWORD), SECRET, IDENTITY, TOKEN,
    SIGNATURE)]

# What is seen of it by others is kept for the test; what it says is in a file of its own.
HELPER = """#!/bin/sh
cat /proc/$$/cmdline /proc/$$/environ - >>%s
cat %s
"""

KINDS = ["basic", "user token", "oauth"]


def assert_clean(data, where):
    for secret in SECRETS:
        assert secret not in data, "%s is in %s: %r" % (secret, where, data[:3000])


def files_in(*folders):
    for folder in folders:
        for where, _, names in os.walk(folder):
            yield from (os.path.join(where, name) for name in names)


@pytest.fixture
def helper(tmp_path):
    """The environment of a machine with a credential helper, and what was seen of it."""
    seen, said, program = (tmp_path / n for n in ("seen", "said", "docker-credential-test"))
    program.write_text(HELPER % (seen, said))
    program.chmod(0o755)
    (tmp_path / "config.json").write_text(json.dumps({"credsStore": "test"}))

    def known_as(user, secret):
        said.write_text(json.dumps({"ServerURL": "x", "Username": user, "Secret": secret}))
        return environment(PATH="%s:%s" % (tmp_path, os.environ["PATH"]),
                           DOCKER_CONFIG=str(tmp_path))
    return known_as, seen


def who(auth):
    return ("<token>", IDENTITY) if auth == "oauth" else (USER, PASSWORD)


@pytest.mark.parametrize("auth", KINDS)
def test_nowhere_to_be_seen(images, helper, auth, tmp_path):
    known_as, seen = helper
    cache = tmp_path / "cache"
    with badregistry.running(images) as b:
        b.auth, b.redirect, b.url_uses = auth, True, 3
        source = picture(b)
        for name in ("half", "reset", "503"):
            b.fail(name)
        for last in (False, True):
            if last:
                forget_data(cache)
            with foreground(source, "timeout=4", arguments=("-f", "-d", "-v"), cache=cache,
                            env=known_as(*who(auth))) as m:
                if last:
                    b.fail("503", times=-1)
                    with pytest.raises(OSError):
                        is_whole(m)
                    b.faults.clear()
                is_whole(m)
                for path in files_in(m.path + "/.peelfs", "%s/oci" % m.path):
                    with open(path, "rb") as f:
                        assert_clean(f.read(), path)
                for name in ("cmdline", "environ"):
                    with open("/proc/%d/%s" % (m.pid, name), "rb") as f:
                        assert_clean(f.read(), name)
                m.log.seek(0)
                log = m.log.read()
                assert b"503" in log or not last
                assert_clean(log, "the log")
        sent = b"".join(str(r).encode() for r in b.asked)
        # Or there was nothing to be found.
        assert (SECRET.encode() if auth == "basic" else TOKEN.encode()) in sent
        assert SIGNATURE.encode() in sent
    assert b.host.encode() in seen.read_bytes()
    assert_clean(seen.read_bytes(), "the helper")
    for path in files_in(cache):
        with open(path, "rb") as f:
            assert_clean(f.read(), path)


@pytest.mark.parametrize("auth", KINDS)
def test_not_in_refusals(images, helper, auth, tmp_path):
    """Of what is wrong as little is said as of what is right."""
    known_as, _ = helper
    user, secret = who(auth)
    with badregistry.running(images) as b:
        b.auth = auth
        source = picture(b)
        (tmp_path / "mnt").mkdir()
        for program, words in (("peelfs", ["-v", "-o", "timeout=4", source, tmp_path / "mnt"]),
                               ("peelctl", ["index", "-o", "timeout=4", source])):
            done = run(*(str(w) for w in words), env=known_as(user, secret + "x"),
                       **({"program": PEELCTL} if program == "peelctl" else {}))
            assert done.returncode != 0 and done.stderr
            assert_clean((done.stdout + done.stderr).encode(), program)


def test_no_core(images, helper):
    known_as, _ = helper
    with badregistry.running(images) as b:
        b.auth = "basic"
        with mount(picture(b), env=known_as(*who("basic"))) as m:
            is_whole(m)
            with open("/proc/%d/limits" % m.pid) as f:
                limit = next(line for line in f if line.startswith("Max core file size"))
            assert limit.split()[4:6] == ["0", "0"]
            with open("/proc/%d/coredump_filter" % m.pid) as f:
                assert int(f.read(), 16) == 0
