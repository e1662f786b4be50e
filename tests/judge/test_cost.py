"""Time and cost by hand: who decided, how long it took, and what failed."""

from __future__ import annotations

import pytest

from fairlead.judge.cost import deciders, latency
from fairlead.records.figure import Figure
from fairlead.records.verdict import Outcome, RuleVerdict, Verdict
from fairlead.statistics.intervals import wilson


def said(outcome: Outcome, **took: float) -> Verdict:
    return Verdict((RuleVerdict("r", "d", outcome),), "judge/test", took=took)


FAILED = Verdict((RuleVerdict("r", "d", Outcome.UNDETERMINED),), "judge/test", error="RuntimeError while judging")


def by_name(figures: tuple[Figure, ...]) -> dict[str, Figure]:
    return {figure.name: figure for figure in figures}


def test_latency_by_hand() -> None:
    verdicts = [said(Outcome.ALLOWED, ngrams=number / 1000) for number in range(1, 101)]
    verdicts += [said(Outcome.ALLOWED, ngrams=1.0, embeddings=2.0), FAILED]
    found = by_name(latency(verdicts, "judge/test"))
    whole = found["latency.p50"]
    assert (whole.value, whole.low, whole.high, whole.unit) == (0.051, 0.041, 0.061, "s")
    assert (whole.n, whole.errors) == (101, 1)
    assert found["latency.p99"].value == 0.1 and found["latency.p99"].high is None
    assert found["latency.embeddings.p95"].value == 2.0 and found["latency.embeddings.p95"].n == 1
    assert found["latency.ngrams.p50"].n == 101
    assert by_name(latency([*verdicts, said(Outcome.ALLOWED, ngrams=1.0, embeddings=2.0)] * 2, "x"))["latency.p99"].value == 3.0


def test_the_last_stage_asked_decided() -> None:
    verdicts = [
        *[said(Outcome.ALLOWED, views=0.1, ngrams=0.1)] * 5,
        *[said(Outcome.VIOLATES, views=0.1, ngrams=0.1, embeddings=0.1)] * 3,
        said(Outcome.UNDETERMINED, views=0.1, ngrams=0.1, embeddings=0.1),
        FAILED,
    ]
    found = by_name(deciders(verdicts, "judge/test"))
    assert {name: figure.value for name, figure in found.items()} == {
        "decided_by.ngrams": 0.5,
        "decided_by.embeddings": 0.3,
        "decided_by.none": 0.2,
    }
    assert sum(figure.value or 0 for figure in found.values()) == pytest.approx(1)
    first = found["decided_by.ngrams"]
    assert (first.low, first.high, first.n, first.errors) == (*wilson(5, 10), 10, 1)


def test_nothing_judged_costs_nothing() -> None:
    assert latency([], "judge/test") == () == deciders([], "judge/test")
