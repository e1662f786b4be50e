"""The log in a PostgreSQL database: whoever writes holds an advisory lock until the commit, so that order is commit order.

`synchronous_commit` is set on, and a server with `fsync` off is refused: an acknowledged entry is on disk.
"""

from __future__ import annotations

import select
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import urlsplit

from fairlead.ledger.store import CommitUnknown, Connection, Row, StoreLost
from fairlead.records.errors import InputError, LedgerCorrupt, LedgerError, LedgerLocked

try:
    import psycopg
    from psycopg import errors
    from psycopg.conninfo import make_conninfo
except ImportError as missing:  # an extra: SQLite needs nothing
    raise InputError("a ledger on PostgreSQL needs psycopg: pip install 'fairlead[postgres]'") from missing

_PATIENCE_S = 30
# A server from which nothing comes any more, not even from its machine: after 20 s the connection counts as broken.
_SILENCE: dict[str, int] = {
    "connect_timeout": 5,  # s
    "keepalives": 1,
    "keepalives_idle": 10,  # s
    "keepalives_interval": 5,  # s
    "keepalives_count": 2,
    "tcp_user_timeout": 20_000,  # ms
}
# Read committed: after waiting for the lock we see what others committed.
_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock(hashtext('fairlead ledger'))"
_REWRITE = (
    "LOCK TABLE {0} IN ACCESS EXCLUSIVE MODE",
    "CREATE TEMPORARY TABLE kept ON COMMIT DROP AS SELECT * FROM {0}",
    "TRUNCATE {0}",
    "INSERT INTO {0} SELECT * FROM kept",
)
_AT_ONCE = 2_000  # rows that a stream fetches at once
_NOT_A_LEDGER = (
    psycopg.IntegrityError,
    errors.DataCorrupted,
    errors.DatatypeMismatch,
    errors.IndexCorrupted,
    errors.UndefinedColumn,
)


class _Database:
    """One connection, reduced to `store.Connection`. What has no answer waits, and goes out with the next question or commit.

    So an append goes to the server and back three times: for the place, for the head of the log, and to write and commit.
    """

    def __init__(self, db: psycopg.Connection[Row]) -> None:
        self.db = db
        self._later: list[tuple[str, Sequence[Row]]] = []

    @property
    def in_transaction(self) -> bool:
        return self.db.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS

    def one(self, sql: str, *parameters: object) -> Row | None:
        return self._asked(sql, parameters).fetchone()

    def all(self, sql: str, *parameters: object) -> list[Row]:
        return self._asked(sql, parameters).fetchall()

    def do(self, sql: str, *parameters: object) -> None:
        self._later.append((sql, [parameters]))

    def many(self, sql: str, rows: Sequence[Row]) -> None:
        self._later.append((sql, rows))

    def send(self) -> None:
        """What was put off until now, in one go."""
        with self.db.pipeline(), self.db.cursor() as cursor:
            self._send_with(cursor)

    def forget(self) -> None:
        """What was put off is not to be done."""
        self._later = []

    def _asked(self, sql: str, parameters: Row) -> psycopg.Cursor[Row]:
        if not self._later:
            return self.db.execute(_written(sql), parameters)
        with self.db.pipeline(), self.db.cursor() as cursor:
            self._send_with(cursor)
            return self.db.execute(_written(sql), parameters)

    def _send_with(self, cursor: psycopg.Cursor[Row]) -> None:
        later, self._later = self._later, []
        for sql, rows in later:
            if len(rows) == 1:
                cursor.execute(_written(sql), rows[0])
            else:
                cursor.executemany(_written(sql), rows)


