"""Whether one version of a rule allows more than another, and how. Words cannot be compared: other words count as weaker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from fairlead.policy.decide import ORDER, delivers_unsure, on_request
from fairlead.policy.document import Detect, Maps, Rule
from fairlead.policy.evaluator import by_score
from fairlead.policy.tiers import penalty, points
from fairlead.records.verdict import Outcome

#: How much of a rule is in force, by state; a canary lies between shadow and enforce.
_FORCE = {"draft": 0, "retired": 0, "shadow": 1, "enforce": 102}
_AUTHORITY = ("guideline", "user", "developer", "root")
_SEVERITY = ("low", "medium", "high", "critical")
# Nobody can tell by machine whether other words let more through.
_WORDS = ("definition", "terms", "exceptions", "when", "mode")
# The names under which the reasoner, the external judge and labelled files know the rule.
_MAPS = ("mlcommons", "llama_guard", "openai_moderation")


def weaker(before: Rule, after: Rule, tiers: Sequence[str]) -> Iterator[str]:
    """Each way in which `after` allows more than `before`, or cannot be shown not to. Empty: at least as strict."""
    if _force(after) < _force(before):
        yield f"its state falls from {before.state} to {after.state}"
    for name, order in (("authority", _AUTHORITY), ("severity", _SEVERITY)):
        one, other = getattr(before, name), getattr(after, name)
        if order.index(other) < order.index(one):
            yield f"its {name} falls from {one} to {other}"
    if unseen := [surface for surface in before.applies_to if surface not in after.applies_to]:
        yield f"it no longer looks at {', '.join(unseen)}"
    if before.gates and (after.gates is None or after.gates.recall < before.gates.recall):
        yield "its gate on recall falls"
    if (after.cap_per_day or float("inf")) < (before.cap_per_day or float("inf")):
        yield f"it opens at most {after.cap_per_day} cases a day"
    if before.detect is not None and after.detect is not None:
        yield from _detection(before.detect, after.detect)
    yield from (how for tier in tiers if (how := _milder(before, after, tier)))
    yield from (f"its `{word}` changes, which cannot be compared" for word in _WORDS if _differ(before, after, word))
    yield from (
        f"its `maps.{name}` changes, which cannot be compared" for name in _MAPS if _differ(before.maps, after.maps, name)
    )
    kept = {example.id: example for example in after.examples}
    if lost := [example.id for example in before.examples if kept.get(example.id) != example]:
        yield f"{len(lost)} of its examples are gone or changed ({_few(lost)})"
    known = {example.id for example in before.examples}
    if learned := [e.id for e in after.examples if e.id not in known and e.verdict == "allowed" and e.split == "train"]:
        yield f"examples that the judge learns as allowed are new: {len(learned)} ({_few(learned)})"


def _detection(before: Detect, after: Detect) -> Iterator[str]:
    if before.signal != after.signal:
        yield f"it looks at {after.signal} in place of {before.signal}"
    kept = {pattern.id: pattern for pattern in after.patterns}
    if lost := [pattern.id for pattern in before.patterns if kept.get(pattern.id) != pattern]:
        yield f"its patterns {', '.join(lost)} are gone or changed"
    if unseen := [kind for kind in before.personal if kind not in after.personal]:
        yield f"it no longer looks for {', '.join(unseen)}"


class Met(Struct, frozen=True):
    """What somebody meets: how strict that is with the request and with the account, and in words."""

    strictness: tuple[int, int, int, bool]
    words: str


def _milder(before: Rule, after: Rule, tier: str) -> str:
    """How `tier` meets something milder, tried at every score at which either version changes its mind."""
    turns = {at for rule in (before, after) if rule.detect for at in (rule.detect.review, rule.detect.block)}
    for score in (None, *sorted(turns), 1.0):
        old, new = met(before, tier, score), met(after, tier, score)
        if any(b < a for a, b in zip(old.strictness, new.strictness, strict=True)):
            when = "without a score" if score is None else f"at a score of {score:g}"
            return f"{when} {tier} meets {new.words} in place of {old.words}"
    return ""


def met(rule: Rule, tier: str, score: float | None) -> Met:
    """What somebody of `tier` meets at a score, were the rule in force; of a rule over accounts, when its condition holds."""
    outcome = by_score(rule.detect)(score) if rule.detect else Outcome.VIOLATES
    if outcome is not Outcome.VIOLATES:
        action = "allow" if outcome is Outcome.ALLOWED or delivers_unsure(rule, tier) else "review"
        return Met((ORDER.index(action), 0, 0, False), action)
    acts = rule.actions(tier)
    case = any(act == "case" for act in acts)
    return Met((ORDER.index(on_request(acts)), penalty(acts), points(acts), case), f"[{', '.join(acts)}]")


def _force(rule: Rule) -> int:
    return 1 + rule.state.percent if rule.state.name == "canary" else _FORCE[rule.state]


def _differ(before: Rule | Maps, after: Rule | Maps, word: str) -> bool:
    return bool(getattr(before, word) != getattr(after, word))


def _few(ids: Sequence[str]) -> str:
    return ", ".join(ids[:3]) + (", …" if len(ids) > 3 else "")
