"""What follows from a decision: one crossing a rung, cases within their cap, shadow rules noted and no more."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from house import POLICY

from fairlead.enforce.ladder import reached
from fairlead.gateway.journal import Journal
from fairlead.gateway.rails import Ruling
from fairlead.gateway.settle import Settlement
from fairlead.ledger.fold import State, fold
from fairlead.ledger.log import Ledger, read
from fairlead.policy.load import parse
from fairlead.records.entry import CaseOpened, Decided, Entry, LadderStepped, Payload, ReviewQueued
from fairlead.records.errors import LedgerError

NOW = 1000.0
BLOCKED = Ruling("block", "goblins", points=2, cases=("goblins",))


def decided(account: str | None = "ann", **more: object) -> Decided:
    fields = {"action": "block", "cause": "rule", "rule": "goblins", "points": 2, **more}
    return Decided("r", status=400, account=account, tier="public", **fields)  # type: ignore[arg-type]


def settled(text: str, said: Decided, *past: Payload, ruling: Ruling = BLOCKED) -> tuple[Payload, ...]:
    state = fold(Entry(i, NOW - 1, "test/1", payload) for i, payload in enumerate(past))  # type: ignore[arg-type]
    return Settlement(parse(text), reached).entries(said, (ruling,), state, NOW, 7)


def test_the_decision_comes_first_with_its_effects_and_the_state_is_left_alone() -> None:
    state = State()
    first, *rest = Settlement(parse(POLICY), reached).entries(decided(), (BLOCKED,), state, NOW, 7)
    assert isinstance(first, Decided)
    assert first.points_expire == NOW + 90 * 86400
    assert rest == [CaseOpened("case_7_0", "ann", "goblins", (7,))]
    assert state.account("ann") == State().account("ann")


def test_without_an_account_or_a_ruling_nothing_follows() -> None:
    said = decided(None)
    assert Settlement(parse(POLICY), reached).entries(said, (BLOCKED,), State(), NOW, 7) == (said,)
    assert Settlement(parse(POLICY), reached).entries(decided(), (), State(), NOW, 7) == (decided(),)


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


def test_many_at_once_cross_each_rung_once(tmp_path: Path) -> None:
    settlement = Settlement(parse(POLICY), reached)

    async def run(ledger: Ledger) -> State:
        journal = Journal(ledger)

        def struck(state: State, now: float, seq: int) -> tuple[Payload, ...]:
            return settlement.entries(decided(), (BLOCKED,), state, now, seq)

        jobs = [journal.append(struck) for _ in range(20)]
        await asyncio.gather(*jobs)
        journal.close()
        return journal.state

    with Ledger(tmp_path / "ledger.db", producer="test/1") as ledger:
        state = asyncio.run(run(ledger))
    entries = list(read(tmp_path / "ledger.db"))
    assert [e.payload.do for e in entries if isinstance(e.payload, LadderStepped)] == ["warn", "suspend"]
    for entry in entries:
        if isinstance(entry.payload, CaseOpened):
            (because,) = entry.payload.because
            assert isinstance(entries[because].payload, Decided)
    assert state.account("ann").points(time.time()) == fold(entries).account("ann").points(time.time()) == 40


def test_a_composition_that_fails_is_an_error_for_all_that_waited_with_it(tmp_path: Path) -> None:
    async def run(ledger: Ledger) -> None:
        journal = Journal(ledger)
        with pytest.raises(LedgerError, match="ZeroDivisionError"):
            await journal.append(lambda *_: (1 // 0,))  # type: ignore[arg-type]
        await journal.append(lambda *_: (decided(),))
        journal.close()
        assert len(journal.state.account("ann").strikes) == 1

    with Ledger(tmp_path / "ledger.db", producer="test/1") as ledger:
        asyncio.run(run(ledger))
