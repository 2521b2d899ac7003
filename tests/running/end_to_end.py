"""What pytest runs: end to end tests in all ways, runtimes, documents; and the demo."""

import glob
import os
import re
import shutil

from running.processes import AS_ROOT, JOBS, NOBODY, ROOT, own_scratch, run, said, user_env
from running.results import count_junit, count_reports, failed_tests, sanitizer_env

# Two thirds of an end to end test's time it waits: for a time limit, a process, a retry.
WORKERS = 2 * JOBS
PYTHON = "/usr/bin/python3"

# As USER_UNITS: what a user without privileges sees otherwise than root does.
USER_E2E = [
    "test_cli_chain.py",
    "test_escapes.py",
    "test_hostile_environments.py",
    "test_invoke.py",
    "test_lifecycle.py",
    "test_runtimes.py",
    "test_sandbox.py",
    "test_starts.py",
]
# Of no use with a sanitized program: these are about other people's clients and shells, or about
# what no sanitizer sees (python, the tracer, which is never sanitized), or how long things take.
# All of them together reach 89 of 52,000 branches (gcov's arcs) that the others do not.
SANITIZED_E2E_WITHOUT = [
    "test_cli_build.py",
    "test_cli_foreign.py",
    "test_common_functions.py",
    "test_coverage_chain.py",
    "test_coverage_shipper_cloud.py",
    "test_coverage_tracer.py",
    "test_coverage_wrapper.py",
    "test_entry_points.py",
    "test_environments.py",
    "test_lambda_cli.py",
    "test_limits.py",
    "test_logs_kill.py",
    "test_long_init.py",
    "test_neighbours.py",
    "test_node.py",
    "test_policy_record.py",
    "test_s3_cli.py",
    "test_starts_covered.py",
]
# Those that take longest begin first, lest one of them is what all wait for in the end.
LONG_E2E = ["test_cli_chain.py", "test_images.py", "test_faults.py", "test_extensions.py",
            "test_s3_cli.py", "test_coverage_layer.py"]
# More failures of one part than these are no matter of a busy machine.
AGAIN_MAX = 5
SANITIZED_NOT = ("not (callers_of_others_do_not_notice or build_is_reproducible or"
                 " build_of_a_layer_alone)")  # load; pip
# What makes use of the thread pool: hashing, unpacking, spooled bodies.
THREADED_E2E = ["test_images.py", "test_lambda_api.py", "test_s3.py"]


def pytest(tally, paths, program=None, cwd=ROOT, env=None, user=False, jobs=WORKERS,
           timeout=900, name="tests", only=None):
    env = dict(os.environ if env is None else env, PYTHONDONTWRITEBYTECODE="1")
    # A person's own settings are none of the tests' business.
    for variable in list(env):
        if variable.startswith(("AWS_", "LAMINA_", "SAM_")) and variable != "LAMINA_KILLS":
            del env[variable]
    if program:
        env["LAMINA"] = program
    folder = own_scratch("pytest-" + name)
    report = os.path.join(folder, "junit.xml")
    command = [PYTHON, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider",
               "--junitxml", report, "--basetemp", os.path.join(folder, "tmp")]
    if jobs > 1:
        # A file's tests share clouds; and they are so many that files are small enough.
        command += ["-n", str(jobs), "--dist", "loadfile"]
    if only:
        command += ["-k", only]
    code, output = run(command + list(paths), timeout=timeout, cwd=cwd, env=env, user=user)
    failed = count_junit(tally, report)
    if failed or code != 0:
        at = re.search(r"^=+ (FAILURES|ERRORS) =+$", output, re.M)
        text = said(command, code, output[at.start() if at else 0:])
        names = failed_tests(report) if code == 1 else []
        alone = [c for c in command if c not in ("-n", str(jobs), "--dist", "loadfile")]
        if names and len(names) == failed <= AGAIN_MAX:
            code, output = run(alone + names, timeout=timeout, cwd=cwd, env=env, user=user)
            if code == 0:
                tally.unsteady += failed
                tally.shown.append(text + "\nUnsteady: passed when run again, alone.")
                failed = 0
            else:
                text += "\nAnd again, alone:\n" + said(alone + names, code, output)
        if failed or not tally.unsteady:
            tally.fail(text, max(failed, 1))
    shutil.rmtree(folder, ignore_errors=True)


