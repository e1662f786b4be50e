"""What one turn is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fairlead.basin import data
from fairlead.basin.data import Size


@dataclass(frozen=True)
class Extent:
    """How much a turn does. Rows are drawn by a keyed stream, so that a smaller extent is a part of a larger one."""

    name: str
    basin: Size
    labelled: int  # rows of the packaged sample to train heads on
    prompts: int  # rows of the input
    held_out: int  # rows that the gates are read from
    attacked: int  # of these, rows on which attacks are compared before and after


FULL = Extent("full", basin=data.FULL, labelled=10_000, prompts=10_000, held_out=10_000, attacked=200)
QUICK = Extent("quick", basin=data.QUICK, labelled=10_000, prompts=60, held_out=240, attacked=40)


@dataclass(frozen=True)
class Settings:
    """One turn. `prompts` empty means the packaged sample; `upstream` None means the basin's own model."""

    out: Path
    policy: Path
    seed: int = 0
    extent: Extent = FULL
    prompts: tuple[Path, ...] = ()
    upstream: str | None = None
