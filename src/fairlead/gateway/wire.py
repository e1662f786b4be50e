"""What callers write and what they read: OpenAI's forms, decoded strictly.

Only text that the judge reads may reach a model. So a request is taken apart and put together again, never forwarded as bytes:
a key that stands twice, or a field that one parser reads and another does not, cannot carry a second message past the judge.
Refused, because they hold text that nobody judges here: content parts other than text, `tools`, `functions`, `prediction`,
JSON schemas in `response_format`, tool calls in the history, and any field that is not known and holds text; `logprobs`, whose
results would hold text beside the answer. Unknown fields that hold numbers, truth values or nothing pass unchanged.
"""

from __future__ import annotations

import re
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import Struct

from fairlead.gateway.refusal import Refusal
from fairlead.personal.find import mask
from fairlead.records.conversation import Conversation, Message, Role

MOST_BODY_BYTES = 1 << 20
_MOST_MESSAGES = 256
_MOST_CHOICES = 8
_MOST_INPUTS = 32
_T = TypeVar("_T")
_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_MODEL = re.compile(r"[A-Za-z0-9_.:/-]{0,128}")
# Text in these is read by the model's server and not by the model.
_KNOWN_TEXT = frozenset(
    {"user", "stop", "service_tier", "reasoning_effort", "verbosity", "safety_identifier", "prompt_cache_key", "metadata"}
)
# Numbers and switches. Whatever else a server may read, token ids among it, could carry what the judge did not see.
_KNOWN = frozenset(
    {"temperature", "top_p", "top_k", "min_p", "max_tokens", "max_completion_tokens", "seed", "presence_penalty",
     "frequency_penalty", "repetition_penalty", "store", "logprobs", "top_logprobs", "chat_template_kwargs"}
)  # fmt: skip
# Their results would hold text beside the answer's own.
_MOST_CHARACTERS = 32_768
_MOST_QUOTED = 1_000  # characters of an error's message
_NOT_DELIVERED = frozenset({"logprobs", "top_logprobs"})
# Ours, or built anew for the model's server.
_OURS = frozenset({"model", "messages", "stream", "stream_options", "n", "response_format"})


class _Part(Struct, frozen=True, forbid_unknown_fields=True):
    type: str
    text: str


class _MessageIn(Struct, frozen=True, forbid_unknown_fields=True):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[_Part] = ""
    name: str | None = None
    tool_call_id: str | None = None

    @property
    def text(self) -> str:
        return self.content if isinstance(self.content, str) else "\n".join(part.text for part in self.content)


class _StreamOptions(Struct, frozen=True):
    include_usage: bool = False


class _Format(Struct, frozen=True, forbid_unknown_fields=True):
    type: Literal["text", "json_object"]


class _ChatIn(Struct, frozen=True):
    model: str
    messages: list[dict[str, Any]]
    stream: bool | None = False
    stream_options: _StreamOptions | None = None
    n: int | None = 1
    response_format: _Format | None = None


class _ModerationIn(Struct, frozen=True, forbid_unknown_fields=True):
    input: str | list[str]
    model: str | None = None


class ChatRequest(Struct, frozen=True):
    """A chat request that holds only what was understood.

    `judged` is what the judge reads of the prompt; `asked` the conversation as it was said; `upstream` the body for the model's
    server, without its `messages`; `messages` those of the wire form.
    """

    model: str
    judged: Conversation
    asked: Conversation
    messages: tuple[dict[str, str], ...]
    upstream: dict[str, Any]
    stream: bool = False
    include_usage: bool = False


class ModerationRequest(Struct, frozen=True):
    """Texts to be judged, each alone."""

    texts: tuple[str, ...]


def chat_request(body: bytes) -> ChatRequest:
    """Take a body apart. Raises Refusal (400) that names the field."""
    fields = _fields(body)
    asked = _converted(fields, _ChatIn)
    if not 1 <= len(asked.messages) <= _MOST_MESSAGES:
        raise _bad(f"`messages` has {len(asked.messages)} entries; send 1 to {_MOST_MESSAGES}", "messages")
    if not _MODEL.fullmatch(asked.model):
        raise _bad("`model` must have at most 128 letters, digits or . : / _ -", "model")
    n = 1 if asked.n is None else asked.n
    if not 1 <= n <= _MOST_CHOICES:
        raise _bad(f"`n` must be 1 to {_MOST_CHOICES}", "n")
    messages = [_message(message, i) for i, message in enumerate(asked.messages)]
    _short_enough(sum(len(message.text) for message in messages), "messages")
    if not any(message.text.strip() for message in messages):
        raise _bad("no message holds text", "messages")
    passed = {key: value for key, value in fields.items() if key not in _OURS and value is not None}
    for key, value in passed.items():
        if key in _NOT_DELIVERED and value:
            raise _bad(f"`{key}` is not supported in this version: an answer carries judged text only", key)
        if not (_plain_text(value) if key in _KNOWN_TEXT else key in _KNOWN and _textless(value)):
            raise _bad(f"the field {key[:64]!r} is not known to be harmless in this version; leave it out", key[:64])
    if asked.response_format is not None:
        passed["response_format"] = {"type": asked.response_format.type}
    conversation = Conversation(tuple(Message(_role(m.role), m.text) for m in messages))
    return ChatRequest(
        model=asked.model,
        judged=conversation.untrusted(),
        asked=conversation,
        messages=tuple(_wire_message(m) for m in messages),
        upstream={**passed, "model": asked.model, "n": n, "stream": False},
        stream=bool(asked.stream),
        include_usage=asked.stream_options is not None and asked.stream_options.include_usage,
    )


