"""What changed from one policy to the next, in plain words, and for whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any

from msgspec import Struct

from fairlead.policy.decide import delivers_unsure
from fairlead.policy.document import Detect, Policy, Rule, RuleExample, Rung
from fairlead.policy.weaker import met

EVERYBODY, REVIEWERS, MODELS, JUDGE = "people in every tier", "reviewers", "models", "the judge"
# Fields that have words of their own below; any other that changes is named as it is.
_TOLD = {"id", "act", "definition", "terms", "exceptions", "detect", "on_review", "examples", "state", "when", "weakens"}
_PEOPLE = {"severity", "applies_to", "reason", "safe_completion", "privacy"}
_MODELS = {"mode", "authority", "comparisons"}


# What a field is called where its own name says too little.
_CALLED = {
    "applies_to": "looks at",
    "cap_per_day": "most cases in a day",
    "gates.accept_undecided": "enforced while undecided, because",
    "gates.false_positive": "false positives allowed",
    "gates.recall": "recall to be reached",
    "missing": "when a signal is missing",
    "mode": "how to answer",
    "privacy.k": "smallest group that analysts see",
    "privacy.retain_days": "days that content is kept",
    "reason": "the reason that is told",
    "review.blind": "reviewers judge blind",
    "review.golden_rate": "share of known items among those to review",
    "review.min_alpha": "agreement to be reached",
    "review.reviewers": "reviewers for an item",
    "safe_completion": "the answer in its place",
}


class Change(Struct, frozen=True):
    """One thing that is otherwise, for one audience."""

    who: str
    what: str


def changes(before: Policy, after: Policy) -> list[Change]:
    """Every change, by audience: everybody, the tiers in order, reviewers, models, the judge.

    Empty when nothing but the name differs.
    """
    found = [*_top(before, after), *_rules(before, after)]
    order = [EVERYBODY, *(tier(name) for name in (*after.tiers, *before.tiers)), REVIEWERS, MODELS, JUDGE]
    return sorted(dict.fromkeys(found), key=lambda change: order.index(change.who))


def tier(name: str) -> str:
    """The audience of one tier."""
    return f"people in tier {name}"


def _top(before: Policy, after: Policy) -> Iterator[Change]:
    for name in after.tiers:
        if name not in before.tiers:
            yield Change(tier(name), "this tier is new")
    for name in before.tiers:
        if name not in after.tiers:
            yield Change(tier(name), "this tier is gone; its keys open nothing")
    if [t for t in before.tiers if t in after.tiers] != [t for t in after.tiers if t in before.tiers]:
        yield Change(EVERYBODY, f"trust now runs {', '.join(after.tiers)}")
    for name in after.tiers:
        old, new = before.quotas.get(name), after.quotas.get(name)
        if name in before.tiers and old != new:
            told = [f"{q.requests_per_minute} a minute and {q.requests_per_day} a day" if q else "none" for q in (new, old)]
            yield Change(tier(name), f"requests: {told[0]}, was {told[1]}")
    yield from _tools(before, after)
    if before.ladder != after.ladder:
        yield Change(EVERYBODY, f"the ladder is {_ladder(after.ladder)}; was {_ladder(before.ladder)}")
    if before.strikes_expire_days != after.strikes_expire_days:
        yield Change(EVERYBODY, f"points count for {after.strikes_expire_days} days, was {before.strikes_expire_days}")
    yield from _objectives(before, after)


def _tools(before: Policy, after: Policy) -> Iterator[Change]:
    old, new = ({tool.name: tool for tool in policy.tools} for policy in (before, after))
    for name in dict.fromkeys((*old, *new)):
        if name not in new or name not in old:
            granted = ", ".join(f"{t}: {act}" for t, act in (new.get(name) or old[name]).act.items())
            yield Change(
                EVERYBODY, f"tool {name} is new ({granted})" if name in new else f"tool {name} is gone: nobody may use it"
            )
            continue
        for t in after.tiers:
            was, now = (tools[name].act.get(t, "deny") for tools in (old, new))
            if was != now and t in before.tiers:
                yield Change(tier(t), f"tool {name}: {now}, was {was}")
        if old[name].untrusted_input != new[name].untrusted_input:
            now, was = new[name].untrusted_input, old[name].untrusted_input
            yield Change(EVERYBODY, f"tool {name}, when text of unknown origin shaped the call: {now}, was {was}")


def _objectives(before: Policy, after: Policy) -> Iterator[Change]:
    old, new = ({objective.id: objective for objective in policy.objectives} for policy in (before, after))
    for id in dict.fromkeys((*old, *new)):
        if id not in old:
            yield Change(MODELS, f"objective {id} is new: {new[id].text.strip()}")
            if new[id].examples:
                yield Change(JUDGE, f"objective {id} is new; examples, allowed under every rule: {len(new[id].examples)}")
        elif id not in new:
            yield Change(MODELS, f"objective {id} is gone")
            if old[id].examples:
                yield Change(JUDGE, f"objective {id} is gone; examples: {len(old[id].examples)}")
        else:
            if old[id].text != new[id].text:
                yield Change(MODELS, f"objective {id}: {words(old[id].text, new[id].text)}")
            if old[id].examples != new[id].examples:
                counted = _counted(old[id].examples, new[id].examples)
                yield Change(JUDGE, f"objective {id}, allowed under every rule: {counted}")


def _rules(before: Policy, after: Policy) -> Iterator[Change]:
    old, new = ({rule.id: rule for rule in policy.rules} for policy in (before, after))
    shared = [name for name in after.tiers if name in before.tiers]
    for id in dict.fromkeys((*old, *new)):
        if id not in old:
            yield from (Change(who, f"rule {id} is new ({new[id].state}): {new[id].title or id}") for who in _whom(new[id]))
            yield from _does(new[id], after.tiers, "")
        elif id not in new:
            yield from (Change(who, f"rule {id} is gone, and its id must not come back") for who in _whom(old[id]))
            yield from _does(old[id], shared, "no more: ")
    kept = [id for id in old if id in new]
    same: dict[Change, list[str]] = {}
    for id in kept:
        for change in _rule(old[id], new[id], shared):
            same.setdefault(change, []).append(id)
    for change, ids in same.items():
        named = "every rule" if 1 < len(ids) == len(kept) else f"rule{'s' if len(ids) > 1 else ''} {', '.join(ids)}"
        yield Change(change.who, f"{named}: {change.what}")


def _whom(rule: Rule) -> tuple[str, ...]:
    """Whom a rule concerns; one over accounts opens cases for reviewers and does nothing else."""
    return (REVIEWERS,) if rule.detect is None else (EVERYBODY, REVIEWERS, MODELS)


def _does(rule: Rule, tiers: Sequence[str], no_more: str) -> Iterator[Change]:
    """What a whole rule does, to whom; `no_more` stands before what it did."""
    if rule.detect is None:
        yield Change(REVIEWERS, f"rule {rule.id}: {no_more}opens a case when {rule.when} ({rule.state})")
    elif not rule.acts_on(None):
        yield Change(EVERYBODY, f"rule {rule.id}: {no_more}{_state(rule)}")
    else:
        for name in tiers:
            unsure = "delivered" if delivers_unsure(rule, name) else "withheld"
            meets = f"a violation meets [{', '.join(rule.actions(name))}], what is undetermined is {unsure}"
            yield Change(tier(name), f"rule {rule.id}: {no_more}{meets}")


def _rule(old: Rule, new: Rule, tiers: Sequence[str]) -> Iterator[Change]:
    if old.state != new.state:
        yield Change(EVERYBODY, f"{_state(new)}, was {old.state}")
    if old.detect is not None and new.detect is not None:
        yield from (Change(EVERYBODY, what) for what in _detect(old.detect, new.detect))
    elif old.detect != new.detect:
        yield Change(EVERYBODY, "it is over texts now" if new.detect else "it is over an account's history now")
    for name in tiers:
        was, now = old.actions(name), new.actions(name)
        if was != now:
            yield Change(tier(name), f"a violation meets [{', '.join(now)}], was [{', '.join(was)}] ({_way(old, new, name)})")
        was_sent, sent = (rule.on_review.get(name, "withhold") for rule in (old, new))
        if was_sent != sent:
            turned = "looser" if sent == "deliver" else "stricter"
            yield Change(tier(name), f"what is undetermined: {sent}, was {was_sent} ({turned})")
    if old.when != new.when and old.when and new.when:
        yield Change(REVIEWERS, f"opens a case when {new.when}; was when {old.when}")
    yield from _wording(old, new)
    if old.examples != new.examples:
        yield from (Change(who, _examples(old.examples, new.examples)) for who in (REVIEWERS, JUDGE))
    for name in sorted(set(new.__struct_fields__) - _TOLD):
        who = EVERYBODY if name in _PEOPLE else MODELS if name in _MODELS else JUDGE if name == "maps" else REVIEWERS
        yield from (Change(who, what) for what in _field(name, getattr(old, name), getattr(new, name)))
    if new.weakens and new.weakens != old.weakens:
        yield Change(EVERYBODY, f"weakened, because: {new.weakens}")


def _detect(old: Detect, new: Detect) -> Iterator[str]:
    for name, effect in (("block", "violates"), ("review", "is undetermined")):
        was, now = getattr(old, name), getattr(new, name)
        if was != now:
            yield f"{effect} from a score of {now:g}, was {was:g} ({'stricter' if now < was else 'looser'})"
    if old.missing != new.missing:
        yield f"without a score: {new.missing}, was {old.missing} ({'stricter' if new.missing == 'block' else 'looser'})"
    if old.signal != new.signal:
        yield f"looks at {new.signal}, was {old.signal}"
    was_ids, now_ids = ({pattern.id: pattern for pattern in detect.patterns} for detect in (old, new))
    for label, ids in (
        ("new patterns", [id for id in now_ids if id not in was_ids]),
        ("patterns gone", [id for id in was_ids if id not in now_ids]),
        ("patterns changed", [id for id in now_ids if was_ids.get(id, now_ids[id]) != now_ids[id]]),
    ):
        if ids:
            yield f"{label}: {', '.join(ids)}"
    if old.personal != new.personal:
        yield f"violates by personal data of the kinds: {_short(new.personal)}, was {_short(old.personal)}"


def _wording(old: Rule, new: Rule) -> Iterator[Change]:
    """Models get the words; reviewers are told to read them again."""
    told: list[str] = []
    if old.definition != new.definition:
        told.append(f"its definition {words(old.definition, new.definition)}")
    for term in dict.fromkeys((*old.terms, *new.terms)):
        was, now = old.terms.get(term), new.terms.get(term)
        if was != now:
            told.append(f"its term {term!r} " + (words(was, now) if was and now else f"is new: {now}" if now else "is gone"))
    told += [f"new exception: {each}" for each in new.exceptions if each not in old.exceptions]
    told += [f"exception gone: {each}" for each in old.exceptions if each not in new.exceptions]
    yield from (Change(MODELS, what) for what in told)
    if told:
        yield Change(REVIEWERS, "what it says has changed; read it again")


def words(old: str, new: str) -> str:
    """The words that changed, in order."""
    one, other = old.split(), new.split()
    parts = []
    for how, i, j, k, m in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        was, now = " ".join(one[i:j]), " ".join(other[k:m])
        if how != "equal":
            parts.append(f"says {now!r} in place of {was!r}" if was and now else f"adds {now!r}" if now else f"drops {was!r}")
    return ", ".join(parts) or "is written with other spaces"


def _field(name: str, old: Any, new: Any) -> Iterator[str]:
    if isinstance(old, Struct) and isinstance(new, Struct):
        for key in new.__struct_fields__:
            yield from _field(f"{name}.{key}", getattr(old, key), getattr(new, key))
    elif name == "comparisons" and old != new:
        yield _counted(old, new, "comparisons")
    elif old != new:
        yield f"{_CALLED.get(name, name)}: {_short(new)}, was {_short(old)}"


def _counted(old: Sequence[Any], new: Sequence[Any], noun: str = "examples") -> str:
    added, gone = sum(each not in old for each in new), sum(each not in new for each in old)
    return f"{noun}: {added} new, {gone} gone" if added or gone else f"{noun} stand in another order"


def _examples(old: Sequence[RuleExample], new: Sequence[RuleExample]) -> str:
    added = Counter(f"{each.split} {each.verdict}" for each in new if each not in old)
    told = ", ".join(f"{n} {what}" for what, n in sorted(added.items()))
    return _counted(old, new) + (f"; new are {told}" if told else "")


def _way(old: Rule, new: Rule, name: str) -> str:
    """Whether a sure violation meets something stricter; stricter in one way and milder in another is neither."""
    was, now = (met(rule, name, 1.0).strictness for rule in (old, new))
    up, down = (any(sign * (b - a) > 0 for a, b in zip(was, now, strict=True)) for sign in (1, -1))
    return "stricter" if up and not down else "looser" if down and not up else "neither stricter nor looser"


def _state(rule: Rule) -> str:
    share = f"acts on {rule.state.percent} % of the accounts"
    acts = {"enforce": "acts on everybody", "canary": share, "shadow": "is noted and not acted upon"}
    return acts.get(rule.state.name, "is not judged") + f" ({rule.state})"


def _ladder(ladder: Sequence[Rung]) -> str:
    return (
        ", ".join(
            f"{rung.do} at {rung.at}" + (f" for {rung.days} days" if rung.days else "") + _approved(rung) for rung in ladder
        )
        or "none"
    )


def _approved(rung: Rung) -> str:
    return "" if rung.approve == "nobody" else f" once approved by {rung.approve.replace('_', ' ')}"


def _short(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, tuple) else "none" if value is None else str(value)
    return (text if len(text) <= 100 else f"{text[:97]}…") or "none"
