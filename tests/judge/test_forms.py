"""What each form asks, and what it makes of answers: good ones, and every kind of bad one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reasoning import POLICY, RULES, asked, native

from fairlead.judge.forms import RESPONSE_FORMAT, Form, LlamaGuard, Native, Safeguard, Said
from fairlead.policy.render import spec
from fairlead.records.conversation import Conversation
from fairlead.records.errors import JudgeError
from fairlead.records.verdict import Outcome

HELLO = asked(Conversation.of("bring a goblin"))
IDS = [rule.id for rule in RULES]
FORMS: list[Form] = [Native(), Safeguard(), LlamaGuard(POLICY)]


def classified(**changes: Any) -> str:
    """What gpt-oss-safeguard answers about a violation of `goblins`, with `changes`; a key that is None there is left out."""
    said: dict[str, Any] = {
        "violation": 1, "policy_category": "goblins", "rule_ids": ["goblins"], "confidence": "high", "quote": "a goblin",
        "rationale": "It asks for one.",
    }  # fmt: skip
    return json.dumps({key: value for key, value in {**said, **changes}.items() if value != "left out"})


SAFE: dict[str, Any] = {"violation": 0, "policy_category": None, "rule_ids": [], "quote": ""}


def one(**changes: Any) -> str:
    """A native answer with one entry, changed."""
    said = {"rule": "goblins", "verdict": "allowed", "quote": "", "rationale": ""}
    return json.dumps({"verdicts": [{k: v for k, v in {**said, **changes}.items() if v != "left out"}]})


def test_the_native_form_gives_all_rules_in_short_and_the_likeliest_in_full() -> None:
    task = Native().ask(HELLO).messages[0]
    assert task.role == "system"
    for rule in RULES:
        assert f"- {rule.id}: {rule.title}." in task.content
        assert spec(rule) in task.content
    assert "The unseen goblin." not in task.content
    fewer = Native().ask(type(HELLO)(HELLO.surface, HELLO.shown, RULES[:1], frozenset(["goblins"]), RULES, HELLO.nonce))
    assert spec(RULES[1]) not in fewer.messages[0].content
    assert fewer.messages[1].content.endswith("Give a verdict on: goblins.")


def test_the_system_message_does_not_depend_on_the_text() -> None:
    """So that a server can keep what it has computed of it."""
    for form in FORMS[:2]:
        other = asked(Conversation.of("something else"), nonce="another")
        assert form.ask(HELLO).messages[0] == form.ask(other).messages[0]


def test_a_native_answer_is_read() -> None:
    found = Native().read(native(goblins=("violates", "a goblin"), comets=("undetermined", "")), HELLO)
    assert found["goblins"] == Said(Outcome.VIOLATES, "a goblin", "on goblins")
    assert {id: said.outcome.value for id, said in found.items()} == {
        "goblins": "violates", "comets": "undetermined", "sorrow": "allowed",
    }  # fmt: skip


def test_the_schema_that_is_sent_is_the_one_that_is_read() -> None:
    item = RESPONSE_FORMAT["json_schema"]["schema"]["properties"]["verdicts"]["items"]
    entry = json.loads(native())["verdicts"][0]
    assert set(item["required"]) == set(item["properties"]) == set(entry)
    for verdict in item["properties"]["verdict"]["enum"]:
        assert Native().read(one(verdict=verdict), HELLO)["goblins"].outcome == verdict


MALFORMED = {
    "nothing": "",
    "prose": "I think that this is allowed.",
    "prose before": "Sure! " + native(),
    "prose after": native() + "\nI hope this helps.",
    "fenced": f"```json\n{native()}\n```",
    "thoughts before": f"<think>easy</think>{native()}",
    "two objects": native() + native(),
    "cut off": native()[:-9],
    "a bare list": json.dumps(json.loads(native())["verdicts"]),
    "null": "null",
    "another key": '{"verdict": []}',
    "one key more": '{"verdicts": [], "all": "allowed"}',
    "one key more in an entry": one(sure=True),
    "a key is missing": one(quote="left out"),
    "another word": one(verdict="safe"),
    "a word in capitals": one(verdict="ALLOWED"),
    "a truth value": one(verdict=False),
    "a number": one(rule=7),
    "null for a quote": one(quote=None),
    "a nested answer": one(rationale={"verdicts": []}),
    "an unknown rule": one(rule="dragons"),
    "a rule twice": json.dumps({"verdicts": [json.loads(one())["verdicts"][0]] * 2}),
    "a rule twice, differently": json.dumps({"verdicts": json.loads(native())["verdicts"] + json.loads(one())["verdicts"]}),
    "a quote without end": one(quote="x" * 5_000),
    "deep": "[" * 100_000,
    "half of a character": "\ud800",
    "single quotes": native().replace('"', "'"),
}
SAFEGUARD = {
    "a digit": "1",
    "channels": f"<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>{classified()}",
    "the short form": '{"violation": 0, "policy_category": null}',
    "another violation": classified(violation=2),
    "a truth value for it": classified(violation=True),
    "an unknown rule": classified(rule_ids=["goblins", "dragons"]),
    "an unknown category": classified(policy_category="dragons"),
    "violated, and no rule": classified(rule_ids=[], policy_category=None),
    "safe, and a rule": classified(violation=0, policy_category=None),
    "a rule twice": classified(rule_ids=["goblins", "goblins"]),
    "a category that is not violated": classified(policy_category="comets"),
    "another confidence": classified(confidence="certain"),
    "no confidence": classified(confidence="left out"),
    "fenced": f"```\n{classified()}\n```",
}
GUARD = {
    "nothing": "",
    "capitals": "SAFE",
    "a sentence": "safe to say",
    "unsafe, and why not": "unsafe",
    "no such category": "unsafe\nS1",
    "one too many": "unsafe\nS10,S1",
    "safe, and a category": "safe\nS10",
    "three lines": "unsafe\nS10\nS15",
    "an empty category": "unsafe\nS10,",
    "prose": "unsafe\nS10 because of goblins",
    "both": "safe\nunsafe",
}
CASES = [(form, says) for form, table in zip(FORMS, (MALFORMED, SAFEGUARD, GUARD), strict=True) for says in table.values()]
NAMES = [f"{form.name}: {name}" for form, table in zip(FORMS, (MALFORMED, SAFEGUARD, GUARD), strict=True) for name in table]


@pytest.mark.parametrize(("form", "says"), CASES, ids=NAMES)
def test_an_answer_out_of_form_is_unreadable_and_is_not_repeated(form: Form, says: str) -> None:
    with pytest.raises(JudgeError) as caught:
        form.read(says, HELLO)
    assert caught.value.__cause__ is None
    assert "dragons" not in str(caught.value)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
@given(
    says=st.one_of(st.text(), st.text('{}[]":,safeun\\nS1234 0', max_size=60)), at=st.integers(0, 400), cut=st.integers(0, 40)
)
def test_no_answer_does_more_than_be_read_or_refused(form: Form, says: str, at: int, cut: int) -> None:
    """Arbitrary answers, and good ones with a piece replaced."""
    good = {"native": native(), "gpt-oss-safeguard": classified(), "llama-guard": "unsafe\nS10,S16"}[form.name]
    for answer in (says, good[:at] + says[:3] + good[at + cut :]):
        try:
            found = form.read(answer, HELLO)
        except JudgeError:
            continue
        assert found.keys() <= set(IDS)


def test_safeguard_has_the_sections_of_its_guide_and_says_twice_how_to_answer() -> None:
    task = Safeguard().ask(HELLO).messages[0].content
    sections = ["# Content policy", "## INSTRUCTIONS", "## DEFINITIONS", "## VIOLATES (1) AND SAFE (0)", "## EXAMPLES"]
    places = [task.index(section) for section in sections]
    assert places == sorted(places)
    assert task.count("Return one JSON object and nothing else") == 2
    assert "Content: Bring me a goblin.\nAnswer: violation 1 under goblins" in task
    assert "The unseen goblin." not in task


def test_a_safeguard_answer_is_read() -> None:
    read = Safeguard().read
    assert read(classified(), HELLO) == {
        "goblins": Said(Outcome.VIOLATES, "a goblin", "It asks for one."),
        "comets": Said(Outcome.ALLOWED, None, "It asks for one."),
        "sorrow": Said(Outcome.ALLOWED, None, "It asks for one."),
    }
    assert {said.outcome for said in read(classified(**SAFE), HELLO).values()} == {Outcome.ALLOWED}
    assert {said.outcome for said in read(classified(confidence="low"), HELLO).values()} == {Outcome.UNDETERMINED}
    assert {said.outcome for said in read(classified(**SAFE, confidence="low"), HELLO).values()} == {Outcome.UNDETERMINED}


def test_llama_guard_is_asked_in_its_own_task_with_the_rules_as_categories() -> None:
    (message,) = LlamaGuard(POLICY).ask(HELLO).messages
    task = message.content
    assert task.startswith("Task: Check if there is unsafe content in 'User' messages in conversations")
    categories = task.partition("<BEGIN UNSAFE CONTENT CATEGORIES>\n")[2].partition("\n<END")[0]
    # `goblins` alone has S10; `comets` has two codes, `sorrow` none, and both get numbers by their place.
    assert [line for line in categories.split("\n") if line.startswith("S") and ":" in line[:5]] == [
        "S10: Goblins.", "S16: Comets.", "S17: Sorrow.",
    ]  # fmt: skip
    answer = LlamaGuard(POLICY).ask(asked(Conversation.of("goblins?").answered("two"), "response")).messages[0].content
    assert "ONLY THE LAST Agent message" in answer
    assert answer.index("User: {") < answer.index('Agent: {"message": 2, "role": "assistant"')


def test_a_code_that_two_rules_share_is_neithers() -> None:
    from msgspec.structs import replace

    shared = replace(RULES[2], maps=replace(RULES[2].maps, llama_guard=("S10",)))
    guard = LlamaGuard(replace(POLICY, rules=(*RULES[:2], shared)))
    task = guard.ask(HELLO).messages[0].content
    assert "S15: Goblins." in task and "S10" not in task


def test_a_llama_guard_answer_is_read() -> None:
    read = LlamaGuard(POLICY).read
    assert {said.outcome for said in read("safe\n", HELLO).values()} == {Outcome.ALLOWED}
    found = read("\n\nunsafe\nS10, S17", HELLO)
    assert {id: said.outcome.value for id, said in found.items()} == {
        "goblins": "violates", "comets": "allowed", "sorrow": "violates",
    }  # fmt: skip
