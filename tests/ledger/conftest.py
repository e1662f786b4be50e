"""Every test that asks for a `place` runs on both stores, and so does one that asks for `keys`."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a new log may be kept: a file, or a database of a real PostgreSQL server."""
    if request.param == "sqlite":
        return str(tmp_path / "ledger.db")
    return str(request.getfixturevalue("postgres").create_database(f"ledger_{secrets.token_hex(6)}"))


@pytest.fixture(params=["sqlite", "postgres"])
def keys(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a new key store may be."""
    if request.param == "sqlite":
        return str(tmp_path / "keys" / "ledger-keys.db")
    return str(request.getfixturevalue("postgres").create_database(f"keys_{secrets.token_hex(6)}"))
