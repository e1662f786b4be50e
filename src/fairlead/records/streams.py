"""Random streams keyed by what they are for, never by the order in which somebody asked."""

from __future__ import annotations

import hashlib
import random


def key(seed: int, *names: str | int) -> int:
    """A 64-bit number that depends on `seed` and `names` alone."""
    text = "\x1f".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def stream(seed: int, *names: str | int) -> random.Random:
    """The stream of (seed, purpose, item, step): the same names give the same draws on every machine."""
    return random.Random(key(seed, *names))
