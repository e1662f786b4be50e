"""What is wrong across a whole policy: tiers out of order, contradictions, leaks, rules nobody can trigger, ids that return."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from fairlead.policy.act import STRICTNESS, Act
from fairlead.policy.check import problems
from fairlead.policy.decide import ORDER, decide
from fairlead.policy.document import Detect, Objective, Pattern, Policy, Quota, Rule, RuleExample, Rung, Tool
from fairlead.policy.history import reused
from fairlead.policy.state import State
from fairlead.policy.tiers import penalty
from fairlead.records.entry import PolicyLoaded
from fairlead.records.verdict import Outcome, RuleVerdict, Verdict

TIERS = ("low", "middle", "high")
ANY = {"low": (Act("block"),)}


def over_texts(id: str = "r", act: dict[str, tuple[Act, ...]] = ANY, **more: object) -> Rule:
    fields = {"definition": "d", "detect": Detect(f"harm.{id}", 0.5, 0.8), "state": State("enforce"), **more}
    return Rule(id=id, act=act, **fields)  # type: ignore[arg-type]


def policy(*rules: Rule, **more: object) -> Policy:
    fields = {"schema": 1, "id": "p", "version": "1", "tiers": TIERS, "rules": rules, **more}
    return Policy(**fields)  # type: ignore[arg-type]


def found(p: Policy) -> list[str]:
    return [problem.text for problem in problems(p)]


# ── tiers ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

ACTS = st.lists(st.sampled_from(sorted(STRICTNESS)), min_size=1, max_size=3, unique=True).flatmap(
    lambda names: st.integers(1, 3).map(lambda n: tuple(Act(f"strike({n})" if name == "strike" else name) for name in names))
)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Policies whose lists are in no order in particular, over some or all of the tiers."""
    act = draw(st.dictionaries(st.sampled_from(TIERS), ACTS, min_size=1))
    on_review = draw(st.dictionaries(st.sampled_from(TIERS), st.sampled_from(["deliver", "withhold"])))
    return policy(over_texts(act=act, on_review=on_review))


@given(policies())
def test_a_policy_is_refused_exactly_when_a_stricter_tier_would_be_allowed_more(p: Policy) -> None:
    """The twin asks `decide`, tier by tier, what would happen."""
    (rule,) = p.rules

    def allowed(tier: str, outcome: Outcome) -> tuple[int, int]:
        ruling = decide(p, tier, "ann", Verdict((RuleVerdict("r", rule.digest, outcome),), "j"), "prompt")
        return ORDER.index(ruling.action), ruling.points

    disordered = False
    for less, more in pairwise(tier for tier in TIERS if tier in rule.act):
        one, other = allowed(less, Outcome.VIOLATES), allowed(more, Outcome.VIOLATES)
        harder = penalty(rule.act[less]) < penalty(rule.act[more])
        disordered |= harder or any(a < b for a, b in zip(one, other, strict=True))
    for less, more in pairwise(tier for tier in TIERS if tier in rule.on_review):
        disordered |= allowed(less, Outcome.UNDETERMINED) < allowed(more, Outcome.UNDETERMINED)
    assert disordered is any("trusted more" in text for text in found(p))


def test_the_generator_reaches_both_kinds() -> None:
    ordered, disordered = {"low": (Act("block"),), "high": (Act("flag"),)}, {"low": (Act("flag"),), "high": (Act("block"),)}
    assert found(policy(over_texts(act=ordered))) == []
    assert len(found(policy(over_texts(act=disordered)))) == 1


@pytest.mark.parametrize(
    ("p", "path", "how"),
    [
        (
            policy(over_texts(act={"low": (Act("flag"),), "high": (Act("block"),)})),
            "$.rules[0].act.high",
            "allow against block",
        ),
        (
            policy(over_texts(act={"low": (Act("block"),), "high": (Act("block"), Act("strike(1)"))})),
            "$.rules[0].act.high",
            "[block] against [block, strike(1)]",
        ),
        (
            policy(over_texts(on_review={"low": "deliver", "middle": "withhold"})),
            "$.rules[0].on_review.middle",
            "withheld from the other",
        ),
        (policy(over_texts(), tools=(Tool("t", {"low": "allow", "high": "confirm"}),)), "$.tools[0].act.high", "allow against"),
        (policy(over_texts(), quotas={"low": Quota(5, 50), "middle": Quota(5, 40)}), "$.quotas.middle", "50 requests a day"),
        (policy(over_texts(), quotas={"low": Quota(5, 50), "high": Quota(4, 90)}), "$.quotas.high", "5 requests a minute"),
    ],
)
def test_tiers_that_do_not_order_are_named(p: Policy, path: str, how: str) -> None:
    (problem,) = problems(p)
    assert problem.path == path
    assert how in problem.text


