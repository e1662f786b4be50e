"""The log keeps what it acknowledged, in one order, whoever writes and wherever it is kept."""

from __future__ import annotations

import re
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tampering import tamper

from fairlead.ledger import log
from fairlead.ledger.fold import State
from fairlead.ledger.log import Ledger, read
from fairlead.ledger.place import open_store
from fairlead.ledger.verify import verify
from fairlead.records.entry import AnyPayload, Decided, Labelled, Payload, StageEnded
from fairlead.records.errors import InputError, LedgerCorrupt, LedgerError, LedgerLocked


def filled(place: str, n: int) -> str:
    with Ledger(place, producer="test/1", clock=lambda: 1.0) as ledger:
        for i in range(n):
            ledger.append(StageEnded(f"stage {i}", seconds=float(i)))
    return place


def stages(place: str) -> list[str]:
    return [entry.payload.stage for entry in read(place) if isinstance(entry.payload, StageEnded)]


def test_entries_come_back_in_order_and_survive_reopening(place: str) -> None:
    filled(place, 3)
    with Ledger(place, producer="test/2", clock=lambda: 2.0) as ledger:
        assert ledger.size == 3
        batch = ledger.append(Labelled("a", "r", True, "reviewer:x"), Labelled("b", "r", False, "reviewer:x"))
        assert [e.seq for e in batch] == [3, 4]
        assert ledger.entry(4) == batch[1]
        with pytest.raises(LedgerError, match="no entry 5"):
            ledger.entry(5)
    entries = list(read(place))
    assert [e.seq for e in entries] == [0, 1, 2, 3, 4]
    assert entries[4].payload == Labelled("b", "r", False, "reviewer:x")
    assert entries[4].producer == "test/2"
    assert [e.seq for e in read(place, 3)] == [3, 4]


def test_two_that_write_by_turns_see_each_others_entries(place: str) -> None:
    with Ledger(place, producer="one") as one, Ledger(place, producer="two") as two:
        for i in range(5):
            assert one.append(StageEnded("one", 0.0))[0].seq == 2 * i
            assert two.append(StageEnded("two", 0.0))[0].seq == 2 * i + 1
        assert one.size == 9
        assert one.refresh() == 10
    assert verify(place).whole
    assert stages(place) == ["one", "two"] * 5


def test_a_composition_is_made_upon_what_others_wrote(place: str) -> None:
    strike = Decided("r", "block", "rule", 400, account="a", rule="x", points=1)

    def struck(state: State, now: float, seq: int) -> tuple[Payload, ...]:
        return (strike, StageEnded(f"{state.points('a', now)} points before entry {seq}", 0.0))

    with Ledger(place, producer="one") as one, Ledger(place, producer="two") as two:
        for ledger in (one, two, two, one):
            ledger.compose(struck)
        assert one.state.points("a", 0.0) == 4
        assert two.state.points("a", 0.0) == 3, "two has not looked since"
        two.refresh()
        assert two.state.points("a", 0.0) == 4
    assert stages(place) == [f"{n} points before entry {2 * n}" for n in range(4)]


