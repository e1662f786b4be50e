"""Tiers that do not order: somebody who is trusted less would be allowed more.

Compared are the tiers that a list names. A tier that it does not name takes the strictest reading (the strictest actions,
`deny`, `withhold`, no requests), which can be stricter than that of a less trusted one and can never be milder than intended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from fairlead.policy.act import Act
from fairlead.policy.decide import ORDER, on_request
from fairlead.policy.document import Policy, Quota
from fairlead.policy.problem import Problem

_TOOL = ("deny", "confirm", "allow")
_PENALTIES = frozenset({"throttle", "strike", "tier_down"})


def disorder(policy: Policy) -> Iterator[Problem]:
    """Each place where a less trusted tier is allowed more than a more trusted one."""
    for i, rule in enumerate(policy.rules):
        if all(rule.act.values()):
            yield from _pairs(policy, rule.act, f"$.rules[{i}].act", _milder)
        yield from _pairs(policy, rule.on_review, f"$.rules[{i}].on_review", _delivered)
    for i, tool in enumerate(policy.tools):
        yield from _pairs(policy, tool.act, f"$.tools[{i}].act", _granted)
    yield from _pairs(policy, policy.quotas, "$.quotas", _larger)


def _pairs(policy: Policy, named: Mapping[str, Any], at: str, wrong: Callable[[Any, Any], str]) -> Iterator[Problem]:
    """`wrong` says how its first argument, what the less trusted tier has, allows more than the second; empty if it doesn't."""
    for less, more in pairwise(tier for tier in policy.tiers if tier in named):
        if how := wrong(named[less], named[more]):
            order = f"tier {more!r} is trusted more than {less!r} and must not be allowed less"
            yield Problem(f"{at}.{more}", f"{order}: {how}")


def penalty(acts: tuple[Act, ...]) -> int:
    """How strict a list is with the account. A case is none: people look, and nothing is taken away."""
    return max((act.strictness for act in acts if act.name in _PENALTIES), default=0)


def points(acts: tuple[Act, ...]) -> int:
    """The points that a list gives."""
    return sum(act.points for act in acts)


def _milder(less: tuple[Act, ...], more: tuple[Act, ...]) -> str:
    lists = f"[{', '.join(less)}] against [{', '.join(more)}]"
    if ORDER.index(on_request(less)) < ORDER.index(on_request(more)):
        return f"a request that violates comes to {on_request(less)} against {on_request(more)}"
    return f"the account meets {lists}" if penalty(less) < penalty(more) or points(less) < points(more) else ""


def _delivered(less: str, more: str) -> str:
    return "what is undetermined is delivered to the one and withheld from the other" if less == "deliver" != more else ""


def _granted(less: str, more: str) -> str:
    return f"{less} against {more}" if _TOOL.index(less) > _TOOL.index(more) else ""


def _larger(less: Quota, more: Quota) -> str:
    for per in ("minute", "day"):
        one, other = (getattr(quota, f"requests_per_{per}") for quota in (less, more))
        if one > other:
            return f"{one} requests a {per} against {other}"
    return ""
