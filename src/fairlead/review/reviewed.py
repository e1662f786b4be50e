"""A file of reviewed texts, one JSON object a line: `{"id", "text", "rule", "verdicts": [{"by", "verdict"}, …], "group"}`.

`group`, which may be left out, ties a text to its benign twin: they are never parted between folds or splits.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from fairlead.records.errors import InputError
from fairlead.records.example import Example
from fairlead.statistics.agreement import krippendorff_alpha


class Said(Struct, frozen=True, forbid_unknown_fields=True):
    """One reviewer's verdict."""

    by: str
    verdict: Literal["violates", "allowed"]


class _Line(Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    text: str
    rule: str
    verdicts: tuple[Said, ...]
    group: str = ""


class Reviewed(_Line, frozen=True):
    """One text with what the reviewers said of it under one rule; `at` is the file and row in which it stands."""

    at: str = ""

    @property
    def resolved(self) -> bool | None:
        """Whether the text violates the rule, by majority; None on a tie: somebody must adjudicate."""
        counts = Counter(said.verdict for said in self.verdicts)
        if counts["violates"] == counts["allowed"]:
            return None
        return counts["violates"] > counts["allowed"]


def read_reviewed(path: Path) -> tuple[Reviewed, ...]:
    """All rows of a file. What reviewers said is never dropped in silence: a broken line stops the reading.

    Raises InputError with the line's number.
    """
    rows: list[Reviewed] = []
    raw = path.read_bytes()
    digest = hashlib.sha256(raw).hexdigest()
    for number, line in enumerate(raw.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = msgspec.json.decode(line, type=_Line)
            rows.append(Reviewed(row.id, row.text, row.rule, row.verdicts, row.group, f"file:{digest}#{number}"))
        except msgspec.MsgspecError as error:
            raise InputError(f"{path}:{number}: {error}; write id, text, rule and a list of verdicts") from error
    return tuple(rows)


def settled(rows: Sequence[Reviewed]) -> list[Example]:
    """The rows on which a majority agreed, as examples."""
    return [
        Example(row.id, row.text, {row.rule: row.resolved}, "review", group=row.group, at=row.at)
        for row in rows
        if row.resolved is not None
    ]


def alpha(rows: Sequence[Reviewed]) -> float | None:
    """Krippendorff's alpha of the reviewers, None where nothing can be compared."""
    return krippendorff_alpha([[said.verdict for said in row.verdicts] for row in rows])
