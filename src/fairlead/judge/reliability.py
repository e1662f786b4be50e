"""Whether a score means what it says: of the texts with a score near s, a share of s should violate. Pure.

The share of violating texts among those measured matters: scores presume `heads.PREVALENCE`, and where another share violates,
part of the error is that difference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from fairlead.statistics.intervals import Z95, wilson

BINS = 10


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


def calibration_error(scores: Sequence[float], labels: Sequence[bool], count: int = BINS) -> Interval:
    """Expected calibration error: the mean over texts of their bin's |mean score − share violating|. Needs at least one text.

    Naeini, Cooper and Hauskrecht (AAAI 2015) with bins of equal mass, as in Nixon et al. (2019), "Measuring calibration in deep
    learning". Chance alone makes gaps: a calibrated judge has an error above zero on few texts, and a bootstrap adds chance to
    chance (its intervals held the truth in about half of trials). With e_b the chance error of a bin's part of the sum, ECE ≥
    value − Σ|e_b|, so the lower end takes off what chance makes of no gap at all. With s_b the signs of the true gaps, ECE ≤
    value − Σ s_b e_b, which chance moves by its standard error alone. The variance of a bin's share is Agresti and Coull's,
    never zero; scores are given.
    """
    found = bins(scores, labels, count)
    sizes = np.array([one.n for one in found], dtype=np.float64)
    shares = np.array([one.share for one in found])
    total = sizes.sum()
    value = float((sizes * np.abs([one.score - one.share for one in found])).sum() / total)
    adjusted = (sizes * shares + 2) / (sizes + 4)
    errors = np.sqrt(sizes * adjusted * (1 - adjusted)) / total  # of each bin's part of the sum
    spread = math.sqrt((errors**2).sum())
    # The mean of |e| is √(2/π) of its deviation, and its variance 1 − 2/π of its variance.
    chance = math.sqrt(2 / math.pi) * float(errors.sum()) + Z95 * math.sqrt(1 - 2 / math.pi) * spread
    return Interval(value, max(0.0, value - chance), min(1.0, value + Z95 * spread))


def _bin_of(values: NDArray[np.float64], truth: NDArray[np.bool_], count: int) -> NDArray[np.intp]:
    """The bin of each text, by the middle rank of its score: equal scores share a bin, whatever their order."""
    if values.shape != truth.shape:
        raise ValueError(f"{len(values)} scores and {len(truth)} labels: need one of each a text")
    _, which, sizes = np.unique(values, return_inverse=True, return_counts=True)
    middle = np.cumsum(sizes) - sizes / 2
    return np.asarray((middle * count // len(values))[which], dtype=np.intp)
