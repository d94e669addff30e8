# SPDX-License-Identifier: MIT
"""peelctl ls, cat, inspect, history and dockerfile: no mount, no /dev/fuse, no root."""
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

import layout
import oracle
from archive import block, char, directory, fifo, file, hardlink, layer, symlink, whiteout
from mounting import PEELCTL, SLOWER, environment, eventually, mount, run
from test_ctl import AS_NOBODY, NO_DEVICE
from test_real import packed

IMAGE = [
    layer(directory("etc"), file("etc/os-release", "ID=test\n"), file("etc/gone", "1"),
          directory("d", mode=0o1777, uid=5, gid=70000), symlink("d/up", "../../../etc"),
          symlink("abs", "/d/up/os-release"), symlink("out", "../../../../etc/passwd"),
          symlink("loop", "loop"), symlink("none", "etc/nothing"), symlink("dir", "d/up")),
    layer(whiteout("etc/gone"), file("d/suid", "x" * 70000, mode=0o4755),
          hardlink("d/same", "d/suid"), char("d/c", 5, 1), block("d/b", 259, 70000), fifo("d/p"),
          file("d/later", mtime=4 * 10 ** 9), file("d/sg", mode=0o2644),
          file("d/now", mtime=int(time.time()) - 86400), directory("d/t", mode=0o1700)),
]
ALL = ["abs", "d", "dir", "etc", "loop", "none", "out"]


@pytest.fixture
def ctl(tmp_path):
    """Runs a command with a store of its own."""
    def run_it(command, *words, options=(), **more):
        return run(command, "-o", ",".join(("cache_dir=%s" % (tmp_path / "c"), *options)), *words,
                   program=PEELCTL, **more)
    return run_it


def popen(tmp_path, *words, **more):
    return subprocess.Popen([PEELCTL, words[0], "-o", "cache_dir=%s" % (tmp_path / "c"), *words[1:]],
                            env=environment(), stderr=subprocess.PIPE, **more)


def gnu_ls(path, *words):
    """In its output the tree is the root."""
    done = subprocess.run(["ls", "-An", *words, path], capture_output=True, timeout=60, text=True,
                          errors="replace", env={**os.environ, "LC_ALL": "C"})
    assert done.returncode == 0, done.stderr
    return re.sub("^%s(/?.*):$" % re.escape(os.fsdecode(path)), lambda m: (m[1] or "/") + ":",
                  done.stdout, flags=re.M)


# WHAT IS PRINTED

def facts(text):
    """Lines of ls -l without what differs from disk to disk, or in trees of umoci (test_real)."""
    for line in text.splitlines():
        if not line.startswith("total "):
            yield re.sub(r"^d\S+ \d+ (\d+ \d+) \d+ \w+ \d+ [\d:]+", r"d \1", re.sub(" +", " ", line))


@pytest.mark.core
@pytest.mark.limit(90)
def test_as_another_tool_unpacks_it(registry, images, tmp_path):
    """All attributes and all bytes; by an ordinary user, where nothing can be mounted."""
    base = packed("etc", "usr/bin/su", "usr/bin/perl", "usr/bin/awk", "dev/null",
                  "usr/share/zoneinfo/Europe", more=["--exclude=etc/ssl/private"])
    source = images.image([images.layer(base), layer(whiteout("etc/passwd"), *[
        file("etc/new", "2"), hardlink("usr/bin/su2", "usr/bin/su")])])
    reference = registry.push(source, "read/real", "t")
    where = tempfile.mkdtemp(prefix="peelfs-e2e-")
    try:
        os.chmod(where, 0o777)
        shutil.copy(PEELCTL, where + "/peelctl")

        def nobody(command, *words):
            done = subprocess.run(
                ["unshare", "-m", "sh", "-euc", NO_DEVICE, "sh", *AS_NOBODY, where + "/peelctl",
                 command, "-o", "cache_dir=%s/cache" % where, reference, *words],
                capture_output=True, timeout=60, env=environment())
            assert (done.returncode, done.stderr) == (0, b"")
            return done.stdout
        with oracle.umoci(source, tmp_path / "umoci") as tree:
            want = list(facts(gnu_ls(tree, "-lR")))
            got = list(facts(nobody("ls", "-lR").decode(errors="replace")))
            assert len(want) > 500 and got == want
            names = sorted(os.path.relpath(os.path.join(at, name), tree)
                           for at, _, names in os.walk(tree) for name in names
                           if os.path.isfile(os.path.join(at, name))
                           and not os.path.islink(os.path.join(at, name)))
            wanted = b""
            for name in names:
                with open(os.path.join(tree, name), "rb") as f:
                    wanted += f.read()
            assert len(names) > 300 and nobody("cat", *names) == wanted
    finally:
        shutil.rmtree(where)


