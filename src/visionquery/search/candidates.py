"""Which images can be in an answer: a look at all of them that is fast, then a few for certain.

A store estimates the cosines of every image, and says how far an estimate is from the truth at
most. An expression rises with the cosine of what is asked for and falls with that of what is
excluded, so that estimates moved by as much give bounds of its value. Images whose upper bound
lies below the true value of `count` others cannot be among the best, and all others are judged by
their true cosines: the answer is that of comparing every vector, at a fraction of the reading.

In a library too large even for that, a store names likely candidates, and these are judged.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from visionquery.query.plan import AllOf, AnyOf, Expression, FilterRef, Negation, Plan, ProbeRef
from visionquery.search.calibrate import LogOdds, Scale, log_odds
from visionquery.search.combination import combined, leaves
from visionquery.search.evidence import Evidence, Known, Mask, held_by
from visionquery.search.scales import (
    best_of_all,
    best_of_few,
    measured,
    sampled,
    sampled_spans,
)
from visionquery.store.base import Estimates, Store
from visionquery.store.kernels import largest
from visionquery.store.rows import distinct
from visionquery.types import Matrix

__all__ = ["EXACT_UP_TO", "Found", "Judged", "find", "judged", "likely_count", "ranked"]

EXACT_UP_TO = 1_000_000
"""Rows of a library up to which every image is compared unless a person says otherwise."""

_ABOVE_ALL = 1e4
"""Added to log-odds, it is above all others, and takes none of the digits that tell two apart."""

_FEW = 20_000
"""So few possible images are all judged, whatever the size of the library."""

_SEEDS = 64
_LIKELY = 512
"""Candidates, at least, to every probe where not every image is looked at."""

_MOST_DOUBTFUL = 1024

_COSINES: Final = np.linspace(-1.001, 1.001, 4097, dtype=np.float32)
"""Cosines, from the least to the most, at which curves are read."""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Images judged by their cosines: rows (n,), rising, log-odds (n,), which are -inf where a
    filter leaves one out, and mean cosines (n,) of what is asked for, None where nothing is.
    `order`, (n,), is what images are ranked by: the log-odds, but for exclusions, which weigh more
    in it."""

    evidence: Evidence
    odds: LogOdds
    order: LogOdds
    cosines: NDArray[np.float64] | None

    @property
    def rows(self) -> NDArray[np.intp]:
        """The rows (n,) of the images."""
        return self.evidence.rows


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
    if not plan.probes or every or not _has_bounds(plan.expression):
        about = Estimates(store.scores(plan.vectors))
    else:
        about = store.estimates(plan.vectors)
    images, sample = int(np.count_nonzero(alive)), sampled(about.cosines, alive)
    best = best_of_all(plan, store, about, alive)
    known = _known(plan, store, measured(plan, store, sample, images=images, find_best=best))
    if about.error:
        possible = possible & _can_hold(plan.expression, known.masks, len(alive))
        return _bounded(known, store, possible, about, count=count, least=least)
    rows = np.flatnonzero(possible)
    cosines = about.cosines if len(rows) == len(possible) else about.cosines[:, rows]
    return _found(known, judged(known, rows, cosines), exact=True, least=least)


def judged(known: Known, rows: NDArray[np.intp], cosines: NDArray[np.float32]) -> Judged:
    """Judge images of rows (n,), rising, by their cosines (p, n)."""
    plan, evidence = known.plan, Evidence(known, rows, cosines)
    odds = order = combined(plan.expression, evidence, drops=True)
    if any(negated and isinstance(leaf, ProbeRef) for leaf, negated in leaves(plan.expression)):
        order = combined(plan.expression, evidence, drops=False)
    return Judged(evidence, odds, order, _mean_cosine(plan, cosines))


def ranked(judged: Judged, least: float) -> LogOdds:
    """Return what images are ranked by, (n,): what is relevant comes before all else."""
    if judged.order is judged.odds:
        return judged.odds
    is_relevant = (judged.odds >= least) & (judged.odds > -np.inf)
    return np.where(is_relevant, judged.order + _ABOVE_ALL, judged.order)


def _known(plan: Plan, store: Store, scales: list[Scale]) -> Known:
    masks = [store.matching(test) for test in plan.filters]
    return Known(plan, scales, held_by(plan, store), masks)


