"""A PostgreSQL server restarted under load, and commits left in doubt: nothing acknowledged is lost or doubled."""

from __future__ import annotations

import itertools
import os
import secrets
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import psycopg
import pytest
from faults import faults
from forked import Acknowledged, acknowledged, named, payloads
from psycopg import sql
from sqlalchemy import make_url

from fairlead.ledger import log
from fairlead.ledger.fold import State
from fairlead.ledger.log import Ledger, read
from fairlead.ledger.rows import Account
from fairlead.ledger.store import CommitUnknown, StoreLost
from fairlead.records.entry import Decided, Payload
from tests.postgres import Postgres, PostgresMissing

WRITER = """
import sys, threading
from fairlead.ledger.log import Ledger
from forked import payloads, say_acknowledged

done = threading.Event()
with Ledger(sys.argv[1], producer=sys.argv[2]) as ledger:

    def call(caller):
        i = 0
        while not done.is_set():
            say_acknowledged(ledger.append(*payloads(f"{sys.argv[2]}.{caller}.{i}", 1 + i % 5)))
            i += 1

    print("open", flush=True)
    threads = [threading.Thread(target=call, args=(caller,)) for caller in range(2)]
    for thread in threads:
        thread.start()
    sys.stdin.readline()
    done.set()
    for thread in threads:
        thread.join()
"""


def test_a_silent_network_is_noticed(postgres: Postgres) -> None:
    """The operating system is told to; on one machine no network can fall silent."""
    with Ledger(postgres.create_database("silent"), producer="p") as ledger:
        ledger.append(*payloads("a", 1))
        for database in (ledger.store._writer, ledger.store._reader):  # type: ignore[attr-defined]
            with socket.socket(fileno=os.dup(database.db.fileno())) as connection:
                options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
                assert [connection.getsockopt(socket.IPPROTO_TCP, option) for option in options] == [10, 5, 2, 20_000]
                assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1


def test_a_server_that_takes_a_connection_and_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(StoreLost, match=r"timeout.*is the server up"):
        Ledger(f"postgresql://nobody@127.0.0.1:{silent.getsockname()[1]}/none", producer="p")


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """A server of our own, since it is restarted; in memory, since after a crash it syncs every file that it has."""
    with pytest.MonkeyPatch.context() as patch:
        if Path("/dev/shm").is_dir():
            patch.setattr(tempfile, "tempdir", "/dev/shm")
        try:
            server = Postgres()
        except PostgresMissing as missing:
            pytest.skip(f"no PostgreSQL: {missing}")
    with server:
        yield server


def counted(state: State, now: float, seq: int) -> tuple[Payload, ...]:
    """A block under a rule that says how many there were before it."""
    before = state.count("counted", "block", "*", -1.0)
    return (Decided(f"counted.{before} 0 1", "block", "rule", 400, "counted", rule=f"{before}", points=1),)


def test_restarts_under_load_lose_and_double_nothing(server: Postgres, tmp_path: Path) -> None:
    """Two other processes and three threads of this one; each restart finds them in the middle of something."""
    place = server.create_database("restarted")
    said: list[Acknowledged] = []
    done = threading.Event()

    with Ledger(place, producer="here") as ledger:

        def append(caller: int) -> None:
            for i in itertools.count():
                if done.is_set():
                    return
                said.append(acknowledged(ledger.append(*payloads(f"here.{caller}.{i}", 1 + i % 3))))

        def count() -> None:
            while not done.is_set():
                said.append(acknowledged(ledger.compose(counted)))

        children = {tmp_path / name: started(place, tmp_path / name) for name in ("one", "two")}
        threads = [threading.Thread(target=append, args=(caller,)) for caller in range(2)] + [threading.Thread(target=count)]
        for thread in threads:
            thread.start()
        while not all(output.read_text().startswith("open\n") for output in children):
            time.sleep(0.01)
        try:
            for mode in ("fast", "immediate") * 3:
                time.sleep(0.2)
                server.stop(mode)
                server.start()
                before = len(said)
                while len(said) == before and any(thread.is_alive() for thread in threads):
                    time.sleep(0.01)  # until somebody was served
        finally:
            server.start()
            done.set()
            for child in children.values():
                child.communicate(b"end\n", timeout=100)
            for thread in threads:
                thread.join()
    assert [child.returncode for child in children.values()] == [0, 0]
    lines = [line for output in children for line in output.read_text().splitlines()[1:]]
    said += [msgspec.json.decode(line, type=Acknowledged) for line in lines]
    assert faults(place, said) == []
    entries = list(read(place))
    assert len(entries) == sum(each.n for each in said), "what was never acknowledged is there, or something twice"
    assert len(set(map(named, entries))) == len(entries)
    composed = [e.payload.rule for e in entries if isinstance(e.payload, Decided) and e.payload.account == "counted"]
    assert composed == [f"{n}" for n in range(len(composed))]


def started(place: str, output: Path) -> subprocess.Popen[bytes]:
    with output.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-c", WRITER, place, output.name], env={"PYTHONPATH": ":".join(sys.path)},
            stdin=subprocess.PIPE, stdout=file,
        )  # fmt: skip


