# SPDX-License-Identifier: MIT
"""podman with a mount as an additional image store (layout=store)."""
import concurrent.futures
import filecmp
import json
import os
import signal

import pytest

import archive
import engines
import system
import tree
from layout import Layout
from mounting import PEELCTL, eventually, mount, run, unmount
from test_run_users import ranges

pytestmark = [pytest.mark.heavy, pytest.mark.limit(120)]


@pytest.fixture(scope="module")
def bootable(registry, tmp_path_factory):
    """The reference of an image that has a shell."""
    images = Layout(tmp_path_factory.mktemp("store") / "layout")
    return registry.push(images.image(system.layers()), "store/system", "v1")


def store(source, *options, **more):
    return mount(source, "layout=store", "suid", "dev", *options, load=False, **more)


def names(podman):
    return set(podman("image", "ls", "--noheading", "--format", "{{.Repository}}:{{.Tag}}").split())


def test_run_pull_build(bootable, tmp_path):
    """The registry gives manifest and config for a pull, and each blob once for all else."""
    (tmp_path / "Dockerfile").write_text(
        "FROM %s\nRUN echo built > /built && rm /srv/kept\n" % bootable)
    with store(bootable) as m, engines.podman(m.path) as podman:
        assert names(podman) == {bootable}
        podman.pull(bootable)
        state = run("status", m.path, program=PEELCTL).stdout
        assert state.count("waiting") >= len(system.layers()), state
        assert podman.run(bootable, "cat", "/srv/kept") == "kept\n"
        podman("build", "-q", "--network=none", "--pull=never", "-t", "built", tmp_path)
        assert podman.run("built", "sh", "-c", "cat /built; ls /srv/kept 2>/dev/null || echo gone") \
            == "built\ngone\n"
        changes = podman("image", "diff", "built").splitlines()
        assert "A /built" in changes and "D /srv/kept" in changes
        assert "D /srv/gone" in podman("image", "diff", bootable).splitlines()


def same_files(a, b):
    found = filecmp.dircmp(a, b)
    assert not found.left_only and not found.right_only, (found.left_only, found.right_only)
    return filecmp.cmpfiles(a, b, found.common_files, shallow=False)[0] == found.common_files


def test_push_and_save(registry, images, bootable, tmp_path):
    """A push sends what it would send of a pulled image: each digest is the same."""
    dense = registry.push(images.image(system.layers()[:2]), "store/dense", "v1")
    with store(dense) as m, engines.podman(m.path) as podman, engines.podman() as plain:
        plain.pull(dense)
        podman.run(dense, "true")    # opens the layers: podman needs their sizes
        for who, name in ((podman, "ours"), (plain, "theirs")):
            who("push", "-q", dense, "dir:%s" % (tmp_path / name))
            who("save", "-q", "-o", tmp_path / (name + ".tar"), dense)
        assert same_files(tmp_path / "ours", tmp_path / "theirs")
        assert len(os.listdir(tmp_path / "ours")) == 5
        assert filecmp.cmp(tmp_path / "ours.tar", tmp_path / "theirs.tar", shallow=False)


def test_push_what_podman_cannot(bootable, tmp_path):
    """podman cannot push a sparse file that it has unpacked itself. Sizes that are not known yet
    make it fail once for each layer."""
    with store(bootable) as m, engines.podman(m.path) as podman:
        layers = json.loads(m.read("overlay-layers/layers.json"))
        target = tmp_path / "dir"
        tries = [podman.call("push", "-q", bootable, "dir:%s" % target) for _ in layers]
        if tries[-1].returncode:
            podman("push", "-q", bootable, "dir:%s" % target)
        blobs = set(os.listdir(target))
        assert {layer["diff-digest"].split(":")[1] for layer in layers} <= blobs


ODD = [
    archive.layer(archive.directory("d", 0o1777, uid=5, gid=6), archive.file("d/a", b"a" * 5000, uid=7),
                  archive.hardlink("d/b", "d/a", uid=7), archive.symlink("s", "d/a"), archive.fifo("d/pipe"),
                  archive.char("null", 1, 3, mode=0o666), archive.block("disk", 8, 1, mode=0o660, gid=6),
                  archive.file("suid", b"x", mode=0o6755), archive.directory("o"), archive.file("o/x"),
                  archive.file("x", b"x", xattrs={"user.a": "b", "security.capability": bytes.fromhex(
                      "0100000200040000000000000000000000000000")})),
    archive.layer(archive.whiteout("s"), archive.whiteout("d/a"), archive.directory("o"),
                  archive.directory("d", 0o1777, uid=5, gid=6),
                  archive.opaque("o"), archive.file("o/y", b"y"), archive.directory("new"),
                  archive.opaque("new"), archive.file("deep/er/f", b"f"), archive.whiteout("gone/x")),
]


