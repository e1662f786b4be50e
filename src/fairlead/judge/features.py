"""Hashed n-grams of a text: characters 3 to 5, words 1 and 2. No vocabulary, no state, the same numbers on every machine.

Every hash comes from one prefix sum. With S[i] the sum of c[j]·P^j over j < i, modulo 2^64, the polynomial hash of the
characters i to k is (S[k] − S[i])·P^(−i), which depends on the characters alone: P is odd and so has an inverse. All n-grams
and all words of a text then cost a few vector operations.

A text's vector holds 1/√n for each of its n grams of a kind (repeats add up), so its length is about one and no sorting or
counting is needed when scoring.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

BITS = 18
BUCKETS = 1 << BITS
MOST_CHARACTERS = 2_400

_CHARACTER_GRAMS = (3, 4, 5)
_P = 0x9E3779B97F4A7C15 | 1
_MASK = (1 << 64) - 1
_MIX = np.uint64(0xFF51AFD7ED558CCD)
_FIRST, _SECOND = np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(0x165667B19E3779F9)
_SALTS = {
    3: 0x1B873593CC9E2D51,
    4: 0x2545F4914F6CDD1D,
    5: 0x27D4EB2F165667C5,
    "word": 0x52DCE729DA3ED7B5,
    "pair": 0x38495AB5B7D1F3A9,
}


def _powers(base: int, count: int) -> NDArray[np.uint64]:
    powers = [1]
    for _ in range(count - 1):
        powers.append(powers[-1] * base & _MASK)
    return np.array(powers, dtype=np.uint64)


_POWER = _powers(_P, MOST_CHARACTERS + 2)
_INVERSE = _powers(pow(_P, -1, 1 << 64), MOST_CHARACTERS + 2)


class Grams(Struct, frozen=True):
    """Buckets in [0, BUCKETS), one for each gram; `words` holds single words and pairs."""

    characters: NDArray[np.intp]
    words: NDArray[np.intp]


def grams(text: str) -> Grams:
    """The grams of the first `MOST_CHARACTERS` of `text`, in lower case, with runs of white space as one space."""
    folded = f" {' '.join(text.lower().split())[:MOST_CHARACTERS]} "
    points = np.frombuffer(folded.encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)
    prefix = np.zeros(len(points) + 1, dtype=np.uint64)
    np.cumsum((points + np.uint64(1)) * _POWER[: len(points)], out=prefix[1:])
    characters = [
        _bucket((prefix[n:] - prefix[:-n]) * _INVERSE[: len(points) - n + 1], n) for n in _CHARACTER_GRAMS if len(points) >= n
    ]
    starts, ends = _word_bounds(points)
    words = (prefix[ends] - prefix[starts]) * _INVERSE[starts]
    pairs = words[:-1] * _FIRST + words[1:] * _SECOND
    empty = np.empty(0, dtype=np.intp)
    return Grams(
        np.concatenate([empty, *characters]),
        np.concatenate([_bucket(words, "word"), _bucket(pairs, "pair")]) if len(words) else empty,
    )


def _bucket(hashes: NDArray[np.uint64], kind: int | str) -> NDArray[np.intp]:
    mixed = (hashes ^ np.uint64(_SALTS[kind])) * _MIX
    mixed ^= mixed >> np.uint64(32)
    return ((mixed * _MIX) >> np.uint64(64 - BITS)).astype(np.intp)


def _word_bounds(points: NDArray[np.uint64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Starts and ends of the runs of ASCII letters and digits, and of anything beyond ASCII. The ends are exclusive."""
    letters = (points >= ord("a")) & (points <= ord("z"))
    digits = (points >= ord("0")) & (points <= ord("9"))
    inside = np.concatenate([[False], letters | digits | (points > 127), [False]]).astype(np.int8)
    steps = np.diff(inside)
    return np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
