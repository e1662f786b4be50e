"""What changed between two policies is said for whom it changed, and no change is passed over."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import structs

from fairlead.policy.act import Act
from fairlead.policy.diff import EVERYBODY, JUDGE, MODELS, REVIEWERS, Change, changes, words
from fairlead.policy.document import (
    Comparison,
    Detect,
    Gates,
    Maps,
    Objective,
    Pattern,
    Policy,
    Privacy,
    Quota,
    Review,
    Rule,
    RuleExample,
    Rung,
    Tool,
)  # fmt: skip
from fairlead.policy.load import load
from fairlead.policy.state import State

GOLDEN = Path(__file__).parent / "golden"
RULE = Rule(
    "r",
    {"low": (Act("block"),), "high": (Act("flag"),)},
    definition="Text that asks for trolls.",
    terms={"troll": "a being"},
    exceptions=("In books.",),
    examples=(RuleExample("e", "t", "violates", "w", "train"),),
    detect=Detect("harm.r", 0.5, 0.8, "review", (Pattern("p", "a+"), Pattern("q", "b"))),
    on_review={"high": "deliver"},
    gates=Gates(0.8, 0.1),
    state=State("enforce"),
)
BASE = Policy(
    1, "p", "1", ("low", "high"), (RULE,), (Objective("o", "help them", ("x",)),), (Tool("mail", {"low": "deny"}),),
    (Rung(3, "warn"),), {"low": Quota(1, 10)},
)  # fmt: skip
LOW, HIGH = "people in tier low", "people in tier high"


def said(before: Policy, after: Policy) -> list[tuple[str, str]]:
    return [(change.who, change.what) for change in changes(before, after)]


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({"state": State("shadow")}, [(EVERYBODY, "rule r: is noted and not acted upon (shadow), was enforce")]),
        ({"state": State("canary(5)")}, [(EVERYBODY, "rule r: acts on 5 % of the accounts (canary(5)), was enforce")]),
        (
            {"detect": structs.replace(RULE.detect, block=0.7)},
            [(EVERYBODY, "rule r: violates from a score of 0.7, was 0.8 (stricter)")],
        ),
        (
            {"detect": structs.replace(RULE.detect, review=0.6, missing="block")},
            [
                (EVERYBODY, "rule r: is undetermined from a score of 0.6, was 0.5 (looser)"),
                (EVERYBODY, "rule r: without a score: block, was review (stricter)"),
            ],
        ),
        (
            {"detect": structs.replace(RULE.detect, patterns=(Pattern("p", "c"), Pattern("n", "d")))},
            [
                (EVERYBODY, "rule r: new patterns: n"),
                (EVERYBODY, "rule r: patterns gone: q"),
                (EVERYBODY, "rule r: patterns changed: p"),
            ],
        ),
        (
            {"detect": structs.replace(RULE.detect, personal=("card", "iban"))},
            [(EVERYBODY, "rule r: violates by personal data of the kinds: card, iban, was none")],
        ),
        (
            {"act": {**RULE.act, "low": (Act("safe_complete"),)}},
            [(LOW, "rule r: a violation meets [safe_complete], was [block] (looser)")],
        ),
        (
            {"act": {**RULE.act, "high": (Act("block"), Act("case"))}},
            [(HIGH, "rule r: a violation meets [block, case], was [flag] (stricter)")],
        ),
        (
            {"act": {**RULE.act, "low": (Act("safe_complete"), Act("strike(1)"))}},
            [(LOW, "rule r: a violation meets [safe_complete, strike(1)], was [block] (neither stricter nor looser)")],
        ),
        ({"on_review": {}}, [(HIGH, "rule r: what is undetermined: withhold, was deliver (stricter)")]),
        (
            {"definition": "Text that asks for three trolls or ogres.", "exceptions": ("In films.",)},
            [
                (REVIEWERS, "rule r: what it says has changed; read it again"),
                (MODELS, "rule r: its definition says 'three trolls or ogres.' in place of 'trolls.'"),
                (MODELS, "rule r: new exception: In films."),
                (MODELS, "rule r: exception gone: In books."),
            ],
        ),
        ({"examples": ()}, [(REVIEWERS, "rule r: examples: 0 new, 1 gone"), (JUDGE, "rule r: examples: 0 new, 1 gone")]),
        (
            {"examples": (*RULE.examples, *(RuleExample(id, id, "allowed", "w", "train") for id in "fg"))},
            [(who, "rule r: examples: 2 new, 0 gone; new are 2 train allowed") for who in (REVIEWERS, JUDGE)],
        ),
        ({"maps": Maps(llama_guard=("S9",))}, [(JUDGE, "rule r: maps.llama_guard: S9, was none")]),
        ({"privacy": Privacy(7)}, [(EVERYBODY, "rule r: days that content is kept: 7, was 30")]),
        ({"review": Review(2)}, [(REVIEWERS, "rule r: reviewers for an item: 2, was 1")]),
        ({"gates": Gates(0.7, 0.1)}, [(REVIEWERS, "rule r: recall to be reached: 0.7, was 0.8")]),
        ({"mode": "comply_with_care"}, [(MODELS, "rule r: how to answer: comply_with_care, was refuse")]),
        ({"weakens": "we sell them"}, [(EVERYBODY, "rule r: weakened, because: we sell them")]),
    ],
)
def test_a_change_of_a_rule_is_told_to_those_whom_it_concerns(rule: dict[str, object], told: list[tuple[str, str]]) -> None:
    assert said(BASE, structs.replace(BASE, rules=(structs.replace(RULE, **rule),))) == sorted(
        told, key=lambda pair: [EVERYBODY, LOW, HIGH, REVIEWERS, MODELS, JUDGE].index(pair[0])
    )


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"quotas": {"low": Quota(2, 10)}}, [(LOW, "requests: 2 a minute and 10 a day, was 1 a minute and 10 a day")]),
        ({"quotas": {}}, [(LOW, "requests: none, was 1 a minute and 10 a day")]),
        ({"ladder": (Rung(3, "ban", approve="two_humans"),)},
         [(EVERYBODY, "the ladder is ban at 3 once approved by two humans; was warn at 3")]),
        ({"strikes_expire_days": 30}, [(EVERYBODY, "points count for 30 days, was 90")]),
        ({"tools": (Tool("mail", {"low": "confirm"}),)}, [(LOW, "tool mail: confirm, was deny")]),
        ({"tools": (Tool("mail", {"low": "deny"}, "deny"),)},
         [(EVERYBODY, "tool mail, when text of unknown origin shaped the call: deny, was confirm")]),
        ({"tools": ()}, [(EVERYBODY, "tool mail is gone: nobody may use it")]),
        ({"tiers": ("low",)}, [(HIGH, "this tier is gone; its keys open nothing")]),
        ({"objectives": ()}, [(MODELS, "objective o is gone"), (JUDGE, "objective o is gone; examples: 1")]),
        ({"objectives": (Objective("o", "serve them", ("x", "y")),)},
         [(MODELS, "objective o: says 'serve' in place of 'help'"),
          (JUDGE, "objective o, allowed under every rule: examples: 1 new, 0 gone")]),
        ({"objectives": (*BASE.objectives, Objective("n", "more", ("y", "z")))},
         [(MODELS, "objective n is new: more"), (JUDGE, "objective n is new; examples, allowed under every rule: 2")]),
    ],
)  # fmt: skip
def test_a_change_at_the_top_is_told_to_those_whom_it_concerns(fields: dict[str, object], told: list[tuple[str, str]]) -> None:
    assert said(BASE, structs.replace(BASE, **fields)) == told


def test_rules_that_come_and_go_concern_all() -> None:
    other = structs.replace(RULE, id="s", title="Ogres")
    assert said(BASE, structs.replace(BASE, rules=(RULE, other))) == [
        (EVERYBODY, "rule s is new (enforce): Ogres"),
        (LOW, "rule s: a violation meets [block], what is undetermined is withheld"),
        (HIGH, "rule s: a violation meets [flag], what is undetermined is delivered"),
        (REVIEWERS, "rule s is new (enforce): Ogres"),
        (MODELS, "rule s is new (enforce): Ogres"),
    ]
    gone = said(BASE, structs.replace(BASE, rules=(other,)))
    assert (EVERYBODY, "rule r is gone, and its id must not come back") in gone
    assert (HIGH, "rule r: no more: a violation meets [flag], what is undetermined is delivered") in gone
    shadow = structs.replace(BASE, rules=(RULE, structs.replace(other, state=State("shadow"))))
    assert (EVERYBODY, "rule s: is noted and not acted upon (shadow)") in said(BASE, shadow)
    assert all(who not in (LOW, HIGH) for who, _ in said(BASE, shadow))


def test_a_rule_over_accounts_concerns_reviewers() -> None:
    account = Rule("a", {"low": (Act("case"),)}, when="1 < 2", state=State("enforce"))
    assert said(BASE, structs.replace(BASE, rules=(RULE, account))) == [
        (REVIEWERS, "rule a is new (enforce): a"),
        (REVIEWERS, "rule a: opens a case when 1 < 2 (enforce)"),
    ]


def test_what_changes_alike_for_several_rules_is_told_once() -> None:
    rules = tuple(structs.replace(RULE, id=id) for id in "abc")
    later = tuple(structs.replace(rule, privacy=Privacy(7)) for rule in rules)
    what = "days that content is kept: 7, was 30"
    before = structs.replace(BASE, rules=rules)
    assert changes(before, structs.replace(BASE, rules=later)) == [Change(EVERYBODY, f"every rule: {what}")]
    assert changes(before, structs.replace(BASE, rules=(*later[:2], rules[2]))) == [Change(EVERYBODY, f"rules a, b: {what}")]


OTHERWISE: dict[str, object] = {
    "id": "other", "act": {"low": (Act("flag"),)}, "title": "x", "authority": "root", "applies_to": ("prompt",),
    "definition": "x", "terms": {}, "exceptions": (), "severity": "low", "mode": "safe_complete", "examples": (),
    "detect": None, "when": "1 < 2",
    "comparisons": (Comparison("p", "g", "b", "w"),), "missing": "block", "cap_per_day": 3, "on_review": {"low": "deliver"},
    "review": Review(5), "reason": "x", "safe_completion": "x", "gates": None, "privacy": Privacy(1), "maps": Maps(("x",)),
    "state": State("draft"), "weakens": "x",
}  # fmt: skip


@pytest.mark.parametrize("name", [name for name in Rule.__struct_fields__ if name != "when"])
def test_no_field_of_a_rule_changes_unseen(name: str) -> None:
    assert OTHERWISE[name] != getattr(RULE, name)
    assert changes(BASE, structs.replace(BASE, rules=(structs.replace(RULE, **{name: OTHERWISE[name]}),)))


def test_a_condition_that_changes_is_told_to_reviewers() -> None:
    old, new = (Rule("a", {"low": (Act("case"),)}, when=when, state=State("enforce")) for when in ("1 < 2", "1 < 3"))
    told = said(structs.replace(BASE, rules=(old,)), structs.replace(BASE, rules=(new,)))
    assert told == [(REVIEWERS, "rule a: opens a case when 1 < 3; was when 1 < 2")]


def test_nothing_changes_from_a_policy_to_itself() -> None:
    for policy in (BASE, load(GOLDEN / "policy.yaml")):
        assert changes(policy, structs.replace(policy, id="other", version="9")) == []


def test_words_tell_what_came_and_went() -> None:
    assert words("a b c", "a c") == "drops 'b'"
    assert words("a  b", "a b") == "is written with other spaces"
