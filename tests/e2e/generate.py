# SPDX-License-Identifier: MIT
"""Images made by chance from a seed: a few layers over few names, so that they meet.

Only what unpacking layer by layer defines is made: one entry for a path in a layer,
no parents that are symlinks of the same layer, hard links inside their layer, and
whiteouts only in directories that a lower layer has or this one names.
"""
import random

import archive

NAMES = ["a", "b", "c", "d", "e", "lib", "x y", "\u00e9", "long-" + "n" * 120]
XATTRS = ["user.one", "user.two", "trusted.three"]


class Layer:
    def __init__(self, rng, lower_dirs):
        self.rng = rng
        self.lower_dirs = lower_dirs
        self.kinds = {}   # path: what this layer has there; "implied" for parents
        self.made = {}    # path: arguments of files, for their hard links
        self.first, self.links = [], []

    def path(self):
        # Rather under what is there already than somewhere new.
        known = [p for p, k in self.kinds.items() if k in ("dir", "implied")]
        base = self.rng.choice(known + sorted(self.lower_dirs) + [""])
        depth = self.rng.choice((1, 1, 1, 2, 3))
        names = [self.rng.choice(NAMES) for _ in range(depth)]
        return "/".join(([base] if base else []) + names)

    def is_free(self, path):
        parts = path.split("/")
        if len(parts) > 8 or self.kinds.get(path, "implied") != "implied":
            return False
        return all(self.kinds.get("/".join(parts[:i]), "dir") in ("dir", "implied")
                   for i in range(1, len(parts)))

    def occupy(self, path, kind):
        parts = path.split("/")
        for i in range(1, len(parts)):
            self.kinds.setdefault("/".join(parts[:i]), "implied")
        self.kinds[path] = kind

    def looks(self, xattrs=True):
        rng = self.rng
        out = {"mode": rng.choice((0o644, 0o755, 0o600, 0o4755, 0o2711, 0o1777, 0o444, 0o777)),
               "uid": rng.choice((0, 0, 1, 1000, 3000000)), "gid": rng.choice((0, 0, 2, 100)),
               "mtime_ns": rng.randrange(-10 ** 18, 4 * 10 ** 18)}
        # Not every unpacker gets a negative fraction right.
        if out["mtime_ns"] < 0 or rng.random() < 0.3:
            out["mtime_ns"] -= out["mtime_ns"] % 10 ** 9
        if xattrs and rng.random() < 0.25:
            out["xattrs"] = {rng.choice(XATTRS): bytes(rng.randrange(256) for _ in range(
                rng.randrange(1, 40))) for _ in range(2)}
        return out

    def add(self):
        rng, path = self.rng, self.path()
        kind = rng.choices(("file", "dir", "symlink", "link", "whiteout", "opaque", "special"),
                           (45, 22, 10, 8, 14, 3, 2))[0]
        if kind == "whiteout":
            head = path.rpartition("/")[0]
            if not head or head in self.lower_dirs or self.kinds.get(head) == "dir":
                if all(self.kinds.get(p, "dir") in ("dir", "implied") for p in parents(path)):
                    for p in parents(path):
                        self.kinds.setdefault(p, "implied")
                    self.first.append(archive.whiteout(path))
            return
        if kind == "opaque":
            there = sorted(p for p, k in self.kinds.items() if k == "dir")
            if there:
                self.first.append(archive.opaque(rng.choice(there)))
            return
        if not self.is_free(path) or kind != "dir" and path in self.kinds:
            return
        if kind == "file":
            data = bytes(rng.randrange(256) for _ in range(8)) * rng.choice((0, 1, 60, 700, 20000))
            self.made[path] = self.looks()
            self.first.append(archive.file(path, data, **self.made[path]))
        elif kind == "dir":
            # GNU tar leaves the setgid bit that a directory inherits.
            looks = self.looks()
            self.first.append(archive.directory(path, **{**looks, "mode": looks["mode"] & 0o1777}))
        elif kind == "symlink":
            self.first.append(archive.symlink(path, rng.choice(NAMES + ["../a", "/b", "nowhere"]),
                                              **{**self.looks(False), "mode": 0o777}))
        elif kind == "link":
            if not self.made:
                return
            target = rng.choice(sorted(self.made))
            self.links.append(archive.hardlink(path, target, **self.made[target]))
        else:
            make = rng.choice((archive.fifo, lambda p, **more: archive.char(p, 5, 1, **more),
                               lambda p, **more: archive.block(p, 7, 300, **more)))
            self.first.append(make(path, **self.looks(False)))
        self.occupy(path, kind)

    def tar(self):
        self.rng.shuffle(self.first)
        unique = list(dict.fromkeys(self.first))  # a marker may have been drawn twice
        return archive.layer(*unique, *self.links)


def parents(path):
    parts = path.split("/")
    return ["/".join(parts[:i]) for i in range(1, len(parts))]


def image(seed, layers=4, entries=60):
    """The layers' tar bytes, base first."""
    rng = random.Random(seed)
    out, dirs = [], set()
    for _ in range(layers):
        layer = Layer(rng, dirs)
        for _ in range(entries):
            layer.add()
        out.append(layer.tar())
        # Roughly what is a directory now: enough to aim at.
        dirs = dirs | {p for p, k in layer.kinds.items() if k in ("dir", "implied")}
        dirs -= {p for p, k in layer.kinds.items() if k not in ("dir", "implied")}
        dirs = {p for p in dirs if not any(q not in dirs for q in parents(p))}
    return out
