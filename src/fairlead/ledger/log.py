"""The log: append, read, verify. An entry that `append` returned is on disk.

Order is commit order, given under one lock among all processes that write. Callers in one process share a commit: whoever comes
first writes for all that wait, and each goes on once its own entries are on disk. The fold's rows change with it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Self

import msgspec

from fairlead.ledger import proof
from fairlead.ledger.fold import State
from fairlead.ledger.names import check_names
from fairlead.ledger.place import open_store
from fairlead.ledger.projection import Committed, Pending, current, cut, made_from, rebuild
from fairlead.ledger.store import SCHEMA, CommitUnknown, Connection, Row, Store, StoreLost
from fairlead.records.canonical import canonical
from fairlead.records.entry import Entry, Payload
from fairlead.records.errors import LedgerCorrupt, LedgerError

_HEAD = "SELECT seq, chain FROM entries ORDER BY seq DESC LIMIT 1"
_FROM = "SELECT seq, body, leaf, chain FROM entries WHERE seq >= ? ORDER BY seq"
_AT = "SELECT seq, body, leaf FROM entries WHERE seq = ?"
_LEAVES = "SELECT leaf FROM entries WHERE seq >= ? AND seq < ? ORDER BY seq"
_ROOTS = "SELECT hash FROM roots WHERE level = ? AND position >= ? AND position < ? ORDER BY position"
_INSERT = "INSERT INTO entries (seq, body, leaf, chain) VALUES (?, ?, ?, ?)"
_INSERT_ROOT = "INSERT INTO roots (level, position, hash) VALUES (?, ?, ?)"
_MOST_TOGETHER = 256  # callers in one commit
_GATHER_S = 0.0001  # far below what a sync takes
_PATIENCE_S = 30.0  # how long a server may be away before a caller is told
_PAUSE_S = 0.2

_DECODER = msgspec.json.Decoder(Entry)

#: Given the state, the time and the sequence number of the first entry: what to append. It may be called more than once.
Compose = Callable[[State, float, int], tuple[Payload, ...]]
Written = tuple[Entry, ...] | Exception
# As Compose, with the bytes that each entry will have.
_Draft = Callable[[State, float, int], list[tuple[Entry, bytes]]]


class _Waiting:
    """A caller, until its entries are on disk."""

    def __init__(self, compose: Compose) -> None:
        self.compose = compose
        self.written: Written | None = None


class Ledger:
    """An open log. Use as a context manager. Threads of one process may share it, and other processes may write as well.

    `state` is what the log adds up to, as of the last commit that this process made or `refresh` saw.
    """

    def __init__(self, place: str | Path, *, producer: str, clock: Callable[[], float] = time.time, mend: bool = False) -> None:
        """Open for writing, making or migrating the tables when they are not there or old.

        `place` is a file, or the URL of a PostgreSQL database. Raises LedgerError when it cannot be opened,
        LedgerCorrupt when entries are missing at its end. With `mend` it is opened all the same, to be rebuilt.
        """
        self.producer, self._clock = producer, clock
        self._store = open_store(place)
        self.place = self._store.place  # without a password
        try:
            self._prepare(mend)
        except BaseException:
            self._store.close()
            raise
        self._committed = Committed(self._store)
        self.state = State(self._committed)
        self._tree: proof.Tree | None = None
        self._waiting: deque[_Waiting] = deque()
        self._mutex, self._served, self._led = threading.Lock(), threading.Condition(), False
        self._size, self._shared = -1, 0
        self.refresh()

    def append(self, *payloads: Payload) -> tuple[Entry, ...]:
        """Write the payloads as consecutive entries, all or none, and return them once they are on disk.

        Raises LedgerError when the disk refuses, InputError when a name holds a NUL character; nothing of the batch is then in
        the log.
        """
        return self.compose(lambda *_: payloads)

    def compose(self, compose: Compose) -> tuple[Entry, ...]:
        """As `append`, of payloads that are composed upon a state which holds everything before them."""
        waiting = _Waiting(compose)
        self._waiting.append(waiting)
        while waiting.written is None:
            self._write_together(waiting)
        if isinstance(waiting.written, Exception):
            raise waiting.written
        return waiting.written

    def compose_all(self, composes: Sequence[Compose]) -> list[Written]:
        """As `compose` for each, in one commit. What one of them raises is its own result and stops no other."""
        with self._mutex:
            return self._write([self._draft(compose) for compose in composes])

    def import_entries(self, bodies: Sequence[bytes]) -> tuple[Entry, ...]:
        """Append entries that another log wrote, byte for byte, all or none.

        Raises LedgerError unless each is an entry and they continue this log without a gap.
        """

        def draft(_state: State, _now: float, first: int) -> list[tuple[Entry, bytes]]:
            return [(entry_at(seq, body), body) for seq, body in enumerate(bodies, first)]

        with self._mutex:
            (written,) = self._write([draft])
        if isinstance(written, Exception):
            raise written
        return written

    @property
    def size(self) -> int:
        """The number of entries, as `state` is."""
        return self._size

    @property
    def store(self) -> Store:
        """Where the log is kept: other tables may lie beside it."""
        return self._store

    def refresh(self) -> int:
        """Take in what other processes appended; returns the size of the log. Raises LedgerCorrupt when entries are gone."""
        with self._mutex, self._store.reading() as db:
            size, _ = _head(db)
            if problem := cut({"state": self._size}, size):
                raise LedgerCorrupt(f"{self.place}: {problem}")
            self._at(size)
        return size

    def entries(self, start: int = 0) -> Iterator[Entry]:
        """The entries from sequence number `start` on, in order."""
        return _decoded(self._store, start)

    def entry(self, seq: int) -> Entry:
        """One entry. Raises LedgerError when there is none, LedgerCorrupt when it was changed."""
        with self._store.reading() as db:
            row = db.one(_AT, seq)
        if row is None:
            raise LedgerError(f"there is no entry {seq} in {self.place}; the last is {self._size - 1}")
        return _decode(self.place, *row)

    def rebuild(self) -> None:
        """Fold the whole log anew into the stored state, and store the roots of its tree anew."""
        with self._mutex, self._store.transaction() as db:
            rebuild(db, _decoded(self._store, 0), _head(db)[0])
            db.do("DELETE FROM roots")
            tree = proof.Tree()
            for (leaf,) in self._store.stream("SELECT leaf FROM entries ORDER BY seq"):
                if found := tree.add(bytes(leaf)):
                    db.many(_INSERT_ROOT, found)
            self._committed.forget()
            self._tree = None

    def close(self) -> None:
        """Let go of the place."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _prepare(self, mend: bool) -> None:
        if self._store.version() != SCHEMA:
            self._store.migrate()
        if mend:
            return
        with self._store.reading() as db:
            size = _head(db)[0]
            if current(db, size) and not cut(made_from(db), size):
                return
        with self._store.transaction() as db:  # nobody else writes: what was read is of one moment
            self._refuse_cut(db, size := _head(db)[0])
            if not current(db, size):
                rebuild(db, _decoded(self._store, 0), size)

    def _refuse_cut(self, db: Connection, size: int) -> None:
        if problem := cut(made_from(db), size):
            raise LedgerCorrupt(f"{self.place}: {problem}")

    def _at(self, size: int) -> None:
        """Forget what was known of the state when the log is not as this process left it."""
        if size != self._size:
            self._committed.forget()
            self._tree = None
        self._size = size

    def _draft(self, compose: Compose) -> _Draft:
        def draft(state: State, now: float, first: int) -> list[tuple[Entry, bytes]]:
            payloads = compose(state, now, first)
            # `Entry` names the union of payloads; tests hold it complete.
            entries = [Entry(seq, now, self.producer, payload) for seq, payload in enumerate(payloads, first)]  # type: ignore[arg-type]
            drafted = [(entry, canonical(entry)) for entry in entries]
            for entry, body in drafted:
                check_names(entry, body)
            return drafted

        return draft

    def _write(self, drafts: Sequence[_Draft]) -> list[Written]:
        """Write what all of them give in one transaction, waiting for a server that went away for a while."""
        deadline = time.monotonic() + _PATIENCE_S
        doubtful: _Batch | None = None
        while True:
            batch = None
            try:
                with self._store.transaction() as db:
                    size, head = _head(db)
                    if size != self._size:  # another process wrote
                        self._refuse_cut(db, size)
                    self._at(size)
                    if doubtful is not None and doubtful.is_in(db):
                        return doubtful.results  # the commit had happened
                    batch = self._batch(db, size, head)
                    batch.compose(drafts, self._clock())
                    batch.write()
            except (CommitUnknown, StoreLost) as error:
                doubtful = batch if isinstance(error, CommitUnknown) and batch is not None else doubtful
                if time.monotonic() > deadline:
                    return [_given_up(error, doubtful)] * len(drafts)
                time.sleep(_PAUSE_S)
            except LedgerError as error:
                return [_given_up(error, doubtful)] * len(drafts)
            else:
                self._committed.take(batch.pending.changes)
                self._size, self._tree = batch.size, batch.tree
                return batch.results

    def _write_together(self, waiting: _Waiting) -> None:
        """Wait until somebody wrote for this caller, or nobody is writing: then write for all that wait.

        Who was written for goes on at once, and may wait again while the next commit is under way. Where several shared the
        last commit the next one gives them a moment to come back: nearly all share it then, and without it only half of them.
        """
        leads, together, results = False, list[_Waiting](), list[Written]()
        try:
            with self._served:
                self._served.wait_for(lambda: waiting.written is not None or not self._led)
                if waiting.written is not None:
                    return
                leads = self._led = True
            if self._shared > 2:
                time.sleep(_GATHER_S)
            with self._mutex:
                together = [self._waiting.popleft() for _ in range(min(len(self._waiting), _MOST_TOGETHER))]
                self._shared = len(together)
                results = self._write([self._draft(each.compose) for each in together])
        finally:  # whatever happens, nobody waits for ever
            if leads:
                stopped = [LedgerError("stopped while it was written")] * len(together)
                with self._served:
                    for each, result in zip(together, results or stopped, strict=True):
                        each.written = result
                    self._led = False
                    self._served.notify_all()

    def _batch(self, db: Connection, size: int, head: bytes) -> _Batch:
        # The tree grows with the batch: it is ours again once that is committed, and computed anew after whatever went wrong.
        tree, self._tree = self._tree, None
        return _Batch(db, self._committed, proof.Tree.of(size, stored_roots(db)) if tree is None else tree, head)


