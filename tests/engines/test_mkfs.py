# SPDX-License-Identifier: MIT
"""The files of layers against what mkfs.erofs --tar=f --aufs makes of the same archives."""
import io
import os
import subprocess
import tarfile

import generate
import test_erofs
import test_layer_files
import tree
from archive import directory, file, hardlink, layer, opaque, whiteout
from mounting import mount

WHITEOUTS = layer(directory(".", mode=0o755), directory("d", mode=0o700, uid=5),
                  whiteout("d/gone"), directory("o", xattrs={"user.x": "y"}), opaque("o"),
                  file("o/f", "1"), hardlink("o/g", "o/f"), whiteout("a"), file("a.b", ""),
                  file("z", b"z" * 100000), directory("e"))


def dump(path):
    with test_erofs.kernel(path) as top:
        found = tree.dump(top)
        for name, fields in found.items():
            if fields["type"] != "symlink":
                fields["xattrs"] |= test_layer_files.overlay_xattrs(
                    os.path.join(os.fsencode(top), name))
        return found


def made_by_mkfs(tar, path):
    """None: mkfs.erofs refuses the archive."""
    done = subprocess.run(["mkfs.erofs", "--quiet", "--tar=f", "--aufs", path], input=tar,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
    return None if done.returncode else dump(path)


def test_whiteouts(images, tmp_path):
    want = made_by_mkfs(WHITEOUTS, str(tmp_path / "made"))
    assert want[b"a"]["type"] == "char" and want[b"o"]["xattrs"][b"trusted.overlay.opaque"] == b"y"
    with mount(images.image([WHITEOUTS])) as m:
        tree.assert_same(want, dump(test_layer_files.files_of(m)[0]))


def both(tar):
    """Names that an archive has beside their whiteouts."""
    with tarfile.open(fileobj=io.BytesIO(tar), errors="surrogateescape") as t:
        names = {os.fsencode(n).strip(b"/") for n in t.getnames()}
    found = set()
    for name in names:
        head, base = os.path.split(name)
        if base.startswith(b".wh.") and not base.startswith(b".wh..wh."):
            path = os.path.join(head, base[4:])
            if any((n + b"/").startswith(path + b"/") for n in names):
                found.add(path)
    return found


def is_below(path, tops):
    return any((path + b"/").startswith(top + b"/") for top in tops)


def test_random(images, tmp_path):
    """But for directories without an entry and whiteouts beside new names. Fractions of a
    second are not compared, because mkfs.erofs takes 1.5 for 1.000000005."""
    compared = 0
    for seed in range(1, 13):
        layers = generate.image(seed)
        with mount(images.image(layers, "t%d" % seed)) as m:
            for tar, path in zip(layers, test_layer_files.files_of(m)):
                want = made_by_mkfs(tar, str(tmp_path / "made"))
                if not want:
                    continue
                got, tops = dump(path), both(tar)
                for name in want.keys() & got.keys():
                    if test_layer_files.is_implied(got[name]):
                        want[name] = {**got[name], "xattrs": want[name]["xattrs"]}
                for found in (want, got):
                    for name in [n for n in found if is_below(n, tops)]:
                        del found[name]
                    for fields in found.values():
                        fields["mtime_ns"] //= 10 ** 9
                tree.assert_same(want, got)
                compared += len(got)
    assert compared > 1000
