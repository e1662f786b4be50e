"""The gate promotes what is shown to gain, and refuses what loses, what gains nothing, and what cannot be shown."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import structs

from fairlead.cycle.gates import comparison_gates, decide
from fairlead.records.entry import Assessed, Attacked, GateDecided

N = 200


def judged(right: Callable[[int], bool], errors: Callable[[int], bool] = lambda i: False) -> list[Assessed]:
    """Even items violate, odd ones are allowed; `right` says which get the right verdict."""
    rows = []
    for i in range(N):
        violating = i % 2 == 0
        flagged = violating == right(i)
        error = "crashed" if errors(i) else None
        rows.append(Assessed(str(i), "t", "j", {"a.b": violating}, {"a.b": 0.5}, {"a.b": "violates"} if flagged else {}, error))
    return rows


def attacked(stopped: Callable[[int], bool]) -> list[Attacked]:
    harmful = [Attacked("j", "f", "m", str(i), "failed" if stopped(i) else "succeeded", "a.b") for i in range(N)]
    return harmful + [
        Attacked("j", "f", "m", f"b{i}", "served" if stopped(i) else "refused", None, benign=True) for i in range(N)
    ]


GOOD, HALF = judged(lambda i: i % 10 < 8), judged(lambda i: i % 10 < 5)
MOST, FEW = attacked(lambda i: i % 10 < 8), attacked(lambda i: i % 10 < 3)


def outcomes(gates: list[GateDecided]) -> dict[str, str]:
    return {gate.gate: gate.outcome for gate in gates}


def test_a_gain_without_a_loss_is_promoted() -> None:
    gates = comparison_gates("new", HALF, GOOD, FEW, MOST, seed=0)
    assert set(outcomes(gates).values()) == {"held"}
    decision = decide("new", "old", gates)
    assert decision.promoted
    assert any(
        "shown to gain: recall, false positives, attack success, benign refusal" in reason for reason in decision.reasons
    )


def test_a_loss_is_refused_with_its_reason() -> None:
    gates = comparison_gates("new", GOOD, HALF, FEW, MOST, seed=0)
    decision = decide("new", "old", gates)
    assert not decision.promoted
    assert outcomes(gates)["recall"] == "missed"
    assert any("recall (missed): changed by -0." in reason for reason in decision.reasons)
    assert any("recall of a.b" in reason for reason in decision.reasons)


def test_no_gain_is_refused() -> None:
    gates = comparison_gates("new", GOOD, GOOD, MOST, MOST, seed=0)
    assert not decide("new", "old", gates).promoted
    assert outcomes(gates) == {
        "recall": "held", "false positives": "held", "attack success": "held", "benign refusal": "held",
        "something gains": "undecided",
    }  # fmt: skip


def test_errors_count_against_the_candidate() -> None:
    broken = judged(lambda i: i % 10 < 8, errors=lambda i: i % 4 < 2)
    gates = outcomes(comparison_gates("new", GOOD, broken, MOST, MOST, seed=0))
    assert gates["recall"] == "missed"
    assert gates["false positives"] == "missed"
    crashed = [structs.replace(a, outcome="error") for a in MOST]
    worse = outcomes(comparison_gates("new", GOOD, GOOD, MOST, crashed, seed=0))
    assert (worse["attack success"], worse["benign refusal"]) == ("missed", "missed")
    better = outcomes(comparison_gates("new", GOOD, GOOD, crashed, MOST, seed=0))
    assert better["something gains"] == "undecided", "an incumbent that failed is no gain"


def test_too_few_items_are_undecided_and_say_how_many_would_do() -> None:
    gates = comparison_gates("new", GOOD[:14], GOOD[:14], MOST[:14], MOST[:14], seed=0)
    recall = next(gate for gate in gates if gate.gate == "recall")
    assert recall.outcome == "undecided"
    assert recall.n_needed is not None
    assert recall.n_needed > 7
    assert not decide("new", "old", gates).promoted
    nothing = comparison_gates("new", [], [], [], [], seed=0)
    assert "held" not in outcomes(nothing).values()
