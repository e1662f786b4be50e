"""`fairlead`: the commands, and the one place where an error becomes an exit status.

Exit status: 0 done, 1 a check found something wrong, 2 bad input, 3 the ledger refused, 4 a model endpoint failed, 5 any other
error.
"""

from __future__ import annotations

import os
import sys
import traceback
from typing import NoReturn

import typer

from fairlead import __version__
from fairlead.cli import cycle, gateway, judge, keys, ledger, policy, serve, vault
from fairlead.personal import rim
from fairlead.personal.find import mask
from fairlead.records.errors import FairleadError, InputError, LedgerError, UpstreamError

_INTERRUPTED = 130  # what typer makes of KeyboardInterrupt
_MOST_SAID = 500  # characters of somebody else's error
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
    """Run a command; an error is one line on standard error and an exit status, never a traceback.

    Whatever goes to standard error is masked. FAIRLEAD_TRACEBACK=1 shows where an error that is not ours came from.
    """
    rim.install()
    try:
        status = app(standalone_mode=False)
    except FairleadError as error:
        _end(str(error), next(EXIT[kind] for kind in type(error).__mro__ if kind in EXIT))
    except typer.TyperException as error:  # a command line that cannot be read; without a word it has shown its help
        said = error.format_message().rstrip(".")
        _end(f"{said}; see --help" if said else "", error.exit_code)
    except Exception as error:
        if os.environ.get("FAIRLEAD_TRACEBACK") == "1":
            sys.stderr.write(mask(traceback.format_exc()))
        _end(f"internal error: {type(error).__name__}: {mask(str(error))[:_MOST_SAID]}", EXIT[FairleadError])
    if status == _INTERRUPTED:
        _end("stopped; what was acknowledged is in the ledger", status)
    raise SystemExit(status if isinstance(status, int) else 0)


def _end(message: str, status: int) -> NoReturn:
    if message:
        print(f"fairlead: {' '.join(message.split())}", file=sys.stderr)
    raise SystemExit(status)
