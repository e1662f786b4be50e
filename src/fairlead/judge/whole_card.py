"""The whole card: every rule, what each costs, and how the figures differ by view, language and group. Pure.

No rate over fewer than `FEWEST` items has a value: it is left out where texts are split into groups, empty elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from msgspec import Struct, structs

from fairlead.judge.bias import language_of, withheld
from fairlead.judge.card import Judged, card
from fairlead.judge.cost import deciders, latency
from fairlead.judge.rated import FEWEST, Rated
from fairlead.judge.reliability import Bin, bins
from fairlead.records.figure import Figure

_FORM = re.compile(r"( in place)?( \(\d+\))?$")


class Card(Struct, frozen=True):
    """Figures of each rule, of each rule by group, of groups of texts over all rules, and of the cost; over `n` texts.

    `reliability` has the bins of each rule that hold enough texts, the lowest scores first.
    """

    producer: str
    n: int
    errors: int
    rules: tuple[Figure, ...]
    groups: tuple[Figure, ...]
    bias: tuple[Figure, ...]
    cost: tuple[Figure, ...]
    reliability: dict[str, tuple[Bin, ...]]

    @property
    def figures(self) -> tuple[Figure, ...]:
        """All of them, those of the rules first."""
        return (*self.rules, *self.groups, *self.bias, *self.cost)


def whole_card(rated: Sequence[Rated], rules: Sequence[str], seed: int, producer: str) -> Card:
    """The card over labelled texts, of those of `rules` that they label, in that order."""
    verdicts = [one.verdict for one in rated]
    figures: list[Figure] = []
    groups: list[Figure] = []
    reliability = {}
    for rule in rules:
        labelled = [one for one in rated if rule in one.example.labels]
        if not labelled:
            continue
        items = [_judged(one, rule) for one in labelled]
        figures += card(rule, items, seed, producer)
        groups += _by_group(rule, labelled, seed, producer)
        scored = [item for item in items if item.score is not None]
        found = bins([item.score or 0.0 for item in scored], [item.label for item in scored])
        reliability[rule] = tuple(one for one in found if one.n >= FEWEST)
    return Card(
        producer=producer,
        n=len(rated),
        errors=sum(verdict.error is not None for verdict in verdicts),
        rules=tuple(map(_unless_few, figures)),
        groups=tuple(figure for figure in groups if figure.n >= FEWEST and figure.value is not None),
        bias=tuple(map(_unless_few, withheld(rated, producer))),
        cost=tuple(map(_unless_few, (*latency(verdicts, producer), *deciders(verdicts, producer)))),
        reliability=reliability,
    )


def view_of(rule: str) -> Callable[[Rated], str]:
    """Through which view a rule was decided, however often and wherever in the text; empty where there was none."""

    def view(one: Rated) -> str:
        said = one.verdict.of(rule)
        return f"view {_FORM.sub('', said.view)}" if said and said.view else ""

    return view


def _by_group(rule: str, labelled: Sequence[Rated], seed: int, producer: str) -> list[Figure]:
    """A card of each group with enough texts, where there are two to compare."""
    figures = []
    for trait in (view_of(rule), language_of, _dialect):
        members: dict[str, list[Judged]] = {}
        for one in labelled:
            members.setdefault(trait(one), []).append(_judged(one, rule))
        enough = {group: items for group, items in sorted(members.items()) if group and len(items) >= FEWEST}
        for group, items in enough.items() if len(enough) > 1 else ():
            found = card(rule, items, seed, producer)
            figures += [structs.replace(figure, name=f"{figure.name} | {group}") for figure in found]
    return figures


def _dialect(one: Rated) -> str:
    return f"dialect {one.dialect}" if one.dialect else ""


def _judged(one: Rated, rule: str) -> Judged:
    return Judged.of(one.verdict, rule, one.example.labels[rule])


def _unless_few(figure: Figure) -> Figure:
    return figure if figure.n >= FEWEST else structs.replace(figure, value=None, low=None, high=None)
