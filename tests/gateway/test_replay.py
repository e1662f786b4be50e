"""The traffic file, sent to a real gateway: every client, every kind of outcome."""

from __future__ import annotations

import asyncio
from importlib import resources
from pathlib import Path

import pytest
from house import House

from fairlead.measure.replay import Received, Traffic, clients, read_traffic, replay
from fairlead.records.conversation import Message
from fairlead.records.errors import InputError

PACKAGED = Path(str(resources.files("fairlead") / "samples" / "traffic.jsonl"))


def sent(home: House, *traffic: Traffic) -> list[Received]:
    return asyncio.run(replay(traffic, home.url, {asked.client: home.keys[asked.tier] for asked in traffic}, "toy"))


def test_each_client_gets_what_the_gateway_decided(home: House) -> None:
    got = sent(
        home,
        Traffic("a", "public", "good morning", expect="allow"),
        Traffic("a", "public", "bring goblins", expect="allow"),
        Traffic("a", "public", "good night", stream=True),
        Traffic("b", "trusted", "such sorrow and goblins", expect="safe_complete"),
        Traffic("c", "guest", "hi", repeat=4),
        Traffic("d", "public", "hi", key="bad", expect="refuse"),
        Traffic("e", "public", messages=(Message("user", "look"), Message("tool", "goblins"))),
        Traffic("f", "public", "maybe-goblins"),
    )
    assert [(r.line, r.status, r.action, r.as_expected) for r in got] == [
        (0, 200, "allow", True),
        (1, 400, "block", False),
        (2, 200, "allow", None),
        (3, 200, "safe_complete", True),
        (4, 200, "allow", None),
        (4, 200, "allow", None),
        (4, 200, "allow", None),
        (4, 429, "refuse", None),
        (5, 401, "refuse", True),
        (6, 400, "block", None),
        (7, 400, "review", None),
    ]
    assert (got[0].length, got[0].held) == (5, None)
    assert (got[1].length, got[1].code, got[1].rule) == (0, "policy_violation", "goblins")
    assert (got[2].length, got[2].held) == (5, True)


def test_a_gateway_that_is_not_there_is_an_error_outcome() -> None:
    (got,) = asyncio.run(replay([Traffic("a", "public", "hi", expect="allow")], "http://127.0.0.1:1", {"a": "key"}, "toy"))
    assert (got.status, got.action, got.as_expected) == (None, "error", False)
    assert got.error


def test_the_packaged_traffic_covers_what_it_should() -> None:
    traffic = read_traffic(PACKAGED)
    assert set(clients(traffic).values()) == {"public", "verified", "trusted", "internal"}
    assert {asked.expect for asked in traffic} == {"allow", "block", "safe_complete", "refuse", None}
    assert any(asked.stream and asked.expect == "block" for asked in traffic)
    assert any(asked.encode for asked in traffic)
    assert any(asked.repeat > 5 and asked.expect == "refuse" for asked in traffic)
    assert any(message.role == "tool" for asked in traffic for message in asked.messages)
    assert 35 <= len(traffic) <= 60


def test_an_encoded_text_is_hidden_on_the_wire_only() -> None:
    assert Traffic("a", "public", "hi", encode="base64").sent == (Message("user", "aGk="),)


WRONG = [
    "{",
    '{"client": "a", "tier": "public"}',
    '{"client": "a", "tier": "public", "text": "x", "repeats": 2}',
    '{"client": "a", "tier": "public", "text": "x", "repeat": 0}',
]


@pytest.mark.parametrize("line", WRONG)
def test_a_wrong_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "traffic.jsonl"
    path.write_text('{"client": "a", "tier": "public", "text": "x"}\n' + line)
    with pytest.raises(InputError, match=r"traffic\.jsonl:2"):
        read_traffic(path)


def test_a_client_has_one_tier() -> None:
    with pytest.raises(InputError, match="two tiers"):
        clients([Traffic("a", "public", "x"), Traffic("a", "trusted", "x")])
