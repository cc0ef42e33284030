"""What a large library in Qdrant answers, with the numbers from which on it counts as large made
small: against what memory says of every image."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from tests.conformance.qdrant_stores import new_store

from visionquery.query.ast import And, Contains, Filter, Near, Node, Not, OneOf, Or, Range
from visionquery.store.base import NewImage, Scope
from visionquery.store.memory import MemoryStore
from visionquery.store.qd import asking, vectors
from visionquery.store.qd.store import QdrantStore
from visionquery.store.questions import EVERYWHERE, Question, Where
from visionquery.testing.store_examples import MODEL, example_image, fill

COUNT = 200
WIDE = Filter("width", Range(800, None))
TESTS: tuple[Node, ...] = (
    WIDE,
    Not(WIDE),
    Filter("date", Range("2024-03", "2024-05-03T10")),
    Filter("date", Range("2024-05-03T10:00:00", None)),
    Filter("date", Range(None, None)),
    Not(Filter("date", Range("2024", "2024-06"))),
    Filter("near", Near(0, 180, 60)),
    Not(Filter("near", Near(48.8, 2.3, 900))),
    Filter("camera", Contains("sony")),
    Filter("camera", Contains("*7")),
    Filter("keyword", OneOf(("7", "näme?", "1*"))),
    Filter("path", Contains("tures/hol")),
    Filter("path", Contains("day/1")),
    Filter("path", Contains("p*/h*/1?.jpg")),
    Not(Filter("path", Contains("holiday"))),
    Filter("path", Contains("z")),
    Filter("ext", OneOf(("png", "tif"))),
    Filter("text", Contains("EXIT 7")),
    Not(Filter("text", Contains("exit"))),
    Filter("orientation", OneOf(("portrait",))),
    And((WIDE, Or((Filter("camera", Contains("café")), Filter("text", Contains("")))))),
)
UNITS = (("exit",), ("7", "twenty two"), ("nowhere",), ("pictures",), ("holiday 12",))


@pytest.fixture(autouse=True)
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a library be large, and few images be few."""
    monkeypatch.setattr(vectors, "KEPT_UP_TO", 20)
    monkeypatch.setattr(asking, "KEPT_UP_TO", 20)
    monkeypatch.setattr(asking, "COMPARED_ALL", 30)
    monkeypatch.setattr(asking, "_SPARE", 2)


@pytest.fixture(scope="module")
def stores() -> Iterator[tuple[QdrantStore, MemoryStore]]:
    """Return a store and one in memory with the same in it, to read."""
    yield from _two()


@pytest.fixture
def own_stores() -> Iterator[tuple[QdrantStore, MemoryStore]]:
    """Return such two to write to."""
    yield from _two()


def _two() -> Iterator[tuple[QdrantStore, MemoryStore]]:
    memory = MemoryStore(MODEL)
    with closing(new_store(MODEL)) as store:
        for each in (store, memory):
            _fill(each)
        yield store, memory


@pytest.mark.parametrize("test", [None, *TESTS], ids=str)
def test_candidates_are_the_nearest_of_those_meant(
    stores: tuple[QdrantStore, MemoryStore], test: Node | None
) -> None:
    store, memory = stores
    scopes = (Scope(1, "holiday"), Scope(1, "c/5.png"))
    for where in (
        Where(test=test),
        Where(scopes, test, without=example_image("12").image_id),
    ):
        filters = tuple(each for each in TESTS if isinstance(each, Filter))
        question = _question(where=where, filters=filters, units=UNITS, also=(5, 199, 17, 10**6))
        found, true = store.candidates(question), memory.candidates(question)
        # Memory looks at everything: what is meant of all its images is known.
        meant = dict(zip(true.rows.tolist(), true.meant.tolist(), strict=True))
        assert true.complete
        every = np.array([row for row, is_meant in meant.items() if is_meant], dtype=np.intp)
        assert found.meant.tolist() == np.isin(found.rows, every).tolist()
        for cosines in memory.scores(question.near, every):
            assert set(every[np.argsort(-cosines)[: question.count]]) <= set(found.rows)
        np.testing.assert_allclose(
            found.cosines, memory.scores(question.probes, found.rows), atol=1e-6
        )
        assert np.array_equal(found.measures, memory.measures(found.rows), equal_nan=True)
        passes = [memory.matching(each)[found.rows] for each in filters]
        assert found.passes.tolist() == np.array(passes).tolist()
        holds = [[memory.holding(form)[found.rows] for form in forms] for forms in UNITS]
        assert found.holds.tolist() == [np.any(each, axis=0).tolist() for each in holds]
        assert found.complete <= (len(every) <= 30)
        if found.complete:
            assert set(every) <= set(found.rows)
        assert {5, 199} <= set(found.rows)
        assert 17 not in found.rows


