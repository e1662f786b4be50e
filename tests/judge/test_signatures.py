"""Patterns name the rule and the id that hit, and a bad one is refused with both names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judge_toys import rule

from fairlead.judge.signatures import Hit, Signatures
from fairlead.policy.document import Pattern
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


@pytest.mark.parametrize("expression", ["(", "(?=look)", r"(a)\1", "a{2000}"])
def test_what_re2_cannot_read_is_refused_with_its_name(expression: str) -> None:
    with pytest.raises(InputError, match=r"`bad`.*`p1`"):
        Signatures([rule("bad", patterns=(Pattern("p1", expression),))])


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_signature_agrees_with_a_plain_search(text: str) -> None:
    found = Signatures([rule("r", patterns=(Pattern("p", "ab"),))]).hits(text)
    assert bool(found) == ("ab" in text.lower())
