"""A labelled text with what the judge said of it."""

from __future__ import annotations

from msgspec import Struct

from fairlead.records.example import Example
from fairlead.records.verdict import Verdict

FEWEST = 20  # no rate over fewer items is shown


class Rated(Struct, frozen=True):
    """One text of the card. `language` and `dialect` are what its file says of it; empty where it says nothing."""

    example: Example
    verdict: Verdict
    language: str = ""
    dialect: str = ""
