"""A server that answers as the Hugging Face hub does, and a model whose files are there only; a
world of words in which the numbers of a search can be read."""

import hashlib
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from visionquery.errors import VisionQueryError
from visionquery.models.description import read_spec
from visionquery.models.weights import pull
from visionquery.query.ast import Node
from visionquery.query.grammar import parse
from visionquery.query.plan import Null, Plan
from visionquery.search.background import Background
from visionquery.search.executor import execute
from visionquery.search.planner import plan as make_plan
from visionquery.search.result import Page
from visionquery.store.base import FileRecord, NewImage, Store
from visionquery.store.memory import MemoryStore
from visionquery.store.questions import Where
from visionquery.testing.tiny_model import make_tiny_model
from visionquery.types import Calibration, Curve, Decoded, Facts, Line, Matrix, ModelIdentity

REVISION = "1234567890" * 4


class Hub(ThreadingHTTPServer):
    """A hub of one repository, `me/tiny`.

    `cuts`: after how many bytes of a file each of the next answers breaks off. `held`: an answer
    stops after `hold_after` bytes until it is set. `takes_ranges`: whether it can send a part.
    `moved_to`: another server to which it sends those who fetch a file. `xet`: whether it offers
    the other way of fetching, which this server does not have. `refusal`: a status for all files.
    `tells_size`: whether it says how long a file is before it sends it.
    """

    daemon_threads = True

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.files = files
        self.etags = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.cuts: list[int] = []
        self.held = threading.Event()
        self.held.set()
        self.hold_after = 0
        self.takes_ranges = True
        self.moved_to: str | None = None
        self.xet = False
        self.refusal: int | None = None
        self.tells_size = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def ranges(self, name: str) -> list[str | None]:
        """From where on a file was asked for, in order; None for the whole of it."""
        return [
            headers.get("range")
            for command, path, headers in self.requests
            if command == "GET" and path.endswith(f"/{name}")
        ]


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def do_HEAD(self) -> None:
        self.reply(body=False)

    def do_GET(self) -> None:
        self.reply(body=True)

    def reply(self, *, body: bool) -> None:
        hub = self.server
        headers = {name.lower(): value for name, value in self.headers.items()}
        hub.requests.append((self.command, self.path, headers))
        found = re.fullmatch(rf"/me/tiny/resolve/{REVISION}/(.+)", self.path)
        content = hub.files.get(found[1]) if found else None
        if content is None or hub.refusal is not None:
            self.send_response(404 if content is None else hub.refusal)
            self.end_with({"Content-Length": "0"})
            return
        etag = f'"{hub.etags[found[1]]}"'
        facts = {"X-Repo-Commit": REVISION, "ETag": etag, "X-HF-Warning": "talk; set a token"}
        if hub.xet:
            facts |= {"X-Xet-Hash": "a" * 64, "X-Xet-Refresh-Route": f"{hub.url}/xet-token"}
        if hub.moved_to is not None:
            self.send_response(302)
            facts |= {"X-Linked-Etag": etag, "X-Linked-Size": str(len(content))}
            facts |= {"Location": hub.moved_to + self.path, "Content-Length": "0"}
            self.end_with(facts)
            return
        self.reply_with(content, facts, body=body)

    def reply_with(self, content: bytes, facts: dict[str, str], *, body: bool) -> None:
        hub = self.server
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(wanted[1]) if wanted and hub.takes_ranges else 0
        self.send_response(206 if start else 200)
        if start:
            facts["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        if body or hub.tells_size:
            facts["Content-Length"] = str(len(content) - start)
        self.end_with(facts)
        if body:
            if hub.cuts:
                content = content[: hub.cuts.pop(0)]
                self.close_connection = True
            stop = len(content) if hub.held.is_set() else hub.hold_after
            self.wfile.write(content[start:stop])
            hub.held.wait(30)
            self.wfile.write(content[max(start, stop) :])

    def end_with(self, headers: dict[str, str]) -> None:
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        return


@pytest.fixture(scope="session")
def tiny_hub_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the hub's repository is made from."""
    return make_tiny_model(tmp_path_factory.mktemp("tiny-hub"))


@pytest.fixture
def make_hub(tiny_hub_files: Path) -> Iterator[Callable[[], Hub]]:
    """A function that starts another hub with the same files."""
    running: list[tuple[Hub, threading.Thread]] = []

    def make() -> Hub:
        files = {f"onnx/{file.name}": file.read_bytes() for file in tiny_hub_files.iterdir()}
        server = Hub(files)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        running.append((server, thread))
        return server

    yield make
    for server, thread in running:
        server.held.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def hub(make_hub: Callable[[], Hub]) -> Hub:
    """A hub that has the tiny model."""
    return make_hub()


@pytest.fixture
def description(tmp_path: Path, tiny_hub_files: Path) -> Path:
    """A folder's model.toml that says of every file that it is on the hub."""
    lines = []
    for line in (tiny_hub_files / "model.toml").read_text().splitlines():
        lines.append(line)
        if file := re.fullmatch(r'file = "(.+)"', line):
            size = (tiny_hub_files / file[1]).stat().st_size
            lines += [
                'repo = "me/tiny"', f'revision = "{REVISION}"', f'path = "onnx/{file[1]}"',
                f"size_bytes = {size}",
            ]
    place = tmp_path / "hubbed" / "model.toml"
    place.parent.mkdir()
    place.write_text("\n".join(lines))
    return place


@pytest.fixture
def to_hub(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """The client of this process goes to `hub`, with an own cache; call it with another address
    to send it elsewhere."""
    from huggingface_hub import constants

    def send_to(address: str) -> None:
        template = address + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)

    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hf" / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    send_to(hub.url)
    return send_to


@pytest.fixture
def here(to_hub: Callable[[str], None], description: Path) -> Callable[[], VisionQueryError | None]:
    """A function that pulls the model in this process and gives the error, if there is one."""

    def pull_here() -> VisionQueryError | None:
        try:
            pull(read_spec(description, source="hubbed"))
        except VisionQueryError as error:
            return error
        return None

    return pull_here


@pytest.fixture
def cached(tmp_path: Path) -> Callable[[str], Path]:
    """A function that gives the blob of a file in the cache."""

    def blob(name: str) -> Path:
        (place,) = (tmp_path / "hf").rglob(f"snapshots/*/onnx/{name}")
        return place.resolve()

    return blob

WORDS = ("dog", "beach", "car", "people", "snow")


@dataclass
class WordEncoder:
    """One axis for each of WORDS and one for all else; a picture shows its mean colours."""

    identity: ModelIdentity
    calibration: Calibration | None
    logit_scale: float = 10.0
    image_side: int = 2
    batches: list[list[str]] = field(default_factory=list)

    def prepare(self, decoded: Decoded) -> NDArray[np.float32]:
        return decoded.pixels.transpose(2, 0, 1).astype(np.float32)

    def encode_images(self, prepared: NDArray[np.float32]) -> Matrix:
        means = prepared.mean(axis=(2, 3))
        padded = np.pad(means, ((0, 0), (0, self.identity.embed_dim - 3)))
        return padded / np.linalg.norm(padded, axis=1, keepdims=True)

    def encode_texts(self, texts: Sequence[str]) -> Matrix:
        self.batches.append(list(texts))
        rows = [[float(word in re.findall("[a-z]+", text)) for word in WORDS] for text in texts]
        matrix = np.array([[*row, 0.0 if any(row) else 1.0] for row in rows], np.float32)
        return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


class World:
    """A world of words in which every cosine can be read: images that show them, stores, plans."""

    identity = ModelIdentity("words", "f1", len(WORDS) + 1, "words")
    null = Null(mean=0.0, std=0.1, bias=0.0)
    calibration = Calibration(
        text=Curve(match=Line(1.2, 3.0), presence=Line(2.5, 5.0), tail=0.5),
        picture=Curve(match=Line(1.0, 3.0)),
        exclusion=1.0,
        words=4.0,
    )

    def encoder(self, **changes: Any) -> WordEncoder:
        return replace(WordEncoder(self.identity, self.calibration), **changes)

    def image(self, name: str, *, facts: dict[str, Any] | None = None, **parts: float) -> NewImage:
        """An image whose id is `name` and that shows `parts`, as much as is said of each."""
        vector = np.array([*(parts.get(word, 0.0) for word in WORDS), 0.05], np.float32)
        vector /= np.linalg.norm(vector)
        return NewImage(name, vector, Facts(**{**_FACTS, **(facts or {})}))

    def store(self, *images: NewImage, names: dict[str, str] | None = None) -> MemoryStore:
        """A store of images in files that are called as their ids, or as in `names`."""
        store = MemoryStore(self.identity)
        self.fill(store, images, names=names)
        return store

    def fill(
        self, store: Store, images: Sequence[NewImage], *, names: dict[str, str] | None = None
    ) -> None:
        places = {image.image_id: f"{image.image_id}.jpg" for image in images} | (names or {})
        with store.writing():
            root = store.add_root("/pile").root_id
            ids = [image.image_id for image in images]
            store.write(images, [FileRecord(root, places[id_], 10, 1, id_) for id_ in ids])

    def plan(
        self,
        query: str | Node,
        store: Store,
        *,
        encoder: WordEncoder | None = None,
        background: Background | Literal["usual"] | None = "usual",
        pixels: NDArray[np.uint8] | None = None,
    ) -> Plan:
        if background == "usual":
            zero = np.zeros(self.identity.embed_dim, np.float32)
            background = Background(self.null, zero, zero, images=1, measured_rows=0)

        def read(path: str) -> Decoded:
            assert pixels is not None, f"{path} was read"
            return Decoded(pixels, Facts(2, 2, "PNG", 1))

        return make_plan(
            parse(query) if isinstance(query, str) else query,
            encoder=encoder or self.encoder(),
            store=store,
            background=background,
            read_picture=read,
        )

    def search(self, query: str | Node, store: Store, **wanted: Any) -> Page:
        return execute(self.plan(query, store), store, **wanted)

    def ids(self, query: str | Node, store: Store, **wanted: Any) -> list[str]:
        """The ids of a whole page, hits and closest."""
        page = self.search(query, store, **wanted)
        return [hit.image_id for hit in (*page.hits, *page.closest)]

    def where(self, store: Store, *ids: str) -> Where:
        """The places of some images."""
        rows = store.rows_of(ids).values()
        places = [path for record in store.records(list(rows)) for path in record.paths]
        return Where(tuple(scope for place in places if (scope := store.locate(place))))

    def relevant(self, query: str | Node, store: Store) -> list[str]:
        return [hit.image_id for hit in self.search(query, store, limit=1000).hits]

    def confidences(self, query: str | Node, store: Store, **wanted: Any) -> dict[str, float]:
        page = self.search(query, store, **{"limit": 1000, "min_confidence": 0.0, **wanted})
        return {hit.image_id: hit.confidence for hit in page.hits}


_FACTS: dict[str, Any] = {"width": 100, "height": 50, "format": "JPEG", "size_bytes": 10}


@pytest.fixture(scope="session")
def world() -> World:
    """A world of words, with an encoder whose every number can be told beforehand."""
    return World()
