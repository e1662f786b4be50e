"""The log keeps what it acknowledged, tells of what was touched, and lets one writer in."""

from __future__ import annotations

import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.ledger.log import Ledger, read, verify
from fairlead.ledger.proof import EMPTY, Tree, leaf, node
from fairlead.records.entry import AnyPayload, Labelled, Payload, StageEnded
from fairlead.records.errors import InputError, LedgerError, LedgerLocked


def filled(path: Path, n: int) -> Path:
    with Ledger(path, producer="test/1", clock=lambda: 1.0) as ledger:
        for i in range(n):
            ledger.append(StageEnded(f"stage {i}", seconds=float(i)))
    return path


def test_entries_come_back_in_order_and_survive_reopening(tmp_path: Path) -> None:
    path = filled(tmp_path / "l.db", 3)
    with Ledger(path, producer="test/2", clock=lambda: 2.0) as ledger:
        assert ledger.size == 3
        batch = ledger.append(Labelled("a", "r", True, "reviewer:x"), Labelled("b", "r", False, "reviewer:x"))
        assert [e.seq for e in batch] == [3, 4]
    entries = list(read(path))
    assert [e.seq for e in entries] == [0, 1, 2, 3, 4]
    assert entries[4].payload == Labelled("b", "r", False, "reviewer:x")
    assert entries[4].producer == "test/2"
    assert [e.seq for e in read(path, 3)] == [3, 4]


def test_a_whole_log_verifies_with_the_tree_hash_of_its_leaves(tmp_path: Path) -> None:
    path = filled(tmp_path / "l.db", 7)
    found = verify(path)
    bodies = [row[0] for row in sqlite3.connect(path).execute("SELECT body FROM entries ORDER BY seq")]
    assert found.whole
    assert found.size == 7
    assert found.root == slow_root([leaf(b) for b in bodies]).hex()


