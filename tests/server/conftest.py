"""A library of colours behind a server, asked in the process and over a real socket."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvicorn
from starlette.testclient import TestClient

from visionquery import Library
from visionquery.server import ServerSettings, create_app
from visionquery.server.running import address_of, listen

HERE = "http://127.0.0.1:8765"

Serve = Callable[..., TestClient]


@pytest.fixture
def running() -> type["Running"]:
    """What runs a server on a real socket: `with running(library, settings) as address`."""
    return Running


@pytest.fixture
def library(tmp_path: Path, tiny_model: Path, pictures: Path) -> Iterator[Library]:
    """Twelve pictures, two of each of six colours."""
    with Library.open(tmp_path / "library", model=tiny_model, create=True) as opened:
        opened.add(pictures)
        yield opened


@pytest.fixture
def serve(library: Library, tmp_path: Path) -> Iterator[Serve]:
    """Return a client, in this process, of a server with some settings."""
    clients = []

    def start(base_url: str = HERE, **wanted: object) -> TestClient:
        chosen = ServerSettings(**{"thumbnails": tmp_path / "thumbnails"} | wanted)
        client = TestClient(create_app(library, chosen), base_url=base_url)
        client.__enter__()
        clients.append(client)
        return client

    yield start
    for client in clients:
        client.__exit__(None, None, None)


@pytest.fixture
def api(serve: Serve) -> TestClient:
    """A client of a server as it comes."""
    return serve()


@pytest.fixture
def red_id(library: Library, pictures: Path) -> str:
    """The id of one/red.png."""
    return next(
        hit.image_id for hit in library.search("red") if hit.path == str(pictures / "one/red.png")
    )


@pytest.fixture
def address(library: Library, tmp_path: Path) -> Iterator[str]:
    """The address of a server on a real socket."""
    with Running(library, ServerSettings(port=0, thumbnails=tmp_path / "thumbnails")) as at:
        yield at


class Running:
    """A server on a thread of its own, for the length of a block."""

    def __init__(self, library: Library, settings: ServerSettings) -> None:
        self._socket = listen(settings)
        app = create_app(library, settings)
        config = uvicorn.Config(app, log_level="error", ws="none", timeout_graceful_shutdown=2)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True
        )

    def __enter__(self) -> str:
        self._thread.start()
        deadline = time.monotonic() + 20
        while not self._server.started:
            assert time.monotonic() < deadline, "the server does not start"
            time.sleep(0.01)
        return address_of(self._socket).rstrip("/")

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(20)
        self._socket.close()
        assert not self._thread.is_alive()
