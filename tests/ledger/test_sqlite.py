"""The write-ahead log is moved into the file by whoever holds the writer's place, often enough, and never beside a writer."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from faults import faults
from forked import Forks, payloads

from fairlead.ledger import sqlite
from fairlead.ledger.log import Ledger
from fairlead.ledger.place import open_store
from fairlead.ledger.verify import verify


def moved(place: Path) -> int:
    """How many entries a copy of the file alone holds, without its write-ahead log."""
    shutil.copy(place, f"{place}.copy")
    with sqlite3.connect(f"{place}.copy") as db:
        count: int = db.execute("SELECT COUNT(*) FROM entries").fetchone()[0]
    db.close()
    return count


def test_the_write_ahead_log_stays_short_whoever_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "_CHECKPOINT_AFTER", 50)
    place = tmp_path / "ledger.db"
    with Ledger(place, producer="one") as one, Ledger(place, producer="two") as two:
        for i in range(150):
            (one, two)[i % 2].append(*payloads(f"{i}", 7))
        assert Path(f"{place}-wal").stat().st_size < 1_000 * 4_096, "all of it would be 3,400 pages"
        assert moved(place) > 800
    assert faults(str(place), []) == []


def test_while_the_write_ahead_log_is_moved_nobody_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "_CHECKPOINT_AFTER", 5)
    place = tmp_path / "ledger.db"
    other = sqlite3.connect(place, isolation_level=None, timeout=0, check_same_thread=False)
    seen = []

    def look(statement: str) -> None:
        if "wal_checkpoint" in statement:
            with pytest.raises(sqlite3.OperationalError, match="database is locked"):
                other.execute("BEGIN IMMEDIATE")
            seen.append(statement)

    store = open_store(place)
    assert isinstance(store, sqlite.SqliteStore)
    assert store._writer is not None
    assert store._mover is not None
    for db in (store._writer.db, store._mover):
        assert db.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)
    store._mover.set_trace_callback(look)
    for i in range(10):
        with store.transaction() as db:
            db.do(f"CREATE TABLE t{i} (x)")
    store.close()
    other.close()
    assert len(seen) > 1


def test_a_new_ledger_is_its_owners_alone_and_an_old_one_keeps_its_mode(tmp_path: Path) -> None:
    mask = os.umask(0o022)
    try:
        (tmp_path / "old.db").touch()
        with Ledger(tmp_path / "new.db", producer="p"), Ledger(tmp_path / "old.db", producer="p"):
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    finally:
        os.umask(mask)
    assert modes == {
        **{f"new.db{end}": 0o600 for end in ("", "-wal", "-shm", ".lock")},
        **{f"old.db{end}": 0o644 for end in ("", "-wal", "-shm")},
        "old.db.lock": 0o600,
    }


def test_a_ledger_that_is_opened_twice_stays_locked(tmp_path: Path) -> None:
    """To close a file drops all locks that a process holds on it: opening a second time must not open and close it."""
    place = tmp_path / "ledger.db"
    with Ledger(place, producer="p") as ledger:
        ledger.append(*payloads("a", 3))
        store = open_store(place)
        intrude = f"import sqlite3; sqlite3.connect({str(place)!r}, timeout=0).execute('PRAGMA journal_mode=DELETE')"
        done = subprocess.run([sys.executable, "-c", intrude], capture_output=True, text=True, check=False)
        store.close()
    assert "database is locked" in done.stderr, "somebody took the write-ahead log from under those who use it"


def test_a_long_write_ahead_log_that_was_left_is_moved_by_the_next_who_writes(tmp_path: Path) -> None:
    place = tmp_path / "ledger.db"
    Ledger(place, producer="p").close()
    with Forks() as forks:
        pid = forks.start("append", str(place), "a", 1, 500, 1_000_000)
        while verify(place).size < 12_000:
            pass
        acknowledged = forks.killed(pid)
    assert moved(place) == 0
    with Ledger(place, producer="p") as ledger:
        ledger.append(*payloads("next", 1))
        assert moved(place) >= 12_000
    assert faults(str(place), acknowledged) == []
