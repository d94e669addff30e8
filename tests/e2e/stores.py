# SPDX-License-Identifier: MIT
"""Images for tests of the cache on disk, and its files."""
import hashlib
import json
import os
import random

from archive import directory, file, layer
from mounting import PEELCTL, run


def noise(seed, size):
    """Bytes that gzip cannot shrink much, nor know by heart."""
    return random.Random(seed).randbytes(size)


def contents(seed, count, size):
    return {"f%03d" % i: noise(seed + i, size) for i in range(count)}


def image_of(images, files, name="latest", compression="gzip"):
    tar = layer(directory("d"), *(file("d/" + n, data) for n, data in files.items()))
    return images.image([images.layer(tar, compression)], name)


def same(root, files):
    for name, data in files.items():
        with open(os.path.join(root, "d", name), "rb") as f:
            if f.read() != data:
                return False
    return True


def data_files(cache):
    for folder, _, names in os.walk(cache):
        for name in names:
            if name == "data":
                yield os.path.join(folder, name)


def ctl(*words, timeout=60, env=None):
    return run(*words, program=PEELCTL, timeout=timeout, env=env)


def indexes(cache):
    return [os.path.join(folder, "index") for folder, _, names in os.walk(cache / "layers")
            if "index" in names]


def prune_data(cache):
    """Leaves the indexes: pruning to less would drop them, too."""
    rest = sum(os.stat(path).st_blocks * 512 for path in indexes(cache))
    assert rest and ctl("cache", "prune", "--dir=%s" % cache, str(rest + 8192)).returncode == 0
    assert indexes(cache)


def blobs_of(m):
    """The paths in oci/ of all that the image is made of."""
    manifest = json.loads(m.read("manifest.json"))
    return ["oci/blobs/" + d["digest"].replace(":", "/")
            for d in [manifest["config"], *manifest["layers"]]]


def are_right(m, paths):
    for path in paths:
        assert hashlib.sha256(m.read(path)).hexdigest() == os.path.basename(path)


def files_of(cache):
    return [os.path.join(folder, name) for folder, _, names in os.walk(cache) for name in names
            if os.path.getsize(os.path.join(folder, name))]
