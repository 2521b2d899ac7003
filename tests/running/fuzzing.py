"""The fuzz targets, each for a moment."""

import glob
import os
import tempfile

from running import processes
from running.builds import fuzz_names
from running.processes import JOBS, ROOT, finish, said, start

FUZZ_SECONDS = 3


def part_fuzz(tally):
    """Some seconds each: enough to see that the targets work and that nothing falls at once."""
    waiting, going = fuzz_names(), []
    while waiting or going:
        while waiting and len(going) < JOBS:
            going.append(fuzz_start(waiting.pop(0)))
        name, folder, log, p = going.pop(0)
        code = finish(p, FUZZ_SECONDS + 60)
        log.seek(0)
        output = log.read().decode(errors="replace")
        log.close()
        if code == 0:
            tally.passed += 1
            continue
        inputs = ""
        for path in glob.glob(os.path.join(folder, "*-*")):
            with open(path, "rb") as f:
                inputs += "\n%s: %r" % (os.path.basename(path), f.read(4096))
        tally.fail(said([name], code, output[-8000:]) + inputs)


def fuzz_start(name):
    folder = os.path.join(processes.scratch, name)
    os.mkdir(folder)
    corpus = os.path.join(folder, "corpus")
    os.mkdir(corpus)
    # New inputs go to the first folder; what the project keeps is only read.
    seeds = [os.path.join(ROOT, "fuzz", "corpus", n) for n in (name, name[len("fuzz_"):])]
    command = [os.path.join(ROOT, "build-fuzz", "fuzz", name), "-max_total_time=%d" % FUZZ_SECONDS,
               "-timeout=20", "-rss_limit_mb=2048", "-artifact_prefix=" + folder + "/", corpus,
               *[s for s in seeds if os.path.isdir(s)]]
    log = tempfile.TemporaryFile()
    # (The inputs that crashed before are few and small, and libFuzzer runs them all first.)
    return name, folder, log, start(command, log, cwd=folder)
