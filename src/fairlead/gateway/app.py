"""The gateway: a raw ASGI application with OpenAI's chat completions and moderations.

Invariant: a request ends in exactly one `Decided` entry, which is on disk before the answer is sent; without it nothing is
delivered. (`GET /healthz` is no request in this sense.) What the caller gets:

    200  the answer, judged whole (a streamed one too, before its first byte); header `x-fairlead-action: allow | safe_complete`
    400  `policy_violation` or `withheld_for_review` with the rule and its reason; `invalid_request`
    401  `invalid_api_key`         403  `account_suspended`, `tier_unknown`, `no_quota`       404, 405, 408, 413  as in HTTP
    429  `rate_limit_exceeded` with Retry-After
    502  `upstream_error`          503  `judge_error`, `ledger_error`                         504  `upstream_timeout`
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from fairlead.gateway import relay, wire
from fairlead.gateway.admission import Admission
from fairlead.gateway.asgi import JSON, Receive, Reply, Scope, Send, body_of, respond
from fairlead.gateway.journal import Journal, Log
from fairlead.gateway.keeping import Keeper, Kept
from fairlead.gateway.refusal import Refusal
from fairlead.ledger.fold import State
from fairlead.models.endpoint import Completion, Endpoint
from fairlead.personal.find import mask
from fairlead.policy import render
from fairlead.policy.decide import Ruling, assessed, decide, strictest
from fairlead.policy.document import Policy, Surface
from fairlead.records.conversation import Conversation, Exchange
from fairlead.records.entry import Decided, LadderStepped, Payload, Signals
from fairlead.records.errors import LedgerError, UpstreamError, UpstreamTimeout
from fairlead.records.verdict import Outcome, RuleVerdict, Verdict

_JUDGE_S = 20.0  # seconds the judge may take for one text

#: (decision, rulings, state, now, sequence number of the decision) -> the decision and what follows from it.
Settle = Callable[[Decided, tuple[Ruling, ...], State, float, int], tuple[Payload, ...]]


class Judge(Protocol):
    """The part of the judge that the gateway uses. What computes for long does so in threads of its own."""

    producer: str

    async def judge(self, conversation: Conversation, surface: Surface = "prompt") -> Verdict:
        """The verdict on one conversation."""
        ...

    async def close(self) -> None:
        """Let go of threads and connections."""
        ...


@dataclass
class _Request:
    """What is known of a request so far; becomes its `Decided`."""

    id: str
    started: float
    account: str | None = None
    tier: str | None = None
    model: str = ""
    surface: str = "prompt"
    streamed: bool = False
    said: Conversation | None = None
    answers: list[str] = field(default_factory=list)
    rulings: list[Ruling] = field(default_factory=list)
    signals: list[Signals] = field(default_factory=list)
    action: str = "allow"
    cause: str = "rule"
    rule: str | None = None
    error: str | None = None
    status: int = 200

    def ended(self, refusal: Refusal) -> None:
        self.action, self.cause, self.rule, self.status = refusal.action, refusal.cause, refusal.rule, refusal.status
        self.error = mask(refusal.detail) if refusal.cause != "rule" else None


class Gateway:
    """The application. `startup` and `shutdown` are called by the server's lifespan.

    It closes `upstream` and `judge` when it shuts down, and leaves `ledger` to whoever opened it. `settle` is that of an
    `enforce.settle.Settlement`: stages do not import each other, so whoever joins them hands it over. Without a `keeper` no
    content is kept.
    """

    def __init__(
        self,
        policy: Policy,
        judge: Judge,
        ledger: Log,
        upstream: Endpoint,
        clock: Callable[[], float],
        *,
        settle: Settle,
        keeper: Keeper | None = None,
    ) -> None:
        self._policy, self._judge, self._ledger, self._upstream, self._clock = policy, judge, ledger, upstream, clock
        self._settle, self._keeper = settle, keeper
        self._admission = Admission(policy, clock)
        self._started: Journal | None = None
        self._routes: dict[str, tuple[str, Callable[[_Request, bytes], Awaitable[Reply]]]] = {
            "/v1/chat/completions": ("POST", self._chat),
            "/v1/moderations": ("POST", self._moderation),
            "/v1/models": ("GET", self._models),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            if scope["path"] == "/healthz" and scope["method"] == "GET":
                reply, id = Reply(200, b'{"status":"ok"}'), ""
            else:
                id = f"req_{secrets.token_hex(12)}"
                reply = await self._served(id, scope, receive)
            await respond(send, reply, id)

    async def startup(self) -> None:
        """Fold the ledger and name the policy in force. Raises LedgerError."""
        self._started = Journal(self._ledger)
        if self._journal.state.policy != self._policy.digest:
            await self._journal.append(lambda *_: (self._policy.entry(),))

    async def shutdown(self) -> None:
        """Write what waits; close the judge and the connections to the model's server. Who opened the ledger closes it."""
        if self._started is not None:
            self._started.close()
        await self._judge.close()
        if self._keeper is not None:
            self._keeper.close()
        await self._upstream.close()

    @property
    def _journal(self) -> Journal:
        if self._started is None:
            raise LedgerError("the gateway has not been started; serve it with its lifespan on")
        return self._started

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self.startup()
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.shutdown()
        await send({"type": "lifespan.shutdown.complete"})

    # ── one request ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _served(self, id: str, scope: Scope, receive: Receive) -> Reply:
        request = _Request(id, self._clock())
        refusal: Refusal | None = None
        try:
            reply = await self._routed(request, scope, receive)
        except Refusal as ended:
            refusal = ended
        except Exception as error:  # a fault of ours: recorded, and nothing is delivered
            refusal = Refusal(
                500,
                "internal_error",
                "the gateway failed; nothing was delivered",
                cause="internal_error",
                detail=type(error).__name__,
            )
        if refusal is not None:
            request.ended(refusal)
        try:
            notice = _notice(await self._recorded(request))
        except LedgerError:
            refusal = Refusal(
                503, "ledger_error", "the decision could not be recorded, so nothing is delivered", cause="ledger_error"
            )
            notice = ""
        return reply if refusal is None else _refused(refusal, id, notice)

    async def _recorded(self, request: _Request) -> tuple[Payload, ...]:
        rulings = tuple(request.rulings)
        kept = Kept()
        if self._keeper is not None and request.account is not None and request.said is not None:
            exchange = Exchange(request.said, tuple(request.answers))
            kept = await self._keeper.keep(request.account, exchange, rulings)
        decided = Decided(
            request=request.id,
            action=request.action,
            cause=request.cause,
            status=request.status,
            account=request.account,
            tier=request.tier,
            surface=request.surface,
            model=mask(request.model),
            policy=self._policy.digest,
            judge=self._judge.producer,
            rule=request.rule,
            verdicts=tuple(said for ruling in rulings for said in ruling.kept),
            points=max((ruling.points for ruling in rulings), default=0),
            flags=tuple(dict.fromkeys(flag for ruling in rulings for flag in ruling.flags)),
            error="; ".join(filter(None, (request.error, kept.error))) or None,
            streamed=request.streamed,
            milliseconds=round((self._clock() - request.started) * 1000, 3),
            signals=tuple(request.signals),
            content=kept.ref,
        )
        # A moderation is somebody's question about a text, which may be another's: it has no consequences for who asks.
        counted = () if request.surface == "moderation" else rulings
        return await self._journal.append(lambda state, now, seq: self._settle(decided, counted, state, now, seq))

    async def _routed(self, request: _Request, scope: Scope, receive: Receive) -> Reply:
        path, method = scope["path"], scope["method"]
        self._let_in(request, scope)
        if path not in self._routes:
            raise Refusal(404, "not_found", f"there is nothing here; known: {', '.join(self._routes)}", cause="input")
        wanted, handler = self._routes[path]
        if method != wanted:
            raise Refusal(405, "method_not_allowed", f"use {wanted}", cause="input")
        return await handler(request, await body_of(receive) if method == "POST" else b"")

    def _let_in(self, request: _Request, scope: Scope) -> None:
        state = self._journal.state
        authorization = next((value for name, value in scope["headers"] if name == b"authorization"), None)
        caller = self._admission.identified(authorization, state)
        request.account, request.tier = caller.account, caller.tier
        self._admission.admit(caller, state)

    # ── what can be asked for ──────────────────────────────────────────────────────────────────────────────────────────

    async def _chat(self, request: _Request, body: bytes) -> Reply:
        chat = wire.chat_request(body)
        request.model, request.streamed, request.said = chat.model, chat.stream, chat.asked
        answer = await self._answer(request, chat)
        id, created = f"chatcmpl-{request.id}", int(self._clock())
        headers = ((b"x-fairlead-action", request.action.encode()),)
        if chat.stream:
            return Reply(200, relay.events(chat, answer, id, created), b"text/event-stream", headers)
        return Reply(200, relay.whole(chat, answer, id, created), JSON, headers)

    async def _answer(self, request: _Request, chat: wire.ChatRequest) -> relay.Answer:
        """The answer that may be delivered. Raises Refusal for anything else."""
        ruling = await self._ruled(request, [chat.judged], "prompt")
        if ruling.action == "safe_complete":
            return await self._safely(request, chat, ruling)
        answer = await self._asked(request, chat, None)
        ruling = await self._ruled(request, [chat.asked.answered(text) for text in answer.texts], "response")
        if ruling.action == "safe_complete":
            return await self._safely(request, chat, ruling)
        return answer

    async def _safely(self, request: _Request, chat: wire.ChatRequest, ruling: Ruling) -> relay.Answer:
        """The rule's own text, or the model's second answer under the rule; if that one does not pass, nothing."""
        rule = self._policy.rule(ruling.rule or "")
        request.action, request.rule = "safe_complete", rule.id
        if rule.safe_completion:
            return relay.written(rule.safe_completion.strip())
        answer = await self._asked(request, chat, render.care(rule))
        again = await self._ruled(request, [chat.asked.answered(text) for text in answer.texts], "response", rule.id)
        if again.action == "safe_complete":
            raise self._withheld("block", again.rule)
        return answer

    async def _asked(self, request: _Request, chat: wire.ChatRequest, care: str | None) -> relay.Answer:
        try:
            completion: Completion = await self._upstream.complete(relay.question(chat, care))
        except UpstreamTimeout as error:
            raise Refusal(504, "upstream_timeout", str(error), cause="upstream_error", detail=str(error)) from error
        except UpstreamError as error:
            raise Refusal(502, "upstream_error", str(error), cause="upstream_error", detail=str(error)) from error
        answer = relay.received(completion)
        request.answers += answer.texts
        return answer

    async def _ruled(self, request: _Request, conversations: list[Conversation], surface: Surface, care: str = "") -> Ruling:
        """The strictest ruling. Raises Refusal unless something may be delivered. `care` is the rule that the model answered
        under, when it was asked again."""
        verdicts = [await self._judged(conversation, surface) for conversation in conversations]
        rulings = [decide(self._policy, request.tier or "", request.account, verdict, surface) for verdict in verdicts]
        request.signals += [Signals(surface, r.harm, len(r.kept), choice, care) for choice, r in enumerate(rulings)]
        ruling = strictest(rulings)
        request.rulings.append(ruling)
        request.surface = surface
        if ruling.error is not None:
            message = "the request could not be judged, so nothing is delivered; try later"
            raise Refusal(503, "judge_error", message, cause="judge_error", detail=ruling.error)
        if ruling.action in ("block", "review"):
            raise self._withheld(ruling.action, ruling.rule)
        return ruling

    def _withheld(self, action: str, rule_id: str | None) -> Refusal:
        rule = self._policy.rule(rule_id or "")
        if action == "block":
            return Refusal(400, "policy_violation", render.notice(rule), cause="rule", action="block", rule=rule.id)
        # Somebody in distress may be at the other end: what the rule would have answered is told at once.
        message = f"Withheld until a person has looked at it: we could not tell whether rule {rule.id} allows this."
        message = f"{message} {rule.safe_completion}".strip()
        return Refusal(400, "withheld_for_review", message, cause="rule", action="review", rule=rule.id)

    async def _judged(self, conversation: Conversation, surface: Surface) -> Verdict:
        """The judge's verdict; one with its error set when the judge raises or takes too long."""
        try:
            async with asyncio.timeout(_JUDGE_S):
                return await self._judge.judge(conversation, surface)
        except Exception as error:
            return Verdict((), self._judge.producer, error=type(error).__name__)

    async def _moderation(self, request: _Request, body: bytes) -> Reply:
        asked = wire.moderation_request(body)
        request.surface = "moderation"
        results = []
        for text in asked.texts:
            verdict = await self._judged(Conversation.of(text), "prompt")
            found = assessed(self._policy, verdict, "prompt")
            acting = [(rule.id, said) for rule, said in found if rule.acts_on(request.account)]
            if verdict.error is not None or not acting:
                message = "a text could not be judged; try later"
                raise Refusal(503, "judge_error", message, cause="judge_error", detail=verdict.error or "no rule")
            kept = tuple(said for _, said in found if said.outcome is not Outcome.ALLOWED)
            request.rulings.append(Ruling("allow", kept=kept))
            results.append(_result(acting))
        answer = {"id": f"modr-{request.id}", "model": self._judge.producer, "results": results}
        return Reply(200, msgspec.json.encode(answer), headers=((b"x-fairlead-action", b"allow"),))

    async def _models(self, request: _Request, _: bytes) -> Reply:
        request.cause, request.surface = "key", "models"
        try:
            names = await self._upstream.models()
        except UpstreamError as error:
            raise Refusal(502, "upstream_error", str(error), cause="upstream_error", detail=str(error)) from error
        models = [{"id": name, "object": "model", "created": 0, "owned_by": "upstream"} for name in names]
        return Reply(200, msgspec.json.encode({"object": "list", "data": models}))


def _result(pairs: list[tuple[str, RuleVerdict]]) -> dict[str, Any]:
    """One of OpenAI's moderation results. What could not be decided is flagged, and named in `undetermined`."""
    return {
        "flagged": any(said.outcome is not Outcome.ALLOWED for _, said in pairs),
        "categories": {rule: said.outcome is not Outcome.ALLOWED for rule, said in pairs},
        "category_scores": {rule: said.score for rule, said in pairs},
        "category_applied_input_types": {rule: ["text"] for rule, _ in pairs},
        "undetermined": [rule for rule, said in pairs if said.outcome is Outcome.UNDETERMINED],
    }


def _notice(payloads: tuple[Payload, ...]) -> str:
    steps = [p.do for p in payloads if isinstance(p, LadderStepped) and p.waits_for == "nobody"]
    return f" This account has reached a step of the ladder: {', '.join(steps)}." if steps else ""


def _refused(refusal: Refusal, id: str, notice: str) -> Reply:
    headers = [(b"x-fairlead-action", refusal.action.encode())]
    if refusal.retry_after_s is not None:
        headers.append((b"retry-after", str(refusal.retry_after_s).encode()))
    return Reply(refusal.status, wire.error_body(refusal, id, notice), headers=tuple(headers))
