"""Strikes are rows of the history, with their points and when these expire."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns, empty: the rows are folded anew when the log is opened."""
    op.add_column("history", sa.Column("points", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("history", sa.Column("expires", sa.Double(), nullable=False, server_default="0"))
