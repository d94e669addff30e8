# SPDX-License-Identifier: MIT
"""Tar archives byte by byte, so that every odd header can be made.

A layer is a list of entries, each already bytes; `layer(...)` joins them and adds
the end marker. What a usual writer cannot write is done by `header()` directly.
"""
import base64
import os

BLOCK = 512
USTAR = b"ustar\x0000"
GNU = b"ustar  \x00"
V7 = b"\x00" * 8

# The time of an entry for which a test names none: an odd one, so that it is not now.
TIME = 1_234_567_890


def as_bytes(text):
    return text if isinstance(text, bytes) else os.fsencode(text)


def octal(value, width):
    """A number field, in octal where it fits and else in base 256."""
    if 0 <= value < 8 ** (width - 1):
        return b"%0*o\0" % (width - 1, value)
    return base256(value, width)


def base256(value, width):
    raw = bytearray(value.to_bytes(width, "big", signed=True))
    raw[0] |= 0x80
    return bytes(raw)


def pad(data):
    return data + bytes(-len(data) % BLOCK)


def header(name, type=b"0", size=0, mode=0o644, uid=0, gid=0, mtime=TIME, link=b"",
           magic=USTAR, major=0, minor=0, prefix=b"", tail=None, checksum=None):
    """One 512-byte header. Number fields may be given as bytes; `tail` is what stands
    from 345 on; `checksum` replaces the right one: a number, or "signed"."""
    def number(value, width):
        return value.ljust(width, b"\0")[:width] if isinstance(value, bytes) \
            else octal(value, width)
    block = bytearray(BLOCK)

    def put(offset, data, width):
        assert len(data) <= width, (data, width)
        block[offset:offset + len(data)] = data
    put(0, as_bytes(name), 100)
    put(100, number(mode, 8), 8)
    put(108, number(uid, 8), 8)
    put(116, number(gid, 8), 8)
    put(124, number(size, 12), 12)
    put(136, number(mtime, 12), 12)
    put(148, b" " * 8, 8)
    put(156, type, 1)
    put(157, as_bytes(link), 100)
    put(257, magic, 8)
    if magic != V7:
        put(329, number(major, 8), 8)
        put(337, number(minor, 8), 8)
        put(345, prefix, 155)
    if tail is not None:
        put(345, tail, 167)
    if checksum is None:
        checksum = sum(block)
    elif checksum == "signed":
        checksum = sum(b - 256 if b > 127 else b for b in block)
    block[148:156] = b"%06o\0 " % checksum
    return bytes(block)


# Pax and GNU extensions

def record(key, value):
    """LEN SP KEY=VALUE LF, with LEN counting itself."""
    body = b" " + as_bytes(key) + b"=" + as_bytes(value) + b"\n"
    length = len(body)
    while True:
        text = b"%d" % length + body
        if len(text) == length:
            return text
        length = len(text)


def pax(records, type=b"x", name="PaxHeaders/0"):
    """An extended header for the next entry; `records` is a mapping, pairs, or raw bytes."""
    if not isinstance(records, bytes):
        pairs = records.items() if hasattr(records, "items") else records
        records = b"".join(record(k, v) for k, v in pairs)
    return header(name, type=type, size=len(records)) + pad(records)


def pax_global(records):
    return pax(records, type=b"g", name="pax_global_header")


def gnu_long(type, text):
    """@LongLink: L for a name, K for a link."""
    body = as_bytes(text) + b"\0"
    return header("././@LongLink", type=type, size=len(body), mtime=0, magic=GNU) + pad(body)


def xattr_records(xattrs):
    return [(b"SCHILY.xattr." + as_bytes(k), as_bytes(v)) for k, v in xattrs.items()]


def libarchive_records(xattrs):
    def quote(key):
        return "".join(c if c.isalnum() or c in "._-" else "%%%02X" % ord(c) for c in key)
    return [("LIBARCHIVE.xattr." + quote(k),
             base64.b64encode(as_bytes(v)).rstrip(b"=")) for k, v in xattrs.items()]


def seconds(ns):
    """A pax time: decimal seconds whose sign holds for the fraction too."""
    whole, part = divmod(abs(ns), 10 ** 9)
    text = "%s%d" % ("-" if ns < 0 else "", whole)
    return text + (".%09d" % part).rstrip("0") if part else text


# Entries

