"""A rule compiled once to a function that says what it finds: the one place where thresholds and missing signals are read.

The judge asks it with a score, the gateway and the back-test with the facts of an event; so the three cannot disagree.
"""

from __future__ import annotations

from collections.abc import Callable

from fairlead.policy.document import Detect, Rule
from fairlead.policy.expression import Facts, compile_when
from fairlead.records.verdict import Outcome

Evaluator = Callable[[Facts], Outcome]

_MISSING = {"review": Outcome.UNDETERMINED, "block": Outcome.VIOLATES}


def by_score(detect: Detect) -> Callable[[float | None], Outcome]:
    """What a score means. None, and whatever is no number in [0, 1], is a missing signal."""
    review, block, missing = detect.review, detect.block, _MISSING[detect.missing]

    def evaluate(score: float | None) -> Outcome:
        if score is None or not 0 <= score <= 1:  # a NaN is in no range
            return missing
        if score >= block:
            return Outcome.VIOLATES
        return Outcome.UNDETERMINED if score >= review else Outcome.ALLOWED

    return evaluate


def allowed_below(detect: Detect) -> float:
    """`by_score` allows the scores from 0 to below this, and no other: for whoever must look at very many."""
    return detect.review


def evaluator(rule: Rule) -> Evaluator:
    """The rule over an event. Raises ExpressionError for a condition that the policy's loader would have refused."""
    if rule.detect is not None:
        meaning, signal = by_score(rule.detect), rule.detect.name
        return lambda facts: meaning(facts.harm.get(signal))
    holds = compile_when(rule.when or "")
    means = {True: Outcome.VIOLATES, False: Outcome.ALLOWED, None: _MISSING[rule.missing]}
    return lambda facts: means[holds(facts)]
