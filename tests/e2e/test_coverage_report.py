"""`lamina coverage report`, its formats, and `combine`: objects and .coverage files into numbers that
Debian's coverage.py gives, too."""

import hashlib
import json
import os
import re
import sqlite3
import subprocess
import time
import xml.etree.ElementTree as ET

import pytest
from cloud import lamina, unique
from coverage_object import coverage_object, file_record, wrap

APP = '''"""Orders."""
import os

DEBUG = os.environ.get("NOTHING")


class Order:
    def __init__(self, n):
        self.n = n

    def total(self, limit=3):
        if self.n > limit:
            return limit
        return self.n


def handler(event, context=None):
    if DEBUG:  # pragma: no cover
        print(event)
    order = Order(event["n"])
    for i in range(2):
        if i == 5:
            break
    return {"total": order.total()}


def unused(x):
    while x:
        x -= 1
    return x
'''
UTIL = "def twice(x):\n    return 2 * x\n\n\ndef thrice(x):\n    return 3 * x\n"
TEMPLATE = """AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Resources:
  Api:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: src/, Handler: app.handler, Runtime: python3.11, FunctionName: api}
  Worker:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: work/, Handler: w.handler, Runtime: python3.11}
  Shared:
    Type: AWS::Serverless::LayerVersion
    Properties: {ContentUri: layer/}
"""
# What one call of handler({"n": 2}) runs.
LINES = [1, 2, 4, 7, 8, 11, 17, 27, 18, 20, 9, 21, 22, 24, 12, 14]
ARCS = [
    (-1, 1), (1, 2), (2, 4), (4, 7), (-7, 7), (7, 8), (8, 11), (11, -7), (7, 17), (17, 27), (27, -1),
    (-17, 18), (18, 20), (-8, 9), (9, -8), (20, 21), (21, 22), (22, 21), (21, 24), (-11, 12),
    (12, 14), (14, -11), (24, -17),
]  # fmt: skip
MORE = ([12, 13], [(-11, 12), (12, 13), (13, -11)])


def sha(source):
    return hashlib.sha256(source.encode()).digest()


def write(root, files):
    for path, content in files.items():
        p = root / path
        p.parent.mkdir(parents=True, exist_ok=True)
        p.write_bytes(content if isinstance(content, bytes) else content.encode())


@pytest.fixture
def project(tmp_path):
    write(
        tmp_path,
        {
            "template.yaml": TEMPLATE,
            "src/app.py": APP,
            "src/pkg/__init__.py": "",
            "src/pkg/util.py": UTIL,
            "src/data/no_package.py": "x = 1\n",
            "src/a.b.py": "y = 1\n",
            "work/w.py": "def handler(e, c):\n    return e\n",
            "layer/python/shared/tool.py": "def tool():\n    return 1\n",
        },
    )
    return tmp_path


def app(path="/var/task/app.py", lines=LINES, arcs=ARCS, source=APP, context=0):
    return file_record(path, [(context, lines, arcs)], sha(source))


def report(project, *args, action="report", check=True):
    return lamina("coverage", action, *args, cwd=project, check=check)


def rows(stdout):
    """{name: (stmts, miss, branch, brpart, percent)} of the table."""
    found = re.findall(r"^(\S+) +(\d+) +(\d+) +(\d+) +(\d+) +([\d.]+)%", stdout, re.M)
    return {r[0]: tuple(float(x) for x in r[1:]) for r in found}


def coveragepy(project, *args):
    r = subprocess.run(
        ["/usr/bin/python3", "-m", "coverage", *args], cwd=project, capture_output=True, text=True
    )
    assert r.returncode == 0, r.stdout + r.stderr
    return r.stdout


def test_a_report_of_objects(project):
    write(project, {"d/one.coverage": coverage_object([app()])})
    r = report(project, "--from", "d", "-m")
    assert r.stdout == (
        "Name                  Stmts   Miss Branch BrPart  Cover   Missing\n"
        "-----------------------------------------------------------------\n"
        "src/app.py               19      5      8      2    67%   13, 23, 28-30\n"
        "src/pkg/__init__.py       0      0      0      0   100%\n"
        "src/pkg/util.py           4      4      0      0     0%   1-6\n"
        "-----------------------------------------------------------------\n"
        "TOTAL                    23      9      8      2    58%\n"
    )
    assert r.stderr == ""


