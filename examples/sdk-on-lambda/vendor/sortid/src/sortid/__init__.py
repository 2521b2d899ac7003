"""Unique ids that sort by the time they were made: 26 characters, 48 bits of milliseconds
and 80 random bits, in Crockford's base 32."""

import os
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new(now_ms=None):
    if now_ms is None:
        now_ms = time.time_ns() // 1000000
    value = now_ms << 80 | int.from_bytes(os.urandom(10), "big")
    return "".join(_ALPHABET[value >> shift & 31] for shift in range(125, -1, -5))


def time_ms(id):
    """The time an id was made at."""
    value = 0
    for c in id:
        value = value << 5 | _ALPHABET.index(c)
    return value >> 80
