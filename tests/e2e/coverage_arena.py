"""What layers/python-coverage/arena.h describes, read and taken; and how the tracer is started."""

import functools
import glob
import mmap
import os
import shutil
import struct
import subprocess


ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LAMINA = os.environ.get("LAMINA", os.path.join(ROOT, "build", "lamina"))
BUILT = os.path.join(os.path.dirname(os.path.abspath(LAMINA)), "layers", "python-coverage")
TRACER = os.path.join(BUILT, "tracer", "_lamina_coverage.abi3.so")
PYTHONS = os.environ.get("LAMINA_PYTHONS", "")  # further interpreters: see CONTRIBUTING.md
FLAGS, EPOCH, DONE = 72, 56, 64  # offsets in the header
HAS_DONE, STOPPED, BUSY = 16, 32, 256


@functools.lru_cache(None)
def tracer_for(python):
    """The tracer for that interpreter's processor."""
    told = [python, "-Sc", "import os; print(os.uname()[4])"] if python in PYTHONS.split(":") else ["uname", "-m"]
    machine = subprocess.run(told, capture_output=True, text=True, check=True).stdout.strip()
    if machine == os.uname().machine:
        return TRACER
    return TRACER.replace(".abi3", "-%s.abi3" % {"aarch64": "arm64"}.get(machine, machine))


class Hits:
    def __init__(self):
        self.lines, self.raw, self.arcs = set(), set(), set()


class Arena:
    """One arena file. `files`: path -> Hits, the union of its records."""

    def __init__(self, path, take=False):
        with open(path, "r+b") as file:
            m = mmap.mmap(file.fileno(), 0)
        assert m[:8] == b"LAMARENA"
        (self.size, self.cursor, self.news, first, self.lost, self.epoch, self.done, self.flags) = (
            struct.unpack_from("<QQQQQQQI", m, 16)
        )
        self.error, self.note = (
            m[at : at + 256].split(b"\0")[0].decode() for at in (96, 352)
        )
        self.files = {}
        while first:
            first = self._file(m, first, take)
        if take:
            struct.pack_into("<Q", m, EPOCH, self.epoch + 1)
        m.close()

    def _file(self, m, at, take):
        following, _, _, path_bytes, words, chunk = struct.unpack_from("<QIIIIQ", m, at)
        at += 32
        path = m[at + 16 * words : at + 16 * words + path_bytes].decode()
        hits = self.files.setdefault(path, Hits())
        hits.lines |= self._bits(m, at, words, take)
        hits.raw |= self._bits(m, at + 8 * words, words, False)
        while chunk:
            chunk = self._chunk(m, chunk, hits, take)
        return following

    @staticmethod
    def _bits(m, at, words, take):
        n = int.from_bytes(m[at : at + 8 * words], "little")
        if take:
            m[at : at + 8 * words] = bytes(8 * words)
        return {i for i in range(64 * words) if n >> i & 1}

    @classmethod
    def _chunk(cls, m, at, hits, take):
        following, capacity, used = struct.unpack_from("<QII", m, at)
        hit = cls._bits(m, at + 16, capacity // 64, take)
        for i in range(min(capacity, used)):
            if i in hit:
                hits.arcs.add(struct.unpack_from("<ii", m, at + 16 + capacity // 8 + 8 * i))
        return following


class Function:
    """A folder as /var/task, the layer as /opt, and what a program that runs there leaves behind."""

    def __init__(self, tmp_path, python="/usr/bin/python3"):
        self.python = python
        self.task = tmp_path / "task"
        self.dir = tmp_path / "coverage"
        self.opt = tmp_path / "opt"
        self.task.mkdir()
        (self.opt / "lamina" / "coverage").mkdir(parents=True)
        shutil.copy(tracer_for(python), self.opt / "lamina" / "coverage" / os.path.basename(TRACER))
        start = os.path.join(ROOT, "layers", "python-coverage", "start")
        shutil.copy(os.path.join(start, "sitecustomize.py"), self.opt / "lamina" / "coverage")
        shutil.copy(os.path.join(start, "lamina-coverage"), self.opt)

    def write(self, name, text):
        path = self.task / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path)

    def run(self, name="app.py", ok=True, python_path=None, **env):
        base = {k: v for k, v in os.environ.items() if not k.startswith(("COVERAGE_", "PYTHON"))}
        base.update(
            LAMBDA_TASK_ROOT=str(self.task), LAMINA_COVERAGE_DIR=str(self.dir),
            PYTHONDONTWRITEBYTECODE="1", **env,
        )
        if python_path is not None:
            base["PYTHONPATH"] = python_path
        r = subprocess.run(
            [str(self.opt / "lamina-coverage"), self.python, str(self.task / name)],
            cwd=self.task, env=base, capture_output=True, text=True, timeout=120,
        )
        assert not ok or r.returncode == 0, r.stderr
        return r

    def arenas(self, take=False):
        return [Arena(p, take) for p in sorted(glob.glob(str(self.dir / "arena-*")))]

    def hits(self, name="app.py"):
        """Of one file, from all arenas."""
        ret = Hits()
        for arena in self.arenas():
            h = arena.files.get(os.path.realpath(self.task / name))
            if h:
                ret.lines |= h.lines
                ret.raw |= h.raw
                ret.arcs |= h.arcs
        return ret
