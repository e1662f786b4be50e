"""A model's server that is down, slow or answers nonsense is an UpstreamError, never an answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from fairlead.models.chat import Chat
from fairlead.models.endpoint import Endpoint
from fairlead.records.conversation import Conversation
from fairlead.records.errors import UpstreamError, UpstreamTimeout

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
GOOD = {"choices": [{"message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}]}


@contextlib.asynccontextmanager
async def server(handler: Handler) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/v1/{rest:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def answered(handler: Handler) -> str:
    async def run() -> str:
        async with server(handler) as url, Endpoint(url, "toy", api_key="secret", timeout_s=0.3, most_bytes=1000) as endpoint:
            chat: Chat = endpoint
            return await chat.answer(Conversation.of("hi"), max_tokens=5)

    return asyncio.run(run())


def test_an_answer_comes_back_and_the_request_has_the_official_form() -> None:
    seen: dict[str, object] = {}

    async def handler(request: web.Request) -> web.Response:
        seen.update(await request.json(), path=request.path, authorization=request.headers["authorization"])
        return web.json_response(GOOD)

    assert answered(handler) == "hello"
    assert seen == {
        "path": "/v1/chat/completions",
        "authorization": "Bearer secret",
        "model": "toy",
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": 5,
        "temperature": 0.0,
    }


def test_a_format_is_asked_of_every_answer_and_reasoning_is_not_read() -> None:
    seen: list[object] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((await request.json()).get("response_format"))
        message = {"role": "assistant", "content": "final", "reasoning_content": "hm", "reasoning": "hm"}
        return web.json_response({"choices": [{"message": message}]})

    async def run() -> str:
        async with server(handler) as url, Endpoint(url, "toy", response_format={"type": "json_object"}) as endpoint:
            return await endpoint.answer(Conversation.of("hi"), max_tokens=5)

    assert asyncio.run(run()) == "final"
    assert seen == [{"type": "json_object"}]


def test_a_refusal_of_the_models_is_its_answer() -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.json_response({"choices": [{"message": {"content": None, "refusal": "no"}}]})

    assert answered(handler) == "no"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"<html>", "nonsense"),
        (b"\xff", "nonsense"),
        (b"[" * 900, "nonsense"),
        (b"{}", "nonsense"),
        (b'{"choices": [{"message": {"content": 7}}]}', "nonsense"),
        (b'{"choices": []}', "without choices"),
        (b'{"choices": [{"message": {"content": ""}}]}', "without text"),
        (b'{"choices": [{"message": {"content": "x", "tool_calls": [{}]}}]}', "calls a tool"),
        (b'{"choices": [{"message": {"content": "x", "function_call": {}}}]}', "calls a tool"),
        (b" " * 1001, "longer than 1000 bytes"),
    ],
)
def test_nonsense_is_named(body: bytes, says: str) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=body)

    with pytest.raises(UpstreamError, match=says):
        answered(handler)


@pytest.mark.parametrize("status", [201, 302, 400, 401, 429, 500, 503])
def test_every_status_but_200_is_an_error(status: int) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.json_response(GOOD, status=status)

    with pytest.raises(UpstreamError, match=str(status)):
        answered(handler)


def test_slow_is_a_time_out() -> None:
    async def handler(_: web.Request) -> web.Response:
        await asyncio.sleep(1)
        return web.json_response(GOOD)

    with pytest.raises(UpstreamTimeout, match=r"within 0\.3 s"):
        answered(handler)


def test_an_answer_that_breaks_off_is_an_error() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-length": "500"})
        await response.prepare(request)
        await response.write(b'{"choices":')
        assert request.transport is not None
        request.transport.close()
        return response

    with pytest.raises(UpstreamError, match="broke off"):
        answered(handler)


def test_nobody_there_is_an_error() -> None:
    async def run() -> None:
        async with Endpoint("http://127.0.0.1:1", "toy") as endpoint:
            await endpoint.answer(Conversation.of("hi"), max_tokens=5)

    with pytest.raises(UpstreamError, match="cannot be reached"):
        asyncio.run(run())


def test_models_are_listed_by_name() -> None:
    async def handler(request: web.Request) -> web.Response:
        assert request.path == "/v1/models"
        return web.json_response({"object": "list", "data": [{"id": "a"}, {"id": "b"}]})

    async def run() -> list[str]:
        async with server(handler) as url, Endpoint(f"{url}/v1/") as endpoint:
            return await endpoint.models()

    assert asyncio.run(run()) == ["a", "b"]
