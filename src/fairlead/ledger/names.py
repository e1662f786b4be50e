"""What both stores take as a name: PostgreSQL keeps no NUL character in a text.

It would fail the commit, and with it all callers who share that; so it is refused before, and on SQLite alike.
"""

from __future__ import annotations

from msgspec import Struct

from fairlead.ledger.fold import State
from fairlead.ledger.rows import Event, Memory, R
from fairlead.records.entry import Entry
from fairlead.records.errors import InputError

_ESCAPED = b"\\u0000"  # as it stands in an entry's bytes


def check_names(entry: Entry, body: bytes) -> None:
    """Raises InputError when a row that the fold looks up or keeps for the entry would have a NUL character in its name."""
    if _ESCAPED not in body:
        return
    named = _Named()
    State(named).apply(entry)
    for name in named.names:
        if "\0" in name:
            raise InputError(f"{name!r} is no name: it holds a NUL character; nothing was written of what was appended with it")


class _Named(Memory):
    """Rows that take down the names they are asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def get(self, kind: type[R], id: str) -> R | None:
        self.names.append(id)
        return super().get(kind, id)

    def put(self, id: str, row: Struct) -> None:
        self.names.append(id)
        super().put(id, row)

    def add_event(self, account: str, event: Event) -> None:
        self.names += [account, event.action, event.rule]
        super().add_event(account, event)
