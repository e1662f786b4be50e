"""A small policy, a judge that reads words, a model's server that can fail in every way, and the gateway between them."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec

from fairlead.enforce.settle import Settlement
from fairlead.gateway.app import Gateway, Judge
from fairlead.gateway.identity import new_key
from fairlead.gateway.keeping import Keep, Keeper
from fairlead.gateway.serve import serving
from fairlead.judge.threads import InThreads
from fairlead.ledger.keyring import Keyring, beside
from fairlead.ledger.log import Compose, Ledger, Written, read
from fairlead.ledger.master import Local
from fairlead.ledger.vault import Vault
from fairlead.models.endpoint import Endpoint
from fairlead.policy.document import Policy, Surface
from fairlead.records.conversation import Conversation
from fairlead.records.entry import Decided
from fairlead.records.errors import LedgerError
from fairlead.records.verdict import Outcome, RuleVerdict, Verdict

MASTER = Local(bytes(range(32)))
POLICY = """
schema: 1
id: test
version: "1"
tiers: [guest, public, verified, trusted, internal]
quotas:
  guest: {requests_per_minute: 3, requests_per_day: 10}
  public: {requests_per_minute: 1000, requests_per_day: 10000}
  trusted: {requests_per_minute: 1000, requests_per_day: 10000}
ladder:
  - {at: 3, do: warn}
  - {at: 6, do: suspend, days: 1}
rules:
  - id: goblins
    definition: Asks for goblins.
    severity: high
    detect: {signal: harm.goblins, review: 0.5, block: 0.8}
    act: {public: [block, strike(2), case], verified: [block], trusted: [safe_complete], internal: [flag]}
    on_review: {trusted: deliver}
    reason: We do not serve goblins.
    state: enforce
  - id: sorrow
    definition: Speaks of sorrow.
    severity: critical
    detect: {signal: harm.sorrow, review: 0.5, block: 0.8}
    act: {public: [safe_complete], trusted: [flag]}
    on_review: {public: deliver, trusted: deliver}
    safe_completion: You are not alone.
    reason: Sorrow needs care.
    state: enforce
  - id: comets
    definition: Speaks of comets.
    detect: {signal: harm.comets, review: 0.5, block: 0.8}
    act: {public: [block]}
    state: shadow
  - id: goblins.repeat
    when: count("block", rule="goblins*", window="1h") >= 2
    act: {public: [tier_down, case]}
    state: enforce
