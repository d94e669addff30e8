# SPDX-License-Identifier: MIT
"""peelctl run: terminals, signals, and that nothing is left, however it ends."""
import contextlib
import fcntl
import os
import pty
import shutil
import signal
import socket
import struct
import subprocess
import termios
import time

import pytest

import runner
from mounting import PEELCTL, environment, eventually, live, run
from test_run import box, image  # noqa: F401 (fixtures)


@contextlib.contextmanager
def running(box, *words, **more):
    """A run in the background, that has printed the line "on"."""
    child = subprocess.Popen(box.words(*words), stdout=subprocess.PIPE, text=True,
                             env=environment(), **more)
    live.append(child)
    try:
        assert child.stdout.readline() == "on\n"
        yield child
    finally:
        child.kill()
        child.wait(20)
        child.stdout.close()
        live.remove(child)


class Terminal:
    """A program whose controlling terminal is ours to type on."""

    def __init__(self, *words, size=(33, 101)):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
            os.execvpe(words[0], words, environment(TERM="vt220"))
        os.set_blocking(self.fd, False)
        self.text = b""
        self.status = None

    def type(self, text):
        os.write(self.fd, text.encode())

    def wait_for(self, text):
        def look():
            with contextlib.suppress(OSError):
                self.text += os.read(self.fd, 4096)
            return text.encode() in self.text
        assert eventually(look), self.text

    def end(self):
        def has_ended():
            with contextlib.suppress(OSError, BlockingIOError):
                self.text += os.read(self.fd, 4096)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
            return pid
        assert eventually(has_ended), self.text
        return self.status


@contextlib.contextmanager
def terminal(*words, **more):
    t = Terminal(*words, **more)
    try:
        yield t
    finally:
        if t.status is None:
            os.kill(t.pid, signal.SIGKILL)
            os.waitpid(t.pid, 0)
        os.close(t.fd)


# TERMINALS

@pytest.mark.core
def test_terminal(box, image):
    script = "tty; stty size; echo $TERM; stat -c %u /dev/console; read a; echo got-$a; exit 5"
    with terminal(*box.words("-it", "-u", "web", image, "sh", "-c", script)) as t:
        t.wait_for("33\r\n")
        t.type("word\n")
        t.wait_for("got-word")
        assert t.end() == 5
        lines = t.text.replace(b"\r", b"").split(b"\n")
        assert lines[:4] == [b"/dev/pts/0", b"33 101", b"vt220", b"33"]
    assert not box.processes()


def test_keys_of_a_terminal(box, image):
    """They reach the program, not peelctl; the size follows; the modes come back."""
    script = "trap 'echo int' INT; trap 'stty size' WINCH; echo on; while :; do sleep 0.05; done"
    with terminal("sh", "-c", "stty -a > /dev/null; before=$(stty -g); \"$@\"; echo status-$?; "
                  "[ $before = $(stty -g) ] && echo same", "sh",
                  *box.words("-it", image, "sh", "-c", script)) as t:
        t.wait_for("on\r\n")
        t.type("\x03")
        t.wait_for("int\r\n")
        fcntl.ioctl(t.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 60, 0, 0))
        t.wait_for("20 60\r\n")
        t.type("\x1c")
        t.wait_for("status-131")
        t.wait_for("same")
        t.end()


def test_job_control_in_a_terminal(box, image):
    with terminal(*box.words("-it", image, "sh", "-i")) as t:
        t.wait_for("# ")
        t.type("sleep 1000 & jobs; kill %1; echo done-$((1+1))\n")
        t.wait_for("done-2")
        t.type("exit 4\n")
        assert t.end() == 4
        assert b"job control" not in t.text


def test_terminal_without_one_outside(box, image):
    done = box("-t", image, "sh", "-c", "tty; stty size; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo yes")
    assert done.stdout == "/dev/pts/0\r\n0 0\r\nyes\r\n"
    for text, want in (("word\n", "word\r\nword\r\n"), ("word", "wordword"), ("", "")):
        reader, writer = os.pipe()
        os.write(writer, text.encode())
        os.close(writer)
        with os.fdopen(reader) as f:
            assert box("-it", image, "cat", stdin=f).stdout == want
    data = box("-t", image, "seq", "200000").stdout
    assert data.split("\r\n")[-2] == "200000"


def test_no_terminal_for_the_program(box, image):
    """Without -t it cannot type into the one outside, whose keys are passed on as signals."""
    script = "trap 'echo int; exit 9' INT; (: < /dev/tty) 2>/dev/null || echo none; echo on; sleep 1000"
    with terminal(*box.words(image, "sh", "-c", script)) as t:
        t.wait_for("on\r\n")
        assert b"none\r\n" in t.text
        t.type("\x03")
        t.wait_for("int")
        assert t.end() == 9


