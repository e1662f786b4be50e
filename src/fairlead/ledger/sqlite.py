"""The log in one SQLite file: WAL mode, `synchronous=FULL`, `BEGIN IMMEDIATE` for whoever writes.

Several processes may write. SQLite's lock has no queue, so that one busy writer could keep another out for ever: before it asks
for the lock, a writer takes the turn (a lock on `FILE.lock`) and keeps it until it has the lock. Whoever has just written finds
the turn taken by the next one and comes after it.

Whoever holds the writer's place also moves what gathered in the write-ahead log into the file (a checkpoint). Nobody does so
beside a writer: before SQLite 3.51.3 that could, rarely, lose what was committed (sqlite.org/wal.html, "the WAL-reset bug").
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from fairlead.ledger.store import Row
from fairlead.records.errors import InputError, LedgerCorrupt, LedgerError, LedgerLocked

_PATIENCE_S = 30.0
_PAUSE_S = 0.0005
_PAGE = 4_096  # bytes
_CHECKPOINT_AFTER = 1_000  # pages in the write-ahead log, about
_READING_PAUSE_MS = 5_000  # a reader waits only while another recovers the file


class NoDatabase(InputError):
    """The file is something else altogether."""


class _Database:
    """One connection, reduced to `store.Connection`."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db

    @property
    def in_transaction(self) -> bool:
        return self.db.in_transaction

    def one(self, sql: str, *parameters: object) -> Row | None:
        found: Row | None = self.db.execute(sql, parameters).fetchone()
        return found

    def all(self, sql: str, *parameters: object) -> list[Row]:
        return self.db.execute(sql, parameters).fetchall()

    def do(self, sql: str, *parameters: object) -> None:
        self.db.execute(sql, parameters)

    def many(self, sql: str, rows: Sequence[Row]) -> None:
        self.db.executemany(sql, rows)


