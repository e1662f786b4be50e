"""Finding enciphered letters: all rotations of the alphabet, Atbash, and each of these backwards.

What a rotation would read like follows from the counts of the text's letter pairs: a cipher moves the counts to other places of
the same table. So one product of a matrix (a row for each cipher) with the vector of counts scores all of them, forwards and
backwards, whatever the length of the text. The best are then read with the trigram model, and the stretch of the text where the
cipher reads better than what stands there is the one with the largest sum of differences (J. Bentley, "Algorithm design
techniques", CACM 27(9), 1984), ends at white space, and is undone alone.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from fairlead.encodings.ciphers import MIRROR, REVERSED, rotation
from fairlead.judge.language import BITS, LETTERS, PAIRS, SIZE, SPACE, classes, likelihoods
from fairlead.judge.sample import WORDS
from fairlead.judge.span import Span

_WINDOW = 16  # characters
_STRANGE = -3.2  # nats a character, over a window: English stays above, but for names and the like
_REGIONS = 48
_REACH = 24
_SHORTEST = 10
_GAIN = 16.0  # nats over the whole stretch: a strange name gains up to about 12
_MEAN_GAIN = 0.7  # nats a character
_READABLE = -3.2
_NO_WORD = 24.0  # nats more, where no more words are known ones than before
_LATIN = 0.6  # of the characters are Latin letters

_NAMES = (*("" if by == 0 else f"rot{by}" for by in range(LETTERS)), "atbash")
_TABLES = (*(rotation(-by) for by in range(LETTERS)), MIRROR)
_ROWS = len(_NAMES)
_WORD = re.compile(r"[^\W\d_]+")
_LONGEST = 30
_UNKNOWN_AFTER = re.compile(r"[ ,.]{1,2}([A-Za-z]{1,30})(?![A-Za-z])")
_UNKNOWN_BEFORE = re.compile(r"(?<![A-Za-z])([A-Za-z]{1,28})[ ,.]{1,2}$")


def _permutations() -> NDArray[np.int32]:
    """For each cipher, the class that each class of a disguised text stands for."""
    letters = np.arange(LETTERS)
    found = np.tile(np.arange(SIZE, dtype=np.int32), (_ROWS, 1))
    for by in range(LETTERS):
        found[by, :LETTERS] = (letters - by) % LETTERS
    found[-1, :LETTERS] = letters[::-1]
    return found


def _scores() -> NDArray[np.float32]:
    """[cipher, pair]: first all forwards, then all backwards."""
    forwards = np.stack([PAIRS[np.ix_(order, order)] for order in _PERMUTATION])
    both: NDArray[np.float32] = np.concatenate([forwards, forwards.transpose(0, 2, 1)]).reshape(2 * _ROWS, SIZE * SIZE)
    return np.ascontiguousarray(both)


_PERMUTATION = _permutations()
_SCORES = _scores()


def strange(line: NDArray[np.int32]) -> list[tuple[int, int]]:
    """The stretches of `line`, which begins and ends with a space, that do not read like language: starts and ends."""
    if len(line) < _SHORTEST + 2:
        return []
    found = likelihoods(line)
    width = min(_WINDOW, len(found))
    sums = np.cumsum(found)
    sums[width:] -= sums[:-width].copy()
    poor = sums[width - 1 :] < _STRANGE * width
    if not poor.any():
        return []
    return _stretches(np.flatnonzero(poor), width, len(line))


def _stretches(starts: NDArray[np.intp], width: int, length: int) -> list[tuple[int, int]]:
    """Windows that are not far from each other are one stretch."""
    breaks = np.flatnonzero(np.diff(starts) > width + 2 * _REACH)
    if len(breaks) >= _REGIONS:
        return [(0, length)]
    firsts = starts[np.concatenate([[0], breaks + 1])]
    lasts = starts[np.concatenate([breaks, [len(starts) - 1]])]
    return [(int(first), min(length, int(last) + width + 2)) for first, last in zip(firsts, lasts, strict=True)]


def decipher(text: str, line: NDArray[np.int32], stretches: list[tuple[int, int]]) -> list[Span]:
    """The enciphered spans of `text` near the `stretches` of `line`, which are its classes between two spaces."""
    found = (_best(text, line, start, end) for start, end in stretches)
    return [span for span in found if span]


def _best(text: str, line: NDArray[np.int32], start: int, end: int) -> Span | None:
    inner = line[start:end]
    if (inner < LETTERS).mean() < _LATIN:
        return None
    pairs = np.bincount((inner[:-1] << BITS) | inner[1:], minlength=SIZE * SIZE).astype(np.float32)
    scores = _SCORES @ pairs
    start, end = max(0, start - _REACH), min(len(line), end + _REACH)
    region = line[start:end]
    plain = likelihoods(region)
    best, gain = None, _GAIN
    # Backwards, the pairs alone tell little: there the unrotated text has to be among the candidates.
    for row in dict.fromkeys((int(scores[1:_ROWS].argmax()) + 1, int(scores[_ROWS:].argmax()) + _ROWS, _ROWS)):
        turned = _PERMUTATION[row % _ROWS][region]
        read = likelihoods(turned) if row < _ROWS else likelihoods(turned[::-1])[::-1]
        at = _largest(read - plain)
        first, last = _whole_words(region, at[0] + 1, at[1] + 1)
        if at[2] > gain and _is_clear(read, plain, first, last):
            best, gain = (row, start + first, start + last), at[2]
    if best is None:
        return None
    row, first, last = best
    first, last = _widened(text, max(first - 1, 0), min(last - 1, len(text)))
    span = _span(text, row, first, last)
    return span if gain > _GAIN + _NO_WORD or _known(span.decoded) > _known(text[first:last]) else None


def _known(text: str) -> int:
    return sum(word in WORDS for word in _WORD.findall(text.lower()))


def _widened(text: str, first: int, last: int) -> tuple[int, int]:
    """The bounds moved outwards over words that are not known, which are part of it, to one that is or a mark between parts."""
    after = _UNKNOWN_AFTER.match(text, last)
    while after and after[1].lower() not in WORDS:
        last = after.end()
        after = _UNKNOWN_AFTER.match(text, last)
    before = _UNKNOWN_BEFORE.search(text, max(0, first - _LONGEST), first)
    while before and before[1].lower() not in WORDS:
        first = before.start(1)
        before = _UNKNOWN_BEFORE.search(text, max(0, first - _LONGEST), first)
    return first, last


def _is_clear(read: NDArray[np.float32], plain: NDArray[np.float32], first: int, last: int) -> bool:
    if last - first < _SHORTEST:
        return False
    there, here = read[first : last - 2].mean(), plain[first : last - 2].mean()
    return bool(there > _READABLE and there - here > _MEAN_GAIN)


def _largest(difference: NDArray[np.float32]) -> tuple[int, int, float]:
    """Start, end and sum of the stretch with the largest sum."""
    sums = np.concatenate([[0.0], np.cumsum(difference, dtype=np.float64)])
    rise = sums - np.minimum.accumulate(sums)
    end = int(rise.argmax())
    start = int(np.flatnonzero(sums[: end + 1] == sums[: end + 1].min())[-1])
    return start, end, float(rise[end])


def _whole_words(line: NDArray[np.int32], first: int, last: int) -> tuple[int, int]:
    """The bounds moved outwards to white space."""
    spaces = np.flatnonzero(line == SPACE)
    before, after = spaces[spaces <= first], spaces[spaces >= last - 1]
    return (int(before[-1]) + 1 if len(before) else 0), (int(after[0]) if len(after) else len(line))


def _span(text: str, row: int, first: int, last: int) -> Span:
    name, decoded = _NAMES[row % _ROWS], text[first:last].translate(_TABLES[row % _ROWS])
    if row < _ROWS:
        return Span(first, last, name, decoded)
    return Span(first, last, f"{name}+{REVERSED.name}".lstrip("+"), decoded[::-1])


def line_of(text: str) -> NDArray[np.int32]:
    """The classes of `text` between two spaces."""
    return classes(f" {text} ")
