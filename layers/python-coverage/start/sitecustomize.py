"""sitecustomize - begins to count before anything else runs.

Python imports it because the folder is in PYTHONPATH, by /opt/lamina-coverage. PYTHONPATH is put
back at once: where it is set, AWS's bootstrap leaves the folders of layers out of sys.path.
"""


def _begin():
    import os
    import sys

    here = os.path.dirname(os.path.abspath(__file__))
    env = os.environ
    before = env.get("LAMINA_COVERAGE_PYTHONPATH")
    if before is not None and "LAMINA_COVERAGE_CHILD" not in env:
        del env["LAMINA_COVERAGE_PYTHONPATH"]
        if before:
            env["PYTHONPATH"] = before[1:]
        else:
            env.pop("PYTHONPATH", None)
    try:
        import _lamina_coverage
    except ImportError as e:
        # (One of several interpreters in a process is counted, the first.)
        if "subinterpreters" not in str(e):
            os.write(
                2,
                (
                    '{"level": "ERROR", "logger": "lamina-coverage", "operation": "start", '
                    '"message": "coverage is off: the tracer does not load into this Python: %s"}\n'
                    % str(e).replace("\\", "/").replace('"', "'")
                ).encode(),
            )
    else:
        _lamina_coverage.start()
    sys.path[:] = [p for p in sys.path if p != here]
    sys.path_importer_cache.pop(here, None)


def _next():
    # Only the first sitecustomize is imported: whose place this one took has its turn.
    import sys
    from _frozen_importlib import module_from_spec
    from _frozen_importlib_external import PathFinder

    spec = PathFinder.find_spec("sitecustomize")
    if spec is None or spec.loader is None:
        # So that none is to be seen: the site module takes this for "there is none".
        raise ImportError("there is no other", name="sitecustomize")
    module = sys.modules["sitecustomize"] = module_from_spec(spec)
    spec.loader.exec_module(module)


_begin()
_next()
