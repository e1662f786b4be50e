"""`fairlead gateway`: serve chat completions and moderations on loopback, under a policy."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from fairlead import __version__
from fairlead.cli import reasoner as reasoning
from fairlead.cli import vault
from fairlead.enforce.settle import Settlement
from fairlead.gateway.app import Gateway
from fairlead.gateway.keeping import Keep, Keeper
from fairlead.gateway.serve import bind, serve
from fairlead.judge.cascade import Judge
from fairlead.judge.threads import InThreads
from fairlead.ledger.log import Ledger
from fairlead.ledger.verify import proven
from fairlead.models.endpoint import Endpoint
from fairlead.policy.history import reused
from fairlead.policy.load import load
from fairlead.records.errors import InputError, PolicyError

_PROVEN = 20_000  # entries at the end of the log that are verified before the gateway serves; all takes minutes

app = typer.Typer(help="Serve models under a policy, on loopback.")


@app.callback(invoke_without_command=True)
def gateway(
    policy: Annotated[Path, typer.Option(help="The policy file.")],
    ledger: Annotated[str, typer.Option(help="The ledger: a file, made when it is not there, or a PostgreSQL URL.")],
    upstream: Annotated[str, typer.Option(help="Base URL of an OpenAI-compatible server; its key in FAIRLEAD_UPSTREAM_KEY.")],
    heads: Annotated[Path | None, typer.Option(help="Folder of the judge's heads, or `core`: those that ship.")] = None,
    encoder: Annotated[Path | None, typer.Option(help="Folder of the judge's encoder.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8080,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds that the model's server may take.")] = 60.0,
    reasoner: reasoning.Url = None,
    reasoner_model: reasoning.Model = "",
    reasoner_form: reasoning.Kind = reasoning.FormName.NATIVE,
    reasoner_timeout: reasoning.Timeout = 8.0,
    master_key: Annotated[str | None, vault.MASTER] = None,
    keys: Annotated[str | None, vault.KEYS] = None,
    keep: Annotated[Keep | None, typer.Option(help="Whose text is kept; with a master key flagged, without none.")] = None,
) -> None:
    """Print one line once it listens; stop on SIGTERM or SIGINT when running requests have ended."""
    rules = load(policy)
    judge = Judge.load(rules, heads, encoder)
    options = reasoning.Options(reasoner, reasoner_model, reasoner_form, reasoner_timeout)
    awaited = reasoning.reasoned(judge, rules, options) or InThreads(judge)
    endpoint = Endpoint(upstream, api_key=os.environ.get("FAIRLEAD_UPSTREAM_KEY"), timeout_s=timeout)
    master = vault.named_master(master_key, ledger, keys)
    if master is None and keep not in (None, Keep.NONE):
        raise InputError(f"--keep {keep} needs a master key: name it with --master-key; nothing is kept in clear")
    with ExitStack() as stack:
        bound = stack.enter_context(bind(port))
        opened = stack.enter_context(Ledger(ledger, producer=f"gateway/{__version__}"))
        proven(ledger, last=_PROVEN)
        for problem in reused(rules, [loaded.policy for loaded in opened.state.policies()]):
            raise PolicyError(problem.text, file=str(policy))
        keeper = None
        if master is not None and keep is not Keep.NONE:
            keeper = Keeper(keep or Keep.FLAGGED, stack.enter_context(vault.over(opened, keys, master)).put)
        settle = Settlement(rules).settle
        served = Gateway(rules, awaited, opened, endpoint, time.time, settle=settle, keeper=keeper)
        serve(served, bound, lambda url: print(f"gateway ready on {url}", flush=True))
