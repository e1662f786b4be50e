"""Children that work on a ledger until they are killed: forked, in milliseconds, from a process that has loaded all of it."""

from __future__ import annotations

import hashlib
import importlib
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import msgspec
import sqlalchemy.dialects.postgresql
import sqlalchemy.dialects.sqlite  # noqa: F401  # all that a migration loads, too

import fairlead.ledger.postgres
import fairlead.ledger.schema
from fairlead.ledger.log import Ledger
from fairlead.records.canonical import canonical
from fairlead.records.entry import Decided, Entry, Labelled, Payload, ReviewQueued


class Acknowledged(msgspec.Struct, frozen=True):
    """What `append` returned: `digest` is over the bytes of `n` entries from `seq` on."""

    seq: int
    n: int
    digest: str


class Forks:
    """The process that forks, one child at a time. Use as a context manager."""

    def __enter__(self) -> Forks:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen([sys.executable, __file__], text=True, stdin=pipe, stdout=pipe)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._in.close()
        self._out.close()  # a child that is left over ends when it finds nobody listening
        self._process.wait()

    def start(self, act: str, *arguments: object) -> int:
        """The id of a child that does this."""
        print(json.dumps([act, *arguments]), file=self._in, flush=True)
        return int(self._line("pid "))

    def wait_for(self, word: str) -> None:
        """Until the child says this."""
        self._line(word)

    def ended(self) -> tuple[int, list[Acknowledged]]:
        """The child's wait status, and what it had acknowledged."""
        said: list[Acknowledged] = []
        while True:
            line = self._out.readline()
            if line.startswith("end "):
                return int(line.removeprefix("end ")), said
            if line.startswith("{"):
                said.append(msgspec.json.decode(line, type=Acknowledged))
            elif not line:
                raise RuntimeError("the process that forks ended")

    def killed(self, pid: int) -> list[Acknowledged]:
        """What the child had acknowledged when it was killed, now. One without end must not have ended by itself."""
        os.kill(pid, signal.SIGKILL)
        status, said = self.ended()
        assert status == signal.SIGKILL, f"the child ended by itself, with wait status {status}"
        return said

    def killed_or_ended(self, pid: int) -> None:
        """As `killed`, of a child that may have done its work by now."""
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        status, _ = self.ended()
        assert status in (0, signal.SIGKILL)

    def _line(self, start: str) -> str:
        line = self._out.readline()
        assert line.startswith(start), line
        return line.removeprefix(start)


def digest(bodies: list[bytes]) -> str:
    return hashlib.sha256(b"\n".join(bodies)).hexdigest()


def acknowledged(entries: Sequence[Entry]) -> Acknowledged:
    return Acknowledged(entries[0].seq, len(entries), digest([canonical(entry) for entry in entries]))


def payloads(batch: str, n: int) -> tuple[Payload, ...]:
    """`n` payloads that name their batch, their place in it, and its length; about half change the state."""
    return tuple(_payload(f"{batch} {i} {n}", i + len(batch)) for i in range(n))


def _payload(name: str, i: int) -> Payload:
    account = f"account {i % 5}"
    match i % 4:
        case 0:
            return Decided(name, "block", "rule", 400, account, rule="x", points=1, points_expire=2.0**32, flags=("f",))
        case 1:
            return ReviewQueued(name, f"rule {i % 3}")
        case 2:
            return Labelled(name, f"rule {i % 3}", True, "reviewer:a")
        case _:
            return Decided(name, "allow", "rule", 200, account)


def named(entry: Entry) -> tuple[str, int, int]:
    """The batch of an entry, its place in it, and the batch's length."""
    payload: Any = entry.payload
    batch, i, n = (payload.request if isinstance(payload, Decided) else payload.item).rsplit(" ", 2)
    return batch, int(i), int(n)


# ── what children do ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _append(place: str, name: str, callers: int, n: int, checkpoint_after: int) -> None:
    """Callers that append batches of `n` without end, each telling what was acknowledged."""
    fairlead.ledger.sqlite._CHECKPOINT_AFTER = checkpoint_after  # type: ignore[attr-defined]
    with Ledger(place, producer="child") as ledger:
        _say("open")

        def call(caller: int) -> None:
            for i in itertools.count():
                say_acknowledged(ledger.append(*payloads(f"{name}.{caller}.{i}", n)))

        threads = [threading.Thread(target=call, args=(caller,)) for caller in range(1, callers)]
        for thread in threads:
            thread.start()
        call(0)


def _open(place: str) -> None:
    Ledger(place, producer="child").close()


def _rebuild(place: str) -> None:
    with Ledger(place, producer="child") as ledger:
        _say("open")
        while True:
            ledger.rebuild()
            _say("rebuilt")


def say_acknowledged(entries: Sequence[Entry]) -> None:
    _say(msgspec.json.encode(acknowledged(entries)).decode())


def _say(line: str) -> None:
    os.write(1, f"{line}\n".encode())  # whole, since it is shorter than a pipe's buffer


def _call(module: str, name: str, *arguments: object) -> None:
    getattr(importlib.import_module(module), name)(*arguments)


ACTS: dict[str, Callable[..., None]] = {"append": _append, "open": _open, "rebuild": _rebuild, "call": _call}


def main() -> None:
    for line in sys.stdin:
        act, *arguments = json.loads(line)
        pid = os.fork()
        if not pid:
            try:
                _say(f"pid {os.getpid()}")
                ACTS[act](*arguments)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        _say(f"end {os.waitpid(pid, 0)[1]}")


if __name__ == "__main__":
    main()
