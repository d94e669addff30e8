# SPDX-License-Identifier: MIT
"""peelctl wait: the layers of a mount that has answered before them; and a status that follows."""
import contextlib
import json
import os
import random
import re
import signal
import subprocess
import time

import pytest

from archive import file, layer
from mounting import PEELCTL, SLOWER, eventually, mount, run, unmount
from terminal import terminal

NOISE = random.Random(11).randbytes(3_000_000)
IMAGE = [layer(file("one", NOISE)), layer(file("two", "2"))]
# On any machine much less than the time that something else would take.
AT_ONCE = 3


def ctl(*words, **more):
    return run(*words, program=PEELCTL, **more)


def states(m):
    return [d["state"] for d in m.status()["layers"]]


def test_wait_loads_all_layers(fake):
    with mount(fake.image("a", IMAGE), load=False) as m:
        assert states(m) == ["waiting"] * 2
        done = ctl("wait", m.path)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert states(m) == ["ready"] * 2
        assert m.status()["progress"] == {
            "layers": 2, "layersDone": 2, "size": m.status()["progress"]["size"],
            "sizeDone": m.status()["progress"]["size"]}
        fake.silent.set()
        done = ctl("wait", m.path)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("options", [(), ("layout=rootfs",)])
def test_wait_draws_a_bar(fake, options):
    fake.pace = 1_000_000
    with mount(fake.image("a", IMAGE), *options, load=False) as m:
        with terminal(PEELCTL, "wait", m.path) as t:
            assert t.shows(r"\r\[#*-+\] \d\.\d/2\.9 MiB  \d\.\d MiB/s  layer [01]/2"), t.text
            assert t.shows(r"\r\[#{12,}-*\] [12]\.\d/2\.9 MiB .* [12] s left"), t.text
            assert t.wait() == 0, t.text
            assert t.text.endswith("\r\033[K"), t.text
        assert "ready" in ctl("status", m.path).stdout


def test_wait_names_a_silent_registry(fake):
    source = fake.image("a", IMAGE)
    with mount(source, "timeout=60", load=False) as m:
        fake.silent.set()
        with terminal(PEELCTL, "wait", m.path) as t:
            assert t.shows("layer 0/2  waiting for %s, 2 s" % re.escape(fake.host)), t.text
            os.write(t.end, b"\x03")
            assert t.wait(AT_ONCE) == -signal.SIGINT
            assert t.text.endswith("\r\033[K"), t.text
        fake.silent.clear()
        assert ctl("wait", m.path).returncode == 0  # the load went on


@pytest.mark.parametrize("options", [(), ("layout=rootfs",)])
def test_wait_has_a_limit(fake, options):
    with mount(fake.image("a", IMAGE), "timeout=60", *options, load=False) as m:
        fake.silent.set()
        begun = time.monotonic()
        done = ctl("wait", "-t", "1", m.path)
        assert 1 <= time.monotonic() - begun < 1 + AT_ONCE * SLOWER
        assert done.returncode == 1 and done.stdout == ""
        assert done.stderr == "peelctl: %s: only 0 of 2 layers are loaded after 1 s\n" % m.path
        fake.silent.clear()
        assert ctl("wait", "-t1000", m.path).returncode == 0
        assert os.listdir(m.path if options else m.root)


def test_limit_of_nothing(fake):
    """Only what is there now."""
    with mount(fake.image("a", IMAGE), "timeout=60", load=False) as m:
        fake.silent.set()
        assert ctl("wait", "-t", "0", m.path).returncode == 1
        fake.silent.clear()
        assert ctl("wait", m.path).returncode == ctl("wait", "-t", "0", m.path).returncode == 0


def test_interrupt_ends_all_of_it(fake):
    with mount(fake.image("a", IMAGE), "timeout=60", load=False) as m:
        fake.silent.set()
        child = subprocess.Popen([PEELCTL, "wait", m.path], start_new_session=True)
        assert eventually(lambda: fake.waiting)
        begun = time.monotonic()
        child.send_signal(signal.SIGINT)  # to it alone, not to its child
        assert child.wait(10) == -signal.SIGINT
        assert time.monotonic() - begun < AT_ONCE * SLOWER
        # We are the reaper of its child, if it has not ended it itself.
        assert eventually(lambda: subprocess.run(
            ["ps", "-o", "state=", "-s", str(child.pid)], capture_output=True).stdout in
            (b"", b"Z\n"), AT_ONCE)
        fake.silent.clear()


# What broke

