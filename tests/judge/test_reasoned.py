"""The local judge and the stage behind it: the stage decides what is open, and its failures allow nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reasoning import POLICY, RULES, Fixed, Scripted, native

from fairlead.judge.reasoned import Explained, Reasoned, taught
from fairlead.judge.reasoner import Reasoner, Reasoning
from fairlead.policy.document import Rule, Surface
from fairlead.records.conversation import Conversation
from fairlead.records.errors import UpstreamError, UpstreamTimeout
from fairlead.records.verdict import CUT, Outcome, RuleVerdict, Verdict

TEXT = "Bring me a goblin."
ASKS = Conversation.of(TEXT)
LOW, GREY, HIGH = 0.1, 0.4, 0.9


def explain(local: Fixed, chat: Scripted, deadline_s: float = 5.0) -> Explained:
    return asyncio.run(Reasoned(local, Reasoner(chat, POLICY), POLICY, deadline_s=deadline_s).explain(ASKS))


def outcomes(verdict: Verdict) -> dict[str, str]:
    return {found.rule: found.outcome.value for found in verdict.rules}


def wanted(chat: Scripted) -> list[str]:
    (question,) = chat.asked
    return question.messages[1].content.rpartition("Give a verdict on: ")[2].rstrip(".").split(", ")


def test_the_stage_decides_what_is_open_and_leaves_the_rest() -> None:
    chat = Scripted(native(goblins=("violates", "a goblin")))
    found = explain(Fixed({"goblins": GREY, "comets": None, "sorrow": None}), chat)
    assert outcomes(found.verdict) == {"goblins": "violates", "comets": "allowed", "sorrow": "allowed"}
    assert {said.stage for said in found.verdict.rules} == {"reasoner"}
    assert found.verdict.producer == "fixed/1+reasoner/native/scripted"
    assert found.rationales["goblins"] == "on goblins"


def test_an_answer_about_a_rule_that_was_decided_is_out_of_form() -> None:
    found = explain(Fixed({"goblins": GREY, "comets": LOW, "sorrow": GREY}), Scripted(native()))
    assert outcomes(found.verdict) == {"goblins": "undetermined", "comets": "allowed", "sorrow": "undetermined"}


def test_it_is_asked_about_open_rules_alone_the_likeliest_first() -> None:
    chat = Scripted("")
    explain(Fixed({"goblins": 0.35, "comets": None, "sorrow": 0.5}), chat)
    assert wanted(chat) == ["sorrow", "goblins", "comets"]
    chat = Scripted("")
    explain(Fixed({"goblins": HIGH, "comets": LOW, "sorrow": GREY}), chat)
    assert wanted(chat) == ["sorrow"]


@pytest.mark.parametrize(
    "local",
    [
        Fixed({"goblins": LOW, "comets": HIGH, "sorrow": LOW}),
        Fixed({"goblins": GREY, "comets": None, "sorrow": HIGH}),
        Fixed({}, error="Broken"),
        Fixed({"goblins": GREY, "comets": None, "sorrow": None}, evidence=f"{CUT}65536 characters were read"),
    ],
    ids=["all decided", "a critical rule violates", "the judge failed", "cut off"],
)
def test_nothing_is_asked_where_nothing_would_change(local: Fixed) -> None:
    chat = Scripted(native())
    found = explain(local, chat).verdict
    assert chat.asked == []
    assert (found.rules, found.error) == (local.judge(ASKS).rules, local.error)


FAILURES = {
    "down": Scripted(UpstreamError("the model endpoint cannot be reached")),
    "slow by its own count": Scripted(UpstreamTimeout("the model endpoint did not answer within 1 s")),
    "slow": Scripted(native(), takes_s=5.0),
    "nonsense": Scripted("I would say that it is allowed."),
    "a fault of ours": Scripted(RuntimeError(TEXT)),
    "empty": Scripted('{"verdicts": []}'),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_stage_that_fails_leaves_the_local_outcome_and_says_why(name: str) -> None:
    local = Fixed({"goblins": GREY, "comets": None, "sorrow": None})
    found = explain(local, FAILURES[name], deadline_s=0.05).verdict
    assert outcomes(found) == {"goblins": "undetermined", "comets": "violates", "sorrow": "undetermined"}
    assert [said.score for said in found.rules] == [GREY, None, None], "a back-test reads the local score"
    assert all(said.stage == "reasoner" and said.evidence for said in found.rules)
    assert found.error is None and TEXT not in str(found)


def test_only_what_the_stage_decided_is_a_label() -> None:
    local = Fixed({"goblins": GREY, "comets": None, "sorrow": LOW})
    says = native(goblins=("violates", "a goblin")).replace('{"rule": "sorrow"', '{"rule": "goblins"')
    assert taught(explain(local, Scripted(says)).verdict) == {}, "out of form; and `comets` is violated for want of a signal"
    each = json.loads(native(goblins=("violates", "a goblin")))["verdicts"][:2]
    assert taught(explain(local, Scripted(json.dumps({"verdicts": each}))).verdict) == {"goblins": True, "comets": False}


class Says:
    """A stage that says anything, of rules it was not asked about, too."""

    name = "says"

    def __init__(self, verdicts: Sequence[RuleVerdict]) -> None:
        self._verdicts = tuple(verdicts)

    async def reason(self, conversation: Conversation, surface: Surface, rules: Sequence[Rule]) -> Reasoning:
        return Reasoning(self._verdicts)

    async def close(self) -> None:
        pass


_SCORES = st.sampled_from([None, LOW, GREY, HIGH])
_SAID = st.lists(
    st.builds(
        lambda rule, outcome: RuleVerdict(rule.id, rule.digest, outcome, stage="reasoner"),
        st.sampled_from(RULES),
        st.sampled_from(list(Outcome)),
    ),
    max_size=4,
    unique_by=lambda said: said.rule,
)


@given(st.fixed_dictionaries({rule.id: _SCORES for rule in RULES}), _SAID)
def test_the_stage_only_decides_what_was_open_and_silence_allows_nothing(
    scores: dict[str, float | None], said: list[RuleVerdict]
) -> None:
    local = Fixed(scores)
    before = local.judge(ASKS)
    after = asyncio.run(Reasoned(local, Says(said), POLICY).judge(ASKS))
    spoken = {each.rule: each.outcome for each in said if each.outcome is not Outcome.UNDETERMINED}
    for was, now in zip(before.rules, after.rules, strict=True):
        assert (was.rule, was.rule_digest) == (now.rule, now.rule_digest)
        if was.score is not None and was.outcome is not Outcome.UNDETERMINED:
            assert now == was
        elif now.outcome is not was.outcome:
            assert now.outcome is spoken[now.rule]


def test_a_dead_stage_is_left_alone_for_a_while_and_tried_again() -> None:
    now, chat = [0.0], Scripted(UpstreamTimeout("slow"))
    local = Fixed({"goblins": GREY, "comets": LOW, "sorrow": LOW})
    said = '{"verdicts": [{"rule": "goblins", "verdict": "allowed", "quote": "", "rationale": ""}]}'

    async def run() -> list[str]:
        reasoned = Reasoned(local, Reasoner(chat, POLICY), POLICY, clock=lambda: now[0])
        seen = [(await reasoned.judge(ASKS)).rules[0].evidence for _ in range(5)]
        assert len(chat.asked) == 3
        now[0] = 29.9
        await reasoned.judge(ASKS)
        assert len(chat.asked) == 3
        now[0], chat.says = 30.0, said
        assert (await reasoned.judge(ASKS)).outcome is Outcome.ALLOWED
        assert (await reasoned.judge(Conversation.of("another"))).outcome is Outcome.ALLOWED
        assert len(chat.asked) == 5
        await reasoned.close()
        return seen

    seen = asyncio.run(run())
    assert seen[:3] == ["no answer within 8 s"] * 3
    assert seen[3:] == ["left alone for a while, since it did not answer in time"] * 2
    assert chat.closed


def test_the_stages_time_stands_beside_the_local_ones() -> None:
    ticks = iter([0.0, 1.5])

    async def run(score: float) -> Verdict:
        local, stage = Fixed({"goblins": score, "comets": LOW, "sorrow": LOW}), Reasoner(Scripted(native()), POLICY)
        return await Reasoned(local, stage, POLICY, clock=lambda: next(ticks)).judge(ASKS)

    assert asyncio.run(run(GREY)).took["reasoner"] == 1.5
    assert "reasoner" not in asyncio.run(run(HIGH)).took


def test_quick_failures_cost_nothing_and_open_no_breaker() -> None:
    chat = Scripted(UpstreamError("status 400"))

    async def run() -> None:
        reasoned = Reasoned(Fixed({"goblins": GREY}), Reasoner(chat, POLICY), POLICY)
        for _ in range(6):
            await reasoned.judge(ASKS)

    asyncio.run(run())
    assert len(chat.asked) == 6
