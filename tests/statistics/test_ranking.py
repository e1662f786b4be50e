"""Ranking figures: golden numbers by hand, and a slow twin for everything vectorised."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fairlead.statistics.ranking import Ranking, average_precision, bootstrap, recall_at_fpr

# Few distinct scores, so that ties are common.
ITEMS = st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=40)


def ranking(items: list[tuple[bool, int]]) -> Ranking:
    assume(len({label for label, _ in items}) == 2)
    return Ranking([label for label, _ in items], [float(score) for _, score in items])


def slow_points(items: list[tuple[bool, int]]) -> list[tuple[float, float, float, float]]:
    """(threshold, precision, recall, false-positive rate) from the strictest threshold to the mildest."""
    positives = sum(label for label, _ in items)
    points = []
    for threshold in sorted({score for _, score in items}, reverse=True):
        flagged = [label for label, score in items if score >= threshold]
        hits = sum(flagged)
        points.append((threshold, hits / len(flagged), hits / positives, (len(flagged) - hits) / (len(items) - positives)))
    return points


def test_average_precision_by_hand() -> None:
    # Ranked: + - + -. Precision 1 at recall 1/2 and 2/3 at recall 1: (1 + 2/3) / 2.
    found = Ranking([True, False, True, False], [0.9, 0.8, 0.7, 0.6])
    assert average_precision(found.curve()) == pytest.approx(5 / 6)


def test_a_constant_score_earns_the_base_rate() -> None:
    found = Ranking([True, False, False, False], [0.5] * 4)
    assert average_precision(found.curve()) == 0.25
    assert recall_at_fpr(found.curve()) == 0.0


def test_recall_at_a_false_positive_rate_by_hand() -> None:
    labels = [True, False, True, True, False]
    found = Ranking(labels, [0.9, 0.8, 0.7, 0.6, 0.1])
    assert recall_at_fpr(found.curve(), 0.01) == pytest.approx(1 / 3)
    assert recall_at_fpr(found.curve(), 0.5) == 1.0


def test_nothing_is_flagged_when_the_best_score_is_a_negatives() -> None:
    found = Ranking([False, True], [0.9, 0.1])
    assert recall_at_fpr(found.curve(), 0.01) == 0.0


@given(ITEMS)
def test_average_precision_agrees_with_the_slow_twin(items: list[tuple[bool, int]]) -> None:
    area, before = 0.0, 0.0
    found = ranking(items)
    for _, precision, recall, _ in slow_points(items):
        area, before = area + (recall - before) * precision, recall
    assert average_precision(found.curve()) == pytest.approx(area)


@given(ITEMS, st.sampled_from([0.0, 0.01, 0.1, 0.25, 0.5]))
def test_recall_at_a_rate_agrees_with_the_slow_twin(items: list[tuple[bool, int]], rate: float) -> None:
    found = ranking(items)
    best = max((recall for _, _, recall, false in slow_points(items) if false <= rate + 1e-9), default=0.0)
    assert recall_at_fpr(found.curve(), rate) == pytest.approx(best)


@given(ITEMS, st.lists(st.integers(0, 3), min_size=40, max_size=40))
def test_weights_stand_for_copies(items: list[tuple[bool, int]], copies: list[int]) -> None:
    found = ranking(items)
    order = sorted(range(len(items)), key=lambda i: -items[i][1])
    repeated = [items[i] for i, count in zip(order, copies, strict=False) for _ in range(count)]
    weighted = found.curve(np.array(copies[: len(items)], dtype=float))
    twin = ranking(repeated).curve() if repeated else assume(False)
    assert average_precision(weighted) == pytest.approx(average_precision(twin))
    assert recall_at_fpr(weighted, 0.2) == pytest.approx(recall_at_fpr(twin, 0.2))


def test_the_bootstrap_covers_the_truth_about_as_often_as_it_says() -> None:
    # Scores of positives are normal around 1.5, of negatives around 0; the true value is taken from a large sample.
    def sample(stream: random.Random, n: int) -> Ranking:
        labels = [i % 3 == 0 for i in range(n)]
        return Ranking(labels, [stream.gauss(1.5 if label else 0.0, 1.0) for label in labels])

    truth = average_precision(sample(random.Random(1), 60_000).curve())
    covered = 0
    for trial in range(60):
        low, high = bootstrap(sample(random.Random(100 + trial), 150), average_precision, seed=trial, repetitions=200)
        covered += low <= truth <= high
    assert 50 <= covered <= 60


def test_the_bootstrap_repeats_under_its_seed() -> None:
    found = Ranking([True, False] * 20, [((i * 7) % 40) / 40 for i in range(40)])
    assert bootstrap(found, average_precision, 3, 50) == bootstrap(found, average_precision, 3, 50)
    assert bootstrap(found, average_precision, 3, 50) != bootstrap(found, average_precision, 4, 50)


@pytest.mark.parametrize(
    ("labels", "scores"),
    [([True], [0.1]), ([True, True], [0.1, 0.2]), ([True, False], [0.1]), ([True, False], [0.1, math.nan]), ([], [])],
)
def test_what_cannot_be_ranked_is_refused(labels: list[bool], scores: list[float]) -> None:
    with pytest.raises(ValueError, match=r"need|NaN"):
        Ranking(labels, scores)
