"""Who asks: API keys, of which only the SHA-256 is ever stored."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable

from fairlead.ledger.fold import State
from fairlead.ledger.rows import Key
from fairlead.records.entry import KeyIssued

_WRITTEN = re.compile(rb"[Bb]earer +(fl_[0-9a-f]{8}_[0-9a-f]{48})")


def new_key(
    tier: str, account: str | None = None, *, expires: float | None = None, draw: Callable[[int], str] = secrets.token_hex
) -> tuple[str, KeyIssued]:
    """A key's text, to be shown once, and the entry that makes it open something.

    `account` is a pseudonym; without one a random `acct_…` is drawn. `draw` gives n random bytes in hexadecimal. The secret has
    192 random bits, so its plain hash cannot be turned back by guessing.
    """
    prefix = f"fl_{draw(4)}"
    text = f"{prefix}_{draw(24)}"
    account = account or f"acct_{draw(6)}"
    return text, KeyIssued(key=fingerprint(text.encode()), prefix=prefix, account=account, tier=tier, expires=expires)


def fingerprint(key: bytes) -> str:
    """SHA-256 of a key, in hexadecimal."""
    return hashlib.sha256(key).hexdigest()


def identify(authorization: bytes | None, state: State, now: float) -> Key | None:
    """The key that the header `Authorization: Bearer KEY` shows; None when it opens nothing, whatever the reason.

    The look-up is by digest: what its time could tell is about the digest of a guess, which says nothing about a key.
    """
    written = _WRITTEN.fullmatch(authorization or b"")
    key = state.key(fingerprint(written[1])) if written else None
    if key is None or key.revoked or (key.expires is not None and key.expires <= now):
        return None
    return key