def _found(known: Known, every: Judged, *, exact: bool, least: float) -> Found:
    relevant = every.rows[(every.odds >= least) & (every.odds > -np.inf)]
    return Found(known, every, relevant, len(every.rows), exact)


def _bounded(
    known: Known, store: Store, possible: Mask, about: Estimates, *, count: int, least: float
) -> Found:
    """Find what is relevant, and what may be among the best, between bounds of every image."""
    plan = known.plan
    towards = _directions(plan.expression)[:, None]

    def true(rows: NDArray[np.intp]) -> Judged:
        return judged(known, rows, store.scores(plan.vectors, rows))

    def moved(rows: NDArray[np.intp], by: float) -> Judged:
        return judged(known, rows, about.cosines[:, rows] + np.float32(by) * towards)

    relevant = _relevant(known, possible, about, true, moved, least)
    seeds = true(_seeds(known, possible, about, count))
    floor = _floor(ranked(seeds, least), count)
    level = floor
    if seeds.order is not seeds.odds:
        level = floor - _ABOVE_ALL if floor > _ABOVE_ALL / 2 else min(floor, least)
    rows = _reaching(known, possible, about, level, about.error)
    most = ranked(moved(rows, about.error), least)
    best = true(rows[(most >= floor) & (most > -np.inf)])
    return Found(known, best, relevant, int(np.count_nonzero(possible)), True)


def _relevant(
    known: Known,
    possible: Mask,
    about: Estimates,
    true: Callable[[NDArray[np.intp]], Judged],
    moved: Callable[[NDArray[np.intp], float], Judged],
    least: float,
) -> NDArray[np.intp]:
    """Return the rows of all that is relevant: who is in doubt is judged, and of many in doubt the
    estimates decide."""
    rows = _reaching(known, possible, about, least, about.usual_error)
    if least == -np.inf:
        return rows[moved(rows, 0.0).odds > -np.inf] if known.masks else rows
    odds = moved(rows, about.usual_error).odds
    rows = rows[(odds >= least) & (odds > -np.inf)]
    in_doubt = moved(rows, -about.usual_error).odds < least
    doubtful = rows[in_doubt]
    verdict = true(doubtful) if len(doubtful) <= _MOST_DOUBTFUL else moved(doubtful, 0.0)
    in_doubt[in_doubt] = verdict.odds < least
    return rows[~in_doubt]


def _seeds(
    known: Known, possible: Mask, about: Estimates, count: int
) -> NDArray[np.intp]:
    """Return rows of images that are good by one probe or another, `count` at least where so many
    are possible."""
    asked = _indices(known.plan.expression, negated=False)
    wanted = max(2 * count, _SEEDS)
    found = [largest(about.cosines[index], wanted, among=possible) for index in asked]
    found += [held.best(wanted) for held in known.held if held is not None]
    if not asked:
        found.append(np.flatnonzero(possible)[: max(wanted, count)])
    rows = distinct(np.concatenate(found))
    return rows[possible[rows]]


def _reaching(
    known: Known, possible: Mask, about: Estimates, level: float, error: float
) -> NDArray[np.intp]:
    """Return rows, rising, with all images whose log-odds may reach a level when cosines are up to
    `error` above the estimates.

    An image is at most as good as the best of what is asked for says, so that it needs a cosine of
    which that is so, or words; but where filters or absences alone can make an answer, all may.
    """
    plan = known.plan
    if level == -np.inf or not _needs_a_probe(plan.expression):
        return np.flatnonzero(possible)
    is_near = np.zeros(len(possible), dtype=np.bool_)
    for index in _indices(plan.expression, negated=False):
        curve = plan.calibration.text if plan.probes[index].is_text else plan.calibration.picture
        odds = log_odds(_COSINES, known.scales[index], curve)
        place = int(np.searchsorted(odds, level))
        floor = _COSINES[place - 1] - error if place else -np.inf
        is_near |= about.cosines[index] >= floor
    for held in known.held:
        if held is not None:
            is_near[held.rows] = True
    return np.flatnonzero(is_near & possible)


def _needs_a_probe(expression: Expression) -> bool:
    """Whether no image is in the answer but for the cosine of something asked for."""
    match expression:
        case ProbeRef():
            return True
        case AllOf(parts):
            return any(_needs_a_probe(part) for part in parts)
        case AnyOf(parts):
            return all(_needs_a_probe(part) for part in parts)
        case _:
            return False