def test_as_ls_of_a_mount(images, ctl, tmp_path):
    """Byte for byte what GNU ls prints there, with columns, times, and blocks."""
    source = images.image(IMAGE)
    with mount(source, cache=tmp_path / "c") as m:
        want = gnu_ls(m.root, "-lR")
        names = gnu_ls(m.root, "-R", "-p").replace("//:", "/:")
        one = gnu_ls(m.at("d"), "-l")
    done = ctl("ls", "-lR", source)
    assert (done.stdout, done.stderr) == (want, "") and done.returncode == 0
    assert re.search(r"^b\S+ 1 0 +0 +259, 70000 ", want, re.M), want
    # The mount's ls has been given "-n", which is a long list.
    assert ctl("ls", "-nRp", source).stdout == names
    assert ctl("ls", "-l", source, "d").stdout == one


@pytest.mark.parametrize("words, want", [
    ([], ALL), (["/"], ALL), (["-a", "."], ALL), (["etc"], ["os-release"]), (["dir"], ["os-release"]),
    (["d/up/../etc/"], ["os-release"]), (["abs"], ["abs"]), (["none", "loop"], ["loop", "none"]),
    (["-d", "etc", "dir"], ["dir", "etc"]), (["-dp", "etc", "dir"], ["dir", "etc/"]),
    (["etc", "abs", "d/t"], ["abs", "", "d/t:", "", "etc:", "os-release"]),
    (["-R", "etc"], ["etc:", "os-release"]), (["--", "etc"], ["os-release"]),
    (["--layer=2"], ["d", "etc"]), (["--layer", "2", "etc"], [".wh.gone"]),
    (["--layer=1", "etc"], ["gone", "os-release"])])
def test_operands(images, ctl, words, want):
    done = ctl("ls", images.image(IMAGE), *words)
    assert done.stdout.split("\n")[:-1] == want
    assert (done.returncode, done.stderr) == (0, "")


def test_documents(images, ctl, tmp_path):
    """Those of a mount, without the paths that only a mount has."""
    source = images.image(IMAGE)
    with mount(source, cache=tmp_path / "c") as m:
        want = {name: m.read(name).decode() for name in ("inspect.json", "history", "Dockerfile")}
    for command, name in (("history", "history"), ("dockerfile", "Dockerfile")):
        assert ctl(command, source).stdout == want[name]
    shown = json.loads(want["inspect.json"])
    assert shown[0].pop("GraphDriver")
    done = ctl("inspect", source)
    assert json.loads(done.stdout) == shown and done.returncode == 0 and "/rootfs" not in done.stdout


def test_options_of_a_mount(images, ctl):
    """Those that make sense have their effect; a layout has none."""
    s390x = ("linux", "s390x", "")
    index = images.index([(images.manifest(IMAGE), layout.HOST),
                          (images.manifest([layer(file("f", "other"))], where=s390x), s390x)])
    source = images.tag(index)
    assert ctl("cat", source, "f", options=["platform=linux/s390x", "layout=rootfs"]).stdout == "other"
    assert " 7 8 " in ctl("ls", "-l", source, "etc", options=["uid=7", "gid=8"]).stdout


def test_from_a_pipe(images, ctl, tmp_path):
    """An archive that another program writes."""
    images.image(IMAGE)
    tar = subprocess.run(["tar", "-C", images.path, "-c", "."], capture_output=True, check=True).stdout
    with tempfile.TemporaryFile() as f:
        f.write(tar)
        f.seek(0)
        child = popen(tmp_path, "ls", "oci-archive:-", "etc", stdin=f, stdout=subprocess.PIPE)
        assert child.communicate(timeout=30 * SLOWER) == (b"os-release\n", b"")
    child = popen(tmp_path, "cat", "oci-archive:-", "abs", stdin=subprocess.PIPE,
                  stdout=subprocess.PIPE)
    assert child.communicate(tar, timeout=30 * SLOWER)[0] == b"ID=test\n" and child.returncode == 0


def test_terminal(images, tmp_path):
    """Names reach a terminal without control characters, and a pipe as they are."""
    source = images.image([layer(file("a\x1bb\nc"), symlink("l", "\x1b[2J"))])
    parent, child = pty.openpty()
    done = popen(tmp_path, "ls", "-l", source, stdout=child)
    os.close(child)
    assert done.wait(30 * SLOWER) == 0 and done.stderr.read() == b""
    seen = os.read(parent, 4096)
    os.close(parent)
    assert b"a?b?c\r\n" in seen and b"l -> ?[2J" in seen
    done = popen(tmp_path, "ls", "-l", source, stdout=subprocess.PIPE)
    assert b"a\x1bb\nc\n" in done.communicate(timeout=30 * SLOWER)[0]


# WHAT IS NOT THERE

