"""Views that cover a picture, and maps that their evidence makes."""

import numpy as np
import pytest

from visionquery.query.ast import Box
from visionquery.search.heatmap import Heat, evidence, heat, united, windows

SHAPES = [
    (800, 800), (1200, 800), (800, 1200), (1920, 1080), (4000, 100), (60_000, 1), (1, 60_000),
    (1, 1), (50, 40), (127, 3), (9000, 8999),
]  # fmt: skip


@pytest.mark.parametrize(("width", "height"), SHAPES)
def test_views_lie_inside_and_cover_everything(width: int, height: int) -> None:
    boxes = windows(width, height)
    assert 1 <= len(boxes) <= 130
    sides = np.array([(box.left, box.top, box.width, box.height) for box in boxes])
    assert (sides[:, :2] >= 0).all()
    assert (sides[:, 2:] > 0).all()
    assert (sides[:, :2] + sides[:, 2:] <= 100 + 1e-9).all()
    at = np.linspace(0.1, 99.9, 60)
    for size in np.unique(np.round(sides[:, 2] * sides[:, 3], 6)):
        left, top, across, down = sides[np.isclose(sides[:, 2] * sides[:, 3], size)].T
        columns = (left[:, None] <= at) & (at <= (left + across)[:, None])
        rows = (top[:, None] <= at) & (at <= (top + down)[:, None])
        assert (rows.T.astype(int) @ columns).all()


def test_views_are_squares_of_two_sizes() -> None:
    boxes = windows(1200, 800)
    shapes = {(round(box.width * 12), round(box.height * 8)) for box in boxes}
    assert {across for across, _ in shapes} == {down for _, down in shapes}
    assert len(shapes) == 2
    assert len(windows(800, 800)) == 65


def test_a_small_picture_has_fewer_views() -> None:
    assert len(windows(64, 48)) < len(windows(640, 480))
    assert {box.width for box in windows(16, 16)} == {40.0}


@pytest.mark.parametrize("hot", range(0, 65, 8))
def test_one_hot_view_is_where_the_peak_is(hot: int) -> None:
    boxes = windows(800, 800)
    scores = np.zeros(len(boxes), np.float32)
    scores[hot] = 6.0
    found = heat(boxes, scores, (96, 96))
    y, x = np.unravel_index(int(found.grid.argmax()), found.grid.shape)
    box = boxes[hot]
    assert box.left <= (x + 0.5) * 100 / 96 <= box.left + box.width
    assert box.top <= (y + 0.5) * 100 / 96 <= box.top + box.height
    assert found.strength == pytest.approx(1.0)
    assert not found.is_weak
    assert found.grid.min() < 1e-6
    assert found.box.left >= box.left - 2
    assert found.box.left + found.box.width <= box.left + box.width + 2


def test_little_evidence_is_not_stretched() -> None:
    boxes = windows(800, 600)
    noise = np.random.default_rng(0).normal(0, 0.7, len(boxes)).astype(np.float32)
    found = heat(boxes, noise, (72, 96))
    assert found.is_weak
    assert 0 < found.grid.max() < 0.4
    assert found.strength == found.grid.max()


def test_more_evidence_is_never_less_heat() -> None:
    boxes = windows(800, 600)
    scores = np.random.default_rng(1).normal(0, 1, len(boxes)).astype(np.float32)
    strengths = [heat(boxes, scores * by, (24, 32)).strength for by in (0.2, 0.5, 1.0, 2.0, 9.0)]
    assert strengths == sorted(strengths)
    assert strengths[-1] == pytest.approx(1.0)


def test_no_evidence_at_all_is_a_blank_map_of_the_whole() -> None:
    boxes = windows(300, 200)
    found = heat(boxes, np.full(len(boxes), -1.0, np.float32), (10, 15))
    assert not found.grid.any()
    assert (found.box, found.is_weak, found.strength) == (Box(0, 0, 100, 100), True, 0.0)


def test_evidence_is_counted_from_between_the_picture_and_the_others() -> None:
    views, others = np.array([0.1, 0.1, 0.5], np.float32), np.array([-0.1, -0.1], np.float32)
    assert evidence(views, others, 0.1) == pytest.approx([1.0, 1.0, 5.0], abs=1e-5)
    alone = evidence(views, np.empty(0, np.float32), 0.1)
    assert alone == pytest.approx([0.0, 0.0, 4.0], abs=1e-5)


def test_several_are_united_by_the_strongest() -> None:
    low = Heat(np.array([[0.1, 0.3]], np.float32), Box(50, 0, 50, 100))
    high = Heat(np.array([[0.9, 0.2]], np.float32), Box(0, 0, 50, 100))
    both = united([low, high])
    assert both.grid == pytest.approx(np.array([[0.9, 0.3]]))
    assert (both.box, both.is_weak) == (high.box, False)
    assert united([low]) is low
