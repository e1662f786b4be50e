"""Places of every released version are brought to the newest, with their data; whoever opens them, and however many at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from faults import faults
from forked import payloads
from released import REVISIONS, hashed, logged, made_at, made_by_0_1_0, script, tables
from tampering import looked_up, tamper

from fairlead.ledger.log import Ledger, rows
from fairlead.ledger.store import SCHEMA
from fairlead.ledger.verify import verify
from fairlead.records.entry import Entry
from fairlead.records.errors import LedgerError


def opened(place: str, entries: Sequence[Entry]) -> None:
    """Opens an old place, and holds it against what was in it."""
    with Ledger(place, producer="new") as ledger:
        assert ledger._store.version() == SCHEMA
        assert [tuple(map(bytes_of, row)) for row in rows(ledger._store, 0)] == hashed(entries)
        assert faults(place, []) == []
        assert ledger.append(*payloads("new", 20))[0].seq == len(entries)
    assert faults(place, []) == []


def bytes_of(value: object) -> object:
    return bytes(value) if isinstance(value, (bytes, memoryview)) else value


def test_the_newest_version_is_the_last_of_the_migrations() -> None:
    assert script().get_heads() == [SCHEMA]
    assert REVISIONS[-1] == SCHEMA
    assert all(len(script().get_revision(revision).nextrev) <= 1 for revision in REVISIONS), "one line, without branches"


@pytest.mark.parametrize("n", [0, 700])
@pytest.mark.parametrize("revision", REVISIONS)
def test_every_released_version_is_brought_to_the_newest(place: str, revision: str, n: int) -> None:
    entries = logged(n)
    opened(made_at(revision, place, entries), entries)


def test_a_long_log_is_brought_to_the_newest_without_holding_it_in_memory(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    held, partitions = [], sqlalchemy.Result.partitions

    def watched(self: Any, size: int | None = None) -> Iterator[Sequence[Any]]:
        for some in partitions(self, size):
            held.append(len(some))
            yield some

    entries = logged(4_500)
    made_at("0001", place, entries)
    monkeypatch.setattr(sqlalchemy.Result, "partitions", watched)
    opened(place, entries)
    assert held == [2_000, 2_000, 500]


@pytest.mark.parametrize("n", [0, 700])
def test_a_file_of_version_0_1_0_is_brought_to_the_newest(tmp_path: Path, n: int) -> None:
    entries = logged(n)
    place = made_by_0_1_0(tmp_path / "old.db", entries)
    assert verify(place).size == n, "it can be verified before it is migrated"
    opened(place, entries)


def test_tables_are_the_same_whichever_way_they_came_about(place: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    Ledger(place, producer="p").close()
    fresh = tables(place)
    assert {"entries", "roots", "state", "history", "cursor"} <= fresh.keys()
    for revision in REVISIONS[:-1]:
        old = str(tmp_path / f"{revision}.db")
        if "://" in place:
            old = request.getfixturevalue("postgres").create_database(f"tables_{revision}")
        made_at(revision, old, logged(10))
        assert tables(old) != fresh
        Ledger(old, producer="p").close()
        assert tables(old) == fresh
    if "://" not in place:
        Ledger(made_by_0_1_0(tmp_path / "old.db", logged(10)), producer="p").close()
        assert tables(str(tmp_path / "old.db")) == fresh


OPENER = """
import sys
import sqlalchemy.dialects.postgresql, sqlalchemy.dialects.sqlite
import fairlead.ledger.schema
from fairlead.ledger.log import Ledger
from forked import payloads
for line in sys.stdin:
    with Ledger(line.strip(), producer=sys.argv[1]) as ledger:
        ledger.append(*payloads(sys.argv[1], 20))
    print("done", flush=True)
"""


def test_processes_that_open_a_new_or_old_place_at_once_all_succeed(
    place: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Three processes, told at the same moment; several times, since they may miss each other."""
    environment = {"PYTHONPATH": ":".join(sys.path)}
    command = [sys.executable, "-c", OPENER]
    pipe = subprocess.PIPE
    children = [subprocess.Popen([*command, f"{i}"], env=environment, text=True, stdin=pipe, stdout=pipe) for i in range(3)]
    for i in range(6):
        each = str(tmp_path / f"{i}.db")
        if "://" in place:
            each = request.getfixturevalue("postgres").create_database(f"at_once_{i}")
        old = logged(300) if i % 2 else []
        if old:
            made_at("0001", each, old)
        for child in children:
            assert child.stdin is not None
            child.stdin.write(f"{each}\n")
            child.stdin.flush()
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == "done\n"
        assert verify(each).size == len(old) + 60
        assert faults(each, []) == []
    for child in children:
        child.communicate()
        assert child.returncode == 0


def test_a_place_of_a_version_to_come_is_left_alone(place: str) -> None:
    Ledger(place, producer="p").close()
    tamper(place, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(LedgerError, match="use a newer one"):
        Ledger(place, producer="p")
    assert looked_up(place, "SELECT version_num FROM alembic_version") == ("9999",)


def test_a_migration_that_fails_says_why_and_changes_nothing(place: str) -> None:
    """A table of that name is there already."""
    before = tables(made_at("0001", place, logged(10)))
    tamper(place, "CREATE TABLE history (x INTEGER)")
    with pytest.raises(LedgerError, match=r"cannot make or change the tables: .*history.* already exists"):
        Ledger(place, producer="p")
    tamper(place, "DROP TABLE history")
    assert tables(place) == before
    opened(place, logged(10))


@pytest.mark.parametrize("name", ["what?.db", "100%.db", "a b#c&d=e.db", "ünïcode.db"])
def test_a_file_may_have_any_name(tmp_path: Path, name: str) -> None:
    with Ledger(tmp_path / name, producer="p") as ledger:
        ledger.append(*payloads("a", 3))
    assert verify(tmp_path / name).size == 3
    assert all(path.name.startswith(name) for path in tmp_path.iterdir())
