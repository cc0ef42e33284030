"""Where things lie in images, read off the regions of these, and how many there are.

Each region says how much it looks like a thing, in spreads over the regions of all images. Where
the regions of an image that look more like the subject lie to the left and those that look more
like the object to the right, the subject lies left of the object: the slope of their difference
over the regions' centres, in deviations of these. An image that shows one of the things nowhere
tells nothing about where they are, so the slope counts as far as the best region of the thing that
is shown least is one of that thing. What is left is called the leaning of an image: above 0 for
what is asked, below 0 for the opposite, near 0 where there is little to go by.

Regions overlap and are few, so this tells the sides of a picture, not inches. The constants were
chosen, and their worth measured, with `benchmarks/quality/relations.py` and `counts.py` there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from visionquery.query.ast import Relation

__all__ = [
    "WEAK",
    "Leaning",
    "RegionScores",
    "against",
    "in_order",
    "leaning",
    "otherwise_many",
]

Leaning = NDArray[np.float64]
"""How far images, (n,), lie as is asked: above 0 so, below 0 the other way, 0 unknown."""

WEAK: Final = 0.3
"""A leaning nearer to 0 says little: it points the right way three times in four, beyond it 95 in
100 times and more."""

_SHOWN: Final = 1.0
_SHOWN_SLOPE: Final = 3.0
"""Spreads at which a best region is as likely one of the thing as not, and how fast that grows."""

_AGAINST: Final = 5.0
_IN_ORDER: Final = 5.0
_COUNT: Final = 1.0
"""Log-odds for each unit of leaning against what is asked, in the order of images, and for each
spread by which another number fits better."""

_LEAST: Final = 1e-4
_SAMPLED: Final = 65_536
"""Regions from which the usual value and the spread are read, evenly spread."""

_AXES: Final[dict[Relation, tuple[int, int]]] = {
    "left of": (0, -1), "right of": (0, 1), "left": (0, -1), "right": (0, 1),
    "above": (1, -1), "below": (1, 1), "top": (1, -1), "bottom": (1, 1),
}  # fmt: skip
"""Along which side of a picture the subject lies (0 across, 1 down), and in which direction."""


@dataclass(frozen=True, slots=True, eq=False)
class RegionScores:
    """The regions of a library and how a plan's probes score on them: rows (m,), rising, of the
    images that they are of, boxes (m, 4), left, top, width and height in percent, and cosines
    (p, m)."""

    owners: NDArray[np.intp]
    boxes: NDArray[np.float32]
    cosines: NDArray[np.float32]


def leaning(
    relation: Relation, regions: RegionScores, things: Sequence[int], rows: NDArray[np.intp]
) -> Leaning:
    """Return how far the images of rows (n,) lie as a relation says of some probes, the subject and
    the object, or of the subject alone; 0 for those without regions."""
    found = np.zeros(len(rows))
    if not len(regions.owners):
        return found
    side, direction = _AXES[relation]
    starts = np.flatnonzero(np.diff(regions.owners, prepend=-1))
    shown = [_spreads(regions.cosines[index]) for index in things]
    places = _centres(regions.boxes, side, starts)
    toward = shown[0] if len(shown) == 1 else shown[0] - shown[1]
    counts = np.diff(starts, append=len(regions.owners))
    slope = direction * np.add.reduceat(places * toward, starts) / counts
    least = np.minimum.reduce([np.maximum.reduceat(each, starts) for each in shown])
    every = slope / (1 + np.exp(-_SHOWN_SLOPE * (least - _SHOWN)))
    owners = regions.owners[starts]
    where = np.minimum(np.searchsorted(owners, rows), len(owners) - 1)
    has_some = owners[where] == rows
    found[has_some] = every[where[has_some]]
    return found


def against(leaning: Leaning) -> NDArray[np.float64]:
    """Return what is taken from the log-odds, (n,), of images that lean the other way, 0 at most:
    places take an image out of an answer, but never bring one in."""
    doubt: NDArray[np.float64] = np.logaddexp(0.0, -_AGAINST * leaning) - np.log(2.0)
    return -np.maximum(doubt, 0.0)


def in_order(leaning: Leaning) -> NDArray[np.float64]:
    """Return what is added to the log-odds, (n,), by which images are ordered."""
    return _IN_ORDER * leaning


def otherwise_many(
    own: NDArray[np.float64], others: Sequence[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Return what is taken from the log-odds, (n,), of images that look more like other numbers of
    the same things, in spreads (n,) each, than like the `own` number; 0 at most."""
    best: NDArray[np.float64] = np.maximum.reduce(list(others))
    return -_COUNT * np.maximum(best - own, 0.0)


def _centres(
    boxes: NDArray[np.float32], side: int, starts: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return where the centres of regions lie along a side, (m,), in deviations from the mean of
    their image; 0 where all lie in one place."""
    centre = boxes[:, side].astype(np.float64) + boxes[:, side + 2] / 2
    counts = np.diff(starts, append=len(boxes))
    centre -= np.repeat(np.add.reduceat(centre, starts) / counts, counts)
    deviation = np.sqrt(np.add.reduceat(centre**2, starts) / counts)
    deviation[deviation < _LEAST] = np.inf
    placed: NDArray[np.float64] = centre / np.repeat(deviation, counts)
    return placed


def _spreads(cosines: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return cosines (m,) in spreads from their usual value, as the lower half of them shows it."""
    low, half = np.quantile(cosines[:: -(-len(cosines) // _SAMPLED)], (0.16, 0.5))
    spreads: NDArray[np.float64] = (cosines - np.float64(half)) / max(half - low, _LEAST)
    return spreads
