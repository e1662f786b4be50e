"""The way of a request through the gateway, walked again: prompt, answer, and the careful answer where a rule asks for one.

What the model would have said where it was never asked is not known: such a request is `unanswered`, and its action is the one
it has when that answer passes. `tests/investigate` holds this equal to what the gateway does.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from fairlead.investigate.recorded import Ruled
from fairlead.policy.decide import Ruling
from fairlead.policy.document import Policy

#: (surface, rule of a careful answer) -> what the policy says of what was judged there; None when nothing was.
Ask = Callable[[str, str], Ruled | None]


class Course(Struct, frozen=True):
    """How a request ends, in the words of `Decided`; `rulings` are in their order.

    `unknown` names the rules of which the record cannot say what they find.
    """

    action: str
    cause: str
    rule: str | None
    surface: str
    rulings: tuple[Ruling, ...]
    points: int = 0
    flags: tuple[str, ...] = ()
    unknown: frozenset[str] = frozenset()
    unanswered: bool = False


def walk(policy: Policy, ask: Ask) -> Course:
    """The course of a request whose prompt was judged."""
    prompt = ask("prompt", "")
    assert prompt is not None  # nothing is judged before the prompt
    passed = [prompt]
    if (ruling := prompt.ruling).action == "allow":
        answer = ask("response", "")
        if answer is None:
            return _ended("allow", None, passed, unanswered=True)
        passed.append(answer)
        ruling = answer.ruling
    if ruling.action != "safe_complete":
        return _ended(ruling.action, ruling.rule, passed)
    rule = policy.rule(ruling.rule or "")
    if rule.safe_completion:
        return _ended("safe_complete", rule.id, passed)
    careful = ask("response", rule.id)
    if careful is None:
        return _ended("safe_complete", rule.id, passed, unanswered=True)
    passed.append(careful)
    again = careful.ruling
    if again.action == "allow":
        return _ended("safe_complete", rule.id, passed)
    return _ended("block" if again.action == "safe_complete" else again.action, again.rule, passed)


def _ended(action: str, rule: str | None, passed: list[Ruled], *, unanswered: bool = False) -> Course:
    failed = passed[-1].ruling.error is not None
    rulings = tuple(one.ruling for one in passed)
    return Course(
        action="refuse" if failed else action,
        cause="judge_error" if failed else "rule",
        rule=None if failed else rule,
        surface="prompt" if len(passed) == 1 else "response",
        rulings=rulings,
        points=max(ruling.points for ruling in rulings),
        flags=tuple(dict.fromkeys(flag for ruling in rulings for flag in ruling.flags)),
        unknown=frozenset().union(*(one.unknown for one in passed)),
        unanswered=unanswered,
    )
