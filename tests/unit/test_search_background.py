"""The background of a library: every image measured once as it comes, the rest kept as a note."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from visionquery.query.plan import Null
from visionquery.search.background import (
    BACKGROUND_NOTE,
    BANK_NOTE,
    Background,
    biases_of,
    encode_bank,
    is_stale,
    keep_background,
    kept_background,
    measure_background,
    refresh_background,
)
from visionquery.store.base import FileRecord, NewImage
from visionquery.store.memory import MemoryStore
from visionquery.types import Decoded, Facts, Matrix, ModelIdentity

DIM = 16
IDENTITY = ModelIdentity("bank", "f1", DIM, "bank")


@dataclass
class CountingEncoder:
    """Every text has a vector that follows from its letters; counts what is encoded."""

    identity: ModelIdentity = IDENTITY
    logit_scale: float = 10.0
    calibration: None = None
    image_side: int = 2
    batches: list[int] = field(default_factory=list)

    def prepare(self, decoded: Decoded) -> NDArray[np.float32]:
        raise AssertionError(f"{decoded.facts} was prepared")

    def encode_images(self, prepared: NDArray[np.float32]) -> Matrix:
        raise AssertionError(f"{len(prepared)} pictures were encoded")

    def encode_texts(self, texts: Sequence[str]) -> Matrix:
        self.batches.append(len(texts))
        seed = len(self.identity.fingerprint)
        return unit([
            np.random.default_rng([seed, *text.encode()]).normal(0.2, 1, self.identity.embed_dim)
            for text in texts
        ])


class CountingStore(MemoryStore):
    """A memory store that tells which rows' measures were written."""

    def __init__(self, model: ModelIdentity = IDENTITY) -> None:
        super().__init__(model)
        self.measured: list[int] = []

    def write_measures(self, first_row: int, measures: NDArray[np.float32]) -> None:
        self.measured += range(first_row, first_row + len(measures))
        super().write_measures(first_row, measures)


def unit(rows: object) -> Matrix:
    matrix = np.asarray(rows, np.float64)
    return (matrix / np.linalg.norm(matrix, axis=1, keepdims=True)).astype(np.float32)


def images(count: int, *, dim: int = DIM) -> list[NewImage]:
    rows = unit(np.random.default_rng(0).normal(0.1, 1, (count, dim)))
    return [NewImage(f"{i:032x}", row, Facts(1, 1, "PNG", 1)) for i, row in enumerate(rows)]


def add(store: MemoryStore, new: Sequence[NewImage]) -> None:
    root = store.add_root("/photos").root_id
    store.write(new, [FileRecord(root, i.image_id, 1, 1, i.image_id) for i in new])


def store_of(new: Sequence[NewImage]) -> CountingStore:
    store = CountingStore()
    with store.writing():
        add(store, new)
    return store


def refreshed(store: MemoryStore, encoder: CountingEncoder) -> Background:
    with store.writing():
        refresh_background(store, encoder)
    kept = kept_background(store)
    assert kept is not None
    return kept


