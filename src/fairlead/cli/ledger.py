"""`fairlead ledger`: prove the log whole, and look at its entries."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from fairlead.cli.query import query_command
from fairlead.cli.transfer import export_command, import_command, sql_command
from fairlead.ledger.log import read
from fairlead.ledger.verify import verify

app = typer.Typer(no_args_is_help=True, help="Prove the log whole, and look at its entries.")

app.command("query")(query_command)
app.command("export")(export_command)
app.command("import")(import_command)
app.command("sql")(sql_command)

File = Annotated[Path, typer.Argument(help="The ledger, such as out/ledger.db.")]


@app.command("verify")
def verify_command(file: File) -> None:
    """Recompute every hash. Exit status 1 when an entry was changed, dropped or moved."""
    found = verify(file)
    if found.problem is not None:
        print(f"{file}: NOT whole. {found.problem}")
        raise typer.Exit(1)
    print(f"{file}: whole. {found.size} entries, tree hash {found.root}")
    print(
        "Cut-off entries at the end, or a whole file put in its place, show only against a size and tree hash kept elsewhere."
    )


@app.command("show")
def show_command(
    file: File,
    seq: Annotated[int, typer.Option(min=0, help="Sequence number of the first entry.")] = 0,
    n: Annotated[int, typer.Option("-n", min=1, help="How many entries.")] = 1,
) -> None:
    """Print entries as JSON, one a line."""
    for entry in islice(read(file, seq), n):
        print(msgspec.json.encode(entry).decode())