def broken(images):
    d = images.layer(layer(file("two", "2")))
    with open(images.blob_path(d["digest"]), "r+b") as f:
        f.write(b"other bytes")
    return images.manifest([IMAGE[0], d])


@pytest.mark.parametrize("options", [(), ("layout=rootfs",)])
@pytest.mark.parametrize("before", [False, True])
def test_wait_says_which_layer_is_broken(images, before, options):
    with mount(images.tag(broken(images)), *options, load=False) as m:
        if before:
            with pytest.raises(OSError):
                os.listdir(m.path if options else m.root)
        done = ctl("wait", m.path)
        assert done.returncode == 1 and done.stdout == ""
        assert re.fullmatch("peelctl: %s: layer sha256:.*\npeelctl: %s: rootfs/ cannot be shown\n"
                            % (m.path, m.path), done.stderr)
        if options:
            return
        assert len(os.listdir(m.path + "/layers/1-" + m.status()["layers"][0]["digest"][7:19])) == 1


@pytest.mark.parametrize("options", [(), ("layout=rootfs",)])
@pytest.mark.parametrize("before", [False, True])
def test_wait_says_why_a_load_failed(fake, before, options):
    source = fake.image("a", IMAGE)
    with mount(source, "timeout=3", *options, load=False) as m:
        fake.status = 403
        if before:
            with pytest.raises(OSError):
                os.listdir(m.path if options else m.root)
        done = ctl("wait", m.path)
        assert done.returncode == 1 and done.stdout == ""
        assert re.fullmatch("peelctl: %s: .*%s.*403.*\n" % (m.path, fake.host), done.stderr)
        fake.status = None
        assert eventually(lambda: ctl("wait", m.path).returncode == 0, 15, 1)


def test_wait_says_why_a_layer_failed_before(fake):
    with mount(fake.image("a", IMAGE), "timeout=3", load=False) as m:
        layers = [n for n in os.listdir(m.path + "/layers") if not n.endswith(".json")]
        fake.status = 403
        for name in layers:
            with pytest.raises(OSError):
                os.listdir(m.path + "/layers/" + name)
        assert set(states(m)) == {"waiting"} and m.status()["progress"]["layersDone"] == 0
        shown = ctl("status", m.path).stdout
        assert "errors    2\n" in shown and not re.search("(?m) $", shown), shown
        done = ctl("wait", m.path)
        assert done.returncode == 1
        assert re.fullmatch("peelctl: %s: layer .*%s.*403.*\n" % (m.path, fake.host), done.stderr)


def test_wait_ends_with_a_silent_registry(fake):
    with mount(fake.image("a", IMAGE), "timeout=3", load=False) as m:
        fake.silent.set()
        done = ctl("wait", m.path)
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1 and fake.host in done.stderr, done.stderr


@pytest.mark.parametrize("options", [(), ("layout=rootfs",)])
def test_daemon_that_does_not_answer(fake, options):
    with mount(fake.image("a", IMAGE), *options, load=False) as m:
        os.kill(m.pid, signal.SIGSTOP)
        done = ctl("wait", m.path)
        os.kill(m.pid, signal.SIGCONT)
        assert done.returncode == 1 and "does not answer" in done.stderr, done.stderr


@pytest.mark.limit(60)
def test_daemon_that_stops(fake):
    """It has read a request by then, so not even a kill ends the process that made it."""
    with mount(fake.image("a", IMAGE), "timeout=60", load=False) as m:
        fake.silent.set()
        child = subprocess.Popen([PEELCTL, "wait", m.path], stderr=subprocess.PIPE)
        try:
            assert eventually(lambda: fake.waiting)
            os.kill(m.pid, signal.SIGSTOP)
            assert b"does not answer" in child.communicate(timeout=20 * SLOWER)[1]
            assert child.returncode == 1
        finally:
            os.kill(m.pid, signal.SIGCONT)
            fake.silent.clear()


def test_daemon_that_dies(fake):
    with mount(fake.image("a", IMAGE), "timeout=60", load=False) as m:
        fake.silent.set()
        child = subprocess.Popen([PEELCTL, "wait", m.path], stderr=subprocess.PIPE)
        assert eventually(lambda: fake.waiting)
        m.kill()
        assert child.wait(10 * SLOWER) == 1
        assert child.stderr.read().count(b"\n") == 1
        m.pid = None


# Of what

def test_wait_with_layout_rootfs(fake):
    with mount(fake.image("a", IMAGE), "layout=rootfs", load=False) as m:
        done = ctl("wait", m.path)
        assert (done.returncode, done.stderr) == (0, "")
        fake.silent.set()
        assert sorted(os.listdir(m.path)) == ["one", "two"]
        assert ctl("wait", m.path + "/").returncode == 0


