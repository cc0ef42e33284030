"""Where things are, from the scores of regions; and what that does to an answer."""


import numpy as np
import pytest

from visionquery.query.ast import Relation
from visionquery.search.arrangement import (
    WEAK,
    RegionScores,
    against,
    in_order,
    leaning,
    otherwise_many,
)

_CORNERS = np.array([(0, 0, 60, 60), (40, 0, 60, 60), (0, 40, 60, 60), (40, 40, 60, 60)])
_RIGHT, _TOP = np.array([0, 1, 0, 1]), np.array([1, 1, 0, 0])


def _scores(*pictures: tuple[np.ndarray, np.ndarray]) -> RegionScores:
    """Return regions of pictures, at every second row from 1, with the cosines of two probes, 0.1
    to 0.15; fifty pictures before them show nothing."""
    random = np.random.default_rng(0)
    nothing = 0.1 + 0.01 * random.standard_normal((2, 200)).astype(np.float32)
    shown = np.array([np.concatenate(each) for each in zip(*pictures, strict=True)])
    count = 50 + len(pictures)
    return RegionScores(
        np.repeat(1 + 2 * np.arange(count), 4),
        np.tile(_CORNERS, (count, 1)).astype(np.float32),
        np.hstack([nothing, 0.1 + 0.05 * shown]).astype(np.float32),
    )


@pytest.mark.parametrize(
    ("relation", "opposite", "first", "second"),
    [
        ("left of", "right of", 1 - _RIGHT, _RIGHT),
        ("right of", "left of", _RIGHT, 1 - _RIGHT),
        ("above", "below", _TOP, 1 - _TOP),
        ("below", "above", 1 - _TOP, _TOP),
    ],
)
def test_two_things_lean_the_way_they_lie(
    relation: Relation, opposite: Relation, first: np.ndarray, second: np.ndarray
) -> None:
    scores, rows = _scores((first, second), (second, first)), np.array([101, 103])
    so, swapped = leaning(relation, scores, (0, 1), rows)
    assert so > WEAK
    assert swapped == pytest.approx(-so)
    assert leaning(opposite, scores, (0, 1), rows) == pytest.approx([swapped, so])


@pytest.mark.parametrize(
    ("relation", "where"),
    [("left", 1 - _RIGHT), ("right", _RIGHT), ("top", _TOP), ("bottom", 1 - _TOP)],
)
def test_one_thing_leans_to_its_side(relation: Relation, where: np.ndarray) -> None:
    scores = _scores((where, where), (1 - where, where))
    so, otherwise = leaning(relation, scores, (0,), np.array([101, 103]))
    assert so > WEAK
    assert otherwise < -WEAK


def test_little_evidence_is_little() -> None:
    nowhere, everywhere = np.zeros(4), np.ones(4)
    scores = _scores((1 - _RIGHT, nowhere), (everywhere, everywhere), (nowhere, nowhere))
    found = leaning("left of", scores, (0, 1), np.array([101, 103, 105]))
    assert found == pytest.approx([0, 0, 0], abs=WEAK)


def test_images_without_regions_lean_nowhere() -> None:
    scores = _scores((1 - _RIGHT, _RIGHT))
    assert leaning("left of", scores, (0, 1), np.array([0, 100, 101, 999]))[[0, 1, 3]].any() == 0
    one = RegionScores(np.array([0]), np.array([[0, 0, 100, 100]], "f4"), np.array([[0.3]], "f4"))
    assert leaning("left", one, (0,), np.array([0])) == [0]
    none = RegionScores(np.empty(0, np.intp), np.empty((0, 4), "f4"), np.empty((1, 0), "f4"))
    assert leaning("left", none, (0,), np.array([0, 1])).tolist() == [0, 0]


def test_places_take_out_but_never_bring_in() -> None:
    leanings = np.linspace(-3, 3, 61)
    assert (against(leanings) <= 0).all()
    assert against(leanings[30:]).tolist() == [0] * 31
    assert (np.diff(against(leanings[:31])) > 0).all()
    assert (np.diff(in_order(leanings)) > 0).all()
    assert against(np.array([-1e9, 1e9])).tolist()[1] == 0


def test_a_number_is_blamed_for_what_fits_better() -> None:
    own, others = np.array([3.0, 3.0, 3.0]), [np.array([1.0, 4.0, 0.0]), np.array([2.0, 3.0, 5.0])]
    assert otherwise_many(own, others).tolist() == [0, -1, -2]
