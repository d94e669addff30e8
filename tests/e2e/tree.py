# SPDX-License-Identifier: MIT
"""What a tree is, entry by entry, and how two differ.

Compared: type, mode, owner, time in nanoseconds, size, device, symlink text, link
count, which names share an inode, extended attributes, SHA-256 of the content.
Not compared: a directory's size and link count, which each filesystem makes up.
"""
import errno
import hashlib
import os
import stat

from archive import TIME, as_bytes

KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "symlink",
         stat.S_IFCHR: "char", stat.S_IFBLK: "block", stat.S_IFIFO: "fifo",
         stat.S_IFSOCK: "socket"}
HIDDEN = (b"trusted.overlay.", b"user.overlay.", b"security.selinux")


def read_xattrs(path):
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError as e:
        if e.errno != errno.ENOTSUP:
            raise
        return {}
    return {os.fsencode(n): os.getxattr(path, n, follow_symlinks=False) for n in names
            if not os.fsencode(n).startswith(HIDDEN)}


def sha256_of(path):
    h = hashlib.sha256()
    with open(path, "rb", buffering=0) as f:
        while True:
            piece = f.read(1 << 20)
            if not piece:
                return h.hexdigest()
            h.update(piece)


def node(path, st):
    kind = KINDS[stat.S_IFMT(st.st_mode)]
    found = {"type": kind, "mode": stat.S_IMODE(st.st_mode), "uid": st.st_uid,
             "gid": st.st_gid, "mtime_ns": st.st_mtime_ns, "xattrs": read_xattrs(path)}
    if kind != "dir":
        found["nlink"] = st.st_nlink
        found["size"] = st.st_size
    if kind in ("char", "block"):
        found["rdev"] = (os.major(st.st_rdev), os.minor(st.st_rdev))
    if kind == "symlink":
        found["target"] = os.readlink(path)
    if kind == "file":
        found["sha256"] = sha256_of(path)
    return found


def dump(root):
    """{path under root: fields}; the root itself is b"."."""
    root = as_bytes(root)
    os.listdir(root)  # attributes of a root that is not loaded are provisional
    out = {b".": node(root, os.lstat(root))}
    inodes = {}
    todo = [b""]
    while todo:
        under = todo.pop()
        with os.scandir(os.path.join(root, under) if under else root) as entries:
            for e in entries:
                path = os.path.join(under, e.name)
                st = e.stat(follow_symlinks=False)
                out[path] = node(e.path, st)
                if stat.S_ISDIR(st.st_mode):
                    todo.append(path)
                else:
                    inodes.setdefault((st.st_dev, st.st_ino), []).append(path)
    for names in inodes.values():
        for path in names:
            out[path]["same"] = min(names)
    return out


# Trees written out by hand, for the defaults of archive.py

def digest_of(data):
    return hashlib.sha256(as_bytes(data)).hexdigest()


def _fields(kind, mode, mtime, more):
    out = {"type": kind, "mode": mode, "uid": 0, "gid": 0, "mtime_ns": mtime * 10 ** 9,
           "xattrs": {}, **more}
    out["xattrs"] = {as_bytes(k): as_bytes(v) for k, v in out["xattrs"].items()}
    if "same" in out:
        out["same"] = as_bytes(out["same"])
    return out


def File(data="", mode=0o644, mtime=TIME, **more):
    return _fields("file", mode, mtime, {"sha256": digest_of(data), "nlink": 1,
                                         "size": len(as_bytes(data)), **more})


def Dir(mode=0o755, mtime=TIME, **more):
    return _fields("dir", mode, mtime, more)


def Implied(**more):
    """A directory that no entry speaks of."""
    return Dir(mtime=0, implied=True, **more)


def Link(target, mode=0o777, mtime=TIME, **more):
    target = as_bytes(target)
    return _fields("symlink", mode, mtime, {"target": target, "size": len(target), "nlink": 1,
                                            **more})


def Node(kind, major=None, minor=None, mode=0o644, mtime=TIME, **more):
    if major is not None:
        more = {"rdev": (major, minor), **more}
    return _fields(kind, mode, mtime, {"size": 0, "nlink": 1, **more})


def expected(tree, root=None):
    """The form of dump() of {path: File(...), ...}; the root is implied unless given."""
    out = {as_bytes(p): {k: v for k, v in f.items() if k != "implied"} for p, f in tree.items()}
    out[b"."] = {k: v for k, v in (root or Implied()).items() if k != "implied"}
    for path, fields in out.items():
        if fields["type"] != "dir":
            fields.setdefault("same", path)
    return out


def implied(tree):
    return {as_bytes(p) for p, f in tree.items() if f.get("implied")}


def differences(want, got, without=lambda path, field: False):
    """Lines that say how `got` differs from `want`; none when they agree."""
    lines = []
    for path in sorted(want.keys() | got.keys()):
        if path not in got:
            lines.append("%r: missing (%s wanted)" % (path, want[path]["type"]))
            continue
        if path not in want:
            lines.append("%r: is there (%s), not wanted" % (path, got[path]["type"]))
            continue
        for field in sorted(want[path].keys() | got[path].keys()):
            a, b = want[path].get(field), got[path].get(field)
            if a != b and not without(path, field):
                if field in ("mode",):
                    a, b = "%o" % a, "%o" % b
                lines.append("%r: %s is %r, wanted %r" % (path, field, b, a))
    return lines


def assert_same(want, got, without=lambda path, field: False):
    lines = differences(want, got, without)
    shown = "\n  ".join(lines[:40])
    more = "\n  ... and %d more" % (len(lines) - 40) if len(lines) > 40 else ""
    assert not lines, "trees differ:\n  " + shown + more
