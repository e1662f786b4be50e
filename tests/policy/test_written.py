"""A rule that is written out is the rule that was read; put into a file it changes that rule and no other line's meaning."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.policy.core import CORE
from fairlead.policy.document import Detect, Policy, Rule, RuleExample
from fairlead.policy.load import load, parse
from fairlead.policy.written import parse_rule, replaced, rule_diff, rule_yaml, with_rule
from fairlead.records.errors import InputError, PolicyError

POLICY = """\
schema: 1
id: test
version: "1"
tiers: [low, high]
# about goblins
rules:
  - id: goblins  # the first
    definition: Asks for goblins.
    detect: {signal: harm.goblins, review: 0.5, block: 0.8}
    act: {low: [block], high: [flag]}

  # and the other
  - {id: comets, definition: Asks for comets., detect: {signal: harm.comets, review: 0.5, block: 0.8}, act: {low: [block]}}
  - definition: Asks for sorrow.
    detect: {signal: harm.sorrow, review: 0.5, block: 0.8}
    id: sorrow
    act: {low: [block]}
# the end
ladder:
  - {at: 3, do: warn}
"""


@pytest.fixture(scope="module")
def core() -> Policy:
    return load(CORE)


def test_every_rule_of_the_default_policy_is_read_back(core: Policy) -> None:
    for rule in core.rules:
        if rule.detect is not None:
            assert parse_rule(rule_yaml(rule), core.tiers, name="x") == rule


words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40)


@given(words, st.lists(words, max_size=3), st.lists(words, max_size=3), st.dictionaries(words, words, max_size=2))
def test_any_words_are_read_back(definition: str, exceptions: list[str], texts: list[str], terms: dict[str, str]) -> None:
    rule = Rule(
        id="r",
        act=parse(POLICY).rules[0].act,
        definition=definition,
        exceptions=tuple(exceptions),
        terms=terms,
        examples=tuple(RuleExample(f"e{n}", text, "violates", "why", "train") for n, text in enumerate(texts)),
        detect=Detect("harm.r", 0.5, 0.8),
    )
    if not definition.split():
        return
    assert parse_rule(rule_yaml(rule), ("low", "high"), name="x") == rule


def changed(rule: Rule) -> Rule:
    assert rule.detect is not None
    detect = msgspec.structs.replace(rule.detect, review=rule.detect.review - 0.1)
    return msgspec.structs.replace(rule, definition=rule.definition + " Or: #elves, 'too'.", detect=detect)


def test_a_rule_of_the_default_policy_is_replaced_where_it_stands(core: Policy) -> None:
    text = CORE.read_text(encoding="utf-8")
    for rule in core.rules:
        if rule.detect is not None:
            new = changed(rule)
            written = with_rule(text, new, file=str(CORE))
            assert parse(written, file=str(CORE)) == replaced(core, new)
    assert with_rule(text, changed(core.rules[0]), file=str(CORE)).startswith(text[: text.index("- id: hate.incitement")])


@pytest.mark.parametrize("id", ["goblins", "sorrow"])
def test_what_stands_around_a_rule_stays(id: str) -> None:
    policy = parse(POLICY)
    written = with_rule(POLICY, changed(policy.rule(id)), file="p.yaml")
    assert parse(written) == replaced(policy, changed(policy.rule(id)))
    for line in ("# about goblins", "  # and the other", "# the end"):
        assert line in written.splitlines()
    other = "goblins" if id == "sorrow" else "sorrow"
    assert f"definition: Asks for {other}." in written


def test_a_rule_that_has_no_lines_of_its_own_is_not_replaced() -> None:
    policy = parse(POLICY)
    with pytest.raises(InputError, match="has no rule 'comets' of its own"):
        with_rule(POLICY, changed(policy.rule("comets")), file="p.yaml")
    elves = msgspec.structs.replace(policy.rules[0], id="elves")
    with pytest.raises(InputError, match="has no rule 'elves' of its own"):
        with_rule(POLICY, elves, file="p.yaml")


def test_a_file_that_would_be_wrong_is_not_written() -> None:
    rule = parse(POLICY).rules[0]
    twice = tuple(RuleExample("e", text, "violates", "why", "train") for text in "ab")
    with pytest.raises(InputError, match="the file would be wrong"):
        with_rule(POLICY, msgspec.structs.replace(rule, examples=twice), file="p.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "rule:1: "),
        ("- a", "rule:1: "),
        ("id: x\nid: y", "rule:2: key 'id' stands twice"),
        ("id: &a x\ndefinition: *a", "rule:2: `[*]aliases` are not read"),
        ("id: x\nact: {low: [block]}\ndefinition: d\ndetect: {signal: harm.x, review: 0.9, block: 0.1}", "rule:4: thresholds"),
        ("id: x\nsevrity: high\nact: {low: [block]}", "rule:2: unknown key 'sevrity'; did you mean 'severity'"),
        ("id: !!python/object/apply:os.system [ls]\nact: {low: [block]}", "rule:1: "),
        (
            "id: x\nact: {nobody: [block]}\ndefinition: d\ndetect: {signal: harm.x, review: 0.5, block: 0.8}",
            "unknown tier 'nobody'",
        ),
        ("[" * 200, "rule: is nested more than"),
        ("id: x\n---\nid: y", "rule:"),
    ],
)
def test_what_is_no_rule_is_refused_with_its_own_line(text: str, message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        parse_rule(text, ("low", "high"), name="rule")


@pytest.mark.parametrize("text", ["id: x\n  - id: y", "id: x\nrules: []", "id: x\n\tact: 1", "id: x\n}\nrules:\n  - id: y"])
def test_nothing_breaks_out_of_the_place_of_the_rule(text: str) -> None:
    with pytest.raises(PolicyError):
        parse_rule(text, ("low", "high"), name="rule")


def test_a_diff_shows_what_changed_and_nothing_else() -> None:
    rule = parse(POLICY).rules[0]
    assert rule_diff(rule, rule) == ""
    lines = rule_diff(rule, changed(rule)).splitlines()
    assert [line for line in lines if line.startswith("-")] == ["--- now", "-definition: Asks for goblins.", "-  review: 0.5"]
