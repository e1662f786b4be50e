"""Rules that nobody can ever trigger, which look like a guard and are none, and those that everybody always does."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase

from fairlead.policy.decide import delivers_unsure, on_request, opens_case
from fairlead.policy.document import Policy, Rule
from fairlead.policy.expression import Condition, Count, ExpressionError, read_when
from fairlead.policy.problem import Problem
from fairlead.policy.satisfiable import always, can_hold, unbounded


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
    most = _most(policy, rule)
    if not empty and not can_hold(condition, policy.tiers, most):
        whatever = "whatever signals, counts, tier and surface are"
        if can_hold(condition, policy.tiers):
            whatever = "since no count goes beyond what the quotas grant, and its own cases come only after it held"
        yield Problem(f"{at}.when", f"`when` of rule {rule.id!r} can never hold, {whatever}; nobody can trigger it")
    if always(condition, policy.tiers, most):
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


def _most(policy: Policy, rule: Rule) -> Callable[[Count], int]:
    """How high a count can be before the rule first held. A request adds at most one event for each rule; where there are no
    quotas nobody can say how many requests there are. Quotas are of days; a window touches one more than it lasts."""
    possible = list(taken(policy))
    requests = sum(quota.requests_per_day for quota in policy.quotas.values())

    def most(count: Count) -> int:
        sources = {id for action, id in possible if action == count.action and fnmatchcase(id, count.rule)}
        if sources == {rule.id}:
            return 0
        days = math.ceil(count.seconds / 86_400) + 1
        return requests * days * len(policy.rules) if policy.quotas else unbounded(count)

    return most


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
