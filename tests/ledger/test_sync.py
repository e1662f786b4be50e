"""An acknowledged entry is on disk: seen in the system calls, and by losing whatever they left unsynced at any moment."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest
from disk import CALLS, Call, Disk, calls, traceable
from faults import faults
from forked import Acknowledged, payloads

from fairlead.ledger.log import Ledger

WRITER = """
import sys, threading
from fairlead.ledger import sqlite
from fairlead.ledger.log import Ledger
from forked import payloads, say_acknowledged

place, synchronous, callers = sys.argv[1], sys.argv[2], int(sys.argv[3])
sqlite._CHECKPOINT_AFTER = 40
for opening in range(2):
    with Ledger(place, producer="p") as ledger:
        for db in (ledger._store._writer.db, ledger._store._mover):
            db.execute(f"PRAGMA synchronous={synchronous}")

        def call(caller):
            for i in range(24 // callers):
                say_acknowledged(ledger.append(*payloads(f"{opening}.{caller}.{i}", (1, 1, 17)[i % 3])))

        threads = [threading.Thread(target=call, args=(caller,)) for caller in range(callers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
"""

pytestmark = pytest.mark.skipif(not traceable(), reason="strace is missing, or may not trace here")


@pytest.fixture
def images() -> Iterator[Path]:
    """Where images of disks are made: in memory where that is possible, since they need not last."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as name:
        yield Path(name)


def traced(folder: Path, synchronous: str, callers: int) -> list[Call]:
    """The system calls of a writer who makes a log below this folder, closes it, opens it again, and goes on."""
    script, trace = folder / "writer.py", folder / "trace"
    script.write_text(WRITER)
    strace = ["strace", "-f", "-y", "-xx", "-s", "1000000", "-e", f"trace={CALLS}", "-o", trace]
    writer = [sys.executable, script, folder / "new" / "log.db", synchronous, str(callers)]
    environment = {"PYTHONPATH": ":".join(sys.path)}
    subprocess.run([*strace, *writer], env=environment, check=True, timeout=120, stdout=subprocess.PIPE)
    return list(calls(trace))


def disk_of(folder: Path) -> Disk:
    return Disk(folder / "new" / "log.db", without=("-shm", ".lock"))


def acknowledged(call: Call) -> Acknowledged | None:
    return (
        msgspec.json.decode(call.data, type=Acknowledged) if call.name == "write" and call.data.startswith(b'{"seq"') else None
    )


def unsynced_at_acknowledgements(folder: Path, trace: Sequence[Call]) -> list[str]:
    disk, found = disk_of(folder), []
    for call in trace:
        disk.take(call)
        if acknowledged(call):
            found += disk.unsynced()
    return found


def lost(folder: Path, trace: Sequence[Call], images: Path, draw: random.Random | None) -> list[str]:
    """What is wrong with the log when the power goes at a sync or an acknowledgement."""
    disk, known, found = disk_of(folder), list[Acknowledged](), list[str]()
    for moment, call in enumerate(trace):
        said = acknowledged(call)
        if call.name in ("fsync", "fdatasync") and draw is not None:
            found += after_power_loss(disk, images / f"before {moment}", known, draw)
        disk.take(call)
        if said is not None:
            known.append(said)
        if said is not None or call.name in ("fsync", "fdatasync"):
            found += after_power_loss(disk, images / f"{moment}", known, draw)
    assert len(known) == 48
    return found


def after_power_loss(disk: Disk, folder: Path, known: Sequence[Acknowledged], draw: random.Random | None) -> list[str]:
    place = disk.image(folder, draw)
    try:
        found = faults(str(place), known) if known else []
        with Ledger(place, producer="after") as ledger:
            ledger.append(*payloads("after", 3))
        return found + faults(str(place), known)
    except Exception as error:
        return [f"{folder.name}: {error!r}"]
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("callers", [1, 8])
def test_power_loss_at_any_sync_or_acknowledgement_loses_nothing_acknowledged(
    tmp_path: Path, images: Path, callers: int
) -> None:
    trace = traced(tmp_path, "FULL", callers)
    first = next(i for i, call in enumerate(trace) if acknowledged(call))
    assert any(call.file.endswith("log.db") and call.name == "pwrite64" for call in trace[first:]), "no checkpoint was seen"
    assert any(call.file.endswith("-wal") and call.name == "unlink" for call in trace), "no closing was seen"
    assert lost(tmp_path, trace, images, None) == []
    (images / "drawn").mkdir()
    assert lost(tmp_path, trace, images / "drawn", random.Random(callers)) == []


def test_all_that_was_written_is_synced_before_each_acknowledgement(tmp_path: Path) -> None:
    """One caller: with several the next commit is under way while the last is acknowledged."""
    trace = traced(tmp_path, "FULL", 1)
    assert sum(acknowledged(call) is not None for call in trace) == 48
    assert unsynced_at_acknowledgements(tmp_path, trace) == []


def test_without_syncing_both_would_be_seen(tmp_path: Path, images: Path) -> None:
    """The control: the same writer, whose commits are not synced."""
    trace = traced(tmp_path, "OFF", 1)
    assert str(tmp_path / "new" / "log.db-wal") in unsynced_at_acknowledgements(tmp_path, trace)
    assert "an acknowledged entry is not there, or has other bytes" in lost(tmp_path, trace, images, None)


def test_folders_that_are_made_are_synced_into_those_above(tmp_path: Path) -> None:
    made = [call for call in traced(tmp_path, "FULL", 1) if call.name in ("mkdir", "fsync")]
    at = next(i for i, call in enumerate(made) if (call.name, call.file) == ("mkdir", str(tmp_path / "new")))
    assert (made[at + 1].name, made[at + 1].file) == ("fsync", str(tmp_path))
