"""What was said: messages and the conversation they form."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Role = Literal["system", "user", "assistant", "tool"]


class Message(Struct, frozen=True):
    """One turn. A tool's message is untrusted content, not a request of the user's."""

    role: Role
    content: str


class Conversation(Struct, frozen=True):
    """Messages in the order they were said."""

    messages: tuple[Message, ...]

    @classmethod
    def of(cls, text: str) -> Conversation:
        """A conversation of one user message."""
        return cls((Message("user", text),))

    def answered(self, text: str) -> Conversation:
        """This conversation with the assistant's answer appended."""
        return Conversation((*self.messages, Message("assistant", text)))

    def untrusted(self) -> Conversation:
        """As a prompt is judged: whoever holds a key can write any role, so every message that is not a user's is a tool's."""
        return Conversation(tuple(Message("user" if m.role == "user" else "tool", m.content) for m in self.messages))

    def text(self, *roles: Role) -> str:
        """The contents of the messages with one of `roles` (all roles when none is given), joined by line breaks."""
        return "\n".join(m.content for m in self.messages if not roles or m.role in roles)


class Exchange(Struct, frozen=True):
    """What was asked, and all answers that the model gave to it, delivered or not."""

    asked: Conversation
    answers: tuple[str, ...] = ()

    @property
    def judged(self) -> tuple[Conversation, ...]:
        """The conversations that were judged, in the order of the decision's `signals`."""
        return self.asked.untrusted(), *(self.asked.answered(answer) for answer in self.answers)
