"""What the judge costs: how long it took, and how far along its stages a text had to go. Pure: verdicts in, figures out."""

from __future__ import annotations

from collections.abc import Sequence

from fairlead.records.figure import Figure
from fairlead.records.verdict import Outcome, Verdict
from fairlead.statistics.intervals import percentile, wilson

PERCENTILES = (0.5, 0.95, 0.99)


def latency(verdicts: Sequence[Verdict], producer: str) -> tuple[Figure, ...]:
    """`latency.p50`, `.p95`, `.p99` in seconds, of the whole judge (the sum of its stages) and as `latency.STAGE.p50` of each.

    A stage's figures are over the texts that it saw. Failed verdicts are not timed; they are counted as errors.
    """
    errors = sum(verdict.error is not None for verdict in verdicts)
    timed = [verdict.took for verdict in verdicts if verdict.error is None and verdict.took]
    stages = dict.fromkeys(stage for took in timed for stage in took)
    seconds = {"latency": [sum(took.values()) for took in timed]}
    seconds |= {f"latency.{stage}": [took[stage] for took in timed if stage in took] for stage in stages}
    figures = []
    for name, values in seconds.items():
        for share in PERCENTILES if values else ():
            found = percentile(values, share)
            figures.append(
                Figure(f"{name}.p{share * 100:.0f}", found.value, "s", found.low, found.high, len(values), errors, producer)
            )
    return tuple(figures)


def deciders(verdicts: Sequence[Verdict], producer: str) -> tuple[Figure, ...]:
    """`decided_by.STAGE`: the share of all texts decided by what the stages up to this one found, none after it being asked.

    A text is decided when its worst outcome is not undetermined; the share of the others is `decided_by.none`.
    """
    errors = sum(verdict.error is not None for verdict in verdicts)
    counts = dict.fromkeys((stage for verdict in verdicts for stage in verdict.took), 0) | {"none": 0}
    for verdict in verdicts:
        decided = verdict.outcome is not Outcome.UNDETERMINED and verdict.took
        counts[next(reversed(verdict.took)) if decided else "none"] += 1
    n = len(verdicts)
    return tuple(
        Figure(f"decided_by.{stage}", count / n, "", *wilson(count, n), n, errors, producer)
        for stage, count in counts.items()
        if n and (count or stage == "none")
    )
