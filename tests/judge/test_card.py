"""Figures of the card, by hand; what could not be assessed counts in nobody's favour."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fairlead.judge.card import Judged, card
from fairlead.records.figure import Figure
from fairlead.records.verdict import Outcome, RuleVerdict, Verdict
from fairlead.statistics.intervals import wilson

V, A, U = Outcome.VIOLATES, Outcome.ALLOWED, Outcome.UNDETERMINED


def figures(items: list[Judged]) -> dict[str, Figure]:
    return {figure.name.removeprefix("r."): figure for figure in card("r", items, 5, "judge/test")}


def test_the_card_by_hand() -> None:
    items = [
        Judged(True, 0.9, V),
        Judged(False, 0.8, V),
        Judged(True, 0.7, A),
        Judged(False, 0.6, A),
        Judged(False, 0.5, U),
        Judged(True, None, U, failed=True),
    ]
    found = figures(items)
    # The failed positive ranks last: precision 1, 2/3 and 3/6 where the positives stand.
    assert found["auprc"].value == pytest.approx((1 + 2 / 3 + 3 / 6) / 3)
    assert found["recall_at_1pct_fpr"].value == pytest.approx(1 / 3)
    assert (found["sensitivity"].value, found["sensitivity"].n) == (0.5, 2)
    assert (found["specificity"].value, found["specificity"].n) == (0.5, 2)
    assert found["coverage"].value == pytest.approx(4 / 6)
    # Five scores, each in a bin of its own: gaps of 0.1, 0.8, 0.3, 0.6 and 0.5.
    assert (found["calibration_error"].value, found["calibration_error"].n) == (pytest.approx(2.3 / 5), 5)
    assert (found["auprc"].n, found["recall_at_1pct_fpr"].n) == (6, 3)
    assert (found["sensitivity"].low, found["sensitivity"].high) == wilson(1, 2)
    assert {figure.errors for figure in found.values()} == {1}
    assert {figure.judge for figure in found.values()} == {"judge/test"}


def test_a_failed_negative_ranks_first() -> None:
    found = figures([Judged(True, 0.9, V), Judged(False, None, U, failed=True)])
    assert found["auprc"].value == 0.5
    assert found["recall_at_1pct_fpr"].value == 0.0


def test_one_class_gives_no_ranking() -> None:
    found = figures([Judged(True, 0.9, V)] * 3)
    assert found["auprc"].value is None and found["specificity"].value is None
    assert found["sensitivity"].value == 1.0


def test_nothing_gives_no_rates() -> None:
    assert {figure.value for figure in figures([]).values()} == {None}


def test_a_perfect_ranking_still_has_an_interval() -> None:
    found = figures([*[Judged(True, 0.9, V)] * 10, *[Judged(False, 0.1, A)] * 10])
    assert (found["auprc"].value, found["auprc"].high) == (1.0, 1.0)
    assert found["auprc"].low == pytest.approx(wilson(10, 10)[0])


@settings(max_examples=30)  # each draws thousands of samples
@given(
    st.lists(
        st.builds(Judged, st.booleans(), st.none() | st.floats(0, 1), st.sampled_from(Outcome), st.booleans()), max_size=12
    )
)
def test_every_value_lies_within_bounds(items: list[Judged]) -> None:
    assume(items)
    for figure in figures(items).values():
        assert figure.value is None or (figure.low is not None and figure.high is not None)
        assert figure.value is None or 0 <= figure.value <= 1
        assert figure.low is None or figure.high is None or 0 <= figure.low <= figure.high <= 1


def test_a_verdict_without_the_rule_is_undetermined() -> None:
    said = Verdict((RuleVerdict("other", "d", V, 0.9),), "judge/test")
    assert Judged.of(said, "r", True) == Judged(True, None, U)
    assert Judged.of(said, "other", False) == Judged(False, 0.9, V)
    failed = Verdict((), "judge/test", error="x")
    assert Judged.of(failed, "r", True).failed
