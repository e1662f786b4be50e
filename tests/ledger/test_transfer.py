"""An imported log is the log that was exported, byte for byte; anything else is refused, and nothing is written."""

from __future__ import annotations

import itertools
import secrets
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_fold import payloads

from fairlead.ledger.log import Ledger, read
from fairlead.ledger.place import exists
from fairlead.ledger.projection import differences
from fairlead.ledger.transfer import Bodies, Copied, read_lines, restore, write_lines
from fairlead.ledger.verify import verify
from fairlead.records.entry import Decided, KeyIssued, Payload, Signals, StageEnded
from fairlead.records.errors import InputError, LedgerCorrupt, LedgerError

BLOCK = Decided("r", "block", "rule", 400, account="a", rule="x", points=1)


def log(place: str | Path, *said: Payload, together: int = 7) -> Copied:
    """A log at a place."""
    with Ledger(place, producer="p/1", clock=itertools.count().__next__) as ledger:
        for start in range(0, len(said), together):
            ledger.append(*said[start : start + together])
    found = verify(place)
    assert found.whole
    return Copied(found.size, found.root)


def exported(place: str | Path, out: Path) -> Copied:
    bodies = Bodies(place)
    write_lines(iter(bodies), out)
    return bodies.copied


def imported(file: Path, place: str | Path) -> Copied:
    return restore(lambda: read_lines(file), str(file), place, "import/1")


def assert_same(place: str | Path, copied: Copied) -> None:
    found = verify(place)
    assert (found.size, found.root, found.problem) == (copied.size, copied.root, None)
    with Ledger(place, producer="p") as ledger:
        assert differences(ledger._store, ledger.entries()) == []


def test_an_imported_log_has_the_tree_hash_and_the_state_of_the_other(tmp_path: Path, place: str) -> None:
    """Both ways: from a file's log to `place`, and from `place` to a file's log."""
    said = [BLOCK, KeyIssued("k", "fl", "a", "public"), *[StageEnded(f"s{n}", 1.0) for n in range(600)], BLOCK]
    first = log(tmp_path / "first.db", *said)
    assert exported(tmp_path / "first.db", tmp_path / "a.jsonl") == first
    assert imported(tmp_path / "a.jsonl", place) == first
    assert_same(place, first)
    assert exported(place, tmp_path / "b.jsonl") == first
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    assert imported(tmp_path / "b.jsonl", tmp_path / "second.db") == first
    assert list(read(tmp_path / "second.db")) == list(read(place))
    with Ledger(place, producer="p") as ledger:
        assert [entry.seq for entry in ledger.append(BLOCK)] == [first.size], "and it goes on"
    assert verify(place).whole


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(payloads, min_size=1, max_size=12), st.integers(1, 5))
def test_any_log_comes_back(tmp_path: Path, said: list[Payload], together: int) -> None:
    name = secrets.token_hex(8)
    first = log(tmp_path / f"{name}.db", *said, together=together)
    assert exported(tmp_path / f"{name}.db", tmp_path / f"{name}.jsonl") == first
    assert imported(tmp_path / f"{name}.jsonl", tmp_path / f"{name}-2.db") == first
    assert_same(tmp_path / f"{name}-2.db", first)


def without_third(lines: list[bytes]) -> list[bytes]:
    return lines[:2] + lines[3:]


def changed_number(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], lines[2].replace(b'"seq":2', b'"seq":7'), *lines[3:]]


def unreadable(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], lines[2][:-5], *lines[3:]]


def unknown_kind(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], lines[2].replace(b"stage.ended", b"stage.dreamt"), *lines[3:]]


def blank_line(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], b"", *lines[2:]]


def not_text(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], lines[2].replace(b'"s2"', b'"\xff"'), *lines[3:]]


def deep(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], b"[" * 100_000, *lines[3:]]


def in_third(old: bytes, new: bytes) -> Callable[[list[bytes]], list[bytes]]:
    return lambda lines: [*lines[:2], lines[2].replace(old, new), *lines[3:]]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b'"action":"block"', b'"action":"blok"', "the action 'blok'; there are allow, block"),
        (b'"points":1', b'"points":-2000000', "-2000000 points"),
        (b'"action":"block"', b'"action":"allow","action":"block"', "a field twice: 'action'"),
        (b'"action":"block"', b'"action":"block","note":"n"', "the field 'note', which this version does not know"),
        (b'"producer"', b'"note":"n","producer"', "the field 'note'"),
        (b'"kept":0', b'"kept":0,"note":1', "the field 'note'"),
        (b'"time":0', b'"time":1e308', "the time 1e\\+308"),
        (b'"time":0', b'"time":-1', "the time -1"),
    ],
)
def test_what_nobody_could_have_written_is_refused_with_its_line(tmp_path: Path, old: bytes, new: bytes, said: str) -> None:
    decided = msgspec.structs.replace(BLOCK, signals=(Signals("prompt", {"x": 0.5}),))
    log(tmp_path / "first.db", *[decided] * 4)
    exported(tmp_path / "first.db", tmp_path / "a.jsonl")
    lines = (tmp_path / "a.jsonl").read_bytes().splitlines()
    assert old in lines[2]
    (tmp_path / "spoilt.jsonl").write_bytes(b"".join(line + b"\n" for line in in_third(old, new)(lines)))
    with pytest.raises(InputError, match=f"spoilt.jsonl:3: .*{said}.*; nothing was written"):
        imported(tmp_path / "spoilt.jsonl", tmp_path / "second.db")
    assert not exists(tmp_path / "second.db")


