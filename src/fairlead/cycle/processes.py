"""Servers that a turn starts beside itself: wait until one listens, use it, end it."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from fairlead.records.errors import FairleadError

_ADDRESS = re.compile(r"https?://[^\s]+")
_PATIENCE_S = 60.0
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class Server(NamedTuple):
    """Where a server listens, and how many seconds it took to."""

    url: str
    ready_after: float


@contextmanager
def running(arguments: Sequence[str], log: Path) -> Iterator[Server]:
    """Run `fairlead ARGUMENTS…` until the block ends; gives the address that it printed when it was ready.

    What it printed stands in `log`. Raises FairleadError, with the end of the log, when it stops or stays silent for a minute.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    command = [sys.executable, "-m", "fairlead", *arguments]
    with log.open("w", encoding="utf-8") as err:
        process = subprocess.Popen(  # noqa: S603  our own interpreter and module
            command,
            stdout=subprocess.PIPE,
            stderr=err,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            preexec_fn=_end_with_parent,
        )
    assert process.stdout is not None
    lines, ready = [], threading.Event()

    def read() -> None:
        for line in process.stdout or ():
            lines.append(line)
            if _ADDRESS.search(line):
                ready.set()
        ready.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        ready.wait(_PATIENCE_S)
        address = next((found[0] for line in lines if (found := _ADDRESS.search(line))), None)
        if address is None:
            raise FairleadError(f"`fairlead {arguments[0]}` did not start; its last words: {_tail(log)}")
        yield Server(address.rstrip("/"), time.monotonic() - began)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join(5)
        process.stdout.close()


def _end_with_parent() -> None:
    """Ask Linux to end this process when its parent dies, however that happens: a server left behind would hold the ledger."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _tail(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace").strip()[-600:] or "(nothing)"
