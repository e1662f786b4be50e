"""A writer killed (`kill -9`) at any moment: what it acknowledged is there, nothing is torn, nobody repairs anything."""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults import faults
from forked import Acknowledged, Forks
from released import hashed, logged, made_at, made_by_0_1_0

from fairlead.ledger.log import Ledger
from fairlead.ledger.place import open_store
from fairlead.ledger.store import SCHEMA
from fairlead.ledger.verify import verify
from fairlead.records.canonical import canonical

KINDS_OF_WRITERS = [(1, 1), (1, 7), (1, 300), (8, 1), (8, 20)]  # callers, and the length of their batches


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    with Forks() as forks:
        yield forks


@pytest.fixture(params=["disk", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """On a disk most kills come while it syncs; in memory they come anywhere."""
    if request.param == "disk" or not Path("/dev/shm").is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        yield Path(name)


def settled(place: str) -> None:
    """Wait for what a server is still doing for a client that was killed."""
    store = open_store(place)
    with store.transaction():
        pass
    store.close()


def test_kill_at_200_points_loses_and_tears_nothing(forks: Forks, folder: Path) -> None:
    """A hundred points on each of disk and memory; each log is killed twenty times, and goes on."""
    draw, total = random.Random(0), 0
    for callers, n in KINDS_OF_WRITERS:
        place, everything = str(folder / f"{callers}.{n}.db"), list[Acknowledged]()
        Ledger(place, producer="p").close()
        for point in range(20):
            pid = forks.start("append", place, f"{point}", callers, n, draw.choice([20, 200, 1000]))
            if point % 2:
                forks.wait_for("open")
            time.sleep(draw.uniform(0.0, 0.04))
            everything += forks.killed(pid)
            assert faults(place, everything) == [], f"{callers} callers, batches of {n}, point {point}"
        total += len(everything)
    assert total > 20, "nearly nothing was written: these kills show nothing"


def test_a_client_of_a_server_is_killed(forks: Forks, postgres: object) -> None:
    draw, total = random.Random(1), 0
    for callers, n in KINDS_OF_WRITERS[1:4]:
        place = postgres.create_database(f"killed_{callers}_{n}")  # type: ignore[attr-defined]
        Ledger(place, producer="p").close()
        for point in range(8):
            pid = forks.start("append", place, f"{point}", callers, n, 1000)
            forks.wait_for("open")
            time.sleep(draw.uniform(0.0, 0.05))
            acknowledged = forks.killed(pid)
            settled(place)
            assert faults(place, acknowledged) == []
            total += len(acknowledged)
    assert total > 2, "nearly nothing was written: these kills show nothing"


def test_what_is_torn_lost_or_stale_would_be_seen(forks: Forks, tmp_path: Path) -> None:
    """The control of `faults`."""
    place = str(tmp_path / "l.db")
    pid = forks.start("append", place, "a", 1, 300, 1000)
    forks.wait_for("open")
    while not Path(place).exists() or verify(place).size < 300:
        time.sleep(0.01)
    acknowledged = forks.killed(pid)
    assert faults(place, acknowledged) == []
    store = open_store(place)
    with store.transaction() as db:
        db.do("DELETE FROM entries WHERE seq >= 299")
        db.do("DELETE FROM roots")
    store.close()
    said = " ".join(faults(place, [Acknowledged(0, 300, "another digest")]))
    for word in ("acknowledged", "torn", "another size", "roots", "account"):
        assert word in said


def test_kill_while_a_new_log_is_opened(forks: Forks, tmp_path: Path) -> None:
    draw = random.Random(2)
    for point in range(25):
        place = str(tmp_path / f"{point}.db")
        pid = forks.start("append", place, f"{point}", 1, 1, 1000)
        time.sleep(draw.uniform(0.0, 0.15))
        acknowledged = forks.killed(pid)
        with Ledger(place, producer="p") as ledger:
            ledger.append()
            assert ledger.size >= len(acknowledged)
        assert faults(place, acknowledged) == []


def test_kill_during_a_migration_and_the_next_opening_goes_on(forks: Forks, tmp_path: Path) -> None:
    entries = logged(3_000)
    old = made_by_0_1_0(tmp_path / "old.db", entries)
    draw, span = random.Random(3), 0.0
    for point in range(25):
        place = str(tmp_path / f"{point}.db")
        shutil.copy(old, place)
        start = time.monotonic()
        pid = forks.start("open", place)
        if not span:
            forks.ended()  # the first is left alone, to learn how long it takes
            span = time.monotonic() - start
        else:
            time.sleep(draw.uniform(0.0, span))
            forks.killed_or_ended(pid)
        assert verify(place).size == len(entries)
        with Ledger(place, producer="p") as ledger:
            assert [canonical(entry) for entry in ledger.entries()] == [row[1] for row in hashed(entries)]
        assert faults(place, []) == []


def test_kill_during_a_migration_on_a_server(forks: Forks, postgres: object) -> None:
    draw = random.Random(4)
    for point in range(4):
        place = made_at("0001", postgres.create_database(f"migrated_{point}"), entries := logged(1_000))  # type: ignore[attr-defined]
        pid = forks.start("open", place)
        time.sleep(draw.uniform(0.0, 0.4))
        forks.killed_or_ended(pid)
        with Ledger(place, producer="p") as ledger:
            assert [canonical(entry) for entry in ledger.entries()] == [row[1] for row in hashed(entries)]
        assert faults(place, []) == []


def test_kill_during_a_rebuild_leaves_the_state_as_it_was(forks: Forks, place: str) -> None:
    made_at(SCHEMA, place, logged(1_000))
    draw = random.Random(5)
    for _ in range(10):
        pid = forks.start("rebuild", place)
        forks.wait_for("open")
        time.sleep(draw.uniform(0.0, 0.1))
        forks.killed(pid)
        settled(place)
        assert faults(place, []) == []
