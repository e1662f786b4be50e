"""The local judge and a slower stage behind it, which is asked only where the local stages leave a rule open.

    a rule undetermined, or violated only because its signal is missing    the slower stage is asked about it
    a critical rule in force is violated                                   nothing is asked: the text is stopped anyway
    the local judge failed                                                 nothing is asked, and the failure stands

Invariant: the slower stage can only decide what was open. When it is down, slow, or answers nonsense, the local outcome stands,
which is undetermined, or violated where the rule says `missing: block`; it is never allowed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
from msgspec import Struct

from fairlead.judge.breaker import Breaker
from fairlead.judge.reasoner import STAGE, Reasoning, nothing
from fairlead.judge.threads import InThreads, Judge
from fairlead.policy.document import Policy, Rule, Surface
from fairlead.records.conversation import Conversation
from fairlead.records.errors import UpstreamError, UpstreamTimeout
from fairlead.records.verdict import CUT, Outcome, RuleVerdict, Verdict

_DEADLINE_S = 8.0


class Stage(Protocol):
    """Something slow that can decide rules: a reasoner, a hosted moderation endpoint, a classifier."""

    name: str

    async def reason(self, conversation: Conversation, surface: Surface, rules: Sequence[Rule]) -> Reasoning:
        """A verdict for each of `rules`, which come with the likeliest first. Raises UpstreamError when it cannot answer."""
        ...

    async def close(self) -> None:
        """Let go of what it holds."""
        ...


class Explained(Struct, frozen=True):
    """A verdict, with the slower stage's reasons by rule id. These may quote the text: they are shown, never stored."""

    verdict: Verdict
    rationales: dict[str, str] = {}


class Reasoned:
    """A judge that is awaited. Use within one event loop."""

    def __init__(
        self,
        judge: Judge,
        stage: Stage,
        policy: Policy,
        *,
        deadline_s: float = _DEADLINE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`deadline_s` bounds what the slower stage adds to one verdict, in seconds."""
        self._local, self._stage, self._policy = InThreads(judge), stage, policy
        self._deadline_s, self._clock, self._breaker = deadline_s, clock, Breaker(clock)
        self.producer = f"{judge.producer}+{STAGE}/{stage.name}"

    async def judge(self, conversation: Conversation, surface: Surface = "prompt") -> Verdict:
        """The verdict on one conversation. The slower stage's failures are in it; they raise nothing."""
        return (await self.explain(conversation, surface)).verdict

    async def explain(self, conversation: Conversation, surface: Surface = "prompt") -> Explained:
        """As `judge`, with the reasons."""
        local = msgspec.structs.replace(await self._local.judge(conversation, surface), producer=self.producer)
        open_rules = self._open(local)
        if not open_rules:
            return Explained(local)
        started = self._clock()
        found = await self._reasoned(conversation, surface, open_rules)
        local = msgspec.structs.replace(local, took={**local.took, STAGE: self._clock() - started})
        asked = {rule.id for rule in open_rules}
        said = {verdict.rule: verdict for verdict in found.verdicts if verdict.rule in asked}
        return Explained(_merged(local, said), found.rationales)

    async def close(self) -> None:
        """Let go of the threads and of what the stage holds."""
        await self._local.close()
        await self._stage.close()

    def _open(self, local: Verdict) -> list[Rule]:
        """The rules to be asked about, the likeliest first: by their local score, and after them those that have none."""
        if local.error is not None or any(self._stops(verdict) for verdict in local.rules):
            return []
        # What was cut off is missing to every stage, and evidence that says so must stand: a back-test reads it.
        found = [
            verdict
            for verdict in local.rules
            if (verdict.outcome is Outcome.UNDETERMINED or _missing(verdict)) and not verdict.evidence.startswith(CUT)
        ]
        found.sort(key=lambda verdict: -1.0 if verdict.score is None else verdict.score, reverse=True)
        return [self._policy.rule(verdict.rule) for verdict in found]

    def _stops(self, verdict: RuleVerdict) -> bool:
        rule = self._policy.rule(verdict.rule)
        sure = verdict.outcome is Outcome.VIOLATES and not _missing(verdict)
        return sure and rule.severity == "critical" and rule.acts_on(None)

    async def _reasoned(self, conversation: Conversation, surface: Surface, rules: list[Rule]) -> Reasoning:
        """What the stage says of each rule; undetermined with the reason where it says nothing."""
        if not self._breaker.allows():
            return nothing(rules, "left alone for a while, since it did not answer in time")
        try:
            async with asyncio.timeout(self._deadline_s):
                found = await self._stage.reason(conversation, surface, rules)
        except (TimeoutError, UpstreamTimeout):
            self._breaker.failed()
            return nothing(rules, f"no answer within {self._deadline_s:g} s")
        except UpstreamError as error:  # quick to fail, so not worth a rest; its words are ours
            return nothing(rules, str(error))
        except Exception as error:  # a fault of ours; its words may quote the text
            return nothing(rules, f"failed: {type(error).__name__}")
        self._breaker.succeeded()
        return found


def taught(verdict: Verdict) -> dict[str, bool]:
    """The rules that the slower stage decided because the local judge could not, and whether each is violated: labels from
    which heads can be trained."""
    decided = [said for said in verdict.rules if said.stage == STAGE and said.outcome is not Outcome.UNDETERMINED]
    # Without a score it is the local outcome that stands, for want of a signal.
    return {said.rule: said.outcome is Outcome.VIOLATES for said in decided if not _missing(said)}


def _missing(verdict: RuleVerdict) -> bool:
    """Whether the outcome rests on no signal at all."""
    return verdict.score is None


def _merged(local: Verdict, said: dict[str, RuleVerdict]) -> Verdict:
    """The stage's verdict where it decided. Elsewhere the local one stands, and the evidence says why the stage did not."""

    def one(verdict: RuleVerdict) -> RuleVerdict:
        new = said.get(verdict.rule, verdict)
        if new.outcome is not Outcome.UNDETERMINED:
            return new
        return msgspec.structs.replace(verdict, stage=new.stage, evidence=new.evidence)

    return msgspec.structs.replace(local, rules=tuple(map(one, local.rules)))
