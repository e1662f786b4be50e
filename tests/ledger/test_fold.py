"""The state is what the entries add up to, whenever they are read and in however many pieces."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.ledger.fold import State, events_of, fold
from fairlead.ledger.rows import KINDS, VERSION, Memory, Run
from fairlead.records.canonical import digest
from fairlead.records.entry import (
    AccountErased,
    CaseOpened,
    DatasetBuilt,
    Decided,
    Entry,
    KeyIssued,
    KeyRevoked,
    Labelled,
    LadderStepped,
    ModelMade,
    Payload,
    PolicyLoaded,
    PromotionDecided,
    Reversed,
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
        points_expire=st.none() | st.floats(0, 20),
        flags=st.lists(st.sampled_from(["a", "shadow:b"]), max_size=2).map(tuple),
    ),
    st.builds(CaseOpened, case=names, account=st.none() | names, rule=names),
    st.builds(ReviewQueued, item=names, rule=names),
    st.builds(Labelled, item=names, rule=names, violates=st.booleans(), by=st.sampled_from(["reviewer:x", "gold"])),
    st.builds(
        LadderStepped,
        account=names,
        points=st.integers(0, 9),
        do=names,
        until=st.none() | st.floats(0, 20),
        at=st.integers(0, 9),
    ),
    st.builds(PolicyLoaded, policy=names, id=names, version=names, rules=st.just({})),
    st.builds(Reversed, seq=st.integers(0, 30), by=names, reason=names, account=st.none() | names, item=st.none() | names),
    st.builds(ModelMade, name=names, role=names, digest=names, data=names),
    st.builds(DatasetBuilt, name=names, digest=names, rows=st.just(1), accounts=st.lists(names, max_size=2).map(tuple)),
    st.builds(PromotionDecided, candidate=names, incumbent=names, promoted=st.booleans(), reasons=st.just(())),
    st.builds(
        AccountErased,
        account=names,
        by=names,
        datasets=st.lists(names, max_size=2).map(tuple),
        models=st.lists(names, max_size=2).map(tuple),
    ),
    st.builds(StageEnded, stage=names, seconds=st.just(1.0)),
)


def logged(*payloads: Payload) -> list[Entry]:
    return [Entry(seq, float(seq), "test/1", payload) for seq, payload in enumerate(payloads)]  # type: ignore[arg-type]


def dumped(state: State) -> tuple[object, ...]:
    assert isinstance(state.rows, Memory)
    history = {account: sorted(events) for account, events in state.rows.history.items() if events}
    return [list(state.rows.each(kind)) for kind in KINDS.values()], history


@given(st.lists(payloads, max_size=30), st.integers(0, 30))
def test_folding_in_pieces_equals_folding_in_one_go(said: list[Payload], cut: int) -> None:
    entries = logged(*said)
    assert dumped(fold(entries[cut:], fold(entries[:cut]))) == dumped(fold(entries))


def slow_points(said: Sequence[Payload], id: str, now: float) -> int:
    gone = {(p.seq, p.account): seq for seq, p in enumerate(said) if isinstance(p, Reversed)}
    slow = 0
    for seq, payload in enumerate(said):
        if isinstance(payload, Decided) and payload.account == id:
            counts = payload.points_expire is None or payload.points_expire > now
            slow += payload.points if counts and gone.get((seq, id), -1) < seq else 0
    return slow


def block(account: str, rule: str, points: int = 0, expire: float | None = None) -> Decided:
    return Decided("r", "block", "rule", 400, account=account, rule=rule, points=points, points_expire=expire)


#: So many points and reversals for two accounts that short runs are filled.
strikes = st.lists(
    st.builds(block, names, names, st.integers(1, 3), st.none() | st.integers(0, 40).map(float))
    | st.builds(Reversed, seq=st.integers(0, 30), by=names, reason=names, account=names),
    max_size=40,
)


@given(st.lists(payloads, max_size=30) | strikes, st.floats(0, 40) | st.integers(0, 40).map(float), st.integers(1, 5))
def test_points_agree_with_a_slow_twin(said: list[Payload], now: float, together: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fairlead.ledger.fold._TOGETHER", together)
        state = fold(logged(*said))
    assert [state.points(id, now) for id in "abc"] == [slow_points(said, id, now) for id in "abc"]


def test_the_history_is_asked_for_points_only_where_some_have_expired_and_some_have_not() -> None:
    asked = []

    class Asked(Memory):
        def unexpired(self, account: str, run: Run, now: float) -> int:
            asked.append(run)
            return super().unexpired(account, run, now)

    n = 1_000
    state = fold(logged(*[block("a", "x", 1, 100.0 + i) for i in range(n)]), State(Asked()))
    assert len(state.account("a").strikes) == 5, "an account with many strikes is not a long row"
    assert [state.points("a", now) for now in (0.0, 99.0, 2_000.0)] == [n, n, 0]
    assert state.points("nobody", 0.0) == 0
    assert asked == []
    assert state.points("a", 100.0 + 250) == n - 251
    assert [(run.n, run.first, run.last) for run in asked] == [(200, 200, 399)]


def test_sums_of_strikes_that_expired_long_ago_are_let_go() -> None:
    year, last = 365 * 86_400.0, Entry(200, 2 * 365 * 86_400.0, "test/1", block("a", "x", 1, 3 * 365 * 86_400.0))
    state = fold([*logged(*[block("a", "x", 1, year)] * 200), last])
    assert [run.first for run in state.account("a").strikes] == [0, 200]
    later = Entry(201, 3 * year, "test/1", block("a", "x", 1, 4 * year))
    assert [run.first for run in fold([later], state).account("a").strikes] == [200]
    assert state.points("a", 2 * year) == 2
    assert state.count("a", "strike", "*", -1.0) == 202, "the history keeps them"


def test_points_expire_on_reading() -> None:
    state = fold(logged(block("a", "x", 2, 10.0), block("a", "x", 1, 20.0)))
    assert [state.points("a", now) for now in (9.0, 10.0, 19.0, 20.0)] == [3, 1, 1, 0]
    assert state.points("nobody", 0.0) == 0


def test_counting_is_by_action_glob_and_window() -> None:
    state = fold(logged(block("a", "weapons.x"), block("a", "weapons.y", 1, 99.0), block("a", "hate"), block("b", "weapons.x")))
    assert state.count("a", "block", "weapons.*", -1.0) == 2
    assert state.count("a", "block", "weapons.*", 0.0) == 1
    assert state.count("a", "block", "*", -1.0) == 3
    assert state.count("a", "strike", "*", -1.0) == 1
    assert state.count("a", "review", "*", -1.0) == 0
    assert state.count("nobody", "block", "*", -1.0) == 0


def test_a_shadow_flag_is_no_event_and_an_allowed_request_leaves_no_trace() -> None:
    allowed = Decided("r", "allow", "rule", 200, account="a")
    assert events_of(allowed, 1.0) == []
    assert [e.action for e in events_of(Decided("r", "allow", "rule", 200, account="a", flags=("shadow:x", "y")), 1.0)] == [
        "flag"
    ]
    assert dumped(fold(logged(allowed))) == dumped(State())


def test_a_revoked_key_stays_revoked_and_an_unknown_one_is_ignored() -> None:
    state = fold(logged(KeyIssued("k", "fl_1", "a", "public"), KeyRevoked("k", "lost"), KeyRevoked("other", "lost")))
    known = state.key("k")
    assert known is not None
    assert known.revoked
    assert state.key("other") is None


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
    assert fold(logged(*queued)).waiting() == {"i": ("x", "y")}
    assert fold(logged(*queued, Labelled("i", "x", True, "finding"))).waiting() == {"i": ("x", "y")}
    assert fold(logged(*queued, Labelled("i", "x", True, "reviewer:r"))).waiting() == {"i": ("y",)}
    both = [Labelled("i", "x", True, "reviewer:r"), Labelled("i", "y", True, "reviewer:r")]
    assert fold(logged(*queued, *both)).waiting() == {}


def test_cases_are_found_by_rule_and_age() -> None:
    state = fold(logged(CaseOpened("c1", "a", "x"), CaseOpened("c2", "b", "x"), CaseOpened("c3", "a", "y")))
    assert state.cases_since("x", 0.0) == 1
    assert state.cases_since("x", -1.0) == 2
    assert state.cases_since("x", -1.0, "b") == 1
    assert state.cases_since("z", -1.0) == 0


def test_a_reversal_takes_back_points_events_and_the_steps_that_they_led_to() -> None:
    steps = [LadderStepped("a", 3, "warn", at=3), LadderStepped("a", 6, "throttle", at=6)]
    history = [block("a", "x", 3, 99.0), steps[0], block("a", "y", 3, 99.0), steps[1]]
    state = fold(logged(*history, Reversed(0, "reviewer:r", "appeal", account="a")))
    assert state.points("a", 0.0) == 3
    assert state.count("a", "block", "*", -1.0) == 1
    assert state.account("a").in_force(0.0) == (), "3 points are below 6, and 0 were below 3 when it warned"
    again = fold(logged(*history, Reversed(2, "reviewer:r", "appeal", account="a")))
    assert again.account("a").in_force(0.0) == ("warn",)


def test_a_label_that_was_taken_back_leaves_the_one_before_it() -> None:
    given = [Labelled("i", "x", True, "finding"), Labelled("i", "x", False, "reviewer:r"), Reversed(1, "r", "slip", item="i")]
    labels = fold(logged(*given)).rows.get(KINDS["labels"], "i")
    assert [(label.violates, label.by) for label in labels.given] == [(True, "finding")]  # type: ignore[union-attr]


def test_erasing_an_account_marks_what_was_built_from_it() -> None:
    made = [DatasetBuilt("d", "d1", 3, accounts=("a",)), ModelMade("m", "heads", "m1", data="d1")]
    state = fold(logged(*made, AccountErased("a", "r", datasets=("d1",), models=("m1",))))
    assert state.erased("a")
    assert state.rows.get(KINDS["dataset"], "d1").stale  # type: ignore[union-attr]
    assert state.rows.get(KINDS["model"], "m1").stale  # type: ignore[union-attr]


def test_the_generator_reaches_every_kind_of_row() -> None:
    reached = set()

    @given(st.lists(payloads, max_size=30))
    def collect(said: list[Payload]) -> None:
        reached.update(kind for kind in KINDS.values() for _ in fold(logged(*said)).rows.each(kind))

    collect()
    assert reached == set(KINDS.values())


def test_a_fold_that_keeps_something_else_has_another_version() -> None:
    """When this digest changes, raise `VERSION` in `ledger.rows`, so that stored rows are folded anew, and note both here."""
    history = [
        KeyIssued("k", "fl_1", "a", "public", 9.0),
        PolicyLoaded("p", "core", "1", {"x": "d"}),
        *[block("a", "x", 3, 99.0)] * 201,
        LadderStepped("a", 3, "warn", at=3),
        CaseOpened("c", "a", "x"),
        ReviewQueued("i", "x"),
        Labelled("i", "y", True, "reviewer:r"),
        ModelMade("m", "heads", "m1", data="d1"),
        DatasetBuilt("d", "d1", 3, accounts=("a",)),
    ]
    state = fold(logged(*history))
    assert isinstance(state.rows, Memory)
    kept = [(name, list(state.rows.each(kind))) for name, kind in KINDS.items()]
    assert (VERSION, digest((kept, state.rows.history))[:16]) == (3, "597c7f4d673d6726")
