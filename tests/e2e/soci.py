# SPDX-License-Identifier: MIT
"""zTOCs, SOCI's indexes of ordinary layers, written by hand: the FlatBuffer, and the
points in a gzip stream by zlib's own means.

    soci.py LAYER ZTOC [SPAN_SIZE] [old]     makes one of a .tar or .tar.gz"""
import ctypes
import ctypes.util
import hashlib
import io
import struct
import sys
import tarfile

KINDS = {tarfile.DIRTYPE: "dir", tarfile.REGTYPE: "reg", tarfile.AREGTYPE: "reg",
         tarfile.SYMTYPE: "symlink", tarfile.LNKTYPE: "hardlink", tarfile.CHRTYPE: "char",
         tarfile.BLKTYPE: "block", tarfile.FIFOTYPE: "fifo"}


# FlatBuffers: a parent is written before its children, whose places are filled in later.

class Table(dict):
    """{slot: (format, number), str, bytes, Table or list of those}"""


def flatbuffer(root):
    out = bytearray(4)
    todo = [(0, root)]

    def text(data):
        out.extend(struct.pack("<I", len(data)) + data + b"\0")
        out.extend(bytes(-len(out) % 4))

    def table(t):
        slots = max(t, default=-1) + 1
        sizes = {k: struct.calcsize(v[0]) if isinstance(v, tuple) else 4 for k, v in t.items()}
        body, places = 4, {}
        for k in sorted(t):
            places[k] = body
            body += sizes[k]
        out.extend(struct.pack("<HH%dH" % slots, 4 + 2 * slots, body,
                               *[places.get(k, 0) for k in range(slots)]))
        at = len(out)
        out.extend(struct.pack("<i", 4 + 2 * slots) + bytes(body - 4))
        for k, v in t.items():
            if isinstance(v, tuple):
                struct.pack_into("<" + v[0], out, at + places[k], v[1])
            else:
                todo.append((at + places[k], v))
        return at

    while todo:
        field, value = todo.pop(0)
        here = len(out)
        if isinstance(value, Table):
            here = table(value)
        elif isinstance(value, (str, bytes)):
            text(value.encode() if isinstance(value, str) else value)
        else:
            out.extend(struct.pack("<I", len(value)) + bytes(4 * len(value)))
            todo += [(here + 4 + 4 * i, v) for i, v in enumerate(value)]
        struct.pack_into("<I", out, field, here - field)
    return bytes(out)


# Points of a gzip stream

class ZStream(ctypes.Structure):
    _fields_ = [("next_in", ctypes.c_void_p), ("avail_in", ctypes.c_uint),
                ("total_in", ctypes.c_ulong), ("next_out", ctypes.c_void_p),
                ("avail_out", ctypes.c_uint), ("total_out", ctypes.c_ulong),
                ("msg", ctypes.c_char_p), ("state", ctypes.c_void_p),
                ("zalloc", ctypes.c_void_p), ("zfree", ctypes.c_void_p),
                ("opaque", ctypes.c_void_p), ("data_type", ctypes.c_int),
                ("adler", ctypes.c_ulong), ("reserved", ctypes.c_ulong)]


def points(data, step):
    """[(in, out, bits)] of one gzip member, and all of its output."""
    zlib = ctypes.CDLL(ctypes.util.find_library("z"))
    zlib.zlibVersion.restype = ctypes.c_char_p
    s = ZStream()
    assert zlib.inflateInit2_(ctypes.byref(s), 47, zlib.zlibVersion(), ctypes.sizeof(s)) == 0
    given = ctypes.create_string_buffer(data, len(data))
    room = ctypes.create_string_buffer(1 << 16)
    s.next_in, s.avail_in = ctypes.addressof(given), len(data)
    out, found = b"", []
    while True:
        s.next_out, s.avail_out = ctypes.addressof(room), len(room)
        rc = zlib.inflate(ctypes.byref(s), 5)  # Z_BLOCK
        assert rc in (0, 1, -5), rc
        out += room.raw[:len(room) - s.avail_out]
        if rc == 1:
            return found, out
        is_block = s.data_type & 128 and not s.data_type & 64
        if is_block and (not found or len(out) - found[-1][1] > step):
            found.append((s.total_in, len(out), s.data_type & 7))


def checkpoints(found, out, step, old):
    blob = struct.pack("<iq", len(found), step)
    for i, (at, made, bits) in enumerate(found):
        if i > 0 or not old:
            blob += struct.pack("<qqB", at, made, bits)
            blob += out[max(0, made - 32768):made].rjust(32768, b"\0")
    return blob


# The whole

def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def entries(tar):
    size = 0
    files = []
    for m in tarfile.open(fileobj=io.BytesIO(tar)):
        xattrs = [Table({0: k, 1: v.encode("utf-8", "surrogateescape")})
                  for k, v in m.pax_headers.items()]
        files.append(Table({
            0: m.name + ("/" if m.isdir() else ""), 1: KINDS[m.type], 2: ("q", m.offset_data),
            3: ("q", m.size), 4: m.linkname, 5: ("q", m.mode), 6: ("I", m.uid), 7: ("I", m.gid),
            8: m.uname, 9: m.gname, 10: "2009-02-13T23:31:30Z" if m.mtime == 1234567890
            else "1970-01-01T00:00:00Z", 11: ("q", m.devmajor), 12: ("q", m.devminor),
            13: xattrs}))
        size = m.offset_data + (m.size + 511) // 512 * 512
    return files, size + 1024


def ztoc(layer, step=1 << 22, old=False, edit=None):
    """The zTOC of a .tar or .tar.gz; `old` leaves out the first point. `edit` changes the
    root table."""
    if layer[:2] == b"\x1f\x8b":
        found, tar = points(layer, step)
        blob = checkpoints(found, tar, step, old)
        starts = [at - (bits > 0) for at, _, bits in found]
        ends = [at for at, _, _ in found[1:]] + [len(layer)]
        algorithm = 1
    else:
        tar = layer
        starts = list(range(0, len(tar), step))
        ends = starts[1:] + [len(tar)]
        blob = flatbuffer(Table({0: ("i", 2), 1: ("q", step), 2: ("q", len(tar))}))
        algorithm = 2
    files, size = entries(tar)
    root = Table({
        0: "0.9", 1: "by hand", 2: ("q", len(layer)), 3: ("q", size), 4: Table({0: files}),
        5: Table({0: ("b", algorithm), 1: ("i", len(starts) - 1),
                  2: [sha256(layer[a:b]) for a, b in zip(starts, ends)], 3: blob})})
    if edit:
        edit(root)
    return flatbuffer(root)


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as given, open(sys.argv[2], "wb") as made:
        made.write(ztoc(given.read(), int((sys.argv + [1 << 22])[3]), "old" in sys.argv))