class PostgresStore:
    """One database, open for reading and writing. A connection that broke is made anew at the next use."""

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        """Raises LedgerError when the server cannot be reached or does not keep what it acknowledges."""
        self._url = url.replace("postgresql+psycopg://", "postgresql://", 1)
        parts = urlsplit(self._url)
        self.place = f"postgresql://{parts.hostname}:{parts.port or 5432}{parts.path}"  # without the password
        self._read_only = read_only
        self._writing, self._mutex = threading.Lock(), threading.Lock()
        self._writer: _Database | None = None
        self._reader: _Database | None = None
        self._closed = False
        with self.reading() as db:
            found = db.one("SHOW fsync")
            if found != ("on",):
                raise LedgerError(f"{self.place} runs with fsync off: it could lose what it acknowledged; turn it on")

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """As in `Store`."""
        if self._read_only:
            raise LedgerError(f"{self.place} was opened for reading")
        with self._writing, self._explained("write to"):
            self._writer = writer = self._alive(self._writer)
            committing = False
            try:
                writer.db.execute(_BEGIN)
                yield writer
                writer.do("COMMIT")
                committing = True
                writer.send()
            except BaseException as error:
                writer.forget()
                if not isinstance(error, Exception):
                    writer.db.close()  # interrupted in the middle of something
                if committing and _went_away(error, writer.db):
                    raise CommitUnknown(f"{self.place} went away while it committed: {error}") from error
                if not writer.db.closed:
                    writer.db.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """As in `Store`."""
        with self._mutex, self._explained("read"):
            self._reader = self._alive(self._reader)
            yield self._reader

    def stream(self, sql: str, *parameters: object) -> Iterator[Row]:
        """As in `Store`."""
        with self._explained("read"), self._connected().db as db, db.transaction(), db.cursor("stream") as cursor:
            cursor.itersize = _AT_ONCE
            cursor.execute(_written(sql), parameters)
            yield from cursor

    def migrate(self) -> None:
        """As in `Store`."""
        from sqlalchemy import make_url

        from fairlead.ledger import schema  # Alembic takes half a second to load, and is seldom needed

        url = make_url(self._url.replace("postgresql://", "postgresql+psycopg://", 1))
        schema.upgrade(url.update_query_dict({name: str(value) for name, value in _SILENCE.items()}))

    def scrub(self, table: str, *, rewrite: bool) -> None:
        """As in `Store`. VACUUM only frees the room of deleted rows, which is overwritten when it is needed. `rewrite` puts
        what is left into new files and drops the old ones; VACUUM FULL would keep what an old snapshot may still ask for. The
        server's own write-ahead log keeps what was written until the server recycles it.
        """
        if rewrite:
            with self.transaction() as db:
                for statement in _REWRITE:
                    db.do(statement.format(table))
        else:
            with self._writing, self._explained("write to"), self._connected().db as db:
                db.execute(f"VACUUM {table}")

    def version(self) -> str | None:
        """As in `Store`."""
        with self.reading() as db:
            if db.one("SELECT to_regclass('alembic_version')") == (None,):
                return None
            found = db.one("SELECT version_num FROM alembic_version")
            return found[0] if found else None

    def close(self) -> None:
        """As in `Store`."""
        self._closed = True
        for database in (self._writer, self._reader):
            if database is not None:
                database.db.close()

    def _alive(self, database: _Database | None) -> _Database:
        """A connection on which nothing is under way; made anew when there is something to read: the server's good-bye."""
        if database is not None and not database.db.closed:
            idle = select.poll()
            idle.register(database.db.fileno(), select.POLLIN)
            if not idle.poll(0):
                return database
            database.db.close()
        return self._connected()

    def _connected(self) -> _Database:
        if self._closed:
            raise LedgerError(f"{self.place} is closed; open it anew")
        db = psycopg.connect(make_conninfo(self._url, **_SILENCE), autocommit=True, application_name="fairlead")
        db.execute("SET synchronous_commit = on")
        db.execute(f"SET lock_timeout = '{_PATIENCE_S}s'")
        return _Database(db)

    @contextmanager
    def _explained(self, verb: str) -> Iterator[None]:
        try:
            yield
        except errors.LockNotAvailable as error:
            raise LedgerLocked(
                f"another process has been writing to {self.place} for {_PATIENCE_S} s; look for one that hangs"
            ) from error
        except errors.DiskFull as error:
            raise LedgerError(f"the disk of {self.place} is full: nothing of this batch was written; make room") from error
        except errors.UndefinedTable as error:
            raise InputError(f"there is no ledger at {self.place}; a gateway or `fairlead cycle` makes one") from error
        except psycopg.OperationalError as error:
            raise StoreLost(f"cannot {verb} {self.place}: {_said(error)}; is the server up, and the URL right?") from error
        except _NOT_A_LEDGER as error:
            raise LedgerCorrupt(f"{self.place} cannot be read as a ledger: {_said(error)}") from error
        except psycopg.Error as error:
            raise LedgerError(f"cannot {verb} {self.place}: {_said(error)}; this says nothing about its entries") from error


def _written(sql: str) -> str:
    return sql.replace("?", "%s")


def _went_away(error: BaseException, db: psycopg.Connection[Row]) -> bool:
    """Whether the server did not say what became of a statement; what it refused, it did not do."""
    if not isinstance(error, psycopg.OperationalError):
        return False
    return db.closed or error.sqlstate is None or error.sqlstate.startswith(("08", "57P"))


def _said(error: psycopg.Error) -> str:
    """The first line: the others may show the parameters of a statement."""
    return str(error).strip().split("\n")[0] or type(error).__name__
