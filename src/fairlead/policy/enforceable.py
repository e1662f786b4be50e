"""Which rules may not be enforced, given what their gates came to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from fairlead.policy.document import Policy
from fairlead.records.entry import GateDecided

#: What a rule's gates are called, in the order in which the policy writes their bars.
GATES = ("recall", "false positives")


class NotEnforceable(Struct, frozen=True):
    """A rule that is in force, or in canary, and may not be, and why."""

    rule: str
    why: str


def not_enforceable(policy: Policy, decided: Iterable[GateDecided]) -> Iterator[NotEnforceable]:
    """The rules in force of which a gate is missed, or is undecided without an `accept_undecided`.

    A gate that nobody read is undecided. A reason accepts what is undecided, never what is missed.
    """
    outcomes = {(gate.subject, gate.gate): gate.outcome for gate in decided}
    for rule in policy.rules:
        if rule.gates is None or not rule.acts_on(None):
            continue
        for gate in GATES:
            outcome = outcomes.get((rule.id, gate), "undecided")
            if outcome == "missed":
                yield NotEnforceable(
                    rule.id, f"its gate on {gate} is missed; train its head, turn it to shadow, or lower the bar"
                )
            elif outcome != "held" and not rule.gates.accept_undecided:
                needs = "add test examples, turn it to shadow, or say why in `accept_undecided`"
                yield NotEnforceable(rule.id, f"its gate on {gate} is undecided; {needs}")