def _likely(
    plan: Plan, store: Store, alive: Mask, possible: Mask, *, count: int, least: float
) -> Found:
    """Judge the images that the store takes for the nearest to what is asked for."""
    spans = sampled_spans(len(alive))
    in_sample = np.concatenate([alive[first:end] for first, end in spans])
    sample = store.estimates(plan.vectors, spans).cosines[:, in_sample]
    likely, between = likely_count(count), _between(plan)
    # The best images of every probe, asked for or not, tell its scale.
    near = store.nearest(np.vstack([plan.vectors, between]), likely, among=alive)
    best = best_of_few(near, store.scores(plan.vectors, near))
    images = int(np.count_nonzero(alive))
    known = _known(plan, store, measured(plan, store, sample, images=images, find_best=best))
    possible = possible & _can_hold(plan.expression, known.masks, len(alive))
    left = int(np.count_nonzero(possible))
    if left <= _FEW:
        rows = np.flatnonzero(possible)
    else:
        if left < images:
            asked = plan.vectors[sorted(_indices(plan.expression, negated=False))]
            near = store.nearest(np.vstack([asked, between]), likely, among=possible)
        named = [held.best(likely) for held in known.held if held is not None]
        rows = distinct(np.concatenate([near, *(each[possible[each]] for each in named)]))
    every = judged(known, rows, store.scores(plan.vectors, rows))
    found = _found(known, every, exact=left <= _FEW, least=least)
    return Found(known, every, found.relevant, images, left <= _FEW)


def likely_count(count: int) -> int:
    """Return how many candidates are near enough to a probe to look at for the best `count`."""
    return _LIKELY + 4 * count


def _between(plan: Plan) -> Matrix:
    """Return what candidates lie near beside each probe that is asked for, (b, embed_dim): of
    several the mean; where there are none, the opposites of what is excluded."""
    asked = sorted(_indices(plan.expression, negated=False))
    if not asked:
        return -plan.vectors
    mean: Matrix = plan.vectors[asked].mean(axis=0, keepdims=True)
    length = np.linalg.norm(mean)
    return np.asarray(mean / length) if len(asked) > 1 and length else mean[:0]


def _can_hold(expression: Expression, masks: Sequence[Mask], row_count: int) -> Mask:
    """Return which images, (row_count,), the filters of an expression do not leave out, whatever
    its probes say."""
    every: Mask = np.ones(row_count, dtype=np.bool_)
    match expression:
        case FilterRef(index):
            return masks[index]
        case Negation(FilterRef(index)):
            return ~masks[index]
        case AllOf(parts):
            for part in parts:
                every &= _can_hold(part, masks, row_count)
        case AnyOf(parts):
            every[:] = False
            for part in parts:
                every |= _can_hold(part, masks, row_count)
    return every


def _indices(expression: Expression, *, negated: bool) -> set[int]:
    found = set()
    for leaf, is_negated in leaves(expression):
        if isinstance(leaf, ProbeRef):
            if is_negated == negated:
                found.add(leaf.index)
            # What explains an exclusion away counts for the image, as if it were asked for.
            if is_negated != negated:
                found.update(index for index, _ in leaf.beside)
    return found


def _has_bounds(expression: Expression) -> bool:
    """Whether no probe of an expression is asked for in one place and excluded in another."""
    both = _indices(expression, negated=False) & _indices(expression, negated=True)
    return not both


def _directions(expression: Expression) -> NDArray[np.float32]:
    """Return for each probe, (p,), 1 where an expression rises with its cosine, -1 where it
    falls."""
    rising, falling = (_indices(expression, negated=negated) for negated in (False, True))
    signs = np.ones(max(rising | falling, default=-1) + 1, dtype=np.float32)
    signs[list(falling)] = -1
    return signs


def _mean_cosine(plan: Plan, cosines: NDArray[np.float32]) -> NDArray[np.float64] | None:
    asked = {
        leaf.index
        for leaf, negated in leaves(plan.expression)
        if isinstance(leaf, ProbeRef) and not negated
    }
    if not asked:
        return None
    if len(asked) == 1:
        return np.asarray(cosines[asked.pop()], dtype=np.float64)
    return np.asarray(cosines[sorted(asked)].mean(axis=0, dtype=np.float64))


def _floor(values: LogOdds, count: int) -> float:
    """Return the `count`-th largest of values (n,), -inf where there are fewer."""
    if len(values) < count:
        return -np.inf
    return float(np.partition(values, len(values) - count)[len(values) - count])
