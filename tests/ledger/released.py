"""Places as released versions left them, with data."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import alembic.config
import alembic.script
import sqlalchemy
from forked import payloads

from fairlead.ledger import schema
from fairlead.ledger.fold import fold
from fairlead.ledger.place import open_store
from fairlead.ledger.projection import rebuild
from fairlead.ledger.proof import START, Tree, leaf, link
from fairlead.ledger.rows import KINDS, Account, Memory
from fairlead.ledger.store import Connection
from fairlead.records.canonical import canonical
from fairlead.records.entry import Entry

TABLE_OF_0_1_0 = (
    "CREATE TABLE entries (seq INTEGER PRIMARY KEY, body BLOB NOT NULL, leaf BLOB NOT NULL, chain BLOB NOT NULL) STRICT"
)
INSERT = "INSERT INTO entries (seq, body, leaf, chain) VALUES (?, ?, ?, ?)"


def script() -> alembic.script.ScriptDirectory:
    config = alembic.config.Config()
    config.set_main_option("script_location", str(Path(schema.__file__).parent))
    return alembic.script.ScriptDirectory.from_config(config)


#: Every released version of the tables, oldest first.
REVISIONS = [revision.revision for revision in script().walk_revisions()][::-1]


def logged(n: int) -> list[Entry]:
    """What was appended, in batches of 10."""
    said = [payload for batch in range(n // 10) for payload in payloads(f"old.{batch}", 10)]
    return [Entry(seq, float(seq), "fairlead/0.1.0", payload) for seq, payload in enumerate(said)]  # type: ignore[arg-type]


def hashed(entries: Sequence[Entry]) -> list[tuple[int, bytes, bytes, bytes]]:
    """The rows of the table `entries`."""
    head, rows = START, []
    for entry in entries:
        body = canonical(entry)
        head = link(head, leaf(body))
        rows.append((entry.seq, body, leaf(body), head))
    return rows


def made_by_0_1_0(path: Path, entries: Sequence[Entry]) -> str:
    """A file of version 0.1.0, which knew no versions of tables."""
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute(TABLE_OF_0_1_0)
    db.executemany(INSERT, hashed(entries))
    db.commit()
    db.close()
    return str(path)


def made_at(revision: str, place: str, entries: Sequence[Entry]) -> str:
    """A place whose tables are of this version: with the roots and the state, once that had tables for them."""
    schema.upgrade(url_of(place), revision)
    tree = Tree()
    roots = [root for _, _, made, _ in hashed(entries) for root in tree.add(made)]
    store = open_store(place)
    with store.transaction() as db:
        db.many(INSERT, hashed(entries))
        if "state" in tables(place):
            db.many("INSERT INTO roots (level, position, hash) VALUES (?, ?, ?)", roots)
            if revision < "0004":
                folded_without_points(db, entries)
            else:
                rebuild(db, iter(entries), len(entries))
    store.close()
    return place


def folded_without_points(db: Connection, entries: Sequence[Entry]) -> None:
    """The state as version 2 of the fold left it: all strikes of an account in its row, and none in the history."""
    folded = fold(entries).rows
    assert isinstance(folded, Memory)
    strikes = {
        account: [{"points": event.points, "expires": event.expires, "seq": event.seq} for event in events if event.points]
        for account, events in folded.history.items()
    }
    rows = [(name, id, canonical(row)) for name, kind in KINDS.items() for id, row in folded.each(kind) if kind is not Account]
    accounts = [
        (id, {"strikes": strikes.get(id, []), "steps": row.steps, "last": row.last}) for id, row in folded.each(Account)
    ]
    rows += [("account", id, canonical(row)) for id, row in accounts]
    events = [
        (whose, e.action, e.time, e.seq, n, e.rule) for whose in folded.history for n, e in enumerate(folded.history[whose])
    ]
    db.many("INSERT INTO state (kind, id, body) VALUES (?, ?, ?)", rows)
    db.many("INSERT INTO history (account, action, time, seq, n, rule) VALUES (?, ?, ?, ?, ?, ?)", events)
    db.do("UPDATE cursor SET size = ?, version = ?", len(entries), 2)


def url_of(place: str) -> Any:
    """As SQLAlchemy writes it."""
    return place if "://" in place else schema.file(Path(place))


def tables(place: str) -> dict[str, object]:
    """The tables with their columns, keys and indices, as the database describes them."""
    engine = sqlalchemy.create_engine(url_of(place), poolclass=sqlalchemy.NullPool)
    look = sqlalchemy.inspect(engine)
    found = {name: _table(look, name) for name in look.get_table_names()}
    engine.dispose()
    return found


def _table(look: sqlalchemy.Inspector, name: str) -> object:
    key = look.get_pk_constraint(name)["constrained_columns"]
    # A part of a key is never null, whether that was said (by us) or not (by version 0.1.0).
    columns = [
        (c["name"], str(c["type"]), c["nullable"] and c["name"] not in key, c["default"]) for c in look.get_columns(name)
    ]
    return columns, key, look.get_indexes(name), look.get_unique_constraints(name), look.get_foreign_keys(name)
