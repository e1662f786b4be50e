"""A gate is held, missed or undecided: the one place where a rate meets its bar."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from fairlead.statistics.intervals import n_to_decide, wilson


class GateOutcome(StrEnum):
    """Release requires held."""

    HELD = "held"
    MISSED = "missed"
    UNDECIDED = "undecided"


class GateReading(Struct, frozen=True):
    """`low` and `high` are the 95 % interval, `bound` the end of it that had to clear the bar. `n_needed` is set when
    undecided: the n that would decide at this rate (with nothing measured: at a rate without a failure)."""

    outcome: GateOutcome
    rate: float | None
    bound: float
    n: int
    low: float
    high: float
    n_needed: int | None = None


def read_gate(good: int, bad: int, unknown: int, bar: float, *, at_least: bool) -> GateReading:
    """Hold a rate against `bar`, every undetermined or failed item counted the wrong way.

    `at_least=True` reads a rate that must not fall below the bar (recall): `good` of all. `at_least=False` reads one that must
    not exceed it (false positives): `bad` and `unknown` of all. Held: the unfavourable bound clears the bar. Missed: the
    favourable bound, unknown items still counted the wrong way, does not. Undecided: anything between.
    """
    n = good + bad + unknown
    hits = good if at_least else bad + unknown
    low, high = wilson(hits, n)
    rate = hits / n if n else None
    held, missed = (low >= bar, high < bar) if at_least else (high <= bar, low > bar)
    outcome = GateOutcome.HELD if held and n else GateOutcome.MISSED if missed and n else GateOutcome.UNDECIDED
    likely = float(at_least) if rate is None else rate
    needed = n_to_decide(likely, bar) if outcome is GateOutcome.UNDECIDED else None
    return GateReading(outcome, rate, low if at_least else high, n, low, high, needed)
