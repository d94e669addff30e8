# SPDX-License-Identifier: MIT
"""peelctl beside mounts that are not in order; and machines on which nothing can be mounted."""
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile

import pytest

import layout
from archive import directory, file, layer, symlink
from mounting import PEELCTL, PEELFS, environment, is_mounted, mount, places, run

IMAGE = [layer(directory("d"), file("d/f", "1"), symlink("s", "d")), layer(file("d/g", "2"))]


def ctl(*words, **more):
    return run(*words, program=PEELCTL, **more)


# Mounts that others have on this machine are not to be seen.
ALONE = """
    sed -n 's/^[^ ]* [^ ]* [^ ]* [^ ]* \\([^ ]*\\) .* - fuse.peelfs .*/\\1/p' /proc/self/mountinfo |
        grep -v -e "^$1/" -e "^$2/" | xargs -r umount -l 2> /dev/null
    exec "$3" status
"""


def status_of_all():
    return run("-m", "sh", "-uc", ALONE, "sh", *places, PEELCTL, program="unshare")


@pytest.mark.parametrize("words, about", [
    ([], "status, wait"), (["stat"], "stat"), (["status", "a", "b"], "b"),
    (["status", "--json"], "mount point"), (["status", "--jsn", "x"], "--jsn"), (["which"], "path"),
    (["cache"], "prune"), (["cache", "lst"], "lst"), (["cache", "list", "x"], "x"),
    (["cache", "list", "--dir"], "--dir needs a value"), (["cache", "verify", "-v"], "option -v"),
    (["cache", "prune", "2X"], "2X"), (["cache", "prune", "2G", "more"], "more"),
    (["index"], "image"), (["index", "-o", "ofline", "nginx"], "ofline"),
    (["index", "a", "b"], "alone"), (["index", "localhost:1/"], "not an image")])
def test_usage_errors(words, about):
    done = ctl(*words)
    assert done.returncode == 1 and done.stdout == ""
    assert about in done.stderr and done.stderr.count("\n") == 1, done.stderr


@pytest.mark.parametrize("name", ["status", "which", "index", "cache", "ls"])
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_of_a_command(name, flag):
    """Of that one alone."""
    done = ctl(name, flag)
    assert done.returncode == 0 and done.stderr == ""
    seconds = {"cache": ("list", "verify", "prune"), "setup": ("podman", "containerd")}
    for second in seconds.get(name, ()):
        assert ctl(name, second, flag).stdout == done.stdout
    lines = done.stdout.splitlines()
    usage = lines[:lines.index("")]
    assert usage[0].startswith("usage: peelctl %s" % name)
    assert all(line.split()[line.startswith("usage:"):][:2] == ["peelctl", name]
               for line in usage)
    assert lines[len(usage) + 1].startswith("  %s " % name)


def test_user_who_is_root_in_a_namespace(user):
    """As by `podman unshare`: the store is the user's, not that of the machine."""
    done = run("--reuid", user, "--regid", user, "--clear-groups", "env", "-u", "XDG_CACHE_HOME",
               "HOME=/usr", "unshare", "-r", PEELCTL, "cache", "list", program="setpriv")
    assert done.returncode == 1 and "/usr/.cache/peelfs" in done.stderr, done.stderr


def test_user_without_a_home(user):
    """The store is then in /tmp."""
    uid = pwd.getpwnam(user).pw_uid
    store = "/tmp/peelfs-%d" % uid
    shutil.rmtree(store, ignore_errors=True)
    try:
        done = run("--reuid", user, "--regid", user, "--clear-groups", "env",
                   "-u", "XDG_CACHE_HOME", "HOME=/nonexistent", PEELCTL, "cache", "list",
                   program="setpriv")
        assert done.returncode == 0, done.stderr
        assert "in %s\n" % store in done.stdout
        assert os.stat(store).st_uid == uid and os.stat(store).st_mode & 0o777 == 0o700
    finally:
        shutil.rmtree(store, ignore_errors=True)


