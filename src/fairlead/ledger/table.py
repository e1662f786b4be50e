"""The log as a table, by DuckDB: as a Parquet file, and for questions in SQL.

Whoever asks in SQL reads a copy of the log, in a folder of its own that is removed afterwards. The copy is open for reading
only; no file, no address, no extension and no variable of this process can be reached from a question; and it is one SELECT.
What this does not bound is how long a question takes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from fairlead.ledger.log import UNREADABLE
from fairlead.ledger.transfer import new_file
from fairlead.records.errors import InputError, LedgerCorrupt

try:
    import duckdb
except ImportError as missing:  # an extra
    raise InputError("SQL and Parquet need duckdb: pip install 'fairlead[sql]'") from missing

_TOGETHER = 2_000  # entries that are handed over at once
_MEMORY = "512MB"
_COLUMNS = {
    "seq": "BIGINT",
    "time": "DOUBLE",
    "producer": "VARCHAR",
    "kind": "VARCHAR",
    "account": "VARCHAR",
    "body": "VARCHAR",
}
_VIEW = "CREATE VIEW entries AS SELECT seq, time, producer, kind, account, json_extract(body, '$.payload') AS payload FROM log"
_CLOSED: dict[str, Any] = {
    "enable_external_access": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "python_enable_replacements": False,
    "lock_configuration": True,
}


class _Payload(Struct):
    kind: str
    account: str | None = None


class _Head(Struct):
    seq: int
    time: float
    producer: str
    payload: _Payload


_HEAD = msgspec.json.Decoder(_Head)


def write_parquet(bodies: Iterable[bytes], out: Path) -> None:
    """A Parquet file with seq, time (seconds since the epoch), producer, kind, and body, the entry's bytes as text.

    Raises as `transfer.new_file`.
    """
    with new_file(out) as part, TemporaryDirectory(prefix="fairlead-") as folder, _filled(bodies, Path(folder)) as db:
        db.execute(
            "COPY (SELECT * EXCLUDE (account) FROM log) TO ? (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)",
            [str(part)],
        )


def read_parquet(path: Path) -> Iterator[bytes]:
    """The bodies of a Parquet file, in its order. Raises InputError when it is none, or has no column of that name."""
    if not path.is_file():
        raise InputError(f"there is no file {path}; name one that `fairlead ledger export` wrote")
    with duckdb.connect(config={"memory_limit": _MEMORY}) as db:
        try:
            found = db.execute("SELECT body::VARCHAR FROM read_parquet(?)", [str(path)])
            while rows := found.fetchmany(_TOGETHER):
                yield from (body.encode() if body is not None else b"" for (body,) in rows)
        except duckdb.Error as error:
            raise InputError(f"{path} cannot be read as an exported ledger: {_said(error)}") from error


def asked(bodies: Iterable[bytes], sql: str) -> Iterator[dict[str, Any]]:
    """The rows that a SELECT over `entries` (seq, time, producer, kind, account, payload) gives.

    Raises InputError for anything else than one SELECT, and for one that cannot be answered.
    """
    _one_select(sql)
    with TemporaryDirectory(prefix="fairlead-sql-") as folder:
        with _filled(bodies, Path(folder)) as db:
            db.execute(_VIEW)
        yield from _answers(Path(folder), sql)


def _answers(folder: Path, sql: str) -> Iterator[dict[str, Any]]:
    config = {**_CLOSED, "memory_limit": _MEMORY, "temp_directory": str(folder / "spill")}
    with duckdb.connect(str(folder / "log"), read_only=True, config=config) as db:
        try:
            found = db.execute(sql)
            names = [column[0] for column in found.description]
            if len(set(names)) < len(names):
                raise InputError(f"two columns have one name ({', '.join(names)}); name them apart with AS")
            read = [json.loads if str(column[1]) == "JSON" else None for column in found.description]
            while rows := found.fetchmany(_TOGETHER):
                for row in rows:
                    values = (as_is if of is None or as_is is None else of(as_is) for as_is, of in zip(row, read, strict=True))
                    yield dict(zip(names, values, strict=True))
        except duckdb.Error as error:
            hint = "; for a moment ask for make_timestamp((time * 1e6)::BIGINT), in UTC" if "pytz" in str(error) else ""
            raise InputError(f"cannot be answered: {_said(error)}{hint}") from error


def _one_select(sql: str) -> None:
    try:
        kinds = [statement.type for statement in duckdb.extract_statements(sql)]
    except duckdb.Error as error:
        raise InputError(f"that is no SQL: {_said(error)}") from error
    if kinds != [duckdb.StatementType.SELECT]:
        raise InputError("ask one question, in one SELECT; nothing else is done here")


def _filled(bodies: Iterable[bytes], folder: Path) -> duckdb.DuckDBPyConnection:
    """A new database in a folder, with the log in the table `log`."""
    db = duckdb.connect(str(folder / "log"), config={"memory_limit": _MEMORY, "temp_directory": str(folder / "spill")})
    try:
        db.execute(f"CREATE TABLE log ({', '.join(f'{name} {kind}' for name, kind in _COLUMNS.items())})")
        left = iter(bodies)
        while batch := list(islice(left, _TOGETHER)):
            db.register("batch", _columns(batch))
            db.execute("INSERT INTO log SELECT * FROM batch")
            db.unregister("batch")
    except BaseException:
        db.close()
        raise
    return db


def _columns(bodies: Sequence[bytes]) -> dict[str, Any]:
    try:
        heads = [_HEAD.decode(body) for body in bodies]
        texts = [body.decode() for body in bodies]
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise LedgerCorrupt(f"an entry cannot be read: {error}; {UNREADABLE}") from error
    return {
        "seq": np.array([head.seq for head in heads], dtype=np.int64),
        "time": np.array([head.time for head in heads], dtype=np.float64),
        "producer": np.array([head.producer for head in heads], dtype=object),
        "kind": np.array([head.payload.kind for head in heads], dtype=object),
        "account": np.array([head.payload.account for head in heads], dtype=object),
        "body": np.array(texts, dtype=object),
    }


def _said(error: duckdb.Error) -> str:
    return str(error).strip().split("\n")[0]
