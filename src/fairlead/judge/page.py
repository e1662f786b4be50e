"""The card as one page that holds everything it shows: tables, and a reliability diagram for each rule as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from jinja2 import Environment, PackageLoader, StrictUndefined
from msgspec import Struct

from fairlead import __version__
from fairlead.judge.groups import GROUPS
from fairlead.judge.heads import PREVALENCE
from fairlead.judge.rated import FEWEST
from fairlead.judge.reliability import Bin
from fairlead.judge.whole_card import Card
from fairlead.policy.document import Policy
from fairlead.records.figure import Figure

_PAGES = Environment(loader=PackageLoader("fairlead.judge", "pages"), autoescape=True, undefined=StrictUndefined)
_SIDE, _LEFT, _TOP, _EDGE = 240, 46, 12, 40


class Read(Struct, frozen=True):
    """A file that the card was measured on. `digest` is SHA-256 over its bytes."""

    name: str
    digest: str
    labelled: int
    refused: int


def render(card: Card, policy: Policy, files: Sequence[Read]) -> str:
    """The page as text."""
    return _PAGES.get_template("card.html").render(
        version=__version__,
        card=card,
        policy=policy,
        files=files,
        value=value,
        interval=interval,
        diagram=diagram,
        sections=(
            ("Rules", card.rules),
            ("Rules by view, language and dialect", card.groups),
            ("Texts withheld, and the gap between groups", card.bias),
            ("Time and cost", card.cost),
        ),
        fewest=FEWEST,
        prevalence=PREVALENCE,
        named=GROUPS,
    )


def value(figure: Figure) -> str:
    """A figure's value in words; a dash where it was not measured."""
    return "–" if figure.value is None else _number(figure.value, figure.unit)


def interval(figure: Figure) -> str:
    """A figure's 95 % interval; an end that too few values leave open is a question mark."""
    if figure.low is None and figure.high is None:
        return ""
    low, high = ("?" if end is None else _number(end, figure.unit) for end in (figure.low, figure.high))
    return f"{low} – {high}"


def _number(number: float, unit: str) -> str:
    return f"{1_000 * number:.3g} ms" if unit == "s" else f"{number:.3f}"


def diagram(rule: str, found: Sequence[Bin]) -> str:
    """Mean score to the right, share violating upwards, a whisker for each 95 % interval; on the diagonal scores are right."""
    width, height = _LEFT + _SIDE + 14, _TOP + _SIDE + _EDGE
    title = f"{rule}: share violating by score"
    parts = [f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}" xmlns="http://www.w3.org/2000/svg">']
    parts += [_grid(share) for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    parts.append(f'<line x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}" class="diagonal"/>')
    for one in found:
        tip = f"score {one.score:.3f}, violating {one.share:.3f}, 95 % {one.low:.3f} to {one.high:.3f}, n = {one.n}"
        parts.append(
            f'<g><title>{tip}</title><line x1="{_x(one.score)}" x2="{_x(one.score)}" y1="{_y(one.low)}" y2="{_y(one.high)}" '
            f'class="whisker"/><circle cx="{_x(one.score)}" cy="{_y(one.share)}" r="4" class="dot"/></g>'
        )
    parts.append(f'<text x="{_x(0.5)}" y="{height - 6}" class="tick">mean score</text>')
    return "".join([*parts, "</svg>"])


def _grid(share: float) -> str:
    x, y = _x(share), _y(share)
    return (
        f'<line x1="{x}" x2="{x}" y1="{_y(0)}" y2="{_y(1)}" class="grid"/>'
        f'<line x1="{_x(0)}" x2="{_x(1)}" y1="{y}" y2="{y}" class="grid"/>'
        f'<text x="{x}" y="{_TOP + _SIDE + 16}" class="tick">{share:g}</text>'
        f'<text x="{_LEFT - 6}" y="{y}" class="label">{share:g}</text>'
    )


def _x(share: float) -> str:
    return f"{_LEFT + share * _SIDE:.1f}"


def _y(share: float) -> str:
    return f"{_TOP + (1 - share) * _SIDE:.1f}"
