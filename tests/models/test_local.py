"""A local model: batched answers are those of one at a time without a cache, and pieces join to the answer."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import torch

from fairlead.align import supervised
from fairlead.models import sampler
from fairlead.models.chat import Chat
from fairlead.models.local import Local
from fairlead.records.conversation import Conversation, Message
from fairlead.records.errors import InputError, UpstreamError

ASKED = [
    Conversation.of("say a"),
    Conversation((Message("system", "say say"), Message("user", "say b"))),
    Conversation.of("say many times a"),
    Conversation.of("d"),
    Conversation.of("say c"),
]


def slow(model: Local, conversation: Conversation, max_tokens: int) -> str:
    """One at a time, the whole text again for each token."""
    ids, said = model.encode(conversation), []
    while len(said) < max_tokens:
        with torch.inference_mode():
            token = int(model.model(torch.tensor([[*ids, *said]])).logits[0, -1].argmax())
        if token in model.end_tokens:
            break
        said.append(token)
    text: str = model.tokenizer.decode(said, skip_special_tokens=True)
    return text


def test_it_is_a_chat(parrot: Local) -> None:
    chat: Chat = parrot
    assert chat.name == "parrot"
    assert asyncio.run(chat.answer(Conversation.of("say b"), max_tokens=8)) == "b b b"


@pytest.mark.parametrize("batch", [1, 2, 128])
def test_batches_agree_with_the_slow_way(parrot: Local, batch: int) -> None:
    wanted = [slow(parrot, conversation, 12) for conversation in ASKED]
    assert wanted[0] == "a a" and wanted[4] == "c"
    assert parrot.answer_many(ASKED, 12, batch) == wanted


def test_an_answer_is_cut_at_max_tokens(parrot: Local) -> None:
    assert parrot.answer_many([Conversation.of("say d"), Conversation.of("say c")], 2) == ["d d", "c"]


def test_a_conversation_that_is_too_long_is_an_error(parrot: Local) -> None:
    long = Conversation.of("say " * 500)
    with pytest.raises(UpstreamError, match="503 tokens"):
        asyncio.run(parrot.answer(long, max_tokens=10))
    with pytest.raises(UpstreamError, match="more than the 512"):
        parrot.answer_many([ASKED[0], long], 10)


def test_no_conversation_no_answer(parrot: Local) -> None:
    assert parrot.answer_many([], 5) == []


def test_pieces_join_to_the_answer_and_count_tokens(parrot: Local) -> None:
    pieces = list(parrot.pieces(parrot.encode(Conversation.of("say many times a")), 32))
    assert "".join(p.text for p in pieces) == "a b c d a b c d a b"
    assert [p.tokens for p in pieces] == list(range(1, 11))


def test_generation_stops_when_every_row_has_ended(parrot: Local) -> None:
    calls = 0

    def counted(**arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        return parrot.model(**arguments)

    ids = torch.tensor([parrot.encode(Conversation.of(f"say {w}")) for w in "ca"])
    steps = list(sampler.tokens(counted, ids, torch.ones_like(ids), max_tokens=50, end=parrot.end_tokens))
    assert calls == 3
    assert torch.stack(steps, 1)[0, 1] == -1


def test_the_callers_mode_is_left_alone_between_pieces(parrot: Local) -> None:
    pieces = parrot.pieces(parrot.encode(Conversation.of("say d")), 8)
    next(pieces)
    assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()


def test_warm_draws_depend_on_the_conversation_alone(parrot: Local) -> None:
    def drawn(text: str, temperature: float) -> str:
        return asyncio.run(parrot.answer(Conversation.of(text), max_tokens=16, temperature=temperature))

    assert drawn("say d", 50.0) == drawn("say d", 50.0) != drawn("say a", 50.0)
    assert drawn("say d", 50.0) != drawn("say d", 0.0) == drawn("say d", 0.01)


def test_a_saved_model_answers_the_same(parrot: Local, tmp_path: Path) -> None:
    supervised.save(parrot.model, parrot.tokenizer, tmp_path / "bird")
    loaded = Local.load(tmp_path / "bird")
    assert loaded.name == "bird"
    assert loaded.answer_many(ASKED, 12) == parrot.answer_many(ASKED, 12)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no model"):
        Local.load(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="cannot be loaded"):
        Local.load(tmp_path)
