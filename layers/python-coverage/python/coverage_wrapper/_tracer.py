"""_tracer - the extension module that counts: found, begun when nobody has, asked."""

import os
import sys

DIRECTORY = "/tmp/.lamina-coverage"


def layer_dir():
    """lamina/coverage/ beside python/: what the exec wrapper adds to the path."""
    here = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return os.path.join(here, "lamina", "coverage")


def directory():
    return os.environ.get("LAMINA_COVERAGE_DIR") or DIRECTORY


def module():
    """_lamina_coverage, or None where it is not."""
    loaded = sys.modules.get("_lamina_coverage")
    if loaded is not None:
        return loaded
    from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader
    from importlib.util import module_from_spec, spec_from_file_location

    path = os.path.join(layer_dir(), "_lamina_coverage.abi3.so")
    if not os.path.exists(path) or not any(path.endswith(s) for s in EXTENSION_SUFFIXES):
        return None
    try:
        loader = ExtensionFileLoader("_lamina_coverage", path)
        spec = spec_from_file_location("_lamina_coverage", path, loader=loader)
        loaded = module_from_spec(spec)
        loader.exec_module(loaded)
    except ImportError:
        return None
    sys.modules["_lamina_coverage"] = loaded
    return loaded


def status():
    """What the tracer says of itself: at least "active", and "error" when it is not."""
    tracer = module()
    if tracer is None:
        return {"active": False, "error": "the layer's tracer is not here"}
    told = dict(tracer.status())
    told.setdefault("active", False)
    return told


def is_active():
    """The same as status()["active"], which walks through all that was counted."""
    tracer = module()
    return tracer is not None and bool(tracer.active())


def begin(options=None):
    """Counting goes on; True when it was begun by this call."""
    tracer = module()
    if tracer is None or tracer.active():
        return False
    return bool(tracer.start(None, options or None))


def end():
    tracer = module()
    if tracer is not None:
        tracer.stop()


def has_shipper():
    """Whether the layer's extension sends what is counted; it makes this FIFO before the runtime
    starts."""
    return os.path.exists(os.path.join(directory(), "done"))


def tells_done():
    """Whether the tracer writes into the FIFO when an invocation has returned."""
    from . import _arena

    path = _arena.find(directory(), os.getpid())
    if path is None:
        return False
    with open(path, "rb") as f:
        return bool(_arena.header(f.read(1024))["flags"] & _arena.DONE)
