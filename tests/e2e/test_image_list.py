# SPDX-License-Identifier: MIT
"""The list of images of a mount for engines: its file, peelctl add and remove."""
import json
import os
import signal
import stat
import subprocess
import threading
import time

import pytest

import engines
from archive import file, layer
from mounting import PEELCTL, SLOWER, eventually, mount, run
from stores import ctl

ROOTS = [layer(file("version", str(n))) for n in range(4)]


@pytest.fixture
def stocked(fake):
    """A registry with a0:t to a3:t."""
    for n, root in enumerate(ROOTS):
        fake.image("team/a%d" % n, [root])
    return fake


def names(m):
    """What podman would see; the registry's host is left out."""
    with open(m.path + "/overlay-images/images.json") as f:
        images = json.load(f)
    return sorted(name.split("/", 1)[1] for image in images for name in image["names"])


def lock(m):
    with open(m.path + "/overlay-images/images.lock") as f:
        return f.read()


def status(m):
    return json.loads(ctl("status", "--json", m.path).stdout)


def store(source, images, *options, **more):
    return mount(source, "layout=store,images=%s" % images, *options, load=False, **more)


def test_add(stocked, tmp_path):
    """It returns when the image is listed, with manifest and config, and the file has it."""
    images = tmp_path / "images"
    with store("/", images) as m:
        assert names(m) == []
        before = lock(m)
        stocked.asked.clear()
        done = ctl("add", m.path, stocked.host + "/team/a0:t")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert len(stocked.asked) == 2
        assert names(m) == ["team/a0:t"]
        assert lock(m) != before
        assert images.read_text() == stocked.host + "/team/a0:t\n"
        assert stat.S_IMODE(os.stat(images).st_mode) == 0o600
        rest = [stocked.host + "/team/a%d:t" % n for n in range(4)]
        assert ctl("add", m.path, *rest).returncode == 0
        assert names(m) == ["team/a%d:t" % n for n in range(4)]
        assert sorted(images.read_text().split()) == rest
    with store("/", images) as m:
        assert names(m) == ["team/a%d:t" % n for n in range(4)]


def test_add_fails(stocked, tmp_path):
    """A sentence for each, the others are added, and the file has what is listed."""
    images = tmp_path / "images"
    images.write_text("# mine\n")
    with store(stocked.host + "/team/", images) as m:
        done = ctl("add", m.path, stocked.host + "/team/none:t", stocked.host + "/team/a0:t",
                   "nginx", "oci:/x", stocked.host + "/team/")
        assert done.returncode == 1
        lines = done.stderr.splitlines()
        assert len(lines) == 4 and all(line.startswith("peelctl: " + m.path) for line in lines)
        assert any("/team/none:t" in line for line in lines)
        assert any("docker.io/library/nginx is not below %s/team/" % stocked.host in line
                   for line in lines)
        assert any("oci:/x: only images in registries" in line for line in lines)
        assert any("is a registry, not an image" in line for line in lines)
        assert names(m) == ["team/a0:t"]
        assert images.read_text() == "# mine\n%s/team/a0:t\n" % stocked.host
        assert "errors    0" in ctl("status", m.path).stdout


def test_remove(stocked, tmp_path):
    images = tmp_path / "images"
    images.write_text("".join("%s/team/a%d:t\n" % (stocked.host, n) for n in range(2)))
    with store("/", images) as m:
        before = lock(m)
        done = ctl("remove", m.path, stocked.host + "/team/a0:t")
        assert (done.returncode, done.stderr) == (0, "")
        assert names(m) == ["team/a1:t"]
        assert lock(m) != before
        assert images.read_text() == stocked.host + "/team/a1:t\n"
        done = ctl("remove", m.path, stocked.host + "/team/a0:t")
        assert done.returncode == 1
        assert "%s does not list %s/team/a0:t" % (images, stocked.host) in done.stderr


