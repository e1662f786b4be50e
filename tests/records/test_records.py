"""The shared vocabulary: equal values give equal bytes, streams depend on their names, the worst verdict counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.policy.act import Act
from fairlead.records.canonical import canonical, digest
from fairlead.records.conversation import Conversation, Message
from fairlead.records.streams import key, stream
from fairlead.records.verdict import Outcome, RuleVerdict, Verdict


def test_canonical_bytes_do_not_depend_on_the_order_of_keys() -> None:
    assert (
        canonical({"b": 1, "a": [Act("strike(2)")]}) == b'{"a":["strike(2)"],"b":1}' == canonical({"a": ["strike(2)"], "b": 1})
    )
    assert digest({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    with pytest.raises(NotImplementedError):
        canonical(object())


@given(st.integers(), st.lists(st.text(max_size=5) | st.integers(), max_size=4), st.lists(st.text(max_size=5), max_size=4))
def test_streams_depend_on_seed_and_names_alone(seed: int, names: list[str | int], others: list[str]) -> None:
    first = stream(seed, *names).random()
    stream(seed, *others).random()
    assert stream(seed, *names).random() == first
    assert 0 <= key(seed, *names) < 2**64


def test_a_known_stream() -> None:
    assert key(0, "poison", "x") == 0x50FE58DDA1358886
    assert key(0, "a", "b") != key(0, "b", "a") != key(1, "a", "b")


@pytest.mark.parametrize(
    ("outcomes", "error", "overall"),
    [
        (("allowed", "violates", "undetermined"), None, "violates"),
        (("allowed", "undetermined"), None, "undetermined"),
        (("allowed", "allowed"), None, "allowed"),
        ((), None, "undetermined"),
        (("allowed",), "crashed", "undetermined"),
    ],
)
def test_the_worst_rule_counts_and_nothing_judged_is_never_allowed(
    outcomes: tuple[str, ...], error: str | None, overall: str
) -> None:
    verdict = Verdict(tuple(RuleVerdict(f"r{i}", "d", Outcome(o)) for i, o in enumerate(outcomes)), "j", error)
    assert verdict.outcome == overall
    assert verdict.of("r9") is None


def test_a_conversation_gives_the_words_of_whom_one_asks_for() -> None:
    said = Conversation((Message("user", "a"), Message("tool", "b"))).answered("c")
    assert said.text() == "a\nb\nc"
    assert said.text("user", "assistant") == "a\nc"
    assert Conversation.of("x").messages == (Message("user", "x"),)
