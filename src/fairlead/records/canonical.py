"""One way to turn a record into bytes and bytes into a name."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec


def _plain(value: Any) -> Any:
    if isinstance(value, str):  # a text whose form is checked, such as an action of the policy
        return str(value)
    raise NotImplementedError(type(value))


_ENCODER = msgspec.json.Encoder(order="deterministic", enc_hook=_plain)


def canonical(value: Any) -> bytes:
    """Canonical JSON: keys sorted, no white space, UTF-8. The same value always gives the same bytes."""
    return _ENCODER.encode(value)


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON, in hexadecimal."""
    return hashlib.sha256(canonical(value)).hexdigest()
