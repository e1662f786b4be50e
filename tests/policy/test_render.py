"""Each reader gets a rule in their own words; the words are kept as golden files."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairlead.policy import render
from fairlead.policy.core import CORE
from fairlead.policy.document import Rule
from fairlead.policy.load import load

GOLDEN = Path(__file__).parent / "golden"
POLICY = load(GOLDEN / "policy.yaml")
READERS = {
    "model": render.spec,
    "judge": render.guard_prompt,
    "reviewer": render.reviewer_page,
    "user": render.notice,
    "red-team": render.objective,
    "care": render.care,
}


@pytest.mark.parametrize("reader", READERS)
def test_the_words_for_a_reader_are_those_of_the_golden_file(reader: str) -> None:
    assert READERS[reader](POLICY.rule("locks.picking")) == (GOLDEN / f"{reader}.txt").read_text(encoding="utf-8").rstrip("\n")


def test_the_constitution_is_that_of_the_golden_file() -> None:
    text = render.constitution(POLICY)
    assert text == (GOLDEN / "constitution.txt").read_text(encoding="utf-8").rstrip("\n")
    assert text.index("gossip") < text.index("locks.picking"), "the higher authority stands first"
    assert "tried" not in text


def test_a_rule_that_says_little_is_rendered_for_everybody() -> None:
    for rule in POLICY.rules:
        for words in READERS.values():
            assert words(rule).strip()


@pytest.mark.parametrize("rule", [rule for rule in load(CORE).rules if rule.detect], ids=lambda rule: rule.id)
def test_nobody_reads_what_they_will_be_measured_on(rule: Rule) -> None:
    kept = [example.text for example in rule.examples if example.split != "train"]
    shown = [example.text for example in rule.examples if example.split == "train"]
    for words in READERS.values():
        assert [text for text in kept if text in words(rule)] == []
    # The positive control: what belongs to training is shown to those who learn from it.
    for words in (render.guard_prompt, render.reviewer_page, render.objective):
        assert all(text in words(rule) for text in shown)
