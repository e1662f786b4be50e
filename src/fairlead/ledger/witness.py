"""What a log can show to somebody who does not trust it: signed checkpoints, inclusion and consistency proofs.

Whoever keeps a checkpoint can later ask for a proof that the log still holds what it held, without reading the log. Proofs and
checkpoints name no entry's content.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from fairlead.ledger import proof
from fairlead.ledger.checkpoint import Checkpoint, Signer, Verifier, read_checkpoints
from fairlead.ledger.log import hashed, stored_roots
from fairlead.ledger.place import open_store
from fairlead.ledger.store import Store
from fairlead.records.errors import InputError, LedgerCorrupt, LedgerError

_BODY = "SELECT body FROM entries WHERE seq = ?"
_SIZE = "SELECT seq FROM entries ORDER BY seq DESC LIMIT 1"

T = TypeVar("T")


class Inclusion(Struct, frozen=True, tag="inclusion", forbid_unknown_fields=True):
    """Entry `seq`, of which `leaf` is the RFC 6962 leaf hash, is in the log of `size` entries. Hashes in Base64."""

    seq: int
    size: int
    leaf: bytes
    path: tuple[bytes, ...]

    def holds(self, checkpoints: list[Checkpoint]) -> bool:
        """Whether one of the checkpoints, of the same size, bears it out."""
        known = [c for c in checkpoints if c.size == self.size]
        return any(proof.verify_inclusion(self.leaf, self.seq, self.size, self.path, c.root) for c in known)


class Consistency(Struct, frozen=True, tag="consistency", forbid_unknown_fields=True):
    """The log of `second` entries begins with the log of `first` entries. Hashes in Base64."""

    first: int
    second: int
    path: tuple[bytes, ...]

    def holds(self, checkpoints: list[Checkpoint]) -> bool:
        """Whether two of the checkpoints, of these sizes, bear it out."""
        old = {c.root for c in checkpoints if c.size == self.first}
        new = {c.root for c in checkpoints if c.size == self.second}
        return any(proof.verify_consistency(self.first, self.second, self.path, a, b) for a in old for b in new)


class Witness:
    """Reads a log for those who check it. Threads may share it."""

    def __init__(self, place: str | Path, signer: Signer | None = None) -> None:
        """Raises InputError when there is no log."""
        self._store: Store = open_store(place, read_only=True)
        self._signer = signer

    def size(self) -> int:
        """The number of entries."""
        with self._store.reading() as db:
            last = db.one(_SIZE)
        return 0 if last is None else last[0] + 1

    def checkpoint(self) -> str:
        """A signed checkpoint of the log as it is now. Raises InputError without a signer."""
        if self._signer is None:
            raise InputError("there is no signing key; make one with `fairlead ledger keygen` and name it with --key")
        size = self.size()
        root = self._from_roots(lambda roots: proof.root(size, roots))
        return self._signer.sign(Checkpoint(self._signer.verifier.name, size, root).text())

    def inclusion(self, seq: int, size: int | None = None) -> Inclusion:
        """The proof that entry `seq` is in the log of `size` entries, by default of all. The entry is hashed anew.

        Raises InputError, and LedgerCorrupt for an entry that was changed.
        """
        whole = self._within(size)

        def made(roots: proof.Roots) -> Inclusion:
            path = proof.inclusion(seq, whole, roots)
            return Inclusion(seq, whole, roots(0, seq, 1)[0], tuple(path))

        shown = self._from_roots(made)
        with self._store.reading() as db:
            row = db.one(_BODY, seq)
        hashed(self._store.place, seq, row[0] if row else b"", shown.leaf)
        return shown

    def consistency(self, first: int, second: int | None = None) -> Consistency:
        """The proof that the log of `second` entries, by default of all, continues that of `first`. Raises InputError."""
        whole = self._within(second)
        return self._from_roots(lambda roots: Consistency(first, whole, tuple(proof.consistency(first, whole, roots))))

    def continues(self, before: Checkpoint, after: Checkpoint) -> bool:
        """Whether the log can prove that `after` continues `before`."""
        if before.size == 0 or after.size <= before.size:
            return before.size == 0 or (after.size == before.size and after.root == before.root)
        return self.consistency(before.size, after.size).holds([before, after])

    def close(self) -> None:
        """Let go of the log."""
        self._store.close()

    def _within(self, size: int | None) -> int:
        whole = self.size()
        if size is not None and size > whole:
            raise InputError(f"the log has {whole} entries, not {size}")
        return whole if size is None else size

    def _from_roots(self, make: Callable[[proof.Roots], T]) -> T:
        try:
            with self._store.reading() as db:
                return make(stored_roots(db))
        except ValueError as error:
            raise InputError(str(error)) from error


def kept_checkpoints(path: Path, verifier: Verifier) -> list[Checkpoint]:
    """The checkpoints in a file; none in an empty one. Raises InputError, which names the file, when it holds anything else."""
    try:
        text = path.read_text()
        return read_checkpoints(text, [verifier]) if text.strip() else []
    except (OSError, UnicodeDecodeError, InputError) as error:
        raise InputError(f"cannot read the checkpoints {path}: {error}") from error


def add_checkpoint(path: Path, note: str, verifier: Verifier, witness: Witness) -> None:
    """Add a note to a file of checkpoints, which is kept where whoever can write the log cannot.

    Raises LedgerCorrupt when the log cannot prove that it continues the last checkpoint in the file: nothing is then written.
    """
    known = kept_checkpoints(path, verifier) if path.exists() else []
    (new,) = read_checkpoints(note, [verifier])
    if known and not witness.continues(known[-1], new):
        raise LedgerCorrupt(
            f"the log does not continue the last checkpoint of {path}, which knows {known[-1].size} entries: it was cut off or"
            " written anew; run `fairlead ledger verify --checkpoints`"
        )
    try:
        with path.open("a") as file:
            file.write(("\n" if known else "") + note)
    except OSError as error:
        raise InputError(f"cannot write the checkpoints {path}: {error.strerror}; name another file") from error


def create_app(witness: Witness) -> Starlette:
    """`GET /checkpoint`, `/inclusion?seq=N[&size=N]`, `/consistency?first=N[&second=N]`: read-only, no entry's content."""

    def number(request: Request, name: str) -> int | None:
        text = request.query_params.get(name)
        if text is not None and not (text.isascii() and text.isdigit() and len(text) < 19):
            raise InputError(f"{name} is no number")
        return None if text is None else int(text)

    def needed(request: Request, name: str) -> int:
        value = number(request, name)
        if value is None:
            raise InputError(f"{name} is missing, as in {request.url.path}?{name}=1")
        return value

    def checkpoint(_: Request) -> Response:
        return PlainTextResponse(witness.checkpoint())

    def inclusion(request: Request) -> Response:
        return _json(witness.inclusion(needed(request, "seq"), number(request, "size")))

    def consistency(request: Request) -> Response:
        return _json(witness.consistency(needed(request, "first"), number(request, "second")))

    routes = [Route(f"/{act.__name__}", act) for act in (checkpoint, inclusion, consistency)]
    return Starlette(routes=routes, exception_handlers={InputError: _refused, LedgerError: _failed})


def _json(shown: Struct, status: int = 200) -> Response:
    return Response(msgspec.json.encode(shown), status, media_type="application/json")


class _Problem(Struct):
    error: str


def _refused(_: Request, error: Exception) -> Response:
    return _json(_Problem(str(error)), 400)


def _failed(_: Request, error: Exception) -> Response:
    return _json(_Problem(f"the log cannot be read: {type(error).__name__}"), 503)
