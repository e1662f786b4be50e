"""Wilson's interval and the three-valued gate, against numbers worked by hand and a slow twin."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.statistics.gate import GateOutcome, read_gate
from fairlead.statistics.intervals import Z95, n_to_decide, wilson


def test_golden_intervals() -> None:
    """By hand: 0 of 10 has high = z²/(10+z²) = 3.8415/13.8415; 8 of 10 from Wilson's formula; 10 of 10 mirrors 0 of 10."""
    assert wilson(0, 10) == pytest.approx((0.0, 0.277533), abs=1e-6)
    assert wilson(10, 10) == pytest.approx((0.722467, 1.0), abs=1e-6)
    assert wilson(8, 10) == pytest.approx((0.490162, 0.943318), abs=1e-6)
    assert wilson(0, 0) == (0.0, 1.0)


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_bounds_solve_the_score_equation(counts: tuple[int, int]) -> None:
    """The slow definition: the rates p at which |successes/n - p| equals z standard errors *of p*."""
    successes, n = counts
    low, high = wilson(successes, n)
    assert 0 <= low <= successes / n <= high <= 1
    for bound, exact in ((low, successes == 0), (high, successes == n)):
        if not exact:
            assert abs(successes / n - bound) == pytest.approx(Z95 * (bound * (1 - bound) / n) ** 0.5, abs=1e-9)


@pytest.mark.parametrize(("successes", "n"), [(-1, 3), (4, 3)])
def test_impossible_counts_are_refused(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match="need 0 <= successes <= n"):
        wilson(successes, n)


@given(st.integers(0, 20), st.floats(0.02, 0.98))
def test_the_n_needed_is_where_the_interval_leaves_the_bar(twentieths: int, bar: float) -> None:
    """Multiples of 20 near the n needed: beyond it the bar lies outside the interval, before it inside."""
    n = n_to_decide(twentieths / 20, bar)
    if n is None or n > 100_000:
        return
    for size, outside in ((-(-n // 20) * 20, True), ((n - 1) // 20 * 20, False)):
        if size:
            low, high = wilson(twentieths * size // 20, size)
            assert (bar <= low + 1e-9 or bar >= high - 1e-9) is outside or size == n


def test_the_n_needed_by_hand() -> None:
    """A perfect result against 0.95: z² · 0.95 / 0.05 = 72.99. At the bar itself no n decides."""
    assert n_to_decide(1.0, 0.95) == 73
    assert n_to_decide(0.0, 0.05) == 73
    assert n_to_decide(0.9, 0.8) == 62  # 3.8415 * 0.16 / 0.01 = 61.46
    assert n_to_decide(0.8, 0.8) is None


def test_a_gate_is_held_missed_or_undecided() -> None:
    assert read_gate(100, 0, 0, 0.95, at_least=True).outcome is GateOutcome.HELD
    assert read_gate(10, 0, 0, 0.95, at_least=True).outcome is GateOutcome.UNDECIDED
    assert read_gate(10, 0, 0, 0.95, at_least=True).n_needed == 73
    assert read_gate(80, 20, 0, 0.95, at_least=True).outcome is GateOutcome.MISSED
    assert read_gate(0, 0, 0, 0.95, at_least=True).outcome is GateOutcome.UNDECIDED
    assert read_gate(200, 0, 0, 0.02, at_least=False).outcome is GateOutcome.HELD
    assert read_gate(80, 20, 0, 0.02, at_least=False).outcome is GateOutcome.MISSED


@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 60), st.floats(0.05, 0.95), st.booleans())
def test_what_could_not_be_assessed_never_helps(good: int, bad: int, unknown: int, bar: float, at_least: bool) -> None:
    order = [GateOutcome.MISSED, GateOutcome.UNDECIDED, GateOutcome.HELD]
    with_unknown = read_gate(good, bad, unknown, bar, at_least=at_least)
    as_good = read_gate(good + unknown, bad, 0, bar, at_least=at_least)
    as_bad = read_gate(good, bad + unknown, 0, bar, at_least=at_least)
    assert order.index(with_unknown.outcome) <= order.index(as_good.outcome)
    assert with_unknown.outcome is as_bad.outcome
