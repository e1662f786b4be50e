"""The state is what the entries add up to, whenever they are read and in however many pieces."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fairlead.ledger.fold import State, count, events_of, fold
from fairlead.records.entry import (
    CaseOpened,
    Decided,
    Entry,
    KeyIssued,
    KeyRevoked,
    Labelled,
    LadderStepped,
    Payload,
    PolicyLoaded,
    ReviewQueued,
    StageEnded,
)

names = st.sampled_from(["a", "b", "c"])
payloads = st.one_of(
    st.builds(KeyIssued, key=names, prefix=names, account=names, tier=names, expires=st.none() | st.floats(0, 9)),
    st.builds(KeyRevoked, key=names, reason=names),
    st.builds(
        Decided,
        request=names,
        action=st.sampled_from(["allow", "block", "review"]),
        cause=st.sampled_from(["rule", "quota"]),
        status=st.just(200),
        account=st.none() | names,
        rule=st.none() | names,
        points=st.integers(0, 3),
        points_expire=st.floats(0, 20),
        flags=st.lists(st.sampled_from(["a", "shadow:b"]), max_size=2).map(tuple),
    ),
    st.builds(CaseOpened, case=names, account=st.none() | names, rule=names),
    st.builds(ReviewQueued, item=names, rule=names),
    st.builds(Labelled, item=names, rule=names, violates=st.booleans(), by=st.sampled_from(["reviewer:x", "gold"])),
    st.builds(LadderStepped, account=names, points=st.integers(0, 9), do=names, until=st.none() | st.floats(0, 20)),
    st.builds(PolicyLoaded, policy=names, id=names, version=names, rules=st.just({})),
    st.builds(StageEnded, stage=names, seconds=st.just(1.0)),
)


def logged(*payloads: Payload) -> list[Entry]:
    return [Entry(seq, float(seq), "test/1", payload) for seq, payload in enumerate(payloads)]  # type: ignore[arg-type]


@given(st.lists(payloads, max_size=30), st.integers(0, 30))
def test_folding_in_pieces_equals_folding_in_one_go(said: list[Payload], cut: int) -> None:
    entries = logged(*said)
    assert fold(entries[cut:], fold(entries[:cut])) == fold(entries)


@given(st.lists(payloads, max_size=30), st.floats(0, 40))
def test_points_agree_with_a_slow_twin(said: list[Payload], now: float) -> None:
    state = fold(logged(*said))
    for id in ("a", "b", "c"):
        slow = 0
        for payload in said:
            if isinstance(payload, Decided) and payload.account == id and payload.points_expire > now:  # type: ignore[operator]
                slow += payload.points
        assert state.account(id).points(now) == slow


def block(account: str, rule: str, points: int = 0, expire: float | None = None) -> Decided:
    return Decided("r", "block", "rule", 400, account=account, rule=rule, points=points, points_expire=expire)


def test_points_expire_on_reading() -> None:
    state = fold(logged(block("a", "x", 2, 10.0), block("a", "x", 1, 20.0)))
    assert [state.account("a").points(now) for now in (9.0, 10.0, 19.0, 20.0)] == [3, 1, 1, 0]
    assert state.account("nobody").points(0.0) == 0


def test_counting_is_by_action_glob_and_window() -> None:
    state = fold(logged(block("a", "weapons.x"), block("a", "weapons.y", 1, 99.0), block("a", "hate"), block("b", "weapons.x")))
    events = state.account("a").events
    assert count(events, "block", "weapons.*", -1.0) == 2
    assert count(events, "block", "weapons.*", 0.0) == 1
    assert count(events, "block", "*", -1.0) == 3
    assert count(events, "strike", "*", -1.0) == 1
    assert count(events, "review", "*", -1.0) == 0


def test_a_shadow_flag_is_no_event_and_an_allowed_request_leaves_no_trace() -> None:
    allowed = Decided("r", "allow", "rule", 200, account="a")
    assert events_of(allowed, 1.0) == []
    assert [e.action for e in events_of(Decided("r", "allow", "rule", 200, account="a", flags=("shadow:x", "y")), 1.0)] == [
        "flag"
    ]
    assert fold(logged(allowed)) == State()


def test_a_revoked_key_stays_revoked_and_an_unknown_one_is_ignored() -> None:
    state = fold(logged(KeyIssued("k", "fl_1", "a", "public"), KeyRevoked("k", "lost"), KeyRevoked("other", "lost")))
    assert state.keys["k"].revoked
    assert set(state.keys) == {"k"}


def test_a_step_holds_until_its_time_and_not_while_it_waits_for_approval() -> None:
    state = fold(
        logged(
            LadderStepped("a", 6, "throttle", until=10.0),
            LadderStepped("a", 12, "suspend", until=10.0, waits_for="human"),
            LadderStepped("a", 20, "ban"),
        )
    )
    assert state.account("a").in_force(9.0) == ("throttle", "ban")
    assert state.account("a").in_force(10.0) == ("ban",)


def test_an_item_leaves_the_queue_when_a_reviewer_has_labelled_each_of_its_rules() -> None:
    queued = [ReviewQueued("i", "x"), ReviewQueued("i", "y")]
    assert fold(logged(*queued)).queue == {"i": ("x", "y")}
    assert fold(logged(*queued, Labelled("i", "x", True, "finding"))).queue == {"i": ("x", "y")}
    assert fold(logged(*queued, Labelled("i", "x", True, "reviewer:r"))).queue == {"i": ("y",)}
    assert fold(logged(*queued, Labelled("i", "x", True, "reviewer:r"), Labelled("i", "y", True, "reviewer:r"))).queue == {}


def test_cases_are_found_by_rule_and_age() -> None:
    state = fold(logged(CaseOpened("c1", "a", "x"), CaseOpened("c2", "b", "x"), CaseOpened("c3", "a", "y")))
    assert [case.account for case in state.cases_since("x", 0.0)] == ["b"]
