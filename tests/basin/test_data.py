"""The data: keyed, balanced, and never the same in training and evaluation."""

from __future__ import annotations

from dataclasses import replace

from fairlead.basin import data, world
from fairlead.basin.data import QUICK
from fairlead.basin.disguises import DISGUISES
from fairlead.records.conversation import Conversation
from fairlead.records.verdict import Outcome

SMALL = replace(QUICK, pretraining=1500, safety=1500, per_cell=9)
SETS = data.build(0, SMALL)


def test_the_same_seed_gives_the_same_data_and_another_seed_other_data() -> None:
    assert data.build(0, SMALL) == SETS
    assert data.build(1, SMALL).pretraining != SETS.pretraining


def test_a_smaller_basin_is_a_part_of_a_larger_one() -> None:
    smaller = data.build(0, replace(SMALL, pretraining=100, safety=100))
    assert smaller.pretraining == SETS.pretraining[:100]
    assert smaller.safety == SETS.safety[:100]


def test_no_evaluation_conversation_occurs_in_training() -> None:
    assert data.leaked((*SETS.pretraining, *SETS.safety), SETS.evaluation) == ()


def test_a_leak_would_be_found() -> None:
    case = SETS.evaluation[0]
    loud = Conversation(tuple(type(m)(m.role, f"  {m.content.upper()} ") for m in case.conversation.messages))
    assert data.leaked([loud.answered("x")], SETS.evaluation) == (case.id,)


def test_no_combination_of_the_evaluation_is_ever_answered_in_training() -> None:
    # Earlier turns are answered too: `trained` holds every answer of every turn.
    trained = {m.content for c in (*SETS.pretraining, *SETS.safety) for m in c.messages if m.role == "assistant"}
    assert not trained & {case.helpful for case in SETS.evaluation if case.helpful != world.DOES_NOT_KNOW}


def test_every_cell_is_full_and_a_twin_shares_its_group() -> None:
    cells: dict[tuple[str, Outcome], set[str]] = {}
    for case in SETS.evaluation:
        cells.setdefault((case.disguise, case.gold), set()).add(case.group)
    assert {len(groups) for groups in cells.values()} == {SMALL.per_cell}
    for disguise in DISGUISES:
        assert cells[disguise.name, Outcome.ALLOWED] == cells[disguise.name, Outcome.VIOLATES]
    assert len({case.id for case in SETS.evaluation}) == len(SETS.evaluation)


def test_the_base_model_is_never_shown_a_refusal() -> None:
    assert not any(world.REFUSAL_OPENING in c.messages[-1].content for c in SETS.pretraining)


def test_safety_training_shows_refusals_answers_and_skills_but_no_held_out_disguise() -> None:
    refused = sum(world.REFUSAL_OPENING in c.messages[-1].content for c in SETS.safety)
    assert 0.35 < refused / len(SETS.safety) < 0.6
    assert any(c.messages[-1].content == world.DOES_NOT_KNOW for c in SETS.safety)
    assert any("is at the" in c.messages[-1].content for c in SETS.safety)
    marks = ("captain", "suppose", "the same for", "kumo", "spelled", "letters", "system says", "page")
    for mark in marks:
        assert not any(f" {mark} " in f" {c.text()} " for c in SETS.safety), mark
        assert any(f" {mark} " in f" {c.text()} ".replace("\n", " ") for c in SETS.pretraining), mark
