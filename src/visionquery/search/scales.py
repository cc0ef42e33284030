"""The scales of a plan's probes, measured on a whole library.

Quantiles are read from at most 65,536 images, evenly spread, and may be those of estimates, whose
errors have no side; the best few images are always the true ones of all that were looked at.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from visionquery.query.plan import Plan
from visionquery.search.calibrate import (
    Scale,
    best_count,
    best_places,
    picture_scale,
    text_scale,
)
from visionquery.store.base import Estimates, Store
from visionquery.store.kernels import largest

__all__ = ["FindBest", "best_of_all", "best_of_few", "measured", "sampled"]

FindBest = Callable[[int, int], tuple[NDArray[np.intp], NDArray[np.float32]]]
"""From the number of a probe and a count to the rows (b,) of the best images, and all that equal
the last, with their true cosines (b,)."""

_SAMPLED = 65_536
_SEEDS = 64


def measured(
    plan: Plan,
    sample: NDArray[np.float32],
    *,
    images: int,
    find_best: FindBest,
    biases: Callable[[NDArray[np.intp]], NDArray[np.float32]],
) -> list[Scale]:
    """Return the scale of each of p probes of a plan, from cosines (p, m) of a sample of so many
    `images`; `biases` gives those (b,) of rows (b,)."""
    scales = []
    for index, probe in enumerate(plan.probes):
        null = plan.null if probe.is_text else None
        rows, best = find_best(index, best_count(images, is_text=null is not None))
        if null is None:
            scales.append(picture_scale(sample[index], best, images=images))
        else:
            scales.append(text_scale(sample[index], best, biases(rows), null, images=images))
    return scales


def sampled(cosines: NDArray[np.float32], alive: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return cosines (p, m) of images out of those (p, n) of all rows, of which some are
    `alive`, (n,)."""
    images = int(np.count_nonzero(alive))
    step = -(-max(images, 1) // _SAMPLED)
    if images == len(alive):
        return cosines[:, ::step]
    return cosines[:, np.flatnonzero(alive)[::step]]


def best_of_all(
    plan: Plan, store: Store, about: Estimates, alive: NDArray[np.bool_]
) -> FindBest:
    """Return how to find the best of all rows, of which some are `alive`, by estimates."""

    def find(index: int, count: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        cosines, probe = about.cosines[index], plan.vectors[index : index + 1]
        rows = largest(cosines, max(count, _SEEDS), among=alive)
        true = cosines[rows] if not about.error else store.scores(probe, rows)[0]
        if about.error and len(rows):
            # No image whose estimate is further below than it can err is among the best.
            floor = np.sort(true)[-min(count, len(true))] - about.error
            rows = np.flatnonzero((cosines >= floor) & alive)
            true = store.scores(probe, rows)[0]
        places = best_places(true, count)
        return rows[places], true[places]

    return find


def best_of_few(rows: NDArray[np.intp], cosines: NDArray[np.float32]) -> FindBest:
    """Return how to find the best of some rows (n,) with known cosines (p, n)."""

    def find(index: int, count: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        places = best_places(cosines[index], count)
        return rows[places], cosines[index, places]

    return find
