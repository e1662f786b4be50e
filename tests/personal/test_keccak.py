"""Keccak-256 against published digests, and addresses against published checksums."""

from __future__ import annotations

import hashlib

import pytest

from fairlead.personal import keccak
from fairlead.personal.find import find


@pytest.mark.parametrize(
    ("data", "digest"),
    [
        (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        (b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
    ],
)
def test_published_digests(data: bytes, digest: str) -> None:
    assert keccak.keccak_256(data).hex() == digest


@pytest.mark.parametrize("length", [0, 1, 134, 135, 136, 137, 272, 500])
def test_with_the_padding_of_the_standard_it_is_sha3(length: int) -> None:
    data = bytes(i % 251 for i in range(length))
    padded = bytearray(data + b"\x06" + bytes(-(length + 1) % 136))
    padded[-1] |= 0x80
    lanes = [0] * 25
    for start in range(0, len(padded), 136):
        block = padded[start : start + 136]
        lanes = keccak._permuted([
            lane ^ (int.from_bytes(block[8 * i : 8 * i + 8], "little") if i < 17 else 0) for i, lane in enumerate(lanes)
        ])  # fmt: skip
    assert b"".join(lane.to_bytes(8, "little") for lane in lanes[:4]) == hashlib.sha3_256(data).digest()


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", True),  # EIP-55's own examples
        ("0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359", True),
        ("0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d35A", False),
        ("0xfb6916095ca1df60bb79ce92ce3ea74c37c5d359", True),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", True),  # BIP 173
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", False),
        ("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0", True),  # BIP 350
        ("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj1", False),
        ("bc1pfeessrawgf", True),  # the shortest in use: pay to anchor
        ("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", True),
        ("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN3", False),
    ],
)
def test_a_wallet_is_known_by_its_checksum(address: str, found: bool) -> None:
    assert ("wallet" in {span.kind for span in find(f"send it to {address}.")}) is found
