"""Coverage objects, byte by byte as docs/coverage-format.md says; for tests that need some."""

import binascii
import struct
import zlib


def varint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def signed(n):
    return varint(n << 1 if n >= 0 else (-n << 1) - 1)


def text(s):
    b = s.encode() if isinstance(s, str) else s
    return varint(len(b)) + b


def numbits(lines):
    out = bytearray(max(lines, default=-1) // 8 + 1)
    for n in lines:
        out[n // 8] |= 1 << n % 8
    return bytes(out)


def hits(context, lines, arcs):
    out, last = varint(context) + text(numbits(lines)) + varint(len(arcs)), 0
    for a, b in sorted(arcs):
        out += signed(a - last) + signed(b - a)
        last = a
    return out


def file_record(path, runs, sha256=b"", raw=(), kind=0):
    """runs: (context's index, lines, arcs)..."""
    out = text(path) + text(sha256) + varint(kind) + text(numbits(raw)) + varint(len(runs))
    return out + b"".join(hits(*r) for r in runs)


def body(meta, contexts, files):
    out = varint(len(meta)) + b"".join(text(k) + text(v) for k, v in meta.items())
    out += varint(len(contexts)) + b"".join(text(n) + varint(t) for n, t in contexts)
    return out + varint(len(files)) + b"".join(text(f) for f in files)


def wrap(inflated):
    rest = struct.pack("<I", len(inflated)) + zlib.compress(inflated)
    return b"LAMCOV1\n" + struct.pack("<I", binascii.crc32(rest)) + rest


def coverage_object(files, contexts=(("init", 0),), **meta):
    meta = {"function": "api", "runtime": "python3.11", "branch": "1", "mechanism": "settrace", **meta}
    return wrap(body(meta, contexts, files))