def test_it_is_measured_kept_and_read_back() -> None:
    encoder, store = CountingEncoder(), store_of(images(40))
    assert kept_background(store) is None
    kept = refreshed(store, encoder)
    with store.writing():
        bank = encode_bank(store, encoder)
    cosines = bank @ store.vectors(range(40)).T
    nearest = np.sort(cosines, axis=0)[-64:].mean(axis=0)
    np.testing.assert_allclose(store.measures()[:, 0], nearest, atol=1e-6)
    rest = cosines - nearest
    expected = (rest.mean(), rest.std(), nearest.mean())
    assert (kept.null.mean, kept.null.std, kept.null.bias) == pytest.approx(expected, abs=1e-5)
    assert (kept.images, kept.measured_rows) == (40, 40)
    np.testing.assert_allclose(kept.image_mean, store.vectors(range(40)).mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(kept.text_mean, bank.mean(axis=0), atol=1e-6)


def test_a_note_comes_back_as_it_was_kept() -> None:
    store = store_of(images(3))
    means = unit(np.eye(2, DIM))
    background = Background(Null(0.1, 0.05, 0.2), means[0], means[1], images=3, measured_rows=2)
    with store.writing():
        keep_background(store, background)
    kept = kept_background(store)
    assert kept is not None
    assert (kept.null, kept.images, kept.measured_rows) == (background.null, 3, 2)
    np.testing.assert_array_equal(kept.text_mean, means[0])
    np.testing.assert_array_equal(kept.image_mean, means[1])


def test_biases_of_three_additions_are_those_of_one() -> None:
    new = images(120)
    whole = store_of(new)
    refreshed(whole, CountingEncoder())
    parts, encoder = CountingStore(), CountingEncoder()
    for start, stop in ((0, 50), (50, 55), (55, 120)):
        with parts.writing():
            add(parts, new[start:stop])
        assert refreshed(parts, encoder).measured_rows == stop
    # The order in which a matrix product adds up depends on its shape, hence the last digit.
    np.testing.assert_allclose(parts.measures(), whole.measures(), atol=1e-6)
    assert not np.isnan(parts.measures()).any()
    assert parts.measured == list(range(120))
    assert len(encoder.batches) == 1


def test_nothing_is_done_twice() -> None:
    encoder, store = CountingEncoder(), store_of(images(100))
    first = refreshed(store, encoder)
    note, done = store.note(BACKGROUND_NOTE), list(store.measured)
    refreshed(store, encoder)
    assert store.note(BACKGROUND_NOTE) == note
    assert (store.measured, len(encoder.batches)) == (done, 1)
    with store.writing():
        add(store, images(105)[100:])
    grown = refreshed(store, encoder)
    assert grown.null == first.null  # A tenth more is no other library,
    assert grown.measured_rows == 105  # but the new images have their bias.
    assert store.measured == list(range(105))
    with store.writing():
        add(store, images(130)[105:])
    assert refreshed(store, encoder).null != first.null
    assert store.measured == list(range(130))


def test_the_bank_is_encoded_once_and_read_back_the_same() -> None:
    encoder, store = CountingEncoder(), store_of(images(3))
    with store.writing():
        first, second = (encode_bank(store, encoder) for _ in range(2))
    assert len(encoder.batches) == 1
    np.testing.assert_array_equal(first, second)
    assert first.dtype == np.float32
    assert first.shape == (encoder.batches[0], DIM)
    np.testing.assert_allclose(np.linalg.norm(first, axis=1), 1.0, atol=2e-3)


def test_it_works_after_holes() -> None:
    encoder, store = CountingEncoder(), store_of(images(60))
    refreshed(store, encoder)
    with store.writing():
        root = store.add_root("/photos").root_id
        store.forget([(root, f"{i:032x}") for i in range(0, 60, 2)])
        store.prune()
        add(store, images(70)[60:])
    kept = refreshed(store, encoder)
    assert (kept.images, kept.measured_rows) == (40, store.row_count())
    left = [one for i, one in enumerate(images(70)) if i % 2 or i >= 60]
    alone = refreshed(store_of(left), CountingEncoder())
    assert (kept.null.mean, kept.null.std) == pytest.approx((alone.null.mean, alone.null.std))
    assert not np.isnan(store.measures()[store.alive()]).any()


def test_it_is_measured_again_after_another_model() -> None:
    store = store_of(images(30))
    old = refreshed(store, CountingEncoder())
    other = ModelIdentity("other", "another", 8, "other")
    with store.writing():
        store.begin_next(other)
        store.write_next(range(30), np.stack([one.vector for one in images(30, dim=8)]))
        store.finish_next(forget_notes=(BACKGROUND_NOTE, BANK_NOTE))
    assert np.isnan(store.measures()).all()
    encoder = CountingEncoder(replace(other))
    new = refreshed(store, encoder)
    assert new.null != old.null
    assert (new.measured_rows, new.text_mean.shape, len(encoder.batches)) == (30, (8,), 1)
    assert not np.isnan(store.measures()).any()


def test_a_bank_of_another_model_is_not_used() -> None:
    store, encoder = store_of(images(3)), CountingEncoder()
    other = CountingEncoder(replace(IDENTITY, fingerprint="longer"))
    with store.writing():
        first, second = encode_bank(store, encoder), encode_bank(store, other)
    assert len(other.batches) == 1
    assert not np.allclose(first, second)


def test_it_does_not_depend_on_the_order_of_images() -> None:
    first = refreshed(store_of(images(60)), CountingEncoder())
    second = refreshed(store_of(images(60)[::-1]), CountingEncoder())
    assert first.null == second.null


def test_the_bias_is_the_mean_of_the_nearest_captions() -> None:
    bank = unit(np.random.default_rng(5).normal(size=(200, DIM)))
    pictures = unit(np.random.default_rng(6).normal(size=(7, DIM)))
    expected = np.sort(pictures @ bank.T, axis=1)[:, -64:].mean(axis=1)
    np.testing.assert_allclose(biases_of(pictures, bank), expected, atol=1e-6)
    few = biases_of(pictures, bank[:5])
    np.testing.assert_allclose(few, (pictures @ bank[:5].T).mean(axis=1), atol=1e-6)


def test_an_empty_library_has_none() -> None:
    store, encoder = MemoryStore(IDENTITY), CountingEncoder()
    with store.writing():
        refresh_background(store, encoder)
        assert measure_background(store, encode_bank(store, encoder), measured_rows=0) is None
    assert kept_background(store) is None


def test_one_of_another_version_is_not_used() -> None:
    store = store_of(images(3))
    with store.writing():
        store.set_note(BACKGROUND_NOTE, '{"version": 0}')
    assert kept_background(store) is None
    assert refreshed(store, CountingEncoder()).images == 3


@pytest.mark.parametrize(
    ("count", "stale"), [(100, False), (110, False), (111, True), (90, False), (89, True)]
)
def test_it_is_stale_after_a_tenth(count: int, stale: bool) -> None:
    zero = np.zeros(2, np.float32)
    background = Background(Null(0.0, 0.1, 0.0), zero, zero, images=100, measured_rows=100)
    assert is_stale(background, count) is stale
