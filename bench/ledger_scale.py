"""Ten million entries: what opening, asking and verifying takes, and how much memory, beside a million."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from msgspec.structs import replace

from fairlead.ledger.log import Ledger, stored_roots
from fairlead.ledger.place import open_store
from fairlead.ledger.proof import inclusion
from fairlead.records.entry import Decided
from fairlead.records.figure import Figure

SMALL, LARGE, BATCH = 1_000_000, 10_000_000, 10_000
SPAN_S = 30 * 86_400.0  # what the log covers
HEAVY, HEAVY_EVERY = "acct_heavy", 1_000  # one account has one entry in so many, all with effects
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


def scale(compose: Callable[[random.Random, int, float], list[Decided]]) -> list[Figure]:
    """Minutes, and 6 GB under the temporary folder. `compose` gives so many payloads, whose points count until then."""
    with tempfile.TemporaryDirectory(prefix="fairlead-bench-") as name:
        place = Path(name) / "ledger.db"
        _, small = _grown(place, SMALL, compose), _verified(place)
        built, large = _grown(place, LARGE, compose), _verified(place)
        bytes_each = place.stat().st_size / LARGE
        opened = [_opened(place) for _ in range(9)]
        accounts = [f"acct_{number:05d}" for number in random.Random(1).sample(range(10_000), 200)]
        ordinary, heavy = _asked(place, accounts), [each for _ in range(9) for each in _asked(place, [HEAVY])]
        proofs = _proven(place)
    return [
        Figure("scale.appends_per_s", built, "1/s", n=LARGE - SMALL),
        _figure("scale.open_s", opened, "s"),
        _figure("scale.account_ms", ordinary, "ms"),
        _figure("scale.heavy_account_ms", heavy, "ms"),
        _figure("scale.inclusion_ms", proofs, "ms"),
        Figure("scale.verified_per_s", large[0], "1/s", n=LARGE),
        Figure("scale.verify_memory_mib", large[1], "MiB", n=LARGE, rival=small[1]),
        Figure("scale.bytes_per_entry", bytes_each, "B", n=LARGE),
    ]


def _grown(place: Path, to: int, compose: Callable[[random.Random, int, float], list[Decided]]) -> float:
    """Append until the log has that many entries; entries a second, with composing them left out."""
    draw, now, seconds = random.Random(to), 0.0, 0.0
    with Ledger(place, producer="bench", clock=lambda: now) as ledger:
        first = ledger.size
        for size in range(first, to, BATCH):
            now = SPAN_S * size / LARGE
            payloads = compose(draw, BATCH, now + SPAN_S)
            for i in range(0, BATCH, HEAVY_EVERY):
                payloads[i] = replace(payloads[i], account=HEAVY)
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
            ledger.state.account(account).points(SPAN_S)
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


def _figure(name: str, values: Sequence[float], unit: str) -> Figure:
    return Figure(name, median(values), unit, min(values), max(values), len(values))
