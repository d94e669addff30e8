# SPDX-License-Identifier: MIT
"""Mounts by mount(8), as root and as an ordinary user, and who owns what they show."""
import os
import re
import shutil
import stat
import subprocess
import tempfile

import pytest

from archive import directory, file, layer
from mounting import PEELCTL, PEELFS, daemons, environment, eventually, mount

# A machine that has peelfs installed: this one, with folders of its own over /etc, /usr/bin
# and /usr/sbin that nobody else sees. The script's words: source, mount point, cache.
MACHINE = """
    mount -t tmpfs -o mode=755 tmpfs "$1"
    for d in etc usr/bin usr/sbin; do
        mkdir -p "$1/$d/upper" "$1/$d/work"
        mount -t overlay overlay -o "lowerdir=/$d,upperdir=$1/$d/upper,workdir=$1/$d/work" "/$d"
    done
    cp "$2" /usr/bin/peelfs
    ln -s /usr/bin/peelfs /usr/sbin/mount.peelfs
    script=$3
    shift 3
    set -- "$@" "cache_dir=$3"
    eval "$script"
"""

IMAGE = [layer(directory("d", mode=0o700), file("d/f", "text\n", mode=0o600, uid=12, gid=13))]
SYSTEMD = "nofail,_netdev,x-systemd.automount,x-systemd.mount-timeout=30"


@pytest.fixture
def machine(images):
    base = tempfile.mkdtemp(prefix="peelfs-e2e-mount8-")
    os.chmod(base, 0o755)
    for name in ("mnt", "cache", "tree"):
        os.mkdir(os.path.join(base, name))
    source = images.image(IMAGE)

    def run(script, source=source):
        done = subprocess.run(
            ["unshare", "-m", "sh", "-euc", MACHINE, "sh", base + "/tree", PEELFS, script, source,
             base + "/mnt", base + "/cache"], capture_output=True, text=True, timeout=60,
            env=environment(LC_ALL="C"))
        assert eventually(lambda: not daemons()), "a daemon is left"
        return done
    run.base = base
    run.images = images
    yield run
    shutil.rmtree(base)


LOOK = """
    cat "$2/rootfs/d/f"
    findmnt -rno FSTYPE,SOURCE "$2"
    findmnt -rno OPTIONS "$2"
    df --output=fstype "$2" | tail -n 1
    umount "$2"
    findmnt "$2" || echo gone
"""


def check_look(done, source, *options):
    assert done.returncode == 0 and not done.stderr, done.stderr
    text, mounted, flags, df, gone = done.stdout.splitlines()
    assert (text, mounted, df, gone) == ("text", "fuse.peelfs " + source, "fuse.peelfs", "gone")
    assert {"ro", *options} <= set(flags.split(",")), flags


@pytest.mark.parametrize("kind", ["peelfs", "fuse.peelfs"])
def test_mount(machine, kind):
    done = machine('mount -t %s "$1" "$2" -o "nosuid,nodev,noexec,%s,$4"; %s' % (kind, SYSTEMD, LOOK))
    check_look(done, "oci:%s:latest" % machine.images.path, "nosuid", "nodev", "noexec")


@pytest.mark.parametrize("kind", ["peelfs", "fuse.peelfs"])
def test_fstab(machine, kind):
    done = machine("""
        echo "$1 $2 %s noauto,user,%s,$4 0 0" > /etc/fstab
        mount "$2"
        %s""" % (kind, SYSTEMD, LOOK))
    check_look(done, "oci:%s:latest" % machine.images.path, "nosuid", "nodev", "noexec")


def test_fstab_for_a_user(machine, user):
    """mount(8) runs the helper as the user, who needs fusermount3 and may unmount."""
    source = "oci:%s/layout:latest" % machine.base
    shutil.copytree(machine.images.path, machine.base + "/layout")
    for name in ("mnt", "cache"):
        shutil.chown(os.path.join(machine.base, name), user, user)
    done = machine("""
        echo "$1 $2 peelfs noauto,user,%s,$4 0 0" > /etc/fstab
        exec setpriv --reuid %s --regid %s --clear-groups env HOME=/nonexistent \\
            sh -euc '
                mount "$2"
                %s' sh "$1" "$2" """ % (SYSTEMD, user, user, LOOK), source)
    check_look(done, source, "nosuid", "nodev", "noexec")


@pytest.mark.parametrize("kind", ["peelfs", "fuse.peelfs"])
def test_remount(machine, kind):
    """Refused in words, and the mount is as it was."""
    done = machine("""
        mount -t %s "$1" "$2" -o "$4"
        mount -o remount,rw "$2" && echo done
        mount -o "remount,ro,$4" "$2" && echo done
        grep -c " $2 " /proc/self/mountinfo
        cat "$2/rootfs/d/f"
        umount "$2" """ % kind)
    assert (done.returncode, done.stdout) == (0, "1\ntext\n"), done.stderr
    assert done.stderr.count("unmount it, then mount it again") == 2, done.stderr


def test_fake_and_failures(machine):
    done = machine("""
        mount -f -t peelfs "$1" "$2" -o "$4"
        findmnt "$2" || echo nothing
        mount -t peelfs "$1" "$2" -o "$4,no_such" || echo $?
        mount -t peelfs "$1" "$2/none" -o "$4" || echo $?
        mount -t peelfs "$1-none" "$2" -o "$4" || echo $?
        mount -s -t peelfs "$1" "$2" -o "$4,no_such"
        umount "$2" """)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["nothing", "1", "32", "32"], done.stderr
    assert "unknown option no_such" in done.stderr


