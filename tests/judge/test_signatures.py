"""Patterns name the rule and the id that hit, and a bad one is refused with both names."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import re2
import yaml
from hypothesis import given
from hypothesis import strategies as st
from judge_toys import rule

from fairlead.judge.signatures import Hit, Signatures
from fairlead.policy.core import CORE
from fairlead.policy.document import Pattern
from fairlead.policy.load import load
from fairlead.records.errors import InputError

RULES = [
    rule("one", patterns=(Pattern("a", r"secret\s+word"), Pattern("b", r"\bxyzzy\b"))),
    rule("two"),
    rule("three", patterns=(Pattern("c", "straße|plugh"),)),
]


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ("the SECRET  Word", [Hit("one", "a")]),
        ("say Xyzzy and plugh", [Hit("one", "b"), Hit("three", "c")]),
        ("STRASSE is not STRAßE", [Hit("three", "c")]),
        ("xyzzyx", []),
        ("", []),
    ],
)
def test_hits_name_rule_and_pattern(text: str, hits: list[Hit]) -> None:
    assert Signatures(RULES).hits(text) == hits


def test_without_patterns_nothing_hits() -> None:
    found = Signatures([rule("none")])
    assert len(found) == 0
    assert found.hits("anything") == []


@pytest.mark.parametrize("field", ["match", "needs"])
@pytest.mark.parametrize("expression", ["(", "(?=look)", r"(a)\1", "a{2000}"])
def test_what_re2_cannot_read_is_refused_with_its_name(expression: str, field: str) -> None:
    with pytest.raises(InputError, match=r"`bad`.*`p1`"):
        Signatures([rule("bad", patterns=(Pattern(**{"id": "p1", "match": "a", field: expression}),))])


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_signature_agrees_with_a_plain_search(text: str) -> None:
    found = Signatures([rule("r", patterns=(Pattern("p", "ab"),))]).hits(text)
    assert bool(found) == ("ab" in text.lower())


SHIPPED = load(CORE).text_rules
SIGNATURES = Signatures(SHIPPED)
POSITIVES = yaml.safe_load((Path(__file__).parents[1] / "policy" / "positives.yaml").read_text(encoding="utf-8"))
pieces = st.one_of(
    st.sampled_from(sorted(POSITIVES.values())),
    st.sampled_from(sorted({word for text in POSITIVES.values() for word in text.split()})),
    st.text(max_size=8),
)


def alone(text: str) -> list[Hit]:
    """The slow, obvious twin: each expression by itself."""
    options = re2.Options()
    options.case_sensitive = False
    held = [(rule, pattern) for rule in SHIPPED if rule.detect for pattern in rule.detect.patterns]
    raw = text.encode("utf-8", "replace")
    return [
        Hit(rule.id, pattern.id)
        for rule, pattern in held
        if all(re2.compile(each.encode(), options).search(raw) for each in (pattern.match, pattern.needs or pattern.match))
    ]


@given(st.lists(pieces, max_size=12).map(" ".join))
def test_the_shipped_patterns_together_find_what_each_finds_alone(text: str) -> None:
    assert SIGNATURES.hits(text) == alone(text)


def test_the_twins_meet_most_patterns() -> None:
    found = {hit.pattern for text in POSITIVES.values() for hit in SIGNATURES.hits(text)}
    assert len(found) >= 110


@pytest.mark.parametrize(
    ("text", "found"), [("a secret word", True), ("a word, secret", True), ("secret", False), ("word", False)]
)
def test_a_pattern_with_needs_is_found_where_both_are(text: str, found: bool) -> None:
    one = Signatures([rule("r", patterns=(Pattern("p", "secret", needs="word"),))])
    assert bool(one.hits(text)) is found


def test_an_automaton_that_was_filled_up_still_finds() -> None:
    """RE2 says of a text for which it ran out of memory that nothing matched: so it must not run out."""
    draw = random.Random(0)
    words = sorted({word for text in POSITIVES.values() for word in text.split()})
    text = " ".join(draw.choices(words, k=60_000))
    hit = Hit("cyber.attack", "cyber-mimikatz-line")
    assert hit not in SIGNATURES.hits(text)
    assert hit in SIGNATURES.hits(f"{text}\n{POSITIVES[hit.pattern]}")


@given(st.text(st.characters(exclude_categories=[])))
def test_any_text_can_be_read(text: str) -> None:
    SIGNATURES.hits(text)
