"""A rule is enforced when its gates are held, or undecided for a reason that the policy states; never when one is missed."""

from __future__ import annotations

from itertools import product

import pytest
from msgspec import structs

from fairlead.policy.act import Act
from fairlead.policy.core import CORE
from fairlead.policy.document import Detect, Gates, Policy, Rule
from fairlead.policy.enforceable import GATES, not_enforceable
from fairlead.policy.load import load
from fairlead.policy.state import State
from fairlead.records.entry import GateDecided
from fairlead.statistics.gate import GateOutcome
from fairlead.statistics.intervals import n_to_decide


def policy(state: str = "enforce", accept: str = "", gates: bool = True) -> Policy:
    rule = Rule(
        "r",
        {"t": (Act("block"),)},
        definition="d",
        detect=Detect("harm.r", 0.5, 0.8),
        gates=Gates(0.8, 0.1, accept) if gates else None,
        state=State(state),
    )
    return Policy(1, "p", "1", ("t",), (rule,))


def decided(*outcomes: str) -> list[GateDecided]:
    return [GateDecided(gate, "r", outcome, 0.5, None, 1) for gate, outcome in zip(GATES, outcomes, strict=False)]


@pytest.mark.parametrize("outcomes", list(product(GateOutcome, GateOutcome)))
@pytest.mark.parametrize("accept", ["", "too few texts yet"])
def test_a_miss_is_never_accepted_and_undecided_only_for_a_reason(
    outcomes: tuple[GateOutcome, GateOutcome], accept: str
) -> None:
    for state in ("enforce", "canary(1)"):
        found = list(not_enforceable(policy(state, accept), decided(*outcomes)))
        wrong = [outcome for outcome in outcomes if outcome == "missed" or (outcome == "undecided" and not accept)]
        assert len(found) == len(wrong)
        assert all(str(outcome) in each.why for outcome, each in zip(wrong, found, strict=True))
    for state in ("draft", "shadow", "retired"):
        assert list(not_enforceable(policy(state, accept), decided(*outcomes))) == []


def test_a_gate_that_nobody_read_is_undecided() -> None:
    assert [found.rule for found in not_enforceable(policy(), [])] == ["r", "r"]
    assert list(not_enforceable(policy(accept="w"), [])) == []
    assert list(not_enforceable(policy(gates=False), [])) == []
    assert len(list(not_enforceable(policy(), decided("held")))) == 1


@pytest.mark.parametrize("rule", [rule for rule in load(CORE).rules if rule.gates], ids=lambda rule: rule.id)
def test_core_says_how_many_test_texts_there_are_and_how_many_it_would_take(rule: Rule) -> None:
    assert rule.gates is not None
    have = [sum(e.split == "test" and e.verdict == verdict for e in rule.examples) for verdict in ("violates", "allowed")]
    need = [n_to_decide(1.0, rule.gates.recall), n_to_decide(0.0, rule.gates.false_positive)]
    assert have[0] < (need[0] or 0) and have[1] < (need[1] or 0)
    said = rule.gates.accept_undecided
    if rule.state == "enforce":
        assert f"{have[0]} violating and {have[1]} allowed" in said
        assert f"need {need[0]} and {need[1]}" in said
    else:
        assert said == ""
    assert structs.replace(rule, gates=None).meaning == rule.meaning