def test_an_entry_of_an_older_version_is_taken_as_it_is(tmp_path: Path, place: str) -> None:
    """It has fewer fields; and who wrote it may have put them in another order."""
    body = (
        b'{"seq":0,"time":1.5,"producer":"old","payload":{"kind":"request.decided","status":400,"request":"r",'
        b'"cause":"rule","action":"block","signals":[{"scores":{"b":0.5,"a":1},"surface":"prompt"}]}}'
    )
    (tmp_path / "old.jsonl").write_bytes(body + b"\n")
    imported(tmp_path / "old.jsonl", place)
    assert list(Bodies(place)) == [body]


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_an_empty_file_is_refused(tmp_path: Path, name: str) -> None:
    log(tmp_path / "first.db")
    run("export", tmp_path / "first.db", tmp_path / name)
    done = run("import", tmp_path / name, tmp_path / "second.db")
    assert (done.returncode, "holds no entry" in done.stderr) == (2, True)
    assert not exists(tmp_path / "second.db")


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_an_exported_file_is_private(tmp_path: Path, name: str) -> None:
    log(tmp_path / "first.db", BLOCK)
    (tmp_path / f"{name}.part").write_text("left behind")
    assert run("export", tmp_path / "first.db", tmp_path / name).returncode == 0
    assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("spoil", [without_third, changed_number, unreadable, unknown_kind, blank_line, not_text, deep])
def test_a_file_with_one_wrong_line_is_refused_with_the_line_and_nothing_is_written(
    tmp_path: Path, spoil: Callable[[list[bytes]], list[bytes]]
) -> None:
    log(tmp_path / "first.db", *[StageEnded(f"s{n}", 1.0) for n in range(6)])
    exported(tmp_path / "first.db", tmp_path / "a.jsonl")
    lines = (tmp_path / "a.jsonl").read_bytes().splitlines()
    (tmp_path / "spoilt.jsonl").write_bytes(b"".join(line + b"\n" for line in spoil(lines)))
    with pytest.raises(InputError, match=r"spoilt.jsonl:3: .*nothing was written"):
        imported(tmp_path / "spoilt.jsonl", tmp_path / "second.db")
    assert not exists(tmp_path / "second.db")


def test_a_line_without_end_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fairlead.ledger.transfer._LONGEST", 1000)
    (tmp_path / "long.jsonl").write_bytes(b"x" * 5000)
    with pytest.raises(InputError, match="longer than 1000 bytes"):
        imported(tmp_path / "long.jsonl", tmp_path / "second.db")


def test_a_log_that_holds_anything_else_is_left_alone(tmp_path: Path, place: str) -> None:
    other = log(place, StageEnded("other", 1.0))
    log(tmp_path / "first.db", BLOCK, BLOCK)
    exported(tmp_path / "first.db", tmp_path / "a.jsonl")
    with pytest.raises(InputError, match="holds 1 entries that are not the first of"):
        imported(tmp_path / "a.jsonl", place)
    assert_same(place, other)


def test_a_log_that_goes_on_beyond_the_file_is_left_alone(tmp_path: Path) -> None:
    log(tmp_path / "first.db", BLOCK, BLOCK)
    exported(tmp_path / "first.db", tmp_path / "a.jsonl")
    with Ledger(tmp_path / "first.db", producer="p") as ledger:
        ledger.append(BLOCK)
    with pytest.raises(InputError, match="holds 3 entries"):
        imported(tmp_path / "a.jsonl", tmp_path / "first.db")


def test_an_import_that_was_stopped_goes_on(tmp_path: Path, place: str) -> None:
    """The log holds the first part; what is left is added, and a second time nothing is."""
    first = log(tmp_path / "first.db", *[StageEnded(f"s{n}", 1.0) for n in range(20)])
    exported(tmp_path / "first.db", tmp_path / "a.jsonl")
    with Ledger(place, producer="import") as ledger:
        ledger.import_entries((tmp_path / "a.jsonl").read_bytes().splitlines()[:7])
    for _ in range(2):
        assert imported(tmp_path / "a.jsonl", place) == first
        assert_same(place, first)


def test_an_import_that_is_killed_goes_on_with_the_same_result(tmp_path: Path) -> None:
    first = log(tmp_path / "first.db", *[StageEnded(f"s{n}", 1.0) for n in range(30_000)], together=5000)
    exported(tmp_path / "first.db", tmp_path / "a.jsonl")
    command = [sys.executable, "-m", "fairlead", "ledger", "import", str(tmp_path / "a.jsonl"), str(tmp_path / "second.db")]
    interrupted = 0
    for wait in (0.0, 0.1, 0.3):
        running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while not (tmp_path / "second.db-wal").exists() and running.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(wait)
        running.send_signal(signal.SIGKILL)
        interrupted += running.wait(60) == -signal.SIGKILL
    assert interrupted > 0
    assert subprocess.run(command, timeout=120, stdout=subprocess.DEVNULL).returncode == 0
    assert_same(tmp_path / "second.db", first)


