"""Where a log is kept: one SQLite file, or a PostgreSQL database. Both speak the same few statements, written once with `?`.

We write SQL ourselves on the way that every request takes: through SQLAlchemy one durable append cost three times the CPU
(docs/decisions.md). Tables are made and changed by Alembic, in `ledger.schema`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from fairlead.records.errors import LedgerError

Row = tuple[Any, ...]
#: The newest version of the tables. Tests hold it equal to the last of the migrations.
SCHEMA = "0004"


class CommitUnknown(LedgerError):
    """The connection broke while a commit was under way: it may have happened or not. Whoever asked must look."""


class StoreLost(LedgerError):
    """The server went away before anything of the batch was committed; it may come back."""


class Connection(Protocol):
    """What both drivers are reduced to."""

    @property
    def in_transaction(self) -> bool:
        """Whether what is done now can still be committed: some errors end the transaction, whoever catches them."""
        ...

    def one(self, sql: str, *parameters: object) -> Row | None:
        """The first row, None when there is none."""
        ...

    def all(self, sql: str, *parameters: object) -> list[Row]:
        """Every row."""
        ...

    def do(self, sql: str, *parameters: object) -> None:
        """Run one statement."""
        ...

    def many(self, sql: str, rows: Sequence[Row]) -> None:
        """Run one statement for each of the rows."""
        ...


class Store(Protocol):
    """A place for one log. Threads may share it."""

    place: str

    def transaction(self) -> AbstractContextManager[Connection]:
        """The writer's place, among all processes: what is done inside is committed, and on disk, when the block ends.

        Raises LedgerLocked when others hold the place too long, StoreLost and CommitUnknown as they say.
        """
        ...

    def reading(self) -> AbstractContextManager[Connection]:
        """A connection for short reads of what is committed."""
        ...

    def stream(self, sql: str, *parameters: object) -> Iterator[Row]:
        """Rows one after the other, in constant memory, as of the moment the first is read."""
        ...

    def migrate(self) -> None:
        """Bring the tables to the newest schema; quick when they are."""
        ...

    def scrub(self, table: str, *, rewrite: bool) -> None:
        """Overwrite what was deleted from `table`; with `rewrite` by writing anew all that is left, so that no trace is missed.

        Raises LedgerLocked when somebody reads or writes for too long; to be asked again then.
        """
        ...

    def version(self) -> str | None:
        """The schema's version, None when there are no tables."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...
