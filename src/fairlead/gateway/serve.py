"""The server around the application: uvicorn on a socket bound before, so that port 0 works and the address is known."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator

import uvicorn

from fairlead.records.errors import FairleadError, InputError

#: Anything that speaks ASGI.
App = Callable[..., Awaitable[None]]

_DRAIN_S = 10  # seconds that running requests get when the server stops


class _Server(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, app: App, listening: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http="httptools",
                loop="uvloop",
                ws="none",
                lifespan="on",
                access_log=False,
                log_level="error",
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=_DRAIN_S,
            )
        )
        self._listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._listening()


def bind(port: int) -> socket.socket:
    """A listening address on loopback; port 0 takes a free one. Raises InputError when it is taken."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(("127.0.0.1", port))
    except OSError as error:
        bound.close()
        raise InputError(f"port {port} on 127.0.0.1 cannot be taken: {error.strerror}; name another with --port") from error
    return bound


def address(bound: socket.socket) -> str:
    """`http://127.0.0.1:PORT`."""
    host, port = bound.getsockname()
    return f"http://{host}:{port}"


def serve(app: App, bound: socket.socket, ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT, then let running requests end. `ready` gets the address once it listens.

    Raises FairleadError when the application could not start.
    """
    server = _Server(app, lambda: ready(address(bound)))
    # uvicorn raises the signal that stopped it once more when it is done; the caller still has a ledger to close.
    before = {sign: signal.signal(sign, lambda *_: None) for sign in (signal.SIGTERM, signal.SIGINT)}
    try:
        server.run(sockets=[bound])
    except SystemExit as error:
        raise FairleadError("the server could not start; see the line above") from error
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)
        bound.close()


@contextlib.contextmanager
def serving(app: App) -> Iterator[str]:
    """Serve in a thread of this process, on a free port, for as long as the block runs; gives the address."""
    bound, listening = bind(0), threading.Event()
    server = _Server(app, listening.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, name="gateway")
    thread.start()
    try:
        while not listening.wait(0.05):
            if not thread.is_alive():
                raise FairleadError("the gateway could not start; see the line above")
        yield address(bound)
    finally:
        server.should_exit = True
        thread.join()
        bound.close()