"""


@dataclass
class WordJudge:
    """Violates the rule whose id stands in a text; `maybe-ID` is undetermined; `judge-raises`, `judge-fails` do as they say."""

    policy: Policy
    producer: str = "words/1"
    seen: list[tuple[Surface, str]] = field(default_factory=list)

    def judge(self, conversation: Conversation, surface: Surface = "prompt") -> Verdict:
        if surface == "prompt":
            text = conversation.text("user", "tool")
        else:
            text = [m.content for m in conversation.messages if m.role == "assistant"][-1]
        self.seen.append((surface, text))
        if "judge-raises" in text:
            raise RuntimeError(text)
        rules = [rule for rule in self.policy.text_rules if surface in rule.applies_to]
        if "judge-fails" in text:
            failed = tuple(RuleVerdict(rule.id, rule.digest, Outcome.UNDETERMINED) for rule in rules)
            return Verdict(failed, self.producer, error="Broken")
        return Verdict(tuple(self._said(rule.id, rule.digest, text) for rule in rules), self.producer)

    def _said(self, id: str, digest: str, text: str) -> RuleVerdict:
        if f"maybe-{id}" in text:
            return RuleVerdict(id, digest, Outcome.UNDETERMINED, score=0.6)
        if id in text:
            return RuleVerdict(id, digest, Outcome.VIOLATES, score=0.9)
        return RuleVerdict(id, digest, Outcome.ALLOWED, score=0.1)


_FAULTY: dict[str, tuple[int, bytes]] = {
    "500": (500, b'{"error": {"message": "goblins"}}'),
    "redirect": (302, b""),
    "invalid JSON": (200, b"<html>goblins</html>"),
    "no choices": (200, b'{"choices": []}'),
    "wrong type": (200, b'{"choices": [{"message": {"content": 7}}]}'),
    "missing field": (200, b'{"choices": [{"text": "goblins"}]}'),
    "no text": (200, b'{"choices": [{"message": {"content": null}}]}'),
    "not an object": (200, b"[[[["),
    "too long": (200, b" " * (5 << 20)),
    "tool call": (200, b'{"choices": [{"message": {"content": null, "tool_calls": [{"id": "1"}]}}]}'),
}
FAULTS = (*_FAULTY, "truncated")


class Stub:
    """A model's server. `fault` says how it fails; `says` what it answers; `bodies` what it was asked."""

    def __init__(self) -> None:
        self.fault = ""
        self.says: list[str] = ["hello"]
        self.bodies: list[dict[str, object]] = []
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._send(200, json.dumps({"data": [{"id": "toy"}]}).encode())

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                stub.bodies.append(body)
                stub._answer(self, body)

            def _send(self, status: int, body: bytes, length: int | None = None) -> None:
                self.send_response(status)
                self.send_header("content-length", str(len(body) if length is None else length))
                self.end_headers()
                with contextlib.suppress(BrokenPipeError):  # whoever asked may have given up
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def _answer(self, handler: object, body: dict[str, object]) -> None:
        send: Callable[..., None] = handler._send  # type: ignore[attr-defined]
        if self.fault in _FAULTY:
            send(*_FAULTY[self.fault])
            return
        text = self.says.pop(0) if len(self.says) > 1 else self.says[0]
        choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
        good = json.dumps({"choices": [choice] * int(str(body.get("n", 1))), "usage": usage, "secret": "goblins"}).encode()
        if self.fault == "slow":
            time.sleep(1.5)
        if self.fault == "truncated":
            handler.close_connection = True  # type: ignore[attr-defined]
            send(200, good[:40], 400)
        else:
            send(200, good)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class BrokenLedger(Ledger):
    """A ledger whose disk refuses while `broken` holds."""

    broken = False

    def compose_all(self, composes: Sequence[Compose]) -> list[Written]:
        if self.broken:
            return [LedgerError("the disk is full")] * len(composes)
        return super().compose_all(composes)


@dataclass
class House:
    """A running gateway and everything around it."""

    url: str
    path: Path
    ledger: BrokenLedger
    judge: WordJudge
    stub: Stub
    keys: dict[str, str]
    vault: Vault

    def decided(self) -> list[Decided]:
        return [e.payload for e in read(self.path) if isinstance(e.payload, Decided)]

    def payloads(self, kind: type[msgspec.Struct]) -> list[msgspec.Struct]:
        return [e.payload for e in read(self.path) if isinstance(e.payload, kind)]


@contextlib.contextmanager
def house(
    tmp_path: Path,
    policy: Policy,
    upstream: str | None = None,
    keep: Keep = Keep.NONE,
    awaited: Callable[[WordJudge], Judge] = InThreads,
) -> Iterator[House]:
    """The gateway over `policy`, with a key for each of its tiers and one for a tier it does not know, and a vault."""
    stub, judge, path = Stub(), WordJudge(policy), tmp_path / "ledger.db"
    keys = {}
    try:
        with BrokenLedger(path, producer="test/1") as ledger:
            for tier in (*policy.tiers, "nowhere"):
                keys[tier], issued = new_key(tier, f"acct_{tier}")
                ledger.append(issued)
            with contextlib.closing(Keyring(beside(path), MASTER)) as keyring:
                vault = Vault(ledger, keyring)
                # Looked up anew each time, so that a test may break it.
                keeper = None if keep is Keep.NONE else Keeper(keep, lambda *given: vault.put(*given))
                settle, endpoint = Settlement(policy).settle, Endpoint(upstream or stub.url, timeout_s=0.5)
                app = Gateway(policy, awaited(judge), ledger, endpoint, time.time, settle=settle, keeper=keeper)
                with serving(app) as url:
                    yield House(url, path, ledger, judge, stub, keys, vault)
    finally:
        stub.close()
