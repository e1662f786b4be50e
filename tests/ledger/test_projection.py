"""The stored state is the fold of the log: after any history, in any batches, and after it was rebuilt."""

from __future__ import annotations

import itertools
import random
import secrets
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tampering import looked_up, tamper
from test_fold import block, logged, payloads, slow_points

from fairlead.ledger.fold import State
from fairlead.ledger.log import Ledger, read
from fairlead.ledger.projection import differences
from fairlead.ledger.rows import KINDS, Account
from fairlead.records.entry import Decided, KeyIssued, Payload, Reversed

BLOCK = Decided("r", "block", "rule", 400, account="a", rule="x", points=1)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=st.lists(st.lists(payloads, max_size=6), max_size=8), two=st.booleans())
def test_the_stored_state_is_the_fold(tmp_path: Path, said: list[list[Payload]], two: bool) -> None:
    place = str(tmp_path / f"{secrets.token_hex(8)}.db")
    clock = itertools.count()
    with Ledger(place, producer="one", clock=lambda: float(next(clock))) as one:
        other = Ledger(place, producer="two", clock=lambda: float(next(clock))) if two else one
        for i, batch in enumerate(said):
            (one, other)[i % 2].append(*batch)
        assert differences(one.store, one.entries()) == []
        one.refresh()
        slow = State()
        for entry in read(place):
            slow.apply(entry)
        for kind in KINDS.values():
            assert list(one.state.rows.each(kind)) == list(slow.rows.each(kind))
        for account, now in itertools.product("abc", (0.0, 5.0, 10.0, 15.0)):
            assert one.state.points(account, now) == slow.points(account, now)
        if two:
            other.close()


def test_a_long_history_on_both_stores(place: str) -> None:
    examples: list[Any] = []

    @settings(max_examples=30, database=None)
    @given(st.lists(payloads, max_size=30))
    def collect(said: list[Payload]) -> None:
        examples.extend(said)

    collect()
    with Ledger(place, producer="p", clock=itertools.count().__next__) as ledger:
        for start in range(0, len(examples), 7):
            ledger.append(*examples[start : start + 7])
        assert differences(ledger.store, ledger.entries()) == []


@pytest.mark.parametrize("together", [1, 2, 200])
def test_points_are_those_of_the_fold_before_and_after_the_commit(
    place: str, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a caller finds them that is composed in one commit with others, and as a reader finds them then."""
    monkeypatch.setattr("fairlead.ledger.fold._TOGETHER", together)
    draw, said, found, right = random.Random(together), list[Payload](), list[object](), list[object]()

    def compose(state: State, now: float, seq: int) -> tuple[Payload, ...]:
        when = draw.uniform(seq - 20.0, seq + 20.0)
        found.append([state.points(account, when) for account in "ab"])
        right.append([slow_points(said, account, when) for account in "ab"])
        new: Payload = block(draw.choice("ab"), "x", draw.randint(1, 3), draw.choice([None, seq + draw.uniform(0.0, 20.0)]))
        if draw.random() < 0.3 and seq:
            new = Reversed(draw.randrange(seq), "r", "appeal", draw.choice("ab"))
        said.append(new)
        return (new,)

    with Ledger(place, producer="p", clock=itertools.count().__next__) as ledger:
        for n in (1, 7, 1, 30, 2, 40):
            ledger.compose_all([compose] * n)
            found.append([ledger.state.points(account, when) for account in "ab" for when in (10.0, 30.0, 60.0, 90.0)])
            right.append([slow_points(said, account, when) for account in "ab" for when in (10.0, 30.0, 60.0, 90.0)])
        assert found == right
        assert any(isinstance(payload, Reversed) for payload in said)
        assert differences(ledger.store, ledger.entries()) == []


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("account", "DELETE FROM state WHERE kind = 'account'"),
        ("history", "DELETE FROM history"),
        ("history", "UPDATE history SET points = points + 1 WHERE action = 'strike'"),
        ("history", "UPDATE history SET expires = 0 WHERE action = 'strike'"),
        ("key", "UPDATE state SET id = 'other' WHERE kind = 'key'"),
    ],
)
def test_a_state_that_was_tampered_with_is_found_and_rebuilt(place: str, kind: str, change: str) -> None:
    with Ledger(place, producer="p") as ledger:
        ledger.append(KeyIssued("k", "fl", "a", "public"), BLOCK)
    tamper(place, change)
    with Ledger(place, producer="p") as ledger:
        assert differences(ledger.store, ledger.entries()) == [kind]
        ledger.rebuild()
        assert differences(ledger.store, ledger.entries()) == []
        assert ledger.state.points("a", 0.0) == 1


def test_rows_of_an_older_fold_are_folded_anew_on_opening(place: str) -> None:
    with Ledger(place, producer="p") as ledger:
        ledger.append(BLOCK)
    tamper(place, "UPDATE cursor SET version = 0")
    tamper(place, "DELETE FROM state")
    with Ledger(place, producer="p") as ledger:
        assert ledger.state.points("a", 0.0) == 1
    assert looked_up(place, "SELECT size FROM cursor") == (1,)


def test_rows_that_were_looked_up_are_current_after_each_commit(place: str) -> None:
    with Ledger(place, producer="p") as ledger:
        for i in range(3):
            assert ledger.state.points("a", 0.0) == i
            assert ledger.state.count("a", "block", "*", -1.0) == i
            ledger.append(BLOCK)


def test_a_row_that_was_just_committed_is_not_replaced_by_what_a_reader_found_before(place: str) -> None:
    with Ledger(place, producer="p") as ledger:
        committed, new = ledger._committed, Account(last=1.0)

        class Interrupted(dict[Any, Any]):
            """The writer commits between a reader's last look and its taking down what it found."""

            def setdefault(self, key: Any, found: Any = None) -> Any:
                committed.take({key: new})
                return super().setdefault(key, found)

            def __setitem__(self, key: Any, found: Any) -> None:
                committed.take({key: new})
                super().__setitem__(key, found)

        committed._known = Interrupted()
        ledger.state.account("a")
        assert ledger.state.account("a") == new


def test_committed_rows_change_by_entries_only(place: str) -> None:
    with Ledger(place, producer="p") as ledger, pytest.raises(TypeError, match="appending"):
        ledger.state.apply(logged(KeyIssued("k", "fl", "a", "public"))[0])
    with Ledger(place, producer="p") as ledger:
        assert ledger.state.rows.get(Account, "a") is None