def test_which_by_any_name(images, tmp_path):
    """A file is the same file by a path with dots, from inside, and through a bind mount."""
    with mount(images.image(IMAGE), cache=tmp_path / "c") as m:
        def layer_of(path, cwd=None):
            done = ctl("which", path, cwd=cwd)
            assert done.returncode == 0, done.stderr
            return re.search(r"layer +(\d) of 2", done.stdout)[1]
        assert layer_of(m.at("d/f")) == "1" and layer_of(m.at("d/g")) == "2"
        assert layer_of(m.at("d/../d/./g")) == "2" and layer_of(m.at("s/g")) == "2"
        assert layer_of("f", m.at("d")) == "1" and layer_of("../d/f", m.at("d")) == "1"
        for path in (".", "./", "../d", "../d/", "..//d/."):
            assert layer_of(path, m.at("d")) == "1", path
        assert layer_of(m.at("s")) == "1"
        assert layer_of(m.at("s/")) == "1"
        there = tmp_path / "there"
        there.mkdir()
        for part, name in (("d", "g"), ("", "d/g")):
            subprocess.run(["mount", "--bind", m.at(part), str(there)], check=True, timeout=10)
            try:
                assert layer_of(str(there / name)) == "2"
                assert len(status_of_all().stdout.splitlines()) == 1
            finally:
                subprocess.run(["umount", str(there)], check=True, timeout=10)
        for path in (m.path, m.path + "/config.json", m.path + "/layers"):
            assert "not below rootfs/" in ctl("which", path).stderr
        for path in (m.at("none"), m.at("d/f/x")):
            done = ctl("which", path)
            assert done.returncode == 1 and path in done.stderr


def test_which_in_other_images(images, registry, tmp_path):
    """Below platforms/ and in a namespace, it is of the image that the path is in."""
    s390x = ("linux", "s390x", "")
    other = [layer(directory("rootfs"), file("rootfs/rootfs", "1")), *IMAGE]
    index = images.index([(images.manifest(IMAGE), layout.HOST),
                          (images.manifest(other, where=s390x), s390x)])
    reference = registry.push(images.tag(index), "which/rootfs", "t", "--all")

    def layer_of(path):
        done = ctl("which", path)
        assert done.returncode == 0, done.stderr
        return re.search(r"layer +(\d of \d)", done.stdout)[1]
    with mount(reference, cache=tmp_path / "c") as m:
        top = m.path + "/platforms/linux-s390x/rootfs"
        assert layer_of(top + "/d/f") == "2 of 3" and layer_of(m.at("d/f")) == "1 of 2"
        assert layer_of(top + "/rootfs/rootfs") == layer_of(top + "/rootfs") == "1 of 3"
    with mount(reference.rsplit("/", 1)[0] + "/", cache=tmp_path / "c") as m:
        for name in ("rootfs/t", "rootfs:t", os.readlink(m.path + "/rootfs/t")[3:]):
            assert layer_of(m.path + "/" + name + "/rootfs/d/g") == "2 of 2"
        assert layer_of(m.path + "/rootfs/t/platforms/linux-s390x/rootfs/d/g") == "3 of 3"
        for path in ("/rootfs", "/rootfs/t/config.json"):
            assert "not below rootfs/" in ctl("which", m.path + path).stderr


@pytest.mark.parametrize("form", ["file", "link"])
def test_image_with_a_status_of_its_own(images, tmp_path, form):
    """It is not believed, whatever it says."""
    with mount(images.image(IMAGE), cache=tmp_path / "c") as true:
        text = json.dumps({**true.status(), "image": "example.org/pretended:1"})
        entries = [directory(".peelfs"), file(".peelfs/status.json", text)] if form == "file" \
            else [symlink(".peelfs", true.path + "/.peelfs")]
        source = images.image([layer(directory("rootfs"), file("config.json", "{}"), *entries,
                                     file("rootfs/f", "1"))], name="pretends")
        with mount(source, "layout=rootfs", cache=tmp_path / "c2") as m:
            assert m.read(".peelfs/status.json")
            done = ctl("status", m.path)
            assert done.returncode == 0 and "pretends" in done.stdout, done
            assert "example.org" not in done.stdout
            done = ctl("which", m.path + "/rootfs/f")
            assert done.returncode == 1 and done.stdout == "", done.stdout
            assert "example.org" not in status_of_all().stdout
        assert ctl("status", true.path).returncode == 0
        with mount(source, cache=tmp_path / "c2") as m:
            assert ctl("status", m.path).returncode == 0
            done = ctl("which", m.path + "/rootfs/rootfs/f")
            assert done.returncode == 0 and "layer    1 of 1" in done.stdout, done.stderr


