"""Replay a file of requests against a gateway, as its clients, and note what each of them got.

The clients talk at the same time, each one in the order of the file. A request that fails is an outcome too: `error`.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import aiohttp
import msgspec
from msgspec import Struct

from fairlead.records.conversation import Message
from fairlead.records.errors import InputError

_TIMEOUT_S = 90.0
_BAD_KEY = "fl_00000000_" + "0" * 48  # has the form of a key and was never issued


class Traffic(Struct, frozen=True, forbid_unknown_fields=True):
    """One line: who asks what, how often, and what they should get (`expect` is an action of the gateway's, or unknown).

    `encode` hides the last message before it is sent, so that the file can be read by people.
    """

    client: str
    tier: str
    text: str = ""
    messages: tuple[Message, ...] = ()
    stream: bool = False
    expect: str | None = None
    repeat: int = 1
    key: Literal["good", "bad"] = "good"
    encode: Literal["base64"] | None = None

    def __post_init__(self) -> None:
        """Raises ValueError unless there is exactly one of `text` and `messages`, sent at least once."""
        if bool(self.text) == bool(self.messages):
            raise ValueError("write either `text` or `messages`")
        if not 1 <= self.repeat <= 1000:
            raise ValueError(f"`repeat` is {self.repeat}; write 1 to 1000")

    @property
    def sent(self) -> tuple[Message, ...]:
        """The messages as they go over the wire."""
        *first, last = self.messages or (Message("user", self.text),)
        content = base64.b64encode(last.content.encode()).decode() if self.encode else last.content
        return (*first, Message(last.role, content))


class Received(Struct, frozen=True):
    """What a client got for one request.

    `line` counts the requests of the file from 0. `action` is the gateway's word, or `error` when no answer came. `held` says
    of a stream whether it was there whole with its first piece; None when nothing was streamed.
    """

    line: int
    client: str
    tier: str
    status: int | None
    action: str
    expect: str | None = None
    code: str = ""
    rule: str = ""
    length: int = 0
    held: bool | None = None
    error: str = ""

    @property
    def as_expected(self) -> bool | None:
        """None where nothing was expected."""
        return None if self.expect is None else self.action == self.expect


class _Error(Struct, frozen=True):
    code: str | None = None
    rule: str | None = None


class _Said(Struct, frozen=True):
    content: str | None = None


class _Choice(Struct, frozen=True):
    message: _Said = _Said()
    delta: _Said = _Said()


class _Body(Struct, frozen=True):
    choices: tuple[_Choice, ...] = ()
    error: _Error = _Error()


_BODY = msgspec.json.Decoder(_Body)


def read_traffic(path: Path) -> list[Traffic]:
    """The requests of a JSONL file. Raises InputError with file and line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the traffic {path}: {error}; name a JSONL file in UTF-8") from error
    found = []
    for number, line in enumerate(lines, 1):
        try:
            found += [msgspec.json.decode(line, type=Traffic)] if line.strip() else []
        except msgspec.MsgspecError as error:
            raise InputError(f"{path}:{number}: {error}") from error
    return found


def clients(traffic: Sequence[Traffic]) -> dict[str, str]:
    """Each client's tier. Raises InputError when one has two."""
    tiers: dict[str, str] = {}
    for asked in traffic:
        if tiers.setdefault(asked.client, asked.tier) != asked.tier:
            raise InputError(
                f"client {asked.client!r} stands in two tiers, {tiers[asked.client]!r} and {asked.tier!r}; keep one"
            )
    return tiers


async def replay(traffic: Sequence[Traffic], url: str, keys: Mapping[str, str], model: str) -> list[Received]:
    """Send all to the gateway at `url` (`http://host:port`); `keys` maps each client to its key. In the order of the file."""
    by_client: dict[str, list[tuple[int, Traffic]]] = {}
    for line, asked in enumerate(traffic):
        by_client.setdefault(asked.client, []).append((line, asked))
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as session:

        async def one(client: str) -> list[Received]:
            return [
                await _asked(session, url, line, asked, keys[client] if asked.key == "good" else _BAD_KEY, model)
                for line, asked in by_client[client]
                for _ in range(asked.repeat)
            ]

        got = await asyncio.gather(*(one(client) for client in by_client))
    return sorted((received for part in got for received in part), key=lambda received: received.line)


async def _asked(session: aiohttp.ClientSession, url: str, line: int, asked: Traffic, key: str, model: str) -> Received:
    body = msgspec.json.encode({"model": model, "messages": asked.sent, "stream": asked.stream})
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    start = Received(line, asked.client, asked.tier, None, "error", asked.expect)
    try:
        async with session.post(f"{url}/v1/chat/completions", data=body, headers=headers) as response:
            pieces = [piece async for piece in response.content.iter_any()]
            action = response.headers.get("x-fairlead-action", "error")
            got = msgspec.structs.replace(start, status=response.status, action=action)
            return _streamed(got, pieces) if response.content_type == "text/event-stream" else _whole(got, b"".join(pieces))
    except (aiohttp.ClientError, TimeoutError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        return msgspec.structs.replace(start, error=type(error).__name__)


def _whole(got: Received, body: bytes) -> Received:
    said = _BODY.decode(body)
    length = sum(len(choice.message.content or "") for choice in said.choices)
    return msgspec.structs.replace(got, code=said.error.code or "", rule=said.error.rule or "", length=length)


def _streamed(got: Received, pieces: list[bytes]) -> Received:
    events = [line.removeprefix(b"data: ") for line in b"".join(pieces).split(b"\n\n") if line.startswith(b"data: ")]
    if not events or events[-1] != b"[DONE]":
        return msgspec.structs.replace(got, action="error", held=False, error="the stream broke off")
    chunks = [_BODY.decode(event) for event in events[:-1]]
    length = sum(len(choice.delta.content or "") for chunk in chunks for choice in chunk.choices)
    return msgspec.structs.replace(got, length=length, held=b"data: [DONE]" in pieces[0])
