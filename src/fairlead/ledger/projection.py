"""The fold's rows in the log's own database, written in the transaction that appends the entries.

    Committed  what readers see: rows of the last commit, kept in memory once they were looked up
    Pending    what the writer sees inside a transaction: its own changes over the committed rows

A reader never sees what is not committed, and a transaction that fails leaves nothing behind to undo.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec import Struct

from fairlead.ledger.fold import State, fold
from fairlead.ledger.rows import KINDS, NAMES, VERSION, Event, R, Rows, Run
from fairlead.ledger.store import Connection, Store
from fairlead.records.canonical import canonical
from fairlead.records.entry import Entry

_GET = "SELECT body FROM state WHERE kind = ? AND id = ?"
_EACH = "SELECT id, body FROM state WHERE kind = ? ORDER BY id"
_COUNTS = "SELECT rule, COUNT(*) FROM history WHERE account = ? AND action = ? AND time > ? GROUP BY rule"
_PUT = "INSERT INTO state (kind, id, body) VALUES (?, ?, ?) ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body"
_DROP = "DELETE FROM state WHERE kind = ? AND id = ?"
_UNEXPIRED = (
    "SELECT CAST(COALESCE(SUM(points), 0) AS BIGINT) FROM history"
    " WHERE account = ? AND action = 'strike' AND time BETWEEN ? AND ? AND seq BETWEEN ? AND ? AND expires > ?"
)
_ADD_EVENT = "INSERT INTO history (account, action, time, seq, n, rule, points, expires) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_DROP_EVENTS = "DELETE FROM history WHERE account = ? AND seq = ? RETURNING points"
_CURSOR = "SELECT size, version FROM cursor"
_TOPS = "SELECT level, MAX(position) FROM roots GROUP BY level"
_MOVE = "UPDATE cursor SET size = ?, version = ?"
WITHOUT_STATE = (None, "0001")  # tables as version 0.1.0 left them, before they are opened for writing
_MOST_KEPT = 50_000  # rows in memory; beyond, they are looked up again

_DECODERS = {kind: msgspec.json.Decoder(kind) for kind in KINDS.values()}
_Key = tuple[type[Struct], str]


class Committed:
    """Rows as of the last commit that this process knows of. Threads may share it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[_Key, Struct | None] = {}
        self._generation = 0

    def get(self, kind: type[R], id: str) -> R | None:
        """As in `Rows`."""
        known, generation = self._known, self._generation
        if (kind, id) not in known:
            with self._store.reading() as db:
                found = _row(db, kind, id)
            if generation != self._generation:  # something was committed meanwhile: what was read may be old
                return found
            known.setdefault((kind, id), found)  # the writer may put a newer row there at this very moment
        return known.get((kind, id))  # type: ignore[return-value]  # the key holds the type

    def each(self, kind: type[R]) -> Iterator[tuple[str, R]]:
        """As in `Rows`."""
        with self._store.reading() as db:
            found = db.all(_EACH, NAMES[kind])
        for id, body in found:
            yield id, _decode(kind, body)

    def counts(self, account: str, action: str, since: float) -> dict[str, int]:
        """As in `Rows`."""
        with self._store.reading() as db:
            return dict(db.all(_COUNTS, account, action, since))

    def unexpired(self, account: str, run: Run, now: float) -> int:
        """As in `Rows`."""
        with self._store.reading() as db:
            return _unexpired(db, account, run, now)

    def put(self, id: str, row: Struct) -> None:
        """What is committed changes by entries only."""
        raise TypeError("committed rows change by appending entries")

    def drop(self, kind: type[Struct], id: str) -> None:
        """As `put`."""
        raise TypeError("committed rows change by appending entries")

    def add_event(self, account: str, event: Event) -> None:
        """As `put`."""
        raise TypeError("committed rows change by appending entries")

    def drop_events(self, account: str, seq: int) -> int:
        """As `put`."""
        raise TypeError("committed rows change by appending entries")

    def take(self, changes: dict[_Key, Struct | None]) -> None:
        """Keep what was just committed."""
        self._generation += 1
        if len(self._known) > _MOST_KEPT:
            self._known = {}
        self._known.update(changes)

    def forget(self) -> None:
        """Another process committed: look everything up again."""
        self._generation += 1
        self._known = {}