@pytest.mark.parametrize("command, path, why", [
    ("cat", "nope", "No such file or directory"), ("cat", "etc", "Is a directory"),
    ("cat", "etc/os-release/", "Not a directory"), ("cat", "etc/os-release/x", "Not a directory"),
    ("cat", "loop", "Too many levels of symbolic links"), ("cat", "none", "No such file or directory"),
    ("cat", "etc/gone", "No such file or directory"), ("cat", "d/p", "not a regular file"),
    ("cat", "d/c", "not a regular file"), ("cat", "", "No such file or directory"),
    ("cat", "out", "No such file or directory"), ("cat", "x" * 300, "File name too long"),
    ("ls", "nope", "No such file or directory"), ("ls", "loop/x", "Too many levels of symbolic links"),
    ("ls", "abs/", "Not a directory")])
def test_bad_paths(images, ctl, command, path, why):
    """A sentence and a failure; what else was asked for is printed."""
    done = ctl(command, images.image(IMAGE), path, "abs")
    assert done.stderr == "peelctl: %s: %s\n" % (path, why) and done.returncode == 1
    assert done.stdout == {"cat": "ID=test\n", "ls": "abs\n"}[command]


@pytest.mark.parametrize("words, about", [
    (["ls"], "expected an image"), (["cat", "x"], "and a path"), (["inspect"], "expected an image"),
    (["history", "a", "b"], "alone"), (["ls", "-x", "a"], "-x"), (["cat", "--layr", "a", "b"], "--layr"),
    (["ls", "--layer"], "needs a value")])
def test_usage(words, about):
    done = run(*words, program=PEELCTL)
    assert done.returncode == 1 and done.stdout == "" and about in done.stderr
    assert done.stderr.count("\n") == 1 and done.stderr.endswith("; see peelctl -h\n")


@pytest.mark.parametrize("words, about", [
    (["ls", "localhost:1/"], "not an image"), (["ls", "oci:/nonexistent"], "/nonexistent"),
    (["ls", "--layer=3", "IMAGE"], "layers 1 to 2, not 3"), (["ls", "--layer=0", "IMAGE"], "not 0"),
    (["cat", "--layer=x", "IMAGE", "f"], "expected a number"), (["ls", "-o", "ofline", "IMAGE"], "offline"),
    (["ls", "127.0.0.1:1/a"], "127.0.0.1:1"), (["inspect", "dir:"], "dir:")])
def test_bad_images(images, ctl, words, about):
    words = [images.image(IMAGE) if word == "IMAGE" else word for word in words]
    done = ctl(*words)
    assert done.returncode == 1 and done.stdout == ""
    assert about in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_artifact(images, ctl):
    """It has no files to list; that is said once."""
    blob = images.blob(b"data", "text/plain")
    config = images.blob(b"{}", "application/vnd.oci.empty.v1+json")
    d = images.document({"schemaVersion": 2, "mediaType": layout.MANIFEST, "config": config,
                         "artifactType": "text/x", "layers": [blob]}, layout.MANIFEST)
    for command in ("ls", "history"):
        done = ctl(command, images.tag(d))
        assert done.returncode == 1 and done.stderr.count("\n") == 1 and done.stdout == ""
        assert "text/x" in done.stderr or "not an image" in done.stderr, done.stderr


def test_broken_layer(images, ctl):
    """One sentence for all paths; what does not need the layer is printed."""
    source = images.image(IMAGE)
    with open(images.path + "/index.json") as f:
        manifest = images.read(json.load(f)["manifests"][0])
    path = images.blob_path(json.loads(manifest)["layers"][1]["digest"])
    with open(path, "r+b") as f:
        f.seek(40)
        f.write(b"\xff" * 8)
    for words in (["ls", source], ["ls", "-R", source, "etc", "d"], ["cat", source, "abs", "d/now"],
                  ["ls", "--layer=2", source]):
        done = ctl(*words)
        assert done.returncode == 1 and done.stdout == "", words
        assert done.stderr.count("\n") == 1 and "layer sha256:" in done.stderr, done.stderr
    done = ctl("ls", "--layer=1", source, "etc")
    assert done.stdout == "gone\nos-release\n" and (done.returncode, done.stderr) == (0, "")
    assert ctl("cat", "--layer=1", source, "abs").stdout == "ID=test\n"
    for command in ("inspect", "history", "dockerfile"):
        done = ctl(command, source)
        assert done.returncode == 0 and done.stdout and done.stderr == ""


# OUTPUT AND INTERRUPTS

def test_closed_pipe(images, ctl, tmp_path):
    source = images.image([layer(file("big", os.urandom(8 << 20)))])
    for words in (["cat", source, "big", "big"], ["cat", source, "big", "nope"]):
        child = popen(tmp_path, *words, stdout=subprocess.PIPE)
        assert len(child.stdout.read(1)) == 1
        child.stdout.close()
        assert child.wait(30 * SLOWER) == -signal.SIGPIPE and child.stderr.read() == b""