class _Batch:
    """Entries of one transaction."""

    def __init__(self, db: Connection, committed: Committed, tree: proof.Tree, head: bytes) -> None:
        self.pending = Pending(db, committed)
        self.results: list[Written] = []
        self.tree = tree
        self._db, self._head = db, head
        self._rows: list[Row] = []
        self._roots: list[Row] = []

    @property
    def size(self) -> int:
        return self.tree.size

    def compose(self, drafts: Sequence[_Draft], now: float) -> None:
        state = State(self.pending)
        for draft in drafts:
            try:
                drafted = draft(state, now, self.tree.size)
            except Exception as error:
                if isinstance(error, StoreLost) or not self._db.in_transaction:
                    raise  # not the caller's fault: nothing of the batch can be written now
                self.results.append(error)
                continue
            for entry, body in drafted:
                state.apply(entry)
                self._add(entry.seq, body)
            self.results.append(tuple(entry for entry, _ in drafted))

    def write(self) -> None:
        if self._rows:
            self._db.many(_INSERT, self._rows)
            if self._roots:
                self._db.many(_INSERT_ROOT, self._roots)
            self.pending.write(self.tree.size)

    def is_in(self, db: Connection) -> bool:
        """Whether the log holds this batch: asked when its commit was left in doubt."""
        return not self._rows or db.one(_AT, self._rows[-1][0]) == self._rows[-1][:3]

    def _add(self, seq: int, body: bytes) -> None:
        leaf = proof.leaf(body)
        self._head = proof.link(self._head, leaf)
        self._rows.append((seq, body, leaf, self._head))
        self._roots += self.tree.add(leaf)


