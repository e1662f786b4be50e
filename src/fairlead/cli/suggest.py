"""`fairlead policy suggest`: a model's proposal for one rule, as a diff with its back-test. It applies nothing."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from fairlead.cli.backtest import LEDGER, SINCE, WIDTH, show, tried
from fairlead.cli.moment import moment
from fairlead.investigate.suggest import Findings, findings, suggest
from fairlead.ledger.log import read
from fairlead.models.endpoint import Endpoint
from fairlead.policy.core import CORE, named
from fairlead.policy.document import Policy, Rule
from fairlead.policy.load import load
from fairlead.policy.nearest import nearest
from fairlead.policy.written import replaced, rule_diff, with_rule
from fairlead.records.errors import InputError, UpstreamError

_TIMEOUT_S = 300.0


def suggest_command(
    rule: Annotated[str, typer.Argument(help="The rule's id; a rule over texts.")],
    ledger: Annotated[str, LEDGER],
    reasoner: Annotated[str, typer.Option(help="Base URL of an OpenAI-compatible server; its key in FAIRLEAD_REASONER_KEY.")],
    model: Annotated[str, typer.Option(help="The model's name; the first that the server offers when not given.")] = "",
    policy: Annotated[Path, typer.Option(help="The policy file.", show_default=False)] = CORE,
    since: Annotated[str, SINCE] = "30d",
    out: Annotated[Path | None, typer.Option(help="A new file for the policy with the suggestion in it.")] = None,
    purpose: Annotated[str | None, typer.Option(help="Not read yet: the model sees no stored text.")] = None,
) -> None:
    """Ask a model for an edit of a rule, from where reviewers and judge disagree. Show it and try it; apply nothing."""
    start, rules = moment(since, time.time()), load(policy := named(policy))
    if purpose is not None:
        raise InputError("in this version the model is shown no stored text, whatever the purpose; leave --purpose out")
    if out is not None and out.exists():
        raise InputError(f"{out} is there already; name another file")
    found = findings(read(ledger), _text_rule(rules, rule, policy))
    print(f"{found.agreed} labelled items on which people and the judge agree, {len(found.cases)} on which they do not")
    new = asyncio.run(_asked(reasoner, model, rules, rule, found))
    if new == rules.rule(rule):
        print("The model suggests no change.")
        return
    written = with_rule(policy.read_text(encoding="utf-8"), new, file=str(policy))
    print(rule_diff(rules.rule(rule), new))
    print()
    show(tried(replaced(rules, new), ledger, start, 20, rules), Console(width=WIDTH))
    if out is None:
        print("Nothing was written; --out FILE writes the policy with the suggestion in it.")
    else:
        out.write_text(written, encoding="utf-8")
        print(f"{out}: the policy with the suggestion in it. Nothing was put in force.")


async def _asked(url: str, model: str, policy: Policy, rule: str, found: Findings) -> Rule:
    key = os.environ.get("FAIRLEAD_REASONER_KEY")
    if not model:
        async with Endpoint(url, api_key=key) as server:
            offered = await server.models()
        if not offered:
            raise UpstreamError("the reasoner offers no model; name one with --model")
        model = offered[0]
    async with Endpoint(url, model, api_key=key, timeout_s=_TIMEOUT_S) as chat:
        return await suggest(chat, policy, rule, found, {})


def _text_rule(policy: Policy, id: str, file: Path) -> Rule:
    known = {rule.id: rule for rule in policy.rules if rule.detect is not None}
    if id not in known:
        raise InputError(f"there is no rule over texts {id!r} in {file}; {nearest(id, known)}")
    return known[id]