@pytest.mark.parametrize("words", [["ls", "-lR"], ["cat", "d/suid"], ["cat", "abs"], ["inspect"]])
def test_output_that_cannot_be_written(images, ctl, tmp_path, words):
    source = images.image(IMAGE)
    words = [words[0], source, *words[1:]] if words[0] == "cat" else [*words, source]
    with open("/dev/full", "w") as full:
        child = popen(tmp_path, *words, stdout=full)
        assert child.wait(30 * SLOWER) == 1
    assert child.stderr.read() == b"peelctl: cannot write: No space left on device\n"
    # A closed one: the store's files must not get its number.
    done = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", PEELCTL, words[0], "-o",
                           "cache_dir=%s" % (tmp_path / "c"), *words[1:]],
                          capture_output=True, timeout=30 * SLOWER, env=environment())
    assert done.returncode == 1
    assert done.stderr == b"peelctl: cannot write: Bad file descriptor\n"
    done = run("cache", "verify", "--dir=%s" % (tmp_path / "c"), program=PEELCTL)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("words", [["ls"], ["cat", "etc/os-release"]])
def test_interrupt(fake, tmp_path, words):
    """Ctrl-C ends it at once, though the registry is silent; the next one succeeds."""
    source = fake.image("a", IMAGE)
    fake.silent.set()
    child = popen(tmp_path, words[0], source, *words[1:], stdout=subprocess.PIPE)
    assert eventually(lambda: fake.waiting)
    begin = time.monotonic()
    child.send_signal(signal.SIGINT)
    assert child.wait(30 * SLOWER) == -signal.SIGINT and time.monotonic() - begin < 1 * SLOWER
    assert child.communicate() == (b"", b"")
    fake.silent.clear()
    child = popen(tmp_path, words[0], source, *words[1:], stdout=subprocess.PIPE)
    assert child.communicate(timeout=30 * SLOWER)[0] and child.returncode == 0


# THE NETWORK

def test_requests(fake, ctl):
    """With the index in the store: the manifest, and the span that has the bytes."""
    source = fake.image("a", IMAGE)
    assert ctl("index", source, options=["cache=index"]).returncode == 0
    del fake.asked[:]
    done = ctl("cat", source, "etc/os-release", options=["cache=index"])
    assert (done.stdout, done.stderr) == ("ID=test\n", "")
    assert 0 < len(fake.asked) <= 3, fake.asked
    assert [path for _, path, _ in fake.asked].count("/v2/a/manifests/t") >= 1
    del fake.asked[:]
    assert ctl("ls", "-lR", source).returncode == 0
    assert len(fake.asked) <= 2, fake.asked
    # And none of them with what a first reading has stored.
    assert ctl("cat", source, "etc/os-release").returncode == 0
    del fake.asked[:]
    assert ctl("cat", source, "etc/os-release", options=["offline"]).stdout == "ID=test\n"
    assert fake.asked == []


def test_requests_of_a_first_use(fake, ctl, tmp_path):
    """A document needs manifest and config, a layer no other layer."""
    source = fake.image("a", IMAGE)
    for command in ("inspect", "history", "dockerfile"):
        shutil.rmtree(tmp_path / "c", ignore_errors=True)
        del fake.asked[:]
        assert ctl(command, source).returncode == 0
        assert len(fake.asked) <= 3 and not any(span for _, _, span in fake.asked), fake.asked
    manifest = json.loads(fake.manifests["a", "t"][1])
    os.unlink(fake.images.blob_path(manifest["layers"][1]["digest"]))
    done = ctl("ls", "--layer=1", source, "etc")
    assert (done.stdout, done.stderr, done.returncode) == ("gone\nos-release\n", "", 0)
    done = ctl("cat", source, "abs", "none", options=["timeout=2"])
    assert done.returncode == 1 and done.stdout == ""
    assert re.fullmatch("peelctl: layer sha256:[^\n]* 404 [^\n]*\n", done.stderr), done.stderr


def test_bytes_that_cannot_be_fetched(fake, ctl):
    """The path, and why, as a mount says in its log; the other layer is still read."""
    source = fake.image("a", IMAGE)
    assert ctl("index", source, options=["cache=index"]).returncode == 0
    done = ctl("cat", source, "etc/os-release", "d/later", "d/now",
               options=["cache=index", "offline"])
    assert done.returncode == 1 and done.stdout == ""
    assert re.fullmatch("peelctl: etc/os-release: [^\n]*offline[^\n]*\n", done.stderr), done.stderr
    done = ctl("ls", source, "etc", options=["offline"])
    assert (done.stdout, done.returncode) == ("os-release\n", 0)
