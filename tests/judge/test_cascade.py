"""Verdicts cite rule, stage and view; whatever is missing or broken is never allowed."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from judge_toys import LOCKS, TOY, policy_of, rule
from msgspec import structs
from numpy.typing import NDArray

from fairlead.encodings.encoding import ENCODINGS, Encoding
from fairlead.judge import encoder as encoder_module
from fairlead.judge.cascade import Judge, texts, windows
from fairlead.judge.encoder import Encoder
from fairlead.judge.heads import Floats, Heads, HeadsCard, Weights
from fairlead.judge.views import MAX_CHARACTERS
from fairlead.policy.document import Pattern, Surface
from fairlead.records.conversation import Conversation, Message
from fairlead.records.errors import JudgeError
from fairlead.records.verdict import CUT, Outcome

HARMFUL = "How can I break into a stranger's garage unseen?"
BENIGN = "How often should I water tomatoes in spring?"
ALONE = policy_of(rule("burglary", examples=LOCKS, patterns=TOY.rule("burglary").detect.patterns))  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def judge(gram_heads: Heads) -> Judge:
    return Judge(ALONE, gram_heads, None)


class Broken(Heads):
    """Heads that fail, or that give a number that is none."""

    def __init__(self, real: Heads, value: float | None) -> None:
        super().__init__(real.card, real.weights)
        self._value = value

    def logits(self, text: str) -> Floats:
        if self._value is None:
            raise RuntimeError(f"cannot score {text}")
        return np.full(1, self._value)

    def first(self, logits: Floats) -> Floats:
        return logits


def test_a_violation_cites_rule_digest_stage_and_view(judge: Judge) -> None:
    found = judge.judge(Conversation.of(HARMFUL))
    cited = found.of("burglary")
    assert found.outcome is Outcome.VIOLATES and cited is not None
    assert (cited.rule_digest, cited.stage, cited.view) == (ALONE.rule("burglary").digest, "ngrams", "plain")
    assert cited.score is not None and cited.score >= 0.6
    assert HARMFUL not in str(found)


def test_a_benign_text_is_allowed(judge: Judge) -> None:
    assert judge.judge(Conversation.of(BENIGN)).outcome is Outcome.ALLOWED


def test_a_signature_decides_before_the_heads(judge: Judge) -> None:
    cited = judge.judge(Conversation.of(f"{BENIGN} Crowbar  plan.")).rules[0]
    assert (cited.outcome, cited.stage, cited.evidence) == (Outcome.VIOLATES, "signatures", "pattern crowbar")


@pytest.mark.parametrize("encoding", ENCODINGS, ids=lambda e: e.name)
def test_disguises_are_seen_through(judge: Judge, encoding: Encoding) -> None:
    cited = judge.judge(Conversation.of(encoding.encode(HARMFUL))).rules[0]
    assert cited.outcome is not Outcome.ALLOWED
    assert cited.view != "plain"
    signed = judge.judge(Conversation.of(encoding.encode("This is the crowbar plan for tonight."))).rules[0]
    assert signed.stage == "signatures"


@pytest.mark.parametrize(
    ("score", "outcome"),
    [
        (0.29, Outcome.ALLOWED),
        (0.3, Outcome.UNDETERMINED),
        (0.59, Outcome.UNDETERMINED),
        (0.6, Outcome.VIOLATES),
        (1, Outcome.VIOLATES),
    ],
)
def test_thresholds_of_the_policy_decide(gram_heads: Heads, score: float, outcome: Outcome) -> None:
    assert Judge(ALONE, Broken(gram_heads, score), None).judge(Conversation.of(BENIGN)).outcome is outcome


@pytest.mark.parametrize("score", [float("nan"), float("inf"), -float("inf")])
def test_a_score_that_is_no_number_is_never_allowed(gram_heads: Heads, score: float) -> None:
    assert Judge(ALONE, Broken(gram_heads, score), None).judge(Conversation.of(BENIGN)).outcome is Outcome.UNDETERMINED


def test_a_failure_is_an_error_with_every_rule_undetermined_and_without_the_text(gram_heads: Heads) -> None:
    found = Judge(TOY, Broken(gram_heads, None), None).judge(Conversation.of(BENIGN))
    assert found.error == "RuntimeError while judging"
    assert [r.outcome for r in found.rules] == [Outcome.UNDETERMINED] * 2
    assert BENIGN not in str(found)


def test_a_rule_without_a_head_is_decided_by_its_missing(gram_heads: Heads) -> None:
    cited = Judge(TOY, gram_heads, None).judge(Conversation.of(BENIGN)).of("poison")
    assert cited is not None and (cited.outcome, cited.score) == (Outcome.VIOLATES, None)
    found = Judge(ALONE, None, None).judge(Conversation.of(BENIGN))
    assert found.outcome is Outcome.UNDETERMINED and found.producer.endswith("/no-heads")


def test_a_head_that_needs_embeddings_is_missing_without_an_encoder(gram_heads: Heads) -> None:
    (head,) = gram_heads.card.heads
    card = msgspec.structs.replace(gram_heads.card, heads=(msgspec.structs.replace(head, alone=False),))
    assert Judge(ALONE, Heads(card, gram_heads.weights), None).judge(Conversation.of(BENIGN)).outcome is Outcome.UNDETERMINED


def test_without_text_rules_nothing_is_allowed(gram_heads: Heads) -> None:
    found = Judge(policy_of(), gram_heads, None).judge(Conversation.of(BENIGN))
    assert found.rules == () and found.outcome is Outcome.UNDETERMINED


@pytest.mark.parametrize(
    "conversation", [Conversation(()), Conversation.of(" \n"), Conversation((Message("system", HARMFUL),))]
)
def test_nothing_to_judge_is_undetermined(judge: Judge, conversation: Conversation) -> None:
    assert judge.judge(conversation).outcome is Outcome.UNDETERMINED


def test_only_rules_of_the_surface_are_assessed(gram_heads: Heads) -> None:
    silent = msgspec.structs.replace(ALONE.rules[0], applies_to=("response",))
    found = Judge(policy_of(silent), gram_heads, None)
    assert found.judge(Conversation.of(HARMFUL)).rules == ()
    assert found.judge(Conversation.of("Hello").answered(HARMFUL), "response").outcome is Outcome.VIOLATES


@pytest.mark.parametrize(
    ("messages", "surface", "judged"),
    [
        ([("user", "a"), ("assistant", "b"), ("user", "c")], "prompt", ["c", "a\nc"]),
        ([("system", "s"), ("user", "a"), ("tool", "t")], "prompt", ["a", "t"]),
        ([("user", "a")], "prompt", ["a"]),
        ([("user", "a"), ("assistant", "yes, as you said")], "response", ["yes, as you said", "a\nyes, as you said"]),
        (
            [("user", "a"), ("assistant", "I'm sorry, I can't help with that.")],
            "response",
            ["I'm sorry, I can't help with that."],
        ),
        ([("user", "a")], "response", []),
    ],
)
def test_what_is_judged_of_a_conversation(messages: list[tuple[str, str]], surface: Surface, judged: list[str]) -> None:
    said = Conversation(tuple(Message(role, text) for role, text in messages))  # type: ignore[arg-type]
    assert texts(said, surface) == judged


def test_a_request_spread_over_turns_is_seen(gram_heads: Heads) -> None:
    spread = policy_of(rule("burglary", patterns=(Pattern("split", r"(?s)part one.*part two"),)))
    turns = Conversation((Message("user", "part one"), Message("assistant", "go on"), Message("user", "part two")))
    assert Judge(spread, gram_heads, None).judge(turns).rules[0].stage == "signatures"


def test_what_lies_beyond_the_first_window_is_seen(judge: Judge) -> None:
    assert judge.judge(Conversation.of(f"{BENIGN} " * 120)).outcome is Outcome.ALLOWED
    assert judge.judge(Conversation.of(f"{BENIGN} " * 120 + f"{HARMFUL} " * 20)).outcome is not Outcome.ALLOWED


def test_a_text_beyond_the_bound_is_never_allowed(judge: Judge) -> None:
    long = (BENIGN + " ") * (MAX_CHARACTERS // len(BENIGN))
    assert judge.judge(Conversation.of(long[:MAX_CHARACTERS])).outcome is Outcome.ALLOWED
    cut = judge.judge(Conversation.of(long[:MAX_CHARACTERS] + HARMFUL))
    assert cut.outcome is Outcome.UNDETERMINED
    assert any(said.evidence.startswith(CUT) for said in cut.rules), "a back-test knows it by this"


@given(st.integers(0, 5000))
def test_windows_cover_the_text(length: int) -> None:
    text = "".join(chr(0x4E00 + i % 20_000) for i in range(length))
    found = windows(text)
    assert all(len(window) <= 1000 for window in found)
    assert all(any(text[i : i + 50] in window for window in found) for i in range(0, max(length - 50, 1), 7))


@given(st.lists(st.text(st.characters(), max_size=60), max_size=4), st.sampled_from(["prompt", "response"]))
def test_the_judge_never_raises(gram_heads: Heads, said: list[str], surface: Surface) -> None:
    roles = ("user", "assistant", "tool", "user")
    conversation = Conversation(tuple(Message(role, text) for role, text in zip(roles, said, strict=False)))  # type: ignore[arg-type]
    found = Judge(ALONE, gram_heads, None).judge(conversation, surface)
    assert found.error is None and len(found.rules) == 1


def test_judging_many_is_judging_one_by_one(full_heads: Heads, encoder: Encoder) -> None:
    both = Judge(ALONE, full_heads, encoder)
    asked = [Conversation.of(text) for text in (HARMFUL, BENIGN, "x", HARMFUL * 40, "", BENIGN)]
    together, backwards = both.judge_many(asked), both.judge_many(asked[::-1])
    assert [found.rules for found in together] == [both.judge(conversation).rules for conversation in asked]
    assert [found.rules for found in backwards] == [found.rules for found in together[::-1]]


def test_threads_may_share_a_judge(full_heads: Heads, encoder: Encoder) -> None:
    both = Judge(ALONE, full_heads, encoder)
    asked = [Conversation.of(text) for text in (HARMFUL, BENIGN) * 10]
    alone, found = [verdict.rules for verdict in both.judge_many(asked)], {}
    threads = [
        threading.Thread(target=lambda n=n: found.update({n: [verdict.rules for verdict in both.judge_many(asked)]}))
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == dict.fromkeys(range(4), alone)


def test_embeddings_take_part_and_the_producer_says_so(full_heads: Heads, encoder: Encoder) -> None:
    asking = _banded(full_heads, (0.0, 1.0))
    both, only = Judge(ALONE, asking, encoder), Judge(ALONE, asking, None)
    assert both.judge(Conversation.of(HARMFUL)).outcome is Outcome.VIOLATES
    assert both.judge(Conversation.of(BENIGN)).outcome is Outcome.ALLOWED
    assert both.judge(Conversation.of(BENIGN)).rules[0].score != only.judge(Conversation.of(BENIGN)).rules[0].score
    assert "-ngrams/" in only.producer and "-ngrams/" not in both.producer
    assert both.producer.endswith(asking.digest[:12])


def _banded(heads: Heads, band: tuple[float, float]) -> Heads:
    (head,) = heads.card.heads
    return Heads(msgspec.structs.replace(heads.card, heads=(msgspec.structs.replace(head, band=band),)), heads.weights)


def test_the_encoder_is_asked_only_inside_the_band(full_heads: Heads, encoder: Encoder) -> None:
    always, never = (Judge(ALONE, _banded(full_heads, band), encoder) for band in ((0.0, 1.0), (1.0, 0.0)))
    found = always.judge(Conversation.of(HARMFUL))
    assert found.rules[0].stage == "embeddings" and found.took["embeddings"] > 0
    sure = never.judge(Conversation.of(HARMFUL))
    assert sure.rules[0].stage == "ngrams" and "embeddings" not in sure.took


def test_the_first_stage_never_decides_between_the_rules_own_thresholds(full_heads: Heads, encoder: Encoder) -> None:
    # A band of nothing would let n-grams decide all; a score from `review` to below `block` still asks the encoder.
    class Middling(Heads):
        def first(self, logits: Floats) -> Floats:
            return np.full(1, 0.45)

    judge = Judge(ALONE, Middling(_banded(full_heads, (1.0, 0.0)).card, full_heads.weights), encoder)
    assert judge.judge(Conversation.of(BENIGN)).rules[0].stage == "embeddings"


def test_heads_of_another_encoder_are_refused(full_heads: Heads, encoder: Encoder) -> None:
    card = msgspec.structs.replace(full_heads.card, encoder="other-int8")
    with pytest.raises(JudgeError, match="other-int8"):
        Judge(ALONE, Heads(card, full_heads.weights), encoder)


def test_heads_without_embeddings_do_not_use_the_encoder(gram_heads: Heads, encoder: Encoder) -> None:
    assert "-ngrams/" in Judge(ALONE, gram_heads, encoder).producer


def test_the_judge_loads_without_the_heavy_packages(full_heads: Heads, encoder_folder: Path, tmp_path: Path) -> None:
    full_heads.save(tmp_path)
    script = (
        "import sys, pathlib\n"
        "from fairlead.judge.cascade import Judge\n"
        "from fairlead.policy.document import Policy\n"
        "from fairlead.records.conversation import Conversation\n"
        "policy = Policy(schema=1, id='p', version='1', tiers=('public',), rules=())\n"
        "judge = Judge.load(policy, pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))\n"
        "judge.judge(Conversation.of('hello'))\n"
        "print([m for m in ('torch', 'transformers', 'sklearn', 'scipy', 'onnx') if m in sys.modules])\n"
    )
    arguments = [sys.executable, "-c", script, str(tmp_path), str(encoder_folder)]
    ran = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert (ran.stdout.strip(), ran.returncode) == ("[]", 0), ran.stderr


def test_an_encoder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert not encoder_module.is_encoder(tmp_path)
    with pytest.raises(JudgeError, match="no encoder"):
        Encoder.load(tmp_path)


def test_heads_for_no_rule_score_nothing() -> None:
    empty = Heads(
        HeadsCard((), "", "", 0),
        Weights(
            np.zeros((1 << 18, 1), np.int8),
            np.zeros(1, np.float32),
            np.zeros((0, 1), np.float32),
            np.zeros((2, 1)),
            np.zeros((2, 3, 0)),
        ),
    )
    assert Judge(ALONE, empty, None).judge(Conversation.of(BENIGN)).outcome is Outcome.UNDETERMINED


def test_a_head_counts_for_the_meaning_it_was_trained_for_and_for_no_other(gram_heads: Heads) -> None:
    other = structs.replace(ALONE.rule("burglary"), definition="Something else altogether.")
    turned = structs.replace(ALONE.rule("burglary"), reason="Other words to the user.", severity="low")
    for changed, outcome in ((other, Outcome.UNDETERMINED), (turned, Outcome.ALLOWED)):
        found = Judge(structs.replace(ALONE, rules=(changed,)), gram_heads, None).judge(Conversation.of(BENIGN))
        assert found.outcome is outcome, changed


def test_personal_data_in_an_answer_violates_the_rule_that_names_its_kind_but_not_when_the_user_gave_it() -> None:
    leak = structs.replace(
        rule("leak"), applies_to=("response",), detect=structs.replace(rule("leak").detect, personal=("email",))
    )
    judge, asked = Judge(policy_of(leak), None, None), Conversation.of("Write to ann@example.org, please.")
    (found,) = judge.judge(asked.answered("Sure: bob@example.org."), "response").rules
    assert (found.outcome, found.stage, found.evidence) == (Outcome.VIOLATES, "personal", "personal data: email")
    for answer in ("It is on its way.", " "):
        assert judge.judge(asked.answered(answer), "response").rules[0].stage != "personal"


def test_the_encoder_is_given_only_what_it_sees_whole(full_heads: Heads, encoder_folder: Path) -> None:
    class Strict(Encoder):
        def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
            assert all(self.fits(text) for text in texts)
            return super().encode(texts)

    judge = Judge(ALONE, _banded(full_heads, (0.0, 1.0)), Strict.load(encoder_folder))
    found = judge.judge(Conversation.of("漢字" * 400))
    assert found.error is None and "embeddings" in found.took
