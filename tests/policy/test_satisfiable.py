"""A condition is said to never hold only when nothing makes it hold."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.policy.expression import Count, read_when
from fairlead.policy.satisfiable import always, can_hold

TIERS = ("public", "internal")
HOUR, DAY = Count("block", "*", 3600.0), Count("flag", "a.*", 86400.0)


@dataclass(frozen=True)
class Event:
    harm: Mapping[str, float] = field(default_factory=dict)
    tier: str = "public"
    surface: str = "prompt"
    counts: Mapping[Count, int] = field(default_factory=dict)

    def count(self, action: str, rule: str, seconds: float) -> int:
        return self.counts[Count(action, rule, seconds)]


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ('signal.harm["a"] >= 0.8', True),
        ('signal.harm["a"] > 1', False),
        ('signal.harm["a"] > 0.6 and signal.harm["a"] < 0.4', False),
        ('signal.harm["a"] > 0.4 and signal.harm["a"] < 0.6', True),
        ('signal.harm["a"] < signal.harm["b"] and signal.harm["b"] < signal.harm["c"] and signal.harm["a"] > 0.5', True),
        ('signal.harm["a"] < signal.harm["b"] and signal.harm["b"] < signal.harm["a"]', False),
        ('signal.harm["a"] < signal.harm["a"]', False),
        ('count("block", rule="*", window="1h") < 0', False),
        ('count("block", rule="*", window="1h") > 3 and count("block", rule="*", window="1h") < 4', False),
        ('count("block", rule="*", window="1h") > 3 and count("block", rule="*", window="1h") < 5', True),
        ('count("block", rule="*", window="1h") > count("flag", rule="a.*", window="1d")', True),
        ('tier == "public" and tier == "internal"', False),
        ('not tier == "public" and not tier == "internal"', False),
        ('tier != "public" and surface == "response"', True),
        ('surface == "prompt" and not surface != "response"', False),
        ("2 < 1", False),
        ("1 < 2", True),
    ],
)
def test_what_can_hold_and_what_cannot(text: str, holds: bool) -> None:
    assert can_hold(read_when(text), TIERS) is holds


NUMBERS = st.sampled_from(["0", "0.25", "0.5", "1"])
OPS = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
SIGNALS = st.sampled_from(['signal.harm["a"]', 'signal.harm["b"]'])
COUNTS = st.sampled_from(['count("block", rule="*", window="1h")', 'count("flag", rule="a.*", window="1d")'])
ATOMS = st.one_of(
    st.tuples(SIGNALS, OPS, NUMBERS | SIGNALS).map(" ".join),
    st.tuples(COUNTS, OPS, st.sampled_from(["0", "1", "2"]) | COUNTS).map(" ".join),
    st.tuples(st.just("tier"), st.sampled_from(["==", "!="]), st.sampled_from(['"public"', '"internal"'])).map(" ".join),
)
CONDITIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=4).map(lambda parts: f"({' and '.join(parts)})"),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"({' or '.join(parts)})"),
        inner.map(lambda part: f"(not {part})"),
    ),
    max_leaves=6,
)
FINE = [0, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 1]


@given(CONDITIONS)
def test_the_search_agrees_with_trying_everything(text: str) -> None:
    """The slow twin, over a grid that holds a point on and two between all numbers that the conditions name."""
    condition = read_when(text)
    everything = [
        condition.holds(Event({"a": a, "b": b}, tier, counts={HOUR: hour, DAY: day}))
        for a, b, tier, hour, day in itertools.product(FINE, FINE, TIERS, range(5), range(5))
    ]
    assert can_hold(condition, TIERS) is any(everything)
    assert always(condition, TIERS) is all(everything)


def test_a_search_that_takes_too_long_refuses_nothing() -> None:
    names = [f"s{i}" for i in range(12)]
    never = " and ".join(f'signal.harm["{a}"] < signal.harm["{b}"]' for a, b in zip(names, [*names[1:], names[0]], strict=True))
    assert can_hold(read_when(never), TIERS)
