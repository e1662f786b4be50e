"""What somebody can do who may write to the store."""

from __future__ import annotations

from fairlead.ledger.place import open_store


def tamper(place: str, sql: str, *parameters: object) -> None:
    """What somebody who may write to the store does behind the log's back."""
    store = open_store(place)
    with store.transaction() as db:
        db.do(sql, *parameters)
    store.close()


def looked_up(place: str, sql: str, *parameters: object) -> tuple[object, ...]:
    """One row, as the store has it."""
    store = open_store(place, read_only=True)
    with store.reading() as db:
        row = db.one(sql, *parameters)
    store.close()
    assert row is not None
    return row