def test_which_where_a_part_is_seen(images, tmp_path):
    """As in a container: the mount itself is elsewhere."""
    with mount(images.image(IMAGE)) as m:
        script = 'mount --bind "$1" /mnt; umount -l "$2"; "$3" which /mnt/d/g'
        done = subprocess.run(["unshare", "-m", "sh", "-euc", script, "sh", m.root, m.path, PEELCTL],
                              capture_output=True, text=True, timeout=20)
        assert done.returncode == 1 and "only a part" in done.stderr


@pytest.fixture
def stopped(images):
    with mount(images.image(IMAGE)) as m:
        os.kill(m.pid, signal.SIGSTOP)
        try:
            yield m
        finally:
            os.kill(m.pid, signal.SIGCONT)


@pytest.mark.limit(60)
def test_stopped_daemon(stopped, images):
    """A sentence, and the others are told of as well."""
    with mount(images.image(IMAGE)) as other:
        for words in (["status"], ["status", stopped.path], ["which", other.at("d/f")]):
            done = ctl(*words) if len(words) > 1 else status_of_all()
            said = done.stdout + done.stderr
            if words[0] == "which":
                assert done.returncode == 0
                continue
            assert done.returncode == 1, said
            assert re.search(re.escape(stopped.path) + ".*does not answer", said)
            assert other.path in said or len(words) > 1
            assert said.count("\n") == 3 - len(words)


def test_dead_daemon(images):
    with mount(images.image(IMAGE), "layout=rootfs", load=False) as plain, \
            mount(images.image(IMAGE)) as m, mount(images.image(IMAGE)) as other:
        done = status_of_all()
        assert done.returncode == 0 and done.stderr == ""
        lines = done.stdout.splitlines()
        assert len(lines) == 3 and all(m.source in line for line in lines)
        assert " waiting " in next(line for line in lines if line.startswith(plain.path))
        os.kill(m.pid, signal.SIGKILL)
        os.waitpid(m.pid, 0)
        m.status_code = 0
        done = status_of_all()
        assert done.returncode == 1
        assert re.search(re.escape(m.path) + ".*has died; fusermount3 -u", done.stdout)
        assert re.search(re.escape(other.path) + ".* ready ", done.stdout)
        subprocess.run(["umount", "-l", m.path], check=True, timeout=10)


def test_mount_of_another_user(user, images):
    """root may not look; that is said, and is no failure."""
    base = tempfile.mkdtemp(prefix="peelfs-e2e-other-")
    try:
        os.chmod(base, 0o755)
        shutil.copytree(images.path, base + "/layout")
        images.path = base + "/layout"
        source = images.image(IMAGE)
        shutil.copy(PEELFS, base + "/peelfs")
        os.mkdir(base + "/mnt")
        os.mkdir(base + "/cache")
        for name in ("mnt", "cache"):
            shutil.chown(os.path.join(base, name), user, user)
        subprocess.run(["setpriv", "--reuid", user, "--regid", user, "--clear-groups",
                        base + "/peelfs", "-o", "cache_dir=%s/cache" % base, source, base + "/mnt"],
                       check=True, timeout=30, env=environment())
        done = status_of_all()
        assert done.returncode == 0 and done.stderr == ""
        assert re.search(r"%s/mnt  %s  another user" % (base, re.escape(source)), done.stdout)
        done = ctl("status", base + "/mnt")
        assert done.returncode == 1 and "another user" in done.stderr
    finally:
        subprocess.run(["umount", base + "/mnt"], capture_output=True, timeout=10)
        shutil.rmtree(base)


def test_status_counts_in_words(images, fake, tmp_path):
    """One request, not "1 requests"."""
    source = fake.image("a", IMAGE)
    with mount(source, cache=tmp_path / "c"):
        pass
    with mount(source, cache=tmp_path / "c") as m:
        text = ctl("status", m.path).stdout
        n = m.status()["network"]["requests"]
    assert re.search(r"network   %d request%s, \S+ MiB, 0 errors, 0 retries\n"
                     % (n, "" if n == 1 else "s"), text), text
    assert n == 1


