"""The ledger's speed on this disk, on SQLite and PostgreSQL; in full also beside plain commits, and with ten million entries.

What is appended in batches is like what a gateway says: nine of ten requests are allowed, and one has effects on one of 10,000
accounts. Otherwise requests are allowed.
"""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import psycopg
from msgspec import Struct
from msgspec.structs import replace

from bench.report import main
from fairlead.ledger.log import Ledger, stored_roots
from fairlead.ledger.place import open_store
from fairlead.ledger.proof import inclusion
from fairlead.ledger.verify import verify
from fairlead.records.entry import Decided
from fairlead.records.figure import Figure
from tests.postgres import Postgres, PostgresMissing

ALLOWED = Decided(
    "req_0123456789abcdef", "allow", "rule", 200, "acct_00001", "public", policy="ab" * 32, judge="judge/0.1.0/abc"
)
BLOCKED = replace(ALLOWED, action="block", status=400, rule="weapons.uplift", points=2)
ACCOUNTS, EFFECTS = 10_000, 10  # one entry in so many has effects
CALLERS = 16

SMALL, LARGE, BATCH = 1_000_000, 10_000_000, 10_000
SPAN_S = 30 * 86_400.0  # what the log covers
# Of 10,000 accounts each has 100 strikes in the end; these two have 1,000 and 10,000: one entry in so many is theirs.
HEAVY, HEAVIEST = ("acct_heavy", 10_000), ("acct_heaviest", 1_000)
_VERIFY = """
import re, sys, time
from pathlib import Path
from fairlead.ledger.verify import verify
start = time.perf_counter()
found = verify(sys.argv[1])
seconds = time.perf_counter() - start
assert found.whole, found.problem
# Not `ru_maxrss`: a child inherits what its parent had when it was forked.
print(found.size / seconds, int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024)
"""


class Extent(Struct, frozen=True):
    """How much is measured: commits of one entry, appends of each of the callers, and batches of 1,000, in each round."""

    rounds: int
    singles: int
    each: int
    batches: int


QUICK, FULL = Extent(3, 100, 20, 5), Extent(9, 300, 60, 20)


def run(quick: bool) -> list[Figure]:
    """The speeds on both stores; without a PostgreSQL server the figures of that are missing."""
    extent = QUICK if quick else FULL
    with tempfile.TemporaryDirectory(prefix="fairlead-bench-") as name:
        figures = speeds(f"{name}/ledger.db", None if quick else commits_of_sqlite(Path(name) / "plain.db"), extent)
    try:
        server = Postgres()
    except PostgresMissing as missing:
        print(f"no PostgreSQL: {missing}", file=sys.stderr)
    else:
        with server:
            place = server.create_database("ledger")
            found = speeds(place, None if quick else commits_of_postgres(server.create_database("plain")), extent)
        figures += [replace(figure, name=f"postgres.{figure.name}") for figure in found]
    return figures if quick else figures + scale()


def mixed(draw: random.Random, n: int, until: float) -> list[Decided]:
    """What the gateway appends; points count until then."""
    return [
        replace(BLOCKED, account=f"acct_{draw.randrange(ACCOUNTS):05d}", points_expire=until) if i % EFFECTS == 0 else ALLOWED
        for i in range(n)
    ]


def speeds(place: str, commit: Callable[[], object] | None, extent: Extent) -> list[Figure]:
    """Rounds alternate between us and the plain commit, so that a slow moment of the disk hits both."""
    draw, rates = (
        random.Random(0),
        {name: list[float]() for name in ("alone", "plain", "shared", "allowed", "mixed", "verified")},
    )
    batches = iter([mixed(draw, 1_000, 2.0**32) for _ in range(extent.rounds * extent.batches)])
    with Ledger(place, producer="bench") as ledger:
        for _ in range(extent.rounds):
            rates["alone"].append(_rate(extent.singles, lambda: ledger.append(ALLOWED)))
            if commit is not None:
                rates["plain"].append(_rate(extent.singles, commit))
            rates["shared"].append(_shared(ledger, extent.each))
            rates["allowed"].append(1_000 * _rate(extent.batches, lambda: ledger.append(*[ALLOWED] * 1_000)))
            rates["mixed"].append(1_000 * _rate(extent.batches, lambda: ledger.append(*next(batches))))
    for _ in range(extent.rounds):
        start = time.perf_counter()
        found = verify(place)
        rates["verified"].append(found.size / (time.perf_counter() - start))
        if not found.whole:
            raise RuntimeError(f"the bench's own ledger is not whole: {found.problem}")
    rival = median(rates["plain"]) if rates["plain"] else None
    return [
        _figure("appends_per_s", rates["alone"], rival),
        _figure("shared_appends_per_s", rates["shared"], rival),
        _figure("batched_appends_per_s", rates["mixed"]),
        _figure("batched_allowed_appends_per_s", rates["allowed"]),
        _figure("verified_per_s", rates["verified"]),
    ]


