"""Which decisions answer a condition: the language of `when:`, over what the ledger holds of each, as of its moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec import Struct

from fairlead.ledger.facts import DecisionFacts, Highest
from fairlead.ledger.fold import State, events_of
from fairlead.policy.expression import Expression
from fairlead.records.entry import Decided, Entry


class Match(Struct, frozen=True):
    """One decision that answers. `time` is in seconds since the epoch."""

    seq: int
    time: float
    account: str | None
    action: str
    rule: str | None


class Counts(Struct):
    """How many decisions lay in the time asked for, and for how many of them nobody can say, because a signal is missing."""

    asked: int = 0
    unknown: int = 0


def query(
    entries: Iterator[Entry], holds: Expression, wanted: Callable[[Entry, Decided], bool], counts: Counts
) -> Iterator[Match]:
    """The decisions among `wanted` for which the condition holds, in their order; `counts` grows with the reading.

    `entries` are a whole log, for `count(…)` looks back: at the account's history as it was, the decision being its last event.
    """
    state = State()
    for entry in entries:
        decided = entry.payload
        if isinstance(decided, Decided) and wanted(entry, decided):
            counts.asked += 1
            harm = Highest(signals.scores for signals in decided.signals)
            answer = holds(DecisionFacts(state, events_of(decided, entry.time), decided, harm, entry.time))
            counts.unknown += answer is None
            if answer:
                yield Match(entry.seq, entry.time, decided.account, decided.action, decided.rule)
        state.apply(entry)
