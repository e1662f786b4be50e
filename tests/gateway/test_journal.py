"""The journal: many at once are written one after the other, and a failure is an error for all that waited."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from house import POLICY

from fairlead.enforce.settle import Settlement
from fairlead.gateway.journal import Journal
from fairlead.ledger.fold import State, fold
from fairlead.ledger.log import Ledger, read
from fairlead.policy.decide import Ruling
from fairlead.policy.load import parse
from fairlead.records.entry import CaseOpened, Decided, LadderStepped, Payload
from fairlead.records.errors import LedgerError

BLOCKED = Ruling("block", "goblins", points=2, cases=("goblins",))


def decided() -> Decided:
    return Decided("r", "block", "rule", 400, "ann", "public", rule="goblins", points=2)


def test_many_at_once_cross_each_rung_once(tmp_path: Path) -> None:
    settlement = Settlement(parse(POLICY))

    async def run(ledger: Ledger) -> State:
        journal = Journal(ledger)

        def struck(state: State, now: float, seq: int) -> tuple[Payload, ...]:
            return settlement.settle(decided(), (BLOCKED,), state, now, seq)

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
    assert state.points("ann", time.time()) == fold(entries).points("ann", time.time()) == 40


def test_a_composition_that_fails_is_an_error_for_all_that_waited_with_it(tmp_path: Path) -> None:
    async def run(ledger: Ledger) -> None:
        journal = Journal(ledger)
        with pytest.raises(LedgerError, match="ZeroDivisionError"):
            await journal.append(lambda *_: (1 // 0,))  # type: ignore[arg-type]
        await journal.append(lambda *_: (decided(),))
        journal.close()
        assert journal.state.points("ann", 0.0) == 2

    with Ledger(tmp_path / "ledger.db", producer="test/1") as ledger:
        asyncio.run(run(ledger))