def test_wait_in_a_namespace(fake):
    fake.image("team/app", IMAGE)
    with mount(fake.host + "/team/") as m:
        done = ctl("wait", m.path)
        assert done.returncode == 1
        assert re.fullmatch(r"peelctl: \S+ is a registry; wait for .*\n", done.stderr)
        image = m.path + "/app/t"
        fake.silent_about = fake.images.layer(IMAGE[1])["digest"]
        fake.silent.set()
        assert ctl("wait", "-t", "1", image).stderr.count("only 1 of 2") == 1
        fake.silent.clear()
        done = ctl("wait", image)
        assert (done.returncode, done.stderr) == (0, "")
        fake.silent.set()
        assert sorted(os.listdir(image + "/rootfs")) == ["one", "two"]
        fake.silent.clear()


@pytest.mark.parametrize("words, about", [
    ([], "mount point"), (["a", "b"], "mount point"), (["-t"], "needs a value"),
    (["-t", "x", "."], "x is not a number"), (["-t", "-1", "."], "-1 is not"), (["-z", "."], "-z"),
    (["-o", "wait", "."], "-o"), (["--json", "."], "--json")])
def test_usage(words, about):
    done = ctl("wait", *words)
    assert done.returncode == 1 and done.stdout == ""
    assert about in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_what_is_no_mount(tmp_path):
    (tmp_path / "rootfs").mkdir()
    for path, about in ((tmp_path, "not a mount"), (tmp_path / "none", "No such file")):
        for words in (["wait"], ["wait", "-t", "5"], ["status", "--follow"]):
            done = ctl(*words, str(path))
            assert done.returncode == 1 and about in done.stderr, done.stderr


@pytest.mark.parametrize("options", [(), ("layout=rootfs",)])
def test_status_loads_nothing(fake, options):
    """Nor does it wait, whatever the layout is."""
    layers = [layer(file("f%d" % i, "1")) for i in range(60)]  # more than a piece of the status
    with mount(fake.image("a", layers), "timeout=60", *options, load=False) as m:
        fake.silent.set()
        listed = ctl("status").stdout  # mounts of other tests may not answer
        begun = time.monotonic()
        found = json.loads(ctl("status", "--json", m.path).stdout)
        assert found["state"] == "waiting" and len(found["layers"]) == 60
        assert re.search("^%s  %s/a:t  waiting  " % (m.path, fake.host), listed, re.M)
        assert "state     waiting\n" in ctl("status", m.path).stdout
        assert time.monotonic() - begun < AT_ONCE * SLOWER
        assert fake.waiting == 0
        fake.silent.clear()


# status --follow

def test_follow_until_the_mount_is_gone(fake):
    with mount(fake.image("a", IMAGE), load=False) as m:
        child = subprocess.Popen([PEELCTL, "status", "--follow", m.path], stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True)
        lines = iter(child.stdout.readline, "")
        assert any("state     waiting" in line for line in lines)
        os.listdir(m.root)
        assert any("state     ready" in line for line in lines)
        assert unmount(m.path)
        rest = child.communicate(timeout=10 * SLOWER)
        assert child.returncode == 0 and rest[1] == "", rest


def test_follow_prints_json(fake):
    with mount(fake.image("a", IMAGE), load=False) as m:
        child = subprocess.Popen([PEELCTL, "status", "--json", "--follow", m.path],
                                 stdout=subprocess.PIPE, text=True)
        decoder, text, found = json.JSONDecoder(), "", []
        while len(found) < 2:
            text += child.stdout.readline()
            with contextlib.suppress(ValueError):
                value, end = decoder.raw_decode(text)
                found.append(value["state"])
                text = text[end:].lstrip()
        child.send_signal(signal.SIGINT)
        assert child.wait(10) == -signal.SIGINT
        assert found == ["waiting"] * 2


def test_follow_on_a_terminal(fake):
    with mount(fake.image("a", IMAGE), load=False) as m:
        with terminal(PEELCTL, "status", "--follow", m.path) as t:
            assert t.shows("(?s)\033\\[H\033\\[J.*waiting.*\033\\[H\033\\[J"), t.text
            os.write(t.end, b"\x03")
            assert t.wait(AT_ONCE) == -signal.SIGINT


def test_follow_ends_with_its_reader(fake):
    with mount(fake.image("a", IMAGE), load=False) as m:
        done = run("-c", '"$0" status --follow "$1" | head -n 1', PEELCTL, m.path, program="sh")
        assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("image ")
