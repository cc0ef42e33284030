"""Writers of a library in Qdrant: one at a time, and what is left of one that was killed."""

import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from tests.conformance.histories import assert_alike
from tests.conformance.qdrant_stores import new_store

from visionquery.errors import EngineError, LibraryBusyError, LibraryReplacedError
from visionquery.store.base import FileRecord, Scope, Store
from visionquery.store.memory import MemoryStore
from visionquery.store.qd import changes, lease
from visionquery.store.qd.engine import Point
from visionquery.store.qd.lease import LEASE
from visionquery.store.qd.store import QdrantStore
from visionquery.store.qdrant import create_store, open_store, opened_at
from visionquery.testing.store_examples import MODEL, example_image, fill, is_refused

NEXT = replace(MODEL, name="next", fingerprint="f2", embed_dim=6)
WRITER = """
import os, signal, sys
from visionquery.store.qd.engine import Engine
from visionquery.store.qdrant import open_store
from tests.conformance.test_qdrant_writers import CHANGES

address, change, method, times = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
store = open_store(address)
true, left = getattr(Engine, method), [times]

def dying(self, *values, **named):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return true(self, *values, **named)

with store.writing():
    setattr(Engine, method, dying)
    CHANGES[change](store)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[str]:
    """Return a folder, in memory where there is one: each point written waits for the disk."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as name:
        yield name


@pytest.fixture
def stores() -> Iterator[tuple[QdrantStore, QdrantStore]]:
    """Return one library, opened twice."""
    with closing(new_store(MODEL)) as store:
        fill(store, {"a.jpg": example_image("a"), "b.jpg": example_image("b")})
        yield store, opened_at(store._open.engine)


def test_a_writer_keeps_others_out(stores: tuple[QdrantStore, QdrantStore]) -> None:
    first, second = stores
    with first.writing():
        with pytest.raises(LibraryBusyError, match="has been writing to the library") as raised:
            second.writing().__enter__()
        assert (raised.value.pid, raised.value.host) == (os.getpid(), platform.node())
        assert raised.value.since is not None
        first.set_note("by", "first")
    with second.writing():
        second.set_note("by", "second")
    assert first.note("by") == "second"


@pytest.mark.parametrize(
    ("changed", "is_free"),
    [
        ({"host": "elsewhere"}, False),
        ({"host": "elsewhere", "renewed": -61.0}, True),
        ({"host": "elsewhere", "renewed": -55.0}, False),
        ({"pid": 2**22 + 1}, True),
        ({"renewed": -61.0}, True),
    ],
)
def test_a_place_is_taken_over_when_its_writer_is_gone(
    stores: tuple[QdrantStore, QdrantStore], changed: dict[str, object], is_free: bool
) -> None:
    store, _ = stores
    known = {
        "kind": "lease", "nonce": "x", "pid": os.getpid(), "host": platform.node(),
        "since": "2024-05-03T10:00:00+00:00", **changed,
        "renewed": time.time() + float(changed.get("renewed", 0.0)),
    }  # fmt: skip
    store._open.engine.put(store._open.catalog, [Point(LEASE, known)])
    if is_free:
        with store.writing():
            store.set_note("a", "b")
        assert store.note("a") == "b"
    else:
        with pytest.raises(LibraryBusyError, match="2024-05-03 10:00"):
            store.writing().__enter__()


def test_a_writer_that_lost_its_place_writes_no_more(
    stores: tuple[QdrantStore, QdrantStore],
) -> None:
    store, other = stores
    engine, catalog = store._open.engine, store._open.catalog
    with store.writing():
        (mine,) = engine.get(catalog, [LEASE]).values()
        engine.put(catalog, [Point(LEASE, {**mine.payload, "nonce": "other", "host": "h"})])
        with pytest.raises(LibraryBusyError, match="on h has been writing"):
            store.set_note("a", "b")
        engine.remove(catalog, [LEASE])
        with pytest.raises(EngineError, match="lost the note of who writes"):
            store.set_note("a", "b")
    assert other.note("a") is None


