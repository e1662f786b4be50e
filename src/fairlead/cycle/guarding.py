"""The gateway's part of a turn: start the model's server and the gateway, replay traffic from clients of every tier, and read
from the ledger what each of them got."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from fairlead.cycle.processes import running
from fairlead.cycle.wheel import Range, Wheel
from fairlead.gateway.identity import new_key
from fairlead.measure.replay import Received, Traffic, clients, read_traffic, replay
from fairlead.measure.samples import packaged
from fairlead.models.endpoint import Endpoint
from fairlead.records.entry import Decided
from fairlead.records.errors import UpstreamError
from fairlead.records.figure import Figure
from fairlead.statistics.intervals import wilson


def guard(wheel: Wheel, model: Path, heads: Path, encoder: Path) -> None:
    """Replay the packaged traffic through a gateway in a process of its own, in front of `model` or the upstream named."""
    traffic = [asked for path in packaged("traffic") for asked in read_traffic(path)]
    keys: dict[str, str] = {}
    for client, tier in clients(traffic).items():
        keys[client], issued = new_key(tier, client)
        wheel.note([issued])
    start = wheel.ledger.size
    received, ready_after = _replayed(wheel, traffic, keys, model, heads, encoder)
    wheel.ledger.refresh()
    entries = [e.payload for e in wheel.ledger.entries(start) if isinstance(e.payload, Decided)]
    at = (start, wheel.ledger.size - 1)
    _measure(wheel, received, entries, at)
    wheel.measure("guard", [Figure("gateway ready after", ready_after, "s", n=1)], at)


def _replayed(
    wheel: Wheel, traffic: Sequence[Traffic], keys: dict[str, str], model: Path, heads: Path, encoder: Path
) -> tuple[list[Received], float]:
    """What the clients got, and the seconds until the gateway was ready."""
    settings, logs = wheel.settings, wheel.settings.out / "logs"

    def through(upstream: str, name: str) -> tuple[list[Received], float]:
        options = {"policy": settings.policy, "ledger": wheel.path, "upstream": upstream, "heads": heads, "encoder": encoder}
        named = [word for option, value in options.items() if value is not None for word in (f"--{option}", str(value))]
        with running(["gateway", *named, "--port", "0"], logs / "gateway.log") as gateway:
            wheel.say(f"guard: gateway on {gateway.url}, {sum(asked.repeat for asked in traffic)} requests to replay")
            return asyncio.run(replay(traffic, gateway.url, keys, name)), gateway.ready_after

    if settings.upstream is not None:
        return through(settings.upstream, asyncio.run(_first_model(settings.upstream)))
    with running(["serve", str(model), "--port", "0"], logs / "serve.log") as server:
        return through(server.url, model.name)


async def _first_model(upstream: str) -> str:
    """The first model that a server offers; none where it does not say, and then the requests show what is wrong."""
    try:
        async with Endpoint(upstream, api_key=os.environ.get("FAIRLEAD_UPSTREAM_KEY")) as endpoint:
            return next(iter(await endpoint.models()), "")
    except UpstreamError:
        return ""


def _measure(wheel: Wheel, received: Sequence[Received], decided: Sequence[Decided], at: Range) -> None:
    """Counts of what each client got, of what the ledger says was decided, and the share that got what was expected."""
    got = Counter(f"{r.client} ({r.tier}) → {r.action}" for r in received)
    for subject, n in sorted(got.items()):
        wheel.measure(f"guard|{subject}", [Figure("requests", float(n), n=n)], at)
    lines: dict[int, list[bool]] = {}
    for r in received:
        if r.as_expected is not None:
            lines.setdefault(r.line, []).append(r.as_expected)
    expected = [all(line) for line in lines.values()]  # a line that is sent many times is one item
    low, high = wilson(sum(expected), len(expected))
    errors = sum(r.action == "error" for r in received)
    held = [r.held for r in received if r.held is not None]
    wheel.measure(
        "guard",
        [
            Figure("as expected", sum(expected) / len(expected) if expected else None, "", low, high, len(expected), errors),
            Figure("requests", float(len(received)), n=len(received), errors=errors),
            Figure("decisions in the ledger", float(len(decided)), n=len(decided)),
            Figure("streams held whole until judged", float(sum(held)), n=len(held)),
        ],
        at,
    )
    for r in {r.line: r for r in received if r.as_expected is False}.values():
        got_instead = " ".join(part for part in (r.action, r.rule, r.error) if part)
        wheel.say(f"guard: line {r.line + 1} of the traffic ({r.client}): expected {r.expect}, got {got_instead}")
