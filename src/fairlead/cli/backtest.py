"""`fairlead policy backtest`: what a policy would have done with what happened."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Column, Table

from fairlead.cli.impersonal import impersonal
from fairlead.cli.moment import moment
from fairlead.cli.vault import KEYS, MASTER, named_master, needed, opened
from fairlead.enforce.settle import Settlement
from fairlead.investigate.backtest import Report, backtest
from fairlead.investigate.changes import RuleChange
from fairlead.investigate.rejudge import Rejudge, kept, rejudging
from fairlead.judge.cascade import Judge
from fairlead.ledger.log import read
from fairlead.policy.document import Policy
from fairlead.policy.load import read as read_policy
from fairlead.records.figure import Figure

LEDGER = typer.Option(help="The ledger: a file, or the URL of a PostgreSQL database. It is only read.")
WIDTH = 140
SINCE = typer.Option(help="From when on: 30d, 12h, 90m ago, or a date. What came before is the history, as it was.")


def backtest_command(
    new: Annotated[Path, typer.Argument(help="The policy file to try.")],
    ledger: Annotated[str, LEDGER],
    since: Annotated[str, SINCE] = "30d",
    disagreements: Annotated[int, typer.Option(min=0, help="How many requests to name that come out otherwise.")] = 20,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    rejudge: Annotated[
        bool, typer.Option("--rejudge", help="Judge stored content anew in place of the recorded signals.")
    ] = False,
    heads: Annotated[Path | None, typer.Option(help="With --rejudge: folder of the judge's heads, or `core`.")] = None,
    encoder: Annotated[Path | None, typer.Option(help="With --rejudge: folder of the judge's encoder.")] = None,
    keys: Annotated[str | None, KEYS] = None,
    master_key: Annotated[str | None, MASTER] = None,
    by: Annotated[str, typer.Option(help="With --rejudge: who reads stored content.")] = "",
    purpose: Annotated[str, typer.Option(help="With --rejudge: why, such as the change that is tried.")] = "",
) -> None:
    """Decide what the ledger holds anew, under another policy, with the signals that were recorded."""
    start, loaded = moment(since, time.time()), read_policy(new)
    policy, below = loaded.right(), loaded.extends
    if rejudge:
        judge = Judge.load(policy, heads, encoder)
        with opened(ledger, keys, needed(named_master(master_key, ledger, keys))) as vault:
            contents = kept(vault, by=impersonal("the reader", by), purpose=impersonal("the purpose", purpose))
            report = tried(policy, ledger, start, disagreements, below, rejudging(judge, contents))
    else:
        report = tried(policy, ledger, start, disagreements, below)
    if json:
        print(msgspec.json.encode(report).decode())
    else:
        show(report, Console(width=WIDTH))


def tried(
    policy: Policy, ledger: str, since: float, disagreements: int, below: Policy | None, rejudge: Rejudge | None = None
) -> Report:
    """The back-test of a policy over a ledger. Raises InputError when there is none."""
    return backtest(
        policy,
        read(ledger),
        settle=Settlement(policy).settle,
        since=since,
        below=below,
        rejudge=rejudge,
        disagreements=disagreements,
    )


# ── the report for people ────────────────────────────────────────────────────────────────────────────────────────────────────


def show(report: Report, console: Console) -> None:
    """Print a report as tables."""
    console.print(f"{report.id} {report.version}, digest {report.policy[:12]}, tried on {_between(report.first, report.last)}")
    left = ", ".join(f"{n:,} {why}" for why, n in report.left.items())
    console.print(f"{report.events:,} requests of {report.accounts:,} accounts; {report.replayed:,} decided anew")
    if left:
        console.print(f"left as they were: {left}")
    if report.let_in:
        console.print(f"{report.let_in:,} were refused because their account was shut out, which it would not have been")
    for why, n in report.turned_away.items():
        told = {"tier": "their tier is gone or has no quota", "account": "their account would have been shut out"}[why]
        console.print(f"{n:,} would be refused before any rule looks, because {told}")
    if report.rejudged:
        console.print(f"texts that were judged anew: {report.rejudged:,}; of the others the recorded signals were read")
    _show_rules(report, console)
    _show_actions(report.actions, console)
    pairs = {"cases opened": report.cases, "put before reviewers": report.queued}
    pairs |= {f"accounts in tier {tier}": pair for tier, pair in report.tiers.items()}
    pairs |= {f"accounts at step {step}": pair for step, pair in report.steps.items()}
    table = Table(*_columns("", "before", "after"))
    for name, (before, after) in pairs.items():
        table.add_row(name, f"{before:,}", f"{after:,}" if before == after else f"[bold]{after:,}[/]")
    console.print(table)
    if report.untested:
        rules = ", ".join(report.untested)
        console.print(f"the log knows other versions of {rules}: a pattern that is new or rewritten found nothing: --rejudge")
    _show_disagreements(report, console)


def _show_rules(report: Report, console: Console) -> None:
    names = ("rule", "state", "before", "after", "newly", "no longer", "unsure", "--rejudge", "precision", "of newly", "recall")
    table = Table(*_columns(*names, left=2), title="events in which a rule was violated")
    changed = [rule for rule in report.rules if _moved(rule)]
    for rule in changed:
        counts = (rule.before, rule.after, rule.newly_hit, rule.no_longer_hit)
        shares = (rule.precision, rule.precision_newly_hit, rule.recall)
        table.add_row(
            rule.rule,
            rule.state,
            *(f"{n:,}" for n in counts),
            f"{rule.unsure_before:,} → {rule.unsure_after:,}",
            f"{rule.undetermined:,}",
            *(_share(share) for share in shares),
        )
    if changed:
        console.print(table)
    console.print(f"rules that find what they found: {len(report.rules) - len(changed)}")


def _moved(rule: RuleChange) -> bool:
    return bool(rule.newly_hit or rule.no_longer_hit or rule.undetermined or rule.unsure_before != rule.unsure_after)


def _show_actions(actions: Mapping[str, Mapping[str, int]], console: Console) -> None:
    afters = sorted({after for row in actions.values() for after in row})
    table = Table(*_columns("before ╲ after", *afters), title="what the caller gets")
    for before, row in actions.items():
        table.add_row(before, *(f"{row[after]:,}" if after in row else "" for after in afters))
    if actions:
        console.print(table)


def _show_disagreements(report: Report, console: Console) -> None:
    if not report.disagreements:
        return
    named = _columns("entry", "request", "account", "before", "after", left=5)
    table = Table(*named, Column("rules", overflow="fold"), title="to review")  # it alone may be very long, so it alone wraps
    for one in report.disagreements:
        rules = ", ".join(f"{rule} {change}" for rule, change in one.rules.items())
        table.add_row(str(one.seq), one.request, one.account or "", one.before, one.after, rules)
    console.print(table)


def _columns(*names: str, left: int = 1) -> list[Column]:
    return [Column(name, justify="left" if at < left else "right", no_wrap=True) for at, name in enumerate(names)]


def _share(figure: Figure) -> str:
    if figure.value is None or figure.low is None or figure.high is None:
        return "no labels"
    return f"{figure.value:.2f} n={figure.n}\n{figure.low:.2f}–{figure.high:.2f}"


def _between(first: float | None, last: float | None) -> str:
    if first is None or last is None:
        return "nothing: no request lies in that time"
    days = [datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M") for at in (first, last)]
    return f"{days[0]} – {days[1]} UTC"