def test_a_tier_that_is_not_named_may_take_the_strictest_reading() -> None:
    assert found(policy(over_texts(act={"low": (Act("flag"),), "middle": (Act("flag"),)}))) == []
    assert found(policy(over_texts(on_review={"low": "deliver"}), quotas={"low": Quota(1, 1)})) == []


# ── examples ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def example(id: str, text: str, verdict: str = "violates", split: str = "train", group: str = "") -> RuleExample:
    return RuleExample(id, text, verdict, "w", split, group)  # type: ignore[arg-type]


@pytest.mark.parametrize("other", ["Sell me a troll!", "sell  me a TROLL", "Ｓｅｌｌ me, a troll", "sell me\na troll."])
def test_texts_that_are_equal_but_for_their_dress_may_not_have_two_verdicts(other: str) -> None:
    one, two = example("e1", "Sell me a troll"), example("e2", other, "allowed")
    within = policy(over_texts(examples=(one, two)))
    across = policy(over_texts("a", examples=(one,)), over_texts("b", examples=(two,)))
    objective = policy(over_texts(examples=(one,)), objectives=(Objective("o", "t", (other,)),))
    for p in (within, across, objective):
        (text,) = found(p)
        assert "texts are equal" in text and "'e1' of rule" in text
    assert found(policy(over_texts("a", examples=(one,)), over_texts("b", examples=(example("e2", other),)))) == []
    assert found(policy(over_texts(examples=(one, example("e2", "Sell me two trolls", "allowed"))))) == []


def test_texts_without_words_are_compared_as_they_are() -> None:
    assert found(policy(over_texts(examples=(example("e1", "!!"), example("e2", "??", "allowed"))))) == []


def test_a_text_or_a_group_in_two_splits_leaks() -> None:
    trained = example("e1", "Sell me a troll")
    for other in (example("e2", "sell me a troll?", split="test"), example("e2", "another", split="dev", group="g")):
        p = policy(over_texts("a", examples=(structs.replace(trained, group="g"),)), over_texts("b", examples=(other,)))
        (problem,) = problems(p)
        assert problem.path == "$.rules[1].examples[0].split"
        assert "keep it in one split" in problem.text
    served = policy(over_texts(examples=(example("e1", "a", "allowed", "test"),)), objectives=(Objective("o", "t", ("A!",)),))
    assert ["lies in train and in test" in text for text in found(served)] == [True]


# ── rules that nobody can trigger ────────────────────────────────────────────────────────────────────────────────────────


def with_history(when: str, *others: Rule, **more: object) -> Policy:
    account = Rule("acc", {"low": (Act("case"),)}, when=when, state=State("enforce"))
    return policy(*(others or (over_texts("w.x"),)), account, **more)


@pytest.mark.parametrize(
    ("when", "why"),
    [
        ('count("block", rule="wx.*", window="1h") >= 3', "no rule matches the glob 'wx.*'"),
        ('count("flag", rule="w.*", window="1h") >= 3', "'flag' is never taken under a rule that matches 'w.*'"),
        ('count("redact", rule="*", window="1h") < 3', "'redact' is never taken"),
        ('count("throttle", rule="*", window="1h") >= 1', "taken are: block, case, review"),
        ('signal.harm["w.x"] >= 0.5 and signal.harm["w.x"] < 0.3', "can never hold"),
        ('tier == "low" and tier == "high"', "can never hold"),
    ],
)
def test_a_condition_that_can_never_hold_is_refused(when: str, why: str) -> None:
    (text,) = found(with_history(when))
    assert why in text


@pytest.mark.parametrize(
    ("when", "always"),
    [
        ('count("block", rule="*", window="1h") >= 0', True),
        ('not tier == "low" or tier != "high"', True),
        ('signal.harm["w.x"] <= 1', True),
        ('count("block", rule="*", window="1h") >= 1', False),
        ('signal.harm["w.x"] < 1', False),
    ],
)
def test_a_condition_that_always_holds_is_refused(when: str, always: bool) -> None:
    assert ["always holds" in text for text in found(with_history(when))] == [True] * always


def test_what_the_ladder_does_and_what_any_list_names_can_be_counted() -> None:
    ladder = (Rung(3, "throttle", 1),)
    assert found(with_history('count("throttle", rule="*", window="1h") >= 1', ladder=ladder)) == []
    assert found(with_history('count("review", rule="w.x", window="1h") >= 1')) == []
    mild = over_texts("w.x", {"low": (Act("strike(1)"), Act("safe_complete"), Act("case"))}, on_review={"low": "deliver"})
    for action in ("safe_complete", "block", "strike", "case", "flag"):
        assert found(with_history(f'count("{action}", rule="w.x", window="1h") >= 1', mild)) == []


