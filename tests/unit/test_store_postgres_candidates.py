"""What a library in PostgreSQL finds through its index of vectors."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.engines import Postgres

from visionquery.query.ast import Contains, Filter, Node, Not, OneOf, Or, Range
from visionquery.store.base import FileRecord, NewImage, Store
from visionquery.store.pg import answering, nearest
from visionquery.store.pg.adapting import ask, sent_vector
from visionquery.store.pg.conditions import EVERY
from visionquery.store.pg.nearest import nearest_rows
from visionquery.store.pg.store import PostgresStore
from visionquery.store.postgres import create_store
from visionquery.store.questions import EVERYWHERE, Question, Where
from visionquery.testing.store_examples import HOME, example_image
from visionquery.types import Matrix, ModelIdentity

COUNT, EMBED_DIM, LIMIT = 3_000, 32, 20
MODEL = ModelIdentity("wide", "f32", EMBED_DIM, "wide")
# What the planner does by itself with many more images.
INDEXED = "&options=-cenable_seqscan%3Doff%20-cenable_sort%3Doff"
TESTS: dict[str, Node] = {
    "many": Filter("width", Range(700, None)),
    "not": Not(Filter("width", Range(700, None))),
    "few": Filter("keyword", OneOf(("k7",))),
    "path": Filter("path", Contains("/d3/")),
    "or": Or((Filter("keyword", OneOf(("k7",))), Filter("ext", OneOf(("png",))))),
}


@pytest.fixture(scope="module")
def large(postgres: Postgres) -> Iterator[Store]:
    """A library that has its index, and takes no number of images for few enough."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(nearest, "EXACT_UP_TO", 500)
        patched.setattr(answering, "COMPARED_ALL", 300)
        patched.setattr(answering, "LIKELY_ALL", 150)
        store = create_store(postgres.address() + INDEXED, MODEL)
        images = [made(number) for number in range(COUNT)]
        with store.writing():
            root = store.add_root(HOME)
            for start in range(0, COUNT, 1000):
                part = images[start : start + 1000]
                store.write(part, [seen(root.root_id, start + i, each) for i, each in
                                   enumerate(part)])
        # What comes later is taken into the index that is there.
        with store.writing():
            last = made(COUNT)
            store.write([last], [seen(root.root_id, COUNT, last)])
        yield store
        store.close()


def made(number: int) -> NewImage:
    image = example_image(str(number), embed_dim=EMBED_DIM, width=600 + number % 200)
    return replace(image, facts=replace(image.facts, keywords=(f"k{number % 50}",)))


def seen(root_id: int, number: int, image: NewImage) -> FileRecord:
    path = f"d{number % 7}/{number}.{'png' if number % 3 else 'jpg'}"
    return FileRecord(root_id, path, 1, 2, image.image_id)


def probes(count: int, seed: int = 1) -> Matrix:
    random = np.random.default_rng(seed).standard_normal((count, EMBED_DIM)).astype(np.float32)
    return random / np.linalg.norm(random, axis=1, keepdims=True)


def asked(vectors: Matrix, where: Where = EVERYWHERE, **others: object) -> Question:
    given = Question(vectors, tuple(range(len(vectors))), vectors[:0], LIMIT, 8, where)
    return replace(given, **others)  # type: ignore[arg-type]


def true_nearest(store: Store, probe: NDArray[np.float32], mask: NDArray[np.bool_]) -> set[int]:
    rows = np.flatnonzero(mask)
    return set(rows[np.argsort(-store.scores(probe[None], rows)[0])[:LIMIT]].tolist())


def test_the_index_is_used_and_misses_next_to_nothing(large: PostgresStore) -> None:
    found = hits = 0
    for probe in probes(20):
        answer = large.candidates(asked(probe[None]))
        assert not answer.complete
        assert len(answer.rows) < COUNT / 10
        found += len(true_nearest(large, probe, large.alive()) & set(answer.rows.tolist()))
        hits += LIMIT
    assert found / hits >= 0.98
    with large._open.rows() as snapshot:
        connection = snapshot.connection
        near = nearest_rows("images_1", EMBED_DIM, EVERY, sent_vector(probes(1)[0]), LIMIT)
        plan = ask(connection, f"EXPLAIN {near.text}", *near.values)
    assert any("images_1_0_near" in line for line, in plan)


@pytest.mark.parametrize("name", TESTS)
def test_a_filter_leaves_the_nearest_that_pass_it(large: Store, name: str) -> None:
    test = TESTS[name]
    mask = large.alive().copy()
    mask[:] = False
    rows, total = large.page(Where(test=test), "path", offset=0, limit=COUNT + 1)
    mask[rows] = True
    assert total == len(rows) > LIMIT
    found = 0
    for probe in probes(8, seed=2):
        answer = large.candidates(asked(probe[None], Where(test=test)))
        assert answer.meant.tolist() == mask[answer.rows].tolist()
        assert answer.complete == (set(rows.tolist()) <= set(answer.rows.tolist()))
        found += len(true_nearest(large, probe, mask) & set(answer.rows.tolist()))
        assert len(true_nearest(large, probe, large.alive()) & set(answer.rows.tolist())) >= 8
    assert found >= 0.98 * 8 * LIMIT


def test_a_filter_that_leaves_few_has_them_all_compared(large: Store) -> None:
    few = Where(test=Filter("keyword", OneOf(("k7",))))
    answer = large.candidates(asked(probes(1), few))
    assert answer.complete
    assert answer.meant.sum() == COUNT / 50


def test_what_the_planner_takes_for_many_and_is_none_is_complete(large: Store) -> None:
    none = Where(test=Not(Filter("width", Range(0, None))))
    answer = large.candidates(asked(probes(1), none))
    assert answer.complete
    assert not answer.meant.any()
    assert len(answer.rows) >= 8


def test_each_of_several_probes_has_its_nearest(large: Store) -> None:
    three = probes(3)
    question = asked(three[:2], beside=three[2:], also=(5, 2_999))
    answer = large.candidates(question)
    assert {5, 2_999} <= set(answer.rows.tolist())
    for probe in three:
        near = true_nearest(large, probe, large.alive())
        assert len(near & set(answer.rows.tolist())) >= 0.95 * LIMIT
    np.testing.assert_allclose(
        answer.cosines, large.scores(three[:2], answer.rows), rtol=0, atol=1e-6
    )


def test_words_bring_images_that_are_far(large: Store) -> None:
    units = (("d3",), ("1095",), ("nowhere",))
    answer = large.candidates(asked(probes(1), units=units))
    row = 1095
    place = answer.rows.tolist().index(row)
    assert answer.holds[:, place].tolist() == [large.holding(each)[row] for each, in units]
    assert answer.holders.tolist() == [large.holding(each).sum() for each, in units]


def test_of_many_holders_it_is_known_about_how_many(
    large: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "_COUNTED", 20)
    answer = large.candidates(asked(probes(1), units=(("d3",),)))
    true = large.holding("d3").sum()
    assert 0.7 * true <= answer.holders[0] <= 1.3 * true


def test_the_sample_is_even_and_kept(large: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    first = large.candidates(asked(probes(1))).sample
    monkeypatch.setattr(answering, "_SAMPLED", 1)
    assert np.array_equal(large.candidates(asked(probes(1))).sample, first)
    monkeypatch.undo()
    true = np.sort(large.scores(probes(1), large.sample(first.shape[1]))[0])
    np.testing.assert_allclose(np.sort(first[0]), true, atol=2e-3)
