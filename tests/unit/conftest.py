"""A server that answers as the Hugging Face hub does, and a model whose files are there only."""

import hashlib
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from visionquery.errors import VisionQueryError
from visionquery.models.description import read_spec
from visionquery.models.weights import pull
from visionquery.testing.tiny_model import make_tiny_model

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
