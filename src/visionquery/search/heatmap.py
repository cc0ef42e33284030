"""Where in a picture something is: cosines of overlapping views, spread back over the picture.

A view counts by its evidence: its cosine with the query, less what everyday captions get on it, in
spreads of these. Evidence is measured from halfway between what the query gets on the picture's
other views and on other images: where a thing fills the picture the others tell that it is there,
and where the query is a short one, which scores low on everything, the rest of the picture does.

The picture is covered twice, by squares of two sizes that overlap by half. Sizes, squares and the
two marks below were chosen on every second of the scenes of `benchmarks/quality/heatmap.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from visionquery.query.ast import Box

__all__ = ["SIDES", "SMALLEST", "Heat", "evidence", "heat", "united", "windows"]

SIDES: Final = (0.4, 0.25)
"""Sides of views, in sides of the square that has the picture's area."""

SMALLEST: Final = min(SIDES)
"""The side of the smallest view, as a part of the picture's shorter side at most."""

_LEAST_SIDE: Final = 32
"""Pixels of a view below which a second size shows nothing more."""

_MOST_ALONG: Final = 32
"""Views side by side; those of a picture that is longer still are long themselves."""

_STRONG: Final = 4.0
_WEAK: Final = 2.5
"""Spreads of the best view's evidence that are as strong as it gets, and below which there is
little of it: 95 of 100 things that are not there stay below."""

_IN_BOX: Final = 0.45
"""How far from what is usual in the picture to the peak the evidence in the box is, at least."""

_WHOLE: Final = Box(0.0, 0.0, 100.0, 100.0)


@dataclass(frozen=True, slots=True, eq=False)
class Heat:
    """A map of evidence, `grid` (h, w) of 0..1: 0 is no more than usual, 1 the strongest there is.

    `box` is around the place of the strongest, the whole picture where there is none.
    """

    grid: NDArray[np.float32]
    box: Box

    @property
    def strength(self) -> float:
        """The strongest evidence anywhere, 0..1."""
        return float(self.grid.max())

    @property
    def is_weak(self) -> bool:
        """Whether there is too little evidence anywhere to believe that it is there."""
        return self.strength < (_WEAK / _STRONG) ** 2


def windows(width: int, height: int, *, sides: Sequence[float] = SIDES) -> list[Box]:
    """Return the views of a picture of some pixels: each size covers all of it.

    There are 65 of a square, about as many of other shapes, and never more than 130.
    """
    side = sqrt(width * height)
    sizes = [part * side for part in sides]
    used = [size for size in sizes if size >= _LEAST_SIDE] or sizes[:1]
    return [
        Box(left * 100 / width, top * 100 / height, across * 100 / width, down * 100 / height)
        for size in used
        for top, down in _stretches(height, size)
        for left, across in _stretches(width, size)
    ]


def _stretches(length: int, size: float) -> list[tuple[float, float]]:
    """Return stretches (start, length) that cover a side and overlap by half or more."""
    size = min(size, length)
    count = ceil(2 * (length - size) / size - 1e-9) + 1
    if count > _MOST_ALONG:
        count, size = _MOST_ALONG, 2 * length / (_MOST_ALONG + 1)
    step = (length - size) / max(count - 1, 1)
    return [(number * step, size) for number in range(count)]


def evidence(
    views: NDArray[np.float32], others: NDArray[np.float32], spread: float
) -> NDArray[np.float32]:
    """Return the evidence (m,), in spreads, of views (m,) beside other images (n,), both given as
    cosines less what is usual for them; `spread` is above 0."""
    rest = float(np.median(views))
    usual = (rest + float(np.median(others))) / 2 if len(others) else rest
    return np.asarray((views - usual) / spread, np.float32)


def heat(boxes: list[Box], scores: NDArray[np.float32], shape: tuple[int, int]) -> Heat:
    """Return the map, of a shape (h, w), of the evidence (m,) of views.

    What is above 0 counts by its square. Each size of views gives a mean of those around a place,
    whose weights fall to 0 at their edges; sizes count alike.
    """
    sides = np.array([(box.left, box.top, box.width, box.height) for box in boxes])
    counted = np.maximum(scores.astype(np.float64), 0.0) ** 2
    if not counted.any():
        return Heat(np.zeros(shape, np.float32), _WHOLE)
    sizes = np.round(sides[:, 2] * sides[:, 3], 6)
    grid = np.sum(
        [_mean(sides[sizes == one], counted[sizes == one], shape) for one in set(sizes)], 0
    )
    strength = min(counted.max() / _STRONG**2, 1.0)
    grid = np.asarray(grid * (strength / grid.max()), np.float32)
    return Heat(grid, _box(grid))


def united(heats: list[Heat]) -> Heat:
    """Return the map of the strongest evidence of several, of one shape."""
    if len(heats) == 1:
        return heats[0]
    grid = np.max([one.grid for one in heats], axis=0)
    return Heat(grid, max(heats, key=lambda one: one.strength).box)


def _mean(
    sides: NDArray[np.float64], values: NDArray[np.float64], shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Return the mean (h, w) of values (m,) around each place, by their boxes (m, 4)."""
    across = _weights(sides[:, 0], sides[:, 2], shape[1])
    down = _weights(sides[:, 1], sides[:, 3], shape[0])
    return np.asarray((down.T @ (across * values[:, None])) / (down.T @ across))


def _weights(
    starts: NDArray[np.float64], lengths: NDArray[np.float64], places: int
) -> NDArray[np.float64]:
    """Return the weight (m, places) of each stretch, in percent, at places along a side: that of
    Hann, and next to nothing outside, for the margin that lies near the edge of all."""
    at = (np.arange(places) + 0.5) * 100 / places
    off = (at - (starts + lengths / 2)[:, None]) / (lengths / 2)[:, None]
    inside = np.where(np.abs(off) < 1, np.cos(np.pi * off / 2) ** 2, 0.0)
    return np.asarray(inside + 1e-6 * np.exp(-np.abs(off)))


def _box(grid: NDArray[np.float32]) -> Box:
    """Return the box around what hangs together with the peak."""
    spreads = np.sqrt(grid)
    usual = np.median(spreads)
    high = spreads >= usual + _IN_BOX * (spreads.max() - usual)
    found = np.zeros_like(high)
    found[np.unravel_index(int(grid.argmax()), grid.shape)] = True
    count = 0
    while count < (count := int(found.sum())):
        grown = found.copy()
        grown[1:] |= found[:-1]
        grown[:-1] |= found[1:]
        grown[:, 1:] |= found[:, :-1]
        grown[:, :-1] |= found[:, 1:]
        found = grown & high
    (top, bottom), (left, right) = _ends(found.any(axis=1)), _ends(found.any(axis=0))
    return Box(left, top, right - left, bottom - top)


def _ends(mask: NDArray[np.bool_]) -> tuple[float, float]:
    """Return where the places of a side that are true start and end, in percent."""
    (places,) = np.nonzero(mask)
    return float(places[0] * 100 / len(mask)), float((places[-1] + 1) * 100 / len(mask))
