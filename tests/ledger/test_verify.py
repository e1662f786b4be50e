"""What somebody who can write to the store does is found and located: alone where hashes do not fit, else by a checkpoint."""

from __future__ import annotations

import sqlite3
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tampering import looked_up, tamper
from test_proof import slow_root

from fairlead.ledger.checkpoint import Checkpoint
from fairlead.ledger.log import Ledger, stored_roots
from fairlead.ledger.place import open_store
from fairlead.ledger.proof import START, Tree, leaf, link, root
from fairlead.ledger.verify import proven, state_differs, verify
from fairlead.records.entry import KeyIssued, StageEnded
from fairlead.records.errors import LedgerCorrupt

BODY = "SELECT body FROM entries WHERE seq = ?"


def filled(place: str, n: int) -> list[Checkpoint]:
    """A log of n entries, and the checkpoints of every size from 1 on."""
    tree, checkpoints = Tree(), []
    with Ledger(place, producer="test/1", clock=lambda: 1.0) as ledger:
        ledger.append(*[StageEnded(f"stage {i}", seconds=float(i)) for i in range(n)])
    for i in range(n):
        tree.add(leaf(bytes(looked_up(place, BODY, i)[0])))  # type: ignore[arg-type]
        checkpoints.append(Checkpoint("o", i + 1, tree.root()))
    return checkpoints


def rewritten(place: str, start: int) -> None:
    """Compute every hash from entry `start` on anew, as somebody would who knows how the log is made."""
    store = open_store(place)
    with store.transaction() as db:
        before = db.one("SELECT chain FROM entries WHERE seq = ?", start - 1)
        head = bytes(before[0]) if before else START
        for seq, body in db.all("SELECT seq, body FROM entries WHERE seq >= ? ORDER BY seq", start):
            made = leaf(bytes(body))
            head = link(head, made)
            db.do("UPDATE entries SET leaf = ?, chain = ? WHERE seq = ?", made, head, seq)
    store.close()


def test_a_whole_log_verifies_with_the_tree_hash_of_its_leaves(place: str) -> None:
    checkpoints = filled(place, 7)
    found = verify(place, checkpoints)
    bodies = [bytes(looked_up(place, BODY, i)[0]) for i in range(7)]  # type: ignore[arg-type]
    assert found.whole
    assert (found.size, found.agreed) == (7, 7)
    assert found.root == slow_root([leaf(b) for b in bodies]).hex()
    assert proven(place).whole


