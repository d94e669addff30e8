# SPDX-License-Identifier: MIT
import contextlib
import fcntl
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.dirname(__file__))

# Several workers run tests at one time, each in a place of its own.
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
if WORKER:
    tempfile.tempdir = os.environ["TMPDIR"] = os.path.join(os.environ["TMPDIR"], WORKER)
    os.makedirs(tempfile.tempdir, exist_ok=True)

import fake as fake_of
import layout
import mounting
import registry as registry_of

if WORKER:
    mounting.mount_alone()

# A shell's background job and nohup ignore these, and programs that we start would too.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def basetemp(tmp_path_factory):
    mounting.places.append(str(tmp_path_factory.getbasetemp()))


@pytest.fixture(scope="session")
def registry():
    where = tempfile.mkdtemp(prefix="peelfs-e2e-registry-")
    with registry_of.running(where) as r:
        yield r
    shutil.rmtree(where)


@pytest.fixture
def new_registry(tmp_path):
    """One that skopeo has never heard of, so that it makes what it is asked to."""
    (tmp_path / "registry").mkdir()
    with registry_of.running(tmp_path / "registry") as r:
        yield r


@pytest.fixture
def images(tmp_path):
    return layout.Layout(tmp_path / "layout")


@pytest.fixture
def fake(images):
    with fake_of.running(images) as f:
        yield f


@contextlib.contextmanager
def machine_to_ourselves():
    """What is locked is of the machine, so that another run of these tests waits, too."""
    with open("/dev/fuse", "rb") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        yield


def remove_user(name):
    """With all of its processes, such as the one that rootless podman leaves."""
    subprocess.run(["pkill", "-KILL", "-u", name], capture_output=True, timeout=30)
    # 6: there is no such user; else a process of his has not ended yet.
    mounting.eventually(lambda: subprocess.run(["userdel", name], capture_output=True,
                                               timeout=30).returncode in (0, 6), seconds=2)


@pytest.fixture
def user():
    """An ordinary one, on a machine where such may use FUSE as udev has it."""
    name = "peelfs-e2e"
    with machine_to_ourselves():
        remove_user(name)
        subprocess.run(["useradd", "-M", "-d", "/nonexistent", "-s", "/bin/sh", name],
                       check=True, timeout=30)
        mode = stat.S_IMODE(os.stat("/dev/fuse").st_mode)
        os.chmod("/dev/fuse", 0o666)
        yield name
        os.chmod("/dev/fuse", mode)
        remove_user(name)


@pytest.fixture(autouse=True)
def ends(request):
    """Each test ends in time, and leaves no process, mount or sanitizer report."""
    marker = request.node.get_closest_marker("limit")
    with mounting.Limit(marker.args[0] if marker else 30) as limit:
        yield
    # A daemon that was unmounted closes its store and, under a sanitizer, looks for leaks.
    mounting.eventually(lambda: mounting.mounts() or not mounting.daemons(), seconds=5)
    reports = mounting.sanitizer_reports()
    left = ["process %d: %r" % item for item in mounting.daemons().items()] + mounting.mounts()
    mounting.end_everything()
    for path in mounting.mounts():
        subprocess.run(["umount", "-l", path], capture_output=True, timeout=10)
    assert not limit.passed, "took longer than %d seconds" % limit.seconds
    assert not reports, "sanitizer:\n" + "\n".join(reports)
    assert not left, "left behind: %r" % left


def pytest_sessionfinish(session, exitstatus):
    shutil.rmtree(mounting.reports, ignore_errors=True)
