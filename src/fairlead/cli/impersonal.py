"""What an operator writes into the ledger stands there for ever: it must name nobody."""

from __future__ import annotations

from fairlead.personal.find import find
from fairlead.records.errors import InputError


def impersonal(what: str, text: str) -> str:
    """`text` as it is. Raises InputError, without showing it, when it holds what looks like personal data or a secret."""
    if found := find(text):
        raise InputError(
            f"{what} looks like it holds personal data ({found[0].kind}), and it would stand in the ledger for ever; name a"
            " pseudonym or a case, and keep who it is elsewhere"
        )
    return text
