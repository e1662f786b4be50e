"""A model in a transformers folder on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from msgspec import Struct
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from fairlead.models import sampler
from fairlead.models.template import render
from fairlead.records.canonical import digest
from fairlead.records.conversation import Conversation
from fairlead.records.errors import InputError, UpstreamError
from fairlead.records.streams import key

_UNFINISHED = "\ufffd"  # what a decoder puts for a part of a character


class Piece(Struct, frozen=True):
    """The next part of an answer, and how many tokens the answer has so far."""

    text: str
    tokens: int


class Local:
    """Answers conversations with a causal model and its tokenizer."""

    def __init__(self, model: Any, tokenizer: Any, name: str) -> None:
        """`model` and `tokenizer` as transformers gives them; `model` is set to evaluation."""
        self.model, self.tokenizer, self.name = model.eval(), tokenizer, name

    @classmethod
    def load(cls, folder: Path) -> Local:
        """The model saved in `folder`. Raises InputError when it holds none."""
        if not (folder / "config.json").is_file():
            raise InputError(f"{str(folder)!r} holds no model; name a folder with config.json, weights and tokenizer files")
        disable_progress_bar()  # type: ignore[no-untyped-call]  # the library's own; who calls shows progress, or not
        try:
            model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True)
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            raise InputError(f"the model in {str(folder)!r} cannot be loaded: {error}; save it again, whole") from error
        return cls(model, tokenizer, folder.resolve().name)

    async def answer(self, conversation: Conversation, *, max_tokens: int, temperature: float = 0.0) -> str:
        """The answer to one conversation. Above temperature 0 the draws depend on the conversation alone.

        Raises UpstreamError when the conversation leaves no room for `max_tokens`.
        """
        ids = self._room(self.encode(conversation), max_tokens)
        return await asyncio.to_thread(lambda: "".join(p.text for p in self.pieces(ids, max_tokens, temperature)))

    def answer_many(self, conversations: Sequence[Conversation], max_tokens: int, batch: int = 128) -> list[str]:
        """The greedy answers, in the order of the conversations. Those of like length share a batch.

        Raises UpstreamError when a conversation leaves no room for `max_tokens`.
        """
        encoded = [self._room(self.encode(c), max_tokens) for c in conversations]
        order = sorted(range(len(encoded)), key=lambda i: len(encoded[i]))
        answers: dict[int, str] = {}
        for start in range(0, len(order), batch):
            rows = order[start : start + batch]
            ids, mask = _left_padded([encoded[i] for i in rows], self.model.device)
            steps = list(sampler.tokens(self.model, ids, mask, max_tokens=max_tokens, end=self.end_tokens))
            said = torch.stack(steps, 1).tolist() if steps else [[] for _ in rows]
            answers.update((i, self._text([t for t in row if t >= 0])) for i, row in zip(rows, said, strict=True))
        return [answers[i] for i in range(len(encoded))]

    def pieces(self, ids: Sequence[int], max_tokens: int, temperature: float = 0.0) -> Iterator[Piece]:
        """The answer to one encoded conversation as it is made; the texts joined are the answer.

        An answer of `max_tokens` tokens was cut off.
        """
        rows, mask = _left_padded([ids], self.model.device)
        draws = torch.Generator(self.model.device).manual_seed(key(0, "sample", digest(ids)) >> 1)
        said: list[int] = []
        given = ""
        for step in sampler.tokens(
            self.model, rows, mask, max_tokens=max_tokens, end=self.end_tokens, temperature=temperature, generator=draws
        ):
            said.append(int(step[0]))
            text = self._text(said)
            # A token may hold a part of a character only: wait for the rest of it.
            whole = text.startswith(given) and (len(said) == max_tokens or not text.endswith(_UNFINISHED))
            yield Piece(text[len(given) :] if whole else "", len(said))
            given = text if whole else given
        if (text := self._text(said)) != given:
            yield Piece(text[len(given) :], len(said))

    def encode(self, conversation: Conversation) -> list[int]:
        """The tokens of the conversation with the assistant's turn opened."""
        text = render(self.tokenizer, conversation, open_answer=True)
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    @property
    def longest(self) -> int:
        """The tokens that prompt and answer may have together."""
        most: int = self.model.config.max_position_embeddings
        return most

    @property
    def end_tokens(self) -> frozenset[int]:
        """The tokens that end an answer."""
        ends = self.model.generation_config.eos_token_id
        ends = ends if isinstance(ends, list) else [ends]
        return frozenset(e for e in (*ends, self.tokenizer.eos_token_id) if e is not None)

    def _room(self, ids: list[int], max_tokens: int) -> list[int]:
        if len(ids) + max_tokens > self.longest:
            raise UpstreamError(
                f"a conversation of {len(ids)} tokens and an answer of {max_tokens} are more than the {self.longest} that "
                f"{self.name} takes; send less"
            )
        return ids

    def _text(self, ids: Sequence[int]) -> str:
        text: str = self.tokenizer.decode(ids, skip_special_tokens=True)
        return text


def _left_padded(rows: Sequence[Sequence[int]], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and mask of shape (rows, longest), padded on the left with 0, which the mask hides."""
    longest = max(len(row) for row in rows)
    ids = torch.tensor([[0] * (longest - len(row)) + list(row) for row in rows], device=device)
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows], device=device)
    return ids, mask
