"""Whether a condition can hold at all: its signals, counts, tier and surface are tried at the values where it can change.

Between two numbers that a condition names it cannot tell values of one signal apart, except from another signal's; so as many
values are tried between two numbers as there are signals. Counts go by whole numbers. The search assigns one thing after the
other and leaves a branch as soon as the condition, three-valued as it is, is decided.

What this does not see: that counts of the same events over windows of different lengths go together. It errs on the side of
"can hold".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, get_args

from msgspec import Struct, field
from msgspec.structs import replace

from fairlead.policy.document import Surface
from fairlead.policy.expression import LARGEST, Condition, Count, Facts

_MOST_TRIALS = 20_000  # beyond, the condition is taken to be one that can hold


class _Trial(Struct):
    """Facts of which some are not assigned yet, which the condition takes for unknown."""

    harm: dict[str, Any] = field(default_factory=dict)
    counts: dict[Count, Any] = field(default_factory=dict)
    words: dict[str, Any] = field(default_factory=dict)

    @property
    def tier(self) -> Any:
        return self.words.get("tier")

    @property
    def surface(self) -> Any:
        return self.words.get("surface")

    def count(self, action: str, rule: str, seconds: float) -> Any:
        return self.counts.get(Count(action, rule, seconds))


def unbounded(_: Count) -> int:
    """No bound on a count but what a condition can name."""
    return int(2 * LARGEST)


def can_hold(condition: Condition, tiers: Sequence[str], most: Callable[[Count], int] = unbounded) -> bool:
    """Whether some event of some account in one of `tiers` meets the condition, every signal being there and no count above
    `most` of it."""
    trial, trials = _Trial(), 0
    choices = list(_choices(trial, condition, tiers, most))

    def search(depth: int) -> bool:
        nonlocal trials
        trials += 1
        if trials > _MOST_TRIALS:
            return True
        held = condition.holds(trial)
        if held is not None or depth == len(choices):
            return held is True
        assigned, name, values = choices[depth]
        for value in values:
            assigned[name] = value
            if search(depth + 1):
                return True
        assigned[name] = None
        return False

    return search(0)


def always(condition: Condition, tiers: Sequence[str], most: Callable[[Count], int] = unbounded) -> bool:
    """Whether every event of every account meets the condition, every signal being there and no count above `most` of it."""

    def fails(facts: Facts) -> bool | None:
        held = condition.holds(facts)
        return None if held is None else not held

    return not can_hold(replace(condition, holds=fails), tiers, most)


def _choices(
    trial: _Trial, condition: Condition, tiers: Sequence[str], most: Callable[[Count], int]
) -> Iterator[tuple[dict[Any, Any], Any, Sequence[Any]]]:
    """Where to assign what, and the values that can make a difference, the largest first: alarms look for much."""
    scores = _scores(condition.numbers, len(condition.signals))
    counts = _whole(condition.numbers, len(condition.counts))
    yield from ((trial.harm, name, scores) for name in sorted(condition.signals))
    for count in sorted(condition.counts, key=str):
        yield trial.counts, count, sorted({min(number, most(count)) for number in counts}, reverse=True)
    yield trial.words, "tier", tiers
    yield trial.words, "surface", get_args(Surface)


def _scores(numbers: frozenset[float], signals: int) -> list[float]:
    named = sorted({0.0, 1.0, *(number for number in numbers if 0 <= number <= 1)})
    between = [low + (high - low) * (step + 1) / (signals + 1) for low, high in pairwise(named) for step in range(signals)]
    return sorted({*named, *between}, reverse=True)


def _whole(numbers: frozenset[float], counts: int) -> list[int]:
    named = {0, *(int(number) for number in numbers)}
    return sorted({max(0, number + step) for number in named for step in range(-counts, counts + 1)}, reverse=True)
