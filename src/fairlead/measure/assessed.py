"""What the judge said of a labelled text, as the ledger keeps it, and how it is read again."""

from __future__ import annotations

from fairlead.records.entry import Assessed
from fairlead.records.example import Example
from fairlead.records.verdict import Outcome, Verdict


def assessment(example: Example, verdict: Verdict, of: str) -> Assessed:
    """What the ledger keeps of a verdict on a labelled text. Scores are rounded to what is shown of them."""
    return Assessed(
        item=example.id,
        of=of,
        judge=verdict.producer,
        labels=example.labels,
        scores={r.rule: None if r.score is None else round(r.score, 6) for r in verdict.rules},
        outcomes={r.rule: r.outcome for r in verdict.rules if r.outcome is not Outcome.ALLOWED},
        error=verdict.error,
    )


def outcome_of(assessed: Assessed, rule: str) -> Outcome:
    """The outcome under one rule. What was not judged is undetermined, never allowed."""
    if assessed.error is not None or rule not in assessed.scores:
        return Outcome.UNDETERMINED
    return Outcome(assessed.outcomes.get(rule, Outcome.ALLOWED))
