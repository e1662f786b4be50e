"""What the judge says: three-valued, citing the rule, naming how it saw."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

#: How the evidence begins when a text went on beyond what was read.
CUT = "only the first "


class Outcome(StrEnum):
    """A judge says violates, allowed or undetermined. An error is undetermined, never allowed."""

    VIOLATES = "violates"
    ALLOWED = "allowed"
    UNDETERMINED = "undetermined"


class RuleVerdict(Struct, frozen=True):
    """The outcome for one rule.

    `score` is the calibrated probability in [0, 1] of a violation, None when the signal is missing; `stage` is the part of
    the cascade that decided (`signatures`, `heads`, …); `view` the reading of the text it saw (`plain`, `base64`, …);
    `evidence` names a pattern or an offset range, never the text.
    """

    rule: str
    rule_digest: str
    outcome: Outcome
    score: float | None = None
    stage: str = ""
    view: str = ""
    evidence: str = ""


class Verdict(Struct, frozen=True):
    """The outcomes for all rules assessed, and the version of the judge that produced them.

    `error` is set when the judge failed; every rule is then undetermined. `took` has the seconds of each stage that ran.
    """

    rules: tuple[RuleVerdict, ...]
    producer: str
    error: str | None = None
    took: dict[str, float] = {}

    @property
    def outcome(self) -> Outcome:
        """The worst of the rules: violates, then undetermined, then allowed. Without any rule: undetermined."""
        found = {r.outcome for r in self.rules}
        if Outcome.VIOLATES in found:
            return Outcome.VIOLATES
        if self.error is not None or not found or Outcome.UNDETERMINED in found:
            return Outcome.UNDETERMINED
        return Outcome.ALLOWED

    def of(self, rule: str) -> RuleVerdict | None:
        """The verdict for one rule id, None when that rule was not assessed."""
        return next((r for r in self.rules if r.rule == rule), None)
