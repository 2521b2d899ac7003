"""Runs the corpus under Lamina's tracer and writes down what is in its arena: a line of JSON a file.

    traced.py TRACER-DIRECTORY ARENA-DIRECTORY PROGRAM...

Started by `check` with the interpreter in question. layers/python-coverage/arena.h is the format.
"""

import json
import os
import struct
import sys

import corpus

HEADER = struct.Struct("<8sIIQQQQQQQIIIIQ256s256s")
FILE = struct.Struct("<QIIIIQ")
CHUNK = struct.Struct("<QII")


def members(data, at, words):
    value = int.from_bytes(data[at : at + 8 * words], "little")
    return [n for n in range(64 * words) if value >> n & 1]


def arcs_of(data, at):
    while at:
        following, capacity, used = CHUNK.unpack_from(data, at)
        hits = at + CHUNK.size
        pairs = hits + capacity // 8
        for i in members(data, hits, capacity // 64):
            yield struct.unpack_from("<ii", data, pairs + 8 * i)
        at = following


def read_arena(data):
    """{path: (lines, arcs)}, and the error text."""
    header = HEADER.unpack_from(data)
    assert header[0] == b"LAMARENA" and header[1] == 1, header[:2]
    found, at = {}, header[6]
    while at:
        following, _, _, path_bytes, words, chunk = FILE.unpack_from(data, at)
        name = at + FILE.size + 16 * words
        path = os.fsdecode(data[name : name + path_bytes])
        lines, arcs = found.setdefault(path, (set(), set()))
        lines.update(members(data, at + FILE.size, words))
        arcs.update(arcs_of(data, chunk))
        at = following
    return found, header[15].rstrip(b"\0").decode()


def main():
    tracer, folder, programs = sys.argv[1], sys.argv[2], sys.argv[3:]
    os.environ["LAMINA_COVERAGE_DIR"] = folder
    os.environ["LAMBDA_TASK_ROOT"] = corpus.folder(programs)
    sys.path.insert(0, tracer)
    import _lamina_coverage

    sys.path.remove(tracer)
    corpus.prepare()
    _lamina_coverage.start()
    failures = {path: corpus.run(path) for path in programs}
    _lamina_coverage.stop()
    (arena,) = [name for name in os.listdir(folder) if name.startswith("arena-")]
    with open(os.path.join(folder, arena), "rb") as f:
        found, error = read_arena(f.read())
    if error:
        sys.exit("the tracer stopped: " + error)
    for path in corpus.reported(programs):
        lines, arcs = found.get(path, ((), ()))
        row = {
            "path": path,
            "failure": failures.get(path),
            "lines": sorted(lines),
            "arcs": [n for arc in sorted(arcs) for n in arc],
        }
        print(json.dumps(row, sort_keys=True))


if __name__ == "__main__":
    main()
