"""The tables of the log and their history, by Alembic. A released migration is never edited: a change is a new one."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from fairlead.ledger.store import SCHEMA
from fairlead.records.errors import LedgerError


def file(path: Path) -> URL:
    """The SQLAlchemy URL of a SQLite file, whatever characters its name has."""
    return URL.create("sqlite", database=str(path))


def upgrade(url: str | URL, to: str = SCHEMA) -> None:
    """Bring the tables to a version, all of them or none. `url` is a SQLAlchemy URL. Raises LedgerError."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["url"] = url
    try:
        command.upgrade(config, to)
    except CommandError as error:
        raise LedgerError(f"the tables are of a version that this program does not know: {error}; use a newer one") from error
    except DBAPIError as error:
        raise LedgerError(f"cannot make or change the tables: {error.orig}; nothing was changed") from error
