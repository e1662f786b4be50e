"""Stored roots of the Merkle tree, and the fold's rows beside the log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from fairlead.ledger.proof import Tree

revision = "0002"
down_revision = "0001"

_AT_ONCE = 2_000  # leaves that are in memory: a log may be long
# Ids sort by their bytes on both, as Python sorts them.
_Name = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables, and compute the roots of the entries that are there. The rows are folded when the log is opened."""
    roots = op.create_table(
        "roots",
        sa.Column("level", sa.Integer(), primary_key=True),
        sa.Column("position", sa.BigInteger(), primary_key=True),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "state",
        sa.Column("kind", _Name, primary_key=True),
        sa.Column("id", _Name, primary_key=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "history",
        sa.Column("account", _Name, primary_key=True),
        sa.Column("action", _Name, primary_key=True),
        sa.Column("time", sa.Double(), primary_key=True),
        sa.Column("seq", sa.BigInteger(), primary_key=True),
        sa.Column("n", sa.Integer(), primary_key=True),
        sa.Column("rule", _Name, nullable=False),
        sqlite_with_rowid=False,
    )
    cursor = op.create_table(
        "cursor", sa.Column("size", sa.BigInteger(), nullable=False), sa.Column("version", sa.Integer(), nullable=False)
    )
    db, tree = op.get_bind(), Tree()
    leaves = db.execute(sa.text("SELECT leaf FROM entries ORDER BY seq").execution_options(stream_results=True))
    for some in leaves.partitions(_AT_ONCE):
        made = [root for (leaf,) in some for root in tree.add(bytes(leaf))]
        if made:
            db.execute(roots.insert(), [{"level": level, "position": at, "hash": found} for level, at, found in made])
    op.execute(cursor.insert().values(size=0, version=0))
