"""The ledger's speed on this disk: durable appends alone and in batches, beside plain SQLite commits, and verification."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from bench.report import main
from fairlead.ledger.log import Ledger
from fairlead.ledger.verify import verify
from fairlead.records.entry import Decided
from fairlead.records.figure import Figure

ENTRY = Decided("req_0123456789abcdef", "allow", "rule", 200, "acct_0123", "public", policy="ab" * 32, judge="judge/0.1.0/abc")


def run(quick: bool) -> list[Figure]:
    """Rounds alternate between us and the plain commit, so that a slow moment of the disk hits both."""
    rounds, singles, batches, batch = (3, 100, 10, 1000) if quick else (9, 300, 40, 1000)
    alone: list[float] = []
    plain: list[float] = []
    batched: list[float] = []
    verified: list[float] = []
    with tempfile.TemporaryDirectory(prefix="fairlead-bench-") as name:
        folder = Path(name)
        rival = sqlite3.connect(folder / "plain.db", isolation_level=None)
        rival.execute("PRAGMA journal_mode=WAL")
        rival.execute("PRAGMA synchronous=FULL")
        rival.execute("CREATE TABLE entries (seq INTEGER PRIMARY KEY, body BLOB)")
        with Ledger(folder / "ledger.db", producer="bench") as ledger:
            for _ in range(rounds):
                alone.append(_rate(singles, lambda: ledger.append(ENTRY)))
                plain.append(_rate(singles, lambda: rival.execute("INSERT INTO entries (body) VALUES (?)", (b"x" * 300,))))
                batched.append(batch * _rate(batches, lambda: ledger.append(*[ENTRY] * batch)))
        rival.close()
        for _ in range(rounds):
            start = time.perf_counter()
            found = verify(folder / "ledger.db")
            verified.append(found.size / (time.perf_counter() - start))
            if not found.whole:
                raise RuntimeError(f"the bench's own ledger is not whole: {found.problem}")
    return [
        Figure("appends_per_s", median(alone), "1/s", min(alone), max(alone), rounds, rival=median(plain)),
        Figure("batched_appends_per_s", median(batched), "1/s", min(batched), max(batched), rounds),
        Figure("verified_per_s", median(verified), "1/s", min(verified), max(verified), rounds),
    ]


def _rate(n: int, act: Callable[[], object]) -> float:
    start = time.perf_counter()
    for _ in range(n):
        act()
    return n / (time.perf_counter() - start)


if __name__ == "__main__":
    main("ledger", run)
