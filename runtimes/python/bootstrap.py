"""bootstrap.py - started for every python function, as /var/runtime/bootstrap.py is on AWS.

    python3.X -S /var/runtime/bootstrap.py

with the environment of a function (AWS_LAMBDA_RUNTIME_API, _HANDLER, LAMBDA_TASK_ROOT, ...).
-S saves 2 ms: what the site module would do is done here, as far as a function can see it.
With -I, or without either, it works the same.

Kept to a few lines because a script is compiled at every start; the modules beside it have
their byte code cached, when somebody who may write here has run `python3.X -m compileall`
before (3 ms of 11).
"""

import sys

# With -I or -S python leaves the folder of the script out.
if __file__.rpartition("/")[0] not in sys.path:
    sys.path.append(__file__.rpartition("/")[0])

import posix  # noqa: E402

if b"_LAMINA_SPARE_FD" in posix.environ:
    import _lamina_spare

    _lamina_spare.wait()
    del _lamina_spare

from _lamina_runtime import main  # noqa: E402

main()