def entry(name, type=b"0", data=b"", link=b"", mode=0o644, uid=0, gid=0, mtime=TIME,
          mtime_ns=None, xattrs=None, records=None, style="pax", major=0, minor=0, size=None):
    """One entry in the style of "pax" (records where ustar does not reach), "gnu" or "v7"."""
    name, link = as_bytes(name), as_bytes(link)
    before = b""
    extra = list(records.items() if hasattr(records, "items") else records or [])
    extra += xattr_records(xattrs or {})
    short, short_link = name, link
    magic = {"pax": USTAR, "gnu": GNU, "v7": V7}[style]
    if style == "gnu":
        if len(name) > 100:
            before += gnu_long(b"L", name)
        if len(link) > 100:
            before += gnu_long(b"K", link)
        short, short_link = name[:100], link[:100]
    elif style == "pax":
        if len(name) > 100:
            extra.append(("path", name))
            short = name[:100]
        if len(link) > 100:
            extra.append(("linkpath", link))
            short_link = link[:100]
        if mtime_ns is not None:
            extra.append(("mtime", seconds(mtime_ns)))
            mtime = max(0, mtime_ns // 10 ** 9)
    if extra:
        before = pax(extra) + before
    size = len(data) if size is None else size
    return before + header(short, type=type, size=size, mode=mode, uid=uid, gid=gid,
                           mtime=mtime, link=short_link, magic=magic, major=major,
                           minor=minor) + pad(as_bytes(data))


def file(name, data=b"", **more):
    return entry(name, b"0", as_bytes(data), **more)


def directory(name, mode=0o755, **more):
    name = as_bytes(name)
    return entry(name if name.endswith(b"/") else name + b"/", b"5", mode=mode, **more)


def symlink(name, target, mode=0o777, **more):
    return entry(name, b"2", link=target, mode=mode, **more)


def hardlink(name, target, **more):
    return entry(name, b"1", link=target, **more)


def char(name, major, minor, **more):
    return entry(name, b"3", major=major, minor=minor, **more)


def block(name, major, minor, **more):
    return entry(name, b"4", major=major, minor=minor, **more)


def fifo(name, **more):
    return entry(name, b"6", **more)


def whiteout(path):
    """The marker that removes `path` of lower layers."""
    head, _, base = as_bytes(path).rpartition(b"/")
    return file((head + b"/" if head else b"") + b".wh." + base, mode=0, mtime=0)


def opaque(path):
    """The marker that hides what lower layers have in directory `path`."""
    path = as_bytes(path)
    return file((path + b"/" if path else b"") + b".wh..wh..opq", mode=0, mtime=0)


# Sparse files: `pieces` is a list of (offset, data)

def stored(pieces):
    return b"".join(data for _, data in pieces)


def sparse_gnu(name, pieces, real_size, **more):
    """Old GNU: four pairs in the header, the others in blocks of 21 behind it."""
    pairs = [octal(o, 12) + octal(len(d), 12) for o, d in pieces] + \
        [octal(real_size, 12) + octal(0, 12)]
    first, rest = pairs[:4], pairs[4:]
    tail = bytes(41) + b"".join(first).ljust(96, b"\0") + (b"\1" if rest else b"\0") + \
        octal(real_size, 12)
    out = header(name, type=b"S", size=len(stored(pieces)), magic=GNU, tail=tail, **more)
    while rest:
        now, rest = rest[:21], rest[21:]
        out += b"".join(now).ljust(504, b"\0") + (b"\1" if rest else b"\0") + bytes(7)
    return out + pad(stored(pieces))


def sparse_pax(name, pieces, real_size, version, last=None, **more):
    """Pax sparse "0.0", "0.1" or "1.0". The map ends as GNU tar ends it, with a piece
    of no bytes at the end of the file, or with `last`."""
    body = stored(pieces)
    pieces = pieces + ([(real_size, b"")] if last is None else last)
    if version == "1.0":
        records = [("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"),
                   ("GNU.sparse.name", name), ("GNU.sparse.realsize", str(real_size))]
        numbers = [len(pieces)] + [n for o, d in pieces for n in (o, len(d))]
        body = pad(b"".join(b"%d\n" % n for n in numbers)) + body
    else:
        records = [("GNU.sparse.size", str(real_size)),
                   ("GNU.sparse.numblocks", str(len(pieces)))]
        if version == "0.0":
            for offset, data in pieces:
                records += [("GNU.sparse.offset", str(offset)),
                            ("GNU.sparse.numbytes", str(len(data)))]
        else:
            records += [("GNU.sparse.name", name), ("GNU.sparse.map", ",".join(
                "%d,%d" % (o, len(d)) for o, d in pieces))]
    holder = name if version == "0.0" else "GNUSparseFile.0/" + os.path.basename(name)
    return pax(records) + header(holder, size=len(body), **more) + pad(body)


def expand(pieces, real_size):
    """The content that such a file shows."""
    out = bytearray(real_size)
    for offset, data in pieces:
        out[offset:offset + len(data)] = data
    return bytes(out)


END = bytes(2 * BLOCK)


def layer(*entries, end=END):
    return b"".join(entries) + end
