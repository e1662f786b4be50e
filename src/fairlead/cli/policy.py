"""`fairlead policy`: check a file, and read a rule as each reader gets it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fairlead.cli.backtest import backtest_command
from fairlead.cli.suggest import suggest_command
from fairlead.policy import render
from fairlead.policy.core import CORE
from fairlead.policy.load import load
from fairlead.records.errors import InputError

app = typer.Typer(no_args_is_help=True, help="Check a policy file, and read its rules.")

app.command("backtest")(backtest_command)
app.command("suggest")(suggest_command)

File = Annotated[Path, typer.Argument(help="The policy file.", show_default=False)]

_READERS = {"model": render.spec, "user": render.notice, "reviewer": render.reviewer_page}


@app.command("check")
def check_command(file: File = CORE) -> None:
    """Validate a file: schema, names, thresholds, conditions. Exit status 2 with file and line when it is wrong."""
    policy = load(file)
    examples = sum(len(rule.examples) for rule in policy.rules)
    states = {s: sum(r.state == s for r in policy.rules) for s in sorted({r.state for r in policy.rules})}
    print(f"{file}: {policy.id} {policy.version}, digest {policy.digest}")
    print(f"{len(policy.rules)} rules ({', '.join(f'{n} {s}' for s, n in states.items())}), {examples} examples")
    print(f"tiers, the least trusted first: {', '.join(policy.tiers)}")


@app.command("show")
def show_command(
    rule: Annotated[str, typer.Argument(help="The rule's id.")],
    reader: Annotated[str, typer.Option("--for", help="model, user or reviewer")] = "reviewer",
    policy: Annotated[Path, typer.Option(help="The policy file.", show_default=False)] = CORE,
) -> None:
    """Print one rule in the words of a reader."""
    if reader not in _READERS:
        raise InputError(f"unknown reader {reader!r}; write one of {', '.join(_READERS)}")
    rules = load(policy)
    if rule not in {r.id for r in rules.rules}:
        raise InputError(f"there is no rule {rule!r} in {policy}; known: {', '.join(r.id for r in rules.rules)}")
    print(_READERS[reader](rules.rule(rule)))
