# SPDX-License-Identifier: MIT
"""peelctl run: what the program of an image sees, and what it ends with."""
import json
import os
import re
import subprocess

import pytest

import runner
from archive import directory, file, symlink
from mounting import PEELCTL, environment, eventually, run

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SHOW = "#!/bin/sh\nfor word; do echo \"<$word>\"; done\n"


@pytest.fixture(scope="module")
def box():
    with runner.box() as b:
        yield b


@pytest.fixture(scope="module")
def image(box):
    return box.image()


@pytest.mark.core
def test_output(box, image):
    assert box.output(image, "sh", "-c", "echo out; cat /etc/passwd") == "out\n" + runner.PASSWD
    done = box(image, "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, "out\n", "err\n")
    assert not eventually(box.processes, 0.1)


def test_standard_input(box, image, tmp_path):
    (tmp_path / "in").write_bytes(b"line\n" * 100000)
    for flags in ([], ["-i"]):
        with open(tmp_path / "in", "rb") as f:
            assert box.output(*flags, image, "cat", stdin=f) == "line\n" * 100000


@pytest.mark.parametrize("entrypoint, cmd, words, want", [
    (None, ["/show", "a"], [], "<a>"), (None, ["/show", "a"], ["/show", "b", "-i"], "<b><-i>"),
    (["/show", "e"], ["a"], [], "<e><a>"), (["/show", "e"], ["a"], ["b", "--", ""], "<e><b><--><>"),
    (["/show"], None, [], ""), (["/show"], None, ["-t"], "<-t>")])
def test_entrypoint_and_command(box, entrypoint, cmd, words, want):
    config = {"Entrypoint": entrypoint, "Cmd": cmd}
    source = box.image(file("show", SHOW, mode=0o755),
                       **{k: v for k, v in config.items() if v is not None})
    assert box.output(source, *words).replace("\n", "") == want


def test_no_command(box, image):
    done = box(box.image(Entrypoint=[]))
    assert done.returncode == 125 and "names no command" in done.stderr


def variables(text):
    return dict(line.split("=", 1) for line in text.splitlines())


def test_environment(box):
    source = box.image(Env=["PATH=/bin", "A=image", "B=image", "NOTHING"])
    env = environment(OUTSIDE="o=1", SECRET="no")
    assert variables(box.output("-e", "B=mine", "--env=C=c=c", "-eOUTSIDE", "-e", "MISSING", source,
                                "env", env=env)) == {
        "PATH": "/bin", "A": "image", "B": "mine", "C": "c=c", "OUTSIDE": "o=1",
        "container": "peelfs", "HOME": "/root"}
    assert variables(box.output(box.image(), "env", env=env)) == {
        "PATH": PATH, "container": "peelfs", "HOME": "/root"}


USERS = [("", "0 0 0 /root"), ("root", "0 0 0 /root"), ("web", "33 34 34 8 /srv/web"),
         ("33", "33 34 34 8 /srv/web"), ("web:mail", "33 8 8 /srv/web"), ("1234", "1234 0 0 /"),
         ("1234:5", "1234 5 5 /")]


@pytest.mark.parametrize("user, want", USERS)
def test_users(box, image, user, want):
    show = ["sh", "-c", "echo $(id -u) $(id -g) $(id -G) $HOME"]
    assert box.output(box.image(User=user), *show) == want + "\n"
    if user:
        assert box.output("-u", user, box.image(User="none"), *show) == want + "\n"


@pytest.mark.parametrize("user, about", [
    ("none", "no user none"), ("web:none", "no group none"), (":8", "USER"), ("-1", "no user -1")])
def test_unknown_users(box, image, user, about):
    done = box("--user=" + user, image, "true")
    assert done.returncode == 125 and about in done.stderr and done.stderr.count("\n") == 1


def test_working_directory(box, image):
    source = box.image(WorkingDir="/srv/web/new")
    assert box.output(source, "sh", "-c", "pwd; stat -c %a .") == "/srv/web/new\n755\n"
    assert box.output("-w", "/etc", source, "sh", "-c", "pwd") == "/etc\n"
    assert box.output(image, "sh", "-c", "pwd") == "/\n"
    for words, about in ((["-w", "/none"], "/none: No such file"), (["-w", "etc"], "begin with /"),
                         (["-w", "/etc/passwd"], "Not a directory")):
        done = box(*words, image, "true")
        assert done.returncode == 125 and about in done.stderr


def test_what_is_written_is_gone(box, image):
    change = "echo new > /new; rm -r /srv; echo more >> /etc/passwd; mkdir /srv; ls /srv"
    assert box.output(image, "sh", "-c", change) == ""
    done = box(image, "sh", "-c", "ls -d /new; ls /srv; cat /etc/passwd")
    assert done.stdout == "web\n" + runner.PASSWD and "/new" in done.stderr


def test_what_is_written_is_kept(box, image, tmp_path):
    kept = str(tmp_path / "kept")
    change = "echo new > /new; rm -r /srv; mkdir /srv; rm /etc/group; chown web /new"
    box.output("--rw", kept, image, "sh", "-c", change)
    show = "cat /new; stat -c %u /new; ls /srv; ls /etc/group 2>/dev/null || echo gone"
    assert box.output("--rw", kept, image, "sh", "-c", show) == "new\n33\ngone\n"
    with subprocess.Popen(box.words("--rw", kept, image, "sh", "-c", "echo on; cat"), text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()) as child:
        assert child.stdout.readline() == "on\n"
        done = box("--rw", kept, image, "true")
        assert done.returncode == 125 and "another run uses it" in done.stderr
        child.stdin.close()
        assert child.wait(20) == 0
    other = box.image(file("other", "1"))
    done = box("--rw", kept, other, "sh", "-c", "ls /etc")
    assert done.returncode == 125 and "above another image, sha256:" in done.stderr
    os.unlink(kept + "/image")
    assert box.output("--rw", kept, other, "sh", "-c", "cat /new") == "new\n"
    done = box("--rw", str(tmp_path / "none/kept"), image, "true")
    assert done.returncode == 125 and "none/kept: No such file" in done.stderr


def test_the_root_is_the_image_s(box):
    """Its attributes, too."""
    source = box.image(directory(".", mode=0o2751, uid=33, gid=34))
    assert box.output(source, "stat", "-c", "%a %u %g", "/") == "2751 33 34\n"


def test_volumes(box, image, tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d/f").write_text("data")
    volume = str(tmp_path / "d")
    assert box.output("-v", volume + ":/a/b/new", "-v", volume + "/f:/etc/f:ro", image, "sh", "-c",
                      "cat /a/b/new/f /etc/f; echo in > /a/b/new/made") == "datadata"
    assert (tmp_path / "d/made").read_text() == "in\n"
    done = box("-v", volume + ":/srv:ro", image, "sh", "-c", "ls /srv; echo > /srv/no")
    assert done.stdout == "f\nmade\n" and "Read-only" in done.stderr
    assert box.output("--rm", "-v=d:/srv:rw", image, "sh", "-c", "ls /srv", cwd=str(tmp_path)) == "f\nmade\n"
    for given, about in (("/none:/srv", "/none: No such file"), (volume, "SRC:DST"),
                         (volume + ":srv", "SRC:DST"), (volume + ":/srv:xx", "SRC:DST"),
                         (volume + "://", "SRC:DST"), (volume + ":/etc/passwd", "Not a directory")):
        done = box("-v", given, image, "true")
        assert done.returncode == 125 and about in done.stderr, done.stderr
        assert done.stderr.count("\n") == 1


def test_network(box, image):
    script = "while read a b; do echo ${a%%:*}; done < /proc/net/dev; ls /sys/class/net; cat /etc/hosts"
    names = [line.split(":")[0].strip() for line in open("/proc/net/dev")][2:]
    inside = box.output("--net", "none", image, "sh", "-c", script).split("\n")
    assert inside[2:] == ["lo", "lo", "127.0.0.1 localhost", "::1 localhost", ""]
    outside = box.output("--net=host", image, "sh", "-c", script)
    assert set(names) <= set(outside.split("\n")) and open("/etc/hosts").read() in outside
    want = open("/etc/resolv.conf").read() if os.path.exists("/etc/resolv.conf") else ""
    assert box(image, "cat", "/etc/resolv.conf").stdout == want
    up = "grep lo: /proc/net/dev; cat /sys/class/net/lo/flags"
    assert box.output("--net=none", image, "sh", "-c", up).split()[-1] == "0x9"
    done = box("--net", "bridge", image, "true")
    assert done.returncode == 125 and "host or none" in done.stderr


def test_devices(box, image):
    names = box.output(image, "ls", "/dev").split()
    assert set(names) - {"mqueue"} == {"fd", "full", "null", "ptmx", "pts", "random", "shm", "stderr",
                                       "stdin", "stdout", "tty", "urandom", "zero"}
    script = """
        echo lost > /dev/null
        dd if=/dev/zero bs=5 count=1 2>/dev/null | cat
        echo x > /dev/shm/x; cat /dev/shm/x
        ls /dev/fd/0 /dev/pts/ptmx
        echo full > /dev/full || echo no room
    """
    done = box(image, "sh", "-c", script)
    assert done.stdout == "\0\0\0\0\0x\n/dev/fd/0\n/dev/pts/ptmx\nno room\n"


def test_processes(box, image):
    """Its own pid namespace; zombies are reaped; descriptors and the umask are as in engines."""
    script = """
        echo $$; ls /proc | grep '^[0-9]'
        (sleep 0.1 &) ; sleep 0.4; grep -l Z..zombie /proc/[0-9]*/status
        umask; ls /proc/self/fd; grep -e SigIgn -e SigBlk /proc/self/status
    """
    reader, writer = os.pipe()
    done = box(image, "sh", "-c", script, pass_fds=[reader, writer])
    os.close(reader)
    os.close(writer)
    lines = done.stdout.split("\n")
    assert lines[:3] == ["2", "1", "2"] and "0022" in lines
    rest = lines[lines.index("0022") + 1:]
    assert rest[:4] == ["0", "1", "2", "3"] and rest[4] == "SigBlk:\t0000000000000000", rest
    # 32 and 33 belong to the C library, which lets nobody change them.
    assert rest[5].startswith("SigIgn:") and int(rest[5][7:], 16) & ~(3 << 31) == 0, rest
    assert rest[6:] == [""]
    assert done.stderr == ""


def test_what_is_of_the_machine(box, image):
    """Root's capabilities are podman's; what is of the whole machine is hidden or read-only."""
    status = box.output(image, "cat", "/proc/self/status")
    for name in ("CapPrm", "CapEff", "CapBnd"):
        assert name + ":\t00000000800405fb" in status
    assert "CapAmb:\t0000000000000000" in status and "NoNewPrivs:\t0" in status
    assert "CapEff:\t0000000000000000" in box.output("-u", "web", image, "cat", "/proc/self/status")
    for path in ("/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/sys/kernel/mm/ksm/run"):
        done = box(image, "sh", "-c", "echo x > " + path)
        assert done.returncode == 2 and ("Read-only" in done.stderr or "nonexistent" in done.stderr)
    script = "cat /proc/kcore /proc/timer_list /proc/keys; ls /proc/acpi /sys/firmware 2>/dev/null"
    assert box(image, "sh", "-c", script).stdout.replace("/proc/acpi:", "").replace(
        "/sys/firmware:", "").strip() == ""
    for words in (["mknod", "/x", "c", "1", "3"], ["mount", "-t", "tmpfs", "x", "/srv"],
                  ["umount", "/proc/sys"]):
        assert box(image, *words).returncode != 0, words


@pytest.mark.parametrize("words, status, about", [
    (["none"], 127, "none: command not found"), (["/none"], 127, "/none: No such file"),
    (["/etc/passwd"], 126, "/etc/passwd: Permission denied"), (["/etc"], 126, "Permission denied"),
    (["/binary"], 126, "not a program that this machine can run (the image is for linux/"),
    (["/script"], 127, "/script: No such file"), (["sh", "-c", "exit 3"], 3, None),
    (["sh", "-c", "kill -9 $$"], 137, None), (["sh", "-c", "kill -15 $$"], 143, None)])
def test_exit_status(box, words, status, about):
    source = box.image(file("binary", b"\0\1\2\3", mode=0o755),
                       file("script", "#!/none\n", mode=0o755))
    done = box(source, *words)
    assert done.returncode == status and (about or "") in done.stderr
    assert done.stderr.count("\n") == bool(about)


@pytest.mark.parametrize("words, about", [
    ([], "expected an image"), (["--none", "x"], "--none"), (["-e"], "-e needs a value"),
    (["-e", "=a", "x"], "-e =a: expected NAME"), (["--env=", "x"], "expected NAME"),
    (["-o", "none", "x"], "none"), (["localhost:1/"], "not an image"), (["oci:/none"], "/none"),
    (["dir:/"], "manifest.json")])
def test_usage_errors(words, about):
    done = run("run", *words, program=PEELCTL)
    assert done.returncode == 125 and about in done.stderr and done.stderr.count("\n") == 1


def test_what_is_no_image_of_a_container(box):
    config = box.images.blob(b"{}", "application/vnd.cncf.helm.config.v1+json")
    source = box.tag(box.images.manifest([], config=config))
    done = box(source, "true")
    assert done.returncode == 125 and done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("peelctl: ") and "an artifact of type" in done.stderr, done.stderr


def test_from_a_registry(box, registry):
    """And with options of peelfs."""
    reference = registry.push(box.image(), "run/real", "t")
    assert box.output(reference, "cat", "/etc/passwd") == runner.PASSWD
    assert box.output("-o", "offline", reference, "id", "-u") == "0\n"
    done = box(reference + "none", "true")
    assert done.returncode == 125 and done.stderr.startswith("peelctl: "), done.stderr
