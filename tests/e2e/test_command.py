# SPDX-License-Identifier: MIT
"""The command line: exit codes, words, signals, and what is left behind."""
import contextlib
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import threading
import time

import pytest

import badregistry
from archive import file, layer
from mounting import (PEELCTL, PEELFS, SLOWER, environment, eventually, find_daemon, foreground, is_mounted,
                      mount, run, unmount)


@pytest.fixture
def source(images):
    return images.image([layer(file("f", "1"))])


@pytest.fixture
def place(tmp_path):
    (tmp_path / "mnt").mkdir()
    return str(tmp_path / "mnt")


# Words

@pytest.mark.core
def test_version():
    done = run("-V")
    assert done.returncode == 0 and done.stderr == ""
    assert re.match(r"peelfs \d+\.\d+\.\d+", done.stdout)


@pytest.mark.core
def test_help():
    done = run("-h")
    assert done.returncode == 0 and done.stderr == ""
    for word in ("SOURCE", "MOUNTPOINT", "cache_dir=", "platform=", "layout=", "-f", "-d", "-v",
                 "-h", "-V", "-o"):
        assert word in done.stdout, word
    for name, value in (("connections", "8"), ("timeout", "60"), ("tag_ttl", "60"),
                        ("cache_size", "10G")):
        assert re.search(r"%s=.*; default: %s\n" % (name, value), done.stdout), name
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize("arguments", [
    (), ("one",), ("-x", "a", "/mnt"), ("a", "b", "c"), ("-o",), ("-o", "platform=", "a", "/mnt"),
    ("-o", "layout=odd", "a", "/mnt"), ("-o", "no_such_option", "a", "/mnt"),
    ("-o", "platform=a/b/c/d", "a", "/mnt"), ("--no-such", "a", "/mnt")], ids=repr)
def test_usage_errors(arguments):
    done = run(*arguments)
    assert done.returncode == 1
    assert done.stderr and done.stdout == ""
    assert done.stderr.startswith("peelfs: ") or "usage" in done.stderr.lower()


@pytest.mark.parametrize("what", ["missing", "a file"])
def test_mount_point_that_is_none(source, tmp_path, what):
    path = tmp_path / "point"
    if what == "a file":
        path.write_text("")
    done = run("-o", "cache_dir=%s" % (tmp_path / "cache"), source, str(path))
    assert done.returncode == 32
    assert str(path) in done.stderr and done.stderr.count("\n") == 1


def test_mount_over_a_mount(source, images, tmp_path):
    """Refused before anything is fetched; another file system above it is no matter."""
    with mount(source, cache=tmp_path / "cache") as m:
        for path in (m.path, os.path.join(m.path, "rootfs", "..")):
            done = run("-o", "cache_dir=%s" % (tmp_path / "other"), "none.invalid/a:t", path)
            assert done.returncode == 32
            assert re.fullmatch(r"peelfs: cannot mount at .*: peelfs has mounted something there "
                                r"already; fusermount3 -u .* removes it\n", done.stderr)
            assert not (tmp_path / "other").exists()
        done = subprocess.run(["unshare", "-m", "sh", "-ec", """
            mount -t tmpfs tmpfs "$3"
            "$1" -o cache=none "$2" "$3"
            cat "$3/rootfs/f"
            fusermount3 -u "$3"
            """, "sh", PEELFS, source, m.path], env=environment(), capture_output=True,
                              text=True, timeout=60)
        assert (done.returncode, done.stdout, done.stderr) == (0, "1", "")


@pytest.mark.parametrize("name, hint", [
    ("small.tar", "docker-archive:small.tar or oci-archive:small.tar"),
    ("./small.tar", "docker-archive:./small.tar or oci-archive:./small.tar"),
    ("lay", "oci:lay"), ("plain", "dir:plain"), ("manifest", None), ("folder", None),
    ("nothing", None)])
def test_file_in_place_of_a_reference(tmp_path, place, name, hint):
    (tmp_path / "small.tar").write_text("")
    for folder, *inside in (("lay", "index.json", "blobs"), ("plain", "manifest.json", "version"),
                            ("manifest", "manifest.json"), ("folder", "f")):
        (tmp_path / folder).mkdir()
        for name_inside in inside:
            (tmp_path / folder / name_inside).write_text("{}")
    options = "offline,cache_dir=%s" % (tmp_path / "cache")
    for done in (run("-o", options, name, place, cwd=tmp_path),
                 run("index", "-o", options, name, program=PEELCTL, cwd=tmp_path)):
        assert done.returncode != 0
        if hint:
            assert done.stderr.endswith("; %s?\n" % hint), done.stderr
        else:
            assert "?" not in done.stderr