@pytest.mark.parametrize("root", [[], [archive.directory(".", 0o711, uid=8, gid=9)]])
def test_same_trees(registry, images, monkeypatch, root):
    """Each layer is, entry by entry, what podman unpacks: but for times that it makes up, and the
    second name of the opaque xattr."""
    monkeypatch.setattr(tree, "HIDDEN", (b"security.selinux", b"user.overlay."))
    reference = registry.push(images.image([archive.layer(*root, archive.file("low")), *ODD]), "store/odd", "v1")
    with store(reference) as m, engines.podman() as plain:
        plain.pull(reference)
        layers = json.loads(m.read("overlay-layers/layers.json"))
        assert len(layers) == 3
        for layer in layers:
            theirs = tree.dump("%s/graph/overlay/%s/diff" % (plain.path, layer["id"]))
            ours = tree.dump("%s/overlay/%s/diff" % (m.path, layer["id"]))

            def unsaid(path, field):
                entry = ours[path]
                made_up = entry.get("rdev") == (0, 0) or path in (b".", b"deep", b"deep/er", b"gone")
                return field == "mtime_ns" and made_up
            assert tree.differences(theirs, ours, unsaid) == []


def test_four_at_once(bootable):
    with store(bootable) as m, engines.podman(m.path) as podman, \
            concurrent.futures.ThreadPoolExecutor(4) as pool:
        script = "sha256sum /srv/big; echo %d > /srv/kept; cat /srv/kept"
        outs = list(pool.map(lambda i: podman.run(bootable, "sh", "-c", script % i), range(4)))
        assert [out.splitlines()[1] for out in outs] == ["0", "1", "2", "3"]
        assert len({out.splitlines()[0] for out in outs}) == 1


def test_lists_change(registry, images, bootable, tmp_path):
    """A list that grows and shrinks under a running `podman system service`."""
    other = registry.push(images.image([archive.layer(archive.file("f", b"f"))]), "store/other", "v2")
    lines = tmp_path / "images"
    lines.write_text(bootable + "\n")
    with store(registry.host + "/", "images=%s" % lines) as m, engines.podman(m.path) as podman:
        with podman.service() as remote:
            assert names(remote) == {bootable}
            lines.write_text("%s\n%s\n" % (bootable, other))
            assert eventually(lambda: names(remote) == {bootable, other})
            assert podman.run(bootable, "cat", "/srv/kept") == "kept\n"
            lines.write_text(other + "\n")
            assert eventually(lambda: names(remote) == {other})
            assert names(podman) == {other}


@pytest.mark.parametrize("end", ["umount", "kill"])
def test_mounted_again(bootable, tmp_path, end):
    """Containers and images over it go on when the same store is mounted there again."""
    (tmp_path / "mnt").mkdir()
    arguments = ("-o", "layout=store,suid,dev,cache_dir=%s" % (tmp_path / "cache"), bootable,
                 str(tmp_path / "mnt"))
    (tmp_path / "Dockerfile").write_text("FROM %s\nRUN echo built > /built\n" % bootable)
    with engines.mounted(*arguments) as daemon, engines.podman(tmp_path / "mnt") as podman:
        podman.pull(bootable)
        podman("build", "-q", "--network=none", "--pull=never", "-t", "built", tmp_path)
        podman("create", "--name", "kept", "built", "sh", "-c", "cat /built /srv/kept; echo more >> /built")
        assert podman("start", "-a", "kept") == "built\nkept\n"
        if end == "kill":
            os.kill(daemon(), signal.SIGKILL)
            assert podman.call("run", "--rm", bootable, "true").returncode != 0
        assert unmount(tmp_path / "mnt", ("umount",))
        assert run(*arguments).returncode == 0
        assert podman("start", "-a", "kept") == "built\nmore\nkept\n"
        assert podman.run("built", "cat", "/built") == "built\n"
        assert "A /built" in podman("image", "diff", "built").splitlines()


ROOTLESS = """\
podman unshare "$PEELFS" -o layout=store,suid,dev,cache_dir=$HOME/cache "$1" "$HOME/store"
podman image ls --noheading --format '{{.Repository}}:{{.Tag}}'
podman pull -q --tls-verify=false "$1" > /dev/null
podman run --rm --pull=never "$1" sh -c 'cat /srv/kept; stat -c %u:%g /srv/kept; test -e /dev-node || echo none'
podman run --rm --pull=never --userns=keep-id "$1" id -u
printf 'FROM %s\\nRUN echo built > /built' "$1" > "$HOME/Dockerfile"
podman build -q --network=none --pull=never -t built "$HOME" > /dev/null
podman run --rm --pull=never built cat /built
podman image diff built | grep built
podman push -q "$1" "dir:$HOME/pushed" && ls "$HOME/pushed" | wc -l
"""


def test_rootless(registry, images, user):
    """Mounted in the namespace of podman's pause process. Device nodes are left out."""
    nodes = archive.layer(archive.char("dev-node", 1, 3), archive.block("d/disk", 8, 0))
    reference = registry.push(images.image([*system.layers()[:2], nodes]), "store/rootless", "v1")
    with ranges(user, [user + ":2000000:65536\n"]), engines.rootless(user) as shell:
        done = shell(ROOTLESS, reference)
        assert done.returncode == 0, done.stderr
        assert done.stdout.split("\n") == [
            reference, "kept", "1000:1000", "none",
            str(shell.uid), "built", "A /built", "6", ""], done.stderr
