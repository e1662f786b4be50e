"""One thread writes: what waits is written together, and each waiter goes on once its entries are on disk."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from msgspec import Struct

from fairlead.ledger.fold import State, fold
from fairlead.records.entry import Entry, Payload
from fairlead.records.errors import LedgerError

_MOST_TOGETHER = 256

#: Given the state, the time and the first entry's sequence number: what to write. Runs in the writer's thread.
Compose = Callable[[State, float, int], tuple[Payload, ...]]


class Log(Protocol):
    """The part of a ledger that the journal uses."""

    @property
    def size(self) -> int:
        """The number of entries."""
        ...

    def append(self, *payloads: Payload) -> tuple[Entry, ...]:
        """Write all or none."""
        ...

    def entries(self) -> Iterator[Entry]:
        """All entries."""
        ...


class _Waiting(Struct, frozen=True):
    compose: Compose
    done: asyncio.Future[tuple[Payload, ...]]


class Journal:
    """The ledger and the state that it adds up to.

    Payloads are composed one after the other, each upon a state that holds those before it, so that two requests of one account
    cannot both cross a rung. When the disk refuses, the state may be ahead of the log; it is then folded anew.
    Nobody else appends to this ledger while the journal is open.
    """

    def __init__(self, ledger: Log, clock: Callable[[], float]) -> None:
        """Folds the ledger and starts the thread. Raises LedgerError when it cannot be read."""
        self.state = fold(ledger.entries())
        self._ledger, self._clock, self._ahead = ledger, clock, False
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    async def append(self, compose: Compose) -> tuple[Payload, ...]:
        """Write what `compose` gives, and return it once it is on disk. Raises LedgerError."""
        done: asyncio.Future[tuple[Payload, ...]] = asyncio.get_running_loop().create_future()
        self._queue.put(_Waiting(compose, done))
        return await done

    def close(self) -> None:
        """Write what waits and stop. The ledger stays open."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while batch := self._next():
            try:
                results: Iterable[tuple[Payload, ...] | LedgerError] = self._written(batch)
            except Exception as error:  # whatever went wrong, nobody may believe that it was written
                self._ahead = True
                failed = error if isinstance(error, LedgerError) else LedgerError(f"could not append: {type(error).__name__}")
                results = [failed] * len(batch)
            # One hand-over for the batch: waking the loop costs more than the rest.
            batch[0].done.get_loop().call_soon_threadsafe(_release, batch, list(results))

    def _next(self) -> list[_Waiting]:
        """What waits, at least one; nothing when the journal closes. The closing mark is always the last in the queue."""
        first = self._queue.get()
        batch = [first] if first else []
        while first and len(batch) < _MOST_TOGETHER:
            try:
                more = self._queue.get_nowait()
            except queue.Empty:
                break
            if more is None:
                self._queue.put(None)
                break
            batch.append(more)
        return batch

    def _written(self, batch: list[_Waiting]) -> list[tuple[Payload, ...]]:
        if self._ahead:
            self.state = fold(self._ledger.entries())
            self._ahead = False
        composed, seq, now = [], self._ledger.size, self._clock()
        for waiting in batch:
            payloads = waiting.compose(self.state, now, seq)
            for payload in payloads:
                self.state.apply(Entry(seq, now, "", payload))  # type: ignore[arg-type]  # as in ledger.log
                seq += 1
            composed.append(payloads)
        self._ledger.append(*(payload for payloads in composed for payload in payloads))
        return composed


def _release(batch: list[_Waiting], results: list[tuple[Payload, ...] | LedgerError]) -> None:
    for waiting, result in zip(batch, results, strict=True):
        if waiting.done.done():  # its request was given up
            continue
        if isinstance(result, LedgerError):
            waiting.done.set_exception(result)
        else:
            waiting.done.set_result(result)
