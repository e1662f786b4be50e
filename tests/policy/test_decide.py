"""From verdict to ruling: stricter never allows more, an error never allows, and what was not assessed is not delivered."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.policy.act import STRICTNESS, Act
from fairlead.policy.decide import ORDER, Ruling, decide, strictest
from fairlead.policy.document import Detect, Policy, Rule
from fairlead.policy.state import State
from fairlead.records.verdict import Outcome, RuleVerdict, Verdict

TIERS = ("low", "middle", "high")
BY_STRICTNESS = sorted(STRICTNESS, key=STRICTNESS.__getitem__, reverse=True)


def written(name: str) -> Act:
    return Act("strike(2)" if name == "strike" else name)


def rule(id: str, act: dict[str, tuple[str, ...]], state: str = "enforce", **more: object) -> Rule:
    acts = {tier: tuple(written(name) for name in names) for tier, names in act.items()}
    return Rule(id=id, act=acts, definition=id, detect=Detect(f"harm.{id}", 0.5, 0.8), state=State(state), **more)  # type: ignore[arg-type]


def policy(*rules: Rule) -> Policy:
    return Policy(schema=1, id="p", version="1", tiers=TIERS, rules=rules, strikes_expire_days=1)


def verdict(p: Policy, *outcomes: Outcome, error: str | None = None) -> Verdict:
    return Verdict(tuple(RuleVerdict(r.id, r.digest, o, 0.5) for r, o in zip(p.rules, outcomes, strict=True)), "j", error)


@st.composite
def ordered_policies(draw: st.DrawFn) -> Policy:
    """Policies in which each rule's act grows milder from the least to the most trusted tier, and so does `on_review`."""
    rules = []
    for i in range(draw(st.integers(1, 3))):
        names = sorted(draw(st.lists(st.sampled_from(BY_STRICTNESS), min_size=3, max_size=3)), key=BY_STRICTNESS.index)
        delivers = draw(st.integers(0, 3))
        on_review = {tier: "deliver" if at >= delivers else "withhold" for at, tier in enumerate(TIERS)}
        act = {tier: (name,) for tier, name in zip(TIERS, names, strict=True)}
        severity = draw(st.sampled_from(["low", "critical"]))
        state = draw(st.sampled_from(["enforce", "canary(50)", "shadow"]))
        rules.append(rule(f"r{i}", act, state, severity=severity, on_review=on_review))
    return policy(*rules)


@given(ordered_policies(), st.data())
def test_a_stricter_tier_never_allows_more(p: Policy, data: st.DataObject) -> None:
    v = verdict(p, *(data.draw(st.sampled_from(Outcome)) for _ in p.rules))
    got = [ORDER.index(decide(p, tier, "ann", v, "prompt").action) for tier in TIERS]
    assert got == sorted(got, reverse=True)
    assert ORDER.index(decide(p, "unnamed", "ann", v, "prompt").action) >= got[0]


@given(ordered_policies(), st.data())
def test_an_error_never_allows(p: Policy, data: st.DataObject) -> None:
    v = verdict(p, *(data.draw(st.sampled_from(Outcome)) for _ in p.rules), error="Broken")
    for tier in TIERS:
        ruling = decide(p, tier, "ann", v, "prompt")
        assert ruling.error == "Broken"
        assert ruling.action == "review"


@given(ordered_policies(), st.data())
def test_a_worse_verdict_never_allows_more(p: Policy, data: st.DataObject) -> None:
    """From allowed to violates: with one rule changed the ruling is at least as strict."""
    outcomes = [data.draw(st.sampled_from(Outcome)) for _ in p.rules]
    at = data.draw(st.integers(0, len(outcomes) - 1))
    better, worse = list(outcomes), list(outcomes)
    better[at], worse[at] = Outcome.ALLOWED, data.draw(st.sampled_from([Outcome.VIOLATES, Outcome.UNDETERMINED]))
    for tier in TIERS:
        mild, strict = (ORDER.index(decide(p, tier, "ann", verdict(p, *o), "prompt").action) for o in (better, worse))
        assert mild <= strict


def test_the_generator_reaches_every_action() -> None:
    reached = set()
    for names in itertools.combinations_with_replacement(BY_STRICTNESS, 3):
        p = policy(rule("r", {tier: (name,) for tier, name in zip(TIERS, names, strict=True)}))
        reached |= {decide(p, tier, "ann", verdict(p, Outcome.VIOLATES), "prompt").action for tier in TIERS}
    assert reached == set(ORDER)