def test_file_changes(stocked, tmp_path):
    """Written in place, replaced, removed: what asks next sees it. A bad line is named once."""
    images = tmp_path / "images"
    with store("/", images, quiet=False) as m:
        images.write_text(stocked.host + "/team/a0:t\n")
        assert eventually(lambda: names(m) == ["team/a0:t"])
        (tmp_path / "new").write_text("%s/team/a1:t\n%s/team/none:t\na b\n" %
                                      (stocked.host, stocked.host))
        os.rename(tmp_path / "new", images)
        assert eventually(lambda: names(m) == ["team/a1:t"])
        assert eventually(lambda: status(m)["list"]["images"][1]["state"] == "failed")
        errors = [e["error"] for e in status(m)["lastErrors"]]
        assert sorted(error.split(": ")[0] for error in errors) == ["%s:2" % images,
                                                                    "%s:3" % images]
        said = ctl("status", m.path).stdout
        assert "list      %s\n" % images in said
        assert "listed     %s/team/a1:t\n" % stocked.host in said
        os.unlink(images)
        assert eventually(lambda: names(m) == [])


@pytest.mark.heavy
def test_file_that_leads_into_the_mount(stocked, tmp_path):
    """It is not there, and nothing waits for itself."""
    images = tmp_path / "images"
    images.write_text("%s/team/a0:t\n" % stocked.host)
    with store(stocked.host + "/team/", images) as m:
        assert eventually(lambda: names(m) == ["team/a0:t"])
        images.unlink()
        images.symlink_to(m.path + "/overlay-images/list")
        for _ in range(3):
            done = subprocess.run(["cat", m.path + "/overlay-images/images.json"],
                                  capture_output=True, timeout=10 * SLOWER)
            assert (done.returncode, done.stdout) == (0, b"[]\n")


def test_failure_delays_nobody(stocked, tmp_path):
    """A registry that is silent keeps neither the mount nor the other images waiting."""
    images = tmp_path / "images"
    images.write_text("%s/team/a1:t\n%s/team/a0:t\n" % (stocked.host, stocked.host))
    stocked.silent.set()
    stocked.silent_about = "/a1/"
    stocked.silent_always = True
    try:
        start = time.monotonic()
        with store("/", images, "timeout=30") as m:
            assert time.monotonic() - start < 20 * SLOWER
            assert names(m) == ["team/a0:t"]
            assert ctl("add", m.path, stocked.host + "/team/a2:t").returncode == 0
            assert names(m) == ["team/a0:t", "team/a2:t"]
            stocked.silent.clear()
            assert eventually(lambda: names(m) == ["team/a%d:t" % n for n in range(3)])
    finally:
        stocked.silent.clear()


def test_add_is_interrupted(stocked, tmp_path):
    """Ctrl-C ends the wait, and the file does not have the image."""
    images = tmp_path / "images"
    with store("/", images, "timeout=60") as m:
        stocked.silent_always = True
        stocked.silent_about = "/a1/"
        stocked.silent.set()
        try:
            child = subprocess.Popen([PEELCTL, "add", m.path, stocked.host + "/team/a1:t"])
            assert eventually(lambda: stocked.waiting)
            child.send_signal(signal.SIGINT)
            assert child.wait(5 * SLOWER) == -signal.SIGINT
        finally:
            stocked.silent.clear()
        assert not images.exists()


def test_many_add(stocked, tmp_path):
    """Programs that add at one time, and an editor that appends, lose no line."""
    images = tmp_path / "images"
    with store("/", images) as m:
        words = [stocked.host + "/team/a%d:t" % n for n in range(4)]
        adders = [threading.Thread(target=ctl, args=("add", m.path, word)) for word in words]
        for adder in adders:
            adder.start()
        for adder in adders:
            adder.join()
        assert sorted(images.read_text().split()) == words
        assert len(names(m)) == 4