class Pending:
    """The rows inside one transaction."""

    def __init__(self, db: Connection, committed: Committed | None = None) -> None:
        """Over committed rows that are current, or over the database alone. What goes with the entries may be done in `db`."""
        self.db, self._committed = db, committed
        self.changes: dict[_Key, Struct | None] = {}
        self._events: list[tuple[str, Event]] = []

    def get(self, kind: type[R], id: str) -> R | None:
        """As in `Rows`."""
        if (kind, id) in self.changes:
            return self.changes[kind, id]  # type: ignore[return-value]  # the key holds the type
        return self._committed.get(kind, id) if self._committed else _row(self.db, kind, id)

    def put(self, id: str, row: Struct) -> None:
        """As in `Rows`."""
        self.changes[type(row), id] = row

    def drop(self, kind: type[Struct], id: str) -> None:
        """As in `Rows`."""
        self.changes[kind, id] = None

    def each(self, kind: type[R]) -> Iterator[tuple[str, R]]:
        """As in `Rows`."""
        rows: dict[str, Any] = {id: _decode(kind, body) for id, body in self.db.all(_EACH, NAMES[kind])}
        rows |= {id: row for (of, id), row in self.changes.items() if of is kind}
        for id in sorted(rows):
            if rows[id] is not None:
                yield id, rows[id]

    def add_event(self, account: str, event: Event) -> None:
        """As in `Rows`."""
        self._events.append((account, event))

    def drop_events(self, account: str, seq: int) -> int:
        """As in `Rows`."""
        mine = [event for whose, event in self._events if (whose, event.seq) == (account, seq)]
        self._events = [(whose, event) for whose, event in self._events if (whose, event.seq) != (account, seq)]
        stored: Iterable[int] = (points for (points,) in self.db.all(_DROP_EVENTS, account, seq))
        return sum(event.points for event in mine) + sum(stored)

    def counts(self, account: str, action: str, since: float) -> dict[str, int]:
        """As in `Rows`."""
        stored: Counter[str] = Counter(dict(self.db.all(_COUNTS, account, action, since)))
        stored.update(e.rule for whose, e in self._events if whose == account and e.action == action and e.time > since)
        return stored

    def unexpired(self, account: str, run: Run, now: float) -> int:
        """As in `Rows`."""
        mine = (e for whose, e in self._events if whose == account and run.first <= e.seq <= run.last and e.expires > now)
        return sum(event.points for event in mine) + _unexpired(self.db, account, run, now)

    def write(self, size: int) -> None:
        """Put all changes into the database, as of a log of `size` entries."""
        puts = [(NAMES[kind], id, canonical(row)) for (kind, id), row in self.changes.items() if row is not None]
        drops = [(NAMES[kind], id) for (kind, id), row in self.changes.items() if row is None]
        # `n` tells the events of one entry apart; an account cannot have two events of one entry at the same place.
        events = [(whose, e.action, e.time, e.seq, n, e.rule, e.points, e.expires) for n, (whose, e) in enumerate(self._events)]
        for sql, rows in ((_PUT, puts), (_DROP, drops), (_ADD_EVENT, events)):
            if rows:
                self.db.many(sql, rows)
        self._events = []
        self.db.do(_MOVE, size, VERSION)


def current(db: Connection, size: int) -> bool:
    """Whether the stored rows are those of a log of `size` entries, folded by this version of the fold."""
    return db.one(_CURSOR) == (size, VERSION)


def made_from(db: Connection) -> dict[str, int]:
    """From how many entries, at least, what is stored beside them was made."""
    found = db.one(_CURSOR)
    trees = [top + 1 << level for level, top in db.all(_TOPS)]
    return {"state": found[0] if found else 0, "stored tree hashes": max(trees, default=0)}


def cut(made: dict[str, int], size: int) -> str | None:
    """What is wrong with a log of `size` entries when more was made from it; `made` is of no later a moment than `size`.

    All of it moves in the commit that appends, so it is ahead only where somebody removed entries behind the log's back.
    """
    for what, n in made.items():
        if n > size:
            return (
                f"the {what} {'was' if what == 'state' else 'were'} made from {n} entries, the log holds {size}: entries are"
                " missing at its end; restore a copy, or run `fairlead ledger rebuild` once you understand why"
            )
    return None


def rebuild(db: Connection, entries: Iterator[Entry], size: int) -> None:
    """Fold the whole log anew into the database."""
    db.do("DELETE FROM state")
    db.do("DELETE FROM history")
    pending = Pending(db)
    state = State(pending)
    for done, entry in enumerate(entries, 1):
        state.apply(entry)
        if done % 10_000 == 0:  # memory stays bounded
            pending.write(done)
            pending.changes.clear()
    pending.write(size)


def comparable(store: Store) -> tuple[int, int] | None:
    """Where the stored rows stand, None when another version of the fold made them, or none did."""
    if store.version() in WITHOUT_STATE:
        return None
    with store.reading() as db:
        size, version = db.one(_CURSOR) or (0, 0)
    return (size, version) if version == VERSION else None


def differences(store: Store, entries: Iterable[Entry]) -> list[str]:
    """The kinds of rows in which the stored state differs from the log's fold; none when it is what it should be.

    Holds the whole state in memory.
    """
    folded, stored = fold(entries).rows, Committed(store)
    wrong = [NAMES[kind] for kind in KINDS.values() if list(folded.each(kind)) != list(stored.each(kind))]
    with store.reading() as db:
        events = db.all(
            "SELECT account, action, time, seq, rule, points, expires FROM history ORDER BY account, time, action, rule, seq"
        )
    return wrong + (["history"] if [tuple(row) for row in events] != _events(folded) else [])


def _events(rows: Rows) -> list[tuple[Any, ...]]:
    history: dict[str, list[Event]] = rows.history  # type: ignore[attr-defined]  # a fold without rows of its own is in Memory
    return [
        (whose, e.action, e.time, e.seq, e.rule, e.points, e.expires)
        for whose in sorted(history)
        for e in sorted(history[whose])
    ]


def _unexpired(db: Connection, account: str, run: Run, now: float) -> int:
    found: Any = db.one(_UNEXPIRED, account, run.since, run.until, run.first, run.last, now)
    return int(found[0])


def _row(db: Connection, kind: type[R], id: str) -> R | None:
    found = db.one(_GET, NAMES[kind], id)
    return None if found is None else _decode(kind, found[0])


def _decode(kind: type[R], body: bytes) -> R:
    row: R = _DECODERS[kind].decode(body)  # type: ignore[assignment]  # the decoder is the kind's own
    return row
