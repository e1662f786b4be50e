"""Kill -9 in the middle of some work: before every SQL statement of it, one after the other, and at random moments."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator

from fairlead.ledger import sqlite


def before_each_statement(work: Callable[[], object]) -> Iterator[int]:
    """Run `work` in a process of its own that is killed before its first statement, then its second, and so on, until it ends.

    Yields after each kill, with the number of statements that were begun; SQLite's own, within a VACUUM, are counted too.
    """
    for n in range(10_000):
        if _ended(lambda n=n: (_kill_before(n), work())):  # type: ignore[misc]
            return
        yield n
    raise AssertionError("the work never came to its end")


def at_random(work: Callable[[int], object], times: int, seed: int) -> Iterator[int]:
    """Run `work(0)` to its end, then `work(1)`, `work(2)` … killed at a random moment of the time which that took."""
    began = time.monotonic()
    assert _ended(lambda: work(0))
    took, draw = time.monotonic() - began, random.Random(seed)
    for n in range(1, times + 1):
        _ended(lambda n=n: work(n), draw.uniform(0.0, 1.2 * took))  # type: ignore[misc]
        yield n


def _ended(work: Callable[[], object], seconds: float | None = None) -> bool:
    """Whether the work came to its end in a process of its own, which is killed after so many seconds."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL), "the work failed by itself"
    return status == 0


def _kill_before(n: int) -> None:
    left, connect = n, sqlite._connect

    def count(_: str) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def traced(*args: object, **more: object) -> sqlite3.Connection:
        db = connect(*args, **more)  # type: ignore[arg-type]
        db.set_trace_callback(count)
        return db

    sqlite._connect = traced  # type: ignore[assignment]  # in the child only