def commits_of_sqlite(path: Path) -> Callable[[], object]:
    """A plain commit of 300 bytes in the same folder, as durable as ours."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("CREATE TABLE plain (seq INTEGER PRIMARY KEY, body BLOB)")
    return lambda: db.execute("INSERT INTO plain (body) VALUES (?)", (b"x" * 300,))


def commits_of_postgres(url: str) -> Callable[[], object]:
    """The same in a database of the same server."""
    db = psycopg.connect(url.replace("+psycopg", ""), autocommit=True)
    db.execute("CREATE TABLE plain (seq BIGSERIAL PRIMARY KEY, body BYTEA)")
    return lambda: db.execute("INSERT INTO plain (body) VALUES (%s)", (b"x" * 300,))


def _shared(ledger: Ledger, each: int) -> float:
    """Entries a second of callers in one process, each of which waits for the acknowledgement before it goes on."""

    def call() -> None:
        for _ in range(each):
            ledger.append(ALLOWED)

    threads = [threading.Thread(target=call) for _ in range(CALLERS)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return CALLERS * each / (time.perf_counter() - start)


def _rate(n: int, act: Callable[[], object]) -> float:
    start = time.perf_counter()
    for _ in range(n):
        act()
    return n / (time.perf_counter() - start)


def _figure(name: str, values: Sequence[float], rival: float | None = None, unit: str = "1/s") -> Figure:
    return Figure(name, median(values), unit, min(values), max(values), len(values), rival=rival)


def scale() -> list[Figure]:
    """What opening, asking and verifying takes of a long log: minutes, and 7 GB under the temporary folder."""
    with tempfile.TemporaryDirectory(prefix="fairlead-bench-") as name:
        place = Path(name) / "ledger.db"
        _, small = _grown(place, SMALL), _verified(place)
        built, large = _grown(place, LARGE), _verified(place)
        bytes_each = place.stat().st_size / LARGE
        opened = [_opened(place) for _ in range(9)]
        accounts = [f"acct_{number:05d}" for number in random.Random(1).sample(range(10_000), 200)]
        ordinary = _asked(place, accounts)
        heavy, heaviest = ([took for _ in range(9) for took in _asked(place, [name])] for name, _ in (HEAVY, HEAVIEST))
        proofs = _proven(place)
    return [
        Figure("scale.appends_per_s", built, "1/s", n=LARGE - SMALL),
        _figure("scale.open_s", opened, unit="s"),
        _figure("scale.account_ms", ordinary, unit="ms"),
        _figure("scale.heavy_account_ms", heavy, unit="ms"),
        _figure("scale.heaviest_account_ms", heaviest, unit="ms"),
        _figure("scale.inclusion_ms", proofs, unit="ms"),
        Figure("scale.verified_per_s", large[0], "1/s", n=LARGE),
        Figure("scale.verify_memory_mib", large[1], "MiB", n=LARGE, rival=small[1]),
        Figure("scale.bytes_per_entry", bytes_each, "B", n=LARGE),
    ]


def _grown(place: Path, to: int) -> float:
    """Append until the log has that many entries; entries a second, with composing them left out."""
    draw, now, seconds = random.Random(to), 0.0, 0.0
    with Ledger(place, producer="bench", clock=lambda: now) as ledger:
        first = ledger.size
        for size in range(first, to, BATCH):
            now = SPAN_S * size / LARGE
            payloads = mixed(draw, BATCH, now + SPAN_S)
            for name, every in (HEAVIEST, HEAVY):
                for i in range(0, BATCH, every):
                    payloads[i] = replace(payloads[i], account=name)
            start = time.perf_counter()
            ledger.append(*payloads)
            seconds += time.perf_counter() - start
    return (to - first) / seconds


def _verified(place: Path) -> tuple[float, float]:
    """Entries a second and the peak memory in MiB of a process that does nothing else."""
    done = subprocess.run([sys.executable, "-c", _VERIFY, place], capture_output=True, text=True, check=True)
    rate, memory = done.stdout.split()
    return float(rate), float(memory)


def _opened(place: Path) -> float:
    _forget(place)
    start = time.perf_counter()
    with Ledger(place, producer="bench"):
        return time.perf_counter() - start


def _asked(place: Path, accounts: Sequence[str]) -> list[float]:
    """Milliseconds for the points of an account and how often it was blocked in a day: nothing of it in our memory."""
    took = []
    _forget(place)
    with Ledger(place, producer="bench") as ledger:
        for account in accounts:
            start = time.perf_counter()
            ledger.state.points(account, SPAN_S)
            ledger.state.count(account, "block", "*", SPAN_S - 86_400)
            took.append(1000 * (time.perf_counter() - start))
    return took


def _proven(place: Path) -> list[float]:
    """Milliseconds for the proof that an entry drawn at random is in the log."""
    draw, took = random.Random(2), []
    store = open_store(place, read_only=True)
    for _ in range(200):
        start = time.perf_counter()
        with store.reading() as db:
            inclusion(draw.randrange(LARGE), LARGE, stored_roots(db))
        took.append(1000 * (time.perf_counter() - start))
    store.close()
    return took


def _forget(place: Path) -> None:
    """Ask the system to drop the file from its memory, so that it is read from the disk."""
    with place.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


if __name__ == "__main__":
    main("ledger", run)