def test_stopped_by_a_key(box, image):
    script = "echo on; i=0; while :; do i=$((i + 1)); echo $i > /out/n; sleep 0.02; done"
    where = os.path.join(box.path, "stopped")
    os.makedirs(where)
    with open(where + "/n", "w") as f:
        f.write("0")

    def count():
        with open(where + "/n") as f:
            return f.read()

    def is_moving():
        before = count()
        time.sleep(0.3)
        return count() != before
    words = box.words("-v", where + ":/out", image, "sh", "-c", script)
    with terminal("bash", "--norc", "-i") as t:
        t.type("PS1='> '; " + " ".join("'%s'" % word for word in words) + "\n")
        t.wait_for("\ron\r\n")
        assert eventually(is_moving)
        t.type("\x1a")
        t.wait_for("Stopped")
        assert not is_moving()
        t.type("bg\n")
        assert eventually(is_moving)
        t.type("kill %1; wait; echo ended-$((1+1))\n")
        t.wait_for("ended-2")
        t.type("exit\n")
        t.end()


# SIGNALS

@pytest.mark.parametrize("number", ["HUP", "INT", "QUIT", "TERM", "USR1", "USR2"])
def test_signals_are_passed_on(box, image, number):
    script = "trap 'echo %s; exit 9' %s; echo on; while sleep 0.02; do :; done" % (number, number)
    with running(box, image, "sh", "-c", script) as child:
        child.send_signal(getattr(signal, "SIG" + number))
        assert child.stdout.read() == number + "\n" and child.wait(20) == 9
    with running(box, image, "sh", "-c", "echo on; exec sleep 1000") as child:
        child.send_signal(getattr(signal, "SIG" + number))
        assert child.wait(20) == 128 + getattr(signal, "SIG" + number)
    assert not box.processes()


def test_signal_for_another_user(box, image):
    with running(box, "-u", "web", image, "sh", "-c", "echo on; exec sleep 1000") as child:
        child.terminate()
        assert child.wait(20) == 143


def test_what_the_program_leaves(box, image):
    """It ends with the program, though it ignores signals and has its output open."""
    script = "trap '' HUP INT TERM; sleep 1000 & setsid sleep 1000 2>/dev/null & exit 3"
    begin = time.monotonic()
    assert box(image, "sh", "-c", script).returncode == 3
    assert time.monotonic() - begin < 20 and not box.processes()


@pytest.mark.parametrize("flags", [[], ["-it"]])
def test_killed(box, image, flags):
    script = "trap '' HUP TERM; (sleep 1000 &); echo on; exec sleep 1000"
    child = subprocess.Popen(box.words(*flags, image, "sh", "-c", script), stdout=subprocess.PIPE,
                             stdin=subprocess.PIPE, env=environment(), start_new_session=True)
    assert child.stdout.readline().strip() == b"on"
    assert len(box.processes()) >= 4
    child.kill()
    child.wait(20)
    assert eventually(lambda: not box.processes()), box.processes()
    child.stdout.close()
    child.stdin.close()


NO_FILES = """
    mount --bind "$1" /mnt
    for path in /tmp /var/tmp /run; do mount -t tmpfs tmpfs $path; done
    mkdir -p "$1" && mount --move /mnt "$1" && cd "$1" && shift || exit 9
    "$@" sh -c 'echo x > /x' || exit 8
    "$@" sh -c 'echo on > /out/on; exec sleep 1000' &
    while ! [ -s volume/on ]; do sleep 0.05; done
    kill -9 $!
    find /tmp /var/tmp /run -xdev -type f | grep -v ^/run/mount/
    grep ' - [a-z.]* peelfs ' /proc/self/mountinfo
"""


def test_no_file_and_no_mount(box, image):
    """Nowhere but in the store, after an end and after a kill."""
    for name in ("peelctl", "peelfs"):
        shutil.copy(os.path.join(os.path.dirname(PEELCTL), name), box.path)
    os.mkdir(box.path + "/volume")
    words = box.words("-v", box.path + "/volume:/out", image)
    done = run("-m", "sh", "-uc", NO_FILES, "sh", box.path, box.path + "/peelctl", *words[1:],
               program="unshare")
    assert (done.returncode, done.stdout) == (1, ""), done


def test_killed_init_or_peelfs(box, image):
    """One part does not go on without the others."""
    def others(text, child):
        return [pid for pid, words in box.processes().items()
                if text in words and pid != child.pid]
    with running(box, image, "sh", "-c", "echo on; exec sleep 1000") as child:
        os.kill(others(b"\0run\0", child)[0], signal.SIGKILL)
        assert child.wait(20) == 137
    with running(box, image, "sh", "-c", "echo on; read a; cat /etc/group; exit 1",
                 stdin=subprocess.PIPE) as child:
        os.kill(others(b"/dev/fd/3", child)[0], signal.SIGKILL)
        child.stdin.write("\n")
        child.stdin.close()
        assert child.stdout.read() == "" and child.wait(20) != 0
    assert eventually(lambda: not box.processes())


def test_ended_while_the_image_loads(box):
    """A registry that does not answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        source = "127.0.0.1:%d/a/b:c" % server.getsockname()[1]
        child = subprocess.Popen(box.words(source, "true"), env=environment(),
                                 stderr=subprocess.DEVNULL)
        live.append(child)
        connection = server.accept()[0]
        child.terminate()
        assert child.wait(20) == 143
        live.remove(child)
        connection.close()
    assert eventually(lambda: not box.processes())
