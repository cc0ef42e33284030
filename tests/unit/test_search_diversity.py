"""Groups of alike images, and orders in which images differ: what holds for any images."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from visionquery.search.diversity import ALIKE, Alike, folded, moments_of, spread

PLAIN = Alike(copy=0.9, crowd=0.0, burst=0.5, seconds=10.0)


def unit(rows: list[list[float]]) -> NDArray[np.float32]:
    vectors = np.array(rows, dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def none(count: int) -> NDArray[np.float64]:
    return np.full(count, math.nan)


def turned(*degrees: float) -> NDArray[np.float32]:
    """Vectors in a plane, whose cosines are those of the angles between them."""
    return unit([[math.cos(math.radians(d)), math.sin(math.radians(d))] for d in degrees])


@st.composite
def images(draw) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Some images, many of them near a few others, some with a time."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    count = draw(st.integers(0, 60))
    middles = random.normal(size=(draw(st.integers(1, 8)), 12))
    chosen = middles[random.integers(len(middles), size=count)]
    noise = random.normal(size=(count, 12)) * random.uniform(0, 0.6, (count, 1))
    vectors = (chosen + noise).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    moments = random.integers(0, 100, count).astype(float)
    return vectors, np.where(random.random(count) < 0.3, math.nan, moments)


# -- folding ---------------------------------------------------------------------------------
@given(images())
def test_no_image_is_lost_or_doubled_and_the_order_stays(made) -> None:
    groups = folded(*made)
    places = [place for group in groups for place in group.tolist()]
    assert sorted(places) == list(range(len(made[0])))
    assert all(group.tolist() == sorted(group.tolist()) for group in groups)
    leaders = [int(group[0]) for group in groups]
    assert leaders == sorted(leaders)


@given(images())
def test_leaders_are_not_alike_and_all_others_are_like_theirs(made) -> None:
    vectors, moments = made
    cosines = vectors @ vectors.T
    groups = folded(vectors, moments, PLAIN)

    def alike(one: int, other: int) -> bool:
        is_burst = abs(moments[one] - moments[other]) <= PLAIN.seconds
        return bool(cosines[one, other] >= (PLAIN.burst if is_burst else PLAIN.copy))

    leaders = [int(group[0]) for group in groups]
    assert not any(alike(a, b) for a in leaders for b in leaders if a < b)
    assert all(alike(int(group[0]), int(other)) for group in groups for other in group[1:])


@given(images())
def test_what_comes_later_changes_no_group_of_what_comes_first(made) -> None:
    vectors, moments = made
    half = len(vectors) // 2
    again = [group.tolist() for group in folded(vectors[:half], moments[:half], PLAIN)]
    whole = [group[group < half].tolist() for group in folded(vectors, moments, PLAIN)]
    assert [group for group in whole if group] == again


def test_a_burst_folds_from_a_lower_cosine_on() -> None:
    vectors = turned(0, 40, 40, 40)
    at = np.array([100.0, 110.0, 111.0, math.nan])
    assert [group.tolist() for group in folded(vectors, at, PLAIN)] == [[0, 1], [2, 3]]


def test_an_image_joins_the_best_placed_leader_it_is_like() -> None:
    groups = folded(turned(0, 40, 20), none(3), PLAIN)
    assert [group.tolist() for group in groups] == [[0, 2], [1]]


def test_what_lies_in_a_crowd_must_be_more_alike() -> None:
    """Forty images around one direction are as close as a pair elsewhere that is folded."""
    axes = np.eye(64)
    noise = 0.062 * np.random.default_rng(0).normal(size=(40, 64))
    crowd = unit((axes[0] + noise).tolist())
    nearest = np.sort(crowd @ crowd.T, axis=1)[:, -2]
    pair = unit([axes[1].tolist(), (axes[1] + 0.45 * axes[2]).tolist()])
    assert pair[0] @ pair[1] < 0.93
    assert nearest.min() > 0.7
    assert [group.tolist() for group in folded(pair, none(2))] == [[0, 1]]
    assert len(folded(crowd, none(40))) == 40


# -- spreading -------------------------------------------------------------------------------
@given(images(), st.floats(0, 1))
def test_spreading_loses_no_image_and_begins_with_the_best(made, weight) -> None:
    vectors, _ = made
    if not len(vectors):
        return
    relevance = np.linspace(1, 0.2, len(vectors))
    order = spread(vectors, relevance, weight).tolist()
    assert sorted(order) == list(range(len(vectors)))
    assert order[0] == 0
    assert spread(vectors, relevance, 1.0).tolist() == list(range(len(vectors)))


def test_equals_keep_their_order() -> None:
    vectors = turned(0, 0, 0, 0)
    assert spread(vectors, np.full(4, 0.5)).tolist() == [0, 1, 2, 3]


def test_another_thing_comes_before_more_of_the_same() -> None:
    vectors = turned(0, 1, 2, 90, 91, 180)
    order = spread(vectors, np.linspace(0.9, 0.8, 6)).tolist()
    assert set(order[:3]) & {0, 1, 2} == {0}
    assert set(order[:3]) & {3, 4}
    assert 5 in order[:3]


# -- times -----------------------------------------------------------------------------------
@pytest.mark.parametrize("time", [None, "2024-07-14"])
def test_a_day_is_no_moment(time: str | None) -> None:
    assert math.isnan(moments_of([time])[0])


def test_moments_are_those_of_the_clock_on_the_wall() -> None:
    at = moments_of(["2024-07-14T18:22:05", "2024-07-14T18:22:08+02:00", "2024-07-15T18:22:05Z"])
    assert (at - at[0]).tolist() == [0, 3, 86400]


def test_what_is_shipped_asks_more_of_a_copy_than_of_a_burst() -> None:
    assert ALIKE.burst < ALIKE.copy + ALIKE.crowd
