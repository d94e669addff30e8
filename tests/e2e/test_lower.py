# SPDX-License-Identifier: MIT
"""Stores that are only read, below the one that a mount writes to (-o lower_cache=)."""
import contextlib
import hashlib
import os
import re
import shutil
import subprocess

import pytest

from archive import directory, file, layer
from mounting import PEELCTL, PEELFS, environment, eventually, mount, run, unmount
from stores import contents, ctl, data_files, files_of, image_of, indexes, noise, prune_data, same


def shared(store):
    """Makes a store readable for all, as an administrator would."""
    for folder, folders, names in os.walk(store):
        os.chmod(folder, 0o755)
        for name in names:
            os.chmod(os.path.join(folder, name), 0o644)
    return store


def state_of(store):
    """All that a writer would change: names, times, modes, bytes."""
    found = {}
    for folder, folders, names in os.walk(store):
        for path in [folder, *(os.path.join(folder, n) for n in names)]:
            st = os.lstat(path)
            found[path] = (st.st_mode, st.st_mtime_ns, st.st_ctime_ns, st.st_size, st.st_blocks)
    return found


@pytest.fixture
def filled(fake, tmp_path):
    """(source, contents, the store that has all of it)"""
    files = contents(60, 4, 900000)
    tar = layer(directory("d"), *(file("d/" + n, data) for n, data in files.items()))
    source = fake.image("x", [fake.images.layer(tar)])
    with mount(source, "insecure", cache=tmp_path / "low") as m:
        assert same(m.root, files)
    return source, files, tmp_path / "low"


def blob_requests(fake):
    return [a for a in fake.asked if "/blobs/" in a[1]]


def test_used_in_place(fake, filled, tmp_path):
    source, files, low = filled
    before = state_of(low)
    fake.asked.clear()
    with mount(source, "insecure", "lower_cache=%s" % low, cache=tmp_path / "own") as m:
        assert same(m.root, files)
        status = m.status()
        assert [x["from"] for x in status["layers"]] == ["lower"]
        assert status["lowerStores"] == [str(low)] and status["layers"][0]["fetched"] == 0
        assert "layer" in ctl("which", m.at("d/f001")).stdout
    assert not blob_requests(fake)
    assert state_of(low) == before
    assert not indexes(tmp_path / "own") and not list(data_files(tmp_path / "own"))


def test_offline(filled, tmp_path):
    """The documents and what the tag was come from there, too; and without a store of its own."""
    source, files, low = filled
    for options in (["cache_dir=%s" % (tmp_path / "own")], ["cache=none"]):
        words = "lower_cache=%s,offline,insecure,%s" % (low, ",".join(options))
        done = subprocess.run([PEELCTL, "cat", "-o", words, source, "d/f002"], capture_output=True,
                              env=environment(), timeout=60)
        assert done.stdout == files["f002"], done.stderr
