"""The breaker: a dead service costs its deadline a few times, and then one trial in each rest."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fairlead.judge.breaker import Breaker


def test_it_opens_after_failures_in_a_row_and_closes_with_a_success() -> None:
    now = [0.0]
    breaker = Breaker(lambda: now[0], failures=2, rest_s=10)
    breaker.failed()
    breaker.succeeded()
    breaker.failed()
    assert breaker.allows()
    breaker.failed()
    assert not breaker.allows()
    now[0] = 9.9
    assert not breaker.allows()
    now[0] = 10
    assert breaker.allows(), "one trial"
    assert not breaker.allows(), "while it runs, or if it never comes back"
    breaker.succeeded()
    assert breaker.allows() and breaker.allows()


@given(st.lists(st.sampled_from(["ask", "fail", "succeed", "wait"]), max_size=40))
def test_it_never_shuts_for_ever_and_lets_a_working_service_work(steps: list[str]) -> None:
    now = [0.0]
    breaker = Breaker(lambda: now[0], failures=3, rest_s=10)
    for step in steps:
        if step == "ask":
            breaker.allows()
        elif step == "wait":
            now[0] += 4
        else:
            breaker.failed() if step == "fail" else breaker.succeeded()
    now[0] += 10
    assert breaker.allows()
    breaker.succeeded()
    assert breaker.allows() and breaker.allows()
