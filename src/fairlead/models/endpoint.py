"""Any OpenAI-compatible server as a model. Down, slow or nonsense is an UpstreamError that names what happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self, TypeVar

import aiohttp
import msgspec
from msgspec import Struct

from fairlead.records.conversation import Conversation
from fairlead.records.errors import UpstreamError, UpstreamTimeout

_TIMEOUT_S = 60.0
_MOST_BYTES = 4 << 20
_PIECE = 64 << 10


class Said(Struct, frozen=True):
    """A message of the model's. Fields that are not named here are not read, and so are never passed on."""

    content: str | None = None
    refusal: str | None = None
    tool_calls: list[Any] | None = None
    function_call: Any = None


class Choice(Struct, frozen=True):
    """One of the answers."""

    message: Said
    finish_reason: str | None = None

    @property
    def text(self) -> str:
        """What the model said, a refusal included."""
        return self.message.content or self.message.refusal or ""


class Usage(Struct, frozen=True):
    """Tokens, as the endpoint counted them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0


class Completion(Struct, frozen=True):
    """An answer of the endpoint: at least one choice, each with text."""

    choices: list[Choice]
    usage: Usage | None = None


class _Model(Struct, frozen=True):
    id: str


class _Models(Struct, frozen=True):
    data: list[_Model]


class _Moderation(Struct, frozen=True):
    category_scores: dict[str, float]


class _Moderations(Struct, frozen=True):
    results: list[_Moderation]


_Decoded = TypeVar("_Decoded")
_COMPLETION = msgspec.json.Decoder(Completion)
_MODELS = msgspec.json.Decoder(_Models)
_MODERATIONS = msgspec.json.Decoder(_Moderations)


class Endpoint:
    """One server. Satisfies `Chat`; use as an async context manager, or call `close`, within one event loop."""

    def __init__(
        self,
        url: str,
        model: str = "",
        *,
        api_key: str | None = None,
        timeout_s: float = _TIMEOUT_S,
        most_bytes: int = _MOST_BYTES,
        response_format: Mapping[str, Any] | None = None,
    ) -> None:
        """`url` is the base as OpenAI's clients take it (`http://host:port/v1`); without a path `/v1` is added.

        `timeout_s` bounds a whole exchange in seconds, `most_bytes` the body of an answer. `response_format` is asked of every
        `answer`; a server that does not know it may refuse.
        """
        base = url.rstrip("/")
        self._base = base if base.count("/") > 2 else f"{base}/v1"
        self._model, self._most, self._timeout_s = model, most_bytes, timeout_s
        self._format = {} if response_format is None else {"response_format": response_format}
        self._headers = {"content-type": "application/json", "accept-encoding": "identity"}
        if api_key:
            self._headers["authorization"] = f"Bearer {api_key}"
        self._session: aiohttp.ClientSession | None = None

    @property
    def name(self) -> str:
        """The model's name."""
        return self._model

    async def answer(self, conversation: Conversation, *, max_tokens: int, temperature: float = 0.0) -> str:
        """The first choice's text. Raises UpstreamError."""
        body = {
            "model": self._model,
            "messages": [{"role": m.role, "content": m.content} for m in conversation.messages],
            "max_tokens": max_tokens,
            "temperature": temperature,
            **self._format,
        }
        return (await self.complete(msgspec.json.encode(body))).choices[0].text

    async def complete(self, body: bytes) -> Completion:
        """POST a chat completion's body (not streamed). Every choice of the answer has text and calls no tool.

        Raises UpstreamError, UpstreamTimeout.
        """
        completion = self._decoded(_COMPLETION, await self._exchange("POST", "/chat/completions", body))
        if not completion.choices:
            raise UpstreamError("the model endpoint answered without choices; look at its log")
        for choice in completion.choices:
            if choice.message.tool_calls or choice.message.function_call is not None:
                raise UpstreamError("the model calls a tool, which this version does not judge; ask without tools")
            if not choice.text:
                raise UpstreamError("the model endpoint answered without text; look at its log")
        return completion

    async def moderations(self, texts: Sequence[str]) -> list[dict[str, float]]:
        """POST texts to `/moderations`; scores by category for each, in order. Raises UpstreamError, UpstreamTimeout."""
        body = msgspec.json.encode({"model": self._model, "input": list(texts)})
        results = self._decoded(_MODERATIONS, await self._exchange("POST", "/moderations", body)).results
        if len(results) != len(texts):
            raise UpstreamError(f"the model endpoint gave {len(results)} results on {len(texts)} texts; look at its log")
        return [result.category_scores for result in results]

    async def models(self) -> list[str]:
        """The names of the models it offers. Raises UpstreamError."""
        return [model.id for model in self._decoded(_MODELS, await self._exchange("GET", "/models", None)).data]

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _exchange(self, method: str, path: str, body: bytes | None) -> bytes:
        session = self._opened()
        try:
            async with session.request(
                method, self._base + path, data=body, headers=self._headers, allow_redirects=False
            ) as response:
                if response.status != 200:
                    # Its text is not repeated: nobody judged it.
                    raise UpstreamError(f"the model endpoint answered with status {response.status}; look at its log")
                return await self._read(response)
        except TimeoutError as error:
            raise UpstreamTimeout(f"the model endpoint did not answer within {self._timeout_s:g} s") from error
        except aiohttp.ClientConnectorError as error:
            raise UpstreamError("the model endpoint cannot be reached; is it running, and is the URL right?") from error
        except aiohttp.ClientPayloadError as error:
            raise UpstreamError("the model endpoint's answer broke off") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise UpstreamError(f"the exchange with the model endpoint failed: {type(error).__name__}") from error

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        pieces, size = [], 0
        async for piece in response.content.iter_chunked(_PIECE):
            pieces.append(piece)
            size += len(piece)
            if size > self._most:
                raise UpstreamError(f"the model endpoint's answer is longer than {self._most} bytes")
        return b"".join(pieces)

    @staticmethod
    def _decoded(decoder: msgspec.json.Decoder[_Decoded], body: bytes) -> _Decoded:
        try:
            return decoder.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise UpstreamError(
                f"the model endpoint answered nonsense: {type(error).__name__}; is it OpenAI-compatible?"
            ) from error

    def _opened(self) -> aiohttp.ClientSession:
        # Made on first use, because a session belongs to the loop in which it was made.
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._timeout_s),
                connector=aiohttp.TCPConnector(limit=256),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        return self._session
