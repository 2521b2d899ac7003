#!/usr/bin/python3
"""Runs all tests, part by part, and ends with one line: N passed, N failed, N skipped.

    tests/run.py [--fast] [--only PART]... [--list]

script/test installs what is needed and calls this. Every test counts once for each way it is run:
as root and as an ordinary user, plain and sanitized. What fails is shown in full, the rest as one
line a part. Up to five tests of a part that failed beside others are run again alone: those that
pass then are shown too, and counted as unsteady. The builds go to build/, build-asan/, build-tsan/
and build-fuzz/ of the checkout. The slow ones go on behind the tests, which mostly wait, at a
low priority: a part's time is that from its start to its end, whatever else went on.

What a part does is in tests/running/; which there are, their order and the end are here.
"""

import argparse
import shutil
import signal
import sys
import threading
import time

sys.dont_write_bytecode = True  # nothing is left in the checkout

from running import builds, end_to_end, fuzzing, processes, units
from running.results import Tally

# Name, what it is, whether --fast leaves it out.
PARTS = [
    ("build", "plain build, warnings are errors", False, builds.part_build),
    ("runtime", "runtimes against a Runtime API", False, end_to_end.part_runtime),
    ("e2e", "end to end: boto3, aws CLI, JavaScript, our own verbs", False, end_to_end.part_e2e),
    ("e2e-user", "end to end, as an ordinary user", False, end_to_end.part_e2e_user),
    ("docs", "the examples of README and manual", False, end_to_end.part_docs),
    ("demo", "script/demo", True, end_to_end.part_demo),
    ("unit", "unit tests, sanitized", False, units.part_unit),
    ("unit-user", "unit tests, sanitized, as an ordinary user", False, units.part_unit_user),
    ("e2e-asan", "end to end, sanitized", True, end_to_end.part_e2e_asan),
    ("e2e-tsan", "end to end, what uses threads, with the thread sanitizer", True,
     end_to_end.part_e2e_tsan),
    ("fuzz", "fuzz targets, %d s each" % fuzzing.FUZZ_SECONDS, True, fuzzing.part_fuzz),
]
# These go on behind the others, in this order.
BEHIND = [
    ("build-asan", "build with address and undefined behaviour sanitizers", False,
     builds.part_build_asan),
    ("build-tsan", "build with the thread sanitizer", True, builds.part_build_tsan),
    ("build-fuzz", "build of the fuzz targets, sanitized", True, builds.part_build_fuzz),
]
NEEDS = {"unit": "build-asan", "unit-user": "build-asan", "e2e": "build", "e2e-user": "build",
         "e2e-asan": "build-asan", "e2e-tsan": "build-tsan", "docs": "build", "fuzz": "build-fuzz"}


def chosen(args, parts):
    names = [name for name, _, slow, _ in parts if not (args.fast and slow)]
    if args.only:
        names = set(args.only) | {NEEDS[n] for n in args.only if n in NEEDS}
    return [part for part in parts if part[0] in names]


class Run:
    """Some parts, one after another, and others behind them at the same time."""

    def __init__(self, parts, behind):
        self.parts, self.behind = parts, behind
        self.total, self.broken = Tally(), set()
        self.done = {name: threading.Event() for name, *_ in parts + behind}
        self.lock = threading.Lock()

    def go(self):
        # A daemon: whoever stops us does not wait for it.
        beside = threading.Thread(target=self.row, args=(self.behind,), daemon=True)
        beside.start()
        self.row(self.parts)
        beside.join()
        return self.total

    def row(self, parts):
        for part in parts:
            try:
                self.one(*part)
            finally:
                self.done[part[0]].set()

    def one(self, name, what, _, function):
        need = NEEDS.get(name)
        if need:
            self.done[need].wait()
        tally, started = Tally(), time.monotonic()
        if need in self.broken:
            tally.fail("%s: not run, there is no program for it" % name)
        else:
            try:
                function(tally)
            except (OSError, ValueError, shutil.Error) as e:
                tally.fail("%s: %s: %s" % (name, type(e).__name__, e))
        took = time.monotonic() - started
        with self.lock:
            if processes.stopping:
                raise SystemExit
            if tally.failed and name in NEEDS.values():
                self.broken.add(name)
            for text in tally.shown:
                print("\n---- %s ----\n%s\n" % (name, text))
            print("%-10s %-56s %5.1f s  %s" % (name, what, took, tally.line()), flush=True)
            self.total.passed += tally.passed
            self.total.failed += tally.failed
            self.total.skipped += tally.skipped
            self.total.unsteady += tally.unsteady


def main():
    parser = argparse.ArgumentParser(description="Runs the tests of Lamina.")
    parser.add_argument("--only", action="append", metavar="PART",
                        choices=[p[0] for p in PARTS + BEHIND],
                        help="this part alone (with the build it needs); may be repeated")
    parser.add_argument("--fast", action="store_true",
                        help="without the sanitized end to end run, fuzzing and the demo")
    parser.add_argument("--list", action="store_true", help="names of the parts")
    args = parser.parse_args()
    if args.list:
        for name, what, slow, _ in PARTS + BEHIND:
            print("%-10s %s%s" % (name, what, " (not with --fast)" if slow else ""))
        return 0
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, processes.stop)
    processes.make_scratch()
    try:
        total = Run(chosen(args, PARTS), chosen(args, BEHIND)).go()
    except processes.Stopped as e:
        processes.end_processes()
        print("\nstopped")
        return 128 + e.args[0]
    finally:
        processes.remove_scratch()
    print(total.line())
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
