# SPDX-License-Identifier: MIT
"""What is beside the programs: make install, the Debian package, completion in a shell."""
import glob
import os
import re
import shutil
import subprocess

import pytest

from archive import directory, file, layer, whiteout
from mounting import BUILD, PEELCTL, PEELFS, environment, eventually, daemons, mount, run

TOP = os.path.normpath(os.path.join(os.path.dirname(__file__), "../.."))
BASH = os.path.join(TOP, "completion/peelfs.bash")
INSTALLED = """usr/bin/peelctl usr/bin/peelfs sbin/mount.peelfs
    usr/share/bash-completion/completions/peelctl usr/share/bash-completion/completions/peelfs
    usr/share/man/man1/peelctl.1 usr/share/man/man1/peelfs.1
    usr/share/man/man7/peelfs-containers.7 usr/share/man/man8/mount.peelfs.8
    usr/share/zsh/site-functions/_peelfs""".split()


def make(*words):
    """make on the build that is tested; what it makes is made already."""
    san = os.path.basename(BUILD).replace("-", ",")
    done = subprocess.run(["make", "-C", TOP, *(["SAN=" + san] if san != "build" else []),
                           "B=" + BUILD, *words], capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def files(top):
    return sorted(os.path.relpath(os.path.join(where, name), top)
                  for where, _, names in os.walk(top) for name in names)


def test_make_install_and_uninstall(tmp_path):
    where = ["DESTDIR=%s" % tmp_path, "PREFIX=/usr"]
    make("install", *where)
    assert files(tmp_path) == sorted(INSTALLED)
    assert os.readlink(tmp_path / "sbin/mount.peelfs") == "/usr/bin/peelfs"
    shell = tmp_path / "usr/share/bash-completion/completions"
    assert (shell / "peelctl").samefile(shell / "peelfs")
    make("uninstall", *where)
    assert files(tmp_path) == []


# A machine of its own: this one's files below, what is written in memory.
MACHINE = """
    mount -t tmpfs tmpfs "$1"
    mkdir "$1/upper" "$1/work" "$1/root"
    mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
    for d in dev proc sys tmp; do mount --rbind "/$d" "$1/root/$d"; done
    exec chroot "$1/root" sh -euc "$2" sh "$3" "$4" "$5"
"""

PACKAGE = """
    dpkg --no-triggers -i "$1" >&2
    dpkg -L peelfs | sort > /list
    test /sbin/mount.peelfs -ef /usr/bin/peelfs
    peelfs -V
    peelctl -V
    mount -t peelfs "$2" "$3"
    cat "$3/rootfs/f"
    findmnt -no FSTYPE "$3"
    umount "$3"
    test -d /var/cache/peelfs/layers
    dpkg --no-triggers -r peelfs >&2
    test -d /var/cache/peelfs/layers
    dpkg --no-triggers -P peelfs >&2
    [ ! -e /var/cache/peelfs ] || echo "left: the cache"
    while read -r f; do
        if [ -L "$f" ] || [ -f "$f" ]; then echo "left: $f"; fi
    done < /list
    [ ! -d /usr/share/doc/peelfs ] || echo "left: doc"
    wc -l < /list
"""


@pytest.mark.heavy
@pytest.mark.limit(900)
def test_debian_package(images, tmp_path):
    """It installs, mounts and goes without a trace; the machine does not notice."""
    if not shutil.which("dpkg-deb"):
        pytest.skip("no dpkg on this machine")
    source = images.image([layer(file("f", "1\n"))])
    # In a copy: a package is built in its source.
    top = tmp_path / "source"
    shutil.copytree(TOP, top, ignore=shutil.ignore_patterns("build", ".git", "__pycache__"))
    done = subprocess.run(["make", "-C", str(top), "deb"], capture_output=True, text=True,
                          timeout=900)
    assert done.returncode == 0, done.stderr[-2000:]
    package, = glob.glob(str(top / "build/*.deb"))
    for name in ("root", "mnt"):
        (tmp_path / name).mkdir()
    done = subprocess.run(
        ["unshare", "-m", "sh", "-euc", MACHINE, "sh", str(tmp_path / "root"), PACKAGE, package,
         source, str(tmp_path / "mnt")], capture_output=True, text=True, timeout=300,
        env=environment(DEBIAN_FRONTEND="noninteractive"))
    assert done.returncode == 0, done.stderr
    first, second, *more, number = done.stdout.splitlines()
    assert first.startswith("peelfs ") and second.startswith("peelctl ")
    assert more == ["1", "fuse.peelfs"], "left behind, or not as it should be"
    assert int(number) > 15
    assert eventually(lambda: not daemons())
    if shutil.which("lintian"):
        done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error,warning", package],
                              capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout


# Completion

def complete(line, cwd):
    """What bash offers for the word at the end of a line, as it would put it there."""
    script = """
        source "$1"
        COMP_LINE=$2 COMP_POINT=${#2}
        _${2%% *} "${2%% *}" 2> /dev/null
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    done = subprocess.run(["bash", "-uc", script, "bash", BASH, line], cwd=cwd, text=True,
                          capture_output=True, timeout=30,
                          env=environment(PATH=BUILD + ":" + os.environ["PATH"]))
    assert (done.returncode, done.stderr) == (0, "")
    return set(done.stdout.split("\n")) - {""}


def test_bash_completion(images, tmp_path):
    images.image([layer(file("f", "1"))], name="one")
    images.image([layer(file("f", "2"))], name="two")
    (tmp_path / "mnt").mkdir()
    (tmp_path / "auth.json").write_text("")
    for line, want in {
            "peelfs -": {"-f", "-d", "-v", "-o", "-h", "-V"},
            "peelfs -o layout=": {"image", "rootfs", "store", "erofs"},
            "peelfs -fo layout=rootfs,cache=i": {"index"},
            "peelfs -o layout=rootfs,plat": {"rootfs,platform="},
            "peelfs -o platform=linux/arm6": {"linux/arm64"},
            "peelfs -o cache_dir=m": {"mnt"},
            "peelfs -o cache_dir=a": set(),
            "peelfs -o authfile=a": {"auth.json"},
            "peelfs -o verify=a": {"auth.json"},
            "peelfs dock": {"docker-archive:", "docker://", "docker.io/"},
            "peelfs oci:la": {"layout"},
            "peelfs oci:layout:t": {"two"},
            "peelfs -o offline oci:layout:two m": {"mnt"},
            "peelctl ca": {"cache", "cat"},
            "peelctl cache ": {"list", "verify", "prune", "warm", "export"},
            "peelctl cache warm --": {"--index-only"},
            "peelctl cache export m": {"mnt"},
            "peelctl cache prune --": {"--dir="},
            "peelctl index -o layout=r": {"rootfs"},
            "peelctl index oci:la": {"layout"},
            "peelctl index pu": {"push"},
            "peelctl index push oci:la": {"layout"},
            "peelctl index push --": {"--platform=", "--dry-run", "--trace"},
            "peelctl index --": set(),
            "peelctl history -o off": {"offline"},
            "peelctl inspect oci:layout:t": {"two"},
            "peelctl ls --l": {"--layer="},
            "peelctl which a": {"auth.json"}}.items():
        assert complete(line, tmp_path) == want, line


def test_bash_completion_of_paths(fake, tmp_path):
    """Those in an image whose tag and indexes the store knows; nothing is asked for them."""
    source = fake.image("a", [layer(directory("d/e"), file("d/f:1", "1"), file("other", "2"),
                                    file("e/$(x);\x1b", "3")),
                              layer(whiteout("other"))])
    store = "-o cache_dir=%s" % (tmp_path / "c")
    assert complete("peelctl ls %s %s " % (store, source), tmp_path) == set()
    assert run("index", *store.split(), source, program=PEELCTL).returncode == 0
    del fake.asked[:]
    for line, want in {
            "peelctl ls %s %s d": {"d/"}, "peelctl cat %s %s d/": {"d/e/", "d/f:1"},
            "peelctl ls -l %s --layer=1 %s o": {"other"},
            "peelctl ls -l %s --layer 2 %s .": {".wh.other"},
            "peelctl cat %s %s e/": {r"e/$'$(x);\E'"},
            "peelctl cat %s %s /d /d/f:": {"1"}, "peelctl cat %s %s none/": set(),
            "peelctl inspect %s %s ": set()}.items():
        assert complete(line % (store, source), tmp_path) == want, line
    assert fake.asked == []


def options_of_help():
    """What -o takes, by `peelfs -h`."""
    text = subprocess.run([PEELFS, "-h"], capture_output=True, text=True, timeout=30).stdout
    found = {re.split("[= ]", line[4:])[0] for line in text.splitlines()
             if line.startswith("    ") and line[4] != " "}
    assert len(found) > 10
    return found


def is_known(word):
    done = subprocess.run([PEELFS, "-o", word], capture_output=True, text=True, timeout=30)
    return "unknown option" not in done.stderr


def lists_of(text):
    """The items of each list in it; those of lists inside an item are left out."""
    found, depth = [], 0
    for line in text.splitlines():
        depth += line.startswith(".Bl ") - line.startswith(".El")
        if line.startswith(".Bl ") and depth == 1:
            found.append([])
        elif line.startswith(".It Cm ") and depth == 1:
            found[-1].append(line[len(".It "):])
    return found


def test_manual_has_the_options():
    """All of the help's, and nothing that the program does not know."""
    with open(os.path.join(TOP, "man/peelfs.1")) as f:
        text = f.read()
    own, others = lists_of(text.split("\nOptions of\n.Nm :\n")[1].split("\n.Sh ")[0])[:2]
    names = {re.split("[= ]", word)[1] for head in own for word in head.split(" , ")}
    assert names == options_of_help()
    heads = [head[len("Cm "):] for head in others]
    names = {word.rstrip("=") for head in heads for word in head.split(" , ")} - {"...", "x-*"}
    assert len(names) > 10 and [word for word in names if not is_known(word)] == []


def test_bash_completion_knows_the_options(tmp_path):
    """All of the help's, and nothing that the program does not know."""
    offered = complete("peelfs -o ", tmp_path)
    assert options_of_help() <= {word.rstrip("=") for word in offered}
    assert [word for word in offered if not word.endswith("=") and not is_known(word)] == []


def test_zsh_completion_knows_the_options():
    script = """
        _arguments() { : }
        _call_program() { shift; eval "$@" }
        _values() { print -rl -- "$@" }
        service=peelfs; source $1
        setopt extendedglob; _peelfs_options
    """
    done = subprocess.run(["zsh", "-fc", script, "zsh", os.path.join(TOP, "completion/_peelfs")],
                          capture_output=True, text=True, timeout=30,
                          env=environment(PATH=BUILD + ":" + os.environ["PATH"]))
    assert (done.returncode, done.stderr) == (0, "")
    offered = {line.partition("[")[0] for line in done.stdout.splitlines()[3:]}
    assert options_of_help() <= offered
    assert [word for word in offered if not is_known(word)] == []


def test_completions_have_the_commands(tmp_path):
    """All of `peelctl -h`."""
    text = subprocess.run([PEELCTL, "-h"], capture_output=True, text=True, timeout=30).stdout
    commands = set(re.findall("^.{7}peelctl ([a-z]+)", text, re.M))
    assert len(commands) > 3
    assert complete("peelctl ", tmp_path) == commands | {"-h", "-V"}
    with open(os.path.join(TOP, "completion/_peelfs")) as f:
        zsh = f.read()
    assert all(re.search(r"[( \t]%s\\:" % name, zsh) for name in commands)


def test_completions_have_the_flags(tmp_path):
    """All that the lines of usage in `peelctl -h` have."""
    text = subprocess.run([PEELCTL, "-h"], capture_output=True, text=True, timeout=30).stdout
    with open(os.path.join(TOP, "completion/_peelfs")) as f:
        zsh = f.read()
    usage = re.findall("^.{7}peelctl ([a-z]+)((?: [a-z|]+)?)(.*)$", text, re.M)
    assert len(usage) > 15
    for command, seconds, rest in usage:
        flags = set(re.findall(r"\[(--[a-z-]+=?)", rest)) | {
            "-" + letter for word in re.findall(r"\[-([A-Za-z]+)", rest) for letter in word}
        for second in seconds.split("|"):
            line = "peelctl %s %s" % (command, second.strip() + " " * bool(second))
            assert flags <= complete(line + "-", tmp_path), line
        assert [flag for flag in flags if flag.rstrip("=") not in zsh] == []


def test_bash_completion_of_mount_points(images, tmp_path):
    with mount(images.image([layer(file("f", "1"))])) as m:
        assert m.path in complete("peelctl status ", tmp_path)
        assert complete("peelctl status " + m.path[:-1], tmp_path) >= {m.path}


def test_zsh_completion_parses():
    done = subprocess.run(["zsh", "-n", os.path.join(TOP, "completion/_peelfs")],
                          capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")


FAKE_APT = """#!/bin/sh
/usr/sbin/policy-rc.d; echo "policy $?" >> %(log)s
ln -sf /lib/systemd/system/odd.service /etc/systemd/system/multi-user.target.wants/
ln -sf ../init.d/odd /etc/rc2.d/S01odd
%(end)s
"""


@pytest.mark.parametrize("end", ["exit 0", "exit 1"], ids=["installed", "failed"])
def test_deps_enable_no_service(tmp_path, end):
    """What tests/deps installs starts neither now nor at the next boot."""
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "apt-get").write_text(FAKE_APT % {"log": tmp_path / "log", "end": end})
    (tools / "dpkg-query").write_text("#!/bin/sh\n")
    for tool in tools.iterdir():
        tool.chmod(0o755)
    # /etc and /usr/sbin as seen by this test alone
    done = subprocess.run(["unshare", "-m", "sh", "-c", """
        mount -t tmpfs none /etc/systemd && mkdir -p /etc/systemd/system/multi-user.target.wants &&
        mkdir -p /etc/rc2.d && mount -t tmpfs none /etc/rc2.d &&
        cp -a /usr/sbin %(tmp)s/sbin && mount --bind %(tmp)s/sbin /usr/sbin &&
        rm -f /usr/sbin/policy-rc.d &&
        ln -s there /etc/systemd/system/multi-user.target.wants/own.service &&
        ln -s there /etc/rc2.d/S01own
        PATH=%(tmp)s/bin:$PATH %(deps)s demo
        echo "status $?"
        ls /etc/systemd/system/multi-user.target.wants /etc/rc2.d
        ls /usr/sbin/policy-rc.d
        """ % {"tmp": tmp_path, "deps": os.path.join(TOP, "tests/deps")}],
        capture_output=True, text=True, timeout=60)
    assert (tmp_path / "log").read_text().splitlines()[0] == "policy 101"
    assert "status %s\n" % end[-1] in done.stdout
    assert "odd.service" not in done.stdout and "S01odd" not in done.stdout
    assert "own.service" in done.stdout and "S01own" in done.stdout
    assert "No such file" in done.stderr  # policy-rc.d is gone
