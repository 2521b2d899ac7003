"""The unit tests, sanitized, as root and as an ordinary user."""

import json
import os
import shutil

from running import processes
from running.processes import AS_ROOT, JOBS, ROOT, own_scratch, run, said, user_env
from running.results import count_reports, count_tap, sanitizer_env

# What a user without privileges sees otherwise than root does: namespaces, owners, permissions.
USER_UNITS = ["test_base", "test_sandbox", "test_store", "test_zip"]


def part_unit(tally):
    """All unit tests, sanitized, with meson as their runner."""
    folder = os.path.join(ROOT, "build-asan")
    log = os.path.join(folder, "meson-logs", "testlog.json")
    if os.path.exists(log):
        os.unlink(log)
    command = ["meson", "test", "-C", folder, "--no-rebuild", "--num-processes", str(JOBS)]
    code, output = run(command, env=sanitizer_env(os.environ, own_scratch("unit-reports")))
    if not os.path.exists(log):
        tally.fail(said(command, code, output))
        return
    with open(log) as f:
        for line in f:
            test = json.loads(line)
            text = (test.get("stdout") or "") + (test.get("stderr") or "")
            count_tap(tally, test["name"], test["command"][0], text, test["returncode"])
    if code and not tally.failed or code is None:
        tally.fail(said(command, code, output))
    count_reports(tally, os.path.join(processes.scratch, "unit-reports"))


def part_unit_user(tally):
    """Those that depend on who runs them, once more without privileges."""
    if not AS_ROOT:
        tally.skipped += 1
        return
    home = own_scratch("unit-user")
    reports = own_scratch("unit-user-reports")
    env = sanitizer_env(user_env(home), reports)
    env["CMOCKA_MESSAGE_OUTPUT"] = "TAP"
    for name in USER_UNITS:
        program = os.path.join(home, name)
        shutil.copy(os.path.join(ROOT, "build-asan", "tests", "unit", name), program)
        os.chmod(program, 0o755)
        code, output = run([program], timeout=180, cwd=home, env=env, user=True)
        count_tap(tally, name + " as a user", name, output, code)
    count_reports(tally, reports)
