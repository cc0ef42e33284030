"""Pages of an answer in which alike images are folded, or which is spread.

The best of what is relevant is arranged, always the same images whatever page is asked for, so that
pages go on where others end; what comes after stays as it is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from visionquery.search.calibrate import confidence
from visionquery.search.diversity import folded, moments_of, spread
from visionquery.search.judging import Judged
from visionquery.search.result import Hit
from visionquery.store.base import ImageRecord, Store

__all__ = [
    "FOLDED",
    "PLAIN",
    "SPREAD",
    "Placed",
    "Stretch",
    "Variety",
    "arranged",
    "images_for",
]

FOLDED: Final = 1000
"""Relevant images, best first, among which alike ones are looked for."""

SPREAD: Final = 60
"""Relevant images, or groups of alike ones, best first, that are brought into another order."""

Placed = tuple[int, ImageRecord]
"""An image by its place among those judged, and its record."""

Stretch = Callable[[int, int], tuple[Judged, Sequence[Placed]]]
"""From an offset and a limit to that stretch of an order of images, and the judged among which
they have their places."""

MakeHits = Callable[[Judged, Sequence[Placed], int], list[Hit]]
"""From images of a stretch and the rank of the first to hits."""


@dataclass(frozen=True, slots=True)
class Variety:
    """Whether alike images are folded into one, and whether what comes first is spread."""

    fold: bool = False
    spread: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether the order stays as it is."""
        return not (self.fold or self.spread)

    @property
    def looked_at(self) -> int:
        """How many relevant images are arranged at most."""
        return FOLDED if self.fold else SPREAD if self.spread else 0


PLAIN: Final = Variety()


def images_for(variety: Variety, last: int) -> int:
    """Return how many images, best first, are needed for pages up to the hit `last`: the same
    number for many pages, so that these are made of the same candidates."""
    looked_at = variety.looked_at
    return last if not looked_at else looked_at * (1 + -(-last // looked_at))


def arranged(
    store: Store,
    stretch: Stretch,
    make_hits: MakeHits,
    variety: Variety,
    *,
    total: int,
    limit: int,
    offset: int,
) -> tuple[list[Hit], int]:
    """Return a page of an order of images, the first `total` of which are relevant, and how many
    of these stand behind others; inside `store.reading()`."""
    groups, shown, head = list[NDArray[np.intp]](), None, list[Placed]()
    if total and not variety.is_plain:
        shown, found = stretch(0, min(total, variety.looked_at))
        head = list(found)
        groups = _groups(store, shown, head, variety)
    page = groups[offset : offset + limit]
    hits: list[Hit] = []
    if shown is not None and page:
        leaders = [head[group[0]] for group in page]
        others = [tuple(head[place][1].image_id for place in group[1:]) for group in page]
        made = make_hits(shown, leaders, offset + 1)
        hits = [replace(hit, folded=ids) for hit, ids in zip(made, others, strict=True)]
    behind = len(head) - len(groups)
    start = max(offset, len(groups))
    if len(hits) < limit:
        hits += make_hits(*stretch(start + behind, limit - len(hits)), start + 1)
    return hits, behind


def _groups(
    store: Store, shown: Judged, head: Sequence[Placed], variety: Variety
) -> list[NDArray[np.intp]]:
    """Return groups of the images of a stretch, as places in it, in the order they are shown."""
    vectors = store.vectors([record.row for _, record in head])
    groups = [np.array([place]) for place in range(len(head))]
    if variety.fold:
        groups = folded(vectors, moments_of([record.facts.taken_at for _, record in head]))
    if not variety.spread:
        return groups
    first = groups[:SPREAD]
    leaders = [int(group[0]) for group in first]
    sure = confidence(shown.odds[[head[leader][0] for leader in leaders]])
    in_order = spread(vectors[leaders], sure).tolist()
    return [*(first[place] for place in in_order), *groups[SPREAD:]]
