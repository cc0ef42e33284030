"""What a person reads when Qdrant is away, refuses or fails, and that nothing is lost by it."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import create_server

import pytest
from tests.conformance.qdrant_stores import SERVER, new_engine, new_store

from visionquery.errors import (
    EngineError,
    InputError,
    LibraryBusyError,
    LibraryNotFoundError,
    SchemaTooNewError,
    StoreError,
)
from visionquery.store.qd import engine as engines
from visionquery.store.qd.address import read_address
from visionquery.store.qd.engine import Point, connected
from visionquery.store.qd.state import STATE, state_payload
from visionquery.store.qdrant import (
    check_place,
    create_store,
    created_at,
    open_store,
    opened_at,
)
from visionquery.testing.store_examples import MODEL, example_image, fill
from visionquery.types import ModelIdentity

KEY = "very-secret-key"
DOORS: tuple[Callable[[str], object], ...] = (
    open_store,
    check_place,
    lambda address: create_store(address, MODEL),
)
NONE_THERE = {"result": {"collections": []}, "status": "ok", "time": 0.0}


class Answers:
    """What a server says to one request after another, the last of it to all that follow."""

    def __init__(self, *said: tuple[int, object]) -> None:
        self.said, self.keys, self.asked = list(said), list[str | None](), 0

    def next(self) -> tuple[int, object]:
        self.asked += 1
        return self.said.pop(0) if len(self.said) > 1 else self.said[0]


@pytest.fixture
def serve() -> Iterator[Callable[[Answers], str]]:
    """Return how to start a server with some answers, and get the address of a library on it."""
    running = []

    def start(answers: Answers) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answers.keys.append(self.headers.get("api-key"))
                status, document = answers.next()
                if not status:
                    time.sleep(2)
                    return
                body = document if isinstance(document, bytes) else json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        running.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"qdrant://127.0.0.1:{server.server_port}/pictures"

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "_WAIT_SECONDS", 0.0)
    monkeypatch.delenv("QDRANT_API_KEY", raising=False)


@pytest.mark.parametrize("door", DOORS)
def test_a_server_that_is_away_is_named(door: Callable[[str], object]) -> None:
    with create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(EngineError, match=f"qdrant://127.0.0.1:{port}/pictures does not answer"):
        door(f"qdrant://127.0.0.1:{port}/pictures")


@pytest.mark.parametrize(
    ("status", "said", "message", "tries"),
    [
        (401, "Must provide an API key", "refuses this program .Must provide", 1),
        (403, "Global access is required", "QDRANT_API_KEY", 1),
        (500, "Service internal error: 1 of 3 shards failed", "1 of 3 shards failed .*: check", 1),
        (503, "Not the leader", "overloaded .Not the leader", 3),
        (429, "Too many", "overloaded", 3),
        (404, "Not found: Collection", "does not have what was there before", 1),
        (400, "Bad thing", "failed .400: Bad thing", 1),
    ],
)
@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
def test_what_a_server_says_is_passed_on(
    serve: Callable[[Answers], str], status: int, said: str, message: str, tries: int
) -> None:
    answers = Answers((status, {"status": {"error": f"{said} {KEY}"}, "time": 0.1}))
    with pytest.raises(EngineError, match=message) as raised:
        open_store(serve(answers) + f"?api_key={KEY}")
    assert KEY not in str(raised.value)
    assert answers.asked == tries
    assert set(answers.keys) == {KEY}


def test_what_passes_is_tried_again(serve: Callable[[Answers], str]) -> None:
    answers = Answers((503, {}), (502, {}), (200, NONE_THERE))
    with pytest.raises(LibraryNotFoundError, match="no library at qdrant://"):
        open_store(serve(answers))
    assert answers.asked == 3


def test_a_server_that_takes_too_long_is_not_waited_for(serve: Callable[[Answers], str]) -> None:
    began = time.monotonic()
    with pytest.raises(EngineError, match="does not answer"):
        open_store(serve(Answers((0, None))) + "?timeout=1")
    assert time.monotonic() - began < 10


def test_what_is_no_qdrant_is_told_apart(serve: Callable[[Answers], str]) -> None:
    for answer in (b"<html>hello</html>", {"hello": 1}):
        answers = Answers((200, answer))
        with pytest.raises(EngineError, match="is no Qdrant server"):
            open_store(serve(answers))
        assert answers.asked == 1


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
def test_the_key_may_stand_in_the_environment(
    serve: Callable[[Answers], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QDRANT_API_KEY", KEY)
    answers = Answers((200, NONE_THERE))
    check_place(serve(answers))
    assert set(answers.keys) == {KEY}


def test_an_address_says_what_is_meant() -> None:
    address = read_address(f"qdrant://h.example:7000/pics?https=true&replicas=2&api_key={KEY}")
    assert (address.host, address.port, address.collection) == ("h.example", 7000, "pics")
    assert (address.https, address.prefer_grpc, address.replicas) == (True, False, 2)
    assert address.shown == "qdrant://h.example:7000/pics"
    assert KEY not in repr(address)
    assert read_address("qdrant://localhost").shown == "qdrant://localhost:6333/visionquery"
    assert read_address("qdrant:///some/folder/pics").folder == "/some/folder"


@pytest.mark.parametrize(
    "address",
    [
        "qdrant://",
        "qdrant://h:port/a",
        "qdrant://h/a/b",
        "qdrant://h/a b",
        "qdrant://user:word@h/a",
        "qdrant://h/a?https=yes",
        "qdrant://h/a?shards=0",
        "qdrant://h/a?shrads=1",
    ],
)
def test_an_address_without_meaning_is_refused(address: str) -> None:
    with pytest.raises(InputError) as raised:
        open_store(address)
    assert "word" not in str(raised.value)


# The client leaves the lock of a folder open that it could not have.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_library_is_made_once(tmp_path: Path) -> None:
    address = f"qdrant://{tmp_path}/library/pictures"
    with pytest.raises(LibraryNotFoundError, match="no library at"):
        open_store(address)
    check_place(address)
    with closing(create_store(address, MODEL)) as store:
        assert store.location == address
        fill(store, {"a.jpg": example_image("a")})
        with pytest.raises(LibraryBusyError, match="Another process has the folder"):
            open_store(address)
    for refused in (check_place, lambda there: create_store(there, MODEL)):
        with pytest.raises(StoreError, match="already"):
            refused(address)
    with closing(open_store(address)) as store:
        assert store.model == MODEL
        assert store.find(example_image("a").image_id) == [0]


def test_what_is_no_library_is_left_alone() -> None:
    for name in ("{}", "{}-g1"):
        engine = new_engine()
        other = name.format(engine.address.collection)
        engine.make(other, 4, {})
        engine.put(other, [Point(7, {}, example_image("a").vector[:4])])
        with pytest.raises(StoreError, match="choose another name"):
            created_at(engine, MODEL)
        assert engine.count(other, {}) == 1
        with pytest.raises(StoreError, match="no library"):
            opened_at(engine)
        engine.drop(other)
        engine.close()


def test_what_a_maker_left_that_was_cut_off_is_no_library_yet() -> None:
    engine = new_engine()
    engine.make(engine.address.collection, None, {})
    with pytest.raises(LibraryNotFoundError):
        opened_at(engine)
    with closing(created_at(engine, MODEL)) as store:
        assert store.image_count() == 0


def test_of_two_that_make_a_library_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = new_engine()
    monkeypatch.setattr("visionquery.store.qdrant._check_free", lambda _: None)
    created_at(engine, MODEL)
    with pytest.raises(StoreError, match="already"):
        created_at(engine, ModelIdentity("other", "f9", 8, "other"))
    assert opened_at(engine).model == MODEL


def test_a_newer_library_is_refused() -> None:
    with closing(new_store(MODEL)) as store:
        engine = store._open.engine
        newer = {**state_payload(store._open.state()), "version": 2}
        engine.put(engine.address.collection, [Point(STATE, newer)])
        with pytest.raises(SchemaTooNewError, match="version 2, this program knows up to 1"):
            opened_at(engine)


def test_defects_are_not_called_failures_of_the_server() -> None:
    engine = new_engine()
    with pytest.raises(TypeError):
        engine._ask(lambda: 1 + "1")  # type: ignore[operator]
    engine.close()


@pytest.mark.skipif(not SERVER, reason="no server is given by VISIONQUERY_TEST_QDRANT")
def test_a_server_is_there() -> None:
    engine = connected(read_address(f"{SERVER}/any"))
    assert isinstance(engine.collections(), set)
    engine.close()
