# SPDX-License-Identifier: MIT
"""peelctl run by ordinary users, with and without subordinate IDs, and where it is refused."""
import contextlib
import os
import subprocess

import pytest

from mounting import run
from test_run import box, image  # noqa: F401 (fixtures)


@contextlib.contextmanager
def ranges(user, lines):
    """The user's lines in /etc/subuid and /etc/subgid are LINES. Nobody else runs: see `user`."""
    before = {}
    for path in ("/etc/subuid", "/etc/subgid"):
        before[path] = open(path).read() if os.path.exists(path) else None
        others = [line for line in (before[path] or "").splitlines(True)
                  if not line.startswith(user + ":")]
        with open(path, "w") as f:
            f.write("".join(others + lines))
    try:
        yield user
    finally:
        for path, text in before.items():
            if text is None:
                os.unlink(path)
            else:
                with open(path, "w") as f:
                    f.write(text)


@pytest.fixture
def single(user):
    with ranges(user, []):
        yield user


@pytest.fixture
def mapped(user):
    with ranges(user, [user + ":2000000:1000\n", user + ":3000000:65536\n"]):
        yield user


@pytest.mark.core
def test_one_id(box, image, single):
    """Everything is root's, and so is the program."""
    script = "id -u; id -g; stat -c '%u %g' /etc/passwd /srv/web; echo x > /new; cat /new; rm -r /srv"
    assert box.output(image, "sh", "-c", script, user=single) == "0\n0\n0 0\n0 0\nx\n"
    assert box.output("-u", "root", box.image(User="web"), "id", "-u", user=single) == "0\n"
    assert not box.processes()


@pytest.mark.parametrize("words, config", [(["-u", "web"], {}), ([], {"User": "web"}),
                                           (["-u", "0:34"], {})])
def test_a_user_needs_a_range(box, single, words, config):
    done = box(*words, box.image(**config), "true", user=single)
    assert done.returncode == 125 and done.stderr.count("\n") == 1
    assert "needs subordinate IDs" in done.stderr and "/etc/subuid" in done.stderr


def test_subordinate_ids(box, image, mapped, tmp_path):
    script = """
        stat -c '%u %g' /srv/web
        echo > /new; chown web:mail /new; stat -c '%u %g' /new
        su -s /bin/sh web -c 'id -u; id -G; touch /etc/no 2>/dev/null || echo denied'
        cat /proc/self/uid_map
    """
    out = box.output(image, "sh", "-c", script, user=mapped).split("\n")
    assert out[:5] == ["33 34", "33 8", "33", "34 8", "denied"]
    assert [line.split()[::2] for line in out[5:8]] == [["0", "1"], ["1", "1000"], ["1001", "65536"]]
    assert box.output("-u", "web", image, "sh", "-c", "echo $(id -u) $(id -G)", user=mapped) == "33 34 8\n"
    done = box("-u", "70000", image, "true", user=mapped)
    assert done.returncode == 125 and "outside of your subordinate IDs" in done.stderr


def test_owners_outside(box, image, mapped):
    """A file of root in the sandbox is the user's; one of another user has a subordinate ID."""
    where = os.path.join(box.path, "out")
    os.makedirs(where, exist_ok=True)
    subprocess.run(["chown", mapped, where], check=True, timeout=10)
    box.output("-v", where + ":/out", image, "sh", "-c",
               "echo > /out/mine; echo > /out/web; chown 33 /out/web; rm -f /out/none", user=mapped)
    owner = os.stat(where).st_uid
    assert os.stat(where + "/mine").st_uid == owner
    assert os.stat(where + "/web").st_uid == 2000000 + 32
    os.chmod(where, 0o700)
    os.chown(where, 0, 0)
    done = box("-v", where + ":/out", image, "ls", "/out", user=mapped)
    assert "Permission denied" in done.stderr and done.stdout == ""


def test_kept_by_a_user(box, image, mapped):
    home = os.path.join(box.path, "home")
    os.makedirs(home, exist_ok=True)
    subprocess.run(["chown", mapped, home], check=True, timeout=10)
    kept = home + "/kept"
    box.output("--rw", kept, image, "sh", "-c", "rm -r /srv; mkdir /srv; echo x > /srv/x", user=mapped)
    assert box.output("--rw", kept, image, "sh", "-c", "ls /srv", user=mapped) == "x\n"


def test_what_a_user_may_not_do(box, image, mapped):
    """No more outside than without it."""
    for words in (["cat", "/host/shadow"], ["touch", "/host/new"]):
        done = box("-v", "/etc:/host", image, *words, user=mapped)
        assert done.returncode == 1 and "Permission denied" in done.stderr


def test_no_device(box, image, single):
    script = 'mount -t tmpfs tmpfs /dev; mknod -m 666 /dev/null c 1 3; exec "$@"'
    done = run("-m", "sh", "-euc", script, "sh", *box.words(image, "true", user=single),
               program="unshare")
    assert done.returncode == 125 and "cannot open /dev/fuse" in done.stderr
    assert done.stderr.count("\n") == 1


def test_no_user_namespaces(box, image):
    """The limit is that of the namespace in which it is set."""
    script = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"'
    done = run("-Ur", "sh", "-euc", script, "sh", *box.words(image, "true"), program="unshare")
    assert done.returncode == 125 and "allows no user namespace" in done.stderr
    assert done.stderr.count("\n") == 1


OVERLAY = """
    cd "$1"; shift
    mount -t tmpfs tmpfs .; cd "$PWD"; mkdir low up work over
    mount -t overlay -o lowerdir=low,upperdir=up,workdir=work x over
    mkdir over/kept; chown "$1" over/kept; shift
    "$@" sh -c 'echo new > /new; rm -r /srv; mkdir /srv'
    "$@" sh -c 'cat /new; ls /srv; stat -c "%u %U" /new; id -u; exit 3'
"""


def test_overlay_by_fuse(box, image, mapped):
    """Where the kernel refuses an overlay, such as above another one, fuse-overlayfs makes it."""
    where = os.path.join(box.path, "stacked")
    os.makedirs(where)
    done = run("-m", "sh", "-uc", OVERLAY, "sh", where, mapped,
               *box.words("--rw", where + "/over/kept", image, user=mapped), program="unshare")
    assert (done.returncode, done.stdout) == (3, "new\n0 root\n0\n"), done
    done = run("-m", "sh", "-uc", OVERLAY, "sh", where, mapped, "env", "PATH=/sbin:/nowhere",
               *box.words("--rw", where + "/over/kept", image), program="unshare")
    assert done.returncode == 125 and "refuses an overlay" in done.stderr, done
    assert not box.processes()
