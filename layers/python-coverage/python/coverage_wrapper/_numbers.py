"""_numbers - from what was executed to coverage.py's figures and its JSON.

With a source, the layer's analyse.py says what could have been executed; without one, the lines for
which the compiler made code, which the function sent along, stand for its statements.
"""

import os
import time

from . import _object, _tracer

_ANALYSE = []


def _analyser():
    """(module, exclude, partial), loaded once; None where the script is not."""
    if not _ANALYSE:
        from importlib.util import module_from_spec, spec_from_file_location

        path = os.path.join(_tracer.layer_dir(), "analyse.py")
        if not os.path.exists(path):
            _ANALYSE.append(None)
            return None
        spec = spec_from_file_location("_lamina_analyse", path)
        script = module_from_spec(spec)
        spec.loader.exec_module(script)
        _ANALYSE.append((script, script.joined(script.EXCLUDE), script.joined(script.PARTIAL)))
    return _ANALYSE[0]


def _pairs(flat):
    return list(zip(flat[::2], flat[1::2]))


def _measured(found, arcs, first):
    """The measured arcs, in the analysis's words: see numbers.c."""

    def line(n):
        return -first.get(-n, -n) if n < 0 else first.get(n, n)

    arcs, instead, none = {(line(a), line(b)) for a, b in arcs}, set(), set()
    for flat in found["withs"]:
        pairs = _pairs(flat)
        if pairs[0] in arcs:
            instead.add(pairs[1])
            none.update(pairs[2:])
    return (arcs | instead) - none


def _concluded(found, executed):
    """Arcs that were taken when their end was run, or their begin."""
    sure = zip(_pairs(found["arcs"]), found["sure"])
    return {arc for arc, which in sure if which and arc[which == 1] in executed}


def _with_source(found, hits):
    statements, excluded, no_branch = (
        _object.lines_of(bytes.fromhex(found[k])) for k in ("statements", "excluded", "no_branch")
    )
    first = {}
    for begin, end in _pairs(found["spans"]):
        for line in range(begin, end + 1):
            first[line] = begin
    executed = {first.get(n, n) for n in hits["lines"]} & statements
    exits = {}
    for begin, end in _pairs(found["arcs"]):
        if begin > 0 and begin not in excluded and end not in excluded:
            exits.setdefault(begin, []).append((begin, end))
    possible = {arc for arcs in exits.values() if len(arcs) > 1 for arc in arcs}
    measured = _measured(found, hits["arcs"], first) | _concluded(found, executed)
    taken = measured & possible
    lost = {a for a in possible - taken if a[0] not in no_branch}
    return statements, executed, excluded, taken, lost, len(possible)


def _percent(part, whole):
    return 100.0 * part / whole if whole else 100.0


def _display(percent):
    if 0 < percent < 1:
        return "1"
    if 99 < percent < 100:
        return "99"
    return "%.0f" % percent


def _summary(n, branches):
    out = {
        "covered_lines": n["executed"],
        "num_statements": n["statements"],
        "percent_covered": 100.0,
        "percent_covered_display": "100",
        "missing_lines": n["statements"] - n["executed"],
        "excluded_lines": n["excluded"],
    }
    part, whole = n["executed"], n["statements"]
    of_lines = _percent(part, whole)
    out["percent_statements_covered"] = of_lines
    out["percent_statements_covered_display"] = _display(of_lines)
    if branches:
        out["num_branches"] = n["branches"]
        out["num_partial_branches"] = n["partial"]
        out["covered_branches"] = n["branches"] - n["lost"]
        out["missing_branches"] = n["lost"]
        of_branches = _percent(n["branches"] - n["lost"], n["branches"])
        out["percent_branches_covered"] = of_branches
        out["percent_branches_covered_display"] = _display(of_branches)
        part, whole = part + n["branches"] - n["lost"], whole + n["branches"]
    out["percent_covered"] = _percent(part, whole)
    out["percent_covered_display"] = _display(out["percent_covered"])
    return out


def file_report(hits, source, branches):
    """(part of coverage.py's JSON, counts, "sources" or "raw_lines", error or None)."""
    error, found, analyser = None, None, _analyser()
    if source is not None and analyser is not None:
        script, exclude, partial = analyser
        found = script.analyse(source, exclude, partial)
        if "error" in found:
            error, found = "line %d: %s" % (found["line"], found["error"]), None
    if found is not None:
        statements, executed, excluded, taken, lost, possible = _with_source(found, hits)
    else:
        statements = set(hits["raw"]) or set(hits["lines"])
        executed, excluded = set(hits["lines"]) & statements, set()
        taken, lost, possible = set(), set(), 0
    counts = {
        "statements": len(statements),
        "executed": len(executed),
        "excluded": len(excluded),
        "branches": possible,
        "lost": len(lost),
        "partial": sum(1 for a in lost if a[0] in executed),
    }
    report = {
        "executed_lines": sorted(executed),
        "summary": _summary(counts, branches),
        "missing_lines": sorted(statements - executed),
        "excluded_lines": sorted(excluded),
    }
    if branches:
        report["executed_branches"] = [list(a) for a in sorted(taken)]
        report["missing_branches"] = [list(a) for a in sorted(lost)]
    return report, counts, "raw_lines" if found is None else "sources", error


def document(files, branches):
    """coverage.py's JSON, format 3, of [(name, report, counts)]."""
    total = {}
    for _, _, counts in files:
        for key, n in counts.items():
            total[key] = total.get(key, 0) + n
    keys = ("statements", "executed", "excluded", "branches", "lost", "partial")
    return {
        "meta": {
            "format": 3,
            "version": "7.0",
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S"),
            "branch_coverage": branches,
            "show_contexts": False,
        },
        "files": {name: report for name, report, _ in files},
        "totals": _summary({k: total.get(k, 0) for k in keys}, branches),
    }
