"""Is the log whole: every hash computed again, in memory logarithmic in its length, and held against checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from fairlead.ledger.checkpoint import Checkpoint
from fairlead.ledger.log import read, rows, stored_roots
from fairlead.ledger.place import open_store
from fairlead.ledger.projection import WITHOUT_STATE, comparable, cut, differences, made_from
from fairlead.ledger.proof import START, Tree, leaf, link
from fairlead.ledger.store import Store
from fairlead.records.errors import LedgerCorrupt, LedgerLocked

_ROOT = "SELECT hash FROM roots WHERE level = ? AND position = ?"
_LAST = "SELECT seq FROM entries ORDER BY seq DESC LIMIT 1"
_CHAIN = "SELECT chain FROM entries WHERE seq = ?"
_FIRST = -(2**63)  # below every number that a row can have: one before entry 0 is a forgery, too


class Verification(Struct, frozen=True):
    """What a walk over the whole log found. `root` is the RFC 6962 tree hash of `size` entries, in hexadecimal.

    `agreed` is the size of the largest checkpoint that the log agrees with, 0 for none.
    """

    size: int
    root: str
    problem: str | None = None
    agreed: int = 0

    @property
    def whole(self) -> bool:
        """Whether every entry matched its hashes, and every checkpoint the log."""
        return self.problem is None


def verify(place: str | Path, checkpoints: Sequence[Checkpoint] = (), *, roots: bool = True) -> Verification:
    """Walk the log once. `checkpoints` were kept where whoever can write the log cannot.

    Alone it proves that no entry was changed, dropped or moved by somebody who did nothing about hashes and state. Whether the
    log was cut or written anew with all that belongs to it, only checkpoints tell: it is then located between the last that
    agrees and the first that does not. Without `roots` the stored tree hashes and the size of the state, which can be made
    anew, are not looked at. Nothing is written. Raises InputError when there is no log.
    """
    store = open_store(place, read_only=True)
    try:
        return _walk(store, _Walk(sorted(checkpoints, key=lambda checkpoint: checkpoint.size)), roots)
    finally:
        store.close()


def proven(place: str | Path, last: int | None = None) -> Verification:
    """The verification of a log that is whole. Raises LedgerCorrupt otherwise: what was changed must not be built upon.

    With `last` only that many entries at the end are walked, upon the stored roots of what lies before them.
    """
    store = open_store(place, read_only=True)
    try:
        found = _walk(store, _Walk([]) if last is None else _end(store, last))
    finally:
        store.close()
    if found.problem is not None:
        raise LedgerCorrupt(f"{store.place} is not whole: {found.problem}; restore a copy, or name another file")
    return found


def state_differs(place: str | Path) -> list[str] | None:
    """The kinds of rows in which the stored state is not the log's fold; None when another version of the fold made it.

    Nothing is written. Holds the whole state in memory. Raises LedgerLocked when somebody writes meanwhile.
    """
    store = open_store(place, read_only=True)
    try:
        before = comparable(store)
        if before is None:
            return None
        wrong = differences(store, read(place))
        if wrong and comparable(store) != before:
            raise LedgerLocked(f"somebody wrote to {store.place} while its state was compared; ask again when nobody does")
        return wrong
    finally:
        store.close()


def _end(store: Store, last: int) -> _Walk:
    """A walk that begins `last` entries before the end."""
    walk = _Walk([])
    with store.reading() as db:
        newest = db.one(_LAST)
        start = max(0, newest[0] + 1 - last) if newest else 0
        if start:
            before = db.one(_CHAIN, start - 1)
            walk.begin(Tree.of(start, stored_roots(db)), bytes(before[0]) if before else START)
    return walk


def _walk(store: Store, walk: _Walk, roots: bool = True) -> Verification:
    try:
        roots = roots and store.version() not in WITHOUT_STATE
        made = _made_from(store) if roots else {}  # before the walk: the log may grow meanwhile
        for seq, body, leaf_hash, chain in rows(store, walk.size or _FIRST):
            if walk.disagrees():
                break
            if problem := walk.step(seq, body, leaf_hash, chain):
                return walk.found(problem)
            if roots and walk.roots and (wrong := _roots_wrong(store, walk.roots)):
                return walk.found(wrong)
    except LedgerCorrupt as error:
        return walk.found(f"{f'after entry {walk.size - 1}' if walk.size else 'at the start'}: {error}")
    if walk.disagrees():
        return walk.found(
            f"the log was written anew between entry {walk.agreed} and entry {walk.size - 1}: a checkpoint says so"
        )
    if walk.due:
        last = walk.due[0].size
        return walk.found(
            f"a checkpoint knows {last} entries, the log holds {walk.size}: some were cut off the end, or it was written anew"
            f" from entry {walk.agreed} on"
        )
    return walk.found(cut(made, walk.size))


def _made_from(store: Store) -> dict[str, int]:
    with store.reading() as db:
        return made_from(db)


def _roots_wrong(store: Store, roots: Sequence[tuple[int, int, bytes]]) -> str | None:
    """What is wrong with the stored roots that an entry completed: proofs and checkpoints are made from them."""
    with store.reading() as db:
        for level, position, root in roots:
            stored = db.one(_ROOT, level, position)
            if stored is None or stored[0] != root:
                first, last = position << level, (position + 1 << level) - 1
                return f"the stored tree hash of entries {first} to {last} is not theirs; `fairlead ledger rebuild` mends it"
    return None


class _Walk:
    """How far the walk has come. `due` are the checkpoints before it, `agreed` the size of the last that it passed."""

    def __init__(self, checkpoints: Sequence[Checkpoint]) -> None:
        self.due, self.agreed = list(checkpoints), 0
        self.roots: list[tuple[int, int, bytes]] = []  # that the last entry completed
        self._tree, self._head = Tree(), START

    def begin(self, tree: Tree, head: bytes) -> None:
        """Take what lies before as it is stored."""
        self._tree, self._head = tree, head

    @property
    def size(self) -> int:
        return self._tree.size

    def disagrees(self) -> bool:
        """Whether a checkpoint at this size names another tree."""
        while self.due and self.due[0].size == self.size:
            if self.due[0].root != self._tree.root():
                return True
            self.agreed = self.due.pop(0).size
        return False

    def step(self, seq: int, body: bytes, leaf_hash: bytes, chain: bytes) -> str | None:
        """Take in one entry; what is wrong with it."""
        if seq != self.size:
            return f"entry {self.size} is missing: the next one is {seq}"
        if not (isinstance(body, bytes) and isinstance(leaf_hash, bytes) and isinstance(chain, bytes)):
            return f"entry {seq} was changed: it does not hold bytes"
        if leaf(body) != leaf_hash:
            return f"entry {seq} was changed: its bytes do not match its leaf hash"
        self._head = link(self._head, leaf_hash)
        if self._head != chain:
            return f"entry {seq} or one before it was replaced: the chain does not continue"
        if _seq_of(body) != seq:
            return f"entry {seq} was moved: its bytes say another place"
        self.roots = self._tree.add(leaf_hash)
        return None

    def found(self, problem: str | None) -> Verification:
        return Verification(self.size, self._tree.root().hex(), problem, self.agreed)


class _Placed(Struct):
    seq: int


def _seq_of(body: bytes) -> int:
    try:
        return msgspec.json.decode(body, type=_Placed).seq
    except msgspec.MsgspecError:
        return -1
