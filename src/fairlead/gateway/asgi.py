"""What a raw ASGI application needs of HTTP: a body within bounds, and an answer with its headers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from msgspec import Struct

from fairlead.gateway import wire
from fairlead.gateway.refusal import Refusal

BODY_S = 30.0  # seconds a caller may take to send a body
JSON = b"application/json"

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Reply(Struct, frozen=True):
    """An answer that was decided upon."""

    status: int
    body: bytes
    media: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


async def body_of(receive: Receive) -> bytes:
    """The whole body. Raises Refusal when it is too long, too slow, or broken off."""
    pieces, size = [], 0
    try:
        async with asyncio.timeout(BODY_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Refusal(400, "disconnected", "the caller left", cause="input")
                pieces.append(message.get("body", b""))
                size += len(pieces[-1])
                if size > wire.MOST_BODY_BYTES:
                    raise Refusal(413, "body_too_large", f"a body has at most {wire.MOST_BODY_BYTES} bytes", cause="input")
                if not message.get("more_body", False):
                    return b"".join(pieces)
    except TimeoutError as error:
        raise Refusal(408, "body_timeout", f"the body did not arrive within {BODY_S:g} s", cause="input") from error


async def respond(send: Send, reply: Reply, id: str) -> None:
    """Send an answer; `id` is the request's."""
    headers = [
        (b"content-type", reply.media),
        (b"content-length", str(len(reply.body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-request-id", id.encode()),
        *reply.headers,
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
