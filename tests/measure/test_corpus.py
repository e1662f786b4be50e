"""The corpus is whole, and what is measured on is never trained on."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import pytest

from fairlead.measure.corpus import clean, corpus, evaluation, public, strangers
from fairlead.policy.core import CORE
from fairlead.policy.load import load
from fairlead.records.errors import InputError
from fairlead.records.example import Example

POLICY = load(CORE)
LONG = "the quick brown fox jumps over the lazy dog while seven grey cats watch from the old stone wall"


def test_each_rule_has_texts_of_both_sides_by_two_authors() -> None:
    found = corpus(POLICY)
    violating = Counter(rule for example in found for rule, label in example.labels.items() if label)
    few = {"weapons.uplift", "sexual.minors", "selfharm.encouragement"}
    for rule in POLICY.text_rules:
        assert violating[rule.id] >= (35 if rule.id in few else 200), rule.id
        authors = {example.source for example in found if example.labels.get(rule.id)}
        assert len(authors) >= 2, rule.id
    assert sum(not any(example.labels.values()) for example in found) > 4_000


def test_evaluation_texts_and_what_nearly_equals_them_never_reach_training() -> None:
    near = Example("1", LONG.replace("seven", "eight"), {"r": True}, "a")
    other = Example("2", "something else entirely about ships and ropes", {"r": False}, "a")
    assert clean([near, other], [LONG]) == [other]


def test_near_duplicates_with_equal_labels_are_kept_once_and_with_other_labels_both() -> None:
    one, again = Example("1", LONG, {"r": True}, "a"), Example("2", LONG.upper(), {"r": True}, "b")
    other = Example("3", LONG + "!", {"r": False}, "c")
    assert clean([one, again, other], []) == [one, other]


def test_the_policys_and_the_samples_held_out_texts_are_kept_apart() -> None:
    kept = set(evaluation(POLICY))
    assert all((e.text in kept) == (e.split != "train") for rule in POLICY.text_rules for e in rule.examples)
    assert len(kept) > 600
    texts = {example.text for example in clean(corpus(POLICY), evaluation(POLICY))}
    assert not texts & kept


def test_public_sets_are_drawn_evenly_and_a_folder_without_any_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"data\.toml"):
        public(tmp_path)
    rows = "".join(f"{i},post number {i},not sexist,none,none,train\n" for i in range(3_000))
    rows += "".join(f"s{i},other post {i},sexist,2. derogation,x,train\n" for i in range(5))
    path = tmp_path / "edos" / "a.csv.gz"
    path.parent.mkdir()
    path.write_bytes(gzip.compress(f"rewire_id,text,label_sexist,label_category,label_vector,split\n{rows}".encode()))
    found = public(tmp_path)
    assert len(found) == 2_505 and sum(example.labels["hate.incitement"] for example in found) == 5
    assert public(tmp_path) == found
    assert any("edos" not in line for line in strangers(tmp_path)), "sets that lack are named"
