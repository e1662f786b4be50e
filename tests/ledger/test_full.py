"""A full disk, files that may not be written or are gone: a clear error, nothing lost, and the log goes on once it can."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from faults import faults
from forked import Acknowledged, Forks, acknowledged, payloads
from tampering import tamper

from fairlead.ledger import sqlite
from fairlead.ledger.log import Ledger, read
from fairlead.records.errors import FairleadError, LedgerCorrupt, LedgerError

BALLAST = 4 << 20


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MiB, of which ballast takes 4."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=6m", "fairlead-test", folder]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("may not mount here")
    try:
        (folder / "ballast").write_bytes(bytes(BALLAST))
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def filled(ledger: Ledger, name: str, size: int) -> tuple[list[Acknowledged], LedgerError]:
    """Batches until the disk refuses one: what was acknowledged before, and how it was refused."""
    said: list[Acknowledged] = []
    for i in range(100_000):
        try:
            said.append(acknowledged(ledger.append(*payloads(f"{name}.{i}", size))))
        except LedgerError as error:
            return said, error
    raise AssertionError("the disk never filled")


@pytest.mark.parametrize("checkpoint_after", [50, 1_000_000])
def test_a_full_disk_is_told_and_the_log_goes_on_once_there_is_room(
    small: Path, monkeypatch: pytest.MonkeyPatch, checkpoint_after: int
) -> None:
    """The room ends while the file grows, or while its write-ahead log does."""
    monkeypatch.setattr(sqlite, "_CHECKPOINT_AFTER", checkpoint_after)
    place = str(small / "ledger.db")
    with Ledger(place, producer="p") as ledger:
        said = []
        for size in (200, 40, 1):  # where no large batch goes, a small one may
            more, error = filled(ledger, f"{size}", size)
            said += more
            assert "the disk is full: nothing of this batch was written" in str(error)
            assert not isinstance(error, LedgerCorrupt)
            assert faults(place, said) == []
            assert ledger.refresh() == sum(each.n for each in said)
        (small / "ballast").unlink()
        said.append(acknowledged(ledger.append(*payloads("with room", 40))))
        assert faults(place, said) == []
    with Ledger(place, producer="p") as ledger:
        said.append(acknowledged(ledger.append(*payloads("opened again", 40))))
    assert faults(place, said) == []


def test_a_log_that_was_closed_on_a_full_disk_opens_again(small: Path) -> None:
    place = str(small / "ledger.db")
    with Ledger(place, producer="p") as ledger:
        said, _ = filled(ledger, "a", 40)
    with (small / "more").open("wb", buffering=0) as more, pytest.raises(OSError, match="No space"):
        while True:
            more.write(bytes(4096))
    try:
        Ledger(place, producer="p").close()
    except LedgerError as error:
        assert not isinstance(error, LedgerCorrupt)  # either is right: it may open, or say why not
    (small / "ballast").unlink()
    with Ledger(place, producer="p") as ledger:
        said.append(acknowledged(ledger.append(*payloads("with room", 40))))
    assert faults(place, said) == []


def may_not_grow(place: str) -> None:
    """In a child, whose files may not become larger than the limit."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with Ledger(place, producer="p") as ledger:
        said = [acknowledged(ledger.append(*payloads("first", 40)))]
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
        more, error = filled(ledger, "more", 40)
        said += more
        assert "the disk failed: nothing of this batch was acknowledged" in str(error), error
        assert faults(place, said) == []
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        said.append(acknowledged(ledger.append(*payloads("with room", 40))))
        assert faults(place, said) == []


def test_a_file_that_may_not_grow_is_told_and_goes_on_once_it_may(tmp_path: Path) -> None:
    """As on a disk that fails."""
    with Forks() as forks:
        forks.start("call", "test_full", "may_not_grow", str(tmp_path / "ledger.db"))
        assert forks.ended()[0] == 0


def test_a_full_disk_of_a_server_is_told(postgres: object) -> None:
    place = postgres.create_database("full")  # type: ignore[attr-defined]
    Ledger(place, producer="p").close()
    raises = "BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = 'disk_full'; END"
    tamper(place, f"CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS $$ {raises} $$")
    tamper(
        place, "CREATE TRIGGER no_space BEFORE INSERT ON entries FOR EACH ROW WHEN (NEW.seq > 39) EXECUTE FUNCTION no_space()"
    )
    with Ledger(place, producer="p") as ledger:
        said, error = filled(ledger, "a", 40)
        assert "is full: nothing of this batch was written" in str(error)
        tamper(place, "DROP TRIGGER no_space ON entries")
        said.append(acknowledged(ledger.append(*payloads("with room", 40))))
    assert faults(place, said) == []


def may_only_read(place: str, user: int) -> None:
    """In a child, which is somebody whom modes stop."""
    os.setresuid(user, user, user)
    with Ledger(place, producer="p") as ledger, pytest.raises(LedgerError, match="make it writable"):
        ledger.append(*payloads("never", 3))
    assert len(list(read(place))) == 3


def test_a_file_that_may_only_be_read_is_told() -> None:
    user = os.getuid() or 65534
    with tempfile.TemporaryDirectory() as name, Forks() as forks:
        place = str(Path(name) / "ledger.db")
        with Ledger(place, producer="p") as ledger:
            ledger.append(*payloads("first", 3))
        for path in (Path(name), *Path(name).iterdir()):
            os.chown(path, user, -1)
        Path(place).chmod(0o444)
        forks.start("call", "test_full", "may_only_read", place, user)
        assert forks.ended()[0] == 0


def test_a_server_that_only_reads_is_told_and_is_no_false_alarm(postgres: object) -> None:
    """As after a failover to a server that follows another."""
    place = postgres.create_database("follows")  # type: ignore[attr-defined]
    Ledger(place, producer="p").close()
    tamper(place, "DO $$ BEGIN EXECUTE 'ALTER DATABASE follows SET default_transaction_read_only = on'; END $$")
    with Ledger(place, producer="p") as ledger, pytest.raises(LedgerError, match="read-only") as refused:
        ledger.append(*payloads("never", 3))
    assert not isinstance(refused.value, LedgerCorrupt)
    assert list(read(place)) == []


def removed(place: Path) -> None:
    place.unlink()


def log_removed(place: Path) -> None:
    Path(f"{place}-wal").unlink()


def folder_removed(place: Path) -> None:
    shutil.rmtree(place.parent)


def replaced(place: Path) -> None:
    shutil.copy(place, f"{place}.new")
    Path(f"{place}.new").replace(place)


@pytest.mark.parametrize("act", [removed, log_removed, folder_removed, replaced])
def test_a_file_that_went_away_while_it_was_open_is_told(tmp_path: Path, act: Callable[[Path], None]) -> None:
    """SQLite would go on writing into a file that nobody finds again, and acknowledge it."""
    place = tmp_path / "folder" / "ledger.db"
    with Ledger(place, producer="p") as ledger:
        ledger.append(*payloads("first", 3))
        act(place)
        with pytest.raises(LedgerError, match="was removed or replaced while it was open"):
            ledger.append(*payloads("never", 3))


def test_without_that_guard_it_would_be_acknowledged_and_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite.SqliteStore, "_look", lambda self: None)
    place = tmp_path / "ledger.db"
    with Ledger(place, producer="p") as ledger:
        place.unlink()
        assert ledger.append(*payloads("lost", 3))
    assert not place.exists()


def test_nothing_is_written_to_a_log_that_is_closed(place: str) -> None:
    ledger = Ledger(place, producer="p")
    ledger.close()
    with pytest.raises(FairleadError, match="closed"):
        ledger.append(*payloads("never", 3))
