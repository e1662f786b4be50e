"""What every stage of a turn is given: the policy, the open ledger, and a way to say what happens."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Self

from fairlead import __version__
from fairlead.cycle.settings import Settings
from fairlead.ledger.log import Ledger, proven
from fairlead.personal.find import mask
from fairlead.policy.document import Policy
from fairlead.records.entry import Measured, Payload, StageEnded
from fairlead.records.errors import FairleadError
from fairlead.records.figure import Figure

Range = tuple[int, int]


class Wheel:
    """A turn in progress. Use as a context manager: it holds the ledger's lock."""

    def __init__(self, settings: Settings, policy: Policy, say: Callable[[str], None]) -> None:
        """Raises LedgerLocked when another turn writes to the same folder, LedgerCorrupt when its ledger is not whole."""
        self.settings, self.policy, self._say = settings, policy, say
        self.path = settings.out / "ledger.db"
        self.producer = f"fairlead/{__version__} cycle"
        if self.path.exists():
            proven(self.path)
        self._ledger: Ledger | None = Ledger(self.path, producer=self.producer)
        self._began = time.monotonic()

    @property
    def ledger(self) -> Ledger:
        """The open ledger."""
        if self._ledger is None:
            raise RuntimeError("the ledger is lent out: append after `lent_ledger` has ended")
        return self._ledger

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
            if self._ledger is not None:  # it is None when another process took the ledger while it was lent
                self.note([StageEnded(name, round(time.monotonic() - start, 3), error)])

    @contextmanager
    def lent_ledger(self) -> Iterator[None]:
        """Close the ledger so that another process may write to it, and open it again afterwards."""
        self.ledger.close()
        self._ledger = None
        try:
            yield
        finally:
            self._ledger = Ledger(self.path, producer=self.producer)

    def close(self) -> None:
        """Let go of the ledger."""
        if self._ledger is not None:
            self._ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
