"""What tests have said: TAP of cmocka, JUnit of pytest, reports of sanitizers, counted."""

import glob
import os
import re
import xml.etree.ElementTree as ElementTree


class Tally:
    """What a part has found. `shown` is the output of what failed. An unsteady test failed beside
    others, and passed when it was run again alone: it is shown and counted, but breaks nothing."""

    def __init__(self):
        self.passed = self.failed = self.skipped = self.unsteady = 0
        self.shown = []

    def fail(self, text, count=1):
        self.failed += count
        self.shown.append(text.rstrip())

    def line(self):
        text = "%d passed, %d failed" % (self.passed, self.failed)
        if self.skipped:
            text += ", %d skipped" % self.skipped
        return text + (", %d unsteady" % self.unsteady if self.unsteady else "")


def count_tap(tally, name, program, output, code):
    """Counts what a cmocka program says in TAP; one that ends early has failed at least once.
    Scripts among them may end with a line as ours, or just count as one test."""
    script = not re.match(r"test_", os.path.basename(program))
    closing = re.findall(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", output, re.M)
    if closing:
        passed, failed, skipped = (int(n or 0) for n in closing[-1])
        tally.passed += passed
        tally.skipped += skipped
        if failed or code or not passed:
            tally.fail("%s: exit %s\n%s" % (name, code, output), max(failed, 1))
        return
    if script and code == 77:  # meson's exit code of a test that cannot run here
        tally.skipped += 1
        return
    if script and code == 0:
        tally.passed += 1
        return
    seen, planned, failed = 0, 0, 0
    for line in output.splitlines():
        plan = re.match(r"1\.\.(\d+)", line)
        result = re.match(r"(not )?ok \d+", line)
        if plan:
            planned += int(plan[1])
        elif result:
            seen += 1
            if re.search(r"# *skip", line, re.I):  # cmocka 1.1 says "not ok" for these
                tally.skipped += 1
            elif result[1]:
                failed += 1
            else:
                tally.passed += 1
    if failed or seen < planned or not planned or code:
        tally.fail("%s: exit %s, %d of %d tests ran\n%s" % (name, code, seen, planned, output),
                   max(failed, 1))


def count_junit(tally, report):
    """Adds what passed and was skipped; returns how many did not."""
    failed = 0
    try:
        for suite in ElementTree.parse(report).getroot().iter("testsuite"):
            count = {k: int(suite.get(k, 0)) for k in ("tests", "failures", "errors", "skipped")}
            bad = count["failures"] + count["errors"]
            failed += bad
            tally.skipped += count["skipped"]
            tally.passed += max(0, count["tests"] - bad - count["skipped"])
    except (OSError, ElementTree.ParseError):
        return 0
    return failed


def failed_tests(report):
    names = []
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            # Names begin below the folder of pytest.ini.
            path = "tests/%s.py" % case.get("classname").replace(".", "/")
            names.append("%s::%s" % (path, case.get("name")))
    return names


def sanitizer_env(env, reports):
    """Reports go to files: a daemon's stderr is nobody's business here. Environments whose view of
    the file system lacks that folder write to stderr."""
    options = "log_path=%s/report:print_stacktrace=1:detect_stack_use_after_return=0" % reports
    return dict(env, ASAN_OPTIONS=options, UBSAN_OPTIONS=options)


def count_reports(tally, reports):
    for path in sorted(glob.glob(os.path.join(reports, "report.*"))):
        with open(path, errors="replace") as f:
            tally.fail("a sanitizer's report, %s:\n%s" % (os.path.basename(path), f.read()[:8000]))
