"""A small OpenAI-compatible server over a transformers folder: `fairlead serve`.

Chat completions (one choice, text only, streamed or not), the list of models, a health check. One request is answered at a
time; the others wait. It knows no users and no keys and judges nothing: it is meant to stand behind the gateway, on loopback.
A field that would change the answer and is not supported is refused, never ignored.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec
import torch
import uvicorn
from msgspec import Struct
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from fairlead.models.local import Local, Piece
from fairlead.personal.find import mask
from fairlead.records.conversation import Conversation, Message
from fairlead.records.errors import InputError

_MOST_BODY_BYTES = 1 << 20
_DEFAULT_TOKENS = 256
_SMALL = 20_000_000  # weights; below this a second thread waits more than it works, and on a busy machine costs many times


class _Part(Struct, frozen=True, forbid_unknown_fields=True):
    type: Literal["text"]
    text: str


class _MessageIn(Struct, frozen=True, forbid_unknown_fields=True):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[_Part]
    name: str | None = None
    tool_call_id: str | None = None

    def message(self) -> Message:
        text = self.content if isinstance(self.content, str) else "\n".join(part.text for part in self.content)
        return Message("system" if self.role == "developer" else self.role, text)


class _StreamOptions(Struct, frozen=True, forbid_unknown_fields=True):
    include_usage: bool = False


class _Asked(Struct, frozen=True, forbid_unknown_fields=True):
    """A request's body. The fields of the last line are read and change nothing."""

    messages: list[_MessageIn]
    model: str = ""
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    stream: bool | None = False
    stream_options: _StreamOptions | None = None
    n: Literal[1] | None = 1
    user: str | None = None
    metadata: dict[str, str] | None = None
    store: bool | None = None


class _Refused(Exception):
    """Becomes an error in OpenAI's form."""

    def __init__(self, message: str, *, code: str = "invalid_request", status: int = 400) -> None:
        super().__init__(message)
        self.message, self.code, self.status = message, code, status


class _Job(Struct, frozen=True):
    """A request that can be answered."""

    ids: list[int]
    most: int
    temperature: float
    stream: bool
    usage: bool


def create_app(model: Local, clock: Callable[[], float]) -> Starlette:
    """The application. `clock` gives seconds since the epoch."""
    turn = asyncio.Lock()

    async def completions(request: Request) -> Response:
        job = _job(model, await _body(request))
        head = {"id": f"chatcmpl-{secrets.token_hex(12)}", "created": int(clock()), "model": model.name}
        pieces = model.pieces(job.ids, job.most, job.temperature)
        if job.stream:
            return StreamingResponse(_events(turn, job, pieces, head), media_type="text/event-stream")
        async with turn:
            made = await asyncio.to_thread(list, pieces)
        message = {"role": "assistant", "content": "".join(piece.text for piece in made), "refusal": None}
        tokens = made[-1].tokens if made else 0
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(job, tokens)}
        return JSONResponse({**head, "object": "chat.completion", "choices": [choice], "usage": _usage(job, tokens)})

    async def models(_: Request) -> Response:
        entry = {"id": model.name, "object": "model", "created": 0, "owned_by": "local"}
        return JSONResponse({"object": "list", "data": [entry]})

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    return Starlette(
        routes=[
            Route("/v1/chat/completions", completions, methods=["POST"]),
            Route("/v1/models", models),
            Route("/healthz", health),
        ],
        exception_handlers={_Refused: _refusal},
    )


def run(folder: Path, host: str, port: int) -> None:
    """Serve the model in `folder` until SIGTERM or SIGINT. Raises InputError when it cannot be loaded or the port is taken."""
    model = Local.load(folder)
    if model.model.num_parameters() < _SMALL:
        torch.set_num_threads(1)

    def ready(address: str) -> None:
        print(f"serving {model.name} on {address}", flush=True)

    try:
        _Server(create_app(model, time.time), host, port, ready).run()
    except SystemExit as error:  # what uvicorn makes of an address that it cannot have, once it has said why
        raise InputError(f"port {port} on {host} cannot be taken: see the line above; name another with --port") from error


class _Server(uvicorn.Server):
    """Says when it listens, and where: port 0 takes a free one."""

    def __init__(self, app: Starlette, host: str, port: int, ready: Callable[[str], None]) -> None:
        super().__init__(
            uvicorn.Config(app, host=host, port=port, access_log=False, log_level="error", server_header=False, ws="none")
        )
        self._ready = ready

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self._ready(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_BODY_BYTES:
            raise _Refused(f"the body is longer than {_MOST_BODY_BYTES} bytes; send less", code="too_large", status=413)
    return body


def _job(model: Local, body: bytes) -> _Job:
    """Decode and check a body. Raises _Refused."""
    try:
        asked = msgspec.json.decode(body, type=_Asked)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _Refused(f"cannot take this body: {error}; see the fields of a chat completion that are supported") from None
    if asked.model not in ("", model.name):
        raise _Refused(f"there is no model {asked.model!r} here; ask for {model.name!r}", code="model_not_found", status=404)
    if not asked.messages:
        raise _Refused("`messages` is empty; send at least one message")
    temperature = 1.0 if asked.temperature is None else asked.temperature
    if not 0.0 <= temperature <= 2.0:
        raise _Refused(f"`temperature` is {temperature:g}; send 0 to 2")
    ids = model.encode(Conversation(tuple(m.message() for m in asked.messages)))
    room = model.longest - len(ids)
    if room < 1:
        raise _Refused(
            f"the messages have {len(ids)} tokens and the model takes {model.longest} with the answer; send less",
            code="context_length_exceeded",
        )
    most = next((m for m in (asked.max_completion_tokens, asked.max_tokens) if m is not None), _DEFAULT_TOKENS)
    if most < 1:
        raise _Refused(f"`max_tokens` is {most}; send 1 or more")
    usage = asked.stream_options is not None and asked.stream_options.include_usage
    return _Job(ids, min(most, room), temperature, bool(asked.stream), usage)


async def _events(turn: asyncio.Lock, job: _Job, pieces: Iterator[Piece], head: dict[str, Any]) -> AsyncIterator[bytes]:
    """Server-sent events, one chunk a piece."""

    def event(choices: list[dict[str, Any]], **more: Any) -> bytes:
        chunk = {**head, "object": "chat.completion.chunk", "choices": choices, **more}
        return b"data: " + msgspec.json.encode(chunk) + b"\n\n"

    def part(delta: dict[str, str], finish: str | None = None) -> list[dict[str, Any]]:
        return [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]

    tokens = 0
    async with turn:
        yield event(part({"role": "assistant", "content": ""}))
        while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
            tokens = piece.tokens
            if piece.text:
                yield event(part({"content": piece.text}))
    yield event(part({}, _finish(job, tokens)))
    if job.usage:
        yield event([], usage=_usage(job, tokens))
    yield b"data: [DONE]\n\n"


def _finish(job: _Job, tokens: int) -> str:
    return "length" if tokens >= job.most else "stop"


def _usage(job: _Job, tokens: int) -> dict[str, int]:
    return {"prompt_tokens": len(job.ids), "completion_tokens": tokens, "total_tokens": len(job.ids) + tokens}


async def _refusal(_: Request, error: Exception) -> Response:
    assert isinstance(error, _Refused)
    body = {"message": mask(error.message), "type": "invalid_request_error", "param": None, "code": error.code}
    return JSONResponse({"error": body}, status_code=error.status)
