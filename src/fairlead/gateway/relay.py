"""To the model's server and back: only what was judged goes either way."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from fairlead.gateway.wire import ChatRequest
from fairlead.models.endpoint import Completion, Usage

_ENDINGS = frozenset({"stop", "length", "content_filter"})


class Answer(Struct, frozen=True):
    """What will be delivered: texts that were judged, or that the policy itself wrote, with OpenAI's reason for each end."""

    texts: tuple[str, ...]
    endings: tuple[str, ...]
    usage: Usage = Usage()


def written(text: str) -> Answer:
    """An answer that the policy holds ready."""
    return Answer((text,), ("stop",))


def received(completion: Completion) -> Answer:
    """An answer of the model's."""
    return Answer(
        tuple(choice.text for choice in completion.choices),
        tuple(choice.finish_reason if choice.finish_reason in _ENDINGS else "stop" for choice in completion.choices),
        completion.usage or Usage(),
    )


def question(request: ChatRequest, care: str | None = None) -> bytes:
    """The body for the model's server; with `care`, an instruction of the policy's stands before the messages."""
    first = [] if care is None else [{"role": "system", "content": care}]
    return msgspec.json.encode({**request.upstream, "messages": [*first, *request.messages]})


def whole(request: ChatRequest, answer: Answer, id: str, created: int) -> bytes:
    """`chat.completion`."""
    choices = [
        {
            "index": i,
            "message": {"role": "assistant", "content": text, "refusal": None},
            "logprobs": None,
            "finish_reason": ending,
        }
        for i, (text, ending) in enumerate(zip(answer.texts, answer.endings, strict=True))
    ]
    return msgspec.json.encode(
        {
            "id": id,
            "object": "chat.completion",
            "created": created,
            "model": request.model,
            "choices": choices,
            "usage": answer.usage,
        }
    )


def events(request: ChatRequest, answer: Answer, id: str, created: int) -> bytes:
    """The same as server-sent events: for each choice role, content and end; usage when it was asked for; `[DONE]`."""
    head: dict[str, Any] = {"id": id, "object": "chat.completion.chunk", "created": created, "model": request.model}
    if request.include_usage:
        head["usage"] = None
    chunks = []
    for i, (text, ending) in enumerate(zip(answer.texts, answer.endings, strict=True)):
        for delta, end in (({"role": "assistant", "content": ""}, None), ({"content": text}, None), ({}, ending)):
            chunks.append({**head, "choices": [{"index": i, "delta": delta, "logprobs": None, "finish_reason": end}]})
    if request.include_usage:
        chunks.append({**head, "choices": [], "usage": answer.usage})
    return b"".join(b"data: " + msgspec.json.encode(chunk) + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"
