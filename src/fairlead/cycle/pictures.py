"""Pictures as SVG text: bars with their intervals. Pure functions; every bar links to the entry that holds its number."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from msgspec import Struct

from fairlead.cycle.summary import Traced

_LABEL, _BAR, _ROW, _VALUE = 230, 420, 17, 190
_TOP = 48


class Bars(Struct, frozen=True):
    """One row of a picture: a label, and one bar for each series (None where there is no figure)."""

    label: str
    values: tuple[Traced | None, ...]


def bar_picture(title: str, series: Sequence[str], rows: Sequence[Bars]) -> str:
    """Horizontal bars from 0 to 100 %, a whisker for each 95 % interval, the figures in words beside them."""
    height = _TOP + sum(_ROW * len(series) + 9 for _ in rows) + 24
    width = _LABEL + _BAR + _VALUE
    parts = [
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}" xmlns="http://www.w3.org/2000/svg">',
        f'<text x="0" y="14" class="title">{escape(title)}</text>',
        _legend(series),
        *(_grid(share, height) for share in (0.0, 0.25, 0.5, 0.75, 1.0)),
    ]
    y = _TOP
    for row in rows:
        middle = y + _ROW * len(series) / 2 + 4
        parts.append(f'<text x="{_LABEL - 8}" y="{middle:.0f}" class="label">{escape(row.label)}</text>')
        for number, traced in enumerate(row.values):
            parts.append(_bar(traced, number, y))
            y += _ROW
        y += 9
    return "".join([*parts, "</svg>"])


def _legend(series: Sequence[str]) -> str:
    parts, x = [], _LABEL
    for number, name in enumerate(series):
        parts.append(f'<rect x="{x}" y="24" width="10" height="10" class="s{number}"/>')
        parts.append(f'<text x="{x + 14}" y="33">{escape(name)}</text>')
        x += 34 + 6 * len(name)
    return "".join(parts)


def _grid(share: float, height: int) -> str:
    x = _LABEL + share * _BAR
    return (
        f'<line x1="{x}" x2="{x}" y1="{_TOP - 6}" y2="{height - 20}" class="grid"/>'
        f'<text x="{x}" y="{height - 6}" class="tick">{share:.0%}</text>'
    )


def _bar(traced: Traced | None, number: int, y: float) -> str:
    if traced is None or traced.figure.value is None:
        return f'<text x="{_LABEL + 4}" y="{y + 12}" class="none">not measured</text>'
    figure, top = traced.figure, y + 2
    value = figure.value or 0.0
    low, high = (value if b is None else b for b in (figure.low, figure.high))
    x1, x2 = _LABEL + low * _BAR, _LABEL + high * _BAR
    tip = f"{figure.name}, {traced.subject}: n = {figure.n}, 95 % {low:.1%} to {high:.1%}, entry {traced.seq}"
    return (
        f'<a href="#e{traced.seq}"><title>{escape(tip)}</title>'
        f'<rect x="{_LABEL}" y="{top}" width="{max(value * _BAR, 1):.1f}" height="{_ROW - 5}" class="s{number}"/>'
        f'<line x1="{x1:.1f}" x2="{x2:.1f}" y1="{top + 6}" y2="{top + 6}" class="whisker"/>'
        f'<text x="{_LABEL + _BAR + 10}" y="{top + 10}" class="value" data-entry="{traced.seq}">{value:.1%}'
        f" [{low:.0%}, {high:.0%}] n={figure.n}</text></a>"
    )
