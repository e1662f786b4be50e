"""The gates that the policy sets for each rule, read on held-out texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from fairlead.measure.assessed import assessment, outcome_of
from fairlead.policy.document import Policy, Surface
from fairlead.policy.enforceable import GATES
from fairlead.records.conversation import Conversation
from fairlead.records.entry import Assessed, GateDecided
from fairlead.records.example import Example
from fairlead.records.verdict import Outcome, Verdict
from fairlead.statistics.gate import GateReading, read_gate


class RuleGate(Struct, frozen=True):
    """One gate of one rule, as it was read."""

    rule: str
    gate: str
    bar: float
    reading: GateReading

    def entry(self) -> GateDecided:
        """What the ledger keeps."""
        read = self.reading
        return GateDecided(self.gate, self.rule, read.outcome, self.bar, read.bound, read.n, read.n_needed, f"rate {read.rate}")


def rule_gates(policy: Policy, assessed: Sequence[Assessed]) -> list[RuleGate]:
    """Both gates of each rule that has them. What was not determined counts the wrong way."""
    recall, false_positives = GATES
    return [
        gate
        for rule in policy.text_rules
        if rule.gates is not None
        for gate in (
            _read(rule.id, recall, rule.gates.recall, assessed, violating=True),
            _read(rule.id, false_positives, rule.gates.false_positive, assessed, violating=False),
        )
    ]


def policy_tests(policy: Policy) -> tuple[Example, ...]:
    """The policy's own examples of the test split."""
    return tuple(
        Example(f"{policy.id}/{e.id}", e.text, {rule.id: e.verdict == "violates"}, "policy", "test", e.id)
        for rule in policy.text_rules
        for e in rule.examples
        if e.split == "test"
    )


def assess_tests(policy: Policy, judge: Callable[[Conversation, Surface], Verdict]) -> list[Assessed]:
    """What the judge says of each of them: as a prompt, or on the first surface of a rule that looks at no prompts."""
    assessed = []
    for example in policy_tests(policy):
        (rule,) = example.labels
        surfaces = policy.rule(rule).applies_to
        if "prompt" in surfaces:
            verdict = judge(Conversation.of(example.text), "prompt")
        else:
            verdict = judge(Conversation(()).answered(example.text), surfaces[0])
        assessed.append(assessment(example, verdict, "policy tests"))
    return assessed


def _read(rule: str, gate: str, bar: float, assessed: Sequence[Assessed], *, violating: bool) -> RuleGate:
    found = [outcome_of(a, rule) for a in assessed if a.labels.get(rule) is violating]
    right = Outcome.VIOLATES if violating else Outcome.ALLOWED
    good = sum(each is right for each in found)
    unknown = sum(each is Outcome.UNDETERMINED for each in found)
    return RuleGate(rule, gate, bar, read_gate(good, len(found) - good - unknown, unknown, bar, at_least=violating))
