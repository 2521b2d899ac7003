"""_lamina_spare - an interpreter that was started before its function was known.

See runtimes/README.md for what it waits for. What comes after the wait must find the same world
as in any other start: nothing here may keep a clock, a random number, or the environment of before.
"""

import gc
import posix
import sys


def wait():
    """Returns when the environment is the function's."""
    fd = int(posix.environ.pop(b"_LAMINA_SPARE_FD"))
    is_zygote = posix.environ.pop(b"_LAMINA_ZYGOTE", None) is not None
    if posix.fstat(fd).st_mode & 0o170000 != 0o140000:
        return  # a variable of somebody else's
    # Set by the interpreter itself where the locale of LANG is missing (PEP 538).
    coerced = posix.environ.get(b"LC_CTYPE")
    import _lamina_rehearsal

    if is_zygote:
        items = _serve(_lamina_rehearsal)
    else:
        _lamina_rehearsal.rehearse()
        items = _read(fd)
    _use(items)
    if coerced is not None:
        sys.modules["os"].environb[b"LC_CTYPE"] = coerced
    if b"AWS_LAMBDA_EXEC_WRAPPER" in posix.environ:
        _cover()
    sys.modules.pop("_lamina_rehearsal", None)
    sys.modules.pop(__name__, None)


def _serve(rehearsal):
    folder = "/var/spare"
    sys.path.append(folder)
    import _lamina_zygote

    sys.path.remove(folder)
    sys.path_importer_cache.pop(folder, None)
    for _ in range(rehearsal.TIMES):
        rehearsal.rehearse()
    # Nobody's, but not freed either: each child would write to all that these consist of.
    names = "_lamina_zygote", "_lamina_rehearsal", __name__
    _lamina_zygote.kept = [sys.modules.pop(name) for name in names]
    posix.environ.clear()
    sys.modules["_lamina_runtime"].streams_are_set = False  # those were not the children's
    sys.modules["_lamina_client"].settle = _lamina_zygote.settle
    gc.collect()
    gc.freeze()  # or the first collection would copy every page that it looks at
    _lamina_zygote.fill()
    return _lamina_zygote.serve(rehearsal.prepare, rehearsal.rehearse)


def _read(fd):
    """Without a zygote: the message itself."""

    def take(size):
        data = b""
        while len(data) < size:
            part = posix.read(fd, size - len(data))
            if not part:
                posix._exit(0)  # nobody wants us
            data += part
        return data

    folder, *items, _ = take(int.from_bytes(take(4), "little")).split(b"\0")
    posix.close(fd)
    posix.chdir(folder)
    for name in list(posix.environ) + [b"_LAMINA_SPARE_FD"]:
        posix.unsetenv(name)
    for item in items:
        name, _, value = item.partition(b"=")
        posix.putenv(name, value)
    return items


def _use(items):
    environ = {}
    for item in items:
        name, _, value = item.partition(b"=")
        environ[name] = value
    for known in posix.environ, sys.modules["os"].environ._data:
        known.clear()
        known.update(environ)


def _cover():
    """What the coverage layer's wrapper and its sitecustomize.py do: the platform has compared them
    with its own, and started this interpreter with its site module."""
    folder = "/opt/lamina/coverage"
    site = sys.modules["site"]
    if site.ENABLE_USER_SITE:  # so far they were those of whom the zygote runs as
        site.USER_BASE = site.USER_SITE = None
        site.getusersitepackages()
    sys.path.insert(0, folder)
    try:
        import _lamina_coverage
    except ImportError as e:
        text = str(e).replace("\\", "/").replace('"', "'")
        line = (
            '{"level": "ERROR", "logger": "lamina-coverage", "operation": "start", "message": '
            '"coverage is off: the tracer does not load into this Python: %s"}\n' % text
        )
        posix.write(2, line.encode())
    else:
        _lamina_coverage.start()
    sys.path.remove(folder)
    sys.path_importer_cache.pop(folder, None)