def test_mount_point_in_place_of_an_image(source, place):
    with mount(source) as m:
        for name, about in ((m.path, "is a mounted image: its files are in %s/rootfs" % m.path),
                            (m.path + "/rootfs", "is in a mount: its files can be read")):
            done = run("ls", "-o", "offline", name, program=PEELCTL)
            assert done.returncode == 1
            assert "; %s %s" % (name, about) in done.stderr, done.stderr
        where, name = os.path.split(m.path)
        done = run("-o", "offline,cache=none", name, place, cwd=where)
        assert done.stderr.endswith("; %s is a mounted image: its files are in %s/rootfs\n" % (
            name, name)), done.stderr


def test_host_and_port_in_place_of_an_image(place):
    done = run("-o", "offline,cache=none", "127.0.0.1:5055", place)
    assert done.stderr.endswith("; 127.0.0.1:5055/ browses that registry\n"), done.stderr


@pytest.mark.parametrize("text", ["", "{", "[]", '{"manifests":3}', "{}"])
def test_broken_index_of_a_layout(images, place, text):
    images.image([layer(file("f", "1"))])
    with open(os.path.join(images.path, "index.json"), "w", encoding="utf-8") as f:
        f.write(text)
    done = run("-o", "cache=none", "oci:%s" % images.path, place)
    assert done.returncode == 32 and "%s: index.json: " % images.path in done.stderr


@pytest.mark.parametrize("code, about", [
    ("NAME_UNKNOWN", "there is no such repository"),
    ("MANIFEST_UNKNOWN", "does not say whether the repository or the tag is missing"),
    (None, "does not say whether the repository or the tag is missing")])
def test_missing_repository_or_tag(images, place, code, about):
    """As far as the registry tells them apart."""
    body = json.dumps({"errors": [{"code": code, "message": "m"}]} if code else {}).encode()
    with badregistry.running(images) as b:
        b.always = lambda request: (404, body, "application/json")
        done = run("-o", "cache=none,timeout=4", "%s/team/app:t" % b.host, place)
    assert done.returncode == 32 and about in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize("limit", [8, 9, 10, 11, 12, 14])
def test_few_files(source, place, tmp_path, limit):
    """Whose limit it is, and how many are needed."""
    done = subprocess.run(["bash", "-c", 'ulimit -n %d; exec "$@"' % limit, "-", PEELFS, "-o",
                           "wait,cache_dir=%s" % (tmp_path / "cache"), source, place],
                          env=environment(), capture_output=True, text=True, timeout=60)
    if is_mounted(place):
        unmount(place)
        assert eventually(lambda: not find_daemon(place))
    if "oo many open files" in done.stderr:
        assert "this process may open %d, see `ulimit -n`" % limit in done.stderr, done.stderr
    else:
        assert done.returncode == 0 or limit < 12, done.stderr


def test_options_in_any_place(source, place, tmp_path):
    """mount(8) puts operands first."""
    done = run(source, place, "-o", "ro,cache_dir=%s" % (tmp_path / "cache"))
    assert done.returncode == 0, done.stderr
    assert is_mounted(place)
    pid = find_daemon(place)
    assert unmount(place)
    assert eventually(lambda: os.waitpid(pid, os.WNOHANG)[0])


@pytest.mark.parametrize("value, why", [
    ("/nonexistent/ca.pem", "No such file"), ("/etc/passwd", "no certificate")])
def test_authority_that_is_none(source, place, value, why):
    done = run("-o", "cacert=%s" % value, source, place)
    assert done.returncode == 32 and done.stderr.count("\n") == 1
    assert "cacert: %s: " % value in done.stderr and why in done.stderr


