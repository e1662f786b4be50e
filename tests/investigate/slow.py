"""The slow, obvious twin of the back-test: every rule of every text, every state folded anew from a list of entries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from fairlead.enforce.settle import Settlement
from fairlead.ledger.fold import fold
from fairlead.policy.decide import Ruling, decide, strictest
from fairlead.policy.document import Policy
from fairlead.policy.evaluator import by_score
from fairlead.policy.standing import closed, lowered
from fairlead.records.entry import (
    CaseOpened,
    Decided,
    Entry,
    KeyIssued,
    LadderStepped,
    Payload,
    Reversed,
    ReviewQueued,
    Signals,
)
from fairlead.records.verdict import CUT, Outcome, RuleVerdict, Verdict


@dataclass
class Slow:
    """What each decision would have come to, by request; and the log as it would have become."""

    gave: dict[str, tuple[Payload, ...]] = field(default_factory=dict)
    unanswered: set[str] = field(default_factory=set)
    unknown: dict[str, set[str]] = field(default_factory=dict)
    hit: dict[str, set[str]] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)


def slow_backtest(policy: Policy, log: Sequence[Entry], since: float) -> Slow:
    found = Slow()
    settlement = Settlement(policy)
    start = next((entry.seq for entry in log if entry.time >= since), len(log))
    found.entries = list(log[:start])
    where = {seq: seq for seq in range(start)}

    def write(time: float, payload: Payload) -> int:
        found.entries.append(Entry(len(found.entries), time, "", payload))  # type: ignore[arg-type]
        return len(found.entries) - 1

    skip = 0
    for entry in log[start:]:
        if skip:
            skip -= 1
            continue
        payload = entry.payload
        if isinstance(payload, Reversed):
            if payload.seq in where:
                where[entry.seq] = write(entry.time, msgspec.structs.replace(payload, seq=where[payload.seq]))
            continue
        if not isinstance(payload, Decided) or payload.cause != "rule" or not payload.signals:
            where[entry.seq] = write(entry.time, payload)
            continue
        follows = []
        for after in log[entry.seq + 1 :]:
            if not isinstance(after.payload, CaseOpened | LadderStepped | ReviewQueued) or after.time != entry.time:
                break
            follows.append(after)
        skip = len(follows)
        decided, rulings = _decided(policy, payload, entry, log, found)
        given = settlement.settle(decided, rulings, fold(found.entries), entry.time, len(found.entries))
        found.gave[payload.request] = given
        kept = [verdict for ruling in rulings for verdict in ruling.kept]
        hit = {v.rule for v in kept if v.outcome is Outcome.VIOLATES} - found.unknown[payload.request]
        cases = {p.rule for p in given if isinstance(p, CaseOpened)} | {
            flag.removeprefix("shadow:")
            for flag in given[0].flags  # type: ignore[attr-defined]
            if flag.startswith("shadow:")
        }
        found.hit[payload.request] = hit | (cases - {verdict.rule for verdict in kept})
        for each in given:
            at = write(entry.time, each)
            where |= {after.seq: at for after in follows if _same(after.payload, each)} | (
                {entry.seq: at} if each is given[0] else {}
            )
    return found


def _same(one: Payload, other: Payload) -> bool:
    match one, other:
        case (CaseOpened(), CaseOpened()) | (ReviewQueued(), ReviewQueued()):
            return one.rule == other.rule  # type: ignore[attr-defined]
        case LadderStepped(), LadderStepped():
            return one.at == other.at
    return False


def _decided(
    policy: Policy, was: Decided, entry: Entry, log: Sequence[Entry], found: Slow
) -> tuple[Decided, tuple[Ruling, ...]]:
    account = was.account or ""
    tier, refused = _door(policy, was, entry, log, found)
    rulings: list[Ruling] = []
    action, cause, rule, surface = "refuse", refused, None, "prompt"
    unknown: set[str] = set()
    if not refused:
        cause = "rule"

        def ruled(surface: str, care: str) -> Ruling | None:
            texts, start = [], 0
            for signals in was.signals:
                kept = was.verdicts[start : start + signals.kept]
                start += signals.kept
                if (signals.surface, signals.care) == (surface, care):
                    texts.append((signals, kept))
            if not texts:
                return None
            each = [decide(policy, tier, account, _verdict(policy, *text, unknown), surface) for text in texts]  # type: ignore[arg-type]
            rulings.append(strictest(each))
            return rulings[-1]

        action, rule, surface = _walk(policy, ruled, was.request, found)
        if rulings[-1].error:
            action, cause, rule = "refuse", "judge_error", None
    found.unknown[was.request] = unknown
    decided = Decided(
        was.request,
        action,
        cause or "",
        was.status,
        account,
        tier,
        surface,
        policy=policy.digest,
        rule=rule,
        points=max((r.points for r in rulings), default=0),
        flags=tuple(dict.fromkeys(flag for r in rulings for flag in r.flags)),
    )
    return decided, tuple(rulings)


def _walk(policy: Policy, ruled, request: str, found: Slow) -> tuple[str, str | None, str]:  # type: ignore[no-untyped-def]
    ruling, surface = ruled("prompt", ""), "prompt"
    if ruling.action == "allow":
        ruling = ruled("response", "")
        if ruling is None:
            found.unanswered.add(request)
            return "allow", None, surface
        surface = "response"
    if ruling.action != "safe_complete":
        return ruling.action, ruling.rule, surface
    if policy.rule(ruling.rule).safe_completion:
        return "safe_complete", ruling.rule, surface
    again = ruled("response", ruling.rule)
    if again is None:
        found.unanswered.add(request)
        return "safe_complete", ruling.rule, surface
    if again.action == "allow":
        return "safe_complete", ruling.rule, "response"
    return ("block" if again.action == "safe_complete" else again.action), again.rule, "response"


def _door(policy: Policy, was: Decided, entry: Entry, log: Sequence[Entry], found: Slow) -> tuple[str, str | None]:
    account, tier = was.account or "", was.tier or ""
    held = fold(log[: entry.seq]).account(account).in_force(entry.time)
    holds = fold(found.entries).account(account).in_force(entry.time)
    if held != holds:
        issued = [e.payload.tier for e in log[: entry.seq] if isinstance(e.payload, KeyIssued) and e.payload.account == account]
        might = [lowered(policy, key, holds) for key in issued if lowered(policy, key, held) == tier]
        tier = might[0] if might else lowered(policy, tier, holds)
        if closed(holds) and not closed(held):
            return tier, "account"
    return tier, "tier" if tier not in policy.tiers or tier not in policy.quotas else None


def _verdict(policy: Policy, signals: Signals, kept: Sequence[RuleVerdict], unknown: set[str]) -> Verdict:
    rules = []
    for rule in policy.over(signals.surface):  # type: ignore[arg-type]
        assert rule.detect is not None
        score = signals.scores.get(rule.detect.signal.removeprefix("harm."))
        noted = [verdict for verdict in kept if verdict.rule == rule.id]
        if noted and noted[0].rule_digest == rule.digest:
            rules.append(noted[0])
            continue
        if noted and noted[0].stage == "signatures":
            if noted[0].evidence in [f"pattern {pattern.id}" for pattern in rule.detect.patterns]:
                rules.append(RuleVerdict(rule.id, rule.digest, Outcome.VIOLATES, 1.0))
                continue
            score = None
        outcome = by_score(rule.detect)(score)
        if score is None:
            unknown.add(rule.id)
        if outcome is Outcome.ALLOWED and any(verdict.evidence.startswith(CUT) for verdict in kept):
            outcome, score = by_score(rule.detect)(None), None
        rules.append(RuleVerdict(rule.id, rule.digest, outcome, score))
    return Verdict(tuple(rules), "slow")
