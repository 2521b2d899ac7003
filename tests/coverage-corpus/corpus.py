"""corpus - runs the programs, for those who measure them.

Programs are the arguments; what they report on are the programs themselves, or, with CORPUS_PACKAGES,
the sources in that folder, from which the programs import.
"""

import os
import sys

PACKAGES = os.environ.get("CORPUS_PACKAGES")


def run(path):
    """None, or what it failed with: a syntax that this Python does not have."""
    with open(path, "rb") as f:
        source = f.read()
    namespace = {"__name__": "corpus", "__file__": path}
    try:
        exec(compile(source, path, "exec", dont_inherit=True), namespace)
    except Exception as e:
        return "%s: %s" % (type(e).__name__, e)
    return None


def prepare():
    """Imports what would otherwise be charged to the first program that needs it."""
    import asyncio  # noqa: F401
    import contextlib  # noqa: F401
    import warnings

    warnings.simplefilter("ignore")
    if PACKAGES:
        sys.path.insert(0, PACKAGES)


def folder(programs):
    return PACKAGES or os.path.dirname(programs[0])


def reported(programs):
    if not PACKAGES:
        return programs
    found = []
    for where, _, names in os.walk(PACKAGES):
        found += [os.path.join(where, name) for name in names if name.endswith(".py")]
    return sorted(found)