@pytest.mark.parametrize("column", ["body", "leaf", "chain"])
@pytest.mark.parametrize("seq", [0, 3, 6])
def test_one_flipped_byte_is_found_at_its_entry(place: str, column: str, seq: int) -> None:
    filled(place, 7)
    (value,) = looked_up(place, f"SELECT {column} FROM entries WHERE seq = ?", seq)
    blob = bytearray(value)  # type: ignore[arg-type]
    blob[len(blob) // 2] ^= 1
    tamper(place, f"UPDATE entries SET {column} = ? WHERE seq = ?", bytes(blob), seq)
    assert f"entry {seq}" in str(verify(place).problem)
    with pytest.raises(LedgerCorrupt, match=f"entry {seq}"):
        proven(place)


def test_every_byte_of_an_entry_is_covered(tmp_path: Path) -> None:
    place = str(tmp_path / "l.db")
    filled(place, 2)
    body = bytes(looked_up(place, BODY, 1)[0])  # type: ignore[arg-type]
    for at in range(len(body)):
        changed = bytearray(body)
        changed[at] ^= 1
        tamper(place, "UPDATE entries SET body = ? WHERE seq = 1", bytes(changed))
        assert "entry 1 was changed" in str(verify(place).problem)


def test_a_dropped_entry_and_swapped_entries_are_found(place: str) -> None:
    filled(place, 7)
    tamper(place, "UPDATE entries SET seq = 99 WHERE seq = 3")
    tamper(place, "UPDATE entries SET seq = 3 WHERE seq = 4")
    tamper(place, "UPDATE entries SET seq = 4 WHERE seq = 99")
    assert "entry 3" in str(verify(place).problem)
    tamper(place, "DELETE FROM entries WHERE seq = 2")
    assert "entry 2 is missing: the next one is 3" in str(verify(place).problem)


def test_a_row_before_the_first_entry_is_found(place: str) -> None:
    filled(place, 2)
    tamper(place, "INSERT INTO entries (seq, body, leaf, chain) SELECT -1, body, leaf, chain FROM entries WHERE seq = 0")
    assert "entry 0 is missing: the next one is -1" in str(verify(place).problem)


def test_a_forger_who_rehashes_one_entry_breaks_the_chain(place: str) -> None:
    filled(place, 7)
    body = bytes(looked_up(place, BODY, 2)[0]).replace(b"stage 2", b"stage x")  # type: ignore[arg-type]
    tamper(place, "UPDATE entries SET body = ?, leaf = ? WHERE seq = 2", body, leaf(body))
    assert "entry 2 or one before it was replaced" in str(verify(place).problem)


def test_a_forger_who_rehashes_everything_is_found_by_a_checkpoint_and_located_between_two(place: str) -> None:
    checkpoints = filled(place, 9)
    body = bytes(looked_up(place, BODY, 5)[0]).replace(b"stage 5", b"stage x")  # type: ignore[arg-type]
    tamper(place, "UPDATE entries SET body = ? WHERE seq = 5", body)
    rewritten(place, 5)
    assert verify(place).whole, "alone the log cannot know: this is why checkpoints are kept outside"
    found = verify(place, [checkpoints[2], checkpoints[7]])
    assert found.problem == "the log was written anew between entry 3 and entry 7: a checkpoint says so"
    assert found.agreed == 3
    exact = verify(place, checkpoints)
    assert exact.problem == "the log was written anew between entry 5 and entry 5: a checkpoint says so"


def test_a_log_that_was_cut_off_is_found_by_a_checkpoint(place: str) -> None:
    checkpoints = filled(place, 9)
    tamper(place, "DELETE FROM entries WHERE seq >= 6")
    tamper(place, "UPDATE cursor SET size = 6")
    assert verify(place).whole, "alone the log cannot know"
    found = verify(place, checkpoints[-1:])
    assert str(found.problem).startswith("a checkpoint knows 9 entries, the log holds 6: some were cut off the end")
    assert verify(place, checkpoints[5:6]).whole


@pytest.mark.parametrize("left", [0, 1, 255, 299])
def test_a_log_that_was_cut_by_a_plain_delete_is_found_alone_refused_and_nothing_is_written(place: str, left: int) -> None:
    filled(place, 300)
    open_before = Ledger(place, producer="p")
    tamper(place, "DELETE FROM entries WHERE seq >= ?", left)
    said = f"the state was made from 300 entries, the log holds {left}: entries are missing at its end"
    for _ in range(2):
        assert said in str(verify(place).problem)
        with pytest.raises(LedgerCorrupt, match=said):
            Ledger(place, producer="p")
        with pytest.raises(LedgerCorrupt, match=said):
            open_before.append(StageEnded("after", 0.0))
        with pytest.raises(LedgerCorrupt, match=said):
            open_before.refresh()
    assert looked_up(place, "SELECT size FROM cursor") == (300,)
    open_before.close()
    with Ledger(place, producer="p", mend=True) as ledger:
        ledger.rebuild()
        assert ledger.append(*[StageEnded("after", 0.0)] * 300)[0].seq == left
    assert verify(place).whole


def test_stored_roots_of_more_entries_than_there_are_are_found_and_refused(place: str) -> None:
    filled(place, 600)
    tamper(place, "DELETE FROM entries WHERE seq >= 400")
    tamper(place, "UPDATE cursor SET size = 400")
    said = "the stored tree hashes were made from 512 entries, the log holds 400"
    assert said in str(verify(place).problem)
    with pytest.raises(LedgerCorrupt, match=said):
        Ledger(place, producer="p")


def test_a_log_that_another_writes_to_is_never_taken_for_cut(place: str) -> None:
    with Ledger(place, producer="p") as ledger, ThreadPoolExecutor(1) as other:
        writing = other.submit(lambda: [ledger.append(*[StageEnded("s", 0.0)] * 100) for _ in range(40)])
        while not writing.done():
            assert verify(place).whole
            with Ledger(place, producer="q") as second:
                second.refresh()
        writing.result()


def test_the_state_is_compared_without_writing(place: str) -> None:
    filled(place, 3)
    with Ledger(place, producer="p") as ledger:
        ledger.append(KeyIssued("k", "fl", "a", "public"))
    assert state_differs(place) == []
    tamper(place, "DELETE FROM state WHERE kind = 'key'")
    assert [state_differs(place), state_differs(place)] == [["key"], ["key"]]
    tamper(place, "UPDATE cursor SET version = 0")
    assert state_differs(place) is None, "it is folded anew on opening"


def test_two_entries_that_change_places_are_found_even_when_rehashed(place: str) -> None:
    checkpoints = filled(place, 7)
    first, second = (bytes(looked_up(place, BODY, seq)[0]) for seq in (2, 4))  # type: ignore[arg-type]
    tamper(place, "UPDATE entries SET body = ? WHERE seq = 2", second)
    tamper(place, "UPDATE entries SET body = ? WHERE seq = 4", first)
    rewritten(place, 2)
    assert verify(place).problem == "entry 2 was moved: its bytes say another place"
    assert verify(place, checkpoints).agreed == 2


def test_the_stored_roots_are_those_of_the_tree(place: str) -> None:
    checkpoints = filled(place, 600)
    store = open_store(place, read_only=True)
    with store.reading() as db:
        assert [root(n, stored_roots(db)) for n in (1, 255, 256, 257, 511, 512, 600)] == [
            checkpoints[n - 1].root for n in (1, 255, 256, 257, 511, 512, 600)
        ]
    store.close()


def test_verification_streams(tmp_path: Path) -> None:
    """Ten times the entries, and no more memory. The walk itself is what is measured."""
    peaks = []
    for n in (2_000, 20_000):
        place = str(tmp_path / f"{n}.db")
        with Ledger(place, producer="p") as ledger:
            for _ in range(n // 1_000):
                ledger.append(*[StageEnded("x" * 200, 0.0)] * 1_000)
        tracemalloc.start()
        assert verify(place).size == n
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 20_000, "bytes"


@pytest.mark.parametrize("last", [1, 3, 256, 300, 10_000])
def test_the_end_alone_can_be_proven(place: str, last: int) -> None:
    checkpoints = filled(place, 300)
    assert proven(place, last).root == checkpoints[-1].root.hex()
    tamper(place, "UPDATE entries SET leaf = ? WHERE seq = 299", bytes(32))
    with pytest.raises(LedgerCorrupt, match="entry 299 was changed"):
        proven(place, last)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE roots SET hash = leaf FROM entries WHERE seq = 0", "entries 0 to 255 is not theirs"),
        ("DELETE FROM roots WHERE position = 1", "entries 256 to 511 is not theirs"),
    ],
)
def test_stored_roots_that_were_changed_are_found_and_mended(place: str, change: str, said: str) -> None:
    checkpoints = filled(place, 520)
    tamper(place, change)
    assert said in str(verify(place).problem)
    assert verify(place, roots=False).whole
    with Ledger(place, producer="p") as ledger:
        ledger.rebuild()
        assert verify(place, checkpoints[-1:]).whole
        ledger.append(StageEnded("after", 0.0))
    assert verify(place).whole


def test_an_entry_that_was_turned_into_text_is_found(tmp_path: Path) -> None:
    place = str(tmp_path / "l.db")
    filled(place, 3)
    db = sqlite3.connect(place)  # a table as version 0.1.0 made it refuses this, one of Alembic's does not
    db.execute("UPDATE entries SET body = replace(body, 'stage 1', 'stage x') WHERE seq = 1")
    db.commit()
    db.close()
    assert "entry 1 was changed" in str(verify(place).problem)
