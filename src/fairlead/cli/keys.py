"""`fairlead keys`: API keys of the gateway."""

from __future__ import annotations

from typing import Annotated

import typer

from fairlead import __version__
from fairlead.gateway.identity import new_key
from fairlead.ledger.log import Ledger

app = typer.Typer(no_args_is_help=True, help="API keys of the gateway.")


@app.callback()
def keys() -> None:
    """API keys of the gateway. The ledger holds their SHA-256 and nothing more."""


@app.command("add")
def add_command(
    ledger: Annotated[str, typer.Option(help="The gateway's ledger: a file or a PostgreSQL URL.")],
    tier: Annotated[str, typer.Option(help="A tier of the policy; one that the policy does not know opens nothing.")],
    account: Annotated[str | None, typer.Option(help="A pseudonym, never a name; drawn at random when not given.")] = None,
) -> None:
    """Issue a key and print it. It is shown this once."""
    text, issued = new_key(tier, account)
    with Ledger(ledger, producer=f"keys/{__version__}") as opened:
        opened.append(issued)
    print(text)
