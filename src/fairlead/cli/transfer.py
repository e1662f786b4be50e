"""`fairlead ledger export`, `import` and `sql`: the log as a file, back, and as a table. DuckDB is loaded when asked for."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from fairlead import __version__
from fairlead.ledger.transfer import Bodies, read_lines, restore, write_lines
from fairlead.records.errors import InputError

Place = Annotated[str, typer.Argument(metavar="LEDGER", help="The ledger: a file, or the URL of a PostgreSQL database.")]


def export_command(
    place: Place, out: Annotated[Path, typer.Argument(help="A new file: OUT.jsonl with the exact bytes, or OUT.parquet.")]
) -> None:
    """Write the whole log to a file. It holds no text, as the log does not; what the vault keeps stays there."""
    bodies = Bodies(place)
    if _is_parquet(out):
        from fairlead.ledger.table import write_parquet

        write_parquet(bodies, out)
    else:
        write_lines(iter(bodies), out)
    print(f"{out}: {bodies.copied.size} entries, tree hash {bodies.copied.root}")


def import_command(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="What `export` wrote: FILE.jsonl or FILE.parquet.")],
    place: Place,
) -> None:
    """Make a log of a file, with the same tree hash. All of it or nothing; stopped half-way, run it again."""
    copied = restore(_reader(source), str(source), place, f"import/{__version__}")
    print(f"{place}: {copied.size} entries, tree hash {copied.root}")


def sql_command(
    place: Place,
    select: Annotated[str, typer.Argument(help="One SELECT over entries(seq, time, producer, kind, account, payload).")],
) -> None:
    """Print what a question in SQL gives as JSON, one row a line. Nothing can be written, and no other file be read."""
    from fairlead.ledger.table import asked

    for row in asked(Bodies(place), select):
        print(json.dumps({name: _finite(value) for name, value in row.items()}, default=str, ensure_ascii=False))


def _reader(source: Path) -> Callable[[], Iterator[bytes]]:
    if not _is_parquet(source):
        return lambda: read_lines(source)
    from fairlead.ledger.table import read_parquet

    return lambda: read_parquet(source)


def _is_parquet(file: Path) -> bool:
    """Raises InputError for a name that says neither."""
    if file.suffix not in (".jsonl", ".parquet"):
        raise InputError(f"{file} is neither .jsonl nor .parquet; name it so")
    return file.suffix == ".parquet"


def _finite(value: Any) -> Any:
    """JSON has no infinity, and nothing that is not a number."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
