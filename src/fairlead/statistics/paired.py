"""Before and after on the same items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct


class Difference(Struct, frozen=True):
    """After minus before, with a 95 % interval over `clusters` independent items holding `n` pairs."""

    value: float
    low: float
    high: float
    n: int
    clusters: int


def paired_difference(pairs: Mapping[str, Sequence[tuple[bool, bool]]], seed: int, resamples: int = 2000) -> Difference | None:
    """The difference of two rates on the same items, by a bootstrap over clusters (percentiles 2.5 and 97.5).

    `pairs` maps each cluster (an item, with all its transforms) to its (before, after) pairs; whole clusters are drawn, since
    what belongs to one item is not independent. None when there is no pair. Efron and Tibshirani (1993), sections 8 and 13.3.
    The percentile interval has no width where nothing changed; there we widen it to the rule of three, ±3/clusters.
    """
    rows = [(len(p), sum(after - before for before, after in p)) for _, p in sorted(pairs.items()) if p]
    if not rows:
        return None
    sizes, changes = np.array(rows, dtype=np.float64).T
    value = float(changes.sum() / sizes.sum())
    if not changes.any():
        three = min(1.0, 3 / len(rows))
        return Difference(value, -three, three, int(sizes.sum()), len(rows))
    draws = np.random.default_rng(seed).integers(len(rows), size=(resamples, len(rows)))
    samples = changes[draws].sum(axis=1) / sizes[draws].sum(axis=1)
    low, high = np.percentile(samples, [2.5, 97.5])
    return Difference(value, float(low), float(high), int(sizes.sum()), len(rows))
