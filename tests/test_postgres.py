from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
import sqlalchemy

import tests.postgres
from tests.postgres import Postgres, PostgresMissing

STARTED = """
from tests.postgres import Postgres
with Postgres() as server:
    print(server.url.replace("+psycopg", ""), server._folder, flush=True)
    input()
"""


def test_a_committed_row_survives_an_immediate_stop(postgres: Postgres) -> None:
    engine = sqlalchemy.create_engine(postgres.create_database("survives"), poolclass=sqlalchemy.NullPool)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("create table kept (x int)"))
        connection.execute(sqlalchemy.text("insert into kept values (7)"))
    postgres.stop("immediate")
    with pytest.raises(sqlalchemy.exc.OperationalError), engine.connect():
        pass
    postgres.start()
    with engine.connect() as connection:
        assert connection.execute(sqlalchemy.text("select x from kept")).scalars().all() == [7]


def test_data_are_synced_and_the_password_is_needed(postgres: Postgres) -> None:
    engine = sqlalchemy.create_engine(postgres.url, poolclass=sqlalchemy.NullPool)
    with engine.connect() as connection:
        assert connection.execute(sqlalchemy.text("show fsync")).scalar() == "on"
        assert connection.execute(sqlalchemy.text("show unix_socket_directories")).scalar() == ""
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(host="127.0.0.1", port=engine.url.port, user="fairlead", password="not it", dbname="postgres")


def test_the_server_ends_with_the_process_that_started_it() -> None:
    root = Path(__file__).parents[1]
    pipe = subprocess.PIPE
    child = subprocess.Popen([sys.executable, "-c", STARTED], cwd=root, text=True, stdin=pipe, stdout=pipe)
    with child:
        assert child.stdout is not None
        url, folder = child.stdout.readline().split()
        psycopg.connect(url).close()
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        assert _gone(url)
    shutil.rmtree(folder)


def test_where_the_programs_may_not_be_read_they_are_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []
    real = tests.postgres._runs

    def closed_at_first(programs: Path, as_user: dict[str, object]) -> bool:
        asked.append(programs)
        return len(asked) > 1 and real(programs, as_user)

    monkeypatch.setattr(tests.postgres, "_runs", closed_at_first)
    with Postgres() as server:
        psycopg.connect(server.url.replace("+psycopg", "")).close()
    assert "fairlead-postgres-" in str(asked[1])
    assert not asked[1].exists()


def test_a_machine_without_the_wheel_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(PostgresMissing, match="not installed"):
        Postgres()


def _gone(url: str) -> bool:
    for _ in range(600):
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError as error:
            if "refused" in str(error):
                return True
        time.sleep(0.05)
    return False
