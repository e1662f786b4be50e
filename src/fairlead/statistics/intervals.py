"""95 % intervals of rates and paired differences."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

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
