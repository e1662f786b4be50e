"""One quick turn of the wheel: what it took, and what it found."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from bench.report import main
from fairlead.cycle.settings import FULL, QUICK, Settings
from fairlead.cycle.turn import turn
from fairlead.ledger.verify import verify
from fairlead.policy.core import CORE
from fairlead.records.figure import Figure


def run(quick: bool) -> list[Figure]:
    """The turn's seconds, the entries it left, and its headline figures as they stand in the ledger."""
    with tempfile.TemporaryDirectory(prefix="fairlead-bench-") as name:
        start = time.perf_counter()
        settings = Settings(Path(name), CORE, extent=QUICK if quick else FULL)
        summary = turn(settings, lambda line: print(line, file=sys.stderr))
        seconds = time.perf_counter() - start
        log = verify(Path(name) / "ledger.db")
    shown = [
        ("basin_base_attack_success", summary.find("basin-base", "attack success")),
        ("basin_sft_attack_success", summary.find("basin-sft", "attack success")),
        ("basin_sft_benign_refusal", summary.find("basin-sft", "benign refusal")),
        ("gateway_as_expected", summary.find("guard", "as expected")),
    ]
    figures = [Figure("turn_seconds", seconds, "s", n=1), Figure("entries", float(log.size) if log.whole else None, n=1)]
    for label, traced in shown:
        figure = traced.figure if traced else Figure(label, None)
        figures.append(Figure(label, figure.value, figure.unit, figure.low, figure.high, figure.n, figure.errors, figure.judge))
    return figures


if __name__ == "__main__":
    main("cycle", run)
