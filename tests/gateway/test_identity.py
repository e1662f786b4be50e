"""A key opens what it was issued for, and nothing once it has expired or was revoked."""

from __future__ import annotations

import hashlib

import pytest

from fairlead.gateway.identity import identify, new_key
from fairlead.ledger.fold import fold
from fairlead.records.entry import Entry, KeyRevoked

TEXT, ISSUED = new_key("public", "ann", expires=10.0)
STATE = fold([Entry(0, 0.0, "test/1", ISSUED)])


def test_a_key_shows_who_holds_it() -> None:
    key = identify(f"Bearer {TEXT}".encode(), STATE, 9.0)
    assert key is not None
    assert (key.account, key.tier) == ("ann", "public")


def test_only_the_digest_is_kept() -> None:
    assert ISSUED.key == hashlib.sha256(TEXT.encode()).hexdigest()
    assert TEXT.startswith(f"{ISSUED.prefix}_")
    assert TEXT.split("_")[2] not in str(ISSUED)


OTHERS = [None, "", "Bearer", TEXT, f"Basic {TEXT}", f"Bearer {TEXT}0", f"Bearer {TEXT[:-1]}"]


@pytest.mark.parametrize("header", OTHERS, ids=["none", "empty", "no key", "no scheme", "basic", "longer", "shorter"])
def test_anything_else_opens_nothing(header: str | None) -> None:
    assert identify(None if header is None else header.encode(), STATE, 9.0) is None


def test_an_expired_or_revoked_key_opens_nothing() -> None:
    header = f"Bearer {TEXT}".encode()
    assert identify(header, STATE, 10.0) is None
    revoked = fold([Entry(0, 0.0, "test/1", ISSUED), Entry(1, 0.0, "test/1", KeyRevoked(ISSUED.key, "lost"))])
    assert identify(header, revoked, 9.0) is None


def test_two_keys_differ() -> None:
    assert new_key("public")[0] != new_key("public")[0]
    assert new_key("public")[1].account != new_key("public")[1].account
