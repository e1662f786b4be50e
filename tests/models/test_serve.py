"""The server over a folder, as OpenAI's client and a careless caller see it."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from fairlead.models.serve import create_app, run
from fairlead.records.errors import InputError


@pytest.fixture
def client(parrot: Any) -> TestClient:
    return TestClient(create_app(parrot, lambda: 1_000.5))


def body(text: str = "say b", **more: Any) -> dict[str, Any]:
    return {"model": "parrot", "messages": [{"role": "user", "content": text}], "temperature": 0, **more}


def test_a_completion_has_openais_form(client: TestClient) -> None:
    answer = client.post("/v1/chat/completions", json=body()).json()
    assert answer["id"].startswith("chatcmpl-")
    assert (answer["object"], answer["created"], answer["model"]) == ("chat.completion", 1000, "parrot")
    (choice,) = answer["choices"]
    assert (choice["message"]["role"], choice["message"]["content"]) == ("assistant", "b b b")
    assert choice["finish_reason"] == "stop"
    # <user> say b <end> <assistant>, then three tokens.
    assert answer["usage"] == {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}


def test_an_answer_that_was_cut_says_so(client: TestClient) -> None:
    for field in ("max_tokens", "max_completion_tokens"):
        choice = client.post("/v1/chat/completions", json=body(**{field: 2})).json()["choices"][0]
        assert (choice["message"]["content"], choice["finish_reason"]) == ("b b", "length")


def test_openais_client_understands_it(client: TestClient) -> None:
    openai = pytest.importorskip("openai")
    sdk = openai.OpenAI(base_url="http://testserver/v1", api_key="none", http_client=client)
    assert [m.id for m in sdk.models.list()] == ["parrot"]
    ask: dict[str, Any] = {"model": "parrot", "messages": [{"role": "user", "content": "say d"}], "temperature": 0}
    assert sdk.chat.completions.create(**ask).choices[0].message.content == "d d d d d"
    chunks = list(sdk.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True}))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "d d d d d"
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].usage.completion_tokens == 5


def test_a_stream_ends_with_done(client: TestClient) -> None:
    events = client.post("/v1/chat/completions", json=body(stream=True)).text.split("\n\n")
    assert all(event.startswith("data: ") for event in events[:-1])
    assert events[-2:] == ["data: [DONE]", ""]


def test_parts_of_text_and_the_developer_role_are_taken(client: TestClient) -> None:
    parts = [{"type": "text", "text": "say"}, {"type": "text", "text": "a"}]
    answer = client.post("/v1/chat/completions", json=body(messages=[{"role": "user", "content": parts}]))
    assert answer.json()["choices"][0]["message"]["content"] == "a a"
    spoken = [{"role": "developer", "content": "say"}, {"role": "user", "content": "say a"}]
    assert client.post("/v1/chat/completions", json=body(messages=spoken)).status_code == 200


@pytest.mark.parametrize(
    ("bad", "status", "words"),
    [
        ({"messages": []}, 400, "at least one message"),
        ({"messages": "hello"}, 400, "messages"),
        ({"messages": [{"role": "ghost", "content": "x"}]}, 400, "ghost"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "text": ""}]}]}, 400, "image_url"),
        ({"n": 2}, 400, "n"),
        ({"tools": []}, 400, "tools"),
        ({"logprobs": True}, 400, "logprobs"),
        ({"temperature": 3}, 400, "temperature"),
        ({"max_tokens": 0}, 400, "max_tokens"),
        ({"messages": [{"role": "user", "content": "say " * 600}]}, 400, "tokens"),
        ({"model": "other"}, 404, "other"),
        ({"user": "x" * (1 << 20)}, 413, "longer"),
    ],
)
def test_a_bad_body_is_told_what_is_wrong(client: TestClient, bad: dict[str, Any], status: int, words: str) -> None:
    answer = client.post("/v1/chat/completions", json={**body(), **bad})
    error = answer.json()["error"]
    assert answer.status_code == status
    assert error["type"] == "invalid_request_error"
    assert words in error["message"]


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_request_is_a_400(client: TestClient, raw: bytes) -> None:
    answer = client.post("/v1/chat/completions", content=raw)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")


def test_health_and_models(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/v1/models").json()["data"][0]["id"] == "parrot"


def test_an_error_does_not_repeat_personal_data_or_secrets(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    mail = "ann.lee@example.com"
    bodies = [{**body(), "model": mail}, body(messages=[{"role": mail, "content": "a"}])]
    masked = [client.post("/v1/chat/completions", json=wrong).text for wrong in bodies]
    assert all("[email]" in text and mail not in text for text in masked)
    monkeypatch.setattr("fairlead.models.serve.mask", lambda text: text)
    assert all(mail in client.post("/v1/chat/completions", json=wrong).text for wrong in bodies)


def test_a_port_that_is_taken_is_named(parrot: Any, tmp_path: Path) -> None:
    parrot.model.save_pretrained(tmp_path)
    parrot.tokenizer.save_pretrained(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"port {port} on 127.0.0.1 cannot be taken.*--port"):
            run(tmp_path, "127.0.0.1", port)
