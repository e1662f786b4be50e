"""What the policy says of one judged text: a pure function from verdict to ruling.

Invariant: nothing is delivered that was not assessed under every enforced rule of its surface, and an error never allows.

Readings of the policy: a rule in canary acts on its share of the accounts and is in shadow for the others. A rule whose list
names nothing for the request (only `strike` or `tier_down`) blocks, because what earns a penalty is not delivered; one that
only opens a case or throttles delivers and flags. `redact` completes safely, because nothing is masked yet. One request earns
the points of the gravest of its rules, not their sum, and only for what the account wrote (the prompt, not the model's answer).
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from fairlead.policy.act import Act
from fairlead.policy.document import Policy, Rule, Surface
from fairlead.policy.evaluator import by_score
from fairlead.records.verdict import Outcome, RuleVerdict, Verdict

#: What a request can come to, from the mildest to the strictest.
ORDER = ("allow", "safe_complete", "review", "block")
# What each action of a policy means for the request.
_MEANS = {
    "allow": "allow",
    "flag": "allow",
    "case": "allow",
    "throttle": "allow",
    "redact": "safe_complete",
    "safe_complete": "safe_complete",
    "review": "review",
    "strike": "block",
    "tier_down": "block",
    "block": "block",
}
_ON_ACCOUNT = frozenset({"case", "throttle", "strike", "tier_down"})
_ALLOWED = Outcome.ALLOWED


class Ruling(Struct, frozen=True):
    """What is to be done with one text.

    `rule` decided; it is None when every rule allowed. `flags` names rules that were noted and not acted upon; a shadow rule's
    flag starts with `shadow:`. `cases` names the rules that ask for a case, `unsure` those that await a reviewer. `kept` holds
    the verdicts that are not plainly allowed, `harm` the score of each signal. `error` is the judge's.
    """

    action: str
    rule: str | None = None
    points: int = 0
    flags: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()
    kept: tuple[RuleVerdict, ...] = ()
    harm: dict[str, float] = {}
    error: str | None = None


Pairs = list[tuple[Rule, RuleVerdict]]


def assessed(policy: Policy, verdict: Verdict, surface: Surface) -> Pairs:
    """Each living rule of the surface with its verdict. A rule the judge left out, or judged in another version, is unsure
    (or violated, where the rule says `missing: block`)."""
    found = {said.rule: said for said in verdict.rules}
    pairs = []
    for rule in policy.over(surface):
        said = found.get(rule.id)
        if said is None or said.rule_digest != rule.digest:
            said = _unassessed(rule)
        pairs.append((rule, said))
    return pairs


def decide(policy: Policy, tier: str, account: str | None, verdict: Verdict, surface: Surface) -> Ruling:
    """What `policy` does with a text that was judged so. For a tier that a rule does not name its strictest list holds, for
    an account that is not known every canary."""
    pairs = assessed(policy, verdict, surface)
    harm = _harm(pairs)
    noted = [pair for pair in pairs if pair[1].outcome is not _ALLOWED]
    if verdict.error is not None:
        return Ruling("review", kept=_kept(noted), harm=harm, error=verdict.error)
    if not pairs:
        return Ruling("review", error=f"the policy has no rule for the surface {surface!r}")
    return ruled(noted, tier, account, surface, harm)


def ruled(noted: Pairs, tier: str, account: str | None, surface: Surface, harm: dict[str, float]) -> Ruling:
    """The ruling on a text of which `noted` is not plainly allowed, and all else is: what `decide` comes to."""
    if not noted:
        return Ruling("allow", harm=harm)
    flags, cases, unsure, points = [], [], [], 0
    decided: list[tuple[str, Rule]] = []
    for rule, said in noted:
        if not rule.acts_on(account):
            flags.append(f"shadow:{rule.id}")
            continue
        if said.outcome is Outcome.VIOLATES:
            acts = rule.actions(tier)
            action = on_request(acts)
            cases += [rule.id] if opens_case(acts) else []
            points = max(points, sum(act.points for act in acts) if surface == "prompt" else 0)
        else:
            action = "allow" if delivers_unsure(rule, tier) else "review"
            unsure += [rule.id] if action == "review" else []
        flags += [rule.id] if action == "allow" else []
        decided.append((action, rule))
    action, by = max(decided, key=lambda pair: ORDER.index(pair[0]), default=("allow", None))
    return Ruling(
        action,
        rule=None if by is None or action == "allow" else by.id,
        points=points,
        flags=tuple(flags),
        cases=tuple(cases),
        unsure=tuple(unsure) if action == "review" else (),
        kept=_kept(noted),
        harm=harm,
    )


def strictest(rulings: Iterable[Ruling]) -> Ruling:
    """The strictest of several texts of one answer, with all that was noted of any of them. Raises ValueError for none."""
    found = list(rulings)
    worst = max(found, key=lambda ruling: (ORDER.index(ruling.action), ruling.error is not None))
    return msgspec.structs.replace(
        worst,
        points=max(ruling.points for ruling in found),
        flags=tuple(dict.fromkeys(flag for ruling in found for flag in ruling.flags)),
        cases=tuple(dict.fromkeys(case for ruling in found for case in ruling.cases)),
        unsure=tuple(dict.fromkeys(rule for ruling in found for rule in ruling.unsure)),
        kept=tuple(said for ruling in found for said in ruling.kept),
        harm={signal: max(r.harm.get(signal, 0.0) for r in found) for ruling in found for signal in ruling.harm},
    )


def on_request(acts: tuple[Act, ...]) -> str:
    """What a list of actions means for the request: one of `ORDER`."""
    named = [act for act in acts if act.name not in _ON_ACCOUNT]
    return max((_MEANS[act.name] for act in named or acts), key=ORDER.index)


def opens_case(acts: tuple[Act, ...]) -> bool:
    """`throttle` and `tier_down` of a rule over texts have no duration in the policy, so people decide: a case."""
    return any(act.name in ("case", "throttle", "tier_down") for act in acts)


def delivers_unsure(rule: Rule, tier: str) -> bool:
    """Whether somebody of `tier` gets what the judge could not decide under this rule."""
    return rule.severity != "critical" and rule.on_review.get(tier) == "deliver"


def _kept(noted: Pairs) -> tuple[RuleVerdict, ...]:
    return tuple([said for _, said in noted])


def _unassessed(rule: Rule) -> RuleVerdict:
    assert rule.detect is not None  # the policy's text rules have one
    missing = by_score(rule.detect)(None)
    return RuleVerdict(rule.id, rule.digest, missing, evidence="the judge did not assess this version of the rule")


def _harm(pairs: Pairs) -> dict[str, float]:
    """The highest score of each signal. Plain comparisons: a back-test runs this for every event."""
    harm: dict[str, float] = {}
    for rule, said in pairs:
        score = said.score
        if score is not None and rule.detect is not None:
            signal = rule.detect.name
            if score > harm.get(signal, -1.0):
                harm[signal] = score
    return harm
