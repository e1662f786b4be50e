"""Policies, requests, and the log that a gateway under a policy writes of them: the gateway's path, one request at a time.

What a text is stands in it (`Truth`): scores, patterns, whether it was cut off. A judge of any policy can so be played.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import strategies as st

from fairlead.enforce.settle import Settlement
from fairlead.ledger.fold import State, fold
from fairlead.policy.act import Act
from fairlead.policy.decide import Ruling, decide, strictest
from fairlead.policy.document import Detect, Pattern, Policy, Quota, Rule, Rung, Surface
from fairlead.policy.evaluator import by_score
from fairlead.policy.standing import closed, lowered
from fairlead.policy.state import State as Life
from fairlead.records.entry import (
    AccountErased,
    CaseOpened,
    Decided,
    Entry,
    KeyIssued,
    Labelled,
    LadderStepped,
    Payload,
    Reversed,
    Signals,
)
from fairlead.records.verdict import CUT, Outcome, RuleVerdict, Verdict

TIERS = ("low", "middle", "high")
ACCOUNTS = ("ann", "bob", "cid")
NAMES = ("a", "b", "c")
HOUR = 3600.0


@dataclass(frozen=True)
class Truth:
    """One text."""

    scores: dict[str, float] = field(default_factory=dict)
    patterns: frozenset[str] = frozenset()
    cut: bool = False


@dataclass(frozen=True)
class Request:
    """What somebody asks, what the model would answer, and what it would answer under care. `ends` is what comes between;
    `under_way` says that it was let in before the decision before it was recorded."""

    account: str
    wait: float
    prompt: Truth
    answers: tuple[Truth, ...]
    careful: tuple[Truth, ...]
    ends: str = ""
    under_way: bool = False


@dataclass(frozen=True)
class Other:
    """An entry that is no request. `back` says how many entries ago what it is about stands."""

    what: str
    account: str
    back: int = 1


# ── the gateway's path ───────────────────────────────────────────────────────────────────────────────────────────────────────


def verdict(policy: Policy, truth: Truth, surface: Surface) -> Verdict:
    """What a judge of `policy` says."""
    return Verdict(tuple(_said(rule, truth) for rule in policy.over(surface)), "truth/1")


def _said(rule: Rule, truth: Truth) -> RuleVerdict:
    assert rule.detect is not None
    for pattern in rule.detect.patterns:
        if pattern.id in truth.patterns:
            return RuleVerdict(rule.id, rule.digest, Outcome.VIOLATES, 1.0, "signatures", "plain", f"pattern {pattern.id}")
    score = truth.scores.get(rule.detect.name)
    outcome = by_score(rule.detect)(score)
    if score is None:
        return RuleVerdict(rule.id, rule.digest, outcome, stage="heads", evidence="the rule has no trained head")
    if truth.cut and outcome is Outcome.ALLOWED:
        return RuleVerdict(
            rule.id, rule.digest, by_score(rule.detect)(None), stage="heads", evidence=f"{CUT}9 characters were read"
        )
    return RuleVerdict(
        rule.id, rule.digest, outcome, score, "heads", "plain", f"{CUT}9 characters were read" if truth.cut else ""
    )


class Gateway:
    """Writes the log of a policy. Everything is folded anew each time, so that nothing can go stale."""

    def __init__(self, policy: Policy, keys: dict[str, str]) -> None:
        self.policy, self.keys = policy, keys
        self.settlement = Settlement(policy)
        self.entries: list[Entry] = []
        self.now = 0.0
        self.before: State = State()
        self.write(policy.entry(), *(KeyIssued(f"k{who}", "fl", who, tier) for who, tier in keys.items()))

    def write(self, *payloads: Payload) -> None:
        self.entries += [Entry(seq, self.now, "gw/1", p) for seq, p in enumerate(payloads, len(self.entries))]  # type: ignore[arg-type]

    def take(self, happened: Request | Other, n: int) -> None:
        state = fold(self.entries)
        if isinstance(happened, Other):
            self.now += 1.0
            self.write(*_other(happened, self.entries))
        else:
            self.now += happened.wait
            self.asked(happened, f"req_{n}", state, self.before if happened.under_way else state)
        self.before = state

    def asked(self, request: Request, id: str, state: State, door: State) -> None:
        in_force = door.account(request.account).in_force(self.now)
        tier = lowered(self.policy, self.keys[request.account], in_force)
        if closed(in_force):
            self.ended(id, request, tier, "refuse", "account", state)
        elif tier not in self.policy.tiers or tier not in self.policy.quotas:
            self.ended(id, request, tier, "refuse", "tier", state)
        elif request.ends == "quota":
            self.ended(id, request, tier, "refuse", "quota", state)
        elif request.ends == "moderation":
            kept = tuple(v for v in verdict(self.policy, request.prompt, "prompt").rules if v.outcome is not Outcome.ALLOWED)
            self.ended(id, request, tier, "allow", "rule", state, [Ruling("allow", kept=kept)], surface="moderation")
        else:
            self.judged(id, request, tier, state)

    def judged(self, id: str, request: Request, tier: str, state: State) -> None:
        """`gateway.app`'s `_answer` and `_safely`."""
        rulings: list[Ruling] = []
        signals: list[Signals] = []

        def ruled(texts: Sequence[Truth], surface: Surface, care: str = "") -> Ruling:
            each = [decide(self.policy, tier, request.account, verdict(self.policy, t, surface), surface) for t in texts]
            signals.extend(Signals(surface, r.harm, len(r.kept), choice, care) for choice, r in enumerate(each))
            rulings.append(strictest(each))
            return rulings[-1]

        def end(action: str, rule: str | None, cause: str = "rule") -> None:
            surface = signals[-1].surface
            self.ended(id, request, tier, action, cause, state, rulings, signals, rule, surface)

        found = ruled([request.prompt], "prompt")
        if found.error or request.ends == "judge_error":
            return end("refuse", None, "judge_error")
        if found.action in ("block", "review"):
            return end(found.action, found.rule)
        if request.ends == "upstream_error":
            return end("refuse", None, "upstream_error")
        if found.action == "allow":
            found = ruled(request.answers, "response")
            if found.error:
                return end("refuse", None, "judge_error")
            if found.action != "safe_complete":
                return end(found.action, found.rule)
        rule = self.policy.rule(found.rule or "")
        if rule.safe_completion:
            return end("safe_complete", rule.id)
        again = ruled(request.careful, "response", rule.id)
        if again.error:
            return end("refuse", None, "judge_error")
        if again.action in ("block", "review"):
            return end(again.action, again.rule)
        return end("block", again.rule) if again.action == "safe_complete" else end("safe_complete", rule.id)

    def ended(
        self,
        id: str,
        request: Request,
        tier: str,
        action: str,
        cause: str,
        state: State,
        rulings: Sequence[Ruling] = (),
        signals: Sequence[Signals] = (),
        rule: str | None = None,
        surface: str = "prompt",
    ) -> None:
        decided = Decided(
            id,
            action,
            cause,
            200,
            request.account,
            tier,
            surface,
            policy=self.policy.digest,
            judge="truth/1",
            rule=rule,
            verdicts=tuple(v for r in rulings for v in r.kept),
            points=max((r.points for r in rulings), default=0),
            flags=tuple(dict.fromkeys(flag for r in rulings for flag in r.flags)),
            signals=tuple(signals),
        )
        counted = () if surface == "moderation" else tuple(rulings)
        self.write(*self.settlement.settle(decided, counted, state, self.now, len(self.entries)))


