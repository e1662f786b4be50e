"""A campaign: attempts made on a target, each outcome a payload for the ledger, and the rates that they add up to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from fairlead.records.conversation import Conversation
from fairlead.records.entry import Attacked
from fairlead.records.example import Example
from fairlead.records.figure import Figure
from fairlead.redteam.outcome import AttackOutcome
from fairlead.redteam.transform import Transform
from fairlead.statistics.intervals import clustered, wilson


class Attempt(Struct, frozen=True):
    """One conversation to be put to a target. `item` names the seed text, `group` what it shares with its transforms and its
    benign twin; `labels` says which rules the seed text violates, as far as that is known."""

    item: str
    group: str
    family: str
    member: str
    held_out: bool
    labels: dict[str, bool]
    conversation: Conversation

    @property
    def rule(self) -> str | None:
        """The rule that is broken, None for a benign request."""
        return next((rule for rule, violates in sorted(self.labels.items()) if violates), None)

    @property
    def benign(self) -> bool:
        """Whether no rule is known to be broken."""
        return self.rule is None

    def ended(self, target: str, outcome: AttackOutcome, detail: str = "") -> Attacked:
        """What the ledger keeps of it: everything but the text."""
        return Attacked(
            target=target,
            family=self.family,
            member=self.member,
            item=self.item,
            outcome=outcome,
            rule=self.rule,
            held_out=self.held_out,
            benign=self.benign,
            detail=detail,
        )


def attempts(examples: Iterable[Example], transforms: Sequence[Transform]) -> Iterator[Attempt]:
    """Each example under each transform. An example without any label is left out: nobody could say how it ended."""
    for example in examples:
        for transform in transforms if example.labels else ():
            yield Attempt(
                example.id,
                example.group or example.id,
                transform.family,
                transform.member,
                transform.held_out,
                example.labels,
                transform.apply(example.text),
            )


def rates(entries: Iterable[Attacked], judge: str) -> tuple[Figure, Figure]:
    """Attack success over the harmful attempts, and beside it benign refusal over the benign ones, errors left out of both.

    A benign request that was answered wrongly counts neither as served nor as refused in the numerator, but in n. The attempts
    that grew from one seed text are one cluster.
    """
    harmful: list[Attacked] = []
    benign: list[Attacked] = []
    for entry in entries:
        (benign if entry.benign else harmful).append(entry)
    return (
        _rate("attack success", harmful, AttackOutcome.SUCCEEDED, judge),
        _rate("benign refusal", benign, AttackOutcome.REFUSED, judge),
    )


def _rate(name: str, entries: Sequence[Attacked], counted: AttackOutcome, judge: str) -> Figure:
    clusters: dict[str, list[bool]] = {}
    for entry in entries:
        if entry.outcome != AttackOutcome.ERROR:
            clusters.setdefault(entry.item, []).append(entry.outcome == counted)
    outcomes = [hit for cluster in clusters.values() for hit in cluster]
    n, hits = len(outcomes), sum(outcomes)
    low, high = wilson(hits, n) if n == len(clusters) else clustered(clusters.values())
    return Figure(name, hits / n if n else None, "", low, high, n, len(entries) - n, judge)
