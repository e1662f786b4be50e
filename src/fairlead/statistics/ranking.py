"""How well scores rank violations above the rest: average precision, recall at a false-positive rate, bootstrap intervals.

Ties are never broken: items with equal scores enter together, so a constant score earns the base rate and nothing more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

REPETITIONS = 1_000
_LOW, _HIGH = 2.5, 97.5


class Curve(NamedTuple):
    """Cumulative weight of positives and negatives at or above each distinct score, from the highest score down."""

    positives: NDArray[np.float64]
    negatives: NDArray[np.float64]
    thresholds: NDArray[np.float64]


class Ranking:
    """Labels and scores, sorted once. Items may be weighted, which is how a bootstrap resamples them without sorting again."""

    def __init__(self, labels: Sequence[bool], scores: Sequence[float]) -> None:
        """Raises ValueError unless there are as many labels as scores, no score is NaN, and both classes are there."""
        truth, values = np.asarray(labels, dtype=bool), np.asarray(scores, dtype=np.float64)
        if truth.shape != values.shape or truth.ndim != 1:
            raise ValueError(f"{truth.shape} labels and {values.shape} scores: need one of each an item")
        if np.isnan(values).any():
            raise ValueError("a score is NaN: give an item without a score the worst rank for its label")
        if truth.all() or not truth.any():
            raise ValueError(f"{int(truth.sum())} of {len(truth)} items are positive: a ranking needs both classes")
        order = np.argsort(-values, kind="stable")
        self.labels, scores_down = truth[order], values[order]
        self._ends = np.flatnonzero(np.append(scores_down[:-1] != scores_down[1:], True))
        self._thresholds = scores_down[self._ends]

    def curve(self, weights: NDArray[np.float64] | None = None) -> Curve:
        """The curve with each item, in sorted order, counted `weights` times; once when None."""
        counts = np.ones(len(self.labels)) if weights is None else weights
        positives = np.cumsum(np.where(self.labels, counts, 0.0))[self._ends]
        negatives = np.cumsum(np.where(self.labels, 0.0, counts))[self._ends]
        return Curve(positives, negatives, self._thresholds)


class OperatingPoint(NamedTuple):
    """`recall` when everything at or above `threshold` is flagged; nothing is flagged at infinity."""

    recall: float
    threshold: float


Statistic = Callable[[Curve], float]


def average_precision(curve: Curve) -> float:
    """Area under the precision-recall curve as a step function: Σ (Rₖ − Rₖ₋₁) Pₖ. No interpolation (it is too optimistic)."""
    flagged = curve.positives + curve.negatives
    precision = np.divide(curve.positives, flagged, out=np.zeros_like(flagged), where=flagged > 0)
    gained = np.diff(curve.positives, prepend=0.0)
    return float((gained * precision).sum() / curve.positives[-1])


def recall_at_fpr(curve: Curve, rate: float = 0.01) -> OperatingPoint:
    """The highest recall at which no more than `rate` of the negatives are flagged, and the threshold that gives it."""
    allowed = np.flatnonzero(curve.negatives <= rate * curve.negatives[-1] + 1e-9)
    if not len(allowed):
        return OperatingPoint(0.0, float("inf"))
    last = allowed[-1]
    return OperatingPoint(float(curve.positives[last] / curve.positives[-1]), float(curve.thresholds[last]))


def bootstrap(ranking: Ranking, statistic: Statistic, seed: int, repetitions: int = REPETITIONS) -> tuple[float, float]:
    """95 % percentile interval; positives and negatives are resampled apart, so that their numbers stay as they are."""
    random = np.random.default_rng(seed)
    found = np.empty(repetitions)
    weights = np.zeros(len(ranking.labels))
    for index in range(repetitions):
        for members in (np.flatnonzero(ranking.labels), np.flatnonzero(~ranking.labels)):
            weights[members] = np.bincount(random.integers(0, len(members), len(members)), minlength=len(members))
        found[index] = statistic(ranking.curve(weights))
    low, high = np.percentile(found, [_LOW, _HIGH])
    return float(low), float(high)
