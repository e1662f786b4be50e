"""The judge's card: how well it does on labelled texts, rule by rule. Pure: judged items in, figures out.

An item without a score, because the judge failed or the rule has no head, takes the worst rank for its label. Sensitivity and
specificity are over what was decided; undetermined and failed items are left to `coverage`, and every figure counts the errors.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from fairlead.judge.reliability import calibration_error
from fairlead.records.figure import Figure
from fairlead.records.streams import key
from fairlead.records.verdict import Outcome, Verdict
from fairlead.statistics.intervals import wilson
from fairlead.statistics.ranking import Curve, Ranking, Statistic, average_precision, bootstrap, recall_at_fpr

FALSE_POSITIVE_RATE = 0.01


class Judged(Struct, frozen=True):
    """One labelled text under one rule. `label` is true when it violates the rule; `failed` when the judge had an error."""

    label: bool
    score: float | None
    outcome: Outcome
    failed: bool = False

    @classmethod
    def of(cls, verdict: Verdict, rule: str, label: bool) -> Judged:
        """What a verdict says of a rule. A rule that it does not mention is undetermined."""
        found = verdict.of(rule)
        if found is None:
            return cls(label, None, Outcome.UNDETERMINED, verdict.error is not None)
        return cls(label, found.score, found.outcome, verdict.error is not None)


def card(rule: str, items: Sequence[Judged], seed: int, producer: str) -> tuple[Figure, ...]:
    """The figures of one rule, named `RULE.auprc`, `.recall_at_1pct_fpr`, `.sensitivity`, `.specificity`, `.coverage`,
    `.calibration_error`. The n of a rate is that of its denominator; of the area, that of all items."""
    errors = sum(item.failed for item in items)
    violating = [item for item in items if item.label]
    allowed = [item for item in items if not item.label]
    auprc, recall = _ranked(items, key(seed, "card", rule))
    decided = [item for item in items if item.outcome is not Outcome.UNDETERMINED]
    rows = (
        ("auprc", auprc, len(items)),
        ("recall_at_1pct_fpr", recall, len(violating)),
        ("sensitivity", *_rate(violating, Outcome.VIOLATES)),
        ("specificity", *_rate(allowed, Outcome.ALLOWED)),
        ("coverage", _share(len(decided), len(items)), len(items)),
        ("calibration_error", *_calibration(items)),
    )
    return tuple(
        Figure(f"{rule}.{name}", value, low=low, high=high, n=n, errors=errors, judge=producer)
        for name, (value, low, high), n in rows
    )


_Interval = tuple[float | None, float | None, float | None]  # value, low, high
_NOTHING: _Interval = (None, None, None)


def _ranked(items: Sequence[Judged], seed: int) -> tuple[_Interval, _Interval]:
    """Average precision and recall at the false-positive rate; nothing where one class is missing."""
    labels = [item.label for item in items]
    if len(set(labels)) < 2:
        return _NOTHING, _NOTHING
    worst = {True: float("-inf"), False: float("inf")}
    ranking = Ranking(labels, [worst[item.label] if item.score is None else item.score for item in items])

    def recall(curve: Curve) -> NDArray[np.float64]:
        return recall_at_fpr(curve, FALSE_POSITIVE_RATE)

    return _interval(ranking, average_precision, sum(labels), seed), _interval(ranking, recall, sum(labels), seed)


def _interval(ranking: Ranking, statistic: Statistic, positives: int, seed: int) -> _Interval:
    """A bootstrap that never leaves a perfect ranking has no width; Wilson's interval over the positives stands in for it.

    Taking the area as a proportion of the positives follows Boyd, Eng and Page (ECML 2013), section 3.2.
    """
    value = float(statistic(ranking.curve()))
    low, high = bootstrap(ranking, statistic, seed)
    if high - low < 1e-12:
        low, high = wilson(round(value * positives), positives)
    return value, low, high


def _calibration(items: Sequence[Judged]) -> tuple[_Interval, int]:
    """Over the items that have a score."""
    scores = [item.score for item in items if item.score is not None]
    if not scores:
        return _NOTHING, 0
    found = calibration_error(scores, [item.label for item in items if item.score is not None])
    return (found.value, found.low, found.high), len(scores)


def _rate(items: Sequence[Judged], right: Outcome) -> tuple[_Interval, int]:
    decided = [item for item in items if item.outcome is not Outcome.UNDETERMINED]
    return _share(sum(item.outcome is right for item in decided), len(decided)), len(decided)


def _share(count: int, n: int) -> _Interval:
    return (count / n, *wilson(count, n)) if n else _NOTHING
