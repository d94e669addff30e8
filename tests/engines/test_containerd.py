# SPDX-License-Identifier: MIT
"""containerd starts containers from the layers that layout=erofs shows, without pulling them."""
import contextlib
import os
import re
import signal
import subprocess
import time

import pytest

import runner
from archive import directory, file, layer, opaque, whiteout
from mounting import PEELCTL, eventually, is_mounted, run

PLACE = "/var/lib/peelfs/containerd"
OURS = """
root = "{where}/root"
state = "{where}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images",
                    "io.containerd.cri.v1.runtime"]
[grpc]
address = "{where}/sock"
"""


def configuration(where, mount):
    """What `peelctl setup containerd` prints, for a containerd in `where`."""
    done = run("setup", "containerd", program=PEELCTL)
    text = re.search(r"(version = 3\n)(.*?)\n# /", done.stdout, re.S)
    assert PLACE in text[2]
    return text[1] + OURS.format(where=where) + text[2].replace(PLACE, mount)


BASE = layer(*runner.BASE, directory("d"), file("d/gone", "1"), file("d/kept", "2"),
             directory("hidden"), file("hidden/old", "3"))
UPPER = layer(directory("d"), whiteout("d/gone"), file("d/new", "4"), directory("hidden"),
              opaque("hidden"), file("hidden/own", "5"))
BIG = layer(file("big", os.urandom(1 << 20) * 20))


class Engine:
    def __init__(self, where, mount):
        self.where, self.mount, self.child = str(where), mount, None
        with open(self.where + "/config.toml", "w") as f:
            f.write(configuration(self.where, mount))

    def start(self):
        self.child = subprocess.Popen(["containerd", "-c", self.where + "/config.toml"],
                                      stdout=open(self.where + "/log", "ab"), stderr=subprocess.STDOUT)
        assert eventually(lambda: "erofs" in self.ctr("plugins", "ls", check=False), 20)

    def stop(self):
        self.child.send_signal(signal.SIGTERM)
        assert self.child.wait(20) == 0

    def ctr(self, *words, check=True, timeout=60):
        done = subprocess.run(["ctr", "-a", self.where + "/sock", *words], capture_output=True,
                              text=True, timeout=timeout)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def pull(self, image):
        self.ctr("images", "pull", "--plain-http", "--snapshotter", "erofs", image)

    def run(self, image, *words, name=None):
        return self.ctr("run", "--rm", "--snapshotter", "erofs", image,
                        name or "c%d" % time.monotonic_ns(), *words)


@contextlib.contextmanager
def peelfs(listed, at, cache):
    """The same place each time, as a unit of systemd has it."""
    done = run("-o", "layout=erofs,images=%s,cache_dir=%s" % (listed, cache), "/", at)
    assert done.returncode == 0 and is_mounted(at), done.stderr
    try:
        yield
    finally:
        subprocess.run(["umount", at], check=True, timeout=30)


@pytest.fixture
def place(tmp_path):
    """containerd's sockets have short names; overlayfs's options, too."""
    with contextlib.ExitStack() as stack:
        where = str(tmp_path)
        at = os.path.join(where, "mnt")
        os.mkdir(at)
        engine = Engine(where, at)
        engine.start()
        stack.callback(lambda: engine.child.poll() is None and engine.stop())
        yield engine, os.path.join(where, "list"), os.path.join(where, "cache")


def blobs_asked(fake, start):
    return [path for _, path, _ in fake.asked[start:] if "/blobs/" in path]


SHOW = "cat d/kept d/new; ls -A d hidden; echo x > d/written; rm d/kept; ls -A d"
SHOWN = "24d:\nkept\nnew\n\nhidden:\nown\nnew\nwritten\n"


def test_pull_and_run(fake, images, place):
    engine, listed, cache = place
    parts = [images.layer(BASE), images.layer(runner.programs()), images.layer(UPPER),
             images.layer(BIG)]
    config = images.config(parts, more={"config": {"Env": ["PATH=/bin"]}})
    image = fake.image("box", parts, config=config)
    config_path = "/v2/box/blobs/" + config["digest"]
    with open(listed, "w") as f:
        f.write("")
    with peelfs(listed, engine.mount, cache):
        assert run("add", engine.mount, image, program=PEELCTL, timeout=60).returncode == 0
        # peelfs streams what it has no index of, once; containerd fetches no layer.
        engine.pull(image)
        assert engine.run(image, "sh", "-c", SHOW) == SHOWN
        assert engine.run(image, "sh", "-c", SHOW) == SHOWN

    # With the index known nobody fetches a layer. Remounted, an old snapshot serves, too.
    with peelfs(listed, engine.mount, cache):
        start = len(fake.asked)
        assert engine.run(image, "sh", "-c", SHOW) == SHOWN
        engine.ctr("images", "rm", "--sync", image)
        engine.pull(image)
        assert set(blobs_asked(fake, start)) <= {config_path}
        engine.stop()
        engine.start()
        assert engine.run(image, "sh", "-c", SHOW) == SHOWN
        assert set(blobs_asked(fake, start)) <= {config_path}


def test_an_image_that_is_not_listed_is_pulled(fake, images, place):
    engine, listed, cache = place
    parts = [images.layer(BASE), images.layer(runner.programs()), images.layer(UPPER)]
    image = fake.image("other", parts, config=images.config(
        parts, more={"config": {"Env": ["PATH=/bin"]}}))
    with open(listed, "w") as f:
        f.write("")
    with peelfs(listed, engine.mount, cache):
        engine.pull(image)
        assert len([p for p in blobs_asked(fake, 0)]) >= 4
        assert engine.run(image, "sh", "-c", "cat d/kept") == "2"
