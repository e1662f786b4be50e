"""The log as it would have become under another policy: its own numbers, its own points, steps and cases.

Up to its start it is the real log. From there on each decision is settled upon this state, and what nobody decides anew stands
as it was. A reversal takes back what the same decision came to here; where it came to nothing there is nothing to take back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec

from fairlead.ledger.fold import State
from fairlead.policy.decide import Ruling
from fairlead.records.entry import CaseOpened, Decided, Entry, Labelled, LadderStepped, Payload, Reversed, ReviewQueued

#: (decision, rulings, state, now, sequence number of the decision) -> the decision and what follows from it.
Settle = Callable[[Decided, tuple[Ruling, ...], State, float, int], tuple[Payload, ...]]
#: A decision's entry and those that followed from it; of any other entry it stands alone.
Happening = tuple[Entry, Sequence[Entry]]

_FOLLOWING = (CaseOpened, LadderStepped, ReviewQueued)


def happenings(entries: Iterator[Entry]) -> Iterator[Happening]:
    """The log, each decision together with what followed from it: the entries behind it that were composed with it."""
    decided: Entry | None = None
    follows: list[Entry] = []
    for entry in entries:
        if decided is not None:
            if isinstance(entry.payload, _FOLLOWING) and entry.time == decided.time and entry.producer == decided.producer:
                follows.append(entry)
                continue
            yield decided, follows
            decided, follows = None, []
        if isinstance(entry.payload, Decided):
            decided = entry
        else:
            yield entry, ()
    if decided is not None:
        yield decided, follows


class Simulation:
    """A log that is kept in memory only as far as its state."""

    def __init__(self, state: State, size: int, settle: Settle) -> None:
        """Goes on from `state`, which it changes, after `size` entries."""
        self.state, self._size, self._settle = state, size, settle
        self._start = size
        self._numbers: dict[int, int] = {}  # where what the real log holds at a number stands here, if it left a trace

    def stands(self, entry: Entry) -> None:
        """Take in an entry as it is."""
        payload: Payload = entry.payload
        if isinstance(payload, Reversed):
            number = payload.seq if payload.seq < self._start else self._numbers.get(payload.seq)
            if number is None:
                return
            payload = msgspec.structs.replace(payload, seq=number)
        elif isinstance(payload, Labelled):  # no decision rests on it
            return
        self._numbers[entry.seq] = self._size
        self._apply(entry.time, payload)

    def settles(
        self, real: Entry, follows: Sequence[Entry], decided: Decided, rulings: tuple[Ruling, ...]
    ) -> Sequence[Payload]:
        """Take in what a decision comes to here, in place of `real` and what followed from that. Gives the decision first."""
        payloads = self._settle(decided, rulings, self.state, real.time, self._size)
        if len(payloads) > 1 or decided.rule or decided.flags or decided.points:
            there = {_alike(entry.payload): entry.seq for entry in follows}
            self._numbers[real.seq] = self._size
            for payload in payloads:
                if (seq := there.get(_alike(payload))) is not None:
                    self._numbers[seq] = self._size
                self._apply(real.time, payload)
        return payloads

    def _apply(self, time: float, payload: Payload) -> None:
        # `Entry` names the union of payloads; tests hold it complete.
        self.state.apply(Entry(self._size, time, "", payload))  # type: ignore[arg-type]
        self._size += 1


def _alike(payload: Payload) -> object:
    """What makes two entries that follow from one decision the same."""
    match payload:
        case CaseOpened(rule=rule):
            return "case", rule
        case LadderStepped(at=at):
            return "step", at
        case ReviewQueued(rule=rule):
            return "queued", rule
    return "decided"
