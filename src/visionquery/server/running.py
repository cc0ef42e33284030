"""A server process: its socket, its loop, and a shutdown that leaves nothing half done."""

import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from visionquery.errors import InputError
from visionquery.server.context import Context
from visionquery.server.settings import ServerSettings

__all__ = ["address_of", "listen", "run"]

_SECONDS_FOR_REQUESTS = 5
_MAX_CONNECTIONS = 1000
_MAX_HEADER_BYTES = 64 * 1024


def listen(settings: ServerSettings) -> socket.socket:
    """Return a socket that listens where the settings say. Raises InputError when it cannot."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listening = socket.create_server((settings.host, settings.port), family=family, backlog=512)
    except OSError as error:
        reason = str(error.strerror or error).partition(" (while")[0].lower()
        raise InputError(
            f"The server cannot listen on {settings.host}, port {settings.port}: {reason}. Give "
            "another --host or --port; port 0 is any that is free."
        ) from error
    # Else the end of an answer waits 40 ms for the receipt of its head: asyncio does this only for
    # sockets whose protocol is told. Connections have it from the socket that accepts them.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def address_of(listening: socket.socket) -> str:
    """Return the address of the page of a server that listens on a socket, for a browser here."""
    host, port = listening.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = "localhost"
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def run(app: FastAPI, listening: socket.socket, *, on_ready: Callable[[], None]) -> None:
    """Serve until the process is told to stop; `on_ready` is called when the first request can
    come. Requests under way get a few seconds to end, an index job ends after its batch."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="on",
        ws="none",
        limit_concurrency=_MAX_CONNECTIONS,
        h11_max_incomplete_event_size=_MAX_HEADER_BYTES,
        timeout_graceful_shutdown=_SECONDS_FOR_REQUESTS,
    )
    _Server(config, app.state.context, on_ready).run(sockets=[listening])


class _Server(uvicorn.Server):
    """A server that says when it is ready, and ends event streams before it waits for them."""

    def __init__(
        self, config: uvicorn.Config, context: Context, on_ready: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._context = context
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve."""
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop to serve."""
        self._context.jobs.stop()
        await super().shutdown(sockets)