def _other(happened: Other, entries: list[Entry]) -> list[Payload]:
    seq = max(0, len(entries) - happened.back)
    match happened.what:
        case "reversed":
            return [Reversed(seq, "reviewer:r", "appeal", account=happened.account)]
        case "step":
            return [LadderStepped(happened.account, 0, "tier_down", until=1e9)]
        case "case":
            return [CaseOpened(f"c{len(entries)}", happened.account, "a.again", (seq,))]
        case "label":
            return [Labelled(f"req_{happened.back}", "a", happened.back % 2 == 0, "reviewer:r")]
        case _:
            return [AccountErased(happened.account, "reviewer:r")]


def live(policy: Policy, keys: dict[str, str], happened: Sequence[Request | Other]) -> list[Entry]:
    """The log of a gateway under `policy`."""
    gateway = Gateway(policy, keys)
    for n, each in enumerate(happened):
        gateway.take(each, n)
    return gateway.entries


# ── what is drawn ────────────────────────────────────────────────────────────────────────────────────────────────────────────

scores = st.sampled_from([0.0, 0.2, 0.4, 0.5, 0.6, 0.79, 0.8, 0.9, 1.0])
ACTS = ["allow", "flag", "case", *["safe_complete"] * 3, "review", "strike(1)", "strike(3)", "tier_down", "block"]
signals = st.fixed_dictionaries(dict.fromkeys(NAMES, scores))
quiet = st.just(dict.fromkeys(NAMES, 0.1))
truths = st.builds(
    Truth,
    st.one_of(quiet, quiet, signals, signals, st.dictionaries(st.sampled_from(NAMES), scores, min_size=2)),
    st.frozensets(st.sampled_from(["p1", "p2"]), max_size=1) | st.just(frozenset()),
    st.sampled_from([*[False] * 7, True]),
)
several = st.lists(truths, min_size=1, max_size=2).map(tuple)
requests = st.builds(
    Request,
    account=st.sampled_from(ACCOUNTS),
    wait=st.sampled_from([0.0, 1.0, HOUR, 20 * HOUR]),
    prompt=truths,
    answers=several,
    careful=st.one_of(st.just((Truth(dict.fromkeys(NAMES, 0.1)),)), several),
    ends=st.sampled_from([*[""] * 12, "quota", "moderation", "upstream_error", "judge_error"]),
    under_way=st.booleans(),
)
others = st.builds(
    Other,
    st.sampled_from(["reversed", "reversed", "step", "case", "label", "erased"]),
    st.sampled_from(ACCOUNTS),
    st.integers(1, 9),
)
histories = st.lists(st.one_of(requests, requests, requests, requests, others), min_size=3, max_size=18)
keys = st.fixed_dictionaries({who: st.sampled_from([*TIERS * 3, "nowhere"]) for who in ACCOUNTS})