def test_files_that_were_never_imported_count_unless_they_shall_not(project):
    write(project, {"d/one.coverage": coverage_object([app()])})
    assert set(rows(report(project, "--from", "d").stdout)) == {
        "src/app.py", "src/pkg/__init__.py", "src/pkg/util.py", "TOTAL",
    }  # fmt: skip
    # no package, no module's name: an import finds neither
    assert set(rows(report(project, "--from", "d", "--imported-only").stdout)) == {"src/app.py", "TOTAL"}
    assert "src/pkg" not in report(project, "--from", "d", "--omit", "src/pkg/*").stdout
    assert set(rows(report(project, "--from", "d", "--include", "util.py").stdout)) == {
        "src/pkg/util.py", "TOTAL",
    }  # fmt: skip
    r = report(project, "--from", "d", "--omit", "x**", check=False)
    assert r.returncode == 2 and "x**" in r.stderr


def test_what_several_environments_ran_is_joined(project):
    write(
        project,
        {
            "d/2025/11/24/api/1.coverage": coverage_object([app()]),
            "d/2025/11/24/api/2.coverage": coverage_object([app(lines=MORE[0], arcs=MORE[1])]),
        },
    )
    assert rows(report(project, "--from", "d").stdout)["src/app.py"] == (19, 4, 8, 1, 74)


def test_lines_and_branches_together_are_told(project):
    write(
        project,
        {
            "d/1.coverage": coverage_object([app()]),
            "d/2.coverage": coverage_object([app(lines=MORE[0], arcs=[])], branch="0"),
        },
    )
    r = report(project, "--from", "d")
    # line 13 ran, so 12 has jumped there: that can be concluded, and is told to coverage.py, too
    assert rows(r.stdout)["src/app.py"] == (19, 4, 8, 1, 74)
    report(project, "--from", "d", "--imported-only", action="combine")
    assert rows(coveragepy(project, "report"))["src/app.py"] == (19, 4, 8, 1, 74)
    assert "1 of 2 objects have measured lines only" in r.stderr
    assert report(project, "--from", "d", "--no-branch").stderr == ""


def test_table_options(project):
    write(project, {"d/one.coverage": coverage_object([app()])})
    r = report(project, "--from", "d", "--sort", "-miss", "--skip-covered", "--precision", "2")
    assert [line.split()[0] for line in r.stdout.splitlines() if "%" in line] == [
        "src/app.py", "src/pkg/util.py", "TOTAL",
    ]  # fmt: skip
    assert "66.67%" in r.stdout and "\n1 file skipped due to complete coverage.\n" in r.stdout
    assert "1 empty file skipped." in report(project, "--from", "d", "--skip-empty").stdout
    r = report(project, "--from", "d", "--sort", "size", check=False)
    assert r.returncode == 2 and "size" in r.stderr
    r = report(project, "--from", "d", "--no-branch", "--imported-only")
    assert re.search(r"^src/app.py +19 +5 +74%$", r.stdout, re.M)


def test_fail_under(project):
    write(project, {"d/one.coverage": coverage_object([app()])})
    assert report(project, "--from", "d", "--fail-under", "58").returncode == 0
    r = report(project, "--from", "d", "--fail-under", "58.1", check=False)
    assert r.returncode == 2 and "TOTAL" in r.stdout and "58" in r.stderr
    r = report(project, "--from", "d", "--fail-under", "much", check=False)
    assert r.returncode == 2 and "much" in r.stderr
    r = report(project, "--from", "d", "--fail-under", "", check=False)  # a variable that nobody has set
    assert r.returncode == 2 and "no percentage" in r.stderr