def test_a_writer_says_that_it_is_there(
    stores: tuple[QdrantStore, QdrantStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _ = stores
    monkeypatch.setattr(lease, "_RENEWED_SECONDS", 0.05)

    def renewed() -> float:
        (known,) = store._open.engine.get(store._open.catalog, [LEASE]).values()
        return float(known.payload["renewed"])

    with store.writing():
        began, end = renewed(), time.monotonic() + 10
        while renewed() == began and time.monotonic() < end:
            time.sleep(0.02)
        assert renewed() > began


@pytest.mark.parametrize("change", ["compact", "move"])
def test_a_library_that_was_replaced_is_opened_again(
    stores: tuple[QdrantStore, QdrantStore], change: str
) -> None:
    store, other = stores
    with store.writing():
        store.forget([(1, "a.jpg")])
        store.prune()
        if change == "compact":
            store.compact()
        else:
            store.begin_next(NEXT)
            store.write_next([1], example_image("b", embed_dim=6).vector[None])
            store.finish_next()
    for asked in (other.row_count, other.alive, lambda: other.records([0]),
                  lambda: other.vectors([0]), lambda: other.find("00"),
                  lambda: other.writing().__enter__()):  # fmt: skip
        assert is_refused(asked, LibraryReplacedError)
    assert len(other.roots()) == 1
    again = opened_at(store._open.engine)
    assert again.model == store.model
    assert again.row_count() == store.row_count()
    assert other.model == MODEL


def test_one_state_is_read_while_another_writes(stores: tuple[QdrantStore, QdrantStore]) -> None:
    store, other = stores
    with other.reading():
        assert other.row_count() == 2
        fill(store, {"c.jpg": example_image("c")}, home="/elsewhere")
        assert (other.row_count(), other.image_count(), len(other.roots())) == (2, 2, 1)
        assert len(other.alive()) == len(other.measures()) == 2
        assert other.scores(other.vectors([0])).shape == (1, 2)
        assert other.rows_of([example_image("c").image_id]) == {}
        assert other.ordered("path").tolist() == [0, 1]
    assert (other.row_count(), len(other.roots())) == (3, 2)


def test_an_intent_may_be_larger_than_a_request(
    stores: tuple[QdrantStore, QdrantStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _ = stores
    monkeypatch.setattr(changes, "_CHARACTERS", 50)
    true = changes.make

    def checked(engine: object, change: object) -> None:
        assert changes.kept_intent(engine) == change
        true(engine, change)

    monkeypatch.setattr(changes, "make", checked)
    with store.writing():
        store.write_texts({0: "zero \0 \N{GRINNING FACE}"})
        store.move(Scope(1), "/moved")
    assert changes.kept_intent(store._open.engine) is None
    assert store._open.engine.count(
        store._open.catalog, {"must": [{"key": "kind", "match": {"value": "intent"}}]}
    ) == 0


def _write(store: Store) -> None:
    dim = store.model.embed_dim
    images = [example_image("new", embed_dim=dim), example_image("1", embed_dim=dim)]
    files = [
        FileRecord(1, "a/new.jpg", 3, 4, images[0].image_id),
        FileRecord(1, "0.jpg", 3, 4, images[1].image_id),
        FileRecord(1, "broken.jpg", 3, 4, None, "it is cut off"),
    ]
    store.write(images, files)


def _hand(store: Store) -> None:
    store.move(Scope(1, "b"), "/elsewhere")


def _prune(store: Store) -> None:
    store.forget([(1, "b/2.jpg")])
    store.prune()


def _compact(store: Store) -> None:
    _prune(store)
    store.compact(notes={"a": "b"})


def _begin(store: Store) -> None:
    store.begin_next(NEXT)
    vectors = [example_image(f"next {row}", embed_dim=6).vector for row in range(3)]
    store.write_next(range(3), np.stack(vectors))


def _move(store: Store) -> None:
    _begin(store)
    store.finish_next(forget_notes=["of the model"])


def _nothing(_: Store) -> None:
    pass


CHANGES: dict[str, Callable[[Store], None]] = {
    "write": _write, "hand": _hand, "prune": _prune, "compact": _compact, "move": _move,
}  # fmt: skip


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize(
    ("change", "method", "times", "made"),
    [
        ("write", "put", 1, _nothing),  # the new images
        ("write", "put", 2, _nothing),  # the intent
        ("write", "amend", 1, _write),
        ("write", "put", 5, _write),  # the state
        ("hand", "put", 2, _hand),
        ("hand", "remove", 1, _hand),
        ("compact", "put", 10, _prune),  # the intent
        ("compact", "put", 11, _compact),
        ("compact", "drop", 1, _compact),
        ("move", "amend", 2, _begin),
        ("move", "drop", 1, _move),
    ],
)
def test_a_killed_writer_leaves_all_or_nothing(
    folder: str, change: str, method: str, times: int, made: Callable[[Store], None]
) -> None:
    address, memory = f"qdrant://{folder}/library/pictures", MemoryStore(MODEL)
    with closing(create_store(address, MODEL)) as store:
        for each in (store, memory):
            _fill(each)
    killed = subprocess.run(
        [sys.executable, "-c", WRITER, address, change, method, str(times)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    with closing(_opened(address)) as store, memory.writing():
        made(memory)
        assert store.note("a") == memory.note("a")
        assert store.note("of the model") == memory.note("of the model")
        assert_alike(store, memory, np.random.default_rng(0))
        with store.writing():
            for each in (store, memory):
                _write(each)
        assert_alike(store, memory, np.random.default_rng(0))
        assert store._open.engine.collections() == {
            "pictures", store._open.vectors, *(["pictures-g2"] if made is _begin else [])
        }  # fmt: skip


def _fill(store: Store) -> None:
    names = {"0.jpg": "0", "b/1.jpg": "1", "b/2.jpg": "2"}
    fill(store, {path: example_image(name) for path, name in names.items()})
    with store.writing():
        store.set_note("of the model", "x")


def _opened(address: str) -> QdrantStore:
    """Open a library after a writer came, whose place the killed one did not keep."""
    with closing(open_store(address)) as store, suppress(LibraryReplacedError), store.writing():
        pass
    return open_store(address)
