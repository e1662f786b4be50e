"""Percentiles and differences of rates: published examples, binomial twins, and order."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.statistics.intervals import Percentile, difference, percentile


@pytest.mark.parametrize(
    ("counts", "bounds"),  # Newcombe (1998), table II, method 10, contrasts a, b and e
    [((56, 70, 48, 80), (0.0524, 0.3339)), ((9, 10, 3, 10), (0.1705, 0.8090)), ((5, 56, 0, 29), (-0.0381, 0.1926))],
)
def test_a_difference_is_as_published(counts: tuple[int, int, int, int], bounds: tuple[float, float]) -> None:
    assert difference(*counts) == pytest.approx(bounds, abs=5e-5)


@given(st.integers(1, 200), st.integers(1, 200), st.data())
def test_a_difference_turned_around_has_its_interval_turned_around(n: int, m: int, data: st.DataObject) -> None:
    k, j = data.draw(st.integers(0, n)), data.draw(st.integers(0, m))
    low, high = difference(k, n, j, m)
    assert -1 <= low <= k / n - j / m <= high <= 1
    assert difference(j, m, k, n) == pytest.approx((-high, -low))


def test_a_difference_needs_items_on_both_sides() -> None:
    with pytest.raises(ValueError, match="both sides"):
        difference(1, 2, 0, 0)


def test_the_median_of_a_hundred_lies_between_the_40th_and_the_61st() -> None:
    assert percentile([float(value) for value in range(100, 0, -1)], 0.5) == Percentile(50, 40, 61)


def test_few_values_leave_a_high_percentile_open_above() -> None:
    # 1 − 0.99ⁿ reaches 0.975 at n = 368.
    assert percentile(range(1, 368), 0.99).high is None
    assert percentile(range(1, 369), 0.99).high == 368
    assert percentile([7.0], 0.5) == Percentile(7, None, None)


@given(st.lists(st.floats(0, 1e3), min_size=1, max_size=60), st.sampled_from([0.01, 0.5, 0.9, 0.95, 0.99]))
def test_a_percentile_agrees_with_the_slow_binomial(values: list[float], share: float) -> None:
    n, found = len(values), percentile(values, share)
    below = [math.fsum(math.comb(n, i) * share**i * (1 - share) ** (n - i) for i in range(k + 1)) for k in range(n + 1)]
    ordered = sorted(values)
    low = max((rank for rank in range(1, n + 1) if below[rank - 1] <= 0.025), default=None)
    high = min((rank for rank in range(1, n + 1) if below[rank - 1] >= 0.975), default=None)
    assert found.low == (None if low is None else ordered[low - 1])
    assert found.high == (None if high is None else ordered[high - 1])
    assert sum(value <= found.value for value in values) >= share * n - 1e-9
    assert (found.low is None or found.low <= found.value) and (found.high is None or found.value <= found.high)


@pytest.mark.parametrize(("values", "share"), [([], 0.5), ([1.0], 0.0), ([1.0], 1.0)])
def test_a_percentile_needs_values_and_a_share(values: list[float], share: float) -> None:
    with pytest.raises(ValueError, match="percentile"):
        percentile(values, share)
