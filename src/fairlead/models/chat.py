"""The one protocol of a model that answers conversations."""

from __future__ import annotations

from typing import Protocol

from fairlead.records.conversation import Conversation


class Chat(Protocol):
    """A model that answers."""

    @property
    def name(self) -> str:
        """The model's name, as it stands in reports."""
        ...

    async def answer(self, conversation: Conversation, *, max_tokens: int, temperature: float = 0.0) -> str:
        """The answer to `conversation`, at most `max_tokens` tokens long; temperature 0 is greedy.

        Raises UpstreamError when the model cannot answer.
        """
        ...