def test_status_of_a_namespace(images, registry):
    reference = registry.push(images.image(IMAGE), "told/of", "t")
    with mount(registry.host + "/told/") as m:
        inner = m.path + "/of/t"
        assert [d["from"] for d in json.loads(ctl("status", "--json", inner).stdout)["layers"]] == \
            ["registry"] * 2
        done = ctl("status", inner)
        assert done.returncode == 0 and re.search("image +" + re.escape(reference.rsplit(":", 1)[0]),
                                                  done.stdout), done.stdout
        done = ctl("status", m.path)
        assert re.search("registry  %s/told/\nimages +[1-9] seen" % re.escape(registry.host), done.stdout)
        assert "manifest" not in done.stdout
        assert re.search("%s  %s/told/  ready" % (re.escape(m.path), re.escape(registry.host)),
                         ctl("status").stdout)


def test_from_disk_or_registry(images, fake, tmp_path):
    with mount(images.image(IMAGE), cache=tmp_path / "c") as m:
        assert {d["from"] for d in m.status()["layers"]} == {"disk"}
    with mount(images.image(IMAGE), cache=tmp_path / "c") as m:
        assert {d["from"] for d in m.status()["layers"]} == {"store"}
    with mount(fake.image("a", IMAGE)) as m:
        assert {d["from"] for d in m.status()["layers"]} == {"registry"}


# Machines without FUSE: said at once, in one sentence, and nothing is fetched for it

NO_DEVICE = """
    mount -t tmpfs tmpfs /dev
    mknod /dev/null c 1 3
    exec "$@"
"""
FORBIDDEN_DEVICE = """
    mount -t tmpfs -o nodev tmpfs /mnt
    mknod /mnt/fuse c 10 229
    mount --bind /mnt/fuse /dev/fuse
    exec "$@"
"""
NO_FUSERMOUNT = """
    mount -t tmpfs tmpfs /mnt
    mkdir /mnt/upper /mnt/work
    mount -t overlay overlay -o "lowerdir=/usr/bin,upperdir=/mnt/upper,workdir=/mnt/work" /usr/bin
    rm /usr/bin/fusermount3
    exec "$@"
"""
AS_NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]


@pytest.mark.parametrize("script, before, about", [
    (NO_DEVICE, [], "no FUSE: /dev/fuse"), (NO_DEVICE, AS_NOBODY, "no FUSE: /dev/fuse"),
    (FORBIDDEN_DEVICE, [], "may not open /dev/fuse: Permission denied (a container needs --device"),
    ('exec "$@"', ["setpriv", "--bounding-set", "-sys_admin"], "--cap-add SYS_ADMIN"),
    (NO_FUSERMOUNT, AS_NOBODY, "fusermount3 is missing")])
def test_machine_without_fuse(fake, tmp_path, script, before, about):
    source = fake.image("a", IMAGE)
    os.chmod(tmp_path, 0o755)
    base = tempfile.mkdtemp(prefix="peelfs-e2e-")
    try:
        os.chmod(base, 0o777)
        shutil.copy(PEELFS, base + "/peelfs")
        done = subprocess.run(["unshare", "-m", "sh", "-euc", script, "sh", *before,
                               base + "/peelfs", source, base],
                              capture_output=True, text=True, timeout=30, env=environment())
    finally:
        shutil.rmtree(base)
    assert done.returncode == 32
    assert about in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert fake.asked == []


def test_mount_point_of_another(user, images):
    """What fusermount3 has to say is in our sentence, and nowhere else."""
    base = tempfile.mkdtemp(prefix="peelfs-e2e-")
    try:
        os.chmod(base, 0o755)
        shutil.copytree(images.path, base + "/layout")
        images.path = base + "/layout"
        source = images.image(IMAGE)
        shutil.copy(PEELFS, base + "/peelfs")
        os.mkdir(base + "/mnt")
        done = subprocess.run(["setpriv", "--reuid", user, "--regid", user, "--clear-groups",
                               base + "/peelfs", "-o", "cache=none", source, base + "/mnt"],
                              capture_output=True, text=True, timeout=30, env=environment())
        assert done.returncode == 32 and not is_mounted(base + "/mnt")
        assert re.fullmatch(r"peelfs: cannot mount at .*/mnt: .*write.*\n", done.stderr)
    finally:
        shutil.rmtree(base)
