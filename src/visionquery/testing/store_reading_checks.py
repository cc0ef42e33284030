"""The checks of what is made of stored images later: the text in them, and their measures."""

from collections.abc import Callable
from contextlib import closing
from functools import partial

import numpy as np
from numpy.typing import NDArray

from visionquery.store.base import MEASURES, Store
from visionquery.testing.store_examples import MODEL, example_image, fill, is_refused
from visionquery.types import ModelIdentity

__all__ = ["READING_CHECKS"]

MakeStore = Callable[[ModelIdentity], Store]

_NEXT = ModelIdentity(name="next", fingerprint="f2", embed_dim=8, source="next")


def check_texts_are_kept(make_store: MakeStore) -> None:
    """A text comes back as it was read; no text and not read are two things."""
    with closing(make_store(MODEL)) as store:
        _fill(store, 3)
        assert not store.text_read().any()
        text = "Été\n \N{GRINNING FACE} \udce9"
        with store.writing():
            store.write_texts({})
            store.write_texts({2: text, 0: ""})
        assert store.text_read().tolist() == [True, False, True]
        texts = [record.text for record in store.records(range(3))]
        assert texts == ["", None, "Été\n \N{GRINNING FACE} \\udce9"]
        with store.writing():
            store.write_texts({2: "again"})
            _encode_again(store, 3)
        assert [record.text for record in store.records(range(3))] == ["", None, "again"]


def check_texts_go_with_their_image(make_store: MakeStore) -> None:
    """A pruned image takes its text along; one that comes back was not read."""
    with closing(make_store(MODEL)) as store:
        _fill(store, 2)
        with store.writing():
            store.write_texts({0: "zero", 1: "one"})
            store.forget([(store.roots()[0].root_id, "0.jpg")])
            store.prune()
        assert store.text_read().tolist() == [False, True]
        assert not store.holding("zero").any()
        _fill(store, 1)
        assert store.text_read().tolist() == [False, True, False]
        assert store.records([2])[0].text is None


def check_bad_texts_change_nothing(make_store: MakeStore) -> None:
    """A text of what is no image, or outside `writing()`, is refused with all beside it."""
    with closing(make_store(MODEL)) as store:
        _fill(store, 2)
        assert is_refused(lambda: store.write_texts({0: "a"}))
        with store.writing():
            store.forget([(store.roots()[0].root_id, "1.jpg")])
            store.prune()
            for row in (1, 2, -1):
                assert is_refused(partial(store.write_texts, {0: "a", row: "b"}))
        assert not store.text_read().any()
        assert not store.holding("a").any()


def check_measures_are_kept(make_store: MakeStore) -> None:
    """Measures come back for their rows, in place of older ones; other rows have none."""
    with closing(make_store(MODEL)) as store:
        assert store.measures().shape == (0, MEASURES)
        _fill(store, 5)
        expected = np.full((5, MEASURES), np.nan, np.float32)
        assert _same(store.measures(), expected)
        for first, count in ((3, 2), (0, 2), (1, 3), (5, 0), (0, 5)):
            measures = np.random.default_rng(first).random((count, MEASURES), np.float32)
            with store.writing():
                store.write_measures(first, measures)
            expected[first : first + count] = measures
            assert store.measures().dtype == np.float32
            assert _same(store.measures(), expected)
        _fill(store, 7)
        assert _same(store.measures()[:5], expected)
        assert np.isnan(store.measures()[5:]).all()
        store.measures()[:] = 0
        assert _same(store.measures()[:5], expected)


def check_measures_belong_to_a_model(make_store: MakeStore) -> None:
    """The next model's vectors have none until they are written; a move given up keeps them."""
    with closing(make_store(MODEL)) as store:
        _fill(store, 2)
        measures = np.ones((2, MEASURES), np.float32)
        with store.writing():
            store.write_measures(0, measures)
            store.begin_next(_NEXT)
            assert _same(store.measures(), measures)
            store.drop_next()
            assert _same(store.measures(), measures)
            _encode_again(store, 2)
            assert np.isnan(store.measures()).all()
            store.write_measures(0, measures)
        assert _same(store.measures(), measures)


def check_bad_measures_change_nothing(make_store: MakeStore) -> None:
    """Measures of a wrong shape, of rows that are not there, or outside `writing()`."""
    with closing(make_store(MODEL)) as store:
        _fill(store, 2)
        assert is_refused(lambda: store.write_measures(0, np.ones((2, MEASURES), np.float32)))
        with store.writing():
            for first, shape in (
                (0, (2, MEASURES + 1)),
                (0, (MEASURES,)),
                (1, (2, MEASURES)),
                (-1, (1, MEASURES)),
            ):
                bad = np.ones(shape, np.float32)
                assert is_refused(partial(store.write_measures, first, bad)), (first, shape)
        assert np.isnan(store.measures()).all()


def _fill(store: Store, count: int) -> None:
    names = [str(number) for number in range(count)]
    fill(store, {f"{name}.jpg": example_image(name) for name in names})


def _encode_again(store: Store, count: int) -> None:
    """Move to another model, inside `writing()`."""
    vectors = [example_image(f"next {number}").vector for number in range(count)]
    store.begin_next(_NEXT)
    store.write_next(range(count), np.stack(vectors))
    store.finish_next()


def _same(found: NDArray[np.float32], expected: NDArray[np.float32]) -> bool:
    return np.array_equal(found, expected, equal_nan=True)


READING_CHECKS: tuple[Callable[[MakeStore], None], ...] = (
    check_texts_are_kept,
    check_texts_go_with_their_image,
    check_bad_texts_change_nothing,
    check_measures_are_kept,
    check_measures_belong_to_a_model,
    check_bad_measures_change_nothing,
)
