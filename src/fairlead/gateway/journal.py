"""The gateway's way to the ledger: requests wait in the event loop while a thread writes what all of them decided together."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

from msgspec import Struct

from fairlead.ledger.fold import State
from fairlead.ledger.log import Compose, Written
from fairlead.records.entry import Payload
from fairlead.records.errors import LedgerError

_MOST_TOGETHER = 256
_LOOK_S = 1.0  # how old the state may be when nobody asks for anything: keys are issued and revoked by other processes


class Log(Protocol):
    """The part of a ledger that the journal uses."""

    state: State

    def compose_all(self, composes: Sequence[Compose]) -> list[Written]:
        """Write what each of them gives upon the state, in one commit."""
        ...

    def refresh(self) -> int:
        """Take in what other processes wrote."""
        ...


class _Waiting(Struct, frozen=True):
    compose: Compose
    done: asyncio.Future[tuple[Payload, ...]]


class Journal:
    """The ledger and the state that it adds up to.

    Payloads are composed one after the other, each upon a state that holds those before it, so that two requests of one account
    cannot both cross a rung.
    """

    def __init__(self, ledger: Log) -> None:
        """Starts the thread."""
        self._ledger = ledger
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    @property
    def state(self) -> State:
        """What the log adds up to."""
        return self._ledger.state

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
                results = self._ledger.compose_all([waiting.compose for waiting in batch])
            except Exception as error:  # whatever went wrong, nobody may believe that it was written
                results = [error] * len(batch)
            # One hand-over for the batch: waking the loop costs more than the rest.
            batch[0].done.get_loop().call_soon_threadsafe(_release, batch, results)

    def _first(self) -> _Waiting | None:
        """The next that waits. While nobody does, the state is kept current."""
        while True:
            try:
                return self._queue.get(timeout=_LOOK_S)
            except queue.Empty:
                with suppress(LedgerError):  # whoever asks next learns it
                    self._ledger.refresh()

    def _next(self) -> list[_Waiting]:
        """What waits, at least one; nothing when the journal closes. The closing mark is always the last in the queue."""
        first = self._first()
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


def _release(batch: list[_Waiting], results: list[Written]) -> None:
    for waiting, result in zip(batch, results, strict=True):
        if waiting.done.done():  # its request was given up
            continue
        if isinstance(result, LedgerError):
            waiting.done.set_exception(result)
        elif isinstance(result, Exception):  # its words may quote a text
            waiting.done.set_exception(LedgerError(f"could not append: {type(result).__name__}"))
        else:
            waiting.done.set_result(tuple(entry.payload for entry in result))