def moderation_request(body: bytes) -> ModerationRequest:
    """Take a body apart. Raises Refusal (400) that names the field."""
    asked = _converted(_fields(body), _ModerationIn)
    texts = (asked.input,) if isinstance(asked.input, str) else tuple(asked.input)
    if not 1 <= len(texts) <= _MOST_INPUTS:
        raise _bad(f"`input` has {len(texts)} texts; send 1 to {_MOST_INPUTS}", "input")
    _short_enough(sum(map(len, texts)), "input")
    return ModerationRequest(texts)


def error_body(refusal: Refusal, request: str, notice: str = "") -> bytes:
    """OpenAI's error form, with the rule and the request's id beside it.

    A message may quote the request or the model's server, so it is masked; a rule's own words are the policy's, and may hold a
    number to call.
    """
    kind = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}.get(refusal.status)
    error = {
        "message": (refusal.message if refusal.cause == "rule" else _quoted(refusal.message)) + notice,
        "type": kind or ("invalid_request_error" if refusal.status < 500 else "server_error"),
        "code": refusal.code,
        "param": refusal.param and _quoted(refusal.param),
        "rule": refusal.rule,
        "request_id": request,
    }
    return msgspec.json.encode({"error": error})


def _quoted(message: str) -> str:
    """Masked; a long one, which quotes a long value, is cut between words first, so that no half of a secret is left."""
    if len(message) > _MOST_QUOTED:
        message = f"{message[:_MOST_QUOTED].rpartition(' ')[0]} …"
    return mask(message)


def _fields(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.ValidationError as error:
        raise _bad("the body must be a JSON object") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _bad("the body is not JSON in UTF-8") from error


def _converted(value: dict[str, Any], kind: type[_T], at: str = "") -> _T:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at `$")
        param = (at + where.rstrip("`")).lstrip(".") or None
        raise _bad(f"{message}{f' (in `{param}`)' if param else ''}", param) from error


def _message(fields: dict[str, Any], i: int) -> _MessageIn:
    at = f"messages[{i}]"
    for part in fields["content"] if isinstance(fields.get("content"), list) else ():
        kind = part.get("type") if isinstance(part, dict) else None
        if kind != "text":
            raise _bad(f"a content part of another type than `text` cannot be judged in this version (in `{at}.content`)", at)
    # Clients send a model's answer back with its empty fields.
    message = _converted({key: value for key, value in fields.items() if value is not None and value != []}, _MessageIn, at)
    for name in (message.name, message.tool_call_id):
        if name is not None and not _NAME.fullmatch(name):
            raise _bad("a name or id must have 1 to 64 letters, digits or . : _ -", at)
    return message


def _wire_message(message: _MessageIn) -> dict[str, str]:
    """A name is not passed on: some templates show it to the model, and the judge did not read it."""
    wire = {"role": message.role, "content": message.text}
    if message.tool_call_id is not None:
        wire["tool_call_id"] = message.tool_call_id
    return wire


def _role(role: str) -> Role:
    return "system" if role == "developer" else role  # type: ignore[return-value]  # decoded as one of them


def _plain_text(value: Any) -> bool:
    """A text, a list of texts, or names with texts: nothing deeper."""
    if isinstance(value, list):
        return all(isinstance(item, str) for item in value)
    if isinstance(value, dict):
        return all(isinstance(item, str) for item in value.values())
    return value is None or isinstance(value, str)


def _textless(value: Any) -> bool:
    """No text anywhere but in short names of fields."""
    if isinstance(value, dict):
        return all(_NAME.fullmatch(key) and _textless(item) for key, item in value.items())
    if isinstance(value, list):
        return all(_textless(item) for item in value)
    return not isinstance(value, str)


def _short_enough(characters: int, param: str) -> None:
    """Judging takes time in proportion to the text, and one caller's must not stop the others."""
    if characters > _MOST_CHARACTERS:
        raise _bad(f"`{param}` holds {characters} characters; at most {_MOST_CHARACTERS} are judged at once", param)


def _bad(message: str, param: str | None = None) -> Refusal:
    return Refusal(400, "invalid_request", message, cause="input", param=param)