@st.composite
def rules(draw: st.DrawFn, name: str) -> Rule:
    review, block = sorted(draw(st.tuples(st.sampled_from([0.3, 0.5, 0.6]), st.sampled_from([0.5, 0.6, 0.8]))))
    act = st.lists(st.sampled_from(ACTS), min_size=1, max_size=3).map(lambda names: tuple(map(Act, names)))
    return Rule(
        id=name,
        act=draw(st.dictionaries(st.sampled_from(TIERS), act, min_size=1)),
        definition=name,
        applies_to=draw(st.sampled_from([*[("prompt", "response")] * 5, ("prompt",), ("response",)])),
        detect=Detect(
            f"harm.{name}",
            review,
            block,
            draw(st.sampled_from(["review", "review", "block"])),
            tuple(Pattern(id, id) for id in draw(st.lists(st.sampled_from(["p1", "p2"]), max_size=1)) if name == "a"),
        ),
        severity=draw(st.sampled_from(["low", "critical"])),
        on_review=draw(st.dictionaries(st.sampled_from(TIERS), st.sampled_from(["deliver", "withhold"]))),
        safe_completion=draw(st.sampled_from(["", "", "You are not alone."])),
        state=Life(draw(st.sampled_from([*["enforce"] * 5, "canary(50)", "shadow", "draft"]))),
    )


WHENS = (
    'count("block", rule="*", window="24h") >= 2',
    'signal.harm["a"] >= 0.5 and count("strike", rule="a*", window="7d") >= 1',
    'surface == "response" or tier == "low"',
    'count("throttle", rule="*", window="30d") >= 1 or count("case", rule="a.again", window="1h") >= 1',
)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    over_texts = [draw(rules(name)) for name in NAMES[: draw(st.integers(1, 3))]]
    over_accounts = [
        Rule(
            id=f"a.again{at}" if at else "a.again",
            act={"low": (Act("case"),)},
            when=when,
            cap_per_day=draw(st.sampled_from([None, 1])),
            state=Life(draw(st.sampled_from(["enforce", "shadow", "canary(50)", "draft"]))),
        )
        for at, when in enumerate(draw(st.lists(st.sampled_from(WHENS), max_size=2)))
    ]
    steps = draw(st.lists(st.sampled_from(["warn", "throttle", "tier_down", "suspend", "ban"]), max_size=4))
    return Policy(
        schema=1,
        id="p",
        version="1",
        tiers=TIERS,
        rules=(*over_texts, *over_accounts),
        ladder=tuple(
            Rung(2 * at + 1, do, draw(st.sampled_from([None, 1])), draw(st.sampled_from(["nobody", "nobody", "human"])))  # type: ignore[arg-type]
            for at, do in enumerate(steps)
        ),
        quotas={tier: Quota(1, 1) for tier in draw(st.sampled_from([*[TIERS] * 7, TIERS[1:]]))},
        strikes_expire_days=draw(st.sampled_from([1, 90])),
    )
