"""The summary of a turn as a table in the terminal."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from fairlead.cycle.summary import Summary, Traced

_ROWS = (
    ("basin, base model: attacks that succeed", "basin-base", "attack success"),
    ("basin, base model: benign requests refused", "basin-base", "benign refusal"),
    ("basin, fine-tuned: attacks that succeed", "basin-sft", "attack success"),
    ("basin, fine-tuned: benign requests refused", "basin-sft", "benign refusal"),
    ("judge: violating held-out texts withheld", "judge", "caught"),
    ("judge: ordinary held-out texts withheld", "judge", "overblocked"),
    ("judge under held-out transforms, before: attacks that pass", "judge before", "attack success"),
    ("judge under held-out transforms, before: benign withheld", "judge before", "benign refusal"),
    ("judge under held-out transforms, improved: attacks that pass", "judge improved", "attack success"),
    ("judge under held-out transforms, improved: benign withheld", "judge improved", "benign refusal"),
    ("gateway: lines of traffic that got what was expected", "guard", "as expected"),
)


def show(summary: Summary, out: Path) -> None:
    """Print the table, the decisions, and where to look further."""
    console = Console(width=118, soft_wrap=False)
    table = Table(title=f"One turn of the wheel, seed {summary.started.seed}")
    for column in ("figure", "value", "95 % interval", "n", "entry"):
        table.add_column(column, justify="left" if column == "figure" else "right")
    for label, subject, name in _ROWS:
        table.add_row(label, *_cells(summary.find(subject, name)))
    console.print(table)
    console.print(_guard(summary))
    for _, promotion in summary.promotions:
        word = "[green]promoted[/]" if promotion.promoted else "[red]refused[/]"
        data = summary.trained_on(promotion.candidate)
        console.print(f"heads {promotion.candidate[:12]}, trained on the {data} dataset: {word}", highlight=False)
        for reason in promotion.reasons:
            console.print(f"  {reason}", highlight=False, markup=False)
    print(
        f"\nreport: {out / 'report.html'}\nledger: {out / 'ledger.db'} (prove it: fairlead ledger verify {out / 'ledger.db'})"
    )


def _guard(summary: Summary) -> Table:
    """What each client of the gateway got."""
    got: dict[str, list[str]] = {}
    for traced in summary.under("guard", "requests"):
        client, _, action = traced.subject.removeprefix("guard|").partition(" → ")
        got.setdefault(client, []).append(f"{action} × {traced.figure.value:.0f}")
    table = Table("client (tier)", "what it got from the gateway")
    for client, actions in got.items():
        table.add_row(client, ", ".join(actions))
    return table


def _cells(traced: Traced | None) -> tuple[str, str, str, str]:
    if traced is None or traced.figure.value is None:
        return "not measured", "", "", ""
    figure = traced.figure
    bounds = "" if figure.low is None or figure.high is None else f"{figure.low:.1%} – {figure.high:.1%}"
    return f"{figure.value:.1%}", bounds, str(figure.n), str(traced.seq)
