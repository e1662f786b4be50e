"""The log as a file, and back: each entry's exact bytes, so that an imported log has the tree hash of the one it came from.

Nothing of a file is imported unless all of it can be: each line an entry, with no field that this version does not know, and
with actions, points and times that a gateway could have written. Other values are taken as they are. A log that was stopped
half-way holds the first part of the file, and goes on from there. Whether somebody changed an entry on its way only the
tree hash tells, which is why both ways give it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from msgspec import Struct

from fairlead.ledger.log import Ledger, entry_at, rows
from fairlead.ledger.place import exists, open_store
from fairlead.ledger.proof import Tree, leaf
from fairlead.ledger.sqlite import make_private
from fairlead.records.canonical import canonical
from fairlead.records.entry import Decided, Entry
from fairlead.records.errors import InputError, LedgerCorrupt, LedgerError

_FIRST = -(2**63)  # below every number that a row can have
_LONGEST = 16 << 20  # bytes of an entry; ours have a few thousand
_TOGETHER = 500  # entries in one commit
_ACTIONS = ("allow", "block", "safe_complete", "review", "refuse")
_LATEST = 253_402_300_800.0  # seconds since the epoch: the year 10,000


class Copied(Struct, frozen=True):
    """So many entries, under this RFC 6962 tree hash (hexadecimal)."""

    size: int
    root: str


class Bodies:
    """The entries of a log as they are stored, in order. `copied` says what has gone by."""

    def __init__(self, place: str | Path) -> None:
        self._place, self._tree = place, Tree()

    @property
    def copied(self) -> Copied:
        """What has gone by."""
        return Copied(self._tree.size, self._tree.root().hex())

    def __iter__(self) -> Iterator[bytes]:
        """Raises InputError when there is no log, LedgerCorrupt at an entry that is not what was written there."""
        store = open_store(self._place, read_only=True)
        try:
            for seq, body, leaf_hash, _ in rows(store, _FIRST):
                if seq != self._tree.size or leaf(body) != leaf_hash or b"\n" in body:
                    raise LedgerCorrupt(f"{self._place} is not whole at entry {self._tree.size}; run `fairlead ledger verify`")
                self._tree.add(leaf_hash)
                yield body
        finally:
            store.close()


@contextmanager
def new_file(out: Path) -> Iterator[Path]:
    """A file to write in the place of `out`, which only its owner may read; it stands there once all of it is on disk, and
    nothing does after a failure.

    Raises InputError when something stands there already, or when it cannot be written.
    """
    if out.exists():
        raise InputError(f"{out} is there already; name another file, or remove it")
    part = out.with_name(f"{out.name}.part")
    try:
        part.unlink(missing_ok=True)
        make_private(part)
        yield part
        part.chmod(0o600)  # whoever wrote it may have made it anew
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(out)
    except OSError as error:
        raise InputError(f"cannot write {out}: {error.strerror or error}; make room, or name another file") from error
    finally:
        part.unlink(missing_ok=True)


def write_lines(bodies: Iterator[bytes], out: Path) -> None:
    """One entry a line. Raises as `new_file`."""
    with new_file(out) as part, part.open("wb") as file:
        for body in bodies:
            file.write(body)
            file.write(b"\n")


def read_lines(path: Path) -> Iterator[bytes]:
    """The lines of a file. Raises InputError when it cannot be read, or has a line that is no entry for its length alone."""
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(_LONGEST):
                number += 1
                if len(line) == _LONGEST:
                    raise InputError(f"{path}:{number}: is longer than {_LONGEST} bytes; is that an export?")
                yield line.removesuffix(b"\n")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; name a file that `fairlead ledger export` wrote") from error


def restore(read: Callable[[], Iterator[bytes]], name: str, place: str | Path, producer: str) -> Copied:
    """Put the entries that `read` gives into a log that is not there yet, is empty, or holds the first part of them.

    They are read twice: once to see whether all are right, and then to write them, some at a time. `name` is what errors call
    the file. Raises InputError with the line that is wrong, and when the log holds anything else; nothing is written then.
    """
    there = _there(place)
    whole = _checked(read(), name, there, place)
    with Ledger(place, producer=producer) as ledger:
        if ledger.size != there.size:
            raise LedgerError(f"somebody wrote to {place} meanwhile; nothing of {name} was written")
        left = islice(read(), there.size, whole.size)
        while batch := list(islice(left, _TOGETHER)):
            ledger.import_entries(batch)
        if ledger.size != whole.size:
            raise LedgerError(f"{name} was changed while it was read; {place} holds its first {ledger.size} entries")
    return Copied(whole.size, whole.root().hex())


def _there(place: str | Path) -> Tree:
    """The tree of what the log holds; none where there is no log."""
    tree = Tree()
    if exists(place):
        store = open_store(place, read_only=True)
        try:
            for _, body, *_ in rows(store, _FIRST) if store.version() is not None else ():
                tree.add(leaf(body))
        finally:
            store.close()
    return tree


def _checked(bodies: Iterator[bytes], name: str, there: Tree, place: str | Path) -> Tree:
    """The tree of entries that are right, and continue what is there."""
    tree = Tree()
    agrees = there.size == 0
    for body in bodies:
        try:
            _check(entry_at(tree.size, body), body)
        except (LedgerError, RecursionError, ValueError) as error:
            raise InputError(f"{name}:{tree.size + 1}: {error}; nothing was written") from error
        tree.add(leaf(body))
        agrees = agrees or (tree.size == there.size and tree.root() == there.root())
    if not tree.size:
        raise InputError(f"{name} holds no entry; name a file that `fairlead ledger export` wrote")
    if not agrees:
        raise InputError(
            f"{place} holds {there.size} entries that are not the first of {name}; name a ledger that is not there yet"
        )
    return tree


def _check(entry: Entry, body: bytes) -> None:
    """Raises LedgerError for what reads as an entry, and is not one that could have been written."""
    if not 0.0 <= entry.time < _LATEST:
        raise LedgerError(f"entry {entry.seq} has the time {entry.time:g}; times are seconds since the epoch")
    if isinstance(entry.payload, Decided):
        if entry.payload.action not in _ACTIONS:
            raise LedgerError(f"entry {entry.seq} has the action {entry.payload.action!r}; there are {', '.join(_ACTIONS)}")
        if entry.payload.points < 0:
            raise LedgerError(f"entry {entry.seq} has {entry.payload.points} points; they are 0 or more")
    if canonical(entry) != body and (name := _stray(json.loads(body, object_pairs_hook=_once), json.loads(canonical(entry)))):
        raise LedgerError(
            f"entry {entry.seq} has the field {name!r}, which this version does not know; import it with a newer one"
        )


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise LedgerError(f"it has a field twice: {next(name for name in names if names.count(name) > 1)!r}")
    return found


def _stray(given: Any, known: Any) -> str | None:
    """A field of `given` that `known`, the same as we write it, does not have."""
    if isinstance(given, dict):
        inner = (name if name not in known else _stray(value, known[name]) for name, value in given.items())
    elif isinstance(given, list):
        inner = (_stray(*pair) for pair in zip(given, known, strict=True))
    else:
        return None
    return next((name for name in inner if name is not None), None)
