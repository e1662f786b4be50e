"""`fairlead ledger`: prove the log whole, to yourself and to others, and look at its entries."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from fairlead import __version__
from fairlead.cli.query import query_command
from fairlead.cli.transfer import export_command, import_command, sql_command
from fairlead.gateway.serve import bind, serve
from fairlead.ledger.checkpoint import Checkpoint, Signer, Verifier, apart, write_secret
from fairlead.ledger.log import Ledger, read, rows
from fairlead.ledger.place import is_server, open_store
from fairlead.ledger.verify import proven, state_differs, verify
from fairlead.ledger.witness import Consistency, Inclusion, Witness, add_checkpoint, create_app, kept_checkpoints
from fairlead.personal.find import mask
from fairlead.records.errors import InputError

app = typer.Typer(no_args_is_help=True, help="Prove the log whole, to yourself and to others, and look at its entries.")

app.command("query")(query_command)
app.command("export")(export_command)
app.command("import")(import_command)
app.command("sql")(sql_command)

Place = Annotated[str, typer.Argument(metavar="LEDGER", help="The ledger: a file such as out/ledger.db, or a PostgreSQL URL.")]
Kept = Annotated[Path | None, typer.Option("--checkpoints", help="A file of checkpoints that was kept elsewhere.")]
Known = Annotated[str | None, typer.Option("--verifier", help="The verifier key of who signed them, as `keygen` printed it.")]
KeyFile = Annotated[Path | None, typer.Option("--key", help="File of the signing key; or its text in FAIRLEAD_CHECKPOINT_KEY.")]

State = Annotated[bool, typer.Option("--state", help="Fold the log, too, and compare the stored state with it.")]


@app.command("verify")
def verify_command(place: Place, checkpoints: Kept = None, verifier: Known = None, state: State = False) -> None:
    """Recompute every hash; nothing is written. Exit status 1 when an entry was changed, dropped or moved."""
    found = verify(place, _read(checkpoints, verifier))
    if found.problem is not None:
        print(f"{mask(place)}: NOT whole. {found.problem}")
        raise typer.Exit(1)
    print(f"{mask(place)}: whole. {found.size} entries, tree hash {found.root}")
    if found.agreed:
        print(f"The checkpoints agree up to entry {found.agreed - 1}. What came after, only a later checkpoint can tell.")
    else:
        print("A log that was cut or replaced with all that belongs to it shows only against a checkpoint kept elsewhere.")
    if state:
        wrong = state_differs(place)
        if wrong is None:
            print("The stored state is of another version of Fairlead: it was not compared, and is folded anew on opening.")
            return
        if wrong:
            print(f"The stored state is NOT what the log adds up to: {', '.join(wrong)}. One of the two was changed.")
            print(
                "When a checkpoint that was kept elsewhere bears the log out, `fairlead ledger rebuild` folds the state anew."
            )
            raise typer.Exit(1)
        print("The stored state is what the log adds up to.")


@app.command("show")
def show_command(
    place: Place,
    seq: Annotated[int, typer.Option(min=0, help="Sequence number of the first entry.")] = 0,
    n: Annotated[int, typer.Option("-n", min=1, help="How many entries.")] = 1,
) -> None:
    """Print entries as they are stored, JSON, one a line."""
    store, found = open_store(place, read_only=True), 0
    for _, (_, body, *_) in islice(zip(read(place, seq), rows(store, seq), strict=False), n):
        found += 1
        print(body.decode())
    store.close()
    if not found:
        raise InputError(f"there is no entry {seq} in {mask(place)}; it holds {Witness(place).size()}, and they count from 0")


@app.command("rebuild")
def rebuild_command(place: Place) -> None:
    """Fold the log anew into the stored state, and compute the stored tree hashes anew. A log that was changed is refused."""
    entries = verify(place, roots=False)
    if entries.problem is not None:
        print(f"{mask(place)}: NOT whole. {entries.problem}")
        raise typer.Exit(1)
    beside = verify(place).problem
    with Ledger(place, producer=_producer(), mend=True) as ledger:
        ledger.rebuild()
        if beside is not None:
            print(f"{ledger.place}: was NOT whole. {beside}")
        print(f"{ledger.place}: the state was folded anew from {ledger.size} entries")


@app.command("keygen")
def keygen_command(
    path: Annotated[Path, typer.Argument(help="File to write the signing key to, outside the ledger's folder.")],
    name: Annotated[str, typer.Option(help="The log's name in the world, such as example.com/fairlead.")],
) -> None:
    """Make a key to sign checkpoints with. The verifier key is printed: give it to whoever is to check."""
    signer = Signer.new(name)
    write_secret(path, signer.written(), "signing key")
    print(signer.verifier)


@app.command("checkpoint")
def checkpoint_command(
    place: Place,
    key: KeyFile = None,
    add_to: Annotated[Path | None, typer.Option(help="File of checkpoints to add it to, out of the writer's reach.")] = None,
) -> None:
    """Prove the log whole, and sign what it is. With --add-to only if it can prove that it continues the last one there."""
    signer = _signer(key, place)
    proven(place)
    witness = Witness(place, signer)
    note = witness.checkpoint()
    if add_to is not None:
        add_checkpoint(add_to, note, signer.verifier, witness)
    print(note, end="")


@app.command("prove")
def prove_command(
    place: Place,
    seq: Annotated[int | None, typer.Option(min=0, help="Prove that this entry is in the log.")] = None,
    first: Annotated[int | None, typer.Option(min=1, help="Prove that the log continues its first so many entries.")] = None,
    size: Annotated[int | None, typer.Option(min=1, help="… of the log as it was at this size; by default as it is.")] = None,
) -> None:
    """Print an inclusion proof (--seq) or a consistency proof (--first) as JSON. RFC 6962, section 2.1."""
    if (seq is None) == (first is None):
        raise InputError("name either --seq, an entry to prove, or --first, the size that is to be continued")
    witness = Witness(place)
    proof = witness.inclusion(seq, size) if seq is not None else witness.consistency(first or 0, size)
    print(msgspec.json.encode(proof).decode())


@app.command("check")
def check_command(
    proof: Annotated[Path, typer.Argument(help="A proof, as `prove` printed it.")],
    checkpoints: Kept = None,
    verifier: Known = None,
) -> None:
    """Check a proof against checkpoints, without the log. Exit status 1 when they do not bear it out."""
    try:
        shown = msgspec.json.decode(proof.read_bytes(), type=Inclusion | Consistency)
    except (OSError, msgspec.MsgspecError) as error:
        raise InputError(f"{proof} is no proof: {error}; `fairlead ledger prove` prints one") from error
    if not shown.holds(_read(checkpoints, verifier)):
        print(f"{proof}: NOT proven. No checkpoint bears it out; is there one of the proof's size?")
        raise typer.Exit(1)
    match shown:
        case Inclusion(seq=seq, size=size, leaf=leaf):
            print(f"{proof}: proven. Entry {seq}, with the leaf hash {leaf.hex()}, is in the log of {size} entries.")
        case Consistency(first=first, second=second):
            print(f"{proof}: proven. The log of {second} entries begins with the log of {first}.")


@app.command("serve")
def serve_command(
    place: Place,
    key: KeyFile = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8081,
) -> None:
    """Serve checkpoints and proofs on loopback: /checkpoint, /inclusion?seq=N, /consistency?first=N. No entry's content."""
    witness = Witness(place, _signer(key, place))
    serve(create_app(witness), bind(port), lambda url: print(f"witness ready on {url}", flush=True))


def _read(checkpoints: Path | None, verifier: str | None) -> list[Checkpoint]:
    if (checkpoints is None) != (verifier is None):
        raise InputError("--checkpoints and --verifier go together: a checkpoint is worth as much as who signed it")
    if checkpoints is None or verifier is None:
        return []
    found = kept_checkpoints(checkpoints, Verifier.parse(verifier))
    if not found:
        raise InputError(f"{checkpoints} holds no checkpoint; `fairlead ledger checkpoint --add-to` adds one")
    return found


def _signer(key: Path | None, place: str) -> Signer:
    if key is not None:
        apart(key, [] if is_server(place) else [Path(place).parent], "signing key")
        return Signer.load(key)
    text = os.environ.get("FAIRLEAD_CHECKPOINT_KEY")
    if not text:
        raise InputError("name the signing key with --key, or put its text into FAIRLEAD_CHECKPOINT_KEY")
    return Signer.parse(text)


def _producer() -> str:
    return f"ledger/{__version__}"
