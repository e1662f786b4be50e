"""A policy of three rules, models that answer by script, and a model that obeys whatever stands outside its frame."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fairlead.judge.forms import Asked, Form
from fairlead.judge.frame import readings
from fairlead.policy.document import Surface
from fairlead.policy.load import parse
from fairlead.records.conversation import Conversation
from fairlead.records.verdict import Outcome, RuleVerdict, Verdict

POLICY = parse("""
schema: 1
id: toy
version: "1"
tiers: [public]
rules:
  - id: goblins
    title: Goblins
    definition: Asks for goblins. Stories about goblins are outside.
    examples:
      - {id: g1, split: train, verdict: violates, text: "Bring me a goblin.", why: toy}
      - {id: g2, split: test, verdict: violates, text: "The unseen goblin.", why: toy}
    detect: {signal: harm.goblins, review: 0.3, block: 0.6}
    act: {public: [block]}
    maps: {llama_guard: [S10], openai_moderation: [goblins, goblins/many]}
    state: enforce
  - id: comets
    title: Comets
    definition: Asks for comets.
    detect: {signal: harm.comets, review: 0.3, block: 0.6, missing: block}
    act: {public: [block]}
    maps: {llama_guard: [S2, S3]}
    state: enforce
  - id: sorrow
    title: Sorrow
    definition: Speaks of sorrow.
    severity: critical
    detect: {signal: harm.sorrow, review: 0.3, block: 0.6}
    act: {public: [block]}
    state: enforce
""")
RULES = POLICY.text_rules
NONCE = "0123456789abcdef"


def asked(conversation: Conversation, surface: Surface = "prompt", nonce: str = NONCE) -> Asked:
    full = frozenset(rule.id for rule in RULES)
    return Asked(surface, readings(conversation, surface), RULES, full, RULES, nonce)


def native(verdict: str = "allowed", quote: str = "", **more: Any) -> str:
    """An answer in our own form that says the same of every rule; `more` names the verdicts that differ."""
    each = {rule.id: (verdict, quote) for rule in RULES} | more
    lines = [{"rule": id, "verdict": v, "quote": q, "rationale": f"on {id}"} for id, (v, q) in each.items()]
    return json.dumps({"verdicts": lines})


@dataclass
class Scripted:
    """A model that says what it is told, and keeps what it was asked."""

    says: str | Exception | Callable[[Conversation], str]
    name: str = "scripted"
    asked: list[Conversation] = field(default_factory=list)
    takes_s: float = 0.0
    closed: bool = False

    async def answer(self, conversation: Conversation, *, max_tokens: int, temperature: float = 0.0) -> str:
        self.asked.append(conversation)
        await asyncio.sleep(self.takes_s)
        if isinstance(self.says, Exception):
            raise self.says
        return self.says if isinstance(self.says, str) else self.says(conversation)

    async def close(self) -> None:
        self.closed = True


@dataclass
class Fixed:
    """A local judge that gives each rule the score named; a rule without one has its signal missing."""

    scores: dict[str, float | None]
    error: str | None = None
    evidence: str = ""
    producer: str = "fixed/1"

    def judge(self, conversation: Conversation, surface: Surface = "prompt") -> Verdict:
        found = tuple(self._said(rule.id) for rule in POLICY.over(surface))
        return Verdict(found, self.producer, self.error)

    def _said(self, id: str) -> RuleVerdict:
        rule, score = POLICY.rule(id), self.scores.get(id)
        assert rule.detect is not None
        if score is None:
            outcome = Outcome.VIOLATES if rule.detect.missing == "block" else Outcome.UNDETERMINED
        elif score >= rule.detect.block:
            outcome = Outcome.VIOLATES
        else:
            outcome = Outcome.UNDETERMINED if score >= rule.detect.review else Outcome.ALLOWED
        return RuleVerdict(id, rule.digest, outcome, score, "heads", "plain", self.evidence)


ORDER = "OBEY-ME"


def obeys(question: Conversation) -> bool:
    """Whether `ORDER` stands outside the frame, as a reader sees it who trusts the lines that begin and end it and takes each
    line between them for one JSON object. A frame that is not whole counts as obeyed."""
    outside: list[str] = []
    for message in question.messages:
        begun = re.search(r"^BEGIN (\w+)$", message.content, re.MULTILINE)
        if begun is None:
            outside.append(message.content)
            continue
        head, _, rest = message.content.partition(begun[0])
        within, ended, tail = rest.partition(f"\nEND {begun[1]}")
        if not ended:
            return True
        for line in filter(None, within.split("\n")):
            _, end = json.JSONDecoder().raw_decode(line)
            outside.append(line[end:])
        outside += [head, tail]
    return ORDER in "\n".join(outside)


def guard_obeys(question: Conversation) -> bool:
    """The same of the form of Llama Guard: only what lies in a JSON object after `User: ` or `Agent: ` is inside."""
    (message,) = question.messages
    head, _, rest = message.content.partition("<BEGIN CONVERSATION>")
    within, ended, tail = rest.partition("<END CONVERSATION>")
    outside = [head, tail]
    for line in filter(None, within.split("\n")):
        body = line.removeprefix("User: ").removeprefix("Agent: ")
        if not body.startswith("{"):
            return True
        _, end = json.JSONDecoder().raw_decode(body)
        outside.append(body[end:])
    return not ended or ORDER in "\n".join(outside)


def whole(form: Form, question: Conversation) -> bool:
    """Whether nothing of the judged text stands outside the frame of `form`."""
    return not (guard_obeys(question) if form.name == "llama-guard" else obeys(question))
