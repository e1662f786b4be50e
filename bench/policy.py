"""The policy's speed: evaluations of a four-condition rule, and loading the default policy."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median

from bench.report import main
from fairlead.policy.core import CORE
from fairlead.policy.expression import compile_when
from fairlead.policy.load import load
from fairlead.records.figure import Figure

RULE = (
    'signal.harm["weapons_uplift"] >= 0.8 and surface == "prompt"'
    ' and not tier == "internal" and count("block", rule="weapons.*", window="24h") >= 3'
)


@dataclass(frozen=True)
class Event:
    """An event for which all four conditions are looked at."""

    harm: Mapping[str, float] = field(default_factory=lambda: {"weapons_uplift": 0.9})
    tier: str = "public"
    surface: str = "prompt"

    def count(self, action: str, rule: str, seconds: float) -> int:
        """A count that costs nothing: the history is not measured here."""
        return 3


def run(quick: bool) -> list[Figure]:
    """Median over rounds; the interval is their minimum and maximum."""
    rounds, n = (5, 100_000) if quick else (15, 400_000)
    condition, event = compile_when(RULE), Event()
    rates = []
    for _ in range(rounds):
        start = time.process_time()
        for _ in range(n):
            condition(event)
        rates.append(n / (time.process_time() - start))
    loads = []
    for _ in range(rounds):
        start = time.process_time()
        load(CORE)
        loads.append(1000 * (time.process_time() - start))
    return [
        Figure("evaluations_per_s", median(rates), "1/s", min(rates), max(rates), rounds),
        Figure("load_ms", median(loads), "ms", min(loads), max(loads), rounds),
    ]


if __name__ == "__main__":
    main("policy", run)