def test_entries_are_imported_where_they_continue_the_log_and_nowhere_else(place: str, tmp_path: Path) -> None:
    log(tmp_path / "first.db", BLOCK, BLOCK, BLOCK)
    bodies = list(Bodies(tmp_path / "first.db"))
    with Ledger(place, producer="p") as ledger:
        for wrong in ([bodies[1]], [bodies[0], bodies[2]], [bodies[0], bodies[0]], [b"{}"], [bodies[0] + b"\n"]):
            with pytest.raises(LedgerError):
                ledger.import_entries(wrong)
            assert ledger.size == 0
        assert [entry.seq for entry in ledger.import_entries(bodies[:2])] == [0, 1]
        assert [entry.payload for entry in ledger.import_entries(bodies[2:])] == [BLOCK]
        assert ledger.state.points("a", 0.0) == 3
    assert list(Bodies(place)) == bodies


def test_a_log_that_was_changed_is_not_exported(tmp_path: Path) -> None:
    log(tmp_path / "first.db", *[StageEnded(f"s{n}", 1.0) for n in range(6)])
    raw = bytearray((tmp_path / "first.db").read_bytes())
    raw[raw.rindex(b'"stage":"s3"') + 9] ^= 1
    (tmp_path / "first.db").write_bytes(raw)
    with pytest.raises(LedgerCorrupt, match="not whole at entry 3"):
        exported(tmp_path / "first.db", tmp_path / "a.jsonl")
    assert list(tmp_path.glob("a.jsonl*")) == []


def test_nothing_is_overwritten_and_a_failure_leaves_nothing(tmp_path: Path) -> None:
    log(tmp_path / "first.db", BLOCK)
    (tmp_path / "there.jsonl").write_text("kept")
    with pytest.raises(InputError, match="is there already"):
        exported(tmp_path / "first.db", tmp_path / "there.jsonl")
    assert (tmp_path / "there.jsonl").read_text() == "kept"
    with pytest.raises(InputError, match="cannot write"):
        exported(tmp_path / "first.db", tmp_path / "nowhere" / "a.jsonl")
    with pytest.raises(InputError, match="cannot read"):
        imported(tmp_path / "absent.jsonl", tmp_path / "second.db")


def test_memory_does_not_grow_with_the_log(tmp_path: Path) -> None:
    peaks = []
    for n in (2_000, 16_000):
        log(tmp_path / f"{n}.db", *[StageEnded(f"s{at}", 1.0) for at in range(n)], together=2000)
        tracemalloc.start()
        exported(tmp_path / f"{n}.db", tmp_path / f"{n}.jsonl")
        imported(tmp_path / f"{n}.jsonl", tmp_path / f"{n}-2.db")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]


def test_whoever_writes_meanwhile_is_noticed(tmp_path: Path) -> None:
    log(tmp_path / "first.db", BLOCK, BLOCK)
    exported(tmp_path / "first.db", tmp_path / "a.jsonl")
    reads = 0

    def lines() -> Iterator[bytes]:
        nonlocal reads
        reads += 1
        yield from read_lines(tmp_path / "a.jsonl")
        if reads == 1:  # the file was looked at, and nothing is written yet
            log(tmp_path / "second.db", StageEnded("other", 1.0))

    with pytest.raises(LedgerError, match="meanwhile"):
        restore(lines, "a.jsonl", tmp_path / "second.db", "import/1")
    assert verify(tmp_path / "second.db").size == 1


def test_a_file_that_shrinks_meanwhile_is_told(tmp_path: Path) -> None:
    log(tmp_path / "first.db", BLOCK, BLOCK)
    exported(tmp_path / "first.db", tmp_path / "a.jsonl")
    lines = (tmp_path / "a.jsonl").read_bytes().splitlines()
    given = iter([lines, lines[:1]])
    with pytest.raises(LedgerError, match="was changed while it was read"):
        restore(lambda: iter(next(given)), "a.jsonl", tmp_path / "second.db", "import/1")


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fairlead", "ledger", *map(str, arguments)], capture_output=True, text=True, timeout=120
    )


def test_the_commands_print_the_tree_hash(tmp_path: Path) -> None:
    first = log(tmp_path / "first.db", BLOCK, BLOCK)
    told = f"2 entries, tree hash {first.root}"
    for name in ("a.jsonl", "a.parquet"):
        assert told in run("export", tmp_path / "first.db", tmp_path / name).stdout
        assert told in run("import", tmp_path / name, tmp_path / f"{name}.db").stdout
    wrong = run("export", tmp_path / "first.db", tmp_path / "a.csv")
    assert (wrong.returncode, "neither .jsonl nor .parquet" in wrong.stderr) == (2, True)
