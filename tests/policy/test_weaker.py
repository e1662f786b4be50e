"""A rule that is not called weaker stops, punishes and looks at no less, whatever the score."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from fairlead.policy.act import STRICTNESS, Act
from fairlead.policy.decide import ORDER, Ruling, decide
from fairlead.policy.document import Detect, Pattern, Policy, Rule
from fairlead.policy.evaluator import by_score
from fairlead.policy.state import State
from fairlead.policy.weaker import weaker
from fairlead.records.verdict import RuleVerdict, Verdict

TIERS = ("low", "high")
ACTS = st.lists(st.sampled_from(sorted(STRICTNESS)), min_size=1, max_size=2, unique=True).map(
    lambda names: tuple(Act("strike(2)" if name == "strike" else name) for name in names)
)
ON_REVIEW = st.dictionaries(st.sampled_from(TIERS), st.sampled_from(["deliver", "withhold"]))
STATES = st.sampled_from(["shadow", "canary(30)", "canary(60)", "enforce"]).map(State)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    review, block = sorted(draw(st.tuples(*[st.sampled_from([0.2, 0.4, 0.6, 0.8])] * 2)))
    return Rule(
        "r",
        draw(st.dictionaries(st.sampled_from(TIERS), ACTS, min_size=1)),
        definition="d",
        severity=draw(st.sampled_from(["low", "critical"])),
        detect=Detect("harm.r", review, block, draw(st.sampled_from(["review", "block"]))),
        on_review=draw(ON_REVIEW),
        state=draw(STATES),
    )


def ruled(rule: Rule, tier: str, account: str | None, score: float | None) -> Ruling:
    assert rule.detect is not None
    said = RuleVerdict("r", rule.digest, by_score(rule.detect)(score), score)
    return decide(Policy(1, "p", "1", TIERS, (rule,)), tier, account, Verdict((said,), "j"), "prompt")


@given(rules(), rules(), st.sampled_from(TIERS), st.none() | st.sampled_from(["a", "b", "c"]), st.none() | st.floats(0, 1))
def test_what_is_not_weaker_allows_no_more(
    before: Rule, after: Rule, tier: str, account: str | None, score: float | None
) -> None:
    if list(weaker(before, after, TIERS)):
        return
    old, new = (ruled(rule, tier, account, score) for rule in (before, after))
    assert ORDER.index(new.action) >= ORDER.index(old.action)
    assert new.points >= old.points


@given(rules())
def test_a_rule_is_not_weaker_than_itself(rule: Rule) -> None:
    assert list(weaker(rule, rule, TIERS)) == []


def test_a_lower_threshold_is_weaker_where_a_violation_is_only_noted() -> None:
    """What was undetermined, and so withheld, would be delivered with a flag."""
    act = {"low": (Act("flag"),), "high": (Act("block"),)}
    before, after = (Rule("r", act, detect=Detect("harm.r", 0.5, block), state=State("enforce")) for block in (0.8, 0.7))
    assert list(weaker(before, after, TIERS)) == ["at a score of 0.7 low meets [flag] in place of review"]


def test_other_patterns_and_fewer_kinds_of_personal_data_are_weaker() -> None:
    """`needs` narrows a pattern, so another one cannot be compared."""
    act = {"low": (Act("block"),)}
    held = Detect("harm.r", 0.5, 0.8, patterns=(Pattern("p", "a+b"),), personal=("card", "iban"))
    before = Rule("r", act, detect=held)
    for other, how in (
        (structs.replace(held, patterns=(Pattern("p", "a+b", needs="b"),)), ["its patterns p are gone or changed"]),
        (structs.replace(held, personal=("iban",)), ["it no longer looks for card"]),
        (structs.replace(held, personal=("iban", "card", "email")), []),
    ):
        assert list(weaker(before, structs.replace(before, detect=other), TIERS)) == how