def test_words_that_few_images_hold_make_candidates(
    stores: tuple[QdrantStore, MemoryStore],
) -> None:
    store, memory = stores
    found = store.candidates(_question(units=(("exit",), ("twenty two",)), count=1, best=1))
    (row,) = memory.rows_of([example_image("22").image_id]).values()
    assert row in found.rows
    assert found.holders.tolist() == [memory.holding("exit").sum(), 1]


def test_the_sample_stays_until_the_library_is_another(
    own_stores: tuple[QdrantStore, MemoryStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _ = own_stores
    monkeypatch.setattr(asking, "_SAMPLE", 50)
    question = _question()
    before = store.candidates(question).sample
    ids = store.sample(50)
    np.testing.assert_allclose(before, store.scores(question.probes, ids), atol=1e-6)
    fill(store, {f"more/{number}.jpg": example_image(f"more {number}") for number in range(15)})
    assert np.array_equal(store.candidates(question).sample, before)
    fill(store, {f"most/{number}.jpg": example_image(f"most {number}") for number in range(20)})
    assert not np.array_equal(store.candidates(question).sample, before)


@pytest.mark.parametrize("test", [None, *TESTS], ids=str)
def test_pages_are_those_of_memory(
    stores: tuple[QdrantStore, MemoryStore], test: Node | None
) -> None:
    store, memory = stores
    for where in (Where(test=test), Where((Scope(1, "holiday"),), test)):
        for offset, limit in ((0, 3), (4, 20), (90, 30), (190, 50), (900, 5)):
            for by in ("date", "path"):
                rows, total = store.page(where, by, offset=offset, limit=limit)
                wanted, number = memory.page(where, by, offset=offset, limit=limit)
                assert (rows.tolist(), total) == (wanted.tolist(), number), (where, by, offset)


def test_a_page_of_the_newest_takes_no_look_at_all(
    own_stores: tuple[QdrantStore, MemoryStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, memory = own_stores
    monkeypatch.setattr(QdrantStore, "_ordered", None)
    with store.writing(), memory.writing():
        for each in (store, memory):
            # Without the one whose date is none to the second.
            each.forget([(1, _path(61))])
            each.prune()
    for where in (EVERYWHERE, Where(test=WIDE), Where((Scope(1, "holiday"),))):
        rows, total = store.page(where, "date", offset=3, limit=20)
        wanted, number = memory.page(where, "date", offset=3, limit=20)
        assert (rows.tolist(), total) == (wanted.tolist(), number)


def test_all_scores_of_a_large_library(stores: tuple[QdrantStore, MemoryStore]) -> None:
    store, memory = stores
    probes, alive = _probes("a", "b", "c"), memory.alive()
    np.testing.assert_allclose(
        store.scores(probes)[:, alive], memory.scores(probes)[:, alive], atol=1e-6
    )
    rows = np.array([9, 4, 150, 4], dtype=np.intp)
    np.testing.assert_allclose(store.scores(probes, rows), memory.scores(probes, rows), atol=1e-6)


def _probes(*names: str) -> np.ndarray:
    return np.stack([example_image(f"probe {name}").vector for name in names])


def _question(
    *,
    where: Where = EVERYWHERE,
    count: int = 8,
    best: int = 3,
    filters: tuple[Filter, ...] = (),
    units: tuple[tuple[str, ...], ...] = (),
    also: tuple[int, ...] = (),
) -> Question:
    return Question(
        _probes("a", "b"), (0, 1), _probes("c"), count, best, where, filters, units, also
    )


def _path(number: int) -> str:
    return f"{('holiday', 'a/b', 'c')[number % 3]}/{number}.{('jpg', 'png')[number % 2]}"


def _image(number: int) -> NewImage:
    taken_at = f"2024-{number % 12 + 1:02}-{number % 4 + 1:02}T10:00:0{number % 10}"
    image = example_image(str(number), width=400 + 3 * number)
    places = ((None, None), (0.0, 179.9), (0.5, -179.9), (48.8, 2.3))
    latitude, longitude = places[number % 4]
    facts = replace(
        image.facts,
        taken_at="2024-05-03" if number == 61 else taken_at if number % 5 else None,
        camera=("Sony A7", "Café", None)[number % 3],
        caption="twenty two" if number == 22 else None,
        latitude=latitude,
        longitude=longitude,
    )
    return replace(image, facts=facts)


def _fill(store: QdrantStore | MemoryStore) -> None:
    fill(store, {_path(number): _image(number) for number in range(COUNT)})
    with store.writing():
        texts = {row: f"the EXIT  {row}" if row % 2 else "" for row in range(0, COUNT, 3)}
        store.write_texts(texts)
        store.write_measures(5, np.arange(150, dtype=np.float32).reshape(150, 1))
        store.forget([(store.roots()[0].root_id, _path(number)) for number in (3, 17)])
        store.prune()
