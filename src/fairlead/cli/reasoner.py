"""The options that put a slower stage behind the local judge, and the two ways to judge with it: awaited, and one by one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated, Any

import typer
from msgspec import Struct

from fairlead.judge.cascade import Judge
from fairlead.judge.external import Moderations
from fairlead.judge.forms import RESPONSE_FORMAT, Form, LlamaGuard, Native, Safeguard
from fairlead.judge.reasoned import Explained, Reasoned, Stage
from fairlead.judge.reasoner import Reasoner
from fairlead.models.endpoint import Endpoint
from fairlead.policy.document import Policy, Surface
from fairlead.records.conversation import Conversation
from fairlead.records.errors import InputError
from fairlead.records.verdict import Verdict

_AT_ONCE = 8  # questions to the reasoner, where many texts are judged


class FormName(StrEnum):
    """What kind of model stands at the URL."""

    NATIVE = "native"
    SAFEGUARD = "gpt-oss-safeguard"
    LLAMA_GUARD = "llama-guard"
    MODERATIONS = "moderations"


Url = Annotated[
    str | None,
    typer.Option(
        "--reasoner",
        help="Base URL of an OpenAI-compatible server that is asked what the judge leaves open; key in FAIRLEAD_REASONER_KEY.",
    ),
]
Model = Annotated[str, typer.Option("--reasoner-model", help="The model's name at that server.")]
Kind = Annotated[FormName, typer.Option("--reasoner-form", help="What kind of model it is.")]
# The gateway gives the whole judge 20 s.
Timeout = Annotated[float, typer.Option("--reasoner-timeout", min=0.1, max=15.0, help="Seconds that it may take for a text.")]


class Options(Struct, frozen=True):
    """What the options say."""

    url: str | None = None
    model: str = ""
    form: FormName = FormName.NATIVE
    timeout_s: float = 8.0


def reasoned(judge: Judge, policy: Policy, options: Options) -> Reasoned | None:
    """The judge with the stage that the options name behind it; None when they name none. Raises InputError."""
    if options.url is None:
        return None
    if not options.model:
        raise InputError("--reasoner needs the model's name, which verdicts carry: name it with --reasoner-model")
    return Reasoned(judge, _stage(policy, options, options.url), policy, deadline_s=options.timeout_s)


class OneByOne:
    """A judge that is awaited, for callers that are not."""

    def __init__(self, judge: Reasoned, runner: asyncio.Runner) -> None:
        self._judge, self._runner, self.producer = judge, runner, judge.producer

    def explain(self, conversation: Conversation, surface: Surface = "prompt") -> Explained:
        """The verdict on one conversation, with reasons."""
        return self._runner.run(self._judge.explain(conversation, surface))

    def judge(self, conversation: Conversation, surface: Surface = "prompt") -> Verdict:
        """The verdict on one conversation."""
        return self.explain(conversation, surface).verdict

    def judge_many(self, conversations: Sequence[Conversation], surface: Surface = "prompt") -> list[Verdict]:
        """What `judge` says of each, a few at once."""
        return self._runner.run(self._many(conversations, surface))

    async def _many(self, conversations: Sequence[Conversation], surface: Surface) -> list[Verdict]:
        room = asyncio.Semaphore(_AT_ONCE)

        async def one(conversation: Conversation) -> Verdict:
            async with room:
                return await self._judge.judge(conversation, surface)

        return list(await asyncio.gather(*map(one, conversations)))


@contextmanager
def one_by_one(judge: Judge, policy: Policy, options: Options) -> Iterator[Judge | OneByOne]:
    """The local judge alone, or with the stage behind it for as long as the block runs. Raises InputError."""
    both = reasoned(judge, policy, options)
    if both is None:
        yield judge
        return
    with asyncio.Runner() as runner:
        try:
            yield OneByOne(both, runner)
        finally:
            runner.run(both.close())


def explained(judge: Judge | OneByOne, conversation: Conversation, surface: Surface) -> Explained:
    """The verdict on one conversation, with reasons where a model gave some."""
    return (
        judge.explain(conversation, surface) if isinstance(judge, OneByOne) else Explained(judge.judge(conversation, surface))
    )


def _stage(policy: Policy, options: Options, url: str) -> Stage:
    structured: dict[str, Any] | None = RESPONSE_FORMAT if options.form is FormName.NATIVE else None
    key = os.environ.get("FAIRLEAD_REASONER_KEY")
    endpoint = Endpoint(url, options.model, api_key=key, timeout_s=options.timeout_s, response_format=structured)
    if options.form is FormName.MODERATIONS:
        return Moderations(endpoint)
    forms: dict[FormName, Form] = {
        FormName.NATIVE: Native(),
        FormName.SAFEGUARD: Safeguard(),
        FormName.LLAMA_GUARD: LlamaGuard(policy),
    }
    return Reasoner(endpoint, policy, forms[options.form])
