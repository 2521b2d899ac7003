"""_arena - the tracer's shared memory, read where no extension does: see arena.h."""

import os
import struct

_HEADER = struct.Struct("<8sIIQQQQQQQIIIIQ256s256s")
_FILE = struct.Struct("<QIIIIQ")
_CHUNK = struct.Struct("<QII")
BRANCH = 1
MONITORING = 2
DONE = 16


class Unreadable(Exception):
    """These bytes are no arena."""


def find(directory, pid):
    """The newest arena of a process, or None."""
    try:
        names = [n for n in os.listdir(directory) if n.startswith("arena-%d-" % pid)]
    except OSError:
        return None
    return os.path.join(directory, max(names, key=lambda n: n[-16:])) if names else None


def header(data):
    if len(data) < _HEADER.size:
        raise Unreadable("it is too short")
    h = _HEADER.unpack_from(data)
    if h[0] != b"LAMARENA" or h[1] != 1:
        raise Unreadable("it has another version")
    return {
        "news": h[5],
        "first_file": h[6],
        "lost": h[7],
        "flags": h[10],
        "started_ms": h[14],
        "error": h[15].split(b"\0")[0].decode("utf-8", "replace"),
        "note": h[16].split(b"\0")[0].decode("utf-8", "replace"),
    }


def _lines(data, at, n_words):
    bits = data[at : at + 8 * n_words]
    return {i * 8 + b for i, byte in enumerate(bits) if byte for b in range(8) if byte >> b & 1}


def _arcs(data, at):
    found, before = set(), len(data)
    while 0 < at < before and at + _CHUNK.size <= len(data):
        before = at
        onward, capacity, used = _CHUNK.unpack_from(data, at)
        hits = at + _CHUNK.size
        arcs = hits + capacity // 8
        if capacity % 64 or arcs + 8 * capacity > len(data):
            break
        for i in range(min(used, capacity)):
            if data[hits + i // 8] >> i % 8 & 1:
                arc = struct.unpack_from("<ii", data, arcs + 8 * i)
                if arc != (0, 0):
                    found.add(arc)
        at = onward
    return found


def files(data):
    """[{path, raw, lines, arcs}], each path once."""
    at, before, found = header(data)["first_file"], len(data), {}
    while 0 < at < before and at + _FILE.size <= len(data):
        before = at
        onward, _, _, path_bytes, n_words, arcs = _FILE.unpack_from(data, at)
        lines = at + _FILE.size
        path = lines + 16 * n_words
        if path + path_bytes > len(data):
            break
        name = data[path : path + path_bytes].decode("utf-8", "replace")
        f = found.setdefault(name, {"path": name, "raw": set(), "lines": set(), "arcs": set()})
        f["lines"] |= _lines(data, lines, n_words)
        f["raw"] |= _lines(data, lines + 8 * n_words, n_words)
        f["arcs"] |= _arcs(data, arcs)
        at = onward
    return [found[name] for name in sorted(found)]
