"""The tables of the log and their history, by Alembic. A released migration is never edited: a change is a new one."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config

from fairlead.ledger.store import SCHEMA


def upgrade(url: str, to: str = SCHEMA) -> None:
    """Bring the tables to a version, in one transaction a step. `url` is a SQLAlchemy URL."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["url"] = url
    command.upgrade(config, to)
