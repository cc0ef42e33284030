"""Checks of how a store compares: cosines of every row, of some, and about."""

from collections.abc import Callable
from contextlib import closing

import numpy as np

from visionquery.store.base import Store
from visionquery.testing.store_examples import MODEL, example_image, fill, is_refused

__all__ = ["VECTOR_CHECKS"]

MakeStore = Callable[..., Store]

_COUNT = 40


def check_scores_are_cosines(make_store: MakeStore) -> None:
    """Scores of any number of probes are the cosines with each stored vector."""
    with closing(make_store(MODEL)) as store:
        images = [example_image(str(index)) for index in range(9)]
        fill(store, {f"{index}.jpg": image for index, image in enumerate(images)})
        rows = [store.find(image.image_id)[0] for image in images]
        stacked = np.stack([image.vector for image in images])
        for count in (0, 1, 3, 9):
            scores = store.scores(stacked[:count])
            assert scores.dtype == np.float32
            assert scores.shape == (count, store.row_count())
            np.testing.assert_allclose(scores[:, rows], stacked[:count] @ stacked.T, atol=1e-6)
            some = store.scores(stacked[:count], np.array(rows[5:1:-2], dtype=np.intp))
            np.testing.assert_allclose(some, scores[:, rows[5:1:-2]], atol=1e-6)
        none = store.scores(stacked, np.empty(0, dtype=np.intp))
        assert none.shape == (9, 0)
        assert is_refused(lambda: store.scores(stacked, np.array([9])))
        assert is_refused(lambda: store.scores(stacked[:, :7]))


def check_estimates_are_near(make_store: MakeStore) -> None:
    """Estimates are no further from the cosines than they say, for every row and for spans."""
    with closing(make_store(MODEL)) as store:
        _fill(store)
        probes = np.stack([example_image(name).vector for name in "abcde"])
        true = store.scores(probes)
        for count in (1, 2, 5):
            found = store.estimates(probes[:count])
            assert found.cosines.dtype == np.float32
            assert found.cosines.shape == (count, _COUNT)
            assert 0 <= found.usual_error <= found.error < 0.1
            assert np.abs(found.cosines - true[:count]).max() <= found.error + 1e-6
            spans = store.estimates(probes[:count], spans=[(30, 37), (2, 2), (0, 5)]).cosines
            rows = [*range(30, 37), *range(5)]
            np.testing.assert_allclose(spans, found.cosines[:, rows], atol=1e-6)
            these = store.estimates(probes[:count], rows=np.array(rows, dtype=np.intp))
            np.testing.assert_allclose(these.cosines, spans, atol=1e-6)
            assert these.error <= found.error + 1e-9
        assert store.estimates(probes, rows=np.empty(0, dtype=np.intp)).cosines.shape == (5, 0)
        assert is_refused(lambda: store.estimates(probes, rows=np.array([_COUNT])))


def _fill(store: Store) -> None:
    fill(store, {f"{index}.jpg": example_image(f"many {index}") for index in range(_COUNT)})


VECTOR_CHECKS = (
    check_scores_are_cosines,
    check_estimates_are_near,
)
