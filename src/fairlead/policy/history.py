"""What earlier policies say of a new one: an id that went out of force never comes back."""

from __future__ import annotations

from collections.abc import Iterable

from fairlead.policy.document import Policy
from fairlead.policy.problem import Problem
from fairlead.records.entry import PolicyLoaded


def reused(policy: Policy, history: Iterable[PolicyLoaded]) -> list[Problem]:
    """The rules whose id was retired, or left out, by a later policy than one that had it. `history` is in order.

    Verdicts, labels and appeals of the old rule stand under its id for ever; under a new rule they would be read as its own.
    The very same rule (its digest leaves the state out) may come back: a policy can be rolled back.
    """
    known: dict[str, str] = {}
    gone: dict[str, str] = {}
    for loaded in history:
        name = f"{loaded.id} {loaded.version}"
        gone |= {id: f"was retired in {name}" for id in loaded.retired if id not in gone}
        gone |= {id: f"was left out of {name}" for id in known.keys() - loaded.rules.keys() if id not in gone}
        known |= loaded.rules
    return [
        Problem(f"$.rules[{i}].id", f"rule id {rule.id!r} {gone[rule.id]} and cannot come back; a new rule takes a new id")
        for i, rule in enumerate(policy.rules)
        if rule.id in gone and rule.state != "retired" and rule.digest != known[rule.id]
    ]
