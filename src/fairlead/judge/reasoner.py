"""The reasoner: a model that reads the policy's rules and a conversation, and gives a verdict with a quote for each rule.

Its word counts only where it can be checked: an answer that is out of form, leaves a rule out, or quotes what does not stand in
the judged text leaves the rule undetermined. The quote becomes an offset range; the quote itself and the reasons go to whoever
asks, never into a verdict, since verdicts are stored.

Its verdicts have no calibrated score: 1 for a violation and 0 for what it allows, like those of a pattern, so that a
back-test, which reads scores, decides as the judge did.

Not covered: a model that is wrong, or that a text inside the frame talks into an answer in the right form.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from fairlead.judge.forms import Asked, Form, Native, Said
from fairlead.judge.frame import Reading, located, readings
from fairlead.models.chat import Chat
from fairlead.policy.document import Policy, Rule, Surface
from fairlead.records.canonical import digest
from fairlead.records.conversation import Conversation
from fairlead.records.errors import JudgeError
from fairlead.records.verdict import Outcome, RuleVerdict

STAGE = "reasoner"
_MOST_CHARACTERS = 32_768  # of a conversation; longer ones are left to people
_FULL = 6  # rules whose full text is given
_REMEMBERED = 4_096
_SCORE = {Outcome.VIOLATES: 1.0, Outcome.ALLOWED: 0.0, Outcome.UNDETERMINED: None}


class Reasoning(Struct, frozen=True):
    """A verdict for each rule that was asked about, and by rule id why: in the model's words, for whoever asked and for nobody
    else, since they may quote the text. A verdict that was remembered has no reason."""

    verdicts: tuple[RuleVerdict, ...]
    rationales: dict[str, str] = {}


class ClosingChat(Chat, Protocol):
    """A model whose connections can be closed."""

    async def close(self) -> None:
        """Close them."""
        ...


class Reasoner:
    """One model under one policy. Use within one event loop."""

    def __init__(self, chat: ClosingChat, policy: Policy, form: Form | None = None, *, remembered: int = _REMEMBERED) -> None:
        """Without a `form`: our own. Of the determined verdicts the last `remembered` are kept in memory, by digests."""
        self._chat, self._policy, self._form = chat, policy, form or Native()
        self._remembered = remembered
        self._memory: OrderedDict[str, RuleVerdict] = OrderedDict()
        self.name = f"{self._form.name}/{chat.name}"

    async def reason(self, conversation: Conversation, surface: Surface, rules: Sequence[Rule]) -> Reasoning:
        """A verdict for each of `rules`, in their order, which has the likeliest first: of these the model is given the full
        text, of all others the title and a sentence.

        Raises UpstreamError when the model cannot answer.
        """
        keys = self._keys(conversation, surface, rules)
        known = {id: verdict for id, key in keys.items() if (verdict := self._recalled(key)) is not None}
        unknown = tuple(rule for rule in rules if rule.id not in known)
        rationales: dict[str, str] = {}
        if unknown:
            found = await self._asked(conversation, surface, unknown)
            known |= {verdict.rule: verdict for verdict in found.verdicts}
            rationales = found.rationales
            for verdict in found.verdicts:
                self._remember(keys[verdict.rule], verdict)
        return Reasoning(tuple(known[rule.id] for rule in rules), rationales)

    async def close(self) -> None:
        """Close the model's connections."""
        await self._chat.close()

    async def _asked(self, conversation: Conversation, surface: Surface, rules: tuple[Rule, ...]) -> Reasoning:
        if sum(len(message.content) for message in conversation.messages) > _MOST_CHARACTERS:
            return nothing(rules, f"longer than the {_MOST_CHARACTERS} characters that the reasoner reads")
        # Decoding a long text, and looking for a quote in it, takes many milliseconds, which nobody else must wait for.
        asked = await asyncio.to_thread(self._question, conversation, surface, rules)
        if not any(reading.judged for reading in asked.shown):
            return nothing(rules, "no text to judge")
        question = await asyncio.to_thread(self._form.ask, asked)
        answer = await self._chat.answer(question, max_tokens=self._form.most_tokens)
        return await asyncio.to_thread(self._read, answer, asked)

    def _question(self, conversation: Conversation, surface: Surface, rules: tuple[Rule, ...]) -> Asked:
        full = frozenset(rule.id for rule in rules[:_FULL])
        known = self._policy.over(surface)
        return Asked(surface, readings(conversation, surface), rules, full, known, secrets.token_hex(8))

    def _read(self, answer: str, asked: Asked) -> Reasoning:
        try:
            said = self._form.read(answer, asked)
        except JudgeError as error:
            return nothing(asked.rules, str(error))
        verdicts = tuple(_checked(rule, said.get(rule.id), asked.shown) for rule in asked.rules)
        return Reasoning(verdicts, {rule: each.rationale for rule, each in said.items() if each.rationale})

    def _keys(self, conversation: Conversation, surface: Surface, rules: Sequence[Rule]) -> dict[str, str]:
        asked = digest((conversation.messages, surface, self.name))
        return {rule.id: f"{asked}:{rule.digest}" for rule in rules}

    def _recalled(self, key: str) -> RuleVerdict | None:
        if key in self._memory:
            self._memory.move_to_end(key)
        return self._memory.get(key)

    def _remember(self, key: str, verdict: RuleVerdict) -> None:
        if verdict.outcome is not Outcome.UNDETERMINED:
            self._memory[key] = verdict
        while len(self._memory) > self._remembered:
            self._memory.popitem(last=False)


def _unsure(rule: Rule, why: str) -> RuleVerdict:
    return RuleVerdict(rule.id, rule.digest, Outcome.UNDETERMINED, stage=STAGE, evidence=why)


def nothing(rules: Sequence[Rule], why: str) -> Reasoning:
    """No rule decided, all for one reason."""
    return Reasoning(tuple(_unsure(rule, why) for rule in rules))


def _checked(rule: Rule, said: Said | None, shown: Sequence[Reading]) -> RuleVerdict:
    """What the model said as a verdict, if it holds against the text."""
    if said is None:
        return _unsure(rule, "the answer leaves the rule out")
    if said.outcome is Outcome.UNDETERMINED:
        return _unsure(rule, "the model could not tell")
    # An empty quote under `allowed` is what was asked for; any other quote must stand in the text.
    if said.quote is None or (said.outcome is Outcome.ALLOWED and not said.quote.strip()):
        return RuleVerdict(rule.id, rule.digest, said.outcome, _SCORE[said.outcome], STAGE)
    span = located(said.quote, shown)
    if span is None:
        return _unsure(rule, "the answer quotes what does not stand in the text")
    return RuleVerdict(rule.id, rule.digest, said.outcome, _SCORE[said.outcome], STAGE, span.reading.view, span.place)
