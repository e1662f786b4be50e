"""`fairlead ledger query`: the decisions that answer a condition."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from itertools import islice
from typing import Annotated

import msgspec
import typer

from fairlead.cli.moment import moment
from fairlead.investigate.query import Counts, query
from fairlead.ledger.log import read
from fairlead.policy.expression import Condition, ExpressionError, read_when
from fairlead.policy.nearest import nearest
from fairlead.records.entry import CaseOpened, Decided, Entry, PolicyLoaded
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
    if first >= min(last, now):
        end = f"before {until}, where --until ends it" if last < now else "in the past"
        raise InputError(f"no time lies between: --since {since} must lie {end}")
    counts, condition, names = Counts(), _condition(when), _Names()

    def wanted(entry: Entry, decided: Decided) -> bool:
        return first <= entry.time < last and (account is None or decided.account == account)

    found = 0
    for match in islice(query(names.noted(read(ledger)), condition.holds, wanted, counts), n):
        found += 1
        print(msgspec.json.encode(match).decode())
    stopped = "; there may be more" if found == n else ""
    print(f"{found} of the {counts.asked} decisions that were looked at{stopped}", file=sys.stderr)
    if not stopped:
        for unknown in names.unknown(condition, account):
            print(unknown, file=sys.stderr)
    if counts.unknown:
        print(f"of {counts.unknown} nobody can say: a signal that the condition names was not recorded", file=sys.stderr)


class _Names:
    """The names that a log holds, so that a mistyped one can be told from one of which there is nothing."""

    def __init__(self) -> None:
        self.accounts, self.tiers, self.rules, self.signals = (set[str | None](), set[str | None](), set[str](), set[str]())

    def noted(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """The entries, each taken note of."""
        for entry in entries:
            match entry.payload:
                case Decided() as decided:
                    self.accounts.add(decided.account)
                    self.tiers.add(decided.tier)
                    self.rules.update(flag.removeprefix("shadow:") for flag in (*decided.flags, decided.rule) if flag)
                    for signals in decided.signals:
                        self.signals.update(signals.scores)
                case CaseOpened() as case:
                    self.rules.add(case.rule)
                case PolicyLoaded() as policy:
                    self.rules.update(policy.rules)
            yield entry

    def unknown(self, condition: Condition, account: str | None) -> Iterator[str]:
        """What the condition, or the account that was asked for, names and the log does not."""
        if account and account not in self.accounts:
            yield f"no decision in the log names the account {account!r}"
        for tier in sorted(condition.tiers - self.tiers):
            yield f"no decision in the log names the tier {tier!r}; {nearest(tier, sorted(filter(None, self.tiers)))}"
        for signal in sorted(condition.signals - self.signals):
            yield f"no decision in the log holds the signal {signal!r}; {nearest(signal, sorted(self.signals))}"
        globs = {f"{rule.partition('.')[0]}.*" for rule in self.rules}
        for glob in sorted({count.rule for count in condition.counts}):
            if glob != "*" and not any(fnmatchcase(rule, glob) for rule in self.rules):
                yield f"no rule in the log matches the glob {glob!r}; {nearest(glob, sorted(self.rules | globs))}"


def _condition(when: str) -> Condition:
    try:
        return read_when(when)
    except ExpressionError as error:
        raise InputError(f"the condition, at character {error.column + 1}: {error}") from error