class SqliteStore:
    """One file, open for reading and writing."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Raises InputError when there is no file to read, LedgerError when it is no ledger or cannot be opened."""
        self.place, self._path, self._read_only = str(path), path, read_only
        self._writing, self._mutex = threading.Lock(), threading.Lock()
        if read_only and not path.exists():
            raise InputError(f"there is no ledger at {path}; `fairlead cycle` makes one")
        if path.is_dir():
            raise InputError(f"{path} is a folder; name a file in it, such as {path / 'ledger.db'}")
        try:
            if not read_only:
                _make(path.parent)
                self._turn = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
                make_private(path)
        except OSError as error:
            raise LedgerError(f"cannot write a ledger at {path}: {error.strerror}; name another place") from error
        with self._explained("open"):
            self._writer = None if read_only else _Database(_connect(path, read_only=False))
            self._mover = None if read_only else _connect(path, read_only=False)
            self._reader = _Database(_connect(path, read_only=True))
        self._files = (path.absolute(), Path(f"{path.absolute()}-wal"))
        self._identities = _identities(self._files)
        # What this process wrote into the write-ahead log, in pages; others may have left it long.
        self._pages = self._files[1].stat().st_size // _PAGE if self._identities else 0

    @contextmanager
    def transaction(self) -> Iterator[_Database]:
        """As in `Store`."""
        with self._writing, self._explained("write to"):
            if self._writer is None or self._mover is None:
                raise LedgerError(f"{self._path} was opened for reading, or is closed; open it anew")
            db = self._writer.db
            if self._pages > _CHECKPOINT_AFTER:
                self._begin(db)
                try:
                    self._mover.execute("PRAGMA wal_checkpoint(PASSIVE)")
                finally:
                    db.execute("ROLLBACK")
                self._pages = 0
            self._begin(db)
            try:
                self._look()
                changes = db.total_changes
                yield self._writer
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
            self._pages += 2 + (db.total_changes - changes) // 4  # a guess: several rows share a page

    @contextmanager
    def reading(self) -> Iterator[_Database]:
        """As in `Store`."""
        with self._mutex, self._explained("read"):
            yield self._reader

    def stream(self, sql: str, *parameters: object) -> Iterator[Row]:
        """As in `Store`."""
        with self._explained("read"):
            db = _connect(self._path, read_only=True)
            try:
                yield from db.execute(sql, parameters)
            finally:
                db.close()

    def migrate(self) -> None:
        """As in `Store`. The tables are made under the writer's lock, so that two processes may open a new file at once."""
        from fairlead.ledger import schema  # Alembic takes half a second to load, and is seldom needed

        with self._turn_taken(), self._explained("open"):
            schema.upgrade(schema.file(self._path))

    def scrub(self, table: str, *, rewrite: bool) -> None:
        """As in `Store`. What is deleted is overwritten at once (`secure_delete`), but for pieces that rows left behind when
        they were moved to another page; `rewrite` removes those. The write-ahead log is emptied.
        """
        deadline = time.monotonic() + _PATIENCE_S
        with self._writing, self._explained("write to"):
            if self._writer is None:
                raise LedgerError(f"{self._path} was opened for reading")
            if rewrite:
                self._alone(self._writer.db, "VACUUM")
            while self._alone(self._writer.db, "PRAGMA wal_checkpoint(TRUNCATE)") != 0:  # somebody reads what is older
                self._wait(deadline)

    def version(self) -> str | None:
        """As in `Store`."""
        with self.reading() as db:
            if db.one("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'") is None:
                return None
            found = db.one("SELECT version_num FROM alembic_version")
            return found[0] if found else None

    def close(self) -> None:
        """As in `Store`."""
        with self._writing:
            self._reader.db.close()
            if self._writer is not None and self._mover is not None:
                self._mover.close()
                self._writer.db.close()
                os.close(self._turn)
            self._writer = self._mover = None

    def _begin(self, db: sqlite3.Connection) -> None:
        with self._turn_taken() as deadline:
            self._until_begun(db, deadline)

    def _until_begun(self, db: sqlite3.Connection, deadline: float) -> None:
        while True:
            try:
                db.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                    raise
                self._wait(deadline)

    def _alone(self, db: sqlite3.Connection, sql: str) -> object:
        """Run what cannot be part of a transaction while nobody writes: who wants to takes the turn first, and we have it."""
        with self._turn_taken() as deadline:
            self._until_begun(db, deadline)
            db.execute("ROLLBACK")
            found = db.execute(sql).fetchone()
        return found[0] if found else None

    @contextmanager
    def _turn_taken(self) -> Iterator[float]:
        deadline = time.monotonic() + _PATIENCE_S
        while not _locked(self._turn):
            self._wait(deadline)
        try:
            yield deadline
        finally:
            fcntl.flock(self._turn, fcntl.LOCK_UN)

    def _look(self) -> None:
        """SQLite goes on writing into a file that is no longer there: it would be lost with the process."""
        if not self._identities or self._identities != _identities(self._files):
            raise LedgerError(
                f"{self._path}, or its -wal file, was removed or replaced while it was open: nothing of this batch was written;"
                " restore a copy, and open it anew"
            )

    def _wait(self, deadline: float) -> None:
        if time.monotonic() > deadline:
            raise LedgerLocked(
                f"another process has been writing to {self._path} for {_PATIENCE_S:g} s; look for one that hangs, or name"
                " another file"
            )
        time.sleep(_PAUSE_S)

    @contextmanager
    def _explained(self, verb: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if str(error) == "no such table: entries":
                raise InputError(
                    f"{self._path} holds no ledger; name another file, or let `fairlead cycle` make one"
                ) from error
            code = error.sqlite_errorcode & 0xFF
            hint = _HINTS[code] if verb == "write to" and code in _HINTS else "this says nothing about its entries"
            raise LedgerError(f"cannot {verb} {self._path}: {error}; {hint}") from error
        except (sqlite3.ProgrammingError, OSError) as error:
            raise LedgerError(f"cannot {verb} {self._path}: {error}; this says nothing about its entries") from error
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_NOTADB:
                raise NoDatabase(
                    f"{self._path} is no ledger, and no database at all; name another file, or restore a copy"
                ) from error
            raise LedgerCorrupt(
                f"{self._path} cannot be read as a ledger: {error}; name another file, or restore a copy"
            ) from error


_HINTS = {
    sqlite3.SQLITE_FULL: "the disk is full: nothing of this batch was written, and what was acknowledged is safe; make room",
    sqlite3.SQLITE_IOERR: "the disk failed: nothing of this batch was acknowledged; run `fairlead ledger verify`",
    sqlite3.SQLITE_READONLY: "make it writable, or name another file",
}


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _make(folder: Path) -> None:
    """The folder, and on disk: with a folder that was not synced into the one above it a synced file could be lost."""
    if not folder.exists():
        _make(folder.parent)
        folder.mkdir(exist_ok=True)
        above = os.open(folder.parent, os.O_RDONLY)
        try:
            os.fsync(above)
        finally:
            os.close(above)


def make_private(path: Path) -> None:
    """A new file that only its owner may read; SQLite gives what it puts beside it the same mode.

    One that exists is not opened: to close it would drop this process's locks on it (sqlite.org/howtocorrupt.html, 2.2).
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _identities(files: Sequence[Path]) -> list[tuple[int, int]]:
    """Which files stand there, whatever their names; empty when one is gone."""
    try:
        found = [file.stat() for file in files]
    except FileNotFoundError:
        return []
    return [(each.st_dev, each.st_ino) for each in found]


def _connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    mode = "ro" if read_only else "rwc"
    if read_only and not os.access(path.parent, os.W_OK) and not Path(f"{path}-wal").exists():
        mode = "ro&immutable=1"  # nobody can write here, and a reader could not make the log's shared memory either
    db = sqlite3.connect(f"file:{quote(str(path))}?mode={mode}", uri=True, isolation_level=None, check_same_thread=False)
    db.execute(f"PRAGMA busy_timeout = {_READING_PAUSE_MS if read_only else 0}")
    if not read_only:
        _until_free(lambda: db.execute("PRAGMA journal_mode=WAL"))
        db.execute("PRAGMA synchronous=FULL")
        db.execute("PRAGMA wal_autocheckpoint=0")
        db.execute("PRAGMA secure_delete=ON")
        db.execute("PRAGMA temp_store=MEMORY")  # a rewrite leaves no copy in a folder for temporary files
    return db


def _until_free(act: Callable[[], object]) -> None:
    """Changing to WAL mode needs the file to itself for a moment, and SQLite does not wait for it."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            act()
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_S)