def stored_roots(db: Connection) -> proof.Roots:
    """The hashes that proofs are made of, from the log's tables. Raises LedgerCorrupt when some are missing."""

    def roots(level: int, first: int, count: int) -> list[bytes]:
        sql, given = (_ROOTS, (level, first, first + count)) if level else (_LEAVES, (first, first + count))
        found = [bytes(row[0]) for row in db.all(sql, *given)]
        if len(found) != count:
            raise LedgerCorrupt(f"of {count} hashes of level {level} from {first} on {len(found)} are there; verify the ledger")
        return found

    return roots


def read(place: str | Path, start: int = 0) -> Iterator[Entry]:
    """Entries of a log from sequence number `start` on, in order, in constant memory.

    Raises InputError when there is no such log, LedgerCorrupt at an entry that was changed or cannot be read.
    """
    store = open_store(place, read_only=True)
    try:
        yield from _decoded(store, start)
    finally:
        store.close()


def entry_at(seq: int, body: bytes) -> Entry:
    """The entry that `body` holds. Raises LedgerError unless it can stand at `seq` of a log."""
    try:
        entry = _DECODER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise LedgerError(f"cannot be read as an entry: {error}") from error
    if entry.seq != seq or b"\n" in body:
        raise LedgerError(f"is entry {entry.seq}, not {seq}" if entry.seq != seq else f"entry {seq} is not in one line")
    return entry


