"""A moment is so long ago, or a date; anything else is told what would be right."""

from __future__ import annotations

import pytest

from fairlead.cli.moment import moment
from fairlead.records.errors import InputError


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("30d", 1e9 - 30 * 86_400),
        ("12h", 1e9 - 12 * 3600),
        ("90m", 1e9 - 90 * 60),
        ("1970-01-02", 86_400.0),
        ("1970-01-01T01:00", 3600.0),
        ("1970-01-01T01:00+01:00", 0.0),
    ],
)
def test_moments(written: str, seconds: float) -> None:
    assert moment(written, 1e9) == seconds


@pytest.mark.parametrize("written", ["", "30", "d", "0d", "-1d", "1.5d", "yesterday", "2026-13-01", "30d ago", "\uff13d"])
def test_what_is_no_moment_is_refused(written: str) -> None:
    with pytest.raises(InputError, match="write 30d, 12h or 90m"):
        moment(written, 1e9)