def test_others(stocked, images, tmp_path):
    """What has no list says so; one without a file does, too."""
    with mount(images.image([ROOTS[0]], "one")) as m:
        done = ctl("add", m.path, "nginx")
        assert done.returncode == 1
        assert "shows no list of images" in done.stderr and done.stderr.count("\n") == 1
    with mount(images.image([ROOTS[0]], "one"), "layout=store", load=False) as m:
        done = ctl("add", m.path, "nginx")
        assert done.returncode == 1 and "without -o images=FILE" in done.stderr
    assert "it is not a mount of peelfs" in ctl("add", str(tmp_path), "nginx").stderr
    assert ctl("add", str(tmp_path)).returncode == 1
    done = run("-o", "layout=store", "/", str(tmp_path))
    assert done.returncode == 32 and "-o images=FILE" in done.stderr
    done = run("-o", "images=x", "nginx", str(tmp_path))
    assert done.returncode == 1 and "layout=store" in done.stderr


def test_one_image_and_a_file(stocked, images, tmp_path):
    """The source is listed, and so is what the file has."""
    listed = tmp_path / "images"
    listed.write_text(stocked.host + "/team/a1:t\n")
    with store(stocked.host + "/team/a0:t", listed) as m:
        assert names(m) == ["team/a0:t", "team/a1:t"]
        assert "image     " in ctl("status", m.path).stdout


def version(m, image):
    """The file that an image's highest layer has."""
    with open("%s/overlay/%s/diff/version" % (m.path, image["layer"])) as f:
        return f.read()


@pytest.mark.parametrize("above", [False, True])
def test_claimed_diff_ids(stocked, above, tmp_path):
    """No image gets the layers of another one that claims to have the same."""
    forged = {**stocked.images.layer(ROOTS[1]), "diff": stocked.images.layer(ROOTS[0])["diff"]}
    stocked.image("team/forged", [forged, ROOTS[2]] if above else [forged])
    listed = tmp_path / "images"
    with store("/", listed) as m:
        assert ctl("add", m.path, stocked.host + "/team/a0:t").returncode == 0
        done = ctl("add", m.path, stocked.host + "/team/forged:t")
        assert done.returncode == 1 and "/team/forged:t: an image that is or was" in done.stderr
        assert listed.read_text() == stocked.host + "/team/a0:t\n"
        assert names(m) == ["team/a0:t"], done.stderr
        assert "the same diff IDs" in ctl("status", m.path).stdout
    listed.unlink()
    with store("/", listed) as m:
        ctl("add", m.path, stocked.host + "/team/forged:t")
        ctl("add", m.path, stocked.host + "/team/a0:t")
        assert names(m) == ["team/forged:t"]
    stocked.image("team/same", [ROOTS[0]], more={"annotations": {"a": "b"}})
    with store("/", tmp_path / "other") as m:
        for name in "a0", "same":
            assert ctl("add", m.path, stocked.host + "/team/%s:t" % name).returncode == 0
        assert names(m) == ["team/a0:t", "team/same:t"]
        [image] = json.loads(m.read("overlay-images/images.json"))
        assert version(m, image) == "0"


def test_others_may_not_add(stocked, tmp_path):
    """Who may look at the mount may not change its list."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to be another user")
    with store("/", tmp_path / "images", "allow_other") as m:
        for directory in (os.path.dirname(m.path),):
            os.chmod(directory, 0o755)
        done = run("add", m.path, stocked.host + "/team/a0:t", program=PEELCTL, user=65534)
        assert done.returncode == 1
        assert "only root and the user who mounted it" in done.stderr
        assert names(m) == []


@pytest.mark.heavy
def test_podman_pulls_no_layer(stocked, tmp_path):
    """Of an image that was added, podman asks for manifest and config."""
    with store("/", tmp_path / "images", "suid", "dev") as m, engines.podman(m.path) as podman:
        assert ctl("add", m.path, stocked.host + "/team/a0:t").returncode == 0
        stocked.asked.clear()
        podman.pull(stocked.host + "/team/a0:t")
        asked = [path for _, path, _ in stocked.asked]
        assert any("/manifests/" in path for path in asked)
        config = json.loads(stocked.manifests["team/a0", "t"][1])["config"]["digest"]
        assert {path for path in asked if "/blobs/" in path} <= {"/v2/team/a0/blobs/" + config}
