"""Hashes that make the log tamper-evident. Pure functions.

Leaves and nodes are those of RFC 6962, section 2.1: leaf = SHA-256(0x00 || entry), node = SHA-256(0x01 || left || right).
Beside the tree each entry carries the head of a plain chain, so that a change is located at the first entry it touches.
"""

from __future__ import annotations

import hashlib

EMPTY = hashlib.sha256(b"").digest()


def leaf(entry: bytes) -> bytes:
    """RFC 6962 leaf hash, 32 bytes."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node(left: bytes, right: bytes) -> bytes:
    """RFC 6962 node hash, 32 bytes."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def link(head: bytes, leaf_hash: bytes) -> bytes:
    """The next head of the chain: SHA-256(0x02 || head || leaf). The chain of no entries is 32 zero bytes."""
    return hashlib.sha256(b"\x02" + head + leaf_hash).digest()


START = bytes(32)


class Tree:
    """The Merkle tree hash of a growing list, in memory logarithmic in its length.

    It keeps the roots of the perfect subtrees that make up the list, largest first, as binary addition keeps its ones.
    """

    def __init__(self) -> None:
        self.size = 0
        self._roots: list[bytes] = []

    def add(self, leaf_hash: bytes) -> None:
        """Append one leaf."""
        self._roots.append(leaf_hash)
        self.size += 1
        carries = self.size
        while carries % 2 == 0:
            right = self._roots.pop()
            self._roots.append(node(self._roots.pop(), right))
            carries //= 2

    def root(self) -> bytes:
        """MTH of RFC 6962, section 2.1; of the empty list: SHA-256 of nothing."""
        if not self._roots:
            return EMPTY
        *rest, root = self._roots
        for left in reversed(rest):
            root = node(left, root)
        return root