# At boot

with open(os.path.join(os.path.dirname(__file__), "../../man/mount.peelfs.8")) as page:
    EXAMPLES = re.findall(r"^\.Bd -literal.*\n((?:.|\n)*?)^\.Ed", page.read(), re.M)
LINES = [text for text in EXAMPLES if "  0 0" in text]
UNITS = [text for text in EXAMPLES if "[" in text]


def generated(where, line):
    """{name: text} of the units that systemd makes of a line of fstab, targets' links included."""
    (where / "fstab").write_text(line)
    folders = [where / name for name in ("normal", "early", "late")]
    for folder in folders:
        folder.mkdir()
    subprocess.run(["/usr/lib/systemd/system-generators/systemd-fstab-generator", *folders],
                   check=True, timeout=20, env={"SYSTEMD_FSTAB": str(where / "fstab")})
    return {str(p.relative_to(folders[0])): p.read_text()
            for p in folders[0].rglob("*") if p.is_file() and "srv" in p.name}


def verify(*units):
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True,
                          text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_lines_for_systemd(tmp_path):
    """Of the manual: one mounts when it is used, one waits for the layers."""
    found = []
    for i, line in enumerate(LINES):
        (tmp_path / str(i)).mkdir()
        found.append(generated(tmp_path / str(i), line))
        mount = found[i]["srv-nginx.mount"]
        options = line.split()[3]
        assert {"Type=peelfs", "What=nginx:1.27", "Options=" + options} <= set(mount.splitlines())
        verify(*(tmp_path / str(i) / "normal").glob("*mount"))
    on_use, waits = found
    assert "remote-fs.target.wants/srv-nginx.automount" in on_use
    assert "srv-nginx.automount" not in waits
    assert "remote-fs.target.wants/srv-nginx.mount" in waits
    assert "TimeoutSec=30min" in waits["srv-nginx.mount"]


def test_units_of_the_manual(tmp_path):
    paths = []
    for text in UNITS:
        named = re.match("# /etc/systemd/system/(.*)\n", text)
        path = tmp_path / (named[1] if named else "nginx.service")
        path.write_text(text.replace("=peelctl ", "=%s " % PEELCTL))
        paths.append(path)
    assert sorted(p.name for p in paths) == ["nginx.service", "srv-nginx.automount",
                                             "srv-nginx.mount"]
    verify(*paths)
    mount = (tmp_path / "srv-nginx.mount").read_text()
    assert "\nOptions=_netdev\n" in mount  # what orders it after the network


@pytest.mark.parametrize("line", LINES, ids=["on use", "wait"])
def test_lines_of_the_manual(machine, line):
    """With `wait` all layers are there when mount(8) returns, and else nothing of them."""
    options = line.split()[3]
    for command in ("mount -a", 'mount "$2"'):
        done = machine("""
            echo "$1 $2 peelfs %s,$4 0 0" > /etc/fstab
            %s
            findmnt "$2" > /dev/null || mount "$2"
            grep -o '"state": *"[a-z]*"' "$2/.peelfs/status.json" | head -n 1
            %s wait "$2"
            cat "$2/rootfs/d/f"
            umount "$2" """ % (options, command, PEELCTL))
        state = "ready" if "wait" in options.split(",") else "waiting"
        assert (done.returncode, done.stderr) == (0, ""), done
        assert re.fullmatch('"state": *"%s"\ntext\n' % state, done.stdout)
        shutil.rmtree(machine.base + "/cache")
        os.mkdir(machine.base + "/cache")


# Whose it is

def owners(m):
    """Of all that is shown, at the first look and when the kernel asks again."""
    found = set()
    for under, dirs, files in os.walk(m.path):
        for name in dirs + files + ["."]:
            st = os.lstat(os.path.join(under, name))
            found.add((st.st_uid, st.st_gid))
    again = subprocess.run(["stat", "--cached=never", "-c", "%u %g", m.at("d/f"), m.at("d"), m.path],
                           capture_output=True, text=True, check=True, timeout=10)
    return found, set(again.stdout.splitlines())


def test_owner(images):
    with mount(images.image(IMAGE), "uid=1001,gid=0") as m:
        assert owners(m) == ({(1001, 0)}, {"1001 0"})
        assert stat.S_IMODE(os.stat(m.at("d/f")).st_mode) == 0o600
    with mount(images.image(IMAGE), "gid=1002") as m:
        assert owners(m) == ({(0, 1002), (12, 1002)}, {"0 1002", "12 1002"})


def test_owner_and_modes(user, images):
    """Who owns it all may read what its modes give the owner; nobody else."""
    number = subprocess.run(["id", "-u", user], capture_output=True, text=True).stdout.strip()
    with mount(images.image(IMAGE), "allow_other,uid=" + number) as m:
        os.chmod(os.path.dirname(m.path), 0o755)

        def cat(who):
            return subprocess.run(["setpriv", "--reuid", who, "--regid", who, "--clear-groups",
                                   "cat", m.at("d/f")], capture_output=True, text=True, timeout=10)
        assert cat(user).stdout == "text\n"
        assert "Permission denied" in cat("65534").stderr
