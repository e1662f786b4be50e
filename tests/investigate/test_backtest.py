"""A back-test does what the gateway would have done: held against a slow twin, against itself, and against another gateway."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import msgspec
from histories import Other, Request, histories, keys, live, policies
from hypothesis import given, settings
from hypothesis import strategies as st
from slow import slow_backtest

from fairlead.enforce.settle import Settlement
from fairlead.investigate.backtest import Report, backtest
from fairlead.ledger.fold import State, fold
from fairlead.policy.decide import Ruling
from fairlead.policy.document import Policy
from fairlead.policy.state import State as Life
from fairlead.records.entry import CaseOpened, Decided, Entry, LadderStepped, Payload, ReviewQueued


class Spy:
    """A settlement that keeps what it gave, by request."""

    def __init__(self, policy: Policy) -> None:
        self.gave: dict[str, tuple[Payload, ...]] = {}
        self._settlement = Settlement(policy)

    def __call__(
        self, decided: Decided, rulings: tuple[Ruling, ...], state: State, now: float, seq: int
    ) -> tuple[Payload, ...]:
        self.gave[decided.request] = found = self._settlement.settle(decided, rulings, state, now, seq)
        return found


def reported(policy: Policy, entries: list[Entry], since: float | None = None) -> Report:
    return backtest(policy, iter(entries), settle=Settlement(policy).settle, since=since)


def assert_nothing_changed(report: Report) -> None:
    assert set(report.actions) == {b for b, after in report.actions.items() if list(after) == [b]}
    assert report.disagreements == ()
    for rule in report.rules:
        assert (rule.newly_hit, rule.no_longer_hit, rule.undetermined) == (0, 0, 0)
        assert (rule.before, rule.unsure_before) == (rule.after, rule.unsure_after)
        assert (rule.precision_before, rule.recall_before) == (
            msgspec.structs.replace(rule.precision, name="precision before"),
            msgspec.structs.replace(rule.recall, name="recall before"),
        )
    for before, after in (report.cases, report.queued, *report.tiers.values(), *report.steps.values()):
        assert before == after
    assert report.let_in == 0


@settings(max_examples=300)
@given(policies(), keys, histories, st.sampled_from([None, 0.0, 3600.0, 100_000.0]))
def test_the_policy_that_was_in_force_changes_nothing(
    policy: Policy, issued: dict[str, str], happened: list[Request | Other], since: float | None
) -> None:
    entries = live(policy, issued, happened)
    report = reported(policy, entries, since)
    assert_nothing_changed(report)
    wanted = [e for e in entries if isinstance(e.payload, Decided) and (since is None or e.time >= since)]
    assert report.events == len(wanted)
    assert sum(report.left.values()) + report.replayed == report.events


def bare(payloads: tuple[Payload, ...]) -> list[Payload]:
    """Without the numbers of cases, which depend on how many entries are written, and without the verdicts' words."""
    return [
        msgspec.structs.replace(payload, case="", because=()) if isinstance(payload, CaseOpened) else payload
        for payload in payloads
    ]


@settings(max_examples=300)
@given(policies(), policies(), keys, histories, st.sampled_from([0.0, 3600.0, 100_000.0]))
def test_another_policy_does_what_the_slow_twin_does(
    old: Policy, new: Policy, issued: dict[str, str], happened: list[Request | Other], since: float
) -> None:
    entries = live(old, issued, happened)
    spy = Spy(new)
    report = backtest(new, iter(entries), settle=spy, since=since)
    slow = slow_backtest(new, entries, since)
    assert {request: bare(gave) for request, gave in spy.gave.items()} == {r: bare(gave) for r, gave in slow.gave.items()}
    assert report.replayed == len(slow.gave)
    was = {e.payload.request: e.payload for e in entries if isinstance(e.payload, Decided)}
    pairs = Counter(
        (was[request].action, "unanswered" if request in slow.unanswered else gave[0].action)  # type: ignore[attr-defined]
        for request, gave in slow.gave.items()
    )
    assert {(b, a): n for b, after in report.actions.items() for a, n in after.items()} == pairs
    assert sum(rule.undetermined for rule in report.rules) == sum(len(unknown) for unknown in slow.unknown.values())
    for rule in report.rules:
        assert rule.after == sum(rule.rule in hit for hit in slow.hit.values())
    assert report.cases[1] == sum(isinstance(p, CaseOpened) for gave in slow.gave.values() for p in gave)
    assert report.queued[1] == sum(isinstance(p, ReviewQueued) for gave in slow.gave.values() for p in gave)
    assert_steps_agree(report, entries, slow.entries)


def assert_steps_agree(report: Report, real: list[Entry], simulated: list[Entry]) -> None:
    """Whoever has a step in force at the end, under both policies."""
    accounts = {e.payload.account for e in real if isinstance(e.payload, Decided)}
    for at, log in enumerate((real, simulated)):
        state = fold(log)
        holding = sum(any(s.until is None or s.until > real[-1].time for s in state.account(a).steps) for a in accounts if a)
        if report.last is not None and report.accounts == len(accounts):
            assert sum(pair[at] for name, pair in report.steps.items() if name != "none") == holding


def in_shadow(policy: Policy) -> Policy:
    rules = tuple(msgspec.structs.replace(rule, state=Life("shadow")) for rule in policy.rules if rule.state.alive)
    return msgspec.structs.replace(policy, rules=rules)


def complete(policy: Policy) -> Policy:
    """With a text for every safe completion, so that no answer is needed that nobody asked for; and a first rule over prompt
    and answer that is alive: without one nothing is delivered, and an error is not decided anew."""
    first, *rest = (msgspec.structs.replace(rule, safe_completion="Take care.") for rule in policy.rules)
    first = msgspec.structs.replace(first, applies_to=("prompt", "response"), state=Life("enforce"))
    return msgspec.structs.replace(policy, rules=(first, *rest))


@settings(max_examples=300)
@given(policies(), keys, histories)
def test_a_policy_that_was_tried_in_shadow_does_what_the_back_test_foretold(
    policy: Policy, issued: dict[str, str], happened: list[Request | Other]
) -> None:
    """The gateway itself as the twin: it serves the same requests under the new policy, one after the other."""
    new = complete(policy)
    asked = [one_by_one(each) for each in happened if isinstance(each, Request) and each.ends in ("", "quota")]
    served, foretold = live(new, issued, asked), Spy(new)
    backtest(new, iter(live(in_shadow(new), issued, asked)), settle=foretold)
    for entry in served:
        if isinstance(entry.payload, Decided) and entry.payload.request in foretold.gave:
            told = foretold.gave[entry.payload.request][0]
            assert isinstance(told, Decided)
            for name in ("action", "cause", "rule", "account", "tier", "surface", "points", "points_expire", "flags"):
                assert getattr(told, name) == getattr(entry.payload, name), name
    follows = [e.payload for e in served if isinstance(e.payload, CaseOpened | LadderStepped | ReviewQueued)]
    assert [p for gave in foretold.gave.values() for p in bare(gave[1:])] == bare(tuple(follows))


def one_by_one(request: Request) -> Request:
    return replace(request, under_way=False)
