"""Whether a score means what it says: of the texts with a score near s, a share of s should violate. Pure.

The share of violating texts among those measured matters: scores presume `heads.PREVALENCE`, and where another share violates,
part of the error is that difference.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from fairlead.statistics.intervals import wilson

BINS = 10
_RESAMPLES = 1_000
_AT_ONCE = 2_000_000


class Bin(Struct, frozen=True):
    """Texts with neighbouring scores: their number, mean score, and the share that violates with its 95 % interval."""

    n: int
    score: float
    share: float
    low: float
    high: float


class Interval(Struct, frozen=True):
    """A value between its 95 % bounds."""

    value: float
    low: float
    high: float


def bins(scores: Sequence[float], labels: Sequence[bool], count: int = BINS) -> tuple[Bin, ...]:
    """`count` bins of equal mass, as far as equal scores, which stay together, allow; an empty bin is left out.

    The lowest scores come first. Raises ValueError unless there are as many labels as scores.
    """
    found = []
    values, truth = np.asarray(scores, dtype=np.float64), np.asarray(labels, dtype=bool)
    at = _bin_of(values, truth, count)
    for number in np.unique(at):
        inside = at == number
        n, hits = int(inside.sum()), int(truth[inside].sum())
        found.append(Bin(n, float(values[inside].mean()), hits / n, *wilson(hits, n)))
    return tuple(found)


def calibration_error(scores: Sequence[float], labels: Sequence[bool], seed: int, count: int = BINS) -> Interval:
    """Expected calibration error: the mean over texts of their bin's |mean score − share violating|. Needs at least one text.

    Naeini, Cooper and Hauskrecht (AAAI 2015) with bins of equal mass, as in Nixon et al. (2019), "Measuring calibration in deep
    learning". The bins hold still while texts are resampled. Resampling adds error to error, so the interval is the basic
    bootstrap's, which takes that off again (Davison and Hinkley 1997, section 5.2), and is widened to hold the value. Where a
    bootstrap has no width, Wilson's interval stands in.
    """
    values, truth = np.asarray(scores, dtype=np.float64), np.asarray(labels, dtype=bool)
    at, n = _bin_of(values, truth, count), len(values)
    order = np.argsort(at, kind="stable")
    gaps, starts = (values - truth)[order], np.unique(at[order], return_index=True)[1]

    def error(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weights [..., n], in the order of the bins; gives [...]."""
        return np.asarray(np.abs(np.add.reduceat(weights * gaps, starts, axis=-1)).sum(axis=-1) / n)

    value = float(error(np.ones(n)))
    random, part = np.random.default_rng(seed), max(1, min(_RESAMPLES, _AT_ONCE // n))
    sizes = [min(part, _RESAMPLES - start) for start in range(0, _RESAMPLES, part)]
    drawn = [error(random.multinomial(n, np.full(n, 1 / n), size).astype(np.float64)) for size in sizes]
    near, far = np.percentile(np.concatenate(drawn), [2.5, 97.5])
    if far - near < 1e-12:
        return Interval(value, *wilson(min(n, round(value * n)), n))
    return Interval(value, max(0.0, min(value, 2 * value - float(far))), min(1.0, max(value, 2 * value - float(near))))


def _bin_of(values: NDArray[np.float64], truth: NDArray[np.bool_], count: int) -> NDArray[np.intp]:
    """The bin of each text, by the middle rank of its score: equal scores share a bin, whatever their order."""
    if values.shape != truth.shape:
        raise ValueError(f"{len(values)} scores and {len(truth)} labels: need one of each a text")
    _, which, sizes = np.unique(values, return_inverse=True, return_counts=True)
    middle = np.cumsum(sizes) - sizes / 2
    return np.asarray((middle * count // len(values))[which], dtype=np.intp)
