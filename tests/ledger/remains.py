"""What still lies in the files of a store."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import psycopg

from fairlead.ledger.place import is_server, open_store
from tests.postgres import Postgres


def wrapped_keys(keys: str) -> dict[tuple[str, int], bytes]:
    """The wrapped keys as they are stored, by account and day."""
    store = open_store(keys, read_only=True)
    with store.reading() as db:
        rows = db.all("SELECT account, day, wrapped FROM keys")
    store.close()
    return {(account, day): bytes(wrapped) for account, day, wrapped in rows}


def files_of(place: str, server: Postgres | None = None) -> list[Path]:
    """Every file in a SQLite file's folder; of a server all files of the database, synced, without its write-ahead log."""
    if not is_server(place):
        return [path for path in Path(place).parent.rglob("*") if path.is_file()]
    assert server is not None
    with psycopg.connect(place.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        oid = connection.execute("SELECT oid FROM pg_database WHERE datname = current_database()").fetchone()
    assert oid is not None
    return [path for path in (server._folder / "data" / "base" / str(oid[0])).iterdir() if path.is_file()]


def found_in(files: Iterable[Path], needles: Iterable[bytes]) -> set[bytes]:
    """Those of the needles that stand in one of the files, whole."""
    wanted, found = set(needles), set[bytes]()
    for path in files:
        data = path.read_bytes()
        found |= {needle for needle in wanted - found if needle in data}
    return found
