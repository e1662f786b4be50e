"""A few answers become a policy on top of core that passes the check."""

from __future__ import annotations

import pytest
from msgspec import structs

from fairlead.policy.begin import Answers, write
from fairlead.policy.core import CORE
from fairlead.policy.load import load, parse
from fairlead.records.errors import InputError

POLICY = load(CORE)
ANSWERS = Answers("helpdesk", "Answer questions about our product.", ("How do I reset my password?",), ("public", "internal"))


def test_what_is_written_is_a_right_policy_with_the_answers_in_it() -> None:
    policy = parse(write(structs.replace(ANSWERS, retain_days=7), POLICY))
    assert (policy.id, policy.version, policy.tiers) == ("helpdesk", "1", ("public", "internal"))
    assert policy.objectives[0].examples == ANSWERS.examples
    assert policy.objectives[1:] == POLICY.objectives, "what core must serve is still served"
    assert {rule.privacy.retain_days for rule in policy.rules} == {7}
    assert [rule.meaning for rule in policy.rules] == [rule.meaning for rule in POLICY.rules]


def test_an_answer_that_changes_nothing_writes_nothing() -> None:
    assert "rules:" not in write(ANSWERS, POLICY)


@pytest.mark.parametrize("rule", [rule for rule in POLICY.rules if rule.detect], ids=lambda rule: rule.id)
def test_each_topic_can_be_made_stricter_and_looser(rule: object) -> None:
    old = rule.detect  # type: ignore[attr-defined]
    id = rule.id  # type: ignore[attr-defined]
    stricter = parse(write(structs.replace(ANSWERS, stricter=(id,), tiers=POLICY.tiers), POLICY)).rule(id)
    assert stricter.detect is not None
    assert stricter.detect.review < old.review and stricter.detect.block <= old.block
    looser = parse(write(structs.replace(ANSWERS, looser=(id,), why="we must"), POLICY)).rule(id)
    assert looser.detect is not None
    assert looser.detect.review > old.review and looser.detect.block > old.block
    assert stricter.detect.patterns == looser.detect.patterns == old.patterns
    assert bool(looser.weakens) == (rule.authority == "root")  # type: ignore[attr-defined]


def test_a_topic_names_all_its_rules() -> None:
    policy = parse(write(structs.replace(ANSWERS, stricter=("sexual.*",)), POLICY))
    turned = {rule.id for rule in policy.rules if rule.detect and rule.detect != POLICY.rule(rule.id).detect}
    assert turned == {"sexual.explicit", "sexual.violence", "sexual.minors"}


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"name": "Help Desk"}, "small letters"),
        ({"name": ""}, "small letters"),
        ({"examples": ()}, "at least one request"),
        ({"purpose": ""}, "say what"),
        ({"tiers": ("public", "staff")}, "some of public, verified, trusted, internal"),
        ({"tiers": ()}, "some of public"),
        ({"stricter": ("wepons.*",)}, r"no rule of core is called 'wepons\.\*'; did you mean 'weapons\.\*'"),
        ({"looser": ("account.burst",)}, "no rule of core"),
        ({"stricter": ("fraud.*",), "looser": ("fraud.deception",)}, "both stricter and looser"),
        ({"looser": ("weapons.*",)}, "root authority; to loosen them say why"),
    ],
)
def test_an_answer_that_cannot_be_used_is_refused(answers: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        write(structs.replace(ANSWERS, **answers), POLICY)


@pytest.mark.parametrize("text", ["a: b", "#no comment", "- {x", 'quoted "so"', "1.0", "null", "ü\tñ", "line\nbreak"])
def test_any_text_survives_the_file(text: str) -> None:
    policy = parse(write(structs.replace(ANSWERS, purpose=text, examples=(text,)), POLICY))
    assert policy.objectives[0].text == text
    assert policy.objectives[0].examples == (text,)
