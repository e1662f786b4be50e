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
from fairlead.judge.language import BITS, LETTERS, OTHER, PAIRS, SIZE, SPACE, classes, likelihoods
from fairlead.judge.sample import WORDS
from fairlead.judge.span import Span

_WINDOW = 20  # characters
_STRANGE = -3.3  # nats a character, over a window: English stays above, but for names and the like
_REGIONS = 48
_SMOOTH = np.full(7, 1 / 7, dtype=np.float32)
_REACH = 24
_SHORTEST = 10
_TRIED = 4
_MOST = 3.5  # nats that one character may gain: a name such as HGTTG is strange enough to read better as anything
_PAIR_GAIN = 8.0  # nats, by the pairs alone
_GAIN = 16.0  # nats over the whole stretch: a strange name gains up to about 12
_MEAN_GAIN, _LARGE = 0.5, 1.5  # nats a character
_READABLE, _ROUGH = -3.2, -3.7
# Nats more where no more words are known ones than before; strange words read better backwards more often than rotated.
_NO_WORD, _NO_WORD_BACKWARDS = 6.0, 24.0
_FOREIGN = 0.2  # of the characters are of other scripts

_NAMES = (*("" if by == 0 else f"rot{by}" for by in range(LETTERS)), "atbash")
_TABLES = (*(rotation(-by) for by in range(LETTERS)), MIRROR)
_ROWS = len(_NAMES)
_WORD = re.compile(r"[^\W\d_]+")
_NEXT = re.compile(r"[ ,.?!]{0,2} [ ,.?!]{0,2}([A-Za-z0-9'’-]+)")
_FARTHEST = 200
_SHORT_WORD = 3


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
    if (inner == OTHER).mean() > _FOREIGN or not (inner < LETTERS).any():
        return None
    scores = _SCORES @ _poor_pairs(inner)
    start, end = max(0, start - _REACH), min(len(line), end + _REACH)
    region = line[start:end]
    plain = likelihoods(region)
    best, gain = None, _GAIN
    # Backwards, the pairs alone tell little: there the unrotated text has to be among the candidates.
    for row in (_ROWS, *np.argpartition(scores, -_TRIED)[-_TRIED:].tolist()):
        if row == 0 or (row != _ROWS and scores[row] < scores[0] + _PAIR_GAIN):
            continue
        turned = _PERMUTATION[row % _ROWS][region]
        read = likelihoods(turned) if row < _ROWS else likelihoods(turned[::-1])[::-1]
        at = _largest(read - plain if row == _ROWS else np.minimum(read - plain, _MOST))
        if at[2] <= gain:
            continue
        first, last = _whole_words(region, at[0] + 1, at[1] + 1)
        if _is_clear(read, plain, first, last):
            best, gain = (row, start + first, start + last), at[2]
    if best is None:
        return None
    row, first, last = best
    first, last = _widened(text, *_narrowed(text, max(first - 1, 0), min(last - 1, len(text))))
    if last - first < _SHORTEST:
        return None
    span = _span(text, row, first, last)
    least = _GAIN + (_NO_WORD if row < _ROWS else _NO_WORD_BACKWARDS)
    return span if gain > least or _known(span.decoded) > _known(text[first:last]) else None


def _known(text: str) -> int:
    return sum(word in WORDS for word in _WORD.findall(text.lower()))


def _poor_pairs(line: NDArray[np.int32]) -> NDArray[np.float32]:
    """The counts of the pairs about which the text reads poorly: the words around a disguise would speak against undoing it."""
    found = likelihoods(line)
    around = np.convolve(found, _SMOOTH, "same") < _STRANGE
    index = ((line[:-2] << BITS) | line[1:-1])[around] if around.any() else (line[:-1] << BITS) | line[1:]
    return np.bincount(index, minlength=SIZE * SIZE).astype(np.float32)


def _narrowed(text: str, first: int, last: int) -> tuple[int, int]:
    """The bounds moved inwards over longer known words, which stand beside the disguise."""
    words = list(_WORD.finditer(text, first, last))
    strange = [match for match in words if len(match[0]) <= _SHORT_WORD or match[0].lower() not in WORDS]
    if not strange or len(strange) == len(words):
        return first, last
    inner_first = first if strange[0] is words[0] else strange[0].start()
    return inner_first, last if strange[-1] is words[-1] else strange[-1].end()


def _widened(text: str, first: int, last: int) -> tuple[int, int]:
    """The bounds moved outwards up to the last unknown word before two known ones, a longer known one or another mark."""
    return first - _reach(text[max(0, first - _FARTHEST) : first][::-1], backwards=True), last + _reach(
        text[last : last + _FARTHEST]
    )


def _reach(text: str, *, backwards: bool = False) -> int:
    reach = short = 0
    for match in _NEXT.finditer(text):
        word = (match[1][::-1] if backwards else match[1]).lower()
        if match.start() != (short or reach):
            break
        if word not in WORDS:
            reach, short = match.end(), 0
        elif short or len(word) > _SHORT_WORD:
            break
        else:
            short = match.end()
    return reach


def _is_clear(read: NDArray[np.float32], plain: NDArray[np.float32], first: int, last: int) -> bool:
    if last - first < _SHORTEST:
        return False
    there, here = read[first : last - 2].mean(), plain[first : last - 2].mean()
    return bool(there - here > _MEAN_GAIN and there > (_READABLE if there - here < _LARGE else _ROUGH))


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
