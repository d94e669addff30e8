# SPDX-License-Identifier: MIT
"""Indexes that were pushed (tar/toc/pushed_format.h), taken apart and put together again, for
tests that change them."""
import subprocess

COLUMNS = ["flags", "names", "children", "modes", "owners", "times", "nanos", "xattrs", "sizes",
           "places", "texts", "targets", "devices", "xattr_lists", "spans", "sums", "windows",
           "skipped"]
SUMS = 38  # bytes of a span


def zstd(*flags, data):
    return subprocess.run(["zstd", "-q", "-c", *flags], input=data, capture_output=True,
                          check=True, timeout=60).stdout


def numbers(data):
    out, n, shift = [], 0, 0
    for byte in data:
        n |= (byte & 0x7f) << shift
        shift += 7
        if byte < 0x80:
            out.append(n)
            n = shift = 0
    return out


def number(n):
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7f | 0x80])
        n >>= 7
    return out + bytes([n])


class Index:
    def __init__(self, packed):
        raw = zstd("-d", data=packed)
        assert raw[:8] == b"PEELIDX\x01"
        at = 8

        def take():
            nonlocal at
            end = at
            while raw[end] >= 0x80:
                end += 1
            value, at = numbers(raw[at:end + 1])[0], end + 1
            return value
        self.head = [take() for _ in range(7)]
        self.layer, at = raw[at:at + 32], at + 32
        lengths = [take() for _ in COLUMNS]
        self.columns = {}
        for name, size in zip(COLUMNS, lengths):
            self.columns[name], at = bytearray(raw[at:at + size]), at + size
        assert at == len(raw)

    def pack(self):
        raw = b"PEELIDX\x01" + b"".join(map(number, self.head)) + self.layer
        raw += b"".join(number(len(self.columns[name])) for name in COLUMNS)
        return zstd(data=raw + b"".join(bytes(self.columns[name]) for name in COLUMNS))

    def get(self, name):
        return numbers(self.columns[name])

    def set(self, name, values):
        self.columns[name] = bytearray(b"".join(map(number, values)))

    def places(self):
        """Where the contents of regular files are, in the order of the column."""
        found, sizes, at = [], [n for n in self.get("sizes") if n], 0
        for value, size in zip(self.get("places"), sizes):
            at += value >> 1 if value % 2 == 0 else -(value >> 1) - 1
            found.append(at)
            at = (at + size + 511) // 512 * 512 + 512
        return found

    def set_places(self, wanted):
        values, sizes, at = [], [n for n in self.get("sizes") if n], 0
        for place, size in zip(wanted, sizes):
            diff = place - at
            values.append(2 * diff if diff >= 0 else -2 * diff - 1)
            at = (place + size + 511) // 512 * 512 + 512
        self.set("places", values)
