"""A vector that learns: it moves towards what is liked, never far from what was asked for."""

import numpy as np
import pytest

from visionquery.search.feedback import learn


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


@pytest.fixture
def world():
    """Twenty kinds of images, 40 numbers long, that differ most in what has no meaning; and a start
    that is like the first kind, and something else."""
    random = np.random.default_rng(3)
    kinds = np.repeat(np.arange(20), 20)
    meant, other = random.normal(size=(2, 20, 40))
    meaningless = random.normal(size=(400, 5)) * 6 @ np.eye(40)[:5]
    images = unit(meant[kinds] + 0.7 * random.normal(size=(400, 40)) + meaningless)
    return images, kinds, unit(meant[0] + 1.5 * other[0])


def precision(images, kinds, vector) -> float:
    return float((kinds[np.argsort(-(images @ vector))[:20]] == 0).mean())


def test_three_examples_find_more_of_their_kind(world):
    images, kinds, start = world
    liked, disliked = images[:2], images[-1:]
    taught = learn(start, liked, disliked, others=images, nearest=images[:0])
    assert np.linalg.norm(taught) == pytest.approx(1, abs=1e-5)
    assert taught.dtype == np.float32
    assert precision(images, kinds, taught) > precision(images, kinds, start) + 0.05
    assert taught @ start > 0.8, "it stays near what was asked for"


def test_ten_examples_are_enough_without_a_start(world):
    images, kinds, _ = world
    taught = learn(None, images[:10], images[:0], others=images, nearest=images[:0])
    assert precision(images, kinds, taught) > 0.9


def test_farther_reach_moves_farther(world):
    images, _, start = world
    near, far = (
        learn(start, images[:9], images[:0], others=images, nearest=images[:0], reach=reach)
        for reach in (1.0, 3.0)
    )
    assert far @ start < near @ start


def test_nothing_is_learnt_of_nothing(world):
    images, _, start = world
    none = images[:0]
    assert learn(None, none, images[:2], others=images, nearest=none) is None
    assert learn(start, none, none, others=images, nearest=none) == pytest.approx(start, abs=1e-6)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_library_of_hardly_any_images_teaches_too(world, count: int):
    images, _, start = world
    liked = images[:1]
    for anchor in (start, None):
        taught = learn(anchor, liked, images[:0], others=images[:count], nearest=images[:count])
        assert np.isfinite(taught).all()
        assert taught @ liked[0] > start @ liked[0]
