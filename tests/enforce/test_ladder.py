"""Each rung is reached once a crossing, and what must be approved only waits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fairlead.enforce.ladder import reached
from fairlead.policy.document import Rung

LADDER = (
    Rung(3, "warn"),
    Rung(6, "throttle", days=7),
    Rung(12, "suspend", days=14, approve="human"),
    Rung(20, "ban", approve="two_humans"),
)


def test_rungs_between_the_points_are_reached_in_order() -> None:
    steps = reached(LADDER, "acct", 2, 12, 1000.0)
    assert [(s.do, s.waits_for) for s in steps] == [("warn", "nobody"), ("throttle", "nobody"), ("suspend", "human")]
    assert [s.until for s in steps] == [None, 1000.0 + 7 * 86400, 1000.0 + 14 * 86400]
    assert {(s.account, s.points) for s in steps} == {("acct", 12)}


def test_points_that_stay_reach_nothing() -> None:
    assert reached(LADDER, "acct", 6, 6, 0.0) == ()
    assert reached(LADDER, "acct", 9, 4, 0.0) == ()
    assert reached((), "acct", 0, 99, 0.0) == ()


@given(st.lists(st.integers(0, 30), min_size=1, max_size=10).map(sorted))
def test_climbing_in_small_steps_reaches_what_one_leap_reaches(points: list[int]) -> None:
    small = [step.do for a, b in zip([0, *points], points, strict=False) for step in reached(LADDER, "acct", a, b, 0.0)]
    assert small == [step.do for step in reached(LADDER, "acct", 0, points[-1], 0.0)]
