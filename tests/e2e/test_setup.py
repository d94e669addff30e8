# SPDX-License-Identifier: MIT
"""peelctl setup: what it prints, and what it writes without losing anything."""
import os
import re
import shutil
import stat
import subprocess

import pytest

import engines
import system
from mounting import PEELCTL, PEELFS, environment
from stores import ctl
from test_run_users import ranges

STORE = '["/var/lib/peelfs/podman"]'
# The machine's files are not touched: the directories are new in this namespace.
APART = """\
mount --make-rprivate /
for dir in /etc /var/lib; do mount -t tmpfs none $dir; done
eval "$1"
"""


def apart(script):
    """Runs it with peelctl as $ctl, in a machine without configuration."""
    return subprocess.run(["unshare", "-m", "sh", "-ec", APART, "sh", script],
                          env=environment(ctl=PEELCTL), capture_output=True, text=True,
                          timeout=60)


def parts(text):
    """The files in what is printed: path, text."""
    found = re.split(r"(?m)^# (/\S.*)\n", text)
    return dict(zip(found[1::2], found[2::2]))


def verify(path, unit):
    """As systemd sees it. What it says of other units, or of a machine without systemd, is
    not about this one."""
    path.write_text(unit)
    done = subprocess.run(["systemd-analyze", "verify", "--recursive-errors=no", "--man=no",
                           str(path)], capture_output=True, text=True, timeout=60)
    said = [line for line in done.stderr.splitlines() if path.name in line]
    assert not said and done.returncode == 0, done.stderr


@pytest.mark.parametrize("words", [["podman"], ["podman", "--user"], ["containerd"]])
def test_unit(words, tmp_path):
    home = tmp_path / "a b%c$d\\e"
    home.mkdir()
    done = ctl("setup", *words, "-o", "insecure,cache_dir=/x y", env=environment(HOME=str(home)))
    assert (done.returncode, done.stderr) == (0, "")
    (conf, _), (path, unit) = parts(done.stdout).items()
    user = "--user" in words
    assert path.startswith(str(home) if user else "/etc/systemd/system/")
    assert conf.startswith(str(home) if user else "/etc/")
    assert PEELFS in unit and ",insecure,cache_dir=/x y" in unit
    verify(tmp_path / os.path.basename(path), unit)
    # The check sees mistakes at all.
    with pytest.raises(AssertionError):
        verify(tmp_path / "bad.service", unit.replace("forking", "forkin"))


def test_unit_words(tmp_path):
    """systemd takes the words as they were meant."""
    home = tmp_path / "a b%c$d\"e\\f"
    home.mkdir()
    unit = parts(ctl("setup", "podman", "--user", env=environment(HOME=str(home))).stdout)
    [line] = [line for text in unit.values() for line in text.splitlines()
              if line.startswith("ExecStart=")]
    last = re.findall(r'"((?:[^"\\]|\\.)*)"', line)[-1]
    last = last.replace("%%", "%").replace("$$", "$")
    assert re.sub(r"\\(.)", r"\1", last) == str(home / ".local/share/peelfs/podman")


def test_write(tmp_path):
    done = apart("$ctl setup podman --write; cat /etc/containers/storage.conf; "
                 "test -d /var/lib/peelfs/podman -a -d /etc/peelfs; "
                 "stat -c %%a /etc/containers/storage.conf /etc/peelfs; "
                 "cp /etc/systemd/system/peelfs-podman.service %s" % tmp_path)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert "additionalimagestores = " + STORE in done.stdout
    assert "runroot" in done.stdout and "graphroot" in done.stdout
    assert "wrote     /etc/containers/storage.conf\n" in done.stdout
    assert "systemctl enable --now peelfs-podman.service" in done.stdout
    assert done.stdout.endswith("644\n755\n")
    assert "layout=store" in (tmp_path / "peelfs-podman.service").read_text()


def test_write_containerd():
    done = apart("$ctl setup containerd --write && cat /etc/containerd/config.toml && "
                 "$ctl setup containerd --write && echo x >> /etc/containerd/config.toml && "
                 "$ctl setup containerd --write")
    assert done.returncode == 1
    assert 'layer_content_caches = ["/var/lib/peelfs/containerd"]' in done.stdout
    assert done.stdout.count("wrote     /etc/containerd/config.toml") == 1
    assert "          systemctl restart containerd\n" in done.stdout
    assert done.stderr == ("peelctl: /etc/containerd/config.toml exists: "
                           "add these lines yourself\n")


def in_home(home, *words):
    return ctl("setup", "podman", "--user", *words, env=environment(HOME=str(home)))


