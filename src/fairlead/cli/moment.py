"""How people write a moment on the command line: so long ago, or a date."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from fairlead.records.errors import InputError

_AGO = re.compile(r"([1-9]\d{0,4})([mhd])")
_SECONDS = {"m": 60.0, "h": 3600.0, "d": 86_400.0}


def moment(written: str, now: float) -> float:
    """Seconds since the epoch. A date without a time zone is in UTC. Raises InputError."""
    if ago := _AGO.fullmatch(written):
        return now - int(ago[1]) * _SECONDS[ago[2]]
    try:
        date = datetime.fromisoformat(written)
    except ValueError as error:
        raise InputError(
            f"{written!r} is no moment; write 30d, 12h or 90m for so long ago, or a date such as 2026-11-21"
        ) from error
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
