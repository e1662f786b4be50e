"""How well people agree, beyond chance."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence


def krippendorff_alpha(units: Sequence[Sequence[str]]) -> float | None:
    """Krippendorff's alpha for nominal values; `units` holds for each item what its raters said, in any number and order.

    1 is perfect agreement, 0 is chance. None when fewer than two ratings of one item exist, or all ratings are the same value:
    agreement beyond chance is then undefined. Krippendorff, Content Analysis (2004), section 11.3, by coincidences.
    """
    coincidences: defaultdict[tuple[str, str], float] = defaultdict(float)
    for values in units:
        if len(values) < 2:
            continue
        counts = Counter(values)
        for a, m in counts.items():
            for b, k in counts.items():
                coincidences[a, b] += m * (k - (a == b)) / (len(values) - 1)
    totals: defaultdict[str, float] = defaultdict(float)
    for (a, _), weight in coincidences.items():
        totals[a] += weight
    n = sum(totals.values())
    expected = n * n - sum(t * t for t in totals.values())
    if n <= 1 or expected == 0:
        return None
    observed = n - sum(weight for (a, b), weight in coincidences.items() if a == b)
    return 1 - (n - 1) * observed / expected
