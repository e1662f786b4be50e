"""95 % intervals of rates and paired differences."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Z95 = 1.959963984540054


def wilson(successes: int, n: int, z: float = Z95) -> tuple[float, float]:
    """Wilson's score interval of a rate, within [0, 1]; (0, 1) when n = 0.

    Wilson, Journal of the American Statistical Association 22 (1927). Unlike the textbook interval it has width at 0 and 100 %.
    Raises ValueError unless 0 <= successes <= n.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n}: need 0 <= successes <= n")
    if n == 0:
        return 0.0, 1.0
    rate = successes / n
    middle = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    # At the ends the bound is exact; rounding must not move it past the rate.
    low = 0.0 if successes == 0 else min(max(0.0, middle - half), rate)
    high = 1.0 if successes == n else max(min(1.0, middle + half), rate)
    return low, high


def clustered(clusters: Iterable[Sequence[bool]], resamples: int = 2000) -> tuple[float, float]:
    """95 % interval of a rate whose items come in clusters, by a bootstrap that draws whole clusters (percentile interval).

    Items of one cluster (the disguises of one request) are not independent; Wilson over items would be too narrow. The stream
    is fixed, so that the same counts give the same interval. Where every item has the same outcome a bootstrap has no width:
    there it is Wilson's interval over the clusters. Davison and Hinkley (1997), section 3.8.
    """
    rows = [(len(c), sum(c)) for c in clusters if c]
    items, hits = sum(n for n, _ in rows), sum(k for _, k in rows)
    if hits in (0, items):
        return wilson(len(rows) if hits else 0, len(rows))
    sizes, successes = np.array(rows, dtype=np.float64).T
    draws = np.random.default_rng(0).integers(len(rows), size=(resamples, len(rows)))
    low, high = np.percentile(successes[draws].sum(axis=1) / sizes[draws].sum(axis=1), [2.5, 97.5])
    return float(low), float(high)


def n_to_decide(rate: float, bar: float, z: float = Z95) -> int | None:
    """The n at which Wilson's interval around this rate no longer contains `bar`; None when the two are equal.

    The interval's ends solve (rate − p)² = z² p(1 − p) / n for p; here p is the bar and n the unknown.
    """
    if rate == bar:
        return None
    return max(1, math.ceil(z * z * bar * (1 - bar) / (rate - bar) ** 2 - 1e-9))


def difference(first: int, n_first: int, second: int, n_second: int) -> tuple[float, float]:
    """95 % interval of the rate `first` / `n_first` minus the rate `second` / `n_second` of other items, within [-1, 1].

    Newcombe, Statistics in Medicine 17 (1998) 873, method 10: both Wilson intervals put together. Raises ValueError unless
    both numbers of items are positive and 0 <= successes <= n.
    """
    if n_first < 1 or n_second < 1:
        raise ValueError(f"{n_first} and {n_second} items: a difference needs items on both sides")
    (low1, high1), (low2, high2) = wilson(first, n_first), wilson(second, n_second)
    rate1, rate2 = first / n_first, second / n_second
    low = rate1 - rate2 - math.hypot(rate1 - low1, high2 - rate2)
    high = rate1 - rate2 + math.hypot(high1 - rate1, rate2 - low2)
    return max(-1.0, low), min(1.0, high)


class Percentile(Struct, frozen=True):
    """A percentile with its 95 % interval; an end is None where so few values cannot bound it."""

    value: float
    low: float | None
    high: float | None


def percentile(values: Sequence[float], share: float) -> Percentile:
    """The smallest value that at least `share` of the values do not exceed, and order statistics as its interval.

    No shape of the distribution is assumed: how many values lie below a percentile is binomial (Conover, Practical
    Nonparametric Statistics, 3rd edition 1999, section 3.2). Raises ValueError without values or unless 0 < share < 1.
    """
    n = len(values)
    if n == 0 or not 0 < share < 1:
        raise ValueError(f"percentile {share} of {n} values: need values, and a share between 0 and 1")
    ordered = sorted(values)
    below = np.cumsum(_binomial(n, share))  # P(at most k of the values lie below), k from 0
    low = int(np.searchsorted(below, 0.025, side="right"))
    high = int(np.searchsorted(below, 0.975, side="left")) + 1
    return Percentile(
        ordered[max(1, math.ceil(share * n - 1e-9)) - 1],
        ordered[low - 1] if low else None,
        ordered[high - 1] if high <= n else None,
    )


def _binomial(n: int, share: float) -> NDArray[np.float64]:
    """The probabilities of 0 to n successes of n; logarithms, since the factorials overflow."""
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    k = np.arange(n + 1)
    return np.asarray(np.exp(logs[n] - logs[k] - logs[n - k] + k * math.log(share) + (n - k) * math.log1p(-share)))
