"""Groups of texts that are nearly the same, so that no group is on both sides of a split.

MinHash over shingles of five words, in bands (Broder 1997, section 3; Leskovec, Rajaraman and Ullman 2014, section 3.4): texts
that share a band are compared, and those whose shingles overlap by half or more (Jaccard) are joined.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fairlead.records.example import normal

ALIKE = 0.5
_WORDS = 5
_BANDS, _ROWS = 24, 3  # finds 96 % of the pairs that overlap by half, and nearly all that overlap by more
_PRIME = (1 << 31) - 1
_MOST = 2_000  # shingles of a text that are looked at


def near_groups(texts: Sequence[str]) -> NDArray[np.intp]:
    """A number [n] for each text; texts that are nearly the same, directly or through others, have the same one."""
    found = [shingles(text) for text in texts]
    draw = np.random.default_rng(0)
    factors, offsets = draw.integers(1, _PRIME, (2, _BANDS * _ROWS))
    parent = list(range(len(texts)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    first: dict[tuple[int, bytes], list[int]] = {}
    for index, mine in enumerate(found):
        least = ((np.fromiter(mine, np.int64)[:, None] * factors + offsets) % _PRIME).min(axis=0).reshape(_BANDS, _ROWS)
        for band, row in enumerate(least):
            others = first.setdefault((band, row.tobytes()), [])
            for other in others:
                if root(other) != root(index) and overlap(mine, found[other]) >= ALIKE:
                    parent[root(index)] = root(other)
            if len(others) < 8:  # what is like one of many equal texts is like the first of them
                others.append(index)
    return np.array([root(index) for index in range(len(texts))], dtype=np.intp)


def shingles(text: str) -> frozenset[int]:
    """Hashes of the runs of five words; of the whole text when it has fewer."""
    words = normal(text).split()
    runs = [" ".join(words[start : start + _WORDS]) for start in range(max(1, min(len(words) - _WORDS + 1, _MOST)))]
    return frozenset(zlib.crc32(run.encode("utf-8", "replace")) & _PRIME for run in runs)


def overlap(one: frozenset[int], other: frozenset[int]) -> float:
    """Jaccard's index of two sets, in [0, 1]."""
    return len(one & other) / len(one | other)
