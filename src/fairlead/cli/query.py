"""`fairlead ledger query`: the decisions that answer a condition."""

from __future__ import annotations

import math
import sys
import time
from itertools import islice
from typing import Annotated

import msgspec
import typer

from fairlead.cli.moment import moment
from fairlead.investigate.query import Counts, query
from fairlead.ledger.log import read
from fairlead.policy.expression import Condition, ExpressionError, read_when
from fairlead.records.entry import Decided, Entry
from fairlead.records.errors import InputError

LEDGER = typer.Argument(help="The ledger: a file, or the URL of a PostgreSQL database. It is only read.")


def query_command(
    ledger: Annotated[str, LEDGER],
    when: Annotated[str, typer.Argument(help="A condition, as in a policy's `when`.")],
    since: Annotated[str, typer.Option(help="From when on: 7d, 12h, 90m ago, or a date.")] = "7d",
    until: Annotated[str | None, typer.Option(help="Before when, written likewise; without it up to now.")] = None,
    account: Annotated[str | None, typer.Option(help="The decisions of this account alone.")] = None,
    n: Annotated[int | None, typer.Option("-n", min=1, help="At most so many, the first.")] = None,
) -> None:
    """Print the decisions for which a condition holds as JSON, one a line: sequence number, time, account, action, rule."""
    now = time.time()
    first, last = moment(since, now), moment(until, now) if until else math.inf
    counts = Counts()
    condition, accounts, tiers = _condition(when), set[str | None](), set[str | None]()

    def wanted(entry: Entry, decided: Decided) -> bool:
        accounts.add(decided.account)
        tiers.add(decided.tier)
        return first <= entry.time < last and (account is None or decided.account == account)

    found = 0
    for match in islice(query(read(ledger), condition.holds, wanted, counts), n):
        found += 1
        print(msgspec.json.encode(match).decode())
    stopped = "; there may be more" if found == n else ""
    print(f"{found} of the {counts.asked} decisions that were looked at{stopped}", file=sys.stderr)
    if not stopped:
        asked = [("account", name, accounts) for name in (account,) if name] + [("tier", t, tiers) for t in condition.tiers]
        for noun, name, known in asked:
            if name not in known:
                print(f"no decision in the log names the {noun} {name!r}", file=sys.stderr)
    if counts.unknown:
        print(f"of {counts.unknown} nobody can say: a signal that the condition names was not recorded", file=sys.stderr)


def _condition(when: str) -> Condition:
    try:
        return read_when(when)
    except ExpressionError as error:
        raise InputError(f"the condition, at character {error.column + 1}: {error}") from error
