"""The builds: plain, with each sanitizer, and of the fuzz targets."""

import glob
import json
import os
import shutil

from running.processes import JOBS, ROOT, run, said


def build(folder, options=(), env=None, targets=(), behind=False):
    """Sets up (where that is missing) and builds. Returns None or what went wrong."""
    path = os.path.join(ROOT, folder)
    commands = []
    if not os.path.exists(os.path.join(path, "build.ninja")):
        shutil.rmtree(path, ignore_errors=True)
        commands.append(["meson", "setup", path, *options])
    commands.append(["ninja", "-j", str(JOBS), "-C", path, *targets])
    for command in commands:
        code, output = run(command, 1800, env=dict(os.environ, **(env or {})), behind=behind)
        if code:
            # Ninja prints every step; what failed begins with this word.
            at = output.find("FAILED:")
            return said(command, code, output[max(at, 0):])
        if code is None:
            return said(command, code, output)
    return None


def built(tally, problem):
    if problem:
        tally.fail(problem)
    else:
        tally.passed += 1
    return not problem


def part_build(tally):
    """The unit tests among it have to wait: nobody runs them plain."""
    problem = build("build", targets=["build.ninja"])
    targets = []
    if not problem:
        code, output = run(["meson", "introspect", "--targets", os.path.join(ROOT, "build")])
        for target in json.loads(output) if code == 0 else ():
            path = os.path.relpath(target["filename"][0], os.path.join(ROOT, "build"))
            if target["build_by_default"] and not path.startswith("tests/"):
                targets.append(path)
        problem = build("build", targets=targets)
    built(tally, problem)

# Half the time of -O2 -g to compile, and all that a report needs.
QUICK = ["-Doptimization=1", "-Ddebug=false"]
# Two warnings need an optimizer that sees more: sanitized and at -O1 they are often wrong.
GCC_QUICK = [*QUICK, "-Dc_args=-g1 -Wno-maybe-uninitialized -Wno-format-truncation"]
# clang needs a third of the time of -O1; the targets get through two thirds of the inputs a second.
FUZZ_QUICK = ["-Doptimization=0", "-Ddebug=false", "-Dc_args=-g1"]


def part_build_asan(tally):
    options = ["-Dtests=enabled", "-Db_sanitize=address,undefined", *GCC_QUICK]
    built(tally, build("build-asan", options, behind=True))


def part_build_tsan(tally):
    options = ["-Dtests=disabled", "-Db_sanitize=thread", *GCC_QUICK]
    built(tally, build("build-tsan", options, targets=["lamina"], behind=True))


def fuzz_names():
    return sorted(os.path.basename(p)[:-2] for p in glob.glob(os.path.join(ROOT, "fuzz", "*.c")))


def part_build_fuzz(tally):
    options = ["-Dfuzz=true", "-Dtests=disabled", "-Db_sanitize=address,undefined",
               "-Db_lundef=false", *FUZZ_QUICK]
    targets = ["fuzz/" + n for n in fuzz_names()]
    built(tally, build("build-fuzz", options, {"CC": "clang-14"}, targets, behind=True))
