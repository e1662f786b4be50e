"""The gateway's part of a turn: start the model's server and the gateway, replay traffic from clients of every tier, and read
from the ledger what each of them got."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from fairlead.cycle.processes import running
from fairlead.cycle.wheel import Range, Wheel
from fairlead.gateway.identity import new_key
from fairlead.measure.replay import Received, Traffic, clients, read_traffic, replay
from fairlead.measure.samples import packaged
from fairlead.records.entry import Decided
from fairlead.records.figure import Figure
from fairlead.statistics.intervals import wilson


def guard(wheel: Wheel, model: Path, heads: Path, encoder: Path | None) -> None:
    """Replay the packaged traffic through a gateway in a process of its own, in front of `model` or the upstream named."""
    traffic = [asked for path in packaged("traffic") for asked in read_traffic(path)]
    keys: dict[str, str] = {}
    for client, tier in clients(traffic).items():
        keys[client], issued = new_key(tier, client)
        wheel.note([issued])
    start = wheel.ledger.size
    with wheel.lent_ledger():
        received = _replayed(wheel, traffic, keys, model, heads, encoder)
    entries = [e.payload for e in wheel.ledger.entries(start) if isinstance(e.payload, Decided)]
    _measure(wheel, received, entries, (start, wheel.ledger.size - 1))


def _replayed(
    wheel: Wheel, traffic: Sequence[Traffic], keys: dict[str, str], model: Path, heads: Path, encoder: Path | None
) -> list[Received]:
    settings, logs = wheel.settings, wheel.settings.out / "logs"

    def through(upstream: str) -> list[Received]:
        options = {"policy": settings.policy, "ledger": wheel.path, "upstream": upstream, "heads": heads, "encoder": encoder}
        named = [word for name, value in options.items() if value is not None for word in (f"--{name}", str(value))]
        with running(["gateway", *named, "--port", "0"], logs / "gateway.log") as gateway:
            wheel.say(f"guard: gateway on {gateway}, {sum(asked.repeat for asked in traffic)} requests to replay")
            return asyncio.run(replay(traffic, gateway, keys, model.name))

    if settings.upstream is not None:
        return through(settings.upstream)
    with running(["serve", str(model), "--port", "0"], logs / "serve.log") as upstream:
        return through(upstream)


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
    for r in received:
        if r.as_expected is False:
            wheel.say(
                f"guard: line {r.line + 1} of the traffic ({r.client}): expected {r.expect}, got {r.action} {r.rule}{r.error}"
            )
