"""What can be wrong with a log after a fault, looked for in every way that we have."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from forked import Acknowledged, digest, named

from fairlead.ledger.log import read, rows
from fairlead.ledger.place import open_store
from fairlead.ledger.projection import current, differences
from fairlead.ledger.proof import Tree
from fairlead.ledger.store import Store
from fairlead.ledger.verify import verify
from fairlead.records.canonical import canonical


def faults(place: str, acknowledged: Sequence[Acknowledged]) -> list[str]:
    """What is wrong with a log whose writer was killed. It is opened for reading only, so that nothing repairs it first."""
    found, store = [], open_store(place, read_only=True)
    entries = list(read(place))
    bodies = [canonical(entry) for entry in entries]
    if bodies != [bytes(body) for _, body, *_ in rows(store, 0)]:
        found.append("stored bytes are not those of the entry")
    if any(digest(bodies[said.seq : said.seq + said.n]) != said.digest for said in acknowledged):
        found.append("an acknowledged entry is not there, or has other bytes")
    for batch, group in groupby(map(named, entries), key=lambda name: name[0]):
        parts = [(i, n) for _, i, n in group]
        if parts != [(i, parts[0][1]) for i in range(parts[0][1])]:
            found.append(f"batch {batch} is torn: {parts}")
    if (proof := verify(place)).problem or proof.size != len(entries):
        found.append(f"not whole: {proof}")
    found += _faults_beside_the_log(store, len(entries), place)
    store.close()
    return found


def _faults_beside_the_log(store: Store, size: int, place: str) -> list[str]:
    tree = Tree()
    roots = sorted(root for _, _, made, _ in rows(store, 0) for root in tree.add(bytes(made)))
    with store.reading() as db:
        stored = [(level, at, bytes(found)) for level, at, found in db.all("SELECT level, position, hash FROM roots")]
        found = [] if current(db, size) else ["the stored state is of another size"]
    if sorted(stored) != roots:
        found.append("stored roots are not those of the tree")
    return found + [f"stored rows differ: {kind}" for kind in differences(store, read(place))]
