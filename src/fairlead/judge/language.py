"""How much a text reads like language: the mean log-likelihood of a character given the two before it.

The counts are from a short text of ours, two thirds of it English, the rest other languages in Latin letters. That is enough,
because two readings of the same text are compared: a disguised one and a decoded one. Letters count without case and without
accents. Trigrams fall back on pairs as in Witten and Bell's method with a constant in place of the number of types
(MacKay and Peto 1995, a hierarchical Dirichlet language model).

Scripts other than Latin have no counts. They get a likelihood a little below that of plain English, so that Chinese beats the
Base64 that hid it, and a Russian sentence beats the nonsense that replacing its look-alike letters makes of it.
"""

from __future__ import annotations

import unicodedata

import numpy as np
from numpy.typing import NDArray

from fairlead.judge.sample import ENGLISH, OTHERS

LETTERS = 26
SPACE, DIGIT, SIGN, OTHER = 26, 27, 28, 29
BITS = 5
SIZE = 1 << BITS

_KNOWN = 0x250  # the end of the Latin letters
_PAIR_PRIOR, _PRIOR = 2.0, 6.0
# A class of several characters says less of which one it is: the logarithm of how many are common.
_EMISSION = {DIGIT: -2.3, SIGN: -2.0}
_OTHER_INSIDE = -2.6  # between two characters of another script; plain English has a mean near -2.3
_OTHER_EDGE = -4.0  # from another script to a space or sign, and back
_MIXED = -9.0  # a Latin letter or digit beside a letter of another script
_UNREADABLE = -9.0


_STROKED = {"ı": "i", "ł": "l", "ø": "o", "ß": "s", "đ": "d"}  # no accent: they do not come apart


def _class_of(character: str) -> int:
    low = character.lower()
    base = unicodedata.normalize("NFKD", _STROKED.get(low, low))[0]
    if "a" <= base <= "z":
        return ord(base) - ord("a")
    if base.isspace():
        return SPACE
    return DIGIT if base.isdigit() else OTHER if base.isalpha() else SIGN


_CLASS = np.array([_class_of(chr(point)) for point in range(_KNOWN)] + [OTHER], dtype=np.int32)
_PUNCTUATION = (0x2000, 0x2070)


def classes(text: str) -> NDArray[np.int32]:
    """The class of each character: a letter in [0, `LETTERS`), or `SPACE`, `DIGIT`, `SIGN`, `OTHER`."""
    if text.isascii():
        ascii_classes: NDArray[np.int32] = _CLASS[np.frombuffer(text.encode(), dtype=np.uint8)]
        return ascii_classes
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    found: NDArray[np.int32] = _CLASS[np.minimum(points, _KNOWN)]
    found[(points >= _PUNCTUATION[0]) & (points < _PUNCTUATION[1])] = SIGN
    return found


def _counts(text: str, order: int) -> NDArray[np.float64]:
    line = classes(" ".join(text.split()))
    index = line[: len(line) - order + 1].astype(np.intp)
    for place in range(1, order):
        index = (index << BITS) | line[place : len(line) - order + 1 + place]
    return np.bincount(index, minlength=SIZE**order).reshape((SIZE,) * order).astype(np.float64)


def _tables() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The natural log-likelihoods of a pair's second and of a triple's third character."""
    text = ENGLISH + OTHERS
    single = _counts(text, 1) + 0.5
    pairs = _counts(text, 2) + _PAIR_PRIOR * single / single.sum()
    second = pairs / pairs.sum(axis=1, keepdims=True)
    triples = _counts(text, 3) + _PRIOR * second
    third = triples / triples.sum(axis=2, keepdims=True)
    pair, triple = np.log(second), np.log(third)
    for sort, less in _EMISSION.items():
        pair[:, sort] += less
        triple[:, :, sort] += less
    pair[SPACE, SPACE] = pair[SIGN, SIGN] = -2.0
    triple[SPACE, SPACE, :] = pair[SPACE, :]
    triple[:, SPACE, SPACE] = triple[:, SIGN, SIGN] = -2.0
    pair[OTHER, :] = pair[:, OTHER] = _OTHER_EDGE
    pair[OTHER, :LETTERS] = pair[:LETTERS, OTHER] = pair[OTHER, DIGIT] = pair[DIGIT, OTHER] = _MIXED
    pair[OTHER, OTHER] = _OTHER_INSIDE
    triple[OTHER, :, :] = pair
    triple[:, OTHER, :] = pair[OTHER]
    triple[:, :, OTHER] = pair[:, OTHER]
    return pair.astype(np.float32), triple.astype(np.float32)


PAIRS, _TRIPLES = _tables()
_FLAT = _TRIPLES.ravel()


def likelihoods(line: NDArray[np.int32]) -> NDArray[np.float32]:
    """The log-likelihood of each character of `line` (classes) from the third on."""
    found: NDArray[np.float32] = _FLAT.take((((line[:-2] << BITS) | line[1:-1]) << BITS) | line[2:])
    return found


def reading(text: str) -> float:
    """Mean natural log-likelihood of a character; near -2.3 for English, below -3.5 for most nonsense.

    The text is read as if it stood between spaces, so that short ones compare.
    """
    if not text:
        return _UNREADABLE
    return float(likelihoods(classes(f" {text} ")).mean())
