"""How well scores rank violations above the rest: average precision, recall at a false-positive rate, bootstrap intervals.

Ties are never broken: items with equal scores enter together, so a constant score earns the base rate and nothing more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

REPETITIONS = 1_000
_AT_ONCE = 2_000_000
_LOW, _HIGH = 2.5, 97.5


class Curve(NamedTuple):
    """Cumulative weight of positives and negatives at or above each distinct score, from the highest score down.

    The last axis runs over the distinct scores; axes before it are resamples, computed side by side.
    """

    positives: NDArray[np.float64]
    negatives: NDArray[np.float64]


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

    def curve(self, weights: NDArray[np.float64] | None = None) -> Curve:
        """The curve with each item, in sorted order, counted `weights` [..., items] times; once when None."""
        counts = np.ones(len(self.labels)) if weights is None else weights
        positives = np.cumsum(np.where(self.labels, counts, 0.0), axis=-1)[..., self._ends]
        negatives = np.cumsum(np.where(self.labels, 0.0, counts), axis=-1)[..., self._ends]
        return Curve(positives, negatives)


Statistic = Callable[[Curve], NDArray[np.float64]]


def average_precision(curve: Curve) -> NDArray[np.float64]:
    """Area under the precision-recall curve as a step function: Σ (Rₖ − Rₖ₋₁) Pₖ. No interpolation (it is too optimistic)."""
    flagged = curve.positives + curve.negatives
    precision = np.divide(curve.positives, flagged, out=np.zeros_like(flagged), where=flagged > 0)
    gained = np.diff(curve.positives, prepend=0.0, axis=-1)
    return np.asarray((gained * precision).sum(axis=-1) / curve.positives[..., -1])


def recall_at_fpr(curve: Curve, rate: float = 0.01) -> NDArray[np.float64]:
    """The highest recall at which no more than `rate` of the negatives are flagged; 0 where even the top score flags more."""
    allowed = curve.negatives <= rate * curve.negatives[..., -1:] + 1e-9
    # The negatives only grow along the curve, so the allowed scores are the first ones.
    best = np.where(allowed, curve.positives, 0.0).max(axis=-1)
    return np.asarray(best / curve.positives[..., -1])


def bootstrap(ranking: Ranking, statistic: Statistic, seed: int, repetitions: int = REPETITIONS) -> tuple[float, float]:
    """95 % percentile interval; positives and negatives are resampled apart, so that their numbers stay as they are."""
    random = np.random.default_rng(seed)
    size = len(ranking.labels)
    part = max(1, min(repetitions, _AT_ONCE // size))  # resamples side by side, within a bounded memory
    found = []
    for start in range(0, repetitions, part):
        weights = np.zeros((min(part, repetitions - start), size))
        for members in (np.flatnonzero(ranking.labels), np.flatnonzero(~ranking.labels)):
            weights[:, members] = random.multinomial(len(members), np.full(len(members), 1 / len(members)), len(weights))
        found.append(statistic(ranking.curve(weights)))
    low, high = np.percentile(np.concatenate(found), [_LOW, _HIGH])
    return float(low), float(high)