@pytest.mark.parametrize("column", ["body", "leaf", "chain"])
@pytest.mark.parametrize("seq", [0, 3, 6])
def test_one_flipped_byte_is_found_at_its_entry(tmp_path: Path, column: str, seq: int) -> None:
    path = filled(tmp_path / "l.db", 7)
    db = sqlite3.connect(path)
    blob = bytearray(db.execute(f"SELECT {column} FROM entries WHERE seq={seq}").fetchone()[0])
    blob[len(blob) // 2] ^= 1
    db.execute(f"UPDATE entries SET {column}=? WHERE seq={seq}", (bytes(blob),))
    db.commit()
    db.close()
    found = verify(path)
    assert not found.whole
    assert f"entry {seq}" in str(found.problem)


def test_every_byte_of_an_entry_is_covered(tmp_path: Path) -> None:
    path = filled(tmp_path / "l.db", 2)
    db = sqlite3.connect(path, isolation_level=None)
    body = db.execute("SELECT body FROM entries WHERE seq=1").fetchone()[0]
    for at in range(len(body)):
        changed = body[:at] + bytes([body[at] ^ 0x20]) + body[at + 1 :]
        db.execute("UPDATE entries SET body=? WHERE seq=1", (changed,))
        assert not verify(path).whole, f"byte {at}"
    db.close()


def test_a_dropped_entry_and_swapped_entries_are_found(tmp_path: Path) -> None:
    path = filled(tmp_path / "l.db", 5)
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("DELETE FROM entries WHERE seq=2")
    assert "entry 2 is missing" in str(verify(path).problem)
    db.close()

    path = filled(tmp_path / "m.db", 5)
    db = sqlite3.connect(path, isolation_level=None)
    for a, b in ((1, 99), (2, 1), (99, 2)):
        db.execute("UPDATE entries SET seq=? WHERE seq=?", (b, a))
    db.close()
    assert "entry 1" in str(verify(path).problem)


def test_a_forger_who_rehashes_one_entry_breaks_the_chain(tmp_path: Path) -> None:
    path = filled(tmp_path / "l.db", 5)
    db = sqlite3.connect(path, isolation_level=None)
    body = db.execute("SELECT body FROM entries WHERE seq=2").fetchone()[0].replace(b"stage 2", b"stage 9")
    db.execute("UPDATE entries SET body=?, leaf=? WHERE seq=2", (body, leaf(body)))
    db.close()
    assert "entry 2 or one before it was replaced" in str(verify(path).problem)


def test_a_second_writer_gets_a_clear_lock_error(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    with Ledger(path, producer="one"), pytest.raises(LedgerLocked, match=f"open for writing in process {os.getpid()}"):
        Ledger(path, producer="two")
    Ledger(path, producer="two").close()


def test_readers_are_not_locked_out(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.db", producer="one") as ledger:
        ledger.append(StageEnded("a", 0.0))
        assert len(list(ledger.entries())) == 1
        assert verify(ledger.path).size == 1


def test_a_batch_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = filled(tmp_path / "l.db", 1)
    with Ledger(path, producer="p") as ledger:
        ledger._db.execute(
            "CREATE TRIGGER full BEFORE INSERT ON entries WHEN NEW.seq = 2 BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )
        with pytest.raises(LedgerError, match="nothing of the batch was written"):
            ledger.append(StageEnded("b", 0.0), StageEnded("c", 0.0))
        ledger._db.execute("DROP TRIGGER full")
        assert ledger.append(StageEnded("d", 0.0))[0].seq == 1
    assert verify(path).whole
    assert [e.payload.stage for e in read(path) if isinstance(e.payload, StageEnded)] == ["stage 0", "d"]


WRITER = """
import sys
from pathlib import Path
from fairlead.ledger.log import Ledger
from fairlead.records.entry import StageEnded
with Ledger(Path(sys.argv[1]), producer="child") as ledger:
    for i in range(1_000_000):
        ledger.append(StageEnded(str(i), 0.0), StageEnded("pair", 0.0))
        print(i, flush=True)
"""


@pytest.mark.parametrize("lines", [1, 7, 40])
def test_a_killed_process_leaves_all_that_it_acknowledged(tmp_path: Path, lines: int) -> None:
    path = tmp_path / "l.db"
    child = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    acknowledged = [child.stdout.readline().strip() for _ in range(lines)]
    time.sleep(0.003 * lines)
    child.send_signal(signal.SIGKILL)
    acknowledged += [line.strip() for line in child.stdout.read().splitlines()]
    child.wait()
    child.stdout.close()
    with Ledger(path, producer="parent") as ledger:  # opens without repair, and its lock is free
        ledger.append(StageEnded("after", 0.0))
    found = verify(path)
    stages = [e.payload.stage for e in read(path) if isinstance(e.payload, StageEnded)]
    assert found.whole
    assert stages[: 2 * len(acknowledged) : 2] == acknowledged
    assert len(stages) % 2 == 1, "a pair was torn"


def test_what_is_no_ledger_is_refused_with_words(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no ledger"):
        list(read(tmp_path / "none.db"))
    (tmp_path / "text.db").write_text("not a database, but long enough to be looked at as one " * 40)
    with pytest.raises(LedgerError, match="cannot open"):
        Ledger(tmp_path / "text.db", producer="p")
    assert not verify(tmp_path / "text.db").whole


def test_every_payload_type_is_in_the_union() -> None:
    assert set(Payload.__subclasses__()) == set(AnyPayload.__args__)


def slow_root(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return node(slow_root(leaves[:k]), slow_root(leaves[k:]))


@given(st.lists(st.binary(max_size=8), max_size=70))
def test_the_tree_agrees_with_the_definition(data: list[bytes]) -> None:
    tree = Tree()
    for item in data:
        tree.add(leaf(item))
    assert tree.root() == slow_root([leaf(item) for item in data])


def test_published_hashes() -> None:
    """The empty tree and the empty leaf of RFC 6962 / the certificate-transparency test vectors."""
    assert EMPTY.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert leaf(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    tree = Tree()
    for item in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"):
        tree.add(leaf(bytes.fromhex(item)))
    assert tree.root().hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


def test_a_row_before_the_first_entry_is_found(tmp_path: Path) -> None:
    path = filled(tmp_path / "l.db", 2)
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("INSERT INTO entries SELECT -1, body, leaf, chain FROM entries WHERE seq=0")
    db.close()
    assert "entry 0 is missing: the next one is -1" in str(verify(path).problem)


def test_what_cannot_be_read_is_an_error_and_no_false_alarm(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="says nothing about its entries"):
        verify(tmp_path)
    with pytest.raises(LedgerError, match="cannot write a ledger"):
        Ledger(filled(tmp_path / "l.db", 1) / "below" / "l.db", producer="p")
