"""Which images can be in an answer: a look at all of them that is fast, then a few for certain.

Up to a million images every one is compared, by estimates first (`bounds`). In a library too large
even for that, the store names likely candidates, and these are compared.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visionquery.query.plan import Plan
from visionquery.search.bounds import Look, best_of, relevant_of
from visionquery.search.calibrate import Scale
from visionquery.search.evidence import Known, Mask, held_by
from visionquery.search.judging import Judged, can_hold, has_bounds, judged, probes_asked
from visionquery.search.scales import (
    best_of_all,
    best_of_few,
    measured,
    sampled,
    sampled_spans,
)
from visionquery.store.base import Estimates, Store
from visionquery.store.rows import distinct
from visionquery.types import Matrix

__all__ = ["EXACT_UP_TO", "Found", "find", "likely_count"]

EXACT_UP_TO = 1_000_000
"""Rows of a library up to which every image is compared unless a person says otherwise."""

_FEW = 20_000
"""So few possible images are all compared, whatever the size of the library."""

_LIKELY = 512
"""Candidates, at least, to every probe where not every image is looked at."""

_MOST_JUDGED = 1024
"""Images in doubt, for being relevant or not, that are read to know."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What can be in an answer: the best images, judged, and more; the rows (r,), rising, of all
    that is relevant; of how many images, and whether none of them was skipped to save time."""

    known: Known
    best: Judged
    relevant: NDArray[np.intp]
    images: int
    exact: bool


def find(
    plan: Plan,
    store: Store,
    within: Mask | None,
    *,
    count: int,
    least: float,
    exact: bool | None = None,
    every: bool = False,
) -> Found:
    """Return what is needed for the best `count` images, those of log-odds `least` being relevant;
    inside `store.reading()`.

    `exact` tells whether every image is compared, None that it is up to EXACT_UP_TO rows. `every`
    judges every image, for a look at those far from the best.
    """
    alive = store.alive()
    possible = alive if within is None else alive & within
    is_exact = exact if exact is not None else len(alive) <= EXACT_UP_TO
    if plan.probes and not every and not is_exact:
        return _likely(plan, store, alive, possible, count=count, least=least)
    if not plan.probes or every or not has_bounds(plan.expression):
        about = Estimates(store.scores(plan.vectors))
    else:
        about = store.estimates(plan.vectors)
    images, sample = int(np.count_nonzero(alive)), sampled(about.cosines, alive)
    best = best_of_all(plan, store, about, alive)
    known = _known(plan, store, measured(plan, store, sample, images=images, find_best=best))
    if about.error:
        look = Look(known, store, about, possible & can_hold(known, len(alive)))
        return _found(look, images=int(np.count_nonzero(possible)), count=count, least=least)
    rows = np.flatnonzero(possible)
    cosines = about.cosines if len(rows) == len(possible) else about.cosines[:, rows]
    all_of_them = judged(known, rows, cosines)
    is_relevant = (all_of_them.odds >= least) & (all_of_them.odds > -np.inf)
    return Found(known, all_of_them, rows[is_relevant], len(rows), exact=True)


def likely_count(count: int) -> int:
    """Return how many candidates are near enough to a probe to look at for the best `count`."""
    return _LIKELY + 4 * count


def _known(plan: Plan, store: Store, scales: list[Scale]) -> Known:
    masks = [store.matching(test) for test in plan.filters]
    return Known(plan, scales, held_by(plan, store), masks)


def _found(look: Look, *, images: int, count: int, least: float, exact: bool = True) -> Found:
    relevant = relevant_of(look, least=least, most_judged=_MOST_JUDGED if exact else 0)
    best = best_of(look, count=count, least=least)
    return Found(look.known, best, relevant, images, exact)


def _likely(
    plan: Plan, store: Store, alive: Mask, possible: Mask, *, count: int, least: float
) -> Found:
    """Compare the images that the store takes for the nearest to what is asked for."""
    spans = sampled_spans(len(alive))
    in_sample = np.concatenate([alive[first:end] for first, end in spans])
    sample = store.estimates(plan.vectors, spans=spans).cosines[:, in_sample]
    likely, between = likely_count(count), _between(plan)
    # The best images of every probe, asked for or not, tell its scale.
    near = store.nearest(np.vstack([plan.vectors, between]), likely, among=alive)
    best = best_of_few(near, store.estimates(plan.vectors, rows=near).cosines)
    images = int(np.count_nonzero(alive))
    known = _known(plan, store, measured(plan, store, sample, images=images, find_best=best))
    possible = possible & can_hold(known, len(alive))
    left = int(np.count_nonzero(possible))
    if left <= _FEW:
        rows = np.flatnonzero(possible)
    else:
        if left < images:
            asked = plan.vectors[sorted(probes_asked(plan.expression))]
            near = store.nearest(np.vstack([asked, between]), likely, among=possible)
        named = [held.best(likely) for held in known.held if held is not None]
        rows = distinct(np.concatenate([near, *(each[possible[each]] for each in named)]))
    about = store.estimates(plan.vectors, rows=rows)
    look = Look(known, store, about, np.ones(len(rows), dtype=np.bool_), rows)
    return _found(look, images=images, count=count, least=least, exact=left <= _FEW)


def _between(plan: Plan) -> Matrix:
    """Return what candidates lie near beside each probe that is asked for, (b, embed_dim): of
    several the mean; where there are none, the opposites of what is excluded."""
    asked = sorted(probes_asked(plan.expression))
    if not asked:
        return -plan.vectors
    mean: Matrix = plan.vectors[asked].mean(axis=0, keepdims=True)
    length = np.linalg.norm(mean)
    return np.asarray(mean / length) if len(asked) > 1 and length else mean[:0]
