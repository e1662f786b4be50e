"""Rules that nobody can ever trigger, which look like a guard and are none, and those that everybody always does."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from fairlead.policy.decide import delivers_unsure, on_request, opens_case
from fairlead.policy.document import Policy, Rule
from fairlead.policy.expression import Condition, ExpressionError, read_when
from fairlead.policy.problem import Problem
from fairlead.policy.satisfiable import always, can_hold


def never_triggered(policy: Policy, rule: Rule, at: str) -> Iterator[Problem]:
    """Why the rule, which lies at the path `at`, cannot be triggered. A condition that cannot be read is somebody else's."""
    if not rule.applies_to or (rule.detect is not None and set(rule.applies_to) == {"account"}):
        found = f"rule {rule.id!r} looks at no text, so nobody can trigger it; write where it looks, such as [prompt, response]"
        yield Problem(f"{at}.applies_to", found)
    if rule.when is None:
        return
    try:
        condition = read_when(rule.when)
    except ExpressionError:
        return
    empty = list(_never_taken(policy, condition))
    yield from (Problem(f"{at}.when", f"`when` of rule {rule.id!r}: {why}") for why in empty)
    if not empty and not can_hold(condition, policy.tiers):
        found = (
            f"`when` of rule {rule.id!r} can never hold, whatever signals, counts, tier and surface are; nobody can trigger it"
        )
        yield Problem(f"{at}.when", found)
    if always(condition, policy.tiers):
        found = f"`when` of rule {rule.id!r} always holds, whatever happens; compare with what is not always so"
        yield Problem(f"{at}.when", found)


def _never_taken(policy: Policy, condition: Condition) -> Iterator[str]:
    """Counts that stay zero for ever."""
    possible = set(taken(policy))
    for count in sorted(condition.counts, key=str):
        does = sorted({action for action, rule in possible if fnmatchcase(rule, count.rule)})
        if not does:
            known = ", ".join(rule.id for rule in policy.rules)
            yield f"no rule matches the glob {count.rule!r}, so its count stays 0; known: {known}"
        elif count.action not in does:
            what = f"{count.action!r} is never taken under a rule that matches {count.rule!r}, so its count stays 0"
            yield f"{what}; taken are: {', '.join(does)}"


def taken(policy: Policy) -> Iterator[tuple[str, str]]:
    """Each (action, rule) that an account's history can hold under this policy; a step of the ladder has no rule.

    Rules in every state count: a draft may come into force, and what a retired rule did is still remembered.
    """
    for rule in policy.rules:
        if rule.detect is None:
            yield "case", rule.id  # rules over accounts queue, and never act
            continue
        for tier in policy.tiers if rule.act else ():
            acts = rule.actions(tier)
            if not acts:
                continue
            unsure = "allow" if delivers_unsure(rule, tier) else "review"
            for action in {on_request(acts), unsure}:
                yield "flag" if action == "allow" else action, rule.id
                if action == "safe_complete":
                    yield "block", rule.id  # when the safe answer, too, violates
            if opens_case(acts):
                yield "case", rule.id
            if any(act.points for act in acts):
                yield "strike", rule.id
    yield from ((rung.do, "") for rung in policy.ladder)
