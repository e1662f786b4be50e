"""What follows from a decision: one crossing a rung, cases within their cap, shadow rules noted and no more."""

from __future__ import annotations

from fairlead.enforce.settle import Settlement
from fairlead.ledger.fold import State, fold
from fairlead.policy.decide import Ruling
from fairlead.policy.load import parse
from fairlead.records.entry import CaseOpened, Decided, Entry, Payload, ReviewQueued

POLICY = """
schema: 1
id: test
version: "1"
tiers: [public]
rules:
  - id: goblins
    definition: Asks for goblins.
    detect: {signal: harm.goblins, review: 0.5, block: 0.8}
    act: {public: [block, strike(2), case]}
    state: enforce
  - id: goblins.repeat
    when: count("block", rule="goblins*", window="1h") >= 2
    act: {public: [tier_down, case]}
    state: enforce
"""
NOW = 1000.0
BLOCKED = Ruling("block", "goblins", points=2, cases=("goblins",))


def decided(account: str | None = "ann", **more: object) -> Decided:
    fields = {"action": "block", "cause": "rule", "rule": "goblins", "points": 2, **more}
    return Decided("r", status=400, account=account, tier="public", **fields)  # type: ignore[arg-type]


def settled(text: str, said: Decided, *past: Payload, ruling: Ruling = BLOCKED) -> tuple[Payload, ...]:
    state = fold(Entry(i, NOW - 1, "test/1", payload) for i, payload in enumerate(past))  # type: ignore[arg-type]
    return Settlement(parse(text)).settle(said, (ruling,), state, NOW, 7)


def test_the_decision_comes_first_with_its_effects_and_the_state_is_left_alone() -> None:
    state = State()
    first, *rest = Settlement(parse(POLICY)).settle(decided(), (BLOCKED,), state, NOW, 7)
    assert isinstance(first, Decided)
    assert first.points_expire == NOW + 90 * 86400
    assert rest == [CaseOpened("case_7_0", "ann", "goblins", (7,))]
    assert state.account("ann") == State().account("ann")


def test_without_an_account_or_a_ruling_nothing_follows() -> None:
    said = decided(None)
    assert Settlement(parse(POLICY)).settle(said, (BLOCKED,), State(), NOW, 7) == (said,)
    assert Settlement(parse(POLICY)).settle(decided(), (), State(), NOW, 7) == (decided(),)


def repeat(cap: str = "", state: str = "enforce") -> str:
    *head, last = POLICY.rpartition("    state: enforce")
    return "".join(head[:-1]) + f"    {cap}\n    state: {state}" + last


def test_the_present_decision_counts_in_a_rule_over_accounts() -> None:
    cases = [p for p in settled(POLICY, decided(), decided()) if isinstance(p, CaseOpened)]
    assert [case.rule for case in cases] == ["goblins", "goblins.repeat"]
    assert [p.rule for p in settled(POLICY, decided()) if isinstance(p, CaseOpened)] == ["goblins"]


def test_a_case_is_opened_once_a_day_for_an_account_and_within_the_rules_cap() -> None:
    def opened(*past: Payload, cap: str = "") -> bool:
        found = settled(repeat(cap), decided(), decided(), *past)
        return any(isinstance(p, CaseOpened) and p.rule == "goblins.repeat" for p in found)

    assert opened()
    assert not opened(CaseOpened("c", "ann", "goblins.repeat"))
    assert opened(CaseOpened("c", "bob", "goblins.repeat"))
    assert not opened(CaseOpened("c", "bob", "goblins.repeat"), cap="cap_per_day: 1")
    assert opened(CaseOpened("c", "bob", "goblins.repeat"), cap="cap_per_day: 2")


def test_a_rule_over_accounts_in_shadow_is_noted_in_the_decision() -> None:
    first, *rest = settled(repeat(state="shadow"), decided(), decided())
    assert isinstance(first, Decided)
    assert first.flags == ("shadow:goblins.repeat",)
    assert [p.rule for p in rest if isinstance(p, CaseOpened)] == ["goblins"]


def test_a_rule_over_accounts_in_canary_opens_cases_for_its_share_alone() -> None:
    text = repeat(state="canary(50)")
    canary = parse(text).rule("goblins.repeat")
    accounts = [f"acct_{n}" for n in range(20)]
    assert {canary.acts_on(account) for account in accounts} == {True, False}
    for account in accounts:
        first, *rest = settled(text, decided(account), decided(account))
        assert isinstance(first, Decided)
        opened = "goblins.repeat" in [p.rule for p in rest if isinstance(p, CaseOpened)]
        assert opened is canary.acts_on(account)
        assert ("shadow:goblins.repeat" in first.flags) is not opened


def test_a_missing_signal_opens_a_case_that_says_so_but_an_error_opens_none() -> None:
    text = POLICY.replace('count("block", rule="goblins*", window="1h") >= 2', 'signal.harm["goblins"] >= 0.5')
    (_, case) = settled(text, decided(points=0), ruling=Ruling("block", "goblins"))
    assert isinstance(case, CaseOpened)
    assert "missing" in case.summary
    failed = decided(cause="judge_error", action="refuse", rule=None, points=0)
    assert settled(text, failed, ruling=Ruling("review", error="Broken")) == (failed,)


def test_each_rule_in_doubt_is_queued_when_the_request_was_withheld() -> None:
    unsure = Ruling("review", "goblins", unsure=("goblins", "sorrow"))
    found = settled(POLICY, decided(action="review", points=0), ruling=unsure)
    assert [p.rule for p in found if isinstance(p, ReviewQueued)] == ["goblins", "sorrow"]