@pytest.mark.parametrize("absent", ["verdict", "version"])
def test_a_rule_that_was_not_assessed_is_not_delivered(absent: str) -> None:
    p = policy(rule("r", {"low": ("block",)}), rule("s", {"low": ("block",)}))
    whole = verdict(p, Outcome.ALLOWED, Outcome.ALLOWED)
    other = RuleVerdict("s", "another version", Outcome.ALLOWED)
    v = Verdict(whole.rules[:1] if absent == "verdict" else (whole.rules[0], other), "j")
    assert decide(p, "low", "ann", whole, "prompt").action == "allow"
    ruling = decide(p, "low", "ann", v, "prompt")
    assert (ruling.action, ruling.rule, ruling.unsure) == ("review", "s", ("s",))


def test_a_policy_without_a_rule_for_the_surface_delivers_nothing() -> None:
    assert decide(policy(), "low", "ann", Verdict((), "j"), "prompt").error is not None
    p = policy(rule("r", {"low": ("block",)}, applies_to=("response",)))
    assert decide(p, "low", "ann", verdict(p, Outcome.ALLOWED), "prompt").error is not None


def test_the_strictest_of_several_rules_decides_and_the_gravest_points_count() -> None:
    p = policy(
        rule("a", {"low": ("safe_complete", "case")}),
        rule("b", {"low": ("block", "strike")}),
        rule("c", {"low": ("strike", "block")}),
        rule("d", {"low": ("flag",)}),
    )
    ruling = decide(p, "low", "ann", verdict(p, *[Outcome.VIOLATES] * 4), "prompt")
    assert (ruling.action, ruling.rule, ruling.points, ruling.cases, ruling.flags) == ("block", "b", 2, ("a",), ("d",))
    assert decide(p, "low", "ann", verdict(p, *[Outcome.VIOLATES] * 4), "response").points == 0


def test_what_a_rule_says_of_the_account_alone_still_has_a_meaning_for_the_request() -> None:
    for name, action in (("strike", "block"), ("tier_down", "block"), ("case", "allow"), ("throttle", "allow")):
        p = policy(rule("r", {"low": (name,)}))
        assert decide(p, "low", "ann", verdict(p, Outcome.VIOLATES), "prompt").action == action
    p = policy(rule("r", {"low": ("strike", "safe_complete")}))
    assert decide(p, "low", "ann", verdict(p, Outcome.VIOLATES), "prompt").action == "safe_complete"


@pytest.mark.parametrize("outcome", [Outcome.VIOLATES, Outcome.UNDETERMINED])
def test_a_shadow_rule_is_recorded_and_never_acted_upon(outcome: Outcome) -> None:
    acts = {"low": ("block", "strike", "case")}
    p = policy(rule("r", acts, "shadow"), rule("s", {"low": ("flag",)}))
    v = verdict(p, outcome, Outcome.ALLOWED)
    ruling = decide(p, "low", "ann", v, "prompt")
    assert (ruling.action, ruling.rule, ruling.points, ruling.cases, ruling.unsure) == ("allow", None, 0, (), ())
    assert ruling.flags == ("shadow:r",)
    assert [said.rule for said in ruling.kept] == ["r"]
    # The positive control: the same rule in force, and the same verdict.
    enforced = policy(rule("r", acts), rule("s", {"low": ("flag",)}))
    assert decide(enforced, "low", "ann", v, "prompt").action == ("block" if outcome is Outcome.VIOLATES else "review")


def test_a_canary_acts_on_its_accounts_and_is_in_shadow_for_the_others() -> None:
    p = policy(rule("r", {"low": ("block",)}, "canary(50)"))
    v = verdict(p, Outcome.VIOLATES)
    rulings = {account: decide(p, "low", account, v, "prompt") for account in (None, *(f"acct_{n}" for n in range(30)))}
    assert {ruling.action for ruling in rulings.values()} == {"allow", "block"}
    for account, ruling in rulings.items():
        acts = p.rules[0].acts_on(account)
        assert (ruling.action, ruling.flags) == (("block", ()) if acts else ("allow", ("shadow:r",)))
    assert rulings[None].action == "block"


def test_scores_are_kept_by_signal() -> None:
    p = policy(rule("a", {"low": ("block",)}))
    assert decide(p, "low", "ann", verdict(p, Outcome.ALLOWED), "prompt").harm == {"a": 0.5}


def test_what_was_noted_of_any_choice_is_kept() -> None:
    noted = Ruling("allow", flags=("a",), cases=("a",), harm={"a": 0.4})
    merged = strictest([Ruling("allow", harm={"a": 0.1}), noted, Ruling("block", rule="b", flags=("b",), points=2)])
    assert (merged.action, merged.rule, merged.points) == ("block", "b", 2)
    assert (merged.flags, merged.cases, merged.harm) == (("a", "b"), ("a",), {"a": 0.4})
