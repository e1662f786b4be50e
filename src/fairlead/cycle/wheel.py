"""What every stage of a turn is given: the policy, the open ledger, and a way to say what happens."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from fairlead import __version__
from fairlead.cycle.settings import Settings
from fairlead.ledger.log import Ledger
from fairlead.ledger.verify import proven
from fairlead.personal.find import mask
from fairlead.policy.document import Policy
from fairlead.records.entry import Measured, Payload, StageEnded
from fairlead.records.errors import FairleadError, LedgerError, LedgerLocked
from fairlead.records.figure import Figure

Range = tuple[int, int]


class Wheel:
    """A turn in progress. Use as a context manager: it has the folder to itself."""

    def __init__(self, settings: Settings, policy: Policy, say: Callable[[str], None]) -> None:
        """Raises LedgerLocked when another turn writes to the same folder, LedgerCorrupt when its ledger is not whole."""
        self.settings, self.policy, self._say = settings, policy, say
        self.path = settings.out / "ledger.db"
        self.producer = f"fairlead/{__version__} cycle"
        self._lock = _locked(settings.out)
        try:
            if self.path.exists():
                proven(self.path)
            self.ledger = Ledger(self.path, producer=self.producer)
        except BaseException:
            os.close(self._lock)
            raise
        self._began = time.monotonic()

    def say(self, text: str) -> None:
        """One line of progress."""
        self._say(f"[{time.monotonic() - self._began:5.0f} s] {mask(text)}")

    def note(self, payloads: Iterable[Payload]) -> Range:
        """Append, and give back the first and last sequence numbers; an empty range ends before it begins."""
        entries = self.ledger.append(*payloads)
        return (entries[0].seq, entries[-1].seq) if entries else (self.ledger.size, self.ledger.size - 1)

    def measure(self, subject: str, figures: Iterable[Figure], *because: Range) -> None:
        """Append figures, each with the ranges of entries that it was computed from."""
        self.note(Measured(figure, subject, because) for figure in figures)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage; its end, or the error that ended it, becomes an entry."""
        self.say(f"{name} …")
        start, error = time.monotonic(), None
        try:
            yield
        except FairleadError as caught:
            error = mask(f"{type(caught).__name__}: {caught}")
            raise
        except BaseException as caught:  # a fault of ours, or Ctrl-C: its words may quote a text
            error = type(caught).__name__
            raise
        finally:
            self.note([StageEnded(name, round(time.monotonic() - start, 3), error)])

    def close(self) -> None:
        """Let go of the ledger and the folder."""
        self.ledger.close()
        os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _locked(out: Path) -> int:
    """Hold `out` for as long as the returned descriptor is open; the kernel frees it when the process dies."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = os.open(out / "turn.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise LedgerError(f"cannot write to {out}: {error.strerror}; name another folder with --out") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise LedgerLocked(
            f"another turn is at work in {out}; wait until it ends, or name another folder with --out"
        ) from error
    return lock
