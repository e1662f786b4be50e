"""`fairlead cycle`: one turn of the wheel."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fairlead.cycle.settings import FULL, QUICK, Settings
from fairlead.policy.core import CORE


def cycle(
    prompts: Annotated[
        list[Path] | None,
        typer.Option(help="JSONL or CSV files of your prompts, labelled or not; the packaged sample when not given."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the ledger, the models and the report.")] = Path("out"),
    policy: Annotated[Path, typer.Option(help="The policy file.", show_default=False)] = CORE,
    seed: Annotated[int, typer.Option(help="The same seed gives the same numbers.")] = 0,
    upstream: Annotated[
        str | None,
        typer.Option(help="An OpenAI-compatible server to put behind the gateway; the basin's model when not given."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A small turn: one to two minutes.")] = False,
) -> None:
    """Turn the wheel once: basin, judge, guard, attack, investigate, improve, report."""
    # Training needs torch and scikit-learn, which no other command should have to load.
    from fairlead.cycle.show import show
    from fairlead.cycle.turn import turn

    settings = Settings(out, policy, seed, QUICK if quick else FULL, tuple(prompts or ()), upstream)
    show(turn(settings, lambda line: print(line, flush=True)), out)
