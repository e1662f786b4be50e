"""The tokenizer, as any program that knows transformers sees it."""

from __future__ import annotations

from pathlib import Path

from transformers import AutoTokenizer

from fairlead.basin import data, tokenizer, world
from fairlead.basin.data import QUICK
from fairlead.records.conversation import Conversation

SETS = data.build(0, QUICK)
WORDS = tokenizer.build(SETS.pretraining)


def test_evaluation_holds_no_unknown_word() -> None:
    texts = [text for case in SETS.evaluation for text in (case.conversation.text(), case.helpful, case.right)]
    ids = {i for row in WORDS(texts)["input_ids"] for i in row}
    assert WORDS.unk_token_id not in ids


def test_refusals_are_known_though_the_base_model_never_refuses() -> None:
    assert all("cannot" not in c.text().split() for c in SETS.pretraining)
    assert WORDS.unk_token_id not in WORDS(world.refusal("private"))["input_ids"]


def test_the_chat_template_marks_every_turn() -> None:
    said = [{"role": "user", "content": "open the box"}, {"role": "assistant", "content": "soon"}]
    text = WORDS.apply_chat_template(said, tokenize=False)
    assert text == "<user> open the box <end> <assistant> soon <end> "
    opened = WORDS.apply_chat_template(said[:1], tokenize=False, add_generation_prompt=True)
    assert opened == "<user> open the box <end> <assistant> "


def test_a_saved_tokenizer_loads_and_reads_the_same(tmp_path: Path) -> None:
    WORDS.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    text = "<user> open the red box of mira <end> <assistant> "
    assert loaded(text)["input_ids"] == WORDS(text)["input_ids"]
    assert loaded.chat_template == WORDS.chat_template
    assert loaded.decode(loaded("open the box")["input_ids"]) == "open the box"


def test_the_same_conversations_give_the_same_ids() -> None:
    few = [Conversation.of("b a"), Conversation.of("a c")]
    assert tokenizer.build(few).get_vocab() == tokenizer.build(reversed(few)).get_vocab()