def test_numbers_and_formats_are_those_of_coveragepy(project):
    (project / "run.py").write_text("import sys\nsys.path.insert(0, 'src')\nimport app\napp.handler({'n': 2})\n")
    coveragepy(project, "run", "--branch", "--source=src", "run.py")
    report(project, "--from", ".coverage", "--json-file", "o.json", "--xml", "o.xml", "--lcov", "o.lcov")
    coveragepy(project, "json", "-q", "-o", "c.json")
    coveragepy(project, "xml", "-q", "-o", "c.xml")

    ours, theirs = (json.loads((project / f).read_text()) for f in ("o.json", "c.json"))
    assert set(theirs["files"]) == set(ours["files"])
    assert theirs["totals"].items() <= ours["totals"].items()
    for name, file in theirs["files"].items():
        mine = ours["files"][name]
        assert file["summary"].items() <= mine["summary"].items()
        for key in ("missing_lines", "excluded_lines", "executed_branches", "missing_branches"):
            assert mine[key] == file[key], (name, key)
        # 7.x: only statements; 6.5: all lines that ran
        assert set(mine["executed_lines"]) <= set(file["executed_lines"])
    assert ours["meta"]["format"] == 3 and ours["meta"]["branch_coverage"] is True
    assert ours["files"]["src/app.py"]["functions"]["Order.total"]["missing_lines"] == [13]

    # --source src: coverage.py names files below it; ours are below the working directory
    a, b = (ET.parse(project / f).getroot() for f in ("o.xml", "c.xml"))
    for attribute in ("lines-valid", "lines-covered", "line-rate", "branches-valid", "branch-rate"):
        assert a.get(attribute) == b.get(attribute)
    lines = [[sorted(x.items()) for x in root.iter("line")] for root in (a, b)]
    assert sorted(lines[0]) == sorted(lines[1]) and len(lines[0]) > 20


def test_lcov_and_xml_byte_by_byte(project):
    write(project, {"d/one.coverage": coverage_object([app()])})
    args = ("--from", "d", "--include", "app.py")
    assert report(project, *args, action="lcov").stdout == LCOV
    xml = report(project, *args, action="xml").stdout
    xml = re.sub(r'version="lamina [^"]*" timestamp="\d+"', "V", xml, count=1)
    assert xml == XML.replace("ROOT", str(project / "src"))
    # nothing was imported of it, nothing missing of an empty file
    lcov = report(project, "--from", "d", "--include", "src/pkg/*", action="lcov").stdout
    assert lcov.startswith("SF:src/pkg/__init__.py\nend_of_record\nSF:src/pkg/util.py\nDA:1,0\n")


def test_markdown_is_a_table_and_says_what_is_left_out(project):
    write(project, {"d/one.coverage": coverage_object([app()]), "d/two.coverage": b"nothing"})
    text = report(project, "--from", "d", "--include", "src/*", action="markdown", check=False).stdout
    assert text.startswith("### Coverage: 58%\n\n| Name ")
    assert re.search(r"^\| src/pkg/\\_\\_init\\_\\_.py +\| +0 \| +0 \| +0 \| +0 \| +100% \|$", text, re.M)
    assert re.search(r"^\| \*\*TOTAL\*\* +\| +\*\*23\*\* \|", text, re.M)
    assert "- d/two.coverage: it is no coverage object" in text.replace("\\", "")


def test_json_is_laid_out_as_python_does_it(project):
    write(project, {"d/one.coverage": coverage_object([app()]), "src/ä\t.py": "z = 1\n"})
    plain = report(project, "--from", "d", action="json").stdout
    pretty = report(project, "--from", "d", "--pretty", action="json").stdout
    assert json.dumps(json.loads(plain)) + "\n" == plain
    assert json.dumps(json.loads(pretty), indent=4) + "\n" == pretty
    assert "src/ä\t.py" in json.loads(plain)["files"]


