"""A name that one store cannot keep is refused on both, and only by who brought it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_fold import payloads

from fairlead.ledger.log import Ledger
from fairlead.ledger.projection import differences
from fairlead.records.entry import AnyPayload, Decided, KeyRevoked, Payload, Reversed, StageEnded
from fairlead.records.errors import InputError, LedgerError

GOOD = Decided("r", "block", "rule", 400, account="a", rule="x", points=1)
NAMED = [
    Decided("r", "block", "rule", 400, account="a\0", rule="x"),
    Decided("r", "block", "rule", 400, account="a", rule="\0x"),
    Decided("r", "allow", "rule", 200, account="a", flags=("a\0b",)),
    KeyRevoked("k\0", "lost"),
    Reversed(0, "r", "appeal", account="\0"),
    Reversed(0, "r", "appeal", item="i\0"),
]


@pytest.mark.parametrize("bad", NAMED, ids=lambda bad: type(bad).__name__)
def test_a_name_with_a_nul_character_is_refused_and_the_others_commit(place: str, bad: Payload) -> None:
    with Ledger(place, producer="p") as ledger:
        first, refused, last = ledger.compose_all([lambda *_: (GOOD,), lambda *_: (GOOD, bad), lambda *_: (GOOD,)])
        assert isinstance(first, tuple)
        assert isinstance(last, tuple)
        assert isinstance(refused, InputError)
        assert "NUL" in str(refused)
        assert ledger.state.points("a", 0.0) == ledger.size == 2
        assert differences(ledger.store, ledger.entries()) == []


def test_without_the_check_all_that_share_the_commit_fail(postgres: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The positive control."""
    monkeypatch.setattr("fairlead.ledger.log.check_names", lambda *_: None)
    with Ledger(postgres.create_database("without_check"), producer="p") as ledger:
        results = ledger.compose_all([lambda *_: (GOOD,), lambda *_: (NAMED[0],)])
        assert all(isinstance(result, LedgerError) for result in results)


def test_a_text_that_names_nothing_may_hold_any_character(place: str) -> None:
    odd = StageEnded("a\0b", 0.0, error="\0"), KeyRevoked("k", "\0"), StageEnded("\\u0000", 0.0)
    with Ledger(place, producer="p") as ledger:
        assert [entry.payload for entry in ledger.append(*odd)] == list(odd)
        assert [entry.payload for entry in ledger.entries()] == list(odd)


def test_whatever_holds_a_nul_character_is_written_or_refused_and_never_fails_the_commit(place: str) -> None:
    said: list[Any] = []

    @settings(max_examples=20, database=None)
    @given(st.lists(payloads, max_size=20))
    def collect(examples: list[Payload]) -> None:
        said.extend(
            msgspec.json.decode(msgspec.json.encode(p).replace(b'"a"', b'"a\\u0000"'), type=AnyPayload) for p in examples
        )

    collect()
    with Ledger(place, producer="p") as ledger:
        results = ledger.compose_all([lambda *_, p=payload: (p,) for payload in said])
        refused = [result for result in results if not isinstance(result, tuple)]
        assert 0 < len(refused) < len(results)
        assert {type(result) for result in refused} == {InputError}
        assert differences(ledger.store, ledger.entries()) == []
