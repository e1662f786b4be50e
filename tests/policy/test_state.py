"""A rule's states are checked texts; a canary acts on a fixed share of the accounts that only grows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.policy.state import STATES, State


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("enforced", "did you mean 'enforce'"),
        ("cannary(5)", "did you mean 'canary'"),
        ("live", "known: draft, shadow"),
        ("canary", "as in canary"),
        ("canary(0)", "1 to 100"),
        ("canary(101)", "1 to 100"),
        ("enforce(10)", "only a canary"),
        ("canary(-1)", "whole number of per cent from 1 to 100"),
        ("canary(0.5)", "whole number of per cent from 1 to 100"),
        ("canary(10%)", "whole number of per cent from 1 to 100"),
        ("canary()", "as in canary"),
    ],
)
def test_a_wrong_state_is_refused_with_the_nearest(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        State(text)


def test_each_state_is_judged_and_acts_as_it_says() -> None:
    states = [State(name if name != "canary" else "canary(100)") for name in STATES]
    assert [state.alive for state in states] == [False, True, True, True, False]
    assert [state.acts_on("r", "ann") for state in states] == [False, False, True, True, False]


@given(st.text(), st.text(), st.integers(1, 100), st.integers(1, 100))
def test_an_account_in_a_canary_stays_in_when_it_grows(rule: str, account: str, one: int, other: int) -> None:
    small, large = (State(f"canary({percent})").acts_on(rule, account) for percent in sorted((one, other)))
    assert large or not small
    assert State("canary(100)").acts_on(rule, account)


def test_an_unknown_account_is_in_every_canary() -> None:
    assert State("canary(1)").acts_on("r", None)


@pytest.mark.parametrize("percent", [1, 10, 50, 90])
def test_a_canary_holds_its_share_of_accounts_and_another_share_for_another_rule(percent: int) -> None:
    state = State(f"canary({percent})")
    first, second = ({n for n in range(20_000) if state.acts_on(rule, f"acct_{n}")} for rule in ("a", "b"))
    assert abs(len(first) / 20_000 - percent / 100) < 0.015  # beyond four standard deviations
    assert abs(len(first & second) / 20_000 - (percent / 100) ** 2) < 0.015


def test_the_same_account_sees_the_same_on_every_machine() -> None:
    assert [n for n in range(40) if State("canary(10)").acts_on("weapons.uplift", f"acct_{n}")] == [2, 8, 16, 21, 30, 33, 35]