def test_write_keeps_what_was_there(tmp_path):
    """The user's file gets one string, keeps its mode, and its old text has another name."""
    conf = tmp_path / ".config/containers/storage.conf"
    conf.parent.mkdir(parents=True)
    text = "# mine\n[storage]\ndriver = \"overlay\"\n[storage.options]\n" \
           "additionalimagestores = [\n  \"/other\", # theirs\n]\n"
    conf.write_text(text)
    conf.chmod(0o640)
    done = in_home(tmp_path, "--write")
    assert (done.returncode, done.stderr) == (0, "")
    store = "%s/.local/share/peelfs/podman" % tmp_path
    assert conf.read_text() == text.replace("= [", "= [\"%s\", " % store)
    assert stat.S_IMODE(conf.stat().st_mode) == 0o640
    backup = conf.with_name("storage.conf.bak")
    assert backup.read_text() == text
    assert "what it was is in %s\n" % backup in done.stdout
    assert os.path.isdir(store)
    done = in_home(tmp_path, "--write")
    assert done.returncode == 0 and "wrote     %s" % conf not in done.stdout
    # Changed again, the first backup stays.
    conf.write_text("[storage]\ndriver = \"vfs\"\n")
    assert in_home(tmp_path, "--write").returncode == 0
    assert backup.read_text() == text
    assert conf.with_name("storage.conf.bak.1").read_text() == "[storage]\ndriver = \"vfs\"\n"


def test_write_through_a_symlink(tmp_path):
    conf = tmp_path / ".config/containers/storage.conf"
    conf.parent.mkdir(parents=True)
    real = tmp_path / "dotfiles.conf"
    real.write_text("[storage]\n")
    conf.symlink_to(real)
    assert in_home(tmp_path, "--write").returncode == 0
    assert conf.is_symlink() and "additionalimagestores" in real.read_text()
    assert (tmp_path / "dotfiles.conf.bak").read_text() == "[storage]\n"


@pytest.mark.parametrize("text", ["storage.options = {}\n", "[storage]\noptions = {a = 1}\n",
                                  "[storage.options]\nadditionalimagestores = [['x']]\n"])
def test_write_refuses(tmp_path, text):
    """What it is not sure of stays, and the lines are printed."""
    conf = tmp_path / ".config/containers/storage.conf"
    conf.parent.mkdir(parents=True)
    conf.write_text(text)
    done = in_home(tmp_path, "--write")
    assert done.returncode == 1
    assert re.fullmatch(r"peelctl: %s: line \d is not in a form that is safe to change: "
                        "add these lines yourself\n" % conf, done.stderr)
    assert "additionalimagestores = [\"%s/.local" % tmp_path in done.stdout
    assert conf.read_text() == text
    assert os.listdir(conf.parent) == ["storage.conf"]


def test_words():
    for words, about in [([], "podman or containerd"), (["docker"], "docker"),
                         (["containerd", "--user"], "--user"), (["podman", "-v"], "-v"),
                         (["podman", "-o", "insecur"], "insecure"),
                         (["podman", "-o", r"uid=1,cache_dir=/a\,b,layout=rootfs"], "decides the layout"),
                         (["podman", "-o", "policy=a.json"], "a.json: the unit needs an absolute"),
                         (["podman", "-o", "lower_cache=/a:b"], "b: the unit needs an absolute"),
                         (["podman", "x"], "expected")]:
        done = ctl("setup", *words)
        assert done.returncode == 1 and about in done.stderr and done.stdout == ""


def test_no_layout():
    """A value may look like the option."""
    done = ctl("setup", "podman", "-o", r"cache_dir=/a\,layout=rootfs")
    assert done.returncode == 0 and r"cache_dir=/a\\,layout=rootfs" in done.stdout


ROOTLESS = """\
unset CONTAINERS_STORAGE_CONF
./peelctl setup podman --user --write -o insecure > said
sed -n 's/^ExecStart=//p' .config/systemd/user/peelfs-podman.service > start
sh -eu start
podman unshare ./peelctl add .local/share/peelfs/podman "$1"
podman run --rm --pull=never "$1" cat /srv/kept
test -d .cache/peelfs/layers
"""


@pytest.mark.heavy
@pytest.mark.limit(120)
def test_user_with_podman(registry, images, user):
    """What setup writes is all that an ordinary user's podman needs."""
    reference = registry.push(images.image(system.layers()), "setup/system", "v1")
    with ranges(user, [user + ":2000000:65536\n"]), engines.rootless(user) as shell:
        shutil.copy(PEELCTL, shell.path + "/peelctl")
        done = shell(ROOTLESS, reference)
        assert (done.returncode, done.stdout) == (0, "kept\n"), done.stderr
