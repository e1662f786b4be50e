"""Calibration error and reliability bins: by hand, against a slow twin, and invariant where they should be."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.judge.reliability import bins, calibration_error
from fairlead.statistics.intervals import wilson

PAIRS = st.lists(st.tuples(st.sampled_from([0.0, 0.01, 0.2, 0.5, 0.51, 0.9, 1.0]) | st.floats(0, 1), st.booleans()), min_size=1)


def error(pairs: list[tuple[float, bool]], count: int = 10) -> float:
    return calibration_error([score for score, _ in pairs], [label for _, label in pairs], count).value


def test_two_bins_by_hand() -> None:
    scores, labels = [0.1, 0.9, 0.3, 0.7], [False, True, True, True]
    low, high = bins(scores, labels, 2)
    assert (low.n, low.score, low.share) == (2, pytest.approx(0.2), 0.5)
    assert (high.n, high.score, high.share) == (2, pytest.approx(0.8), 1.0)
    assert (low.low, low.high) == wilson(1, 2)
    # Gaps of 0.3 and 0.2, each over half of the texts.
    assert calibration_error(scores, labels, 2).value == pytest.approx(0.25)


def test_distinct_scores_fill_ten_bins_alike() -> None:
    found = bins([i / 200 for i in range(200)], [False] * 200)
    assert [one.n for one in found] == [20] * 10
    assert found[0].score == pytest.approx(9.5 / 200)


def test_equal_scores_stay_together() -> None:
    assert [one.n for one in bins([0.0] * 95 + [0.2, 0.4, 0.6, 0.8, 1.0], [False] * 100)] == [95, 5]


@given(st.lists(st.sampled_from([0, 2, 5, 9, 10]), min_size=1, max_size=5, unique=True))
def test_a_judge_that_is_right_in_every_bin_has_no_error(tenths: list[int]) -> None:
    pairs = [(share / 10, number < share) for share in tenths for number in range(10)]
    assert error(pairs, 50) == pytest.approx(0, abs=1e-12)


@given(PAIRS, st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_order_does_not_matter(pairs: list[tuple[float, bool]], draw: random.Random) -> None:
    mixed = list(pairs)
    draw.shuffle(mixed)
    assert error(mixed) == pytest.approx(error(pairs))


@given(PAIRS)
@settings(max_examples=40)
def test_each_text_twice_changes_nothing(pairs: list[tuple[float, bool]]) -> None:
    assert error(pairs * 2) == pytest.approx(error(pairs))


@given(st.lists(st.tuples(st.integers(0, 64), st.booleans()), min_size=1))
@settings(max_examples=40)
def test_asking_the_opposite_keeps_the_error_in_one_bin(pairs: list[tuple[int, bool]]) -> None:
    turned = [(1 - score / 64, not label) for score, label in pairs]
    assert error(turned, 1) == pytest.approx(error([(score / 64, label) for score, label in pairs], 1))


@given(PAIRS)
@settings(max_examples=40)
def test_the_error_is_the_bins_mean_gap_and_lies_in_its_interval(pairs: list[tuple[float, bool]]) -> None:
    scores, labels = [score for score, _ in pairs], [label for _, label in pairs]
    found, listed = calibration_error(scores, labels), bins(scores, labels)
    assert sum(one.n for one in listed) == len(pairs)
    assert [one.score for one in listed] == sorted(one.score for one in listed)
    assert found.value == pytest.approx(sum(one.n * abs(one.score - one.share) for one in listed) / len(pairs))
    assert 0 <= found.low <= found.value + 1e-12 and found.value <= found.high + 1e-12 and found.high <= 1


def test_an_interval_by_hand() -> None:
    # One bin of 20, all right: its share counts as 22/24, so its deviation is √(22/24 · 2/24 / 20).
    found = calibration_error([1.0] * 20, [True] * 20)
    assert (found.value, found.low) == (0.0, 0.0)
    assert found.high == pytest.approx(1.959964 * 0.0618016)
    # One bin of 100 with a gap of 0.4: deviation √(52/104 · 52/104 / 100) = 0.05; chance takes off 0.798 + 1.96 · 0.603 of it.
    found = calibration_error([0.9] * 100, [True, False] * 50)
    assert (found.value, found.high) == pytest.approx((0.4, 0.4 + 1.959964 * 0.05))
    assert found.low == pytest.approx(0.4 - 0.05 * (0.797885 + 1.959964 * 0.602810))


@pytest.mark.parametrize("gap", [0.0, 0.05, 0.2])
def test_the_interval_holds_the_truth_at_least_as_often_as_it_says(gap: float) -> None:
    draw, covered = random.Random(5), 0
    scores = [0.05 * number for number in range(1, 16)] * 20
    for _ in range(400):
        labels = [draw.random() < score + gap for score in scores]
        found = calibration_error(scores, labels, 15)
        covered += found.low <= gap + 1e-12 and gap <= found.high
    assert covered / 400 >= 0.94


def test_a_label_each_is_needed() -> None:
    with pytest.raises(ValueError, match="1 scores and 2 labels"):
        bins([0.5], [True, False])
