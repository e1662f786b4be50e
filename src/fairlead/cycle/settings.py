"""What one turn is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Extent:
    """How much a turn does. Rows are drawn by a keyed stream, so that a smaller extent is a part of a larger one."""

    name: str
    labelled: int  # rows of the packaged training sample
    prompts: int  # rows of the input that are attacked
    attacked: int  # held-out rows on which attacks are compared before and after


FULL = Extent("full", 10_000, 10_000, 200)
QUICK = Extent("quick", 400, 60, 40)


@dataclass(frozen=True)
class Settings:
    """One turn. `prompts` empty means the packaged sample; `upstream` None means the basin's own model."""

    out: Path
    policy: Path
    seed: int = 0
    extent: Extent = FULL
    prompts: tuple[Path, ...] = ()
    upstream: str | None = None
