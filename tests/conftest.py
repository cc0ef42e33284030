"""What many tests stand on: a generated model of colours, pictures that it understands, and,
where they are, the shared real model and photographs."""

import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import uvicorn
from PIL import Image
from tests.copies import Places
from tests.engines import Postgres, running_postgres

from visionquery import Library
from visionquery.server import ServerSettings, create_app
from visionquery.server.running import address_of, listen
from visionquery.testing.tiny_model import make_tiny_model

SHARED = Path(__file__).parents[2] / "shared"
COLOURS = {
    "red": (200, 30, 30),
    "green": (30, 160, 40),
    "blue": (30, 50, 200),
    "yellow": (230, 210, 40),
    "black": (15, 15, 15),
    "white": (245, 245, 245),
}


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder whose towers know colours."""
    return make_tiny_model(tmp_path_factory.mktemp("tiny-model"))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL with pgvector; each test takes a schema of its own."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def places(tmp_path: Path, request: pytest.FixtureRequest) -> Places:
    """New places for libraries, in folders and in engines."""
    return Places(tmp_path, request.getfixturevalue)


@pytest.fixture(scope="session")
def lit_tiny() -> Path:
    """The shared real encoder."""
    folder = SHARED / "models" / "lit-tiny"
    if not folder.is_dir():
        pytest.skip("the shared model lit-tiny is not here")
    return folder


@pytest.fixture(scope="session")
def flickr() -> Path:
    """The shared folder of 1,000 captioned photographs."""
    folder = SHARED / "data" / "flickr8k-dev"
    if not folder.is_dir():
        pytest.skip("the shared photographs of flickr8k-dev are not here")
    return folder


def paint(path: Path, colour: str, seed: int) -> Path:
    """Save a picture of one colour with a little noise, so that no two have the same bytes."""
    noise = np.random.default_rng(seed).integers(-12, 13, (48, 64, 3))
    pixels = np.clip(np.array(COLOURS[colour]) + noise, 0, 255).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture(scope="session", name="paint")
def painter() -> Callable[[Path, str, int], Path]:
    """What saves a picture: `paint(path, colour, seed)`."""
    return paint


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of twelve pictures, two of each colour, in two subfolders."""
    folder = tmp_path / "pictures"
    for number, colour in enumerate(COLOURS):
        paint(folder / "one" / f"{colour}.png", colour, number)
        paint(folder / "two" / f"{colour}.jpg", colour, 100 + number)
    return folder


@pytest.fixture
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No setting of the person who runs the tests leaks in; the library is in `tmp_path`."""
    for name in ("MODEL", "OFFLINE", "THREADS"):
        monkeypatch.delenv(f"VISIONQUERY_{name}", raising=False)
    config = tmp_path / "config.toml"
    config.touch()
    library = tmp_path / "library"
    monkeypatch.setenv("VISIONQUERY_CONFIG", str(config))
    monkeypatch.setenv("VISIONQUERY_LIBRARY", str(library))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "no-hub-cache"))
    monkeypatch.setenv("COLUMNS", "100")
    return library


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


@pytest.fixture(scope="session")
def running() -> type[Running]:
    """What runs a server on a real socket: `with running(library, settings) as address`."""
    return Running


class Bucket:
    """A bucket of a real S3 server on this machine; `address` is what it is named by."""

    def __init__(self, name: str) -> None:
        import s3fs

        self.address = f"s3://{name}"
        self._name, self._files = name, s3fs.S3FileSystem()
        self._files.call_s3("create_bucket", Bucket=name)

    def put(self, key: str, content: bytes) -> str:
        """Store an object, whatever its key is; return its address."""
        self._files.call_s3("put_object", Bucket=self._name, Key=key, Body=content)
        return f"{self.address}/{key}"

    def delete(self, key: str) -> None:
        self._files.call_s3("delete_object", Bucket=self._name, Key=key)


_numbers = itertools.count()


@pytest.fixture(scope="session")
def s3() -> Iterator[None]:
    """An S3 server, to which addresses of this process lead."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        yield
        server.stop()


@pytest.fixture
def bucket(s3: None) -> Bucket:
    """A new bucket."""
    return Bucket(f"pictures-{next(_numbers)}")


@pytest.fixture
def painted(tmp_path: Path) -> Callable[[str, int], bytes]:
    """Return the bytes of a picture of one colour."""
    return lambda colour, seed: paint(tmp_path / "painted.png", colour, seed).read_bytes()
