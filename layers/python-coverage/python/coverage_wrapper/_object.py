"""_object - the objects in the bucket: read, and written where no extension does it.

The format is docs/coverage-format.md: "LAMCOV1\\n", CRC-32, length, zlib stream of varints.
"""

import zlib

MAGIC = b"LAMCOV1\n"
HEAD = 16
BODY_MAX = 16 << 20
LINE_MAX = 16 << 20
PYTHON = 0
CONTENT_TYPE = "application/vnd.lamina.coverage"


class Corrupt(Exception):
    """Why these bytes are no coverage object."""


class _Reader:
    def __init__(self, data, at=0, end=None):
        self.data, self.at, self.end = data, at, len(data) if end is None else end

    def varint(self):
        value = shift = 0
        while True:
            if self.at >= self.end or shift > 63:
                raise Corrupt("its structure is wrong")
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7

    def bytes(self):
        n = self.varint()
        if n > self.end - self.at:
            raise Corrupt("its structure is wrong")
        self.at += n
        return self.data[self.at - n : self.at]

    def text(self):
        return self.bytes().decode("utf-8", "replace")

    def zigzag(self):
        n = self.varint()
        return n >> 1 ^ -(n & 1)


def lines_of(bits):
    """The numbers in a set of lines."""
    found = set()
    for i, byte in enumerate(bits):
        n = i * 8
        while byte:
            if byte & 1:
                found.add(n)
            byte >>= 1
            n += 1
    return found


def bits_of(lines):
    data = bytearray(max(lines, default=-8) // 8 + 1)
    for line in lines:
        data[line // 8] |= 1 << line % 8
    return bytes(data)


def _body(data):
    if not data:
        raise Corrupt("it is empty")
    if not data.startswith(MAGIC[:6]):
        raise Corrupt("it is no coverage object")
    if not data.startswith(MAGIC):
        raise Corrupt("it is of a version that is not known here")
    if len(data) < HEAD:
        raise Corrupt("it is truncated")
    crc, size = (int.from_bytes(data[i : i + 4], "little") for i in (8, 12))
    if size > BODY_MAX:
        raise Corrupt("it is too large")
    if zlib.crc32(data[12:]) & 0xFFFFFFFF != crc:
        raise Corrupt("its checksum is wrong")
    try:
        inflater = zlib.decompressobj()
        body = inflater.decompress(data[HEAD:], size + 1)
    except zlib.error:
        raise Corrupt("it cannot be inflated") from None
    if len(body) != size or not inflater.eof:
        raise Corrupt("its length is wrong")
    return body


def _hits(r, n_contexts):
    context = r.varint()
    lines = r.bytes()
    if context >= n_contexts or len(lines) > LINE_MAX // 8 + 1:
        raise Corrupt("its structure is wrong")
    arcs, begin = set(), 0
    for _ in range(r.varint()):
        begin += r.zigzag()
        arcs.add((begin, begin + r.zigzag()))
    return context, lines_of(lines), arcs


def _file(r, n_contexts):
    path, hashed = r.text(), r.bytes()
    kind = r.varint()
    if len(hashed) not in (0, 32):
        raise Corrupt("its structure is wrong")
    found = {"path": path, "sha256": bytes(hashed).hex(), "kind": kind}
    found.update(raw=set(), lines=set(), arcs=set())
    if kind == PYTHON:
        found["raw"] = lines_of(r.bytes())
        for _ in range(r.varint()):
            _, lines, arcs = _hits(r, n_contexts)
            found["lines"] |= lines
            found["arcs"] |= arcs
    return found


def read(data):
    """{"meta": {}, "contexts": [(name, ms)], "files": [{path, sha256, kind, raw, lines, arcs}]};
    Corrupt says what is wrong."""
    r = _Reader(_body(bytes(data)))
    meta, contexts, files = {}, [], []
    for _ in range(r.varint()):
        key = r.text()
        meta[key] = r.text()
    for _ in range(r.varint()):
        name = r.text()
        contexts.append((name, r.varint()))
    for _ in range(r.varint()):
        record = _Reader(r.bytes())
        files.append(_file(record, len(contexts)))
    return {"meta": meta, "contexts": contexts, "files": files}


# ---- written ----


def _varint(out, n):
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)


def _bytes(out, data):
    _varint(out, len(data))
    out += data


def _zigzag(out, n):
    _varint(out, n * 2 if n >= 0 else -n * 2 - 1)


def _write_file(f):
    out = bytearray()
    _bytes(out, f["path"].encode("utf-8", "replace"))
    _bytes(out, bytes.fromhex(f.get("sha256") or ""))
    _varint(out, PYTHON)
    _bytes(out, bits_of(f["raw"]))
    _varint(out, 1)
    _varint(out, 0)
    _bytes(out, bits_of(f["lines"]))
    _varint(out, len(f["arcs"]))
    begin = 0
    for a, b in sorted(f["arcs"]):
        _zigzag(out, a - begin)
        _zigzag(out, b - a)
        begin = a
    return out


def write(meta, context, files):
    """The bytes of an object whose hits all belong to one context, (name, ms)."""
    out = bytearray()
    _varint(out, len(meta))
    for key, value in meta.items():
        _bytes(out, key.encode())
        _bytes(out, str(value).encode("utf-8", "replace"))
    _varint(out, 1)
    _bytes(out, context[0].encode())
    _varint(out, context[1])
    _varint(out, len(files))
    for f in files:
        _bytes(out, _write_file(f))
    tail = len(out).to_bytes(4, "little") + zlib.compress(bytes(out), 6)
    return MAGIC + (zlib.crc32(tail) & 0xFFFFFFFF).to_bytes(4, "little") + tail
