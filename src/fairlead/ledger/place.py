"""From what a person wrote to the store that is meant."""

from __future__ import annotations

from pathlib import Path

from fairlead.ledger.sqlite import SqliteStore
from fairlead.ledger.store import Store

_SERVER = ("postgresql://", "postgresql+psycopg://", "postgres://")


def open_store(place: str | Path, *, read_only: bool = False) -> Store:
    """A SQLite file, or with the URL of a PostgreSQL database that database. Raises LedgerError or InputError."""
    if isinstance(place, str) and is_server(place):
        from fairlead.ledger.postgres import PostgresStore  # its driver is an extra

        return PostgresStore(place, read_only=read_only)
    return SqliteStore(Path(place), read_only=read_only)


def exists(place: str | Path) -> bool:
    """Whether there may be a log: a file that is there, or a server, which only asking can tell."""
    return is_server(place) or Path(place).exists()


def is_server(place: str | Path) -> bool:
    """Whether it is the URL of a PostgreSQL database."""
    return isinstance(place, str) and place.startswith(_SERVER)