def test_the_source_must_be_the_one_that_ran(project):
    other = APP.replace("limit=3", "limit=4")
    write(project, {"d/one.coverage": coverage_object([app(source=other)], version="7")})
    r = report(project, "--from", "d", "--imported-only", check=False)
    assert r.returncode == 1
    assert "source changed since api:7 was deployed" in r.stderr and "src/app.py" in r.stderr
    r = report(project, "--from", "d", "--imported-only", "--ignore-changed")
    assert rows(r.stdout)["src/app.py"] == (19, 5, 8, 2, 67)
    # never silently: the report without it still names it
    r = report(project, "--from", "d")
    assert rows(r.stdout)["src/app.py"] == (19, 19, 8, 0, 0) and "source changed" in r.stderr
    # what a build has copied is no source, though it is what ran
    write(project, {".aws-sam/build/Api/app.py": other})
    r = report(project, "--from", "d")
    assert rows(r.stdout)["src/app.py"] == (19, 19, 8, 0, 0) and "source changed" in r.stderr
    assert ".aws-sam" not in r.stdout
    # an older deployment beside the one that is here
    write(project, {"d/two.coverage": coverage_object([app()], version="8")})
    r = report(project, "--from", "d")
    assert rows(r.stdout)["src/app.py"] == (19, 5, 8, 2, 67)
    assert "api:7 ran another source of it" in r.stderr


def test_names_of_strangers_open_and_do_nothing(project):
    """Objects are written by what runs in functions: they name no other files of this machine, and
    are no commands for its terminal."""
    write(project, {"secret.py": "token = 1\n", "work/own.py": "own = 1\n"})
    names = [
        "/var/task/../secret.py", "/var/task/..", str(project / "secret.py"), "../secret.py",
        "/var/task/\x1b]0;title\x07.py", "/var/task/\u009b31m.py",
    ]  # fmt: skip
    files = [file_record(name, [(0, [1], [])]) for name in names]
    write(project, {"d/x.coverage": coverage_object([app(), *files], function="\x1b[2Jf")})
    for action in ("report", "json", "markdown"):
        r = report(project, "--from", "d", "--imported-only", action=action)
        assert "src/app.py" in r.stdout.replace("\\", "") and "secret" not in r.stdout.split("Not counted")[0]
        assert "\x1b" not in r.stdout + r.stderr and "\x9b" not in r.stdout + r.stderr
        assert "secret.py is left out: its path leads out" in r.stderr


def test_paths_of_functions_layers_and_builds(project):
    w = (project / "work/w.py").read_text()
    tool = (project / "layer/python/shared/tool.py").read_text()
    write(
        project,
        {
            "d/w.coverage": coverage_object(
                [
                    file_record("/var/task/w.py", [(0, [1, 2], [])], sha(w)),
                    file_record("/opt/python/shared/tool.py", [(0, [1], [])], sha(tool)),
                    file_record("/tmp/build/x/pkg/util.py", [(0, [1, 2, 5], [])], sha(UTIL)),
                    file_record("/var/task/vendored/six.py", [(0, [1], [])], sha("six")),
                ],
                function="stack-Worker-1A2B3C",
            )
        },
    )
    r = report(project, "--from", "d", "--imported-only")
    assert {k: v[:2] for k, v in rows(r.stdout).items()} == {
        "layer/python/shared/tool.py": (2, 1), "src/pkg/util.py": (4, 1), "work/w.py": (2, 0), "TOTAL": (8, 2),
    }  # fmt: skip
    assert "/var/task/vendored/six.py is left out: there is no such source here" in r.stderr
    # without a template the folder is named
    (project / "template.yaml").unlink()
    r = report(project, "--from", "d", "--source", "work", "--source", "layer/python")
    assert {"work/w.py", "layer/python/shared/tool.py"} <= set(rows(r.stdout))