def rows(store: Store, start: int) -> Iterator[Row]:
    """(seq, body, leaf, chain) of the entries from `start` on."""
    return store.stream(_FROM, start)


def _given_up(error: LedgerError, doubtful: _Batch | None) -> LedgerError:
    """What callers are told: after a commit that was left in doubt, never that nothing was written."""
    return error if doubtful is None else CommitUnknown(f"a commit was left in doubt: look for its entries; then {error}")


def _head(db: Connection) -> tuple[int, bytes]:
    """The size of the log, and the head of its chain."""
    last = db.one(_HEAD)
    return (0, proof.START) if last is None else (last[0] + 1, bytes(last[1]))


def _decoded(store: Store, start: int) -> Iterator[Entry]:
    head = None if start else proof.START
    for seq, body, leaf, chain in rows(store, start):
        entry = _decode(store.place, seq, body, leaf)
        if head is not None and proof.link(head, leaf) != chain:
            raise LedgerCorrupt(f"entry {seq} of {store.place} or one before it was replaced or removed; {_VERIFY}")
        yield entry
        head = chain


_VERIFY = "run `fairlead ledger verify`"
#: What to do about an entry that cannot be read. Its hashes may fit, so `verify` alone can call the log whole.
UNREADABLE = (
    "if `fairlead ledger verify` calls the log whole, a later version of Fairlead wrote it, or somebody wrote the log anew with"
    " fitting hashes: hold it against a checkpoint kept elsewhere (--checkpoints)"
)


def hashed(place: str, seq: int, body: bytes, leaf: bytes) -> bytes:
    """The body of an entry that fits its leaf hash. Raises LedgerCorrupt for any other."""
    if not isinstance(body, bytes) or proof.leaf(body) != leaf:
        raise LedgerCorrupt(f"entry {seq} of {place} was changed: its bytes do not match its leaf hash; {_VERIFY}")
    return body


def _decode(place: str, seq: int, body: bytes, leaf: bytes) -> Entry:
    hashed(place, seq, body, leaf)
    try:
        return _DECODER.decode(body)
    except msgspec.MsgspecError as error:
        raise LedgerCorrupt(f"entry {seq} of {place} cannot be read: {error}; {UNREADABLE}") from error
