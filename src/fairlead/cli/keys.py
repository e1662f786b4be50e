"""`fairlead keys`: API keys of the gateway."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from fairlead import __version__
from fairlead.cli.impersonal import impersonal
from fairlead.gateway.identity import new_key
from fairlead.ledger.log import Ledger
from fairlead.ledger.rows import Key
from fairlead.policy.load import load
from fairlead.policy.nearest import nearest
from fairlead.records.entry import KeyRevoked
from fairlead.records.errors import InputError

Place = Annotated[str, typer.Option("--ledger", help="The gateway's ledger: a file or a PostgreSQL URL.")]

app = typer.Typer(no_args_is_help=True, help="API keys of the gateway.")


@app.callback()
def keys() -> None:
    """API keys of the gateway. The ledger holds their SHA-256 and nothing more."""


@app.command("add")
def add_command(
    ledger: Place,
    tier: Annotated[str, typer.Option(help="A tier of the policy; one that the policy does not know opens nothing.")],
    policy: Annotated[Path | None, typer.Option(help="The gateway's policy file, to see whether it has the tier.")] = None,
    account: Annotated[str | None, typer.Option(help="A pseudonym, never a name; drawn at random when not given.")] = None,
) -> None:
    """Issue a key and print it. It is shown this once."""
    _check_tier(impersonal("the tier", tier), policy)
    text, issued = new_key(tier, account and impersonal("the account", account))
    with _opened(ledger) as opened:
        opened.append(issued)
    print(text)


@app.command("list")
def list_command(ledger: Place) -> None:
    """Print the keys: what a person sees of them, account, tier, and whether they were revoked."""
    with _opened(ledger) as opened:
        for _, key in sorted(opened.state.rows.each(Key), key=lambda pair: pair[1].prefix):
            print(f"{key.prefix}  {key.account}  {key.tier}{'  revoked' if key.revoked else ''}")


@app.command("revoke")
def revoke_command(
    ledger: Place,
    prefix: Annotated[str, typer.Argument(help="The key's prefix, fl_ and eight letters, or the whole key.")],
    reason: Annotated[str, typer.Option(help="Why; it stands in the ledger, so name nobody.")],
) -> None:
    """Let a key open nothing any more. A running gateway knows it within a second."""
    reason = impersonal("the reason", reason)
    with _opened(ledger) as opened:
        found = [id for id, key in opened.state.rows.each(Key) if key.prefix == prefix[:11] and not key.revoked]
        if not found:
            raise InputError(f"no key in force starts with {prefix[:11]}; `fairlead keys list` shows them")
        opened.append(*(KeyRevoked(id, reason) for id in found))
    print(f"{prefix[:11]} opens nothing any more")


def _check_tier(tier: str, policy: Path | None) -> None:
    """Raises InputError for a tier that the policy does not have; warns when none is named, since the ledger holds no tiers."""
    if policy is None:
        print(f"nobody checked that there is a tier {tier!r}; name the gateway's policy with --policy", file=sys.stderr)
    elif tier not in (known := load(policy).tiers):
        raise InputError(f"there is no tier {tier!r} in {policy}; {nearest(tier, known)}")


def _opened(ledger: str) -> Ledger:
    return Ledger(ledger, producer=f"keys/{__version__}")
