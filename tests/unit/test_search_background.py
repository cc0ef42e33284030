"""The background of a library: measured once, kept as a note, measured again after growth."""

import numpy as np
import pytest

from visionquery.models.catalog import resolve
from visionquery.models.encoder import load_encoder
from visionquery.query.plan import Null
from visionquery.search.background import (
    Background,
    is_stale,
    keep_background,
    kept_background,
    measure_background,
)
from visionquery.store.base import FileRecord, NewImage
from visionquery.store.memory import MemoryStore
from visionquery.types import Facts


@pytest.fixture(scope="module")
def encoder(tiny_model):
    return load_encoder(resolve(str(tiny_model)))


def images(encoder, count: int) -> list[NewImage]:
    vectors = np.random.default_rng(0).normal(size=(count, encoder.identity.embed_dim))
    rows = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return [NewImage(f"{i:032x}", row, Facts(1, 1, "PNG", 1)) for i, row in enumerate(rows)]


def store_of(encoder, stored: list[NewImage]) -> MemoryStore:
    store = MemoryStore(encoder.identity)
    with store.writing():
        root = store.add_root("/photos").root_id
        store.write(stored, [FileRecord(root, i.image_id, 1, 1, i.image_id) for i in stored])
    return store


def test_it_is_measured_kept_and_read_back(encoder):
    store = store_of(encoder, images(encoder, 40))
    assert kept_background(store) is None
    measured = measure_background(encoder, store)
    assert measured.images == 40
    assert measured.null.std > 0
    np.testing.assert_allclose(
        measured.image_mean, store.vectors(range(40)).mean(axis=0), atol=1e-6
    )
    with store.writing():
        keep_background(store, measured)
    kept = kept_background(store)
    assert (kept.null, kept.images) == (measured.null, 40)
    np.testing.assert_array_equal(kept.text_mean, measured.text_mean)


def test_it_does_not_depend_on_the_order_of_images(encoder):
    stored = images(encoder, 60)
    first = measure_background(encoder, store_of(encoder, stored))
    second = measure_background(encoder, store_of(encoder, stored[::-1]))
    assert first.null == second.null


def test_an_empty_library_has_none(encoder):
    assert measure_background(encoder, MemoryStore(encoder.identity)) is None


def test_one_of_another_version_is_not_used(encoder):
    store = store_of(encoder, images(encoder, 3))
    with store.writing():
        store.set_note("background", '{"version": 0}')
    assert kept_background(store) is None


@pytest.mark.parametrize(
    ("count", "stale"), [(100, False), (110, False), (111, True), (90, False), (89, True)]
)
def test_it_is_stale_after_a_tenth(count, stale):
    zero = np.zeros(2, np.float32)
    background = Background(Null(mean=0.0, std=0.1), zero, zero, images=100)
    assert is_stale(background, count) is stale
