"""Where things are, from the scores of regions; and what that does to an answer."""

from dataclasses import replace

import numpy as np
import pytest

from visionquery.query.ast import And, Arranged, Blend, Node, Relation, Text
from visionquery.query.grammar import parse
from visionquery.query.plan import AllOf, Arrangement, Negation, ProbeRef
from visionquery.search.arrangement import (
    WEAK,
    RegionScores,
    against,
    in_order,
    leaning,
    otherwise_many,
)
from visionquery.search.candidates import find
from visionquery.search.judging import directions, judged
from visionquery.store.local import create_local
from visionquery.store.memory import MemoryStore
from visionquery.store.questions import EVERYWHERE

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


# -- in a plan -----------------------------------------------------------------------------------
@pytest.fixture
def street(world) -> MemoryStore:
    """Three images of a dog and a car, and others of one of them or neither."""
    both = [world.image(f"b{i}", dog=0.8, car=0.6) for i in range(3)]
    rest = [world.image(f"aa{i:02}", dog=i / 60, beach=1.0, car=0.2) for i in range(60)]
    return world.store(*both, *rest)


def test_an_arrangement_is_planned_as_its_words_and_its_things(world, street):
    plan = world.plan("dog left of car", street)
    assert [probe.text for probe in plan.probes] == ["dog left of car", "dog", "car"]
    assert plan.expression == Arrangement(ProbeRef(0), (ProbeRef(1), ProbeRef(2)), "left of")
    excluded = world.plan("beach -(dog left of car)", street).expression
    assert isinstance(excluded, AllOf)
    assert isinstance(excluded.parts[1], Negation)
    assert isinstance(excluded.parts[1].part, ProbeRef)


@pytest.mark.parametrize("query", ["dog left of car", "beach AND car above dog", "dog on the left"])
def test_without_regions_the_words_alone_count(world, street, tmp_path, query):
    described = _described(parse(query))
    assert world.confidences(query, street) == world.confidences(described, street)
    on_disk = create_local(tmp_path / "library", world.identity)
    world.fill(on_disk, [world.image(f"{i:04}", dog=i / 300, car=0.5) for i in range(300)])
    assert world.ids(query, on_disk, limit=9) == world.ids(described, on_disk, limit=9)
    on_disk.close()


def _described(node: Node) -> Node:
    match node:
        case And((first, Arranged(text))):
            return And((first, Blend((text,))))
        case Arranged(text):
            return Blend((text,))
        case _:
            raise AssertionError(node)


def test_places_order_an_answer_and_take_out_what_lies_the_other_way(world, street):
    plan = world.plan("dog left of car", street)
    with street.reading():
        found = find(plan, street, EVERYWHERE, count=1, least=0.0, every=True)
    known, cosines = found.known, found.best.evidence.cosines
    so, otherwise, _ = (int(row) for row in street.rows_of(["b0", "b1", "b2"]).values())
    scores = _scores((1 - _RIGHT, _RIGHT), (_RIGHT, 1 - _RIGHT))
    owners = np.concatenate([scores.owners[:-8] + 1000, np.repeat([so, otherwise], 4)])
    order = np.argsort(owners, kind="stable")
    of_whole = np.full(len(owners), 0.1, dtype=np.float32)
    regions = RegionScores(
        owners[order], scores.boxes[order], np.vstack([of_whole, scores.cosines])[:, order]
    )
    plainly = judged(known, found.best.rows, cosines)
    placed = judged(replace(known, regions=regions), found.best.rows, cosines)
    changed = placed.odds - plainly.odds
    assert changed[so] == 0
    assert changed[otherwise] < -1
    assert np.count_nonzero(changed) == 1
    assert placed.order[so] > plainly.order[so] > placed.order[otherwise]


def test_a_number_never_raises_confidence_and_falls_with_what_competes(world, street):
    plainly = world.confidences(Blend((Text("two dogs"),)), street)
    counted = world.confidences("two dogs", street)
    assert all(counted[image_id] <= plainly[image_id] for image_id in plainly)
    plan = world.plan("beach AND two dogs", street)
    signs = directions(plan)[:, 0]
    falling = {probe.text for probe, sign in zip(plan.probes, signs, strict=True) if sign < 0}
    assert falling == {"a dog", "three dogs", "four dogs"}
