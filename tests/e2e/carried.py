# SPDX-License-Identifier: MIT
"""Layers that carry a table of contents, made from tar bytes: eStargz and zstd:chunked in
both dialects, with every freedom that their formats leave, and wrong on request.

What other tools write is tested with those tools; here is what they write seldom or never.
"""
import base64
import ctypes
import ctypes.util
import hashlib
import io
import json
import struct
import tarfile
import time
import zlib

STARGZ_DIGEST = "containerd.io/snapshot/stargz/toc.digest"
CHUNKED = {"storage": "io.github.containers.zstd-chunked.manifest-",
           "stargz": "io.containers.zstd-chunked.manifest-"}

KINDS = {tarfile.DIRTYPE: "dir", tarfile.REGTYPE: "reg", tarfile.AREGTYPE: "reg",
         tarfile.SYMTYPE: "symlink", tarfile.LNKTYPE: "hardlink", tarfile.CHRTYPE: "char",
         tarfile.BLKTYPE: "block", tarfile.FIFOTYPE: "fifo"}


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def gzip_member(data, extra=None, level=6):
    """One member; `extra` as in a footer."""
    body = zlib.compressobj(level, zlib.DEFLATED, -15)
    head = b"\x1f\x8b\x08\x00\0\0\0\0\x00\xff"
    if extra is not None:
        head = b"\x1f\x8b\x08\x04\0\0\0\0\x00\xff" + struct.pack("<H", len(extra)) + extra
        return head + b"\1\0\0\xff\xff" + bytes(8)
    return (head + body.compress(data) + body.flush() +
            struct.pack("<II", zlib.crc32(data), len(data) & 0xffffffff))


_zstd = ctypes.CDLL(ctypes.util.find_library("zstd"))
_zstd.ZSTD_compressBound.restype = ctypes.c_size_t
_zstd.ZSTD_compress.restype = ctypes.c_size_t


def zstd_frame(data, level=3):
    room = _zstd.ZSTD_compressBound(ctypes.c_size_t(len(data)))
    out = ctypes.create_string_buffer(room)
    n = _zstd.ZSTD_compress(out, ctypes.c_size_t(room), data, ctypes.c_size_t(len(data)), level)
    assert n <= room
    return out.raw[:n]


def skippable(data):
    return b"\x50\x2a\x4d\x18" + struct.pack("<I", len(data)) + data


class Blob:
    """Compressed pieces one behind another; what is put in goes on until cut()."""

    def __init__(self, compress):
        self.compress = compress
        self.out = bytearray()
        self.open = b""

    def put(self, data):
        self.open += data

    def cut(self):
        """Ends the piece; gives where the next one will begin."""
        if self.open:
            self.out += self.compress(self.open)
        self.open = b""
        return len(self.out)


def table_entry(m):
    e = {"name": m.name + ("/" if m.isdir() else ""), "type": KINDS[m.type], "mode": m.mode,
         "uid": m.uid, "gid": m.gid,
         "modtime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(m.mtime))}
    if m.issym() or m.islnk():
        e["linkName"] = m.linkname
    if m.type in (tarfile.CHRTYPE, tarfile.BLKTYPE):
        e["devMajor"], e["devMinor"] = m.devmajor, m.devminor
    xattrs = {k[len("SCHILY.xattr."):]: base64.b64encode(
        v.encode("utf-8", "surrogateescape")).decode()
        for k, v in m.pax_headers.items() if k.startswith("SCHILY.xattr.")}
    if xattrs:
        e["xattrs"] = xattrs
    return e


def write(tar, compress, chunk=None, share=0, zeros=False, ends=False):
    """The blob without its table, and the table. `chunk`: bytes of a piece; `share`:
    members hold several small files until they have so many bytes; `zeros`: pieces of
    zeros are holes; `ends`: the end of a file's pieces is said."""
    blob = Blob(compress)
    table = []
    done = 0
    for m in tarfile.open(fileobj=io.BytesIO(tar), format=tarfile.PAX_FORMAT):
        entries = [table_entry(m)]
        data = tar[m.offset_data:m.offset_data + m.size] if m.isreg() else b""
        blob.put(tar[done:m.offset_data])
        done = m.offset_data
        if data:
            step = chunk or len(data)
            pieces = [data[i:i + step] for i in range(0, len(data), step)]
            entries += [{"name": m.name, "type": "chunk"} for _ in pieces[1:]]
            entries[0].update(size=len(data), digest=sha256(data))
            for i, (e, piece) in enumerate(zip(entries, pieces)):
                if len(blob.open) >= share or len(pieces) > 1:
                    blob.cut()
                e["offset"] = len(blob.out)
                if len(blob.open):
                    e["innerOffset"] = len(blob.open)
                blob.put(piece)
                if len(pieces) > 1:
                    e["chunkOffset"] = i * step
                    e["chunkSize"] = len(piece)
                    e["chunkDigest"] = sha256(piece)
                    if zeros and not piece.strip(b"\0"):
                        e["chunkType"] = "zeros"
            done += len(data)
            if ends:
                entries[0]["endOffset"] = blob.cut()
        table += entries
    blob.put(tar[done:])
    blob.cut()
    return bytes(blob.out), {"version": 1, "entries": table}


def one_file_tar(name, data):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as t:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        t.addfile(info, io.BytesIO(data))
    return out.getvalue()


def estargz(tar, edit=None, footer=51, level=6, **how):
    """(bytes, annotations). `edit` changes the table before it is written."""
    out, table = write(tar, lambda data: gzip_member(data, level=level), **how)
    if edit:
        table = edit(table) or table
    text = table if isinstance(table, bytes) else json.dumps(table).encode()
    offset = len(out)
    place = b"%016xSTARGZ" % offset
    if footer == 46:
        out += gzip_member(b"", b"SG" + struct.pack("<H", 17) + b"STARGZEXTERNALTOC")
    else:
        out += gzip_member(one_file_tar("stargz.index.json", text), level=level)
        out += gzip_member(b"", place if footer == 47 else b"SG" + struct.pack("<H", 22) + place)
    return out, {STARGZ_DIGEST: sha256(text)}


def chunked(tar, edit=None, dialect="storage", **how):
    out, table = write(tar, zstd_frame, ends=dialect == "storage", **how)
    if edit:
        table = edit(table) or table
    text = table if isinstance(table, bytes) else json.dumps(table).encode()
    packed = zstd_frame(text)
    offset = len(out) + 8
    words = struct.pack("<4Q", offset, len(packed), len(text), 1)
    out += skippable(packed)
    if dialect == "storage":
        out += skippable(words + struct.pack("<3Q", 0, 0, 0) + b"GNUlInUx")
    else:
        out += skippable(words + b"GnUlInUx")
    notes = {CHUNKED[dialect] + "checksum": sha256(packed),
             CHUNKED[dialect] + "position": "%d:%d:%d:1" % (offset, len(packed), len(text))}
    if dialect == "stargz":
        notes[STARGZ_DIGEST] = sha256(text)
    return out, notes
