"""`fairlead vault`: master keys, reading what is kept, retention; and `fairlead ledger erase`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from fairlead import __version__
from fairlead.cli.impersonal import impersonal
from fairlead.ledger.keyring import Keyring, beside
from fairlead.ledger.log import Ledger
from fairlead.ledger.master import Master, open_master, write_new
from fairlead.ledger.place import exists, is_server
from fairlead.ledger.vault import Vault, forget_keys, holds_contents
from fairlead.personal.find import mask
from fairlead.policy.load import load
from fairlead.records.errors import InputError

app = typer.Typer(no_args_is_help=True, help="What users wrote: encrypted, read with a purpose, expired, rotated.")

LEDGER = typer.Option(help="The ledger: a file, or the URL of a PostgreSQL database.")
KEYS = typer.Option(help="The key store; by default a file beside the ledger, such as ledger-keys.db.")
MASTER = typer.Option(help="The master key: a file, or command:PROGRAM; otherwise FAIRLEAD_MASTER_KEY.")


@app.command("keygen")
def keygen_command(path: Annotated[Path, typer.Argument(help="A new file, outside the ledger's folder.")]) -> None:
    """Make a master key. Whoever has it and the key store can read all content; without it nobody can."""
    print(f"{path}: master key {write_new(path).id}. Keep a copy where no copy of the ledger's folder is.")


@app.command("read")
def read_command(
    ref: Annotated[str, typer.Argument(help="The reference, such as `content` of a request.decided entry.")],
    by: Annotated[str, typer.Option(help="Who reads.")],
    purpose: Annotated[str, typer.Option(help="Why, such as the case it is read for.")],
    ledger: Annotated[str, LEDGER],
    keys: Annotated[str | None, KEYS] = None,
    master_key: Annotated[str | None, MASTER] = None,
) -> None:
    """Print what is kept, once the ledger says who read it and why."""
    by, purpose = impersonal("the reader", by), impersonal("the purpose", purpose)
    master = needed(named_master(master_key, ledger, keys))
    with opened(ledger, _existing_keys(ledger, keys), master) as vault:
        print(vault.read(ref, by=by, purpose=purpose))


@app.command("expire")
def expire_command(
    policy: Annotated[Path, typer.Option(help="The policy whose rules say how many days content is kept.")],
    ledger: Annotated[str, LEDGER],
    keys: Annotated[str | None, KEYS] = None,
) -> None:
    """Remove content that is older than the policy allows. Run it every day; it needs no master key."""
    retain = {rule.id: rule.privacy.retain_days for rule in load(policy).rules}
    with opened(ledger, keys, None) as vault:
        print(f"{vault.expire(retain)} contents removed")


@app.command("rotate")
def rotate_command(
    to: Annotated[str, typer.Option(help="The new master key: a file, or command:PROGRAM.")],
    ledger: Annotated[str, LEDGER],
    keys: Annotated[str | None, KEYS] = None,
    master_key: Annotated[str | None, MASTER] = None,
) -> None:
    """Wrap all keys anew under another master key; content stays as it is. Stopped half-way, run it again."""
    old, new = needed(named_master(master_key, ledger, keys)), needed(named_master(to, ledger, keys))
    with closing(Keyring(_existing_keys(ledger, keys))) as keyring:
        print(f"{keyring.rotate(old, new)} keys wrapped anew; from now on the master key is {new.id}")


@app.command("forget-keys")
def forget_keys_command(
    by: Annotated[str, typer.Option(help="Who gives them up.")],
    ledger: Annotated[str, LEDGER],
    keys: Annotated[str | None, typer.Option(help="The new key store; by default a file beside the ledger.")] = None,
) -> None:
    """Give up a key store that is lost for good, and begin a new one. What was kept until now stays unreadable for ever."""
    by = impersonal("who gives them up", by)
    with _log(ledger) as log, closing(Keyring(keys or beside(log.place))) as keyring:
        held = forget_keys(log, keyring, by)
        print(f"{keyring.place}: a new key store; {held} contents stay unreadable, and the ledger says so")


def erase_command(
    accounts: Annotated[list[str], typer.Argument(help="Accounts, by their pseudonyms.")],
    by: Annotated[str, typer.Option(help="Who asks for it.")],
    ledger: Annotated[str, LEDGER],
    keys: Annotated[str | None, KEYS] = None,
) -> None:
    """Destroy the keys to all content of accounts, for ever; name what was built from it. It needs no master key."""
    by = impersonal("who asks", by)
    with opened(ledger, keys, None) as vault:
        if unknown := [account for account in accounts if not vault.knows(account)]:
            raise InputError(f"of {mask(', '.join(unknown))} nothing is known here, neither key nor content; check the name")
        for erased in vault.erase(accounts, by):
            print(f"{erased.account}: {erased.keys} keys destroyed, {erased.contents} contents removed")
            for what, digests in (("dataset", erased.datasets), ("model", erased.models)):
                for digest in digests:
                    print(f"  {what} {digest[:12]} must be built anew")


@contextmanager
def opened(ledger: str, keys: str | None, master: Master | None) -> Iterator[Vault]:
    """The vault of a ledger that is there. A key store is made only where nothing is kept and none was named."""
    with _log(ledger) as log:
        if keys is not None or holds_contents(log):
            _existing_keys(ledger, keys)
        with over(log, keys, master) as vault:
            yield vault


@contextmanager
def over(ledger: Ledger, keys: str | None, master: Master | None) -> Iterator[Vault]:
    """The vault of an open ledger."""
    with closing(Keyring(keys or beside(ledger.place), master)) as keyring:
        yield Vault(ledger, keyring)


def named_master(named: str | None, ledger: str, keys: str | None) -> Master | None:
    """The master key that was named or that the environment holds, if it lies apart from the ledger and its keys."""
    files = [place for place in (ledger, keys or beside(ledger)) if not is_server(place)]
    return open_master(named, os.environ, [Path(file).parent for file in files])


def needed(master: Master | None) -> Master:
    """The master key. Raises InputError when there is none."""
    if master is None:
        raise InputError("name the master key with --master-key, or set FAIRLEAD_MASTER_KEY")
    return master


def _log(ledger: str) -> Ledger:
    if not exists(ledger):
        raise InputError(f"there is no ledger at {ledger}; name the one of the gateway")
    return Ledger(ledger, producer=f"vault/{__version__}")


def _existing_keys(ledger: str, keys: str | None) -> str:
    place = keys or beside(ledger)
    if not exists(place):
        raise InputError(
            f"there are no keys at {place}; name the key store with --keys, restore it from a backup, or where contents are"
            " kept whose keys are lost for good, give it up with `fairlead vault forget-keys`"
        )
    return place