class Proxy:
    """Stands before a server. `breaks` says of the next commits whether the connection breaks before or after them."""

    def __init__(self, direct: str) -> None:
        port = make_url(direct).port
        assert port is not None
        self._server = ("127.0.0.1", port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._clients: list[socket.socket] = []
        self.place = direct.replace(f":{port}/", f":{self._listening.getsockname()[1]}/")
        self.breaks: list[str] = []
        self.hook: Callable[[], object] = lambda: None
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Let nobody in any more."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def drop(self) -> None:
        """Throw everybody out."""
        for client in self._clients:
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                self._clients.append(client)
                threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with client, suppress(OSError), socket.create_connection(self._server) as server:
            while self._carried(client, server):
                pass

    def _carried(self, client: socket.socket, server: socket.socket) -> bool:
        source = select.select([client, server], [], [])[0][0]
        data = source.recv(1 << 20)
        # The client's word comes with other statements, and the server's comes once all of them were answered.
        if self.breaks and b"COMMIT\0" in data and source is (client if self.breaks[0] == "before" else server):
            self.breaks.pop(0)
            server.close()
            self.hook()
            return False
        (server if source is client else client).sendall(data)
        return bool(data)


@pytest.fixture
def direct(server: Postgres) -> str:
    """An empty database."""
    return server.create_database(f"direct_{secrets.token_hex(6)}")


@pytest.fixture
def proxy(direct: str) -> Iterator[Proxy]:
    proxy = Proxy(direct)
    yield proxy
    proxy.close()


@pytest.mark.parametrize(
    "breaks", [("before",), ("after",), ("before", "after"), ("after", "before"), ("before", "before", "after")]
)
def test_a_commit_left_in_doubt_is_looked_for(direct: str, proxy: Proxy, breaks: tuple[str, ...]) -> None:
    with Ledger(proxy.place, producer="p") as ledger:
        said = [acknowledged(ledger.compose(counted))]
        proxy.breaks = list(breaks)
        said.append(acknowledged(ledger.compose(counted)))
        assert proxy.breaks == []
        assert ledger.size == 2
        assert ledger.state.points("counted", 0.0) == 2, "what was acknowledged is not in the state"
        said.append(acknowledged(ledger.compose(counted)))
    assert [named(entry)[0] for entry in read(direct)] == ["counted.0", "counted.1", "counted.2"]
    assert faults(direct, said) == []


def test_another_writes_where_the_doubtful_commit_would_have_been(direct: str, proxy: Proxy) -> None:
    with Ledger(proxy.place, producer="p") as ledger, Ledger(direct, producer="p") as other:
        said: list[Acknowledged] = []
        proxy.hook = lambda: said.append(acknowledged(other.append(*payloads("other", 1))))
        proxy.breaks = ["before"]
        said.append(acknowledged(ledger.append(*payloads("doubt", 1))))
    assert [named(entry)[0] for entry in read(direct)] == ["other", "doubt"]
    assert faults(direct, said) == []


@pytest.mark.parametrize("breaks", ["before", "after"])
def test_doubt_that_cannot_be_resolved_is_told(direct: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, breaks: str) -> None:
    """Never as if nothing had been written: the server went away right after, and nobody knows."""
    monkeypatch.setattr(log, "_PATIENCE_S", 0.5)
    with Ledger(proxy.place, producer="p") as ledger:
        proxy.breaks, proxy.hook = [breaks], proxy.close
        with pytest.raises(CommitUnknown, match="look for its entries"):
            ledger.append(*payloads("doubt", 3))
    assert [named(entry)[0] for entry in read(direct)] == ["doubt"] * (3 if breaks == "after" else 0)


def test_a_server_that_stays_away_is_told_once_patience_ends(
    direct: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "_PATIENCE_S", 0.5)
    with Ledger(proxy.place, producer="p") as ledger:
        proxy.close()
        proxy.drop()
        with pytest.raises(StoreLost, match="is the server up"):
            ledger.append(*payloads("never", 3))
    assert list(read(direct)) == []


def test_idle_connections_survive_a_restart(server: Postgres, direct: str) -> None:
    """A gateway reads the state before it writes: its first question after a restart is answered."""
    with Ledger(direct, producer="p") as ledger:
        ledger.append(*payloads("first", 8))
        server.stop("fast")
        server.start()
        assert ledger.refresh() == 8
        server.stop("immediate")
        server.start()
        assert ledger.state.account("somebody who was never asked for") == Account()
        assert ledger.append(*payloads("last", 1))[0].seq == 8


def test_a_server_whose_transactions_begin_with_one_snapshot_is_no_danger(direct: str, server: Postgres) -> None:
    """With `repeatable read` from the start whoever waited for the lock would not see what the other committed meanwhile."""

    def twenty(ledger: Ledger) -> None:
        for i in range(20):
            ledger.append(*payloads(f"{ledger.producer}.{i}", 1))

    with psycopg.connect(direct.replace("+psycopg", ""), autocommit=True) as db:
        name = sql.Identifier(make_url(direct).database or "")
        db.execute(sql.SQL("ALTER DATABASE {} SET default_transaction_isolation = 'repeatable read'").format(name))
    with Ledger(direct, producer="one") as one, Ledger(direct, producer="two") as two:
        threads = [threading.Thread(target=twenty, args=(ledger,)) for ledger in (one, two)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(list(read(direct))) == 40
