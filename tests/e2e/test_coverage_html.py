"""`lamina coverage html`: pages whose links lead somewhere, whose numbers are JSON's, and which are
written only when they change; its keys in a browser, where there is one; the table on a terminal."""

import fcntl
import glob
import html.parser
import json
import os
import pty
import re
import shutil
import struct
import subprocess
import termios

import pytest
from cloud import LAMINA, lamina
from coverage_object import coverage_object, file_record, text, varint
from test_coverage_report import APP, MORE, UTIL, app, sha, write

TEMPLATE = """Transform: AWS::Serverless-2016-10-31
Resources:
  Api:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: src/, Handler: app.handler, Runtime: python3.11, FunctionName: api}
"""
HOSTILE = "src/<b>&'\"x.py"
INJECTED = 'x = "</code><script>alert(1)</script>"\n'
VOID = {"meta", "link", "input", "rect", "br", "wbr", "path", "img"}
CONTEXTS = (("init", 1763700000000), ("4f0e7b0a-9b7c-4e6e-8f57-0a1b2c3d4e5f", 1763700005000))


class Page(html.parser.HTMLParser):
    """Elements of a page as (tag, attributes, text); complains about tags that do not match."""

    def __init__(self, text):
        super().__init__()
        self.open, self.all = [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        item = [tag, dict(attrs), ""]
        self.all.append(item)
        if tag not in VOID:
            self.open.append(item)

    def handle_startendtag(self, tag, attrs):
        self.all.append([tag, dict(attrs), ""])

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        for item in self.open:
            item[2] += data

    def these(self, tag, cls=None):
        return [i for i in self.all if i[0] == tag and (cls is None or cls in (i[1].get("class") or "").split())]

    def ids(self):
        found = [i[1]["id"] for i in self.all if "id" in i[1]]
        assert len(found) == len(set(found))
        return set(found)


@pytest.fixture
def project(tmp_path):
    write(
        tmp_path,
        {
            "template.yaml": TEMPLATE,
            "src/app.py": APP,
            "src/pkg/__init__.py": "",
            "src/pkg/util.py": UTIL,
            HOSTILE: INJECTED,
            "src/changed.py": "y = 1\n",
        },
    )
    runs = [(0, [1, 2, 4, 7, 8, 11, 17, 27], []), (1, app_lines(), [])]
    write(
        tmp_path,
        {
            "d/1.coverage": coverage_object(
                [
                    app(),
                    file_record("/var/task/<b>&'\"x.py", [(0, [1], [])], sha(INJECTED)),
                    file_record("/var/task/changed.py", [(0, [1], [])], sha("y = 2\n")),
                ],
                CONTEXTS,
                version="7",
                log_stream="2025/11/21/[7]abc",
            ),
            "d/2.coverage": coverage_object(
                [file_record("/var/task/app.py", runs, sha(APP))], CONTEXTS, missing="it was <cut> off"
            ),
            "d/3.coverage": b"nothing",
        },
    )
    return tmp_path


def app_lines():
    return [18, 20, 21, 22, 24, 9, *MORE[0]]


def run(project, *args, action="html", check=True):
    return lamina("coverage", action, "--from", "d", *args, cwd=project, check=check)


def pages_of(folder):
    return {p.name: Page(p.read_text()) for p in folder.glob("*.html")}


def page_of(folder, name):
    (found,) = folder.glob(name.replace("/", "_") + "-*.html")
    return Page(found.read_text())


def table(page):
    """{(file, function or None): [statements, missing, excluded, branches, partial, percent]}"""
    rows = {}
    for row in re.findall(r"<tr[^>]*>.*?</tr>", page, re.S):
        cells = [Page(c) for c in re.findall(r"<t[hd].*?</t[hd]>", row, re.S)]
        words = [c.all[0][2].replace("never imported", "").strip() for c in cells]
        if "data-key" in row:
            continue
        numbers = [int(w) for w in words if re.fullmatch(r"\d+", w)]
        percent = next(w for w in words if w.endswith("%"))
        name = tuple(words[: words.index(percent)])
        rows[name] = numbers + [percent]
    return rows


def test_links_lead_somewhere_and_tags_match(project):
    run(project, "-o", "out")
    pages = pages_of(project / "out")
    assert {"index.html", "functions.html", "classes.html", "contexts.html"} < set(pages)
    assert len(pages) == 4 + 5
    for name, page in pages.items():
        page.ids()
        for tag, attrs, _ in page.all:
            target = attrs.get("href") or attrs.get("src")
            if tag not in ("a", "link", "script") or target == "data:,":
                continue
            file, _, line = target.partition("#")
            file = file.split("?")[0] or name
            assert (project / "out" / file).is_file(), target
            assert not line or line in pages[file].ids(), target
            assert not re.match(r"[a-z]+:", target)
        assert all(tag[1].get("href") for tag in page.these("a"))
        assert not [a for _, attrs, _ in page.all for a in attrs if a.startswith("on") or a == "style"]
    search = (project / "out" / "search.js").read_text()
    found = json.loads(search[len("window.laminaSearch=") : search.rindex(";")])
    assert {f[0]: [g[0] for g in f[2]] for f in found}["src/app.py"] == [
        "Order.__init__", "Order.total", "handler", "unused",
    ]  # fmt: skip


def test_numbers_are_those_of_json(project):
    run(project, "-o", "out", "--json-file", "out.json", "--precision", "1")
    data = json.loads((project / "out.json").read_text())

    def numbers(summary):
        keys = ("num_statements", "missing_lines", "excluded_lines", "num_branches", "num_partial_branches")
        return [summary[k] for k in keys] + [summary["percent_covered_display"] + "%"]

    rows = table((project / "out" / "index.html").read_text())
    assert rows.pop(("Total",)) == numbers(data["totals"])
    assert rows == {(name,): numbers(f["summary"]) for name, f in data["files"].items()}
    assert [r[1] for r in rows.values()] == sorted((r[1] for r in rows.values()), reverse=True)
    for kind in ("functions", "classes"):
        rows = table((project / "out" / (kind + ".html")).read_text())
        rows.pop(("Total",))
        assert rows == {
            (name, region or "(outside)"): numbers(r["summary"])
            for name, f in data["files"].items()
            for region, r in f[kind].items()
            if region or r["summary"]["num_statements"]
        }
    for name, f in data["files"].items():
        if name == HOSTILE:
            continue
        page = page_of(project / "out", name)
        lines = {k: [] for k in "rmxp"}
        for _, attrs, _ in page.these("p"):
            cls = (attrs.get("class") or "").split()
            if "id" in attrs and cls and "c" not in cls:
                lines[cls[0]].append(int(attrs["id"][1:]))
        assert sorted(lines["r"] + lines["p"]) == f["executed_lines"]
        assert lines["m"] == f["missing_lines"]
        assert lines["x"] == f["excluded_lines"]


def test_a_file_says_what_is_missing_and_who_ran_it(project):
    run(project, "-o", "out")
    page = page_of(project / "out", "src/app.py")
    said = {i[2] for i in page.these("small")}
    assert "line 22 didn't jump to line 23 because the condition on line 22 was never true" in said
    source = [i[2] for i in page.these("code") if i[2].startswith("def handler")]
    assert source == ["def handler(event, context=None):"]
    who = {i[1]["data-context"]: i[2] for i in page.these("tr") if "data-context" in i[1]}
    assert any("4f0e7b0a-9b7c-4e6e-8f57-0a1b2c3d4e5f" in text for text in who.values())
    assert any("2025/11/21/[7]abc" in text and "2025-11-21 04:40:00" in text for text in who.values())
    marks = [i[1]["data-c"] for i in page.all if "data-c" in i[1]]
    assert set(marks) == set(who)
    for c, text in who.items():
        assert text.endswith(str(marks.count(c)))
    other = page_of(project / "out", "src/pkg/util.py")
    assert "No function has imported this file." in [i[2] for i in other.these("p")]


def test_groups_of_who_ran_what(project):
    run(project, "-o", "out", "--by", "context")
    page = page_of(project / "out", "src/app.py")
    rows = {i[2]: i[1]["data-lines"].split() for i in page.these("tr") if "data-lines" in i[1]}
    (init,) = [v for k, v in rows.items() if k.startswith("init")]
    assert "1-2" in init and "4" in init and len(rows) == 2


def test_what_is_not_in_it_stands_on_the_index(project):
    run(project, "-o", "out")
    notes = Page((project / "out" / "index.html").read_text()).these("details", "notes")[0][2]
    assert "3 things are not in these numbers" in notes
    for text in ("source changed since api", "d/3.coverage", "it was <cut> off"):
        assert text in notes


def test_only_what_has_changed_is_written(project):
    out = project / "out"
    run(project, "-o", "out")
    assert (out / ".gitignore").read_text().endswith("*\n")
    for p in out.iterdir():
        os.utime(p, (1, 1))
    (out / "mine.txt").write_text("kept")
    (util,) = out.glob("src_pkg_util.py-*.html")
    (gone,) = out.glob("src_pkg___init__.py-*.html")
    util.write_text("damaged")
    write(project, {"src/pkg/__init__.py": "z = 1\n"})
    r = run(project, "-o", "out", "--exclude", "src/pkg/__init__.py")
    new = {p.name for p in out.iterdir() if p.stat().st_mtime > 1}
    # those beside the page that is gone have other neighbours
    assert {"index.html", util.name, "mine.txt", "status.json", "search.js"} <= new
    assert {"style.css", "report.js"}.isdisjoint(new)
    assert not [n for n in new if "_b_" in n]
    assert not gone.exists() and (out / "mine.txt").read_text() == "kept"
    assert "up to date" in r.stderr
    (out / "status.json").write_text('{"files": {"../d/1.coverage.html": "x", "style.css": [')
    run(project, "-o", "out")
    assert (project / "d" / "1.coverage").exists() and gone.exists()


def test_the_pages_script_is_no_source_of_a_function(tmp_path):
    source = "exports.handler = async () => {\n  return 1;\n};\n"
    template = TEMPLATE.replace("src/", ".").replace("python3.11", "nodejs20.x")
    write(tmp_path, {"template.yaml": template, "app.js": source})
    payload = json.dumps([["", 0, len(source), [0, len(source)], []]], separators=(",", ":"))
    record = text("/var/task/app.js") + text(sha(source)) + varint(1) + text(payload)
    write(tmp_path, {"d/1.coverage": coverage_object([record], runtime="nodejs20.x", language="nodejs")})
    for _ in range(2):
        run(tmp_path, "-o", "out", "--json-file", "r.json")
        assert list(json.loads((tmp_path / "r.json").read_text())["files"]) == ["app.js"]
    page = page_of(tmp_path / "out", "app.js")
    assert [i[1]["id"] for i in page.these("p", "r")] == ["L1", "L2"]
    assert "async" in [i[2] for i in page.these("b")]


def test_one_file(project):
    run(project, "--single-file", "-o", "all.html")
    text = (project / "all.html").read_text()
    page = Page(text)
    ids = page.ids()
    assert {"index", "functions", "classes", "contexts", "search"} < ids
    for link in page.these("a"):
        assert link[1]["href"][0] == "#" and link[1]["href"][1:] in ids
    assert not [i for i in page.all if "src" in i[1] or i[0] == "link" and i[1]["href"] != "data:,"]
    assert "<script>alert" not in text
    assert run(project, "--single-file", "-o", "-").stdout.startswith("<!doctype html>")
    run(project, "--to", "combined.html", action="combine")
    assert Page((project / "combined.html").read_text()).ids() == ids


def test_beside_other_formats_and_its_options(project):
    r = run(project, "--html", "out", "--title", "A <title>", "--skip-covered", action="report")
    assert "TOTAL" in r.stdout
    index = Page((project / "out" / "index.html").read_text())
    assert index.these("title")[0][2] == index.these("h1")[0][2] == "A <title>"
    assert "2 files are not shown" in index.these("section")[0][2]
    assert run(project, "-o", "-", check=False).returncode == 2
    write(project, {"file": ""})
    r = run(project, "-o", "file", check=False)
    assert r.returncode == 1 and "file: " in r.stderr


KEYS = r"""
addEventListener("load", () => {
  const key = k => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key: k, bubbles: true}));
  const at = () => [...document.querySelectorAll(".src p.cur > a")].map(a => a.textContent).join();
  const said = [];
  "1jk".split("").forEach(k => { key(k); said.push(at()); });
  ["r", "m"].forEach(k => { key(k); said.push(document.querySelector("[data-show=" + k + "]").ariaPressed); });
  document.querySelector("button.w").click();
  said.push(document.querySelector(".pop dd").textContent);
  document.querySelector(".pop button").click();
  said.push(document.querySelectorAll(".src p:not(.dim)").length);
  key("Escape"); said.push(document.querySelectorAll(".src p.dim").length);
  key("?"); said.push(document.querySelectorAll("dialog.help kbd").length > 10);
  document.documentElement.dataset.said = said.join(" ");
});
"""


def test_keys_in_a_browser(project, tmp_path):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if not browser:
        pytest.skip("there is no chromium")
    run(project, "-o", "out")
    (path,) = glob.glob(str(project / "out" / "src_app.py-*.html"))
    (project / "out" / "keys.js").write_text(KEYS)
    page = open(path).read()
    with open(path, "w") as f:
        f.write(page.replace("</head>", '<script src="keys.js"></script></head>'))
    r = subprocess.run(
        [browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--dump-dom",
         "--user-data-dir=%s/browser" % tmp_path, "file://" + path],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    said = re.search(r'data-said="([^"]*)"', r.stdout)
    assert said, r.stderr[-2000:]
    first, second, back, ran, missing, who, alone, dim, helped = said.group(1).split()
    assert first == "18,19" and second != first and back == first
    assert (ran, missing, who, dim, helped) == ("true", "false", "init", "0", "true")
    assert int(alone) == 14


def on_a_terminal(project, columns, *args):
    """What a terminal of that width shows, without its colours."""
    fd, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    env = dict(os.environ, TERM="xterm")
    env.pop("NO_COLOR", None)
    p = subprocess.Popen(
        [LAMINA, "coverage", "report", "--from", "d", *args],
        cwd=project, env=env, stdin=slave, stdout=slave, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(slave)
    out = b""
    try:
        while data := os.read(fd, 65536):
            out += data
    except OSError:  # the end of a terminal
        pass
    os.close(fd)
    assert p.wait() == 0
    return re.sub(r"\x1b\[[0-9;]*m", "", out.decode().replace("\r\n", "\n"))


def test_the_table_fits_a_terminal(project):
    long = "src/%s/a_module_with_a_name.py" % ("deep_" * 12)
    write(project, {long: "".join("def f%d():\n    return 1\n" % i for i in range(40))})
    write(project, {os.path.dirname(long) + "/__init__.py": ""})
    shown = on_a_terminal(project, 80, "-m")
    table = shown[shown.index("Name ") :].splitlines()
    assert max(map(len, table)) <= 80
    (at,) = [i for i, line in enumerate(table) if "a_module_with_a_name.py" in line]
    assert table[at][0] == "…" and table[at + 1].strip().startswith("1-80")
    wide = on_a_terminal(project, 200, "-m")
    assert long in wide and "█" in wide
    assert long in run(project, "-m", action="report").stdout