def test_what_cannot_be_read_is_named_and_the_rest_is_combined(project):
    good = coverage_object([app()])
    write(
        project,
        {
            "d/good.coverage": good,
            "d/empty.coverage": b"",
            "d/cut.coverage": good[: len(good) // 2],
            "d/short.coverage": good[:12],
            "d/bad.coverage": good[:-3] + b"\0\0\0",
            "d/foreign.coverage": b"%PDF-1.7 and so on",
            "d/later.coverage": good.replace(b"LAMCOV1", b"LAMCOV9"),
            "d/wrong.coverage": wrap(b"\xff\xff\xff\x7f"),
            "d/.coverage": b"SQLite format 3\0" + b"x" * 200,
        },
    )
    r = report(project, "--from", "d")
    assert rows(r.stdout)["src/app.py"] == (19, 5, 8, 2, 67)
    said = dict(re.findall(r"d/(\S+) is left out: (.*)", r.stderr))
    assert set(said) == {"empty.coverage", "cut.coverage", "short.coverage", "bad.coverage",
                         "foreign.coverage", "later.coverage", "wrong.coverage", ".coverage"}  # fmt: skip
    assert "empty" in said["empty.coverage"] and "version" in said["later.coverage"]
    assert "truncated" in said["short.coverage"] and "checksum" in said["cut.coverage"]
    assert "no coverage object" in said["foreign.coverage"] and "coverage.py" in said[".coverage"]


def test_objects_that_are_not_complete_say_so(project):
    o = coverage_object([app()], missing="the disk was full from 12:00 on")
    write(project, {"d/one.coverage": o})
    assert "d/one.coverage is not complete: the disk was full" in report(project, "--from", "d").stderr


def test_source_that_is_not_python(project):
    write(project, {"d/one.coverage": coverage_object([app()]), "src/bad.py": "def f(:\n"})
    r = report(project, "--from", "d")
    assert "src/bad.py is left out" in r.stderr and "src/bad.py" not in r.stdout
    for word, code in (("true", 0), ("", 0), ("false", 1)):
        write(project, {".coveragerc": "[report]\n" + ("ignore_errors = %s\n" % word if word else "")})
        r = report(project, "--from", "d", check=False)
        assert r.returncode == code and "TOTAL" in r.stdout, (word, r.stderr)
    assert "ignore_errors = false makes that an error: src/bad.py" in r.stderr


def test_combined_data_are_read_by_coveragepy(project):
    write(
        project,
        {
            "d/1.coverage": coverage_object([app()]),
            "d/2.coverage": coverage_object([app(lines=MORE[0], arcs=MORE[1])], function="other"),
        },
    )
    r = report(project, "--from", "d", "--imported-only", action="combine")
    assert "2 objects" in r.stderr
    ours = rows(report(project, "--from", "d", "--imported-only").stdout)
    theirs = rows(coveragepy(project, "report", "-m"))
    assert theirs == ours and ours["src/app.py"] == (19, 4, 8, 1, 74)
    # and ours again, from that file, with lines instead of branches as well
    assert rows(report(project, "--from", ".coverage", "--imported-only").stdout) == ours
    report(project, "--from", "d", "--no-branch", "--to", "l.coverage", action="combine")
    out = coveragepy(project, "report", "--data-file=l.coverage", "--include=src/app.py")
    assert re.search(r"^src/app.py +19 +4 +79%$", out, re.M)


def test_contexts_go_into_json_and_coveragepys_data(project):
    contexts = (("init", 1000), ("request-1", 2000))
    runs = [(0, [1, 2, 4, 7, 8, 11, 17, 27], []), (1, [18, 20, 9, 21, 22, 24, 12, 14], [])]
    files = [file_record("/var/task/app.py", runs, sha(APP))]
    write(project, {"d/1.coverage": coverage_object(files, contexts, version="3")})
    out = json.loads(report(project, "--from", "d", "--by", "context", action="json").stdout)
    assert out["meta"]["show_contexts"] is True
    assert out["files"]["src/app.py"]["contexts"]["1"] == ["init"]
    assert out["files"]["src/app.py"]["contexts"]["20"] == ["request-1"]
    out = json.loads(report(project, "--from", "d", "--by", "version", action="json").stdout)
    assert out["files"]["src/app.py"]["contexts"]["20"] == ["api:3"]

    report(project, "--from", "d", "--by", "context", "--imported-only", action="combine")
    coveragepy(project, "json", "-q", "--show-contexts", "-o", "c.json")
    theirs = json.loads((project / "c.json").read_text())["files"]["src/app.py"]["contexts"]
    assert theirs["20"] == ["request-1"] and theirs["7"] == ["init"]
    # contexts of coverage.py's own files are kept, too
    out = json.loads(report(project, "--from", ".coverage", "--by", "context", action="json").stdout)
    assert out["files"]["src/app.py"]["contexts"]["20"] == ["request-1"]


def test_who_has_run_how_much(project):
    def run_by(function, lines):
        files = [file_record("/var/task/app.py", [(0, lines, [])], sha(APP))]
        return coverage_object(files, function=function)

    write(
        project,
        {
            "d/1.coverage": run_by("api", [1, 2, 4, 7, 8, 11, 17, 27]),
            "d/2.coverage": run_by("other|one", [1, 2, 4, 7, 8, 11, 17, 27, 18, 20]),
        },
    )
    args = ("--from", "d", "--imported-only")
    before = report(project, *args).stdout
    out = report(project, *args, "--by", "function").stdout
    assert out.startswith(before) and "Alone" not in before
    assert re.findall(r"^(?:Function|api|other).*", out[len(before) :], re.M) == [
        "Function    Files  Stmts   Miss  Alone  Cover",
        "api             1     19     12      0    37%",
        "other|one       1     19     11      1    42%",
    ]
    out = report(project, *args, "--by", "version", action="markdown").stdout
    assert "| Version | Files | Stmts | Miss | Alone | Cover |\n" in out
    assert "| other\\|one | 1 | 19 | 11 | 1 | 42% |\n" in out


def test_data_of_a_later_schema_are_named(project):
    db = sqlite3.connect(project / "x.coverage")
    db.executescript("create table coverage_schema (version integer); insert into coverage_schema values (99);")
    db.close()
    r = report(project, "--from", "x.coverage", check=False)
    assert r.returncode == 1 and "schema is version 99" in r.stderr


def test_nothing_found_says_where_and_what_to_do(project):
    (project / "d").mkdir()
    r = report(project, "--from", "d", check=False)
    assert r.returncode == 1 and "looked for objects below d" in r.stderr and "--bucket" in r.stderr
    r = report(project, "--from", "nowhere", check=False)
    assert r.returncode == 1 and "nowhere" in r.stderr
    r = report(project, "--from", "d", "--since", "yesterday", check=False)
    assert r.returncode == 2 and "yesterday" in r.stderr


def test_since_and_function_choose_files(project):
    write(
        project,
        {
            "d/2025/11/24/api/1.coverage": coverage_object([app()]),
            "d/2025/11/24/old/2.coverage": coverage_object([app(lines=MORE[0], arcs=MORE[1])], function="old"),
        },
    )
    long_ago = time.time() - 7200
    os.utime(project / "d/2025/11/24/old/2.coverage", (long_ago, long_ago))
    assert rows(report(project, "--from", "d").stdout)["src/app.py"][1] == 4
    assert rows(report(project, "--from", "d", "--since", "1h").stdout)["src/app.py"][1] == 5
    assert rows(report(project, "--from", "d", "--function", "old").stdout)["src/app.py"][1] == 17
    r = report(project, "--from", "d", "--since", "2999-01-01", check=False)
    assert r.returncode == 1 and "since" in r.stderr


def test_the_projects_configuration_counts(project):
    write(
        project,
        {
            "d/one.coverage": coverage_object([app()]),
            ".coveragerc": "[report]\nexclude_lines = def unused\nomit = src/pkg/*\nshow_missing = true\n"
            "fail_under = 99\nprecision = 1\n",
        },
    )
    r = report(project, "--from", "d", check=False)
    assert r.returncode == 2 and "src/pkg" not in r.stdout
    # DEBUG's body is no longer excluded, unused() is
    assert re.search(r"^src/app.py +17 +3 +8 +3 +76.0%   13, 19, 23$", r.stdout, re.M), r.stdout
    r = report(project, "--from", "d", "--fail-under", "10", "--precision", "0", "--no-show-missing")
    assert r.stdout.splitlines()[-1].endswith(" 76%") and "Missing" not in r.stdout
    write(project, {".coveragerc": "[report]\nexclude_lines = (\n"})
    r = report(project, "--from", "d", check=False)
    assert r.returncode == 1 and "regular expression" in r.stderr


def test_the_projects_words_about_a_format_count(project):
    text = (
        "[tool.coverage.report]\nskip_empty = true\n[tool.coverage.html]\ndirectory = 'out/pages'\n"
        "title = 'What <ran>'\nskip_covered = true\n[tool.coverage.json]\noutput = 'out.json'\n"
        "pretty_print = true\n[tool.coverage.xml]\npackage_depth = 3\n"
    )
    write(project, {"d/one.coverage": coverage_object([app()]), "pyproject.toml": text})
    r = report(project, "--from", "d", action="html")
    assert "pyproject.toml: xml:package_depth is not used" in r.stderr
    assert "What &lt;ran&gt;" in (project / "out/pages/index.html").read_text()
    r = report(project, "--from", "d", action="json")
    assert r.stdout == "" and (project / "out.json").read_text().startswith('{\n')
    assert report(project, "--from", "d", "-o", "-", action="json").stdout.startswith("{")
    assert report(project, "--from", "d", action="xml").stdout.startswith("<?xml")
    write(project, {"pyproject.toml": "[tool.coverage.html]\ntitle = 3\n"})
    r = report(project, "--from", "d", check=False)
    assert r.returncode == 1 and "title" in r.stderr


def test_the_projects_paths_come_first(project):
    files = [app("/builds/job-7/repo/app.py"), file_record("/elsewhere/pkg/util.py", [(0, [1], [])])]
    write(project, {"d/one.coverage": coverage_object(files)})
    assert "/elsewhere/pkg/util.py is left out" in report(project, "--from", "d").stderr
    write(project, {".coveragerc": "[paths]\nsource =\n    src\n    /builds/*/repo\n    /elsewhere/\n"})
    r = report(project, "--from", "d", "--imported-only")
    assert rows(r.stdout)["src/pkg/util.py"][:2] == (4, 3) and r.stderr == ""
    assert rows(r.stdout)["src/app.py"] == (19, 5, 8, 2, 67)
    write(project, {".coveragerc": "[paths]\nsource =\n    src\n    /builds/*\n"})
    r = report(project, "--from", "d", check=False)
    assert r.returncode == 1 and "wildcard" in r.stderr


# ---- from a bucket ----


def put(cloud, bucket, key, content):
    cloud.s3.put_object(Bucket=bucket, Key=key, Body=content)


def test_a_bucket(cloud, bucket, project):
    for i in range(200):
        lines, arcs = (LINES, ARCS) if i == 150 else ([1], [])
        put(cloud, bucket, "cov/2025/11/24/api/%06d-e.coverage" % i, coverage_object([app(lines=lines, arcs=arcs)]))
    put(cloud, bucket, "cov/2025/11/24/api/bad.coverage", b"LAMCOV1\n")
    put(cloud, bucket, "cov/2025/11/24/other/1.coverage",
        coverage_object([app(lines=MORE[0], arcs=MORE[1])], function="other"))  # fmt: skip
    put(cloud, bucket, "cov/readme.txt", b"no object")
    args = ("coverage", "report", "--bucket", bucket, "--prefix", "cov/", "--imported-only")
    r = cloud.lamina(*args, cwd=project)
    assert rows(r.stdout)["src/app.py"] == (19, 4, 8, 1, 74)
    assert "bad.coverage is left out: it is truncated" in r.stderr and "readme" not in r.stderr
    r = cloud.lamina(*args, "--function", "other", cwd=project)
    assert rows(r.stdout)["src/app.py"][1] == 17
    r = cloud.lamina(*args, "--since", "2999-01-01", cwd=project, check=False)
    assert r.returncode == 1 and "s3://%s/cov/ since then" % bucket in r.stderr


def test_the_bucket_is_the_functions_unless_it_is_given(cloud, bucket, project):
    name = cloud.function(
        "def handler(e, c):\n    return e\n",
        Environment={"Variables": {"COVERAGE_S3_BUCKET": bucket, "COVERAGE_S3_PREFIX": "mine/"}},
    )
    put(cloud, bucket, "mine/2025/11/24/%s/1.coverage" % name, coverage_object([app()], function=name))
    r = cloud.lamina("coverage", "report", name, "--source", "src", cwd=project)
    assert rows(r.stdout)["src/app.py"] == (19, 5, 8, 2, 67)
    r = cloud.lamina("coverage", "report", "--bucket", unique("none"), cwd=project, check=False)
    assert r.returncode == 1 and "there is no bucket none-" in r.stderr and "enable" in r.stderr


def test_combined_into_a_bucket(cloud, bucket, project):
    put(cloud, bucket, "coverage/2025/11/24/api/1.coverage", coverage_object([app()]))
    for key in ("combined/all.json", "combined/.coverage"):
        cloud.lamina("coverage", "combine", "--bucket", bucket, "--to", "s3://%s/%s" % (bucket, key), cwd=project)
    body = cloud.s3.get_object(Bucket=bucket, Key="combined/all.json")
    assert json.loads(body["Body"].read())["totals"]["missing_lines"] == 9
    assert body["ServerSideEncryption"] == "AES256"
    data = cloud.s3.get_object(Bucket=bucket, Key="combined/.coverage")["Body"].read()
    (project / ".coverage").write_bytes(data)
    assert rows(coveragepy(project, "report", "--include=src/app.py"))["src/app.py"] == (19, 5, 8, 2, 67)


LCOV = """SF:src/app.py
DA:2,1
DA:4,1
DA:7,1
DA:8,1
DA:9,1
DA:11,1
DA:12,1
DA:13,0
DA:14,1
DA:17,1
DA:20,1
DA:21,1
DA:22,1
DA:23,0
DA:24,1
DA:27,1
DA:28,0
DA:29,0
DA:30,0
LF:19
LH:14
FN:8,9,Order.__init__
FNDA:1,Order.__init__
FN:11,14,Order.total
FNDA:1,Order.total
FN:17,24,handler
FNDA:1,handler
FN:27,30,unused
FNDA:0,unused
FNF:4
FNH:3
BRDA:12,0,jump to line 13,0
BRDA:12,0,jump to line 14,1
BRDA:21,0,jump to line 22,1
BRDA:21,0,jump to line 24,1
BRDA:22,0,jump to line 21,1
BRDA:22,0,jump to line 23,0
BRDA:28,0,jump to line 29,-
BRDA:28,0,jump to line 30,-
BRF:8
BRH:4
end_of_record
"""
_HIT = '\t\t\t\t\t\t<line number="%d" hits="%d"/>\n'
_BRANCH = '\t\t\t\t\t\t<line number="%d" hits="%d" branch="true" condition-coverage="%s"%s/>\n'
XML = (
    """<?xml version="1.0" ?>
<coverage V lines-valid="19" lines-covered="14" line-rate="0.7368" branches-valid="8" branches-covered="4" branch-rate="0.5" complexity="0">
	<!-- Generated by lamina -->
	<!-- Based on https://raw.githubusercontent.com/cobertura/web/master/htdocs/xml/coverage-04.dtd -->
	<sources>
		<source>ROOT</source>
	</sources>
	<packages>
		<package name="." line-rate="0.7368" branch-rate="0.5" complexity="0">
			<classes>
				<class name="app.py" filename="app.py" complexity="0" line-rate="0.7368" branch-rate="0.5">
					<methods/>
					<lines>
"""
    + "".join(_HIT % (n, 1) for n in (2, 4, 7, 8, 9, 11))
    + _BRANCH % (12, 1, "50% (1/2)", ' missing-branches="13"')
    + _HIT % (13, 0)
    + "".join(_HIT % (n, 1) for n in (14, 17, 20))
    + _BRANCH % (21, 1, "100% (2/2)", "")
    + _BRANCH % (22, 1, "50% (1/2)", ' missing-branches="23"')
    + _HIT % (23, 0)
    + "".join(_HIT % (n, 1) for n in (24, 27))
    + _BRANCH % (28, 0, "0% (0/2)", ' missing-branches="29,30"')
    + "".join(_HIT % (n, 0) for n in (29, 30))
    + """					</lines>
				</class>
			</classes>
		</package>
	</packages>
</coverage>
"""
)
