"""The red team's own cost: attempts a CPU-second against a target that does nothing, as other tools are measured."""

from __future__ import annotations

import time
from statistics import median

from bench.report import main
from fairlead.policy.core import CORE
from fairlead.policy.load import load
from fairlead.records.example import Example
from fairlead.records.figure import Figure
from fairlead.records.verdict import Outcome, RuleVerdict, Verdict
from fairlead.redteam.campaign import attempts, rates
from fairlead.redteam.outcome import against_guard
from fairlead.redteam.transform import TRANSFORMS

NOTHING = Verdict((RuleVerdict("none", "0", Outcome.ALLOWED),), "no-op")


def run(quick: bool) -> list[Figure]:
    """Every transform of every policy example: made, put to the target, judged, and added up."""
    rounds = 5 if quick else 25
    examples = [
        Example(e.id, e.text, {rule.id: e.verdict == "violates"}) for rule in load(CORE).text_rules for e in rule.examples
    ]
    speeds = []
    for _ in range(rounds):
        start = time.process_time()
        tried = list(attempts(examples, TRANSFORMS))
        ended = [a.ended("no-op", against_guard(NOTHING, benign=a.benign)) for a in tried]
        success, _ = rates(ended, "labels")
        speeds.append(len(ended) / (time.process_time() - start))
        if success.value != 1.0:
            raise RuntimeError("a target that allows everything must be broken by every attack")
    return [Figure("attempts_per_cpu_s", median(speeds), "1/s", min(speeds), max(speeds), rounds)]


if __name__ == "__main__":
    main("redteam", run)
