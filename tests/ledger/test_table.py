"""As Parquet the log keeps its bytes; a question in SQL reads the log's copy and reaches nothing else."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_transfer import BLOCK, assert_same, log

from fairlead.ledger.table import asked, read_parquet, write_parquet
from fairlead.ledger.transfer import Bodies, restore
from fairlead.records.entry import CaseOpened, Decided, StageEnded
from fairlead.records.errors import InputError

ODD = StageEnded("ünïcode \u2028 \x00 \"quoted\" 'so'\n", 1.5, error=None)


def test_a_parquet_file_holds_the_bytes(tmp_path: Path, place: str) -> None:
    first = log(tmp_path / "first.db", BLOCK, ODD, *[StageEnded(f"s{n}", 1.0) for n in range(4500)])
    bodies = Bodies(tmp_path / "first.db")
    write_parquet(bodies, tmp_path / "a.parquet")
    assert bodies.copied == first
    assert list(read_parquet(tmp_path / "a.parquet")) == list(Bodies(tmp_path / "first.db"))
    restore(lambda: read_parquet(tmp_path / "a.parquet"), "a.parquet", place, "import/1")
    assert_same(place, first)
    columns = duckdb.sql(f"SELECT seq, time, producer, kind FROM '{tmp_path}/a.parquet' LIMIT 2").fetchall()
    assert columns == [(0, 0.0, "p/1", "request.decided"), (1, 0.0, "p/1", "stage.ended")]


@pytest.mark.parametrize("rows", ["[]", "seq + 1", "NULL", "'{}'"])
def test_another_parquet_file_is_refused(tmp_path: Path, rows: str) -> None:
    log(tmp_path / "first.db", BLOCK, BLOCK)
    write_parquet(Bodies(tmp_path / "first.db"), tmp_path / "a.parquet")
    column = {"[]": "seq AS other", "seq + 1": "seq + 1 AS body"}.get(rows, f"{rows} AS body")
    duckdb.execute(f"COPY (SELECT {column} FROM '{tmp_path}/a.parquet') TO '{tmp_path}/b.parquet' (FORMAT parquet)")
    with pytest.raises(InputError, match=r"cannot be read|nothing was written"):
        restore(lambda: read_parquet(tmp_path / "b.parquet"), "b.parquet", tmp_path / "second.db", "import/1")
    assert not (tmp_path / "second.db").exists()


def test_what_is_no_parquet_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_text("no")
    with pytest.raises(InputError, match="cannot be read as an exported ledger"):
        list(read_parquet(tmp_path / "a.parquet"))
    with pytest.raises(InputError, match="there is no file"):
        list(read_parquet(tmp_path / "absent.parquet"))


def test_questions_are_answered(tmp_path: Path, place: str) -> None:
    log(place, BLOCK, CaseOpened("c", None, "x", (0,)), Decided("q", "allow", "rule", 200, account="b"))
    assert list(asked(Bodies(place), "SELECT seq, kind, account FROM entries ORDER BY seq")) == [
        {"seq": 0, "kind": "request.decided", "account": "a"},
        {"seq": 1, "kind": "case.opened", "account": None},
        {"seq": 2, "kind": "request.decided", "account": "b"},
    ]
    by_json = (
        "SELECT payload->>'action' AS action, count(*) AS n FROM entries WHERE kind = 'request.decided' GROUP BY 1 ORDER BY 1"
    )
    assert list(asked(Bodies(place), by_json)) == [{"action": "allow", "n": 1}, {"action": "block", "n": 1}]
    (row,) = asked(Bodies(place), "FROM entries WHERE seq = 1")
    assert row["payload"]["because"] == [0]
    assert set(row) == {"seq", "time", "producer", "kind", "account", "payload"}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    log(folder / "l.db", BLOCK)
    (folder / "there.csv").write_text("a\n1\n")
    return folder


WAYS_OUT = [
    "COPY log TO 'DIR/out.csv'",
    "COPY (SELECT 1) TO 'DIR/out.parquet' (FORMAT parquet)",
    "EXPORT DATABASE 'DIR/out'",
    "ATTACH 'DIR/out.db' AS out",
    "ATTACH 'DIR/l.db' AS l (TYPE sqlite)",
    "CREATE TABLE t (a INT)",
    "CREATE TEMP TABLE t (a INT)",
    "CREATE MACRO m() AS 1",
    "CREATE SECRET (TYPE s3)",
    "INSERT INTO log VALUES (1)",
    "DELETE FROM log",
    "UPDATE log SET seq = 1",
    "DROP TABLE log",
    "ALTER TABLE log ADD COLUMN x INT",
    "INSTALL sqlite",
    "LOAD sqlite",
    "INSTALL httpfs FROM 'http://127.0.0.1:9'",
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "SET python_enable_replacements = true",
    "PRAGMA enable_profiling",
    "PRAGMA database_list",
    "CALL enable_logging('QueryLog')",
    "PREPARE p AS SELECT 1",
    "BEGIN",
    "CHECKPOINT",
    "VACUUM",
    "IMPORT DATABASE 'DIR'",
    "SELECT 1; SELECT 2",
    "SELECT 1; COPY log TO 'DIR/out.csv'",
    "SELECT * FROM read_csv('DIR/there.csv')",
    "SELECT * FROM 'DIR/there.csv'",
    "SELECT * FROM read_text('DIR/there.csv')",
    "SELECT * FROM read_blob('DIR/there.csv')",
    "SELECT * FROM read_json('DIR/there.csv')",
    "SELECT * FROM read_parquet('DIR/there.csv')",
    "SELECT * FROM sniff_csv('DIR/there.csv')",
    "SELECT * FROM glob('DIR/*')",
    "DESCRIBE FROM read_csv('DIR/there.csv')",
    "SELECT * FROM glob('/*')",
    "SELECT * FROM read_csv('http://127.0.0.1:9/x.csv')",
    "SELECT * FROM sqlite_scan('DIR/l.db', 'entries')",
    "SELECT * FROM enable_logging('QueryLog', storage = 'file', storage_path = 'DIR/out')",
    "SELECT * FROM query('COPY log TO ''DIR/out.csv''')",
    "SELECT * FROM query_table('DIR/there.csv')",
    "SELECT getenv('HOME')",
    "SELECT * FROM reachable",
    "WITH x AS (SELECT * FROM read_csv('DIR/there.csv')) SELECT * FROM x",
    "SELECT (SELECT count(*) FROM read_csv('DIR/there.csv'))",
    "",
    "nonsense",
]


@pytest.mark.parametrize("sql", WAYS_OUT)
def test_a_question_reaches_nothing_else(small: Path, sql: str) -> None:
    reachable = np.arange(3)
    before = sorted(small.iterdir())
    with pytest.raises(InputError):
        list(asked(Bodies(small / "l.db"), sql.replace("DIR", str(small))))
    assert sorted(small.iterdir()) == before
    assert reachable.sum() == 3


def test_the_ways_out_are_open_where_nothing_is_locked(small: Path, tmp_path: Path) -> None:
    """The positive control: an ordinary connection does what is refused above."""
    reachable = {"a": np.arange(3)}
    db = duckdb.connect()
    assert db.execute("SELECT * FROM reachable").fetchall() == [(0,), (1,), (2,)]
    assert db.execute(f"SELECT * FROM read_csv('{small}/there.csv')").fetchall() == [(1,)]
    assert (str(small / "there.csv"),) in db.execute(f"SELECT * FROM glob('{small}/*')").fetchall()
    db.execute(f"COPY (SELECT 1) TO '{tmp_path}/out.csv'")
    db.execute(f"ATTACH '{tmp_path}/out.db' AS out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "out.db"]
    assert len(reachable) == 1
    db.close()


FUNCTIONS = (
    "read_csv read_csv_auto read_text read_blob read_json read_json_objects read_parquet read_ndjson"
    " parquet_metadata parquet_schema sniff_csv glob read_duckdb"
).split()
PATHS = ["{0}", "file:{0}", "file://{0}", "{0}*", "/proc/self/environ", "/dev/stdin", "s3://b/x", "https://127.0.0.1:9/x"]
FORMS = [
    "SELECT * FROM {0}",
    "FROM {0}",
    "WITH x AS (FROM {0}) FROM x",
    "SELECT 1 WHERE EXISTS (FROM {0})",
    "SELECT * FROM entries, {0}",
    "SELECT * FROM query('FROM ' || $${0}$$)",
    "SUMMARIZE FROM {0}",
]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(FUNCTIONS), st.sampled_from(PATHS), st.sampled_from(FORMS))
def test_no_function_reads_a_file_in_any_form(small: Path, function: str, path: str, form: str) -> None:
    call = f"{function}('{path.format(small / 'there.csv')}')"
    with pytest.raises(InputError):
        list(asked(Bodies(small / "l.db"), form.format(call)))


def test_nothing_is_left_behind(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    list(asked(Bodies(small / "l.db"), "SELECT 1"))
    with pytest.raises(InputError):
        list(asked(Bodies(small / "l.db"), "SELECT * FROM nothing"))
    assert list(tmp_path.iterdir()) == []


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fairlead", "ledger", "sql", *map(str, arguments)], capture_output=True, text=True, timeout=120
    )


def test_a_moment_can_be_had_in_words(small: Path) -> None:
    """Which needs no package; where one is asked for that is not there, the error names the way."""
    (row,) = asked(Bodies(small / "l.db"), "SELECT make_timestamp((time * 1e6)::BIGINT) AS at FROM entries LIMIT 1")
    assert str(row["at"]) == "1970-01-01 00:00:00"
    if importlib.util.find_spec("pytz") is None:
        with pytest.raises(InputError, match="ask for make_timestamp"):
            list(asked(Bodies(small / "l.db"), "SELECT to_timestamp(time) FROM entries"))


def test_the_command_prints_rows_as_json(small: Path) -> None:
    done = run(
        small / "l.db",
        "SELECT seq, payload, 'NaN'::DOUBLE AS none, DATE '2026-11-21' AS day, 1.50::DECIMAL(5,2) AS d FROM entries",
    )
    row = json.loads(done.stdout)
    assert (row["seq"], row["payload"]["action"], row["none"], row["day"], row["d"]) == (0, "block", None, "2026-11-21", "1.50")
    wrong = run(small / "l.db", "SELECT 1 AS a, 2 AS a")
    assert (wrong.returncode, "two columns have one name" in wrong.stderr) == (2, True)
    absent = run("absent.db", "SELECT 1")
    assert (absent.returncode, "there is no ledger at absent.db" in absent.stderr) == (2, True)
