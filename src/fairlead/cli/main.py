"""`fairlead`: the commands, and the one place where an error becomes an exit status.

Exit status: 0 done, 1 a check found something wrong, 2 bad input, 3 the ledger refused, 4 a model endpoint failed, 5 any other
error of ours.
"""

from __future__ import annotations

import sys

import typer

from fairlead import __version__
from fairlead.cli import cycle, gateway, judge, keys, ledger, policy, serve, vault
from fairlead.records.errors import FairleadError, InputError, LedgerError, UpstreamError

EXIT = {InputError: 2, LedgerError: 3, UpstreamError: 4, FairleadError: 5}

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="One policy, one ledger, one judge: align, attack, guard and watch language models.",
)
app.add_typer(policy.app, name="policy")
app.add_typer(ledger.app, name="ledger")
ledger.app.command("erase")(vault.erase_command)
app.add_typer(vault.app, name="vault")
app.add_typer(judge.app, name="judge")
app.add_typer(gateway.app, name="gateway")
app.add_typer(keys.app, name="keys")
app.command("serve")(serve.serve)
app.command("cycle")(cycle.cycle)


@app.command("version")
def version() -> None:
    """Print the version."""
    print(__version__)


def main() -> None:
    """Run a command; an error of ours is one line on standard error and an exit status, never a traceback."""
    try:
        app()
    except FairleadError as error:
        print(f"fairlead: {error}", file=sys.stderr)
        raise SystemExit(next(EXIT[kind] for kind in type(error).__mro__ if kind in EXIT)) from error
    except KeyboardInterrupt:
        print("fairlead: stopped; what was acknowledged is in the ledger", file=sys.stderr)
        raise SystemExit(130) from None
