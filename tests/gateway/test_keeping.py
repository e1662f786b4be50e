"""What is kept of a request, and that a vault which fails changes nothing of what is delivered."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from house import MASTER, House, house
from test_app import post

from fairlead.gateway.keeping import Keep
from fairlead.ledger.keyring import Keyring, beside
from fairlead.ledger.master import Local
from fairlead.policy.document import Policy
from fairlead.records.conversation import Conversation, Exchange
from fairlead.records.errors import ErasedError, MasterKeyError


@pytest.fixture
def flagged(tmp_path: Path, policy: Policy) -> Iterator[House]:
    with house(tmp_path, policy, keep=Keep.FLAGGED) as running:
        yield running


@pytest.fixture
def everything(tmp_path: Path, policy: Policy) -> Iterator[House]:
    with house(tmp_path, policy, keep=Keep.ALL) as running:
        yield running


def say(home: House, text: str, tier: str = "public") -> int:
    body = json.dumps({"model": "toy", "messages": [{"role": "user", "content": text}]}).encode()
    return post(home, "/v1/chat/completions", body, tier)[0]


def kept(home: House) -> list[Exchange | None]:
    """What the vault holds of each request."""
    refs = [decided.content for decided in home.decided()]
    return [msgspec.json.decode(home.vault.read(r, by="t", purpose="test"), type=Exchange) if r else None for r in refs]


@pytest.mark.parametrize(
    ("text", "tier", "status", "rules"),
    [
        ("bring goblins", "public", 400, ["goblins"]),
        ("bring maybe-goblins", "public", 400, ["goblins"]),
        ("bring maybe-goblins", "trusted", 200, ["goblins"]),
        ("great sorrow and goblins", "public", 400, ["goblins", "sorrow"]),
        ("see the comets", "public", 200, ["comets"]),
    ],
)
def test_what_some_rule_did_not_plainly_allow_is_kept_for_that_rule(
    flagged: House, text: str, tier: str, status: int, rules: list[str]
) -> None:
    assert say(flagged, text, tier) == status
    (decided,) = flagged.decided()
    assert decided.error is None
    answers = ("hello",) if status == 200 else ()
    assert kept(flagged) == [Exchange(Conversation.of(text), answers)]
    with flagged.ledger.store.reading() as db:
        assert [json.loads(row) for (row,) in db.all("SELECT rules FROM contents")] == [rules]


def test_what_every_rule_allowed_is_kept_only_when_all_is(flagged: House) -> None:
    assert say(flagged, "good morning") == 200
    assert kept(flagged) == [None]


def test_all_is_kept_to_be_judged_again_with_every_answer(everything: House) -> None:
    everything.stub.says = ["the goblins come", "they are fine"]
    assert say(everything, "good morning", "trusted") == 200
    assert say(everything, "good night") == 200
    first, second = kept(everything)
    assert first == Exchange(Conversation.of("good morning"), ("the goblins come", "they are fine"))
    assert second == Exchange(Conversation.of("good night"), ("they are fine",))


def test_what_could_not_be_judged_is_kept(flagged: House) -> None:
    assert say(flagged, "judge-raises at this") == 503
    assert kept(flagged) == [Exchange(Conversation.of("judge-raises at this"))]
    (decided,) = flagged.decided()
    assert decided.error == "RuntimeError"


def test_a_moderation_and_a_body_that_was_not_read_are_not_kept(everything: House) -> None:
    assert post(everything, "/v1/moderations", b'{"input": "bring goblins"}')[0] == 200
    assert post(everything, "/v1/chat/completions", b"{goblins")[0] == 400
    assert post(everything, "/v1/models", b"", method="GET")[0] == 200
    assert kept(everything) == [None, None, None]


def test_without_a_keeper_nothing_is_kept(home: House) -> None:
    assert say(home, "bring goblins") == 400
    assert home.decided()[0].content == ""


def files(home: House) -> bytes:
    return b"".join(path.read_bytes() for path in home.path.parent.rglob("*") if path.is_file())


@pytest.mark.parametrize("fault", ["raises", "hangs", "erased", "rotated"])
def test_a_vault_that_fails_is_told_in_the_decision_and_changes_no_delivery(
    everything: House, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    if fault == "raises":
        monkeypatch.setattr(everything.vault, "put", lambda *_: 1 // 0)
    elif fault == "hangs":
        monkeypatch.setattr("fairlead.gateway.keeping._PATIENCE_S", 0.05)
        monkeypatch.setattr(everything.vault, "put", lambda *_: time.sleep(0.4) or "content_late")
    elif fault == "rotated":
        with closing(Keyring(beside(everything.path))) as keyring:
            keyring.rotate(MASTER, Local.new())
    else:
        everything.vault.erase(["acct_public"], "dpo")
    assert say(everything, "good morning") == 200
    assert say(everything, "bring goblins") == 400
    assert say(everything, "judge-fails here") == 503
    errors = {"raises": ZeroDivisionError, "hangs": TimeoutError, "erased": ErasedError, "rotated": MasterKeyError}
    name = errors[fault].__name__
    said = [(decided.action, decided.cause, decided.content, decided.error) for decided in everything.decided()]
    assert said == [
        ("allow", "rule", "", f"content not kept: {name}"),
        ("block", "rule", "", f"content not kept: {name}"),
        ("refuse", "judge_error", "", f"Broken; content not kept: {name}"),
    ]
    assert b"good morning" not in files(everything)


def test_what_is_kept_is_nowhere_in_clear(everything: House) -> None:
    say(everything, "good morning to the whole house")
    say(everything, "bring goblins to the whole house")
    assert all(exchange is not None for exchange in kept(everything)), "positive control"
    assert b"the whole house" not in files(everything)
