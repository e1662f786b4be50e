"""`python -m bench.gateway [--quick]`: what the gateway costs, beside a model's server that answers at once.

The gateway runs as its own process over the core policy, signatures only, so that its own cost is seen and not the encoder's;
its CPU time is read from the kernel. Every request is authenticated, counted, judged twice, relayed and durable in the ledger.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import msgspec
import uvicorn

from bench.report import main
from fairlead.gateway.identity import new_key
from fairlead.gateway.serve import address, bind
from fairlead.ledger.log import Ledger
from fairlead.policy.core import CORE
from fairlead.records.figure import Figure

_ASKED = {"role": "user", "content": "What should I pack for a week in the hills?"}
_BODY = msgspec.json.encode({"model": "stub", "messages": [_ASKED]})
_ANSWER = msgspec.json.encode(
    {"choices": [{"message": {"role": "assistant", "content": "Boots, a map and a rain coat."}, "finish_reason": "stop"}]}
)
_TICKS = os.sysconf("SC_CLK_TCK")
# Every rule is left without heads here, which would withhold each answer; a signal that is missing is made no obstacle.
_START = """
import sys, time
from pathlib import Path
from msgspec.structs import replace
from fairlead.cli.gateway import app
from fairlead.judge.cascade import Judge
from fairlead.records.verdict import Outcome, Verdict
class Signatures(Judge):
    def judge(self, conversation, surface="prompt"):
        verdict = super().judge(conversation, surface)
        known = tuple(v if v.outcome is Outcome.VIOLATES else replace(v, outcome=Outcome.ALLOWED) for v in verdict.rules)
        return Verdict(known, verdict.producer, verdict.error)
import fairlead.cli.gateway
fairlead.cli.gateway.Judge = Signatures
app()
"""


async def _stub(scope: dict[str, object], receive: object, send: object) -> None:
    while (await receive())["type"] != "http.request":  # type: ignore[operator]
        pass
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(_ANSWER)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})  # type: ignore[operator]
    await send({"type": "http.response.body", "body": _ANSWER})  # type: ignore[operator]


@contextmanager
def _upstream() -> Iterator[str]:
    bound = bind(0)
    config = uvicorn.Config(_stub, lifespan="off", access_log=False, log_level="error", loop="uvloop", http="httptools")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    try:
        yield address(bound)
    finally:
        server.should_exit = True
        thread.join()
        bound.close()


@contextmanager
def _gateway(folder: Path, upstream: str) -> Iterator[tuple[int, str, str, float]]:
    """Process id, address, key and the seconds until it listened."""
    policy = folder / "policy.yaml"
    # The quotas would end the run after a few hundred requests.
    policy.write_text(re.sub(r"requests_per_(minute|day): \d+", r"requests_per_\1: 1000000", CORE.read_text(encoding="utf-8")))
    key, issued = new_key("internal")
    with Ledger(folder / "ledger.db", producer="bench/1") as ledger:
        ledger.append(issued)
    args = ["--policy", str(policy), "--ledger", str(folder / "ledger.db"), "--upstream", upstream, "--port", "0"]
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", _START, *args], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        ready = process.stdout.readline().split()
        if not ready:
            raise SystemExit("the gateway did not start; see above")
        yield process.pid, ready[-1], key, time.perf_counter() - started
    finally:
        process.terminate()
        process.communicate(timeout=30)


def _cpu_s(pid: int) -> float:
    """User and system time so far, in seconds, of all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _rss_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def _load(url: str, key: str, clients: int, requests: int) -> int:
    """Send `requests` in all, over `clients` connections; the number that were answered with 200."""
    left, answered = requests, 0
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    async with aiohttp.ClientSession() as session:

        async def one() -> None:
            nonlocal left, answered
            while left > 0:
                left -= 1
                async with session.post(f"{url}/v1/chat/completions", data=_BODY, headers=headers) as response:
                    await response.read()
                    answered += response.status == 200

        await asyncio.gather(*(one() for _ in range(clients)))
    return answered


def run(quick: bool) -> list[Figure]:
    """All figures."""
    n = 1_500 if quick else 10_000
    with (
        tempfile.TemporaryDirectory() as name,
        _upstream() as upstream,
        _gateway(Path(name), upstream) as (pid, url, key, start_s),
    ):
        figures = [Figure("start_s", start_s, "s", n=1)]
        asyncio.run(_load(url, key, 1, 100))  # warm
        for clients in (1, 32):
            cpu, wall = _cpu_s(pid), time.perf_counter()
            errors = n - asyncio.run(_load(url, key, clients, n))
            cpu, wall = _cpu_s(pid) - cpu, time.perf_counter() - wall
            # With an error among them the rest says nothing of what a request costs.
            figures += [
                Figure(f"cpu_ms_{clients}_clients", None if errors else cpu / n * 1000, "ms/request", n=n, errors=errors),
                Figure(f"requests_per_s_{clients}_clients", None if errors else n / wall, "1/s", n=n, errors=errors),
            ]
        figures.append(Figure("rss_mib", _rss_mib(pid), "MiB", n=1))
    return figures


if __name__ == "__main__":
    main("gateway", run)
