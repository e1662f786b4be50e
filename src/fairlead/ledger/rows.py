"""What the fold keeps: rows, each a frozen record under a kind and an id, and the history of each account."""

from __future__ import annotations

import sys
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Iterator
from typing import Any, Protocol, TypeVar

from msgspec import Struct

from fairlead.records.entry import PolicyLoaded

#: The account of events that concern the whole house.
HOUSE = ""


class Key(Struct, frozen=True):
    """What a key opens. `expires` is in seconds since the epoch, None for never; `prefix` is what a person sees of it."""

    account: str
    tier: str
    expires: float | None = None
    revoked: bool = False
    prefix: str = ""


class Step(Struct, frozen=True):
    """A rung of the ladder that entry `seq` said was reached. It falls when `points` fall below `at`."""

    do: str
    until: float | None
    waits_for: str
    at: int
    points: int
    seq: int


class Run(Struct, frozen=True, array_like=True):
    """`n` strikes that an account got one after the other: what they sum up to, without those that were taken back.

    Entries `first` to `last` gave them, between the times `since` and `until`. They expire between `soonest` and `latest`.
    """

    n: int
    points: int
    first: int
    last: int
    since: float
    until: float
    soonest: float
    latest: float


class Account(Struct, frozen=True):
    """What is known of one account. `last` is the time of its last event; None: it has none.

    Its strikes are in its history. Here are only sums of so many at a time that few are added up or looked for there.
    """

    strikes: tuple[Run, ...] = ()
    steps: tuple[Step, ...] = ()
    last: float | None = None

    def in_force(self, now: float) -> tuple[str, ...]:
        """The steps of the ladder that hold now. One that waits for an approval does not."""
        return tuple(s.do for s in self.steps if s.waits_for == "nobody" and (s.until is None or s.until > now))


class Case(Struct, frozen=True):
    """A case and when it was opened."""

    time: float
    account: str | None
    rule: str


class Waiting(Struct, frozen=True):
    """What waits for reviewers: the rules that were undecided."""

    rules: tuple[str, ...]


class Label(Struct, frozen=True):
    """One label, given by entry `seq`."""

    rule: str
    violates: bool
    by: str
    seq: int


class Labels(Struct, frozen=True):
    """All labels of one item, in the order in which they were given."""

    given: tuple[Label, ...]


class Model(Struct, frozen=True):
    """A model or heads that were made. `status` is made, promoted or refused; `stale` when it must be made anew.

    `parent` is the digest or the name of the model that it was made from.
    """

    name: str
    role: str
    data: str
    status: str = "made"
    stale: bool = False
    parent: str = ""


class Dataset(Struct, frozen=True):
    """A dataset that was built, and whose content is in it."""

    name: str
    accounts: tuple[str, ...] = ()
    stale: bool = False


class Erased(Struct, frozen=True):
    """An account whose content was made unreadable by entry `seq`."""

    seq: int


class Loaded(Struct, frozen=True):
    """A policy that was put in force by entry `seq`."""

    policy: PolicyLoaded
    seq: int


#: Every kind of row, by the name under which it is stored. A name is never given another meaning.
KINDS: dict[str, type[Struct]] = {
    "key": Key,
    "account": Account,
    "case": Case,
    "waiting": Waiting,
    "labels": Labels,
    "model": Model,
    "dataset": Dataset,
    "policy": Loaded,
    "erased": Erased,
}
NAMES = {kind: name for name, kind in KINDS.items()}
#: Raised when the fold changes what it keeps, so that stored rows are folded anew.
VERSION = 3

R = TypeVar("R", bound=Struct)

#: The expiry of what never expires. Not infinity, which JSON lacks.
NEVER = sys.float_info.max


class Event(Struct, frozen=True, order=True):
    """Something that was done to a request or an account, under a rule, by entry `seq`.

    A strike gives `points` that count until `expires`; anything else gives none.
    """

    time: float
    action: str
    rule: str
    seq: int = -1
    points: int = 0
    expires: float = 0.0


class Rows(Protocol):
    """Where the fold keeps what it knows."""

    def get(self, kind: type[R], id: str) -> R | None:
        """One row."""
        ...

    def put(self, id: str, row: Struct) -> None:
        """Keep a row in place of the one of its kind and id."""
        ...

    def drop(self, kind: type[Struct], id: str) -> None:
        """Forget a row."""
        ...

    def each(self, kind: type[R]) -> Iterator[tuple[str, R]]:
        """All rows of a kind with their ids, sorted by id."""
        ...

    def add_event(self, account: str, event: Event) -> None:
        """Add to the history of an account."""
        ...

    def drop_events(self, account: str, seq: int) -> int:
        """Forget what entry `seq` added to the history of an account, and say how many points that had given."""
        ...

    def counts(self, account: str, action: str, since: float) -> dict[str, int]:
        """How many events of an action lie after `since`, by rule."""
        ...

    def unexpired(self, account: str, run: Run, now: float) -> int:
        """The points of a run that have not expired, from the history."""
        ...


class Memory:
    """Rows in dictionaries."""

    def __init__(self) -> None:
        self.rows: dict[tuple[type[Struct], str], Struct] = {}
        self.history: dict[str, list[Event]] = {}

    def copy(self) -> Memory:
        """Rows that go their own way from here on."""
        other = Memory()
        other.rows = dict(self.rows)
        other.history = {account: list(events) for account, events in self.history.items()}
        return other

    def get(self, kind: type[R], id: str) -> R | None:
        """As in `Rows`."""
        return self.rows.get((kind, id))  # type: ignore[return-value]  # the key holds the type

    def put(self, id: str, row: Struct) -> None:
        """As in `Rows`."""
        self.rows[type(row), id] = row

    def drop(self, kind: type[Struct], id: str) -> None:
        """As in `Rows`."""
        self.rows.pop((kind, id), None)

    def each(self, kind: type[R]) -> Iterator[tuple[str, R]]:
        """As in `Rows`."""
        found: list[tuple[str, Any]] = [(id, row) for (of, id), row in self.rows.items() if of is kind]
        yield from sorted(found, key=lambda pair: pair[0])

    def add_event(self, account: str, event: Event) -> None:
        """As in `Rows`."""
        insort(self.history.setdefault(account, []), event)

    def drop_events(self, account: str, seq: int) -> int:
        """As in `Rows`."""
        events = self.history.get(account, [])
        if any(event.seq == seq for event in events):
            self.history[account] = [event for event in events if event.seq != seq]
        return sum(event.points for event in events if event.seq == seq)

    def counts(self, account: str, action: str, since: float) -> dict[str, int]:
        """As in `Rows`."""
        events = self.history.get(account, [])
        recent = events[bisect_right(events, since, key=_time) :]
        return Counter(event.rule for event in recent if event.action == action)

    def unexpired(self, account: str, run: Run, now: float) -> int:
        """As in `Rows`."""
        events = self.history.get(account, [])
        given = events[bisect_left(events, run.since, key=_time) : bisect_right(events, run.until, key=_time)]
        return sum(event.points for event in given if run.first <= event.seq <= run.last and event.expires > now)


def _time(event: Event) -> float:
    return event.time
