"""Hashes that make the log tamper-evident: RFC 6962, section 2.1. Pure functions.

Leaf = SHA-256(0x00 || entry), node = SHA-256(0x01 || left || right). Beside the tree each entry carries the head of a plain
chain, so that a change is located at the first entry it touches. Of the tree the roots of every 256, 65,536, … entries are
stored as well (`STORED`), so that a proof reads a few hundred hashes however long the log is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

EMPTY = hashlib.sha256(b"").digest()
START = bytes(32)
#: A root is stored for each full subtree of 2**8, 2**16, 2**24, … entries.
STEP = 8
WIDTH = 1 << STEP

#: (level, first, count) -> that many consecutive roots of full subtrees of 2**level entries. Level 0 are the leaves.
Roots = Callable[[int, int, int], Sequence[bytes]]


def leaf(entry: bytes) -> bytes:
    """RFC 6962 leaf hash, 32 bytes."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node(left: bytes, right: bytes) -> bytes:
    """RFC 6962 node hash, 32 bytes."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def link(head: bytes, leaf_hash: bytes) -> bytes:
    """The next head of the chain: SHA-256(0x02 || head || leaf). The chain of no entries is 32 zero bytes."""
    return hashlib.sha256(b"\x02" + head + leaf_hash).digest()


class Tree:
    """The Merkle tree hash of a growing list, in memory logarithmic in its length.

    It keeps the roots of the perfect subtrees that make up the list, largest first, as binary addition keeps its ones.
    """

    def __init__(self) -> None:
        self.size = 0
        self._roots: list[bytes] = []

    def add(self, leaf_hash: bytes) -> list[tuple[int, int, bytes]]:
        """Append one leaf. Returns the roots that are to be stored, as (level, position, hash): usually none."""
        self._roots.append(leaf_hash)
        self.size += 1
        level, carries, stored = 0, self.size, []
        while carries % 2 == 0:
            right = self._roots.pop()
            self._roots.append(node(self._roots.pop(), right))
            carries //= 2
            level += 1
            if level % STEP == 0:
                stored.append((level, carries - 1, self._roots[-1]))
        return stored

    def root(self) -> bytes:
        """MTH of RFC 6962, section 2.1; of the empty list: SHA-256 of nothing."""
        return _joined(self._roots)

    @classmethod
    def of(cls, size: int, roots: Roots) -> Tree:
        """The tree of the first `size` leaves, from what is stored."""
        tree = cls()
        tree.size = size
        start = 0
        for bit in reversed(range(size.bit_length())):
            if size >> bit & 1:
                tree._roots.append(_full(start >> bit, bit, roots))
                start += 1 << bit
        return tree


def root(size: int, roots: Roots) -> bytes:
    """The tree hash of the first `size` leaves."""
    return Tree.of(size, roots).root()


def inclusion(index: int, size: int, roots: Roots) -> list[bytes]:
    """PATH(index, D[size]) of RFC 6962, section 2.1.1: what proves that a leaf is in the tree. Raises ValueError."""
    if not 0 <= index < size:
        raise ValueError(f"entry {index} is not in a tree of {size}")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_range(middle, end, roots))
            end = middle
        else:
            path.append(_range(start, middle, roots))
            start = middle
    return path[::-1]


def consistency(first: int, second: int, roots: Roots) -> list[bytes]:
    """PROOF(first, D[second]) of RFC 6962, section 2.1.2: what proves that the larger tree continues the smaller one.

    Raises ValueError unless 0 < first <= second.
    """
    if not 0 < first <= second:
        raise ValueError(f"sizes must order as 0 < first <= second; they are {first} and {second}")
    path: list[bytes] = []
    start, end, whole = 0, second, True
    while first != end:
        middle = start + _split(end - start)
        if first <= middle:
            path.append(_range(middle, end, roots))
            end = middle
        else:
            path.append(_range(start, middle, roots))
            start, whole = middle, False
    return ([] if whole else [_range(start, end, roots)]) + path[::-1]


def verify_inclusion(leaf_hash: bytes, index: int, size: int, path: Sequence[bytes], root_hash: bytes) -> bool:
    """Whether `path` proves that the leaf stands at `index` of the tree with this root. RFC 9162, section 2.1.3.2."""
    if not 0 <= index < size or not _hashes(leaf_hash, root_hash, *path):
        return False
    at, last, found = index, size - 1, leaf_hash
    for step in path:
        if last == 0:
            return False
        if at % 2 == 1 or at == last:
            found = node(step, found)
            while at % 2 == 0 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node(found, step)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root_hash


def verify_consistency(first: int, second: int, path: Sequence[bytes], first_root: bytes, second_root: bytes) -> bool:
    """Whether `path` proves that the tree of `second` leaves begins with that of `first`. RFC 9162, section 2.1.4.2."""
    if first == second:
        return first > 0 and not path and first_root == second_root
    if not 0 < first < second or not _hashes(first_root, second_root, *path):
        return False
    steps = [first_root, *path] if first & (first - 1) == 0 else list(path)
    if not steps:
        return False
    at, last = first - 1, second - 1
    while at % 2 == 1:
        at, last = at >> 1, last >> 1
    old = new = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if at % 2 == 1 or at == last:
            old, new = node(step, old), node(step, new)
            while at % 2 == 0 and at:
                at, last = at >> 1, last >> 1
        else:
            new = node(new, step)
        at, last = at >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root


def _hashes(*given: bytes) -> bool:
    return all(len(each) == len(EMPTY) for each in given)


def _split(n: int) -> int:
    """The largest power of two below n."""
    return 1 << (n - 1).bit_length() - 1


def _range(start: int, end: int, roots: Roots) -> bytes:
    """The tree hash of leaves start … end - 1, where `start` is a multiple of the largest full subtree in it."""
    parts = []
    while start < end:
        bit = (end - start).bit_length() - 1
        parts.append(_full(start >> bit, bit, roots))
        start += 1 << bit
    return _joined(parts)


def _full(position: int, level: int, roots: Roots) -> bytes:
    """The root of the full subtree of 2**level leaves at `position`, from the nearest stored level below."""
    below = level - level % STEP
    hashes = list(roots(below, position << level - below, 1 << level - below))
    while len(hashes) > 1:
        hashes = [node(left, right) for left, right in zip(hashes[::2], hashes[1::2], strict=True)]
    return hashes[0]


def _joined(roots: Sequence[bytes]) -> bytes:
    """The hash over full subtrees of falling size, largest first."""
    if not roots:
        return EMPTY
    *rest, found = roots
    for left in reversed(rest):
        found = node(left, found)
    return found
