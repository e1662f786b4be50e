"""How every benchmark ends: a table for people, then one line of JSON; bars come from `bars.toml`."""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from fairlead.records.figure import Figure

BARS = Path(__file__).with_name("bars.toml")


class Bar(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a figure must reach: at least, or at most. With `of_rival` the bar is a multiple of the rival's value."""

    at_least: float | None = None
    at_most: float | None = None
    of_rival: bool = False
    full_only: bool = False

    def holds(self, figure: Figure) -> bool:
        """A figure that is missing has failed."""
        scale = figure.rival if self.of_rival else 1.0
        if figure.value is None or scale is None:
            return False
        low = self.at_least is None or figure.value >= self.at_least * scale
        return low and (self.at_most is None or figure.value <= self.at_most * scale)


def bars(bench: str) -> dict[str, Bar]:
    """The bars of one benchmark by figure name."""
    table = tomllib.loads(BARS.read_text(encoding="utf-8"))
    return msgspec.convert(table.get(bench, {}), dict[str, Bar])


def finish(bench: str, figures: Sequence[Figure], *, quick: bool) -> int:
    """Print the table and the JSON line; return the exit status: 1 when a bar is not held or its figure is missing."""
    wanted = {name: bar for name, bar in bars(bench).items() if not (quick and bar.full_only)}
    found = {figure.name: figure for figure in figures}
    rows = [*figures, *(Figure(name, None) for name in wanted if name not in found)]
    table = Table(title=f"bench.{bench}" + (" --quick: small n" if quick else ""))
    for column in ("figure", "value", "low – high", "n", "rival", "bar", "holds"):
        table.add_column(column)
    out = []
    for figure in rows:
        bar = wanted.get(figure.name)
        holds = None if bar is None else bar.holds(figure)
        table.add_row(
            figure.name,
            f"{_number(figure.value)} {figure.unit}",
            f"{_number(figure.low)} – {_number(figure.high)}" if figure.low is not None else "",
            str(figure.n or ""),
            _number(figure.rival) if figure.rival is not None else "",
            _bar(bar),
            "" if holds is None else "yes" if holds else "NO",
        )
        row = {key: getattr(figure, key) for key in ("name", "value", "unit", "low", "high", "n", "rival")}
        out.append({**row, "bar": bar, "holds": holds})
    Console(width=120).print(table)
    print(msgspec.json.encode({"figures": out}).decode())
    return int(any(row["holds"] is False for row in out))


def main(bench: str, run: Callable[[bool], Sequence[Figure]]) -> None:
    """Entry of each benchmark: read `--quick`, run, finish, exit."""
    parser = argparse.ArgumentParser(prog=f"python -m bench.{bench}")
    parser.add_argument("--quick", action="store_true", help="end within 50 s, run no rivals")
    quick = parser.parse_args().quick
    raise SystemExit(finish(bench, run(quick), quick=quick))


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.4g}" if abs(value) < 10000 else f"{value:,.0f}"


def _bar(bar: Bar | None) -> str:
    if bar is None:
        return ""
    parts = [f"{sign} {value:g}" for sign, value in (("≥", bar.at_least), ("≤", bar.at_most)) if value is not None]
    return " ".join(parts) + (" × rival" if bar.of_rival else "")
