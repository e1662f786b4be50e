"""`fairlead serve`: an OpenAI-compatible server over a transformers folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def serve(
    folder: Annotated[Path, typer.Argument(help="A transformers folder: config.json, weights, tokenizer files.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8100,
    host: Annotated[str, typer.Option(help="It knows no keys and judges nothing: keep it on loopback, behind the gateway.")] = (
        "127.0.0.1"
    ),
) -> None:
    """Serve a model; print one line with its address once it listens."""
    # Torch is heavy and optional: the command line starts without it.
    from fairlead.models.serve import run

    run(folder, host, port)