@pytest.mark.parametrize(
    ("when", "refused"),
    [
        ('count("case", rule="acc", window="1h") >= 1', True),
        ('count("case", rule="a*", window="1h") >= 1 or tier == "low"', False),
        ('count("case", rule="*", window="1h") >= 1', False),
        ('count("block", rule="w.x", window="24h") >= 1000000000000', True),
        ('count("block", rule="w.x", window="24h") >= 400', False),
        ('count("block", rule="w.x", window="24h") > 400', True),
        ('count("block", rule="w.x", window="25h") > 400', False),
        ('count("block", rule="w.x", window="1h") <= 1000000000000', True),
    ],
)
def test_no_count_goes_beyond_the_quotas_or_waits_for_itself(when: str, refused: bool) -> None:
    """Two rules, a hundred requests a day, two days that a window of 24 hours touches."""
    quotas = {"low": Quota(5, 100)}
    case = over_texts("w.x", {"low": (Act("block"), Act("case"))})
    texts = found(with_history(when, case, quotas=quotas))
    assert ["what the quotas grant" in text or "always holds" in text for text in texts] == [True] * refused
    # Without quotas nobody can say how many requests there are.
    assert bool(found(with_history(when, case))) is (refused and "acc" in when)


@pytest.mark.parametrize(
    ("match", "needs", "refused"),
    [
        ("e", "", True),
        (r"\w", "", True),
        ("[a-z ]", "", True),
        ("[A-Z]", "", True),
        ("e", "zebra", False),
        ("e", "o", True),
        ("zebra", "", False),
        (r"\b(how|what) (do|is)\b", "", False),
    ],
)
def test_a_pattern_that_everyday_sentences_hold_is_refused(match: str, needs: str, refused: bool) -> None:
    detect = Detect("harm.r", 0.5, 0.8, patterns=(Pattern("p", match, needs),))
    assert ["must name something" in text for text in found(policy(over_texts(detect=detect)))] == [True] * refused


def test_a_rule_that_looks_at_nothing_is_refused() -> None:
    for surfaces in ((), ("account",)):
        (text,) = found(policy(over_texts(applies_to=surfaces)))
        assert "looks at no text" in text


# ── ids ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def loaded(*ids: str, retired: tuple[str, ...] = (), version: str = "1") -> PolicyLoaded:
    return PolicyLoaded("digest", "p", version, dict.fromkeys(ids, "d"), retired)


@pytest.mark.parametrize(
    ("history", "why"),
    [
        ([], None),
        ([loaded("r")], None),
        ([loaded("r"), loaded("r", "s")], None),
        ([loaded("s"), loaded("s")], None),
        ([loaded("r"), loaded("s", version="2")], "was left out of p 2"),
        ([loaded("r"), loaded("r", retired=("r",), version="3"), loaded("r")], "was retired in p 3"),
        ([loaded("r"), loaded("s", version="2"), loaded("r", version="3")], "was left out of p 2"),
    ],
)
def test_an_id_that_went_out_of_force_never_comes_back(history: list[PolicyLoaded], why: str | None) -> None:
    found = reused(policy(over_texts("q"), over_texts("r")), iter(history))
    assert [problem.path for problem in found] == (["$.rules[1].id"] if why else [])
    assert all(why in problem.text for problem in found if why)
    assert reused(policy(over_texts("r", state=State("retired"))), history) == []


def test_the_entry_of_a_policy_names_its_rules_and_those_out_of_force() -> None:
    p = policy(over_texts("q"), over_texts("r", state=State("retired")))
    assert p.entry() == PolicyLoaded(p.digest, "p", "1", {rule.id: rule.digest for rule in p.rules}, ("r",))


def test_every_problem_is_found_however_wrong_the_rest_is() -> None:
    wrong = policy(
        Rule("a", {}), over_texts("a", act={"low": ()}), over_texts("b", act={"nobody": (Act("flag"),)}), tiers=(), version=""
    )
    assert len(found(wrong)) >= 6


def test_a_policy_may_be_rolled_back_and_another_rule_may_not_take_the_id() -> None:
    first = policy(over_texts("r"))
    history = [first.entry(), policy(over_texts("s")).entry()]
    assert reused(first, history) == []
    (problem,) = reused(policy(over_texts("r", definition="Asks for something else.")), history)
    assert "cannot come back" in problem.text
