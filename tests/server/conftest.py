"""A library of colours behind a server, asked in the process and over a real socket."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from visionquery import Library
from visionquery.server import ServerSettings, create_app

HERE = "http://127.0.0.1:8765"

Serve = Callable[..., TestClient]


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
def address(running, library: Library, tmp_path: Path) -> Iterator[str]:
    """The address of a server on a real socket."""
    with running(library, ServerSettings(port=0, thumbnails=tmp_path / "thumbnails")) as at:
        yield at