def long_first(without=()):
    """The folder's files, all of them, those that take long at its head."""
    first = [n for n in LONG_E2E if n not in without]
    rest = sorted(os.path.basename(p) for p in glob.glob(os.path.join(ROOT, "tests/e2e/test_*.py")))
    return ["tests/e2e/" + n for n in first + [n for n in rest if n not in (*first, *without)]]


def part_runtime(tally):
    pytest(tally, ["tests/runtime"], jobs=1, name="runtime")


def part_e2e(tally):
    pytest(tally, long_first(), os.path.join(ROOT, "build", "lamina"), name="e2e")


def part_e2e_asan(tally):
    reports = own_scratch("e2e-reports")
    os.chmod(reports, 0o1777)
    env = sanitizer_env(os.environ, reports)
    env["LAMINA_KILLS"] = "3"
    pytest(tally, long_first(SANITIZED_E2E_WITHOUT), os.path.join(ROOT, "build-asan", "lamina"),
           env=env, name="e2e-asan", only=SANITIZED_NOT)
    count_reports(tally, reports)


def part_e2e_tsan(tally):
    reports = own_scratch("tsan-reports")
    os.chmod(reports, 0o1777)
    env = dict(os.environ, TSAN_OPTIONS="log_path=%s/report suppressions=%s"
               % (reports, os.path.join(ROOT, "tests", "tsan.supp")))
    files = ["tests/e2e/" + n for n in THREADED_E2E]
    files = [f for f in files if os.path.exists(os.path.join(ROOT, f))]
    # It makes a fork() of vfork(): why an exec has failed stays in the child.
    pytest(tally, files, os.path.join(ROOT, "build-tsan", "lamina"), env=env, name="e2e-tsan",
           only="not start_errors and not extensions_are_those")
    count_reports(tally, reports)


def part_e2e_user(tally):
    """The chain and the environments once more, by somebody who may not even read the checkout."""
    if not AS_ROOT:
        tally.skipped += 1
        return
    code, output = run(["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups",
                        "unshare", "--user", "--map-root-user", "true"])
    if code:
        print("%-10s users without privileges can make no user namespace here: %s"
              % ("e2e-user", output.strip()), flush=True)
        tally.skipped += 1
        return
    home = own_scratch("e2e-user")
    tree = os.path.join(home, "lamina")
    for folder in ("tests", "examples", "runtimes"):
        shutil.copytree(os.path.join(ROOT, folder), os.path.join(tree, folder),
                        ignore=shutil.ignore_patterns("node_modules", "__pycache__", ".aws-sam"))
    os.mkdir(os.path.join(tree, "build"))
    shutil.copy(os.path.join(ROOT, "build", "lamina"), os.path.join(tree, "build"))
    for module in glob.glob(os.path.join(ROOT, "build", "runtimes", "*", "*.so")):
        folder = os.path.join(tree, os.path.relpath(os.path.dirname(module), ROOT))
        os.makedirs(folder, exist_ok=True)
        shutil.copy(module, folder)
    code, output = run(["chown", "-R", "%d:%d" % (NOBODY, NOBODY), tree])
    if code:
        tally.fail(output)
        return
    pytest(tally, ["tests/e2e/" + n for n in USER_E2E], os.path.join(tree, "build", "lamina"),
           cwd=tree, env=user_env(home), user=True, name="e2e-user")


def part_docs(tally):
    if not os.path.isdir(os.path.join(ROOT, "tests", "docs")):
        tally.skipped += 1
        return
    pytest(tally, ["tests/docs"], os.path.join(ROOT, "build", "lamina"), jobs=1, name="docs")


def part_demo(tally):
    command = [os.path.join(ROOT, "script", "demo")]
    if not os.path.exists(command[0]):
        tally.skipped += 1
        return
    code, output = run(command, timeout=300)
    if code == 0:
        tally.passed += 1
    else:
        tally.fail(said(command, code, output))
