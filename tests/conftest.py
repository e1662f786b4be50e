"""For every test: hypothesis has no deadlines, since the machine is shared, and draws the same examples each time in CI.

The fixture `postgres` is one PostgreSQL server for the session (with xdist: the worker), started by the first test to ask.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.postgres import Postgres, PostgresMissing

settings.register_profile("fairlead", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("fairlead")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Skips where no server runs on this machine."""
    try:
        server = Postgres()
    except PostgresMissing as missing:
        pytest.skip(f"no PostgreSQL: {missing}")
    with server:
        yield server
