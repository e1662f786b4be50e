"""The tree is RFC 6962's, its proofs hold, and nothing else does."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.ledger.proof import (
    EMPTY,
    Roots,
    Tree,
    consistency,
    inclusion,
    leaf,
    node,
    root,
    verify_consistency,
    verify_inclusion,
)

VECTORS = json.loads((Path(__file__).parent / "vectors" / "rfc6962.json").read_text())


def slow_root(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return node(slow_root(leaves[:k]), slow_root(leaves[k:]))


def slow_path(m: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 6962, section 2.1.1."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*slow_path(m, leaves[:k]), slow_root(leaves[k:])]
    return [*slow_path(m - k, leaves[k:]), slow_root(leaves[:k])]


def slow_proof(m: int, leaves: list[bytes], whole: bool = True) -> list[bytes]:
    """RFC 6962, section 2.1.2."""
    if m == len(leaves):
        return [] if whole else [slow_root(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*slow_proof(m, leaves[:k], whole), slow_root(leaves[k:])]
    return [*slow_proof(m - k, leaves[k:], False), slow_root(leaves[:k])]


def split(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def leaves_of(n: int) -> list[bytes]:
    return [leaf(i.to_bytes(4, "big")) for i in range(n)]


def stored(leaves: list[bytes]) -> Roots:
    """What a log stores of a tree."""
    tree, kept = Tree(), {(0, i): found for i, found in enumerate(leaves)}
    for found in leaves:
        kept |= {(level, position): made for level, position, made in tree.add(found)}
    return lambda level, first, count: [kept[level, first + i] for i in range(count)]


def decoded(*texts: str) -> list[bytes]:
    return [base64.b64decode(text) for text in texts]


@given(st.lists(st.binary(max_size=8), max_size=70))
def test_the_tree_agrees_with_the_definition(data: list[bytes]) -> None:
    leaves = [leaf(item) for item in data]
    tree = Tree()
    for found in leaves:
        tree.add(found)
    assert tree.root() == slow_root(leaves) == root(len(leaves), stored(leaves))


@pytest.mark.parametrize("n", [1, 2, 255, 256, 257, 511, 513, 1000])
def test_proofs_from_stored_roots_agree_with_the_definition(n: int) -> None:
    leaves = leaves_of(n)
    roots = stored(leaves)
    for m in {0, 1, n // 3, n // 2, n - 2, n - 1} & set(range(n)):
        assert inclusion(m, n, roots) == slow_path(m, leaves)
    for m in {1, 2, n // 3, n // 2, n - 1, n} & set(range(1, n + 1)):
        assert consistency(m, n, roots) == slow_proof(m, leaves)


def test_a_tree_of_three_stored_levels_proves_every_kind_of_place() -> None:
    n = 70_003  # beyond 65,536, so that roots of level 16 are read
    leaves = leaves_of(n)
    roots, tree = stored(leaves), Tree()
    for found in leaves:
        tree.add(found)
    for m in (0, 255, 256, 65_535, 65_536, 69_999, n - 1):
        assert verify_inclusion(leaves[m], m, n, inclusion(m, n, roots), tree.root())
    for m in (1, 256, 65_536, 65_537, n):
        assert verify_consistency(m, n, consistency(m, n, roots), root(m, roots), tree.root())


@given(st.integers(1, 300), st.data())
def test_a_tree_continues_from_what_is_stored(n: int, data: st.DataObject) -> None:
    leaves = leaves_of(n)
    cut = data.draw(st.integers(0, n))
    tree = Tree.of(cut, stored(leaves))
    for found in leaves[cut:]:
        tree.add(found)
    assert (tree.size, tree.root()) == (n, slow_root(leaves))


@given(st.integers(1, 40), st.data())
def test_no_proof_holds_for_another_leaf_place_size_or_root(n: int, data: st.DataObject) -> None:
    leaves = leaves_of(n)
    m, path = (m := data.draw(st.integers(0, n - 1))), inclusion(m, n, stored(leaves))
    whole = slow_root(leaves)
    assert verify_inclusion(leaves[m], m, n, path, whole)
    assert not verify_inclusion(leaf(b"other"), m, n, path, whole)
    assert not verify_inclusion(leaves[m], m, n, path, leaf(b"other"))
    assert not verify_inclusion(leaves[m], m, n, [*path, whole], whole)
    other = data.draw(st.integers(0, n - 1).filter(lambda i: i != m)) if n > 1 else n
    assert not verify_inclusion(leaves[m], other, n, path, whole)
    first = data.draw(st.integers(1, n))
    continued = consistency(first, n, stored(leaves))
    assert verify_consistency(first, n, continued, slow_root(leaves[:first]), whole)
    assert not verify_consistency(first, n, continued, leaf(b"other"), whole)
    assert not verify_consistency(first, n, continued, slow_root(leaves[:first]), leaf(b"other"))


@pytest.mark.parametrize("case", VECTORS["inclusion"], ids=range(len(VECTORS["inclusion"])))
def test_published_inclusion_proofs(case: list[object]) -> None:
    index, size, leaf_hash, path, whole, holds = case
    assert verify_inclusion(*decoded(leaf_hash), index, size, decoded(*path), *decoded(whole)) is holds  # type: ignore[misc, arg-type]


@pytest.mark.parametrize("case", VECTORS["consistency"], ids=range(len(VECTORS["consistency"])))
def test_published_consistency_proofs(case: list[object]) -> None:
    first, second, path, old, new, holds = case
    assert verify_consistency(first, second, decoded(*path), *decoded(old), *decoded(new)) is holds  # type: ignore[arg-type, misc]


def test_published_hashes() -> None:
    """The empty tree, the empty leaf and the tree of eight leaves of the certificate-transparency test vectors."""
    assert EMPTY.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert leaf(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    inputs = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
    leaves = [leaf(bytes.fromhex(item)) for item in inputs]
    assert root(8, stored(leaves)).hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


def test_what_cannot_be_proven_is_refused() -> None:
    roots = stored(leaves_of(3))
    for index, size in ((3, 3), (-1, 3), (0, 0)):
        with pytest.raises(ValueError, match="is not in a tree"):
            inclusion(index, size, roots)
    for first, second in ((0, 3), (4, 3)):
        with pytest.raises(ValueError, match="sizes must order"):
            consistency(first, second, roots)