def test_relative_paths(images, tmp_path):
    """Mount point and layout are seen from where the command is given."""
    images.image([layer(file("f", "1"))])
    (tmp_path / "mnt").mkdir()
    done = run("-o", "cache_dir=cache", "oci:layout:latest", "mnt", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    path = str(tmp_path / "mnt")
    assert is_mounted(path) and (tmp_path / "cache").is_dir()
    assert open(path + "/rootfs/f").read() == "1"
    assert json.load(open(path + "/.peelfs/status.json"))["store"] == str(tmp_path / "cache")
    done = run("which", path + "/rootfs/f", program=PEELCTL, cwd="/")
    assert done.returncode == 0 and "layer    1 of 1" in done.stdout, done.stderr
    pid = find_daemon("mnt")
    assert unmount(path)
    assert eventually(lambda: os.waitpid(pid, os.WNOHANG)[0])


def test_mount_point_with_odd_characters(source, tmp_path):
    path = tmp_path / "a b\tc,d\\e"
    path.mkdir()
    done = run("-o", "cache_dir=%s" % (tmp_path / "cache"), source, str(path))
    assert done.returncode == 0, done.stderr
    assert (path / "rootfs" / "f").read_text() == "1"
    pid = find_daemon(str(path))
    assert unmount(path, ["umount"])
    assert eventually(lambda: os.waitpid(pid, os.WNOHANG)[0])


def test_cache_of_root(source, place):
    """In /var/cache, which is another one here."""
    done = subprocess.run(["unshare", "-m", "sh", "-ec", """
        mount -t tmpfs tmpfs /var/cache
        "$1" "$2" "$3"
        cat "$3/rootfs/f"
        stat -c " %a" /var/cache/peelfs
        fusermount3 -u "$3"
        """, "sh", PEELFS, source, place], env=environment(), capture_output=True, text=True,
                          timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1 700\n", "")
    assert eventually(lambda: not find_daemon(place))


@pytest.mark.core
def test_cache_that_cannot_be_written(source, place, tmp_path):
    """Without a store it works from memory, and says so once."""
    (tmp_path / "file").write_text("")
    with mount(source, cache=tmp_path / "file" / "cache", quiet=False) as m:
        assert open(m.at("f")).read() == "1"
        assert m.stderr.count("\n") == 1 and "cache" in m.stderr


# In the foreground

@pytest.mark.core
def test_foreground(source):
    with foreground(source) as m:
        assert m.child.poll() is None
        assert eventually(lambda: os.path.exists(m.at("f")))
        assert unmount(m.path)
        assert m.child.wait(20 * SLOWER) == 0
        m.log.seek(0)
        assert m.log.read() == b""


@pytest.mark.parametrize("flag", ["-d", "-v"])
def test_traces(source, flag):
    with foreground(source, arguments=("-f", flag)) as m:
        assert open(m.at("f")).read() == "1"
        assert unmount(m.path)
        assert m.child.wait(20 * SLOWER) == 0
        m.log.seek(0)
        assert m.log.read()


@pytest.mark.core
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
@pytest.mark.parametrize("background", [False, True], ids=["foreground", "background"])
def test_signals_unmount(source, name, background):
    number = getattr(signal, name)
    if background:
        with mount(source) as m:
            assert open(m.at("f")).read() == "1"
            os.kill(m.pid, number)
            assert eventually(m.has_ended)
            assert m.status_code == 0
            assert not is_mounted(m.path)
    else:
        with foreground(source, load=False) as m:
            os.kill(m.pid, number)
            assert m.child.wait(20 * SLOWER) == 0
            assert not is_mounted(m.path)


def test_signal_while_files_are_open(source):
    with foreground(source) as m:
        fd = os.open(m.at("f"), os.O_RDONLY)
        os.kill(m.pid, signal.SIGTERM)
        assert m.child.wait(20 * SLOWER) == 0
        assert not is_mounted(m.path)
        with pytest.raises(OSError):
            os.pread(fd, 10, 0)
        with contextlib.suppress(OSError):
            os.close(fd)


def test_killed_daemon_leaves_a_store_that_works(images, tmp_path):
    source = images.image([layer(file("f", b"x" * 3000000)), layer(file("g", "2"))])
    with foreground(source, cache=tmp_path / "cache") as m:
        os.kill(m.pid, signal.SIGKILL)
        m.child.wait(10)
    with mount(source, cache=tmp_path / "cache") as m:
        assert open(m.at("f"), "rb").read() == b"x" * 3000000


# On a terminal

def on_terminal(*arguments):
    """Output and exit status of peelfs with a terminal for stderr."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(PEELFS, [PEELFS, *arguments], environment(TERM="xterm"))
    out, end = b"", time.monotonic() + 30 * SLOWER
    while time.monotonic() < end:
        if select.select([fd], [], [], 0.1)[0]:
            try:
                piece = os.read(fd, 4096)
            except OSError:
                break
            if not piece:
                break
            out += piece
    _, status = os.waitpid(pid, 0)
    os.close(fd)
    return out, os.waitstatus_to_exitcode(status)


def test_progress_on_a_terminal(images, fake, place, tmp_path):
    """A bar for what takes long; it is wiped when the mount is there."""
    fake.pace = 1 << 20
    reference = fake.image("slow", [layer(file("f%d" % i, os.urandom(1 << 20))) for i in range(2)])
    out, code = on_terminal("-o", "wait,cache_dir=%s" % (tmp_path / "cache"), reference, place)
    assert code == 0, out
    assert is_mounted(place)
    pid = find_daemon(place)
    assert unmount(place)
    assert eventually(lambda: os.waitpid(pid, os.WNOHANG)[0])
    assert re.search(rb"\r[^\r]*\d+\.\d+/2\.\d MiB +\d+\.\d MiB/s +layer [01]/2", out), out


def test_progress_names_a_silent_registry(images, fake, place, tmp_path):
    """On a terminal, and with -v in a line every ten seconds without one."""
    fake.silent_always = True
    fake.silent.set()
    threading.Timer(4, fake.silent.clear).start()
    fake.pace = 1 << 19
    reference = fake.image("slow", [layer(file("f", os.urandom(3 << 20)))])
    out, code = on_terminal("-o", "wait,cache_dir=%s" % (tmp_path / "c"), reference, place)
    assert code == 0, out
    pid = find_daemon(place)
    assert unmount(place)
    assert eventually(lambda: os.waitpid(pid, os.WNOHANG)[0])
    host = reference.split("/")[0].encode()
    assert re.search(rb"\rwaiting for " + host + rb", [23] s", out), out
    assert re.search(rb"layer 0/1  \d+ s left", out), out
    fake.silent.set()
    threading.Timer(11, fake.silent.clear).start()
    with mount(reference, arguments=("-v",), quiet=False) as m:
        assert re.search(r"^peelfs: waiting for %s, \d+ s$" % host.decode(), m.stderr, re.M), m.stderr
    assert out.rpartition(b"\r")[2].strip() in (b"", b"\x1b[K"), out


# A registry that does not answer

class Stalling:
    """Accepts connections and says nothing more."""

    def __enter__(self):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(16)
        self.host = "127.0.0.1:%d" % self.socket.getsockname()[1]
        return self

    def __exit__(self, *_):
        self.socket.close()


def interrupted(reference, place, tmp_path, name, until):
    child = subprocess.Popen([PEELFS, "-o", "cache_dir=%s" % (tmp_path / "cache"), reference,
                              place], stderr=subprocess.PIPE, env=environment(), text=True)
    try:
        assert eventually(until) and child.poll() is None
        child.send_signal(getattr(signal, name))
        _, err = child.communicate(timeout=10 * SLOWER)
    finally:
        child.kill()
    assert child.returncode in (32, -getattr(signal, name))
    assert err.count("\n") <= 1, err
    assert not is_mounted(place)
    assert eventually(lambda: not find_daemon(place))


@pytest.mark.core
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_interrupted_while_resolving(place, tmp_path, name):
    with Stalling() as server:
        begun = time.monotonic()
        interrupted(server.host + "/x:t", place, tmp_path, name,
                    lambda: time.monotonic() > begun + 0.5)


@pytest.mark.core
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_interrupted_while_a_layer_comes(fake, place, tmp_path, name):
    fake.silent.set()
    interrupted(fake.image("silent", [layer(file("f", "1"))]), place, tmp_path, name,
                lambda: fake.waiting)


def test_stall_ends(place, tmp_path):
    with Stalling() as server:
        done = run("-o", "cache_dir=%s,timeout=2" % (tmp_path / "cache"), server.host + "/x:t",
                   place, timeout=25)
        assert done.returncode == 32
        assert server.host in done.stderr and done.stderr.count("\n") == 1


# peelctl and the manual are of the house

def test_manual_names_every_option():
    with open(os.path.join(os.path.dirname(__file__), "../../man/peelfs.1")) as f:
        manual = f.read().replace("\\-", "-")
    for option in re.findall(r"(?m)^\s+(?:-o )?([a-z_]+)=?", run("-h").stdout):
        assert option in manual, option
