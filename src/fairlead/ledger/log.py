"""The log: append, read, verify. An entry that `append` returned is on disk.

One SQLite file in WAL mode with `synchronous=FULL`, and one writer at a time: the writer holds a lock on `FILE.lock` for as
long as it has the log open, so that a second one learns it at once instead of waiting. Readers are free.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self
from urllib.parse import quote

import msgspec
from msgspec import Struct

from fairlead.ledger.proof import START, Tree, leaf, link
from fairlead.records.canonical import canonical
from fairlead.records.entry import Entry, Payload
from fairlead.records.errors import InputError, LedgerCorrupt, LedgerError, LedgerLocked

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
  seq INTEGER PRIMARY KEY, body BLOB NOT NULL, leaf BLOB NOT NULL, chain BLOB NOT NULL
) STRICT;
"""
_FIRST = -(2**63)  # below every number that SQLite can hold: a row before entry 0 is a forgery, too
_DECODER = msgspec.json.Decoder(Entry)


class Verification(Struct, frozen=True):
    """What a walk over the whole log found. `root` is the RFC 6962 tree hash of `size` entries, in hexadecimal."""

    size: int
    root: str
    problem: str | None = None

    @property
    def whole(self) -> bool:
        """Whether every entry matched its hashes."""
        return self.problem is None


class Ledger:
    """An open log. Use as a context manager. Threads of one process may share it."""

    def __init__(self, path: Path, *, producer: str, clock: Callable[[], float] = time.time) -> None:
        """Open for writing, making the file when it is not there.

        Raises LedgerLocked when another process writes to it, LedgerError when the file is no ledger.
        """
        self.path, self.producer, self._clock = path, producer, clock
        self._mutex = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = _take_lock(path)
        except OSError as error:
            raise LedgerError(f"cannot write a ledger at {path}: {error.strerror}; name another place") from error
        try:
            self._db = _connect(path, read_only=False)
            self._db.executescript(_SCHEMA)
            last = self._db.execute("SELECT seq, chain FROM entries ORDER BY seq DESC LIMIT 1").fetchone()
        except sqlite3.Error as error:
            os.close(self._lock)
            raise LedgerError(f"cannot open {path} as a ledger: {error}; name another file, or restore a copy") from error
        self._next: int = 0 if last is None else last[0] + 1
        self._head: bytes = START if last is None else last[1]

    def append(self, *payloads: Payload) -> tuple[Entry, ...]:
        """Write the payloads as consecutive entries, all or none, and return them once they are on disk.

        Raises LedgerError when the disk refuses; nothing of the batch is then in the log.
        """
        with self._mutex:
            now, head, rows, entries = self._clock(), self._head, [], []
            for seq, payload in enumerate(payloads, self._next):
                entry = Entry(seq, now, self.producer, payload)  # type: ignore[arg-type]  # tests hold the union complete
                body = canonical(entry)
                leaf_hash = leaf(body)
                head = link(head, leaf_hash)
                rows.append((seq, body, leaf_hash, head))
                entries.append(entry)
            try:
                self._db.execute("BEGIN IMMEDIATE")
                self._db.executemany("INSERT INTO entries VALUES (?, ?, ?, ?)", rows)
                self._db.execute("COMMIT")
            except sqlite3.Error as error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise LedgerError(f"could not append to {self.path}: {error}; nothing of the batch was written") from error
            self._next, self._head = self._next + len(rows), head
            return tuple(entries)

    @property
    def size(self) -> int:
        """The number of entries, which is also the sequence number that the next one gets."""
        return self._next

    def entries(self, start: int = 0) -> Iterator[Entry]:
        """The entries from sequence number `start` on, in order."""
        return read(self.path, start)

    def close(self) -> None:
        """Let go of the file and of the lock."""
        self._db.close()
        os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read(path: Path, start: int = 0) -> Iterator[Entry]:
    """Entries of a log from sequence number `start` on, without taking the writer's lock.

    Raises InputError when there is no such file, LedgerCorrupt when an entry cannot be read.
    """
    for seq, body, _, _ in _rows(path, start):
        try:
            yield _DECODER.decode(body)
        except msgspec.MsgspecError as error:
            raise LedgerCorrupt(f"entry {seq} of {path} cannot be read: {error}; run `fairlead ledger verify`") from error


def verify(path: Path) -> Verification:
    """Walk the log once, in memory logarithmic in its length, recomputing every hash.

    It proves that no entry was changed, dropped from the middle or moved. It cannot know whether entries were cut off the
    end or the whole file was replaced: compare `size` and `root` with a note kept elsewhere.
    """
    tree, head = Tree(), START
    try:
        for seq, body, leaf_hash, chain in _rows(path, _FIRST):
            if seq != tree.size:
                return _broken(tree, f"entry {tree.size} is missing: the next one is {seq}")
            if leaf(body) != leaf_hash:
                return _broken(tree, f"entry {seq} was changed: its bytes do not match its leaf hash")
            head = link(head, leaf_hash)
            if head != chain:
                return _broken(tree, f"entry {seq} or one before it was replaced: the chain does not continue")
            if _seq_of(body) != seq:
                return _broken(tree, f"entry {seq} was moved: its bytes say another place")
            tree.add(leaf_hash)
    except LedgerCorrupt as error:
        return _broken(tree, f"{f'after entry {tree.size - 1}' if tree.size else 'at the start'}: {error}")
    return Verification(tree.size, tree.root().hex())


def proven(path: Path) -> Verification:
    """The verification of a log that is whole. Raises LedgerCorrupt otherwise: what was changed must not be built upon."""
    found = verify(path)
    if found.problem is not None:
        raise LedgerCorrupt(f"{path} is not whole: {found.problem}; restore a copy, or name another file")
    return found


class _Placed(Struct):
    seq: int


def _seq_of(body: bytes) -> int:
    try:
        return msgspec.json.decode(body, type=_Placed).seq
    except msgspec.MsgspecError:
        return -1


def _broken(tree: Tree, problem: str) -> Verification:
    return Verification(tree.size, tree.root().hex(), problem)


def _rows(path: Path, start: int) -> Iterator[tuple[int, bytes, bytes, bytes]]:
    if not path.exists():
        raise InputError(f"there is no ledger at {path}; `fairlead cycle` makes one")
    try:
        db = _connect(path, read_only=True)
        try:
            yield from db.execute("SELECT seq, body, leaf, chain FROM entries WHERE seq >= ? ORDER BY seq", (start,))
        finally:
            db.close()
    except sqlite3.OperationalError as error:
        raise LedgerError(f"cannot read {path}: {error}; this says nothing about its entries") from error
    except sqlite3.Error as error:
        raise LedgerCorrupt(f"{path} cannot be read as a ledger: {error}") from error


def _connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    mode = "ro" if read_only else "rwc"
    if read_only and not os.access(path.parent, os.W_OK) and not Path(f"{path}-wal").exists():
        mode = "ro&immutable=1"  # nobody can write here, and a reader could not make the log's shared memory either
    db = sqlite3.connect(f"file:{quote(str(path))}?mode={mode}", uri=True, isolation_level=None, check_same_thread=False)
    if not read_only:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
    return db


def _take_lock(path: Path) -> int:
    """Hold FILE.lock for as long as the returned descriptor is open; the kernel frees it when the process dies."""
    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(lock, 32, 0).decode(errors="replace").strip() or "unknown"
        os.close(lock)
        raise LedgerLocked(
            f"{path} is open for writing in process {holder}; wait until it ends, or name another file"
        ) from error
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)
    return lock
