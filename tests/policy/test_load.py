"""A policy file loads, or says the file, the line, what was wrong and the nearest right key."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.policy.load import load, parse
from fairlead.records.canonical import digest
from fairlead.records.errors import InputError, PolicyError

LEAK = (
    "    - {id: e1, text: a, verdict: violates, why: w, split: train, group: g}\n"
    "    - {id: e2, text: b, verdict: allowed, why: w, split: test, group: g}"
)
BASE = """schema: 1
id: t
version: "1"
tiers: [public, internal]
rules:
  - id: a.b
    definition: x
    terms: {anything: may stand here}
    detect: {signal: harm.a_b, review: 0.5, block: 0.8}
    act: {public: [block, strike(2)], internal: [flag]}
  - id: a.c
    when: count("block", rule="a.*", window="24h") >= 3 and not tier == "internal"
    act: {public: [case]}
"""


def test_a_right_file_loads() -> None:
    policy = parse(BASE)
    assert [rule.id for rule in policy.text_rules] == []  # both are drafts: nothing is in force by accident
    assert policy.rule("a.b").act["public"][1].points == 2


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("detect:", "detct:", 9, "did you mean 'detect'"),
        ("review: 0.5", "reviw: 0.5", 9, "did you mean 'review'"),
        ("tiers:", "teirs:", 4, "did you mean 'tiers'"),
        ("id: a.c", "id: a.b", 11, "rule id 'a.b' stands 2 times"),
        ('"block"', '"blok"', 12, "did you mean 'block'"),
        ("count(", "cuont(", 12, "did you mean 'count'"),
        ("tier ==", "teir ==", 12, "did you mean 'tier'"),
        ('window="24h"', 'window="24"', 12, "not bounded"),
        ("public: [block", "pubic: [block", 10, "did you mean 'public'"),
        ("strike(2)", "stroke(2)", 10, "did you mean 'strike'"),
        ("block, strike(2)", "block(2)", 10, "points go with"),
        ("public: [case]", "public: []", 13, "does nothing"),
        ("public: [case]", "public: [3]", 13, "expected a text such as `block`, got 3"),
        ("definition: x", "definition: x\n    state: 3", 8, "expected a text such as `enforce`, got 3"),
        ("definition: x", "definition: x\n    state: canery(10)", 8, "did you mean 'canary'"),
        ("definition: x", "definition: [1]", 7, "Expected a text"),
        ("definition: x", "definition: " + "word " * 121, 7, "at most 120"),
        ("definition: x", "title: x", 6, "has no definition"),
        ("[public, internal]", "[public, public, internal]", 4, "stands 2 times"),
        ("[public, internal]", "[]", 4, "no tier"),
        ("id: t", "id: t\nladder: [{at: 1, do: suspnd}]", 3, r"did you mean 'suspend'\?.*\(do of ladder\[0\]\)"),
        ("strike(2)], internal", "strke(2)],\n      internal", 10, r"\(public\[1\] of act of rule 'a.b'\)"),
        ("internal: [flag]}", "\n      internal: [falg]}", 11, "did you mean 'flag'"),
        ("definition: x", "definition: x\n    severity: lo", 8, "did you mean 'low'.* known: low, medium, high, critical"),
        ("definition: x", "definition: x\n    mode: refus", 8, r"did you mean 'refuse'.*\(mode of rule 'a.b'\)"),
        ("definition: x", "definition: x\n    applies_to: [promt]", 8, "did you mean 'prompt'"),
        ("definition: x", "definition: x\n    on_review:\n      internal: delivr", 9, "did you mean 'deliver'"),
        ("definition: x", f"definition: x\n    examples:\n{LEAK}".replace("allowed", "alowed"), 10, "'allowed'.*example 'e2'"),
        (
            "definition: x",
            f"definition: x\n    examples:\n{LEAK}".replace("why: w, split: test", "split: test"),
            10,
            "`why` is",
        ),
        ("id: t", "id: t\ntools: [{name: mail, act: {public: alow}}]", 3, "did you mean 'allow'.*of tool 'mail'"),
        (
            "id: t",
            "id: t\nquotas: {pubic: {requests_per_minute: 1, requests_per_day: 5}}",
            3,
            "'public'.*known: public, internal",
        ),
        ("id: t", "id: t\nquotas: {public: {requests_per_minute: 6, requests_per_day: 5}}", 3, "at least as many"),
        ("id: t", 'id: ""', 2, "the policy's id is empty"),
        ("id: t", "id: t\nladder: [{at: 1, do: suspend}]", 3, "`suspend` needs `days`"),
        ("id: a.c", "id: A c", 11, "write small letters"),
        ("id: a.c", "id: ann@example.com", 11, "write small letters"),
        ("public: [block, strike(2)]", "public: [allow, block]", 10, "`allow` stands beside `block`"),
        ("strike(2)", "strike(0.5)", 10, "whole points"),
        ("id: t", "id: t\nid: u", 3, "stands twice"),
        ("block: 0.8", "block: 0.3", 9, "must order"),
        ("block: 0.8}", "block: 0.8, patterns: [{id: p, match: '(?=a)'}]}", 9, "pattern 'p' is not RE2"),
        ("definition: x", f"definition: x\n    examples:\n{LEAK}", 10, "group 'g' lies in train and in test"),
        ("schema: 1", "schema: 2", 1, "unknown value 2; known: 1"),
        ("block: 0.8}", "block: 0.8, patterns: [{id: p, match: ''}]}", 9, "matches every text"),
        ("block: 0.8}", "block: 0.8, patterns: [{id: p, match: a, needs: '('}]}", 9, "`needs` of pattern 'p' is not RE2"),
        (
            "block: 0.8}",
            "block: 0.8, patterns: [{id: p, match: a, needs: 'b*'}]}",
            9,
            "`needs` of pattern 'p' matches every text",
        ),
        (
            "block: 0.8}",
            "block: 0.8, personal: [api_tokn]}",
            9,
            "unknown kind of personal data 'api_tokn'; did you mean 'api_token'?",
        ),
        ("definition: x", "definition: x\n    gates: {recall: 7, false_positive: 0.1}", 8, "<= 1.0"),
        ("id: t", "id: t\nladder: [{at: -3, do: warn}]", 3, ">= 1"),
        ("id: t", "id: t\nquotas: {public: {requests_per_minute: 0, requests_per_day: 5}}", 3, ">= 1"),
        ('version: "1"', "version: &a [*a]", 3, "aliases"),
        ('version: "1"', "version: !!python/object:os.system x", 3, "cannot read"),
        ('version: "1"', ": : :", 3, "not YAML"),
    ],
)
def test_a_wrong_file_is_refused_with_file_line_and_the_nearest_key(old: str, new: str, line: int, message: str) -> None:
    with pytest.raises(PolicyError, match=message) as caught:
        parse(BASE.replace(old, new, 1), file="p.yaml")
    assert (caught.value.file, caught.value.line) == ("p.yaml", line)


def test_the_first_mistake_of_each_part_is_told_in_the_order_of_the_file() -> None:
    wrong = BASE.replace("[public, internal]", "3").replace("[block, strike(2)]", "[blok, strke]").replace("id: a.c", "di: a.c")
    with pytest.raises(PolicyError) as caught:
        parse(wrong, file="p.yaml")
    found = [caught.value, *caught.value.more]
    assert [error.line for error in found] == [4, 10, 11]
    assert [word in str(error) for error, word in zip(found, ("Expected", "'blok'", "'di'"), strict=True)] == [True] * 3


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.yaml"):
        load(tmp_path / "none.yaml")


def test_a_change_of_state_keeps_the_rules_digest_and_changes_the_policys() -> None:
    draft = parse(BASE)
    enforced = parse(BASE.replace("id: a.b\n", "id: a.b\n    state: enforce\n"))
    assert draft.rule("a.b").digest == enforced.rule("a.b").digest
    assert draft.digest != enforced.digest
    assert [rule.id for rule in enforced.text_rules] == ["a.b"]
    assert parse(BASE.replace("definition: x", "definition: y")).rule("a.b").digest != draft.rule("a.b").digest


def test_what_is_written_as_the_default_is_and_a_key_that_is_added_later_change_no_digest() -> None:
    plain = parse(BASE)
    spelt = parse(
        BASE.replace("definition: x", "definition: x\n    severity: medium\n    review: {reviewers: 1}\n    maps: {nist: []}")
    )
    assert spelt.digest == plain.digest
    assert spelt.rule("a.b").digest == plain.rule("a.b").digest
    assert parse(BASE.replace("definition: x", "definition: x\n    review: {reviewers: 2}")).digest != plain.digest
    # What the digest is over holds the keys that were written and no other.
    assert plain.rule("a.b").digest == digest(
        {
            "id": "a.b",
            "definition": "x",
            "terms": {"anything": "may stand here"},
            "detect": {"signal": "harm.a_b", "review": 0.5, "block": 0.8},
            "act": {"public": ["block", "strike(2)"], "internal": ["flag"]},
        }
    )


def test_a_tier_that_is_not_named_takes_the_strictest_actions() -> None:
    assert parse(BASE).rule("a.b").actions("somebody") == ("block", "strike(2)")


@given(st.text(max_size=80), st.integers(0, len(BASE)))
def test_no_text_crashes_the_loader(noise: str, at: int) -> None:
    with contextlib.suppress(PolicyError):
        parse(BASE[:at] + noise + BASE[at:])