def test_callers_that_wait_together_share_a_commit_and_each_gets_its_own(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    batches = []
    write = Ledger._write
    monkeypatch.setattr(Ledger, "_write", lambda self, composes: batches.append(len(composes)) or write(self, composes))
    got: dict[int, list[int]] = {}

    def call(ledger: Ledger, name: int) -> None:
        got[name] = [entry.seq for _ in range(20) for entry in ledger.append(StageEnded(str(name), 0.0))]

    with Ledger(place, producer="p") as ledger:
        threads = [threading.Thread(target=call, args=(ledger, name)) for name in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    named = stages(place)
    assert {name: [named[seq] for seq in seqs] for name, seqs in got.items()} == {n: [str(n)] * 20 for n in range(16)}
    assert sum(batches) == 320
    assert len(batches) < 320, "nobody ever shared a commit"


def test_who_comes_while_others_are_written_for_shares_the_next_commit(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    batches, entered, go = [], threading.Event(), threading.Event()
    write = Ledger._write

    def slowly(self: Ledger, composes: list[log.Compose]) -> list[log.Written]:
        batches.append(len(composes))
        entered.set()
        go.wait()
        return write(self, composes)

    monkeypatch.setattr(Ledger, "_write", slowly)
    with Ledger(place, producer="p") as ledger:
        threads = [threading.Thread(target=ledger.append, args=(StageEnded("a", 0.0),)) for _ in range(16)]
        threads[0].start()
        entered.wait()
        for thread in threads[1:]:
            thread.start()
        while len(ledger._waiting) < 15:
            pass
        go.set()
        for thread in threads:
            thread.join()
    assert batches == [1, 15]
    assert stages(place) == ["a"] * 16


def test_what_one_caller_gets_wrong_stops_no_other(place: str) -> None:
    with Ledger(place, producer="p") as ledger:
        good = (StageEnded("good", 0.0),)
        results = ledger.compose_all([lambda *_: good, lambda *_: 1 // 0, lambda *_: good])  # type: ignore[list-item, return-value]
        assert isinstance(results[1], ZeroDivisionError)
        assert [[e.seq for e in r] for r in (results[0], results[2])] == [[0], [1]]  # type: ignore[union-attr]
        with pytest.raises(ZeroDivisionError):
            ledger.compose(lambda *_: (1 // 0,))  # type: ignore[arg-type]
    assert verify(place).size == 2


def test_readers_are_not_locked_out(place: str) -> None:
    with Ledger(place, producer="one") as ledger:
        ledger.append(StageEnded("a", 0.0))
        assert len(list(ledger.entries())) == 1
        assert verify(place).size == 1


def test_a_batch_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    place = filled(str(tmp_path / "l.db"), 1)
    store = open_store(place)
    with store.transaction() as db:
        db.do("CREATE TRIGGER full BEFORE INSERT ON entries WHEN NEW.seq = 2 BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    strike = Decided("r", "block", "rule", 400, account="a", rule="x", points=1)
    with Ledger(place, producer="p") as ledger:
        with pytest.raises(LedgerError, match="disk full"):
            ledger.append(strike, strike)
        assert ledger.state.points("a", 0.0) == 0
        with store.transaction() as db:
            db.do("DROP TRIGGER full")
        assert ledger.append(strike)[0].seq == 1
        assert ledger.state.points("a", 0.0) == 1
    store.close()
    assert verify(place).whole
    assert verify(place).size == 2


def test_who_holds_the_writers_place_too_long_is_an_error_for_the_others(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fairlead.ledger.sqlite._PATIENCE_S", 0.2)
    monkeypatch.setattr("fairlead.ledger.postgres._PATIENCE_S", 1)
    with Ledger(place, producer="p") as ledger:
        hog = open_store(place)
        with hog.transaction(), pytest.raises(LedgerLocked, match="look for one that hangs"):
            ledger.append(StageEnded("late", 0.0))
        hog.close()
        ledger.append(StageEnded("after", 0.0))
    assert stages(place) == ["after"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE entries SET body = leaf WHERE seq = 3", "entry 3 of .* was changed"),
        ("DELETE FROM entries WHERE seq = 2", "entry 3 of .* or one before it was replaced or removed"),
        ("DELETE FROM entries WHERE seq = 0", "entry 1 of .* or one before it was replaced or removed"),
        ("UPDATE entries SET chain = leaf WHERE seq = 3", "entry 3 of .* or one before it was replaced or removed"),
    ],
)
def test_a_log_that_was_changed_is_not_read_on(place: str, change: str, said: str) -> None:
    filled(place, 5)
    assert len(list(read(place))) == 5
    tamper(place, change)
    with pytest.raises(LedgerCorrupt, match=said):
        list(read(place))


def test_an_entry_that_was_changed_is_not_shown(place: str) -> None:
    filled(place, 5)
    tamper(place, "UPDATE entries SET body = (SELECT body FROM entries WHERE seq = 2) WHERE seq = 3")
    with Ledger(place, producer="p") as ledger:
        assert ledger.entry(2).seq == 2
        with pytest.raises(LedgerCorrupt, match=r"entry 3 of .* was changed"):
            ledger.entry(3)
    with pytest.raises(LedgerCorrupt, match=r"entry 3 of .* was changed"):
        list(read(place, 3))


def test_what_is_no_ledger_is_refused_with_words(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no ledger"):
        list(read(tmp_path / "none.db"))
    (tmp_path / "text.db").write_text("not a database, but long enough to be looked at as one " * 40)
    for act in (verify, lambda place: list(read(place)), lambda place: Ledger(place, producer="p")):
        with pytest.raises(InputError, match=r"text\.db is no ledger, and no database at all"):
            act(tmp_path / "text.db")
    for act in (verify, lambda place: list(read(place)), lambda place: Ledger(place, producer="p")):
        with pytest.raises(InputError, match=rf"{tmp_path} is a folder; name a file in it, such as .*ledger\.db"):
            act(tmp_path)
    assert not Path(f"{tmp_path}.lock").exists()


def test_a_database_that_holds_no_ledger_is_said_to_hold_none(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    sqlite3.connect(tmp_path / "other.db").executescript("CREATE TABLE t (x)").connection.close()
    for name in ("empty.db", "other.db"):
        for act in (verify, lambda place: list(read(place))):
            with pytest.raises(InputError, match=f"{name} holds no ledger; name another file"):
                act(tmp_path / name)


def test_what_cannot_be_read_is_an_error_and_no_false_alarm(tmp_path: Path) -> None:
    place = filled(str(tmp_path / "damaged.db"), 1)
    tamper(place, "ALTER TABLE entries RENAME COLUMN body TO other")
    with pytest.raises(LedgerError, match="says nothing about its entries"):
        verify(place)
    with pytest.raises(LedgerError, match="cannot write a ledger"):
        Ledger(Path(filled(str(tmp_path / "l.db"), 1)) / "below" / "l.db", producer="p")
    with pytest.raises(LedgerError, match="is the server up"):
        Ledger("postgresql://nobody@127.0.0.1:9/none", producer="p")


def test_a_database_without_a_ledger_is_said_to_be_none(postgres: object) -> None:
    with pytest.raises(InputError, match="there is no ledger"):
        list(read(postgres.create_database("empty_one")))  # type: ignore[attr-defined]


def test_a_log_that_nobody_may_write_to_can_be_read(tmp_path: Path) -> None:
    place = filled(str(tmp_path / "l.db"), 2)
    reader = f"from fairlead.ledger.verify import verify; print(verify({place!r}).size)"
    tmp_path.chmod(0o555)
    try:
        done = subprocess.run([sys.executable, "-c", reader], capture_output=True, text=True, check=True)
    finally:
        tmp_path.chmod(0o755)
    assert done.stdout.strip() == "2"


def test_every_payload_type_is_in_the_union() -> None:
    assert set(Payload.__subclasses__()) == set(AnyPayload.__args__)


def test_an_interrupted_writer_leaves_nobody_waiting(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Ledger(place, producer="p") as ledger:
        monkeypatch.setattr(log._Batch, "write", lambda self: signal.raise_signal(signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            ledger.append(StageEnded("never", 0.0))
        monkeypatch.undo()
        ledger.append(StageEnded("after", 0.0))
    assert stages(place) == ["after"]
    assert verify(place).whole, "the entry that was never written left a gap"


def test_what_ended_the_transaction_stops_the_whole_batch(place: str) -> None:
    """Some errors of a store end its transaction, also where a composer meets them: nothing may be written outside of one."""
    good = (StageEnded("good", 0.0),)

    def ends(state: State, now: float, seq: int) -> tuple[Payload, ...]:
        if "://" in place:
            state.rows.db.one("SELECT 1 / 0")  # type: ignore[attr-defined]
        state.rows.db.do("ROLLBACK")  # type: ignore[attr-defined]
        raise LedgerError("the disk failed while it was read")

    with Ledger(place, producer="p") as ledger:
        results = ledger.compose_all([lambda *_: good, ends, lambda *_: good])
        assert [str(result) for result in results] == [str(results[0])] * 3
        assert re.search("while it was read|division by zero", str(results[0]))
        assert stages(place) == []
        assert ledger.append(*good)[0].seq == 0
    assert verify(place).whole


WRITER = """
import sys
from fairlead.ledger.log import Ledger
from fairlead.records.entry import StageEnded
with Ledger(sys.argv[1], producer=sys.argv[2]) as ledger:
    print("open", flush=True)
    sys.stdin.readline()
    for i in range(int(sys.argv[3])):
        ledger.append(*[StageEnded(sys.argv[2], float(i))] * int(sys.argv[4]))
"""


@pytest.mark.parametrize(("n", "size"), [(150, 1), (80, 200)])
def test_two_processes_on_one_log_neither_corrupt_nor_starve_each_other(place: str, n: int, size: int) -> None:
    """Both have the same work and no pause: while both are at it, none gets ahead by more than a few batches."""
    command, pipe = [sys.executable, "-c", WRITER, place], subprocess.PIPE
    children = [
        subprocess.Popen([*command, name, str(n), str(size)], stdin=pipe, stdout=pipe, text=True) for name in ("one", "two")
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "open\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    for child in children:
        child.communicate(timeout=120)
        assert child.returncode == 0
    assert verify(place).whole
    said = stages(place)
    written = said[::size]
    assert said == [name for name in written for _ in range(size)], "a batch was torn"
    assert sorted(written) == ["one"] * n + ["two"] * n
    both = written[: max(i for i, name in enumerate(written) if name != written[-1])]
    behind = [abs(both[:i].count("one") - both[:i].count("two")) for i in range(0, len(both), 10)]
    assert max(behind, default=0) < n // 2, f"one waited while the other wrote: {both}"
