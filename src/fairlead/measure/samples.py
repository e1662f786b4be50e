"""The packaged samples, in our own words.

`labelled` to train on, `prompts` to run, `heldout` for gates, `reviewed` by people, `traffic` for the gateway.
"""

from __future__ import annotations

from pathlib import Path

import fairlead

_FOLDER = Path(fairlead.__file__).parent / "samples"


def packaged(name: str) -> list[Path]:
    """The files of one sample, in order."""
    return sorted(_FOLDER.glob(f"{name}*.jsonl"))
