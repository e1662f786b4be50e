"""The policy's speed: evaluations of a four-condition rule, one decision with what follows from it, and loading."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median

from bench.report import main
from fairlead.enforce.settle import Settlement
from fairlead.ledger.fold import State
from fairlead.policy.core import CORE
from fairlead.policy.decide import decide
from fairlead.policy.expression import compile_when
from fairlead.policy.load import load
from fairlead.records.entry import Decided
from fairlead.records.figure import Figure
from fairlead.records.verdict import Outcome, RuleVerdict, Verdict

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
    """Median over rounds; the interval is their minimum and maximum. Times are of the processor."""
    rounds, n = (5, 100_000) if quick else (15, 400_000)
    condition, event = compile_when(RULE), Event()
    rates = [1 / _seconds(lambda: condition(event), n) for _ in range(rounds)]
    policy = load(CORE)
    rules = policy.over("prompt")
    allowed = Verdict(tuple(RuleVerdict(r.id, r.digest, Outcome.ALLOWED, 0.1, "heads", "plain") for r in rules), "bench")
    ruling = decide(policy, "public", "acct", allowed, "prompt")
    settlement, state = Settlement(policy), State()
    decided = Decided("req", "allow", "rule", 200, "acct", "public")
    deciding = [1e6 * _seconds(lambda: decide(policy, "public", "acct", allowed, "prompt"), n // 20) for _ in range(rounds)]
    settling = [1e6 * _seconds(lambda: settlement.settle(decided, (ruling,), state, 0.0, 1), n // 20) for _ in range(rounds)]
    loads = [1e3 * _seconds(lambda: load(CORE), 1) for _ in range(rounds)]
    return [
        _figure("evaluations_per_s", rates, "1/s"),
        _figure("decide_us", deciding, "µs"),
        _figure("settle_us", settling, "µs"),
        _figure("load_ms", loads, "ms"),
    ]


def _seconds(work: Callable[[], object], n: int) -> float:
    """Processor seconds for one call, over `n` of them; the call of `work` itself is counted with it."""
    start = time.process_time()
    for _ in range(n):
        work()
    return (time.process_time() - start) / n


def _figure(name: str, values: list[float], unit: str) -> Figure:
    return Figure(name, median(values), unit, min(values), max(values), len(values))


if __name__ == "__main__":
    main("policy", run)
