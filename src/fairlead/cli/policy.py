"""`fairlead policy`: check a file, and read a rule as each reader gets it."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from fairlead.ledger.log import read as read_ledger
from fairlead.policy import render
from fairlead.policy.core import CORE
from fairlead.policy.history import reused
from fairlead.policy.inherit import Override
from fairlead.policy.load import Loaded, load, read
from fairlead.records.entry import PolicyLoaded
from fairlead.records.errors import InputError

app = typer.Typer(no_args_is_help=True, help="Write, check and compare policy files, and read their rules.")

File = Annotated[Path, typer.Argument(help="The policy file.", show_default=False)]

_READERS = {
    "model": render.spec,
    "judge": render.guard_prompt,
    "reviewer": render.reviewer_page,
    "user": render.notice,
    "red-team": render.objective,
}
_OF_TEXTS = ("judge", "red-team")


@app.command("check")
def check_command(
    file: File = CORE,
    ledger: Annotated[Path | None, typer.Option(help="A ledger whose earlier policies may have used up an id.")] = None,
) -> None:
    """Validate a file: schema, names, tiers, examples, conditions. Exit status 2 with file and line for all that is wrong."""
    loaded = read(file)
    history = [entry.payload for entry in read_ledger(ledger) if isinstance(entry.payload, PolicyLoaded)] if ledger else []
    wrong = [loaded.error(problem) for problem in (*loaded.problems, *reused(loaded.policy, history))]
    for error in wrong[:-1]:
        print(f"fairlead: {error}", file=sys.stderr)
    if wrong:
        raise wrong[-1]
    _describe(file, loaded)
    if ledger:
        print(f"no id comes back from the {len(history)} policies that were in force in {ledger}")


@app.command("show")
def show_command(
    rule: Annotated[str | None, typer.Argument(help="The rule's id; without it the whole policy, for a model.")] = None,
    reader: Annotated[str, typer.Option("--for", help=", ".join(_READERS))] = "model",
    policy: Annotated[Path, typer.Option(help="The policy file.", show_default=False)] = CORE,
) -> None:
    """Print one rule in the words of a reader."""
    if reader not in _READERS:
        raise InputError(f"unknown reader {reader!r}; write one of {', '.join(_READERS)}")
    rules = load(policy)
    if rule is None:
        if reader != "model":
            raise InputError(f"name the rule to be shown for {reader}; the whole policy is written for models alone")
        print(render.constitution(rules))
        return
    if rule not in {r.id for r in rules.rules}:
        raise InputError(f"there is no rule {rule!r} in {policy}; known: {', '.join(r.id for r in rules.rules)}")
    if reader in _OF_TEXTS and rules.rule(rule).detect is None:
        raise InputError(f"rule {rule!r} is over an account's history: no text is judged or attacked under it")
    print(_READERS[reader](rules.rule(rule)))


def _describe(file: Path, loaded: Loaded) -> None:
    policy = loaded.policy
    examples = sum(len(rule.examples) for rule in policy.rules)
    states = ", ".join(f"{n} {state}" for state, n in sorted(Counter(rule.state for rule in policy.rules).items()))
    print(f"{file}: {policy.id} {policy.version}, digest {policy.digest}")
    print(f"{len(policy.rules)} rules ({states}), {examples} examples")
    print(f"tiers, the least trusted first: {', '.join(policy.tiers)}")
    if loaded.extends is not None:
        below = loaded.extends
        added = [rule.id for rule in policy.rules if rule.id not in {r.id for r in below.rules}]
        print(f"on top of {below.id} {below.version}, digest {below.digest}")
        print(f"rules added: {', '.join(added) or 'none'}; keys overridden: {len(loaded.overrides) or 'none'}")
        for override in loaded.overrides:
            print(_told(override))


def _told(override: Override) -> str:
    where = f"{override.rule}: {override.key}" if override.rule else override.key
    if override.before is None:
        return f"  {where} is {_short(override.after)}"
    return f"  {where} is {_short(override.after)}, was {_short(override.before)}"


def _short(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) and not any(isinstance(v, dict) for v in value) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
