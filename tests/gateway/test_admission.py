"""What is not granted is refused; steps of the ladder take away what they say."""

from __future__ import annotations

import pytest
from house import POLICY

from fairlead.gateway.admission import Admission, Caller
from fairlead.gateway.identity import new_key
from fairlead.gateway.refusal import Refusal
from fairlead.ledger.fold import State, fold
from fairlead.policy.load import parse
from fairlead.records.entry import Entry, LadderStepped, Payload

NOW = 1000.0


def admission() -> Admission:
    return Admission(parse(POLICY), lambda: NOW)


def state(*payloads: Payload) -> State:
    return fold(Entry(i, 0.0, "test/1", payload) for i, payload in enumerate(payloads))  # type: ignore[arg-type]


@pytest.mark.parametrize("step", ["suspend", "ban"])
def test_a_suspended_account_is_refused_until_the_time_is_over(step: str) -> None:
    caller = Caller("ann", "public")
    admission().admit(caller, state())
    admission().admit(caller, state(LadderStepped("ann", 9, step, until=NOW)))
    admission().admit(caller, state(LadderStepped("ann", 9, step, until=NOW + 1, waits_for="human")))
    admission().admit(caller, state(LadderStepped("bob", 9, step)))
    with pytest.raises(Refusal, match="suspended"):
        admission().admit(caller, state(LadderStepped("ann", 9, step, until=NOW + 1)))


def test_a_step_down_takes_the_next_lower_tier_and_stops_at_the_lowest() -> None:
    text, issued = new_key("trusted", "ann")
    header = f"Bearer {text}".encode()
    down = LadderStepped("ann", 9, "tier_down", until=NOW + 1)
    for steps, tier in ((0, "trusted"), (1, "verified"), (2, "public"), (3, "guest"), (5, "guest")):
        assert admission().identified(header, state(issued, *[down] * steps)).tier == tier


def test_a_throttled_account_has_a_part_of_its_quota_and_never_nothing() -> None:
    door, throttled = admission(), state(LadderStepped("ann", 6, "throttle"))
    door.admit(Caller("ann", "guest"), throttled)  # three a minute, throttled to one
    with pytest.raises(Refusal) as refused:
        door.admit(Caller("ann", "guest"), throttled)
    assert refused.value.status == 429
    assert refused.value.retry_after_s is not None


def test_quotas_are_kept_by_account() -> None:
    door = admission()
    for _ in range(3):
        door.admit(Caller("ann", "guest"), state())
    with pytest.raises(Refusal):
        door.admit(Caller("ann", "guest"), state())
    door.admit(Caller("bob", "guest"), state())


@pytest.mark.parametrize("tier", ["internal", "nowhere", ""])
def test_a_tier_without_a_grant_gets_nothing(tier: str) -> None:
    with pytest.raises(Refusal) as refused:
        admission().admit(Caller("ann", tier), state())
    assert refused.value.status == 403
