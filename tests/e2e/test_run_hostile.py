# SPDX-License-Identifier: MIT
"""peelctl run of images that try to get out."""
import hashlib
import os
import subprocess

import pytest

from archive import file, symlink
from mounting import PEELCTL, PEELFS, environment
from test_run import box, image  # noqa: F401 (fixtures)


@pytest.fixture
def outside(tmp_path):
    """A directory of the machine that no image may reach."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_text("root:x:0:0::/secret:/bin/sh\nspy:x:7:7::/:\n")
    yield str(tmp_path / "outside")
    assert sorted(os.listdir(tmp_path / "outside")) == ["secret"]


@pytest.mark.parametrize("up", ["", "../../../../.."])
def test_links_instead_of_files(box, outside, up):
    """They are followed inside of the root, where their targets are made."""
    away = up + outside
    source = box.image(
        symlink("etc/resolv.conf", away + "/resolv.conf"), symlink("etc/hosts", away + "/hosts"),
        symlink("etc/passwd", away + "/secret"), symlink("work", away + "/work"),
        symlink("volume", away), symlink("dev", up + "/devices"), symlink("proc", up + "/kernel"),
        symlink("sys", up + "/system"), WorkingDir="/work")
    volume = box.path + "/volume"
    os.makedirs(volume, exist_ok=True)
    script = "pwd; ls %s; ls -d /proc/self /dev/null; cat /etc/hosts > /dev/null" % outside
    out = box.output("-v", volume + ":/volume/v", source, "sh", "-c", script).split("\n")
    assert out[0] == outside + "/work"
    assert {"hosts", "work", "v"} <= set(out[1:-3]) and "secret" not in out
    assert out[-3:] == ["/dev/null", "/proc/self", ""]
    done = box("-u", "spy", source, "true")
    assert done.returncode == 125 and "no user spy" in done.stderr


@pytest.mark.parametrize("link", ["/proc/self/fd/%d" % fd for fd in (3, 4, 7, 8, 10)] +
                         ["/proc/1/root", "/proc/self/cwd", "/proc/1/cwd"])
def test_working_directory_in_proc(box, link):
    """CVE-2024-21626: an open directory of the machine as the working directory."""
    for words, config in ((["-w", link], {}), ([], {"WorkingDir": link}),
                          (["-w", "/d"], {}), ([], {"WorkingDir": "/d/../d"})):
        done = box(*words, box.image(symlink("d", link), **config), "sh", "-c", "ls -d ../../../../*")
        assert done.returncode == 125 or "/layout" not in done.stdout, done
        assert done.returncode == 125 or "etc\n" in done.stdout, done


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


@pytest.mark.parametrize("entries, words", [
    ((), ["/proc/self/exe"]), ([symlink("x", "/proc/self/exe")], ["/x"]),
    ([file("x", "#!/proc/self/exe\n", mode=0o755)], ["/x"])])
def test_the_program_of_the_user(box, entries, words):
    """CVE-2019-5736: what an image can execute of peelctl is a copy that cannot be changed."""
    before = digest(PEELCTL), digest(PEELFS)
    script = """
        for pid in self 1; do
            for i in 1 2 3; do echo bad >> /proc/$pid/exe; cat /proc/$pid/exe > /dev/null; done
        done 2>/dev/null
        readlink /proc/1/exe
    """
    source = box.image(*entries)
    done = box(source, *words)
    assert done.returncode in (1, 126, 127) or "usage" in done.stdout + done.stderr, done
    done = box(source, "sh", "-c", script)
    assert PEELCTL not in done.stdout
    assert (digest(PEELCTL), digest(PEELFS)) == before


def test_the_copy_is_sealed(box, image):
    """Whose file runs as the first process, seen from outside."""
    child = subprocess.Popen(box.words(image, "sh", "-c", "echo on; cat"), stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, env=environment())
    assert child.stdout.readline() == b"on\n"
    names = {os.readlink("/proc/%d/exe" % pid) for pid, words in box.processes().items()
             if b"\0run\0" in words}
    assert names == {"/memfd:peelctl (deleted)"}, names
    child.stdin.close()
    assert child.wait(20) == 0
    child.stdout.close()


def test_init_is_out_of_reach(box, image):
    script = """
        kill -9 1; kill -TERM 1; kill -INT 1
        for name in environ maps mem cwd root exe fd/0; do
            cat /proc/1/$name && echo read-$name
        done 2>/dev/null
        echo alive
    """
    assert box(image, "sh", "-c", script).stdout == "alive\n"


def test_large_files_of_users(box):
    """A ceiling, instead of memory."""
    done = box(box.image(file("etc/passwd", b"x" * (9 << 20))), "true")
    assert done.returncode == 125 and "/etc/passwd of the image" in done.stderr
