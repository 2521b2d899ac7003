"""_lamina_json - JSON as AWS's python runtimes read and write it.

The C halves of the standard library's json, without its python half: that one imports re,
which takes longer than the whole rest of a start. Differences to json.dumps: Decimal is
written as a number with all its digits, bytes as text, a named tuple as an object. NaN and
infinity come out as these words, which are no JSON.
"""

import sys
from marshal import dumps as _marshal

from _json import encode_basestring, encode_basestring_ascii, make_encoder, make_scanner

# Since python3.12 answers are UTF-8; before, everything beyond ASCII is escaped.
_encode_str = encode_basestring if sys.version_info >= (3, 12) else encode_basestring_ascii

_CONSTANTS = {"-Infinity": float("-inf"), "Infinity": float("inf"), "NaN": float("nan")}
_SPACE = " \t\n\r"


class _Options:
    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = _CONSTANTS.__getitem__


_scan = make_scanner(_Options)


def loads(text):
    try:
        value, end = _scan(text, len(text) - len(text.lstrip(_SPACE)))
        if not text[end:].strip(_SPACE):
            return value
    except Exception:  # even a SystemError: the scanner needs json loaded to say what is wrong
        pass
    import json

    return json.loads(text)


class _HasDecimal(Exception):
    pass


class _Number(str):
    """Text of a number on its way through an encoder that would quote it."""


def _encode_str_or_number(text):
    return str(text) if type(text) is _Number else _encode_str(text)


def _default_without_decimal(value):
    if type(value).__name__ == "Decimal":
        raise _HasDecimal
    return _default(value)


def _default(value):
    if isinstance(value, bytes):
        return value.decode("utf-8")
    decimal = sys.modules.get("decimal")
    if decimal and isinstance(value, decimal.Decimal):
        if value.is_nan():
            return float("nan")
        return _Number(value)
    if _is_named(value):
        return _without_names(value)
    raise TypeError("Object of type {} is not JSON serializable".format(type(value).__name__))


def _is_named(value):
    return callable(getattr(value, "_asdict", None))


def _without_names(value):
    """The same with named tuples as dicts: the encoder would write them as lists."""
    if isinstance(value, dict):
        return {key: _without_names(v) for key, v in value.items()}
    if _is_named(value):
        return {key: _without_names(v) for key, v in value._asdict().items()}
    if isinstance(value, (list, tuple)):
        return [_without_names(v) for v in value]
    return value


def _may_hold_names(value):
    """Asks the C code that writes byte code: it takes plain tuples only. Cheap beside encoding."""
    if not isinstance(value, (dict, list, tuple)):
        return False
    try:
        _marshal(value)
        return False
    except ValueError:
        return True


def _encode(value, default, encode_str):
    encoder = make_encoder({}, default, encode_str, None, ": ", ", ", False, False, True)
    return "".join(encoder(value, 0))


def dumps(value):
    if _may_hold_names(value):
        try:
            value = _without_names(value)
        except RecursionError:
            pass  # the encoder says what is wrong
    try:
        return _encode(value, _default_without_decimal, _encode_str)
    except _HasDecimal:
        return _encode(value, _default, _encode_str_or_number)


def dumps_ascii(value):
    """As bytes that fit into a header."""
    return _encode(value, _default, encode_basestring_ascii).encode("ascii")
