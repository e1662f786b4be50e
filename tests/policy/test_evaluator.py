"""One evaluator: a rule over texts and a rule over history become functions from facts to an outcome."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.policy.act import Act
from fairlead.policy.document import Detect, Rule
from fairlead.policy.evaluator import by_score, evaluator
from fairlead.policy.expression import ExpressionError, compile_when
from fairlead.records.verdict import Outcome

ACT = {"public": (Act("block"),)}
SCORES = st.floats(0, 1)


@dataclass(frozen=True)
class Facts:
    harm: Mapping[str, float] = field(default_factory=dict)
    tier: str = "public"
    surface: str = "prompt"

    def count(self, action: str, rule: str, seconds: float) -> int:
        return 2


@st.composite
def detects(draw: st.DrawFn) -> Detect:
    review, block = sorted(draw(st.tuples(st.floats(0.01, 1), st.floats(0.01, 1))))
    return Detect("harm.x", review, block, draw(st.sampled_from(["review", "block"])))  # type: ignore[arg-type]


@given(detects(), SCORES)
def test_thresholds_mean_what_the_two_conditions_say(detect: Detect, score: float) -> None:
    """The slow twin: `detect` written as two conditions."""
    facts = Facts({"x": score})
    violates, unsure = (compile_when(f'signal.harm["x"] >= {at!r}')(facts) for at in (detect.block, detect.review))
    expected = Outcome.VIOLATES if violates else Outcome.UNDETERMINED if unsure else Outcome.ALLOWED
    assert by_score(detect)(score) is expected
    assert evaluator(Rule("r", ACT, detect=detect))(facts) is expected


@given(detects(), SCORES, SCORES)
def test_a_higher_score_is_never_milder(detect: Detect, one: float, other: float) -> None:
    order = [Outcome.ALLOWED, Outcome.UNDETERMINED, Outcome.VIOLATES]
    low, high = (order.index(by_score(detect)(score)) for score in sorted((one, other)))
    assert low <= high


@given(detects(), st.sampled_from([None, math.nan, math.inf, -math.inf, -0.1, 1.1]))
def test_what_is_no_score_is_missing_and_never_allowed(detect: Detect, score: float | None) -> None:
    assert by_score(detect)(score) is {"review": Outcome.UNDETERMINED, "block": Outcome.VIOLATES}[detect.missing]


@pytest.mark.parametrize(
    ("when", "missing", "outcome"),
    [
        ('count("block", rule="*", window="1h") >= 2', "review", Outcome.VIOLATES),
        ('count("block", rule="*", window="1h") >= 3', "review", Outcome.ALLOWED),
        ('signal.harm["absent"] >= 0.5', "review", Outcome.UNDETERMINED),
        ('signal.harm["absent"] >= 0.5', "block", Outcome.VIOLATES),
    ],
)
def test_a_rule_over_history_is_three_valued(when: str, missing: str, outcome: Outcome) -> None:
    assert evaluator(Rule("r", ACT, when=when, missing=missing))(Facts()) is outcome  # type: ignore[arg-type]


def test_a_rule_that_says_nothing_does_not_compile() -> None:
    with pytest.raises(ExpressionError):
        evaluator(Rule("r", ACT))
