"""Runs the corpus under coverage.py and writes down what that finds: a line of JSON a file.

    measure.py COVERAGE-DIRECTORY PROGRAM...

Started by `check` with the interpreter in question. All files run in this one process.
"""

import json
import sys

import corpus

# Those of coverage.py 7, for a coverage.py 6 as well.
EXCLUDE = [
    r"#\s*(pragma|PRAGMA)[:\s]?\s*(no|NO)\s*(cover|COVER)",
    r"^\s*(((async )?def .*?)?[\])]+(\s*->.*?)?:\s*)?\.\.\.\s*(#|$)",
    r"if (typing\.)?TYPE_CHECKING:",
]


def main():
    directory, programs = sys.argv[1], sys.argv[2:]
    sys.path.insert(0, directory)
    import coverage

    sys.path.remove(directory)
    corpus.prepare()
    include = [corpus.folder(programs) + "/*"]
    cov = coverage.Coverage(data_file=None, branch=True, include=include, config_file=False)
    cov.set_option("report:exclude_lines", EXCLUDE)
    cov.start()
    failures = {path: corpus.run(path) for path in programs}
    cov.stop()
    if corpus.PACKAGES and any(failures.values()):
        sys.exit(str(failures))
    data = cov.get_data()
    for path in corpus.reported(programs):
        row = {
            "path": path,
            "failure": failures.get(path),
            "lines": sorted(data.lines(path) or []),
            "arcs": [n for arc in sorted(data.arcs(path) or []) for n in arc],
        }
        try:
            found = cov._analyze(path)
        except coverage.CoverageException as e:
            row["error"] = str(e)
        else:
            row.update(numbers(found))
        print(json.dumps(row, sort_keys=True))


def numbers(found):
    return {
        "executed": sorted(found.statements - found.missing),
        "missing": sorted(found.missing),
        "excluded": sorted(found.excluded),
        "branches": found.numbers.n_branches,
        "partial": found.numbers.n_partial_branches,
        "missing_branches": pairs(found.missing_branch_arcs()),
        "executed_branches": pairs(found.executed_branch_arcs()),
        "percent": repr(float(found.numbers.pc_covered)),
        "display": found.numbers.pc_covered_str,
        "text": found.missing_formatted(branches=True),
    }


def pairs(arcs):
    return sorted([line, to] for line, ends in arcs.items() for to in ends)


if __name__ == "__main__":
    main()
