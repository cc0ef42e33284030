"""Checks of the regions of images, of stores that keep them."""

from collections.abc import Callable
from contextlib import closing

import numpy as np

from visionquery.errors import InputError
from visionquery.store.base import Store
from visionquery.store.regions import ImageRegions
from visionquery.testing.store_examples import HOME, MODEL, example_image, fill, is_refused
from visionquery.types import ModelIdentity

__all__ = ["REGION_CHECKS"]

MakeStore = Callable[..., Store]


def check_regions_are_kept_or_refused(make_store: MakeStore) -> None:
    """Regions come back in the order of rows, with cosines within a hundredth; a store that keeps
    none says so."""
    with closing(make_store(MODEL)) as store:
        fill(store, {f"{name}.jpg": example_image(name) for name in "abcd"})
        assert store.regions() is None
        a, b, d = (store.find(example_image(name).image_id)[0] for name in "abd")
        if not _keeps(store):
            with store.writing():
                store.drop_regions()
            assert store.regions() is None
            return
        with store.writing():
            store.write_regions([d, a], [_regions("d", 2), _regions("a", 3)])
            store.write_regions([b], [_regions("b", 1)])
        found = store.regions()
        assert found is not None
        owners, names = np.repeat([a, b, d], [3, 1, 2]), [("a", 3), ("b", 1), ("d", 2)]
        assert found.owners.tolist() == sorted(owners.tolist())
        parts = [_regions(name, count) for name, count in sorted(names, key=lambda one: one[0])]
        np.testing.assert_array_equal(found.boxes, np.concatenate([p.boxes for p in parts]))
        np.testing.assert_allclose(found.biases, np.concatenate([p.biases for p in parts]))
        probes = np.stack([example_image(name).vector for name in "xyz"])
        true = probes @ np.concatenate([p.vectors for p in parts]).T
        np.testing.assert_allclose(found.scores(probes), true, atol=0.01)
        assert found.scores(probes[:0]).shape == (0, 6)


def check_regions_that_do_not_fit_are_refused(make_store: MakeStore) -> None:
    """What is no region, of no image, or comes a second time, changes nothing."""
    with closing(make_store(MODEL)) as store:
        fill(store, {"a.jpg": example_image("a"), "b.jpg": example_image("b")})
        if not _keeps(store):
            return
        a, b = (store.find(example_image(name).image_id)[0] for name in "ab")
        good = _regions("a", 2)
        bad = ImageRegions(good.boxes[:1], good.vectors, good.biases)
        with store.writing():
            store.write_regions([a], [good])
            assert is_refused(lambda: store.write_regions([a], [good]))
            assert is_refused(lambda: store.write_regions([b], [bad]))
            assert is_refused(lambda: store.write_regions([b, b], [good, good]))
            assert is_refused(lambda: store.write_regions([99], [good]))
        assert _owners(store) == [a, a]
        with store.writing():
            store.drop_regions()
            assert store.regions() is None
            store.write_regions([b], [good])
        assert _owners(store) == [b, b]


def check_regions_follow_their_images(make_store: MakeStore) -> None:
    """Compacting keeps the regions of the images that stay; another model has none of them."""
    with closing(make_store(MODEL)) as store:
        fill(store, {f"{name}.jpg": example_image(name) for name in "abc"})
        if not _keeps(store):
            return
        rows = [store.find(example_image(name).image_id)[0] for name in "abc"]
        with store.writing():
            store.write_regions(rows, [_regions(name, 2) for name in "abc"])
            scope = store.locate(HOME)
            assert scope is not None
            store.forget([(scope.root_id, "a.jpg")])
            store.prune()
            store.compact()
        found = store.regions()
        assert found is not None
        b, c = (store.find(example_image(name).image_id)[0] for name in "bc")
        assert found.owners.tolist() == sorted([b, b, c, c])
        first = found.owners.tolist().index(b)
        np.testing.assert_array_equal(found.boxes[first : first + 2], _regions("b", 2).boxes)
        other = ModelIdentity(name="other", fingerprint="f2", embed_dim=8, source="other")
        with store.writing():
            store.begin_next(other)
            store.write_next([b, c], np.stack([example_image(name).vector for name in "bc"]))
            store.finish_next()
        assert store.regions() is None


def _keeps(store: Store) -> bool:
    with store.writing():
        return not is_refused(lambda: store.write_regions([], []), InputError)


def _owners(store: Store) -> list[int]:
    found = store.regions()
    assert found is not None
    owners: list[int] = found.owners.tolist()
    return owners


def _regions(name: str, count: int) -> ImageRegions:
    """Return regions that follow from a name."""
    random = np.random.default_rng(list(name.encode()))
    vectors = np.stack([example_image(f"{name} {part}").vector for part in range(count)])
    boxes = random.uniform(0, 50, (count, 4)).astype(np.float32)
    return ImageRegions(boxes, vectors, random.uniform(0, 1, count).astype(np.float32))


REGION_CHECKS = (
    check_regions_are_kept_or_refused,
    check_regions_that_do_not_fit_are_refused,
    check_regions_follow_their_images,
)
