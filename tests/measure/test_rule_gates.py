"""The policy's gates, read on held-out verdicts: what was not judged, or not determined, counts the wrong way."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fairlead.measure.assessed import assessment, outcome_of
from fairlead.measure.gates import assess_tests, policy_tests, rule_gates
from fairlead.policy.document import Surface
from fairlead.policy.load import parse
from fairlead.records.conversation import Conversation
from fairlead.records.entry import Assessed
from fairlead.records.example import Example
from fairlead.records.verdict import Outcome, RuleVerdict, Verdict

N = 200
POLICY = parse("""schema: 1
id: t
version: "1"
tiers: [t]
rules:
  - id: a.b
    definition: d
    state: enforce
    detect: {signal: harm.a_b, review: 0.5, block: 0.8}
    act: {t: [block]}
    gates: {recall: 0.7, false_positive: 0.3}
    examples:
      - {id: e1, text: bad, verdict: violates, why: w, split: test}
      - {id: e2, text: good, verdict: allowed, why: w, split: test}
      - {id: e3, text: learnt, verdict: allowed, why: w, split: train}
  - id: a.c
    applies_to: [tool_call, response]
    definition: d
    state: shadow
    detect: {signal: harm.a_c, review: 0.5, block: 0.8}
    act: {t: [block]}
    gates: {recall: 0.7, false_positive: 0.3}
    examples:
      - {id: e4, text: said badly, verdict: violates, why: w, split: test}
  - id: a.d
    definition: d
    detect: {signal: harm.a_d, review: 0.5, block: 0.8}
    act: {t: [block]}
    examples:
      - {id: e5, text: a draft is not judged, verdict: violates, why: w, split: test}
""")


def judged(right: Callable[[int], bool], errors: Callable[[int], bool] = lambda i: False) -> list[Assessed]:
    """Even items violate, odd ones are allowed; `right` says which get the right verdict."""
    rows = []
    for i in range(N):
        violating = i % 2 == 0
        flagged = violating == right(i)
        error = "crashed" if errors(i) else None
        rows.append(Assessed(str(i), "t", "j", {"a.b": violating}, {"a.b": 0.5}, {"a.b": "violates"} if flagged else {}, error))
    return rows


@pytest.mark.parametrize(
    ("assessed", "recall", "false_positives"),
    [
        (judged(lambda i: True), "held", "held"),
        (judged(lambda i: False), "missed", "missed"),
        (judged(lambda i: True)[:4], "undecided", "undecided"),
        (judged(lambda i: True, errors=lambda i: True), "missed", "missed"),
        ([Assessed(a.item, "t", "j", a.labels) for a in judged(lambda i: True)], "missed", "missed"),
        ([], "undecided", "undecided"),
    ],
)
def test_gates_are_read_from_held_out_verdicts(assessed: list[Assessed], recall: str, false_positives: str) -> None:
    gates = [gate for gate in rule_gates(POLICY, assessed) if gate.rule == "a.b"]
    assert [gate.reading.outcome for gate in gates] == [recall, false_positives]
    for gate in gates:
        entry = gate.entry()
        assert (entry.gate, entry.subject, entry.outcome, entry.n) == (gate.gate, "a.b", gate.reading.outcome, gate.reading.n)
        assert entry.value in (gate.reading.low, gate.reading.high)


def test_what_was_not_judged_is_undetermined() -> None:
    said = Verdict((RuleVerdict("a.b", "d", Outcome.ALLOWED, 0.1),), "j")
    example = Example("e", "t", {"a.b": True})
    kept = assessment(example, said, "set")
    assert outcome_of(kept, "a.b") is Outcome.ALLOWED
    assert outcome_of(kept, "a.c") is Outcome.UNDETERMINED
    assert outcome_of(assessment(example, Verdict(said.rules, "j", error="Broken"), "set"), "a.b") is Outcome.UNDETERMINED


def test_every_test_example_is_judged_on_a_surface_of_its_rule() -> None:
    seen: list[tuple[Surface, str]] = []

    def judge(conversation: Conversation, surface: Surface) -> Verdict:
        seen.append((surface, conversation.messages[-1].role))
        return Verdict((RuleVerdict("a.b", "d", Outcome.VIOLATES, 0.9),), "j")

    assessed = assess_tests(POLICY, judge)
    assert [example.id for example in policy_tests(POLICY)] == [a.item for a in assessed] == ["t/e1", "t/e2", "t/e4"]
    assert seen == [("prompt", "user"), ("prompt", "user"), ("tool_call", "assistant")]
    assert [outcome_of(a, rule) for a in assessed for rule in a.labels] == ["violates", "violates", "undetermined"]
