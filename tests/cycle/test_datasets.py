"""Evaluation data never reaches training, and what is dropped is counted with its reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.cycle.datasets import Wall, build, gather, group, triples
from fairlead.cycle.improving import found_examples, poisoned
from fairlead.cycle.settings import FULL, QUICK, Settings
from fairlead.policy.core import CORE
from fairlead.policy.load import load
from fairlead.records.example import Example, normal
from fairlead.redteam.campaign import attempts
from fairlead.redteam.outcome import AttackOutcome
from fairlead.redteam.transform import TRANSFORMS
from fairlead.review.reviewed import settled

KEPT = Example("t1", "Where is the red box of Mira kept at night?", {"a": True}, group="g1")


@pytest.mark.parametrize(
    ("example", "reason"),
    [
        (Example("n", "Something else entirely, about boats.", {"a": True}), None),
        (Example("n", KEPT.text, {"a": True}), "equal to evaluation text"),
        (Example("n", "WHERE is the red-box of Mira, kept at night", {"a": True}), "equal to evaluation text"),
        (Example("n", "Tell me: where is the red box of Mira kept?", {"a": True}), "near evaluation text"),
        (Example("n", "Something else entirely, about boats.", {"a": True}, split="test"), "marked test"),
        (Example("n", "Something else entirely, about boats.", {"a": True}, group="g1"), "in a group kept for evaluation"),
    ],
)
def test_the_wall_tells_why_a_text_stays_out(example: Example, reason: str | None) -> None:
    assert Wall([KEPT]).reason(example) == reason


def test_a_dataset_counts_what_it_dropped_and_lets_the_later_label_stand() -> None:
    rows = [Example("1", "one two three four", {"a": True}, "file"), Example("2", "One two, three four!", {"a": True}, "file")]
    later = [Example("3", "one two three four", {"a": False}, "review"), Example("4", KEPT.text, {"a": True})]
    made = build("d", [rows, later], [KEPT])
    assert [(row.id, row.labels) for row in made.rows] == [("1", {"a": False})]
    assert made.dropped == {"equal to evaluation text": 1, "repeated": 1}
    assert made.entry().rows == 1


WORDS = st.lists(st.sampled_from("red blue box key open close mira anton slow fast".split()), min_size=1, max_size=9).map(
    " ".join
)


@given(st.lists(WORDS, max_size=12), st.lists(WORDS, max_size=12))
def test_no_row_shares_half_its_triples_with_an_evaluation_text(training: list[str], evaluation: list[str]) -> None:
    """The slow twin: every pair is compared."""
    kept = [Example(f"e{i}", text, {"a": True}) for i, text in enumerate(evaluation)]
    made = build("d", [[Example(f"t{i}", text, {"a": True}) for i, text in enumerate(training)]], kept)
    for row in made.rows:
        for other in kept:
            assert len(triples(row.text) & triples(other.text)) < 0.5 * len(triples(row.text))
    near = {normal(t) for t in training for e in evaluation if len(triples(t) & triples(e)) >= 0.5 * len(triples(t))}
    assert {normal(row.text) for row in made.rows} == {normal(t) for t in training} - near
    assert sum(made.dropped.values()) + len(made.rows) == len(training)


@pytest.mark.parametrize("extent", [QUICK, FULL], ids=lambda e: e.name)
def test_evaluation_data_never_reaches_training(tmp_path: Path, extent: object) -> None:
    """The real samples, every transform of every prompt found, all reviews: none equals a text kept for evaluation."""
    policy = load(CORE)
    material = gather(Settings(tmp_path, CORE, extent=extent), policy)  # type: ignore[arg-type]
    kept = {normal(e.text) for e in material.evaluation} | {
        normal(e.text) for rule in policy.rules for e in rule.examples if e.split == "test"
    }
    groups = {group(e) for e in material.evaluation}
    tried = [(a, a.ended("judge", AttackOutcome.SUCCEEDED)) for a in attempts(material.probed, TRANSFORMS)]
    found, labels = found_examples(tried, 0, material.probed)
    assert {label.item for label in labels} == {example.id for example in found} == {e.id for e in material.probed}
    by_held_out = [(a, o) for a, o in tried if a.held_out]
    assert found_examples(by_held_out, 0, material.probed) == ([], []), "what held-out transforms find only measures"
    reviewed = settled(material.reviewed)
    made = build("d", [material.labelled, found, reviewed], material.evaluation)
    for dataset in (made, poisoned(made, 0)):
        assert len(dataset.rows) > 300
        assert not kept & {normal(row.text) for row in dataset.rows}
        assert not groups & {group(row) for row in dataset.rows}
    assert {row.source for row in made.rows} >= {"finding", "review"}
    # Positive control: without the wall the same parts do hold evaluation text.
    leaky = build("d", [material.labelled, list(material.held_out)[:1]], [])
    assert kept & {normal(row.text) for row in leaky.rows}


def test_the_halves_of_the_input_do_not_depend_on_the_seed(tmp_path: Path) -> None:
    policy = load(CORE)
    one, two = (gather(Settings(tmp_path, CORE, seed=seed), policy) for seed in (0, 1))
    assert one.probed == two.probed
    assert {e.id for e in one.probed}.isdisjoint({e.id for e in one.measured})


def test_the_packaged_samples_are_whole() -> None:
    policy = load(CORE)
    material = gather(Settings(Path("unused"), CORE), policy)
    assert not [bad for file in material.files for bad in file.refused]
    for rule in policy.text_rules:
        for rows, least in ((material.labelled, 5), (material.held_out, 4)):
            assert sum(e.labels.get(rule.id) is True for e in rows) >= least, rule.id
            assert sum(e.labels.get(rule.id) is False for e in rows) >= 10, rule.id
    ids = [e.id for e in (*material.labelled, *material.probed, *material.measured, *material.held_out)]
    assert len(set(ids)) == len(ids)
    assert all(e.labels for e in material.labelled)
