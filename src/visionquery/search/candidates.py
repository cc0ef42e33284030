"""Which images can be in an answer, judged.

In a library that a store can compare as a whole every image is looked at: by estimates first
(`bounds`), then a few for certain. In a larger one the store names candidates, and these are
compared.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from visionquery.query.ast import And, Node
from visionquery.query.plan import Plan
from visionquery.search.arrangement import RegionScores
from visionquery.search.bounds import Look, best_of, relevant_of
from visionquery.search.calibrate import best_count
from visionquery.search.evidence import Known, held_by
from visionquery.search.judging import (
    Judged,
    asks_where,
    enough,
    has_bounds,
    judged,
    needed,
    probes_asked,
)
from visionquery.search.phrases import Held, share_held_among
from visionquery.search.regions import Lifted, lifted
from visionquery.search.scales import best_of_all, best_of_few, measured, sampled
from visionquery.store.base import Estimates, Store
from visionquery.store.meaning import meant
from visionquery.store.questions import Candidates, Question, Where, united
from visionquery.types import Matrix

__all__ = ["Found", "compares_all", "find", "find_likely", "likely_count", "look_at", "narrowed"]

_MOST_JUDGED = 1024
"""Images in doubt, for being relevant or not, that are read to know."""

_BEST = best_count(2**31, is_text=True)
"""Images from which the scale of a probe is read, in a library of any size."""


_OF_ONE = 20
_OF_SEVERAL = 560
"""Candidates near a vector beyond those that are wanted, where it decides alone, and where several
do: the best by all of them are not the very best by one."""

_AWAY = 0.5
"""How much of what is excluded is taken from what is asked for, to look for candidates there."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What can be in an answer: the best images, judged, and more; the rows (r,), rising, of all
    that is relevant; of how many images, and whether none of them was skipped to save time."""

    known: Known
    best: Judged
    relevant: NDArray[np.intp]
    images: int
    exact: bool


def compares_all(store: Store, exact: bool | None) -> bool:
    """Return whether every image of a store is compared: as `exact` says, None that it is up to as
    many as the store can compare while somebody waits."""
    return exact if exact is not None else store.row_count() <= store.exact_up_to


def likely_count(count: int, *, one: bool) -> int:
    """Return how many candidates are near enough to a vector to look at for the best `count`: of
    `one` vector that decides alone, or of each of several."""
    return count + _OF_ONE if one else 2 * count + _OF_SEVERAL


def narrowed(where: Where, plan: Plan) -> Where:
    """Return where images of the answer to a plan may be: where they are wanted, and where its
    filters let them."""
    return replace(where, test=_both(where.test, needed(plan)))


def _both(one: Node | None, other: Node | None) -> Node | None:
    return And((one, other)) if one and other else one or other


def find(
    plan: Plan, store: Store, where: Where, *, count: int, least: float, every: bool = False
) -> Found:
    """Return what is needed for the best `count` images, those of log-odds `least` being relevant,
    by a look at all images; inside `store.reading()`.

    `every` judges every image, for a look at those far from the best.
    """
    alive = store.alive()
    parts, regions = _with_parts(plan, store)
    if parts is not None:
        about = Estimates(parts.cosines)
    elif every or not plan.probes or not has_bounds(plan.expression):
        about = Estimates(store.scores(plan.vectors))
    else:
        about = store.estimates(plan.vectors)
    images, sample = int(np.count_nonzero(alive)), sampled(about.cosines, alive)
    scales = measured(
        plan, sample, images=images, find_best=best_of_all(plan, store, about, alive),
        biases=lambda rows: store.measures(rows)[:, 0],
    )  # fmt: skip
    if parts is not None:
        # The best of several views of each image is the best of so many more.
        scales = [replace(scale, images=round(images * parts.views)) for scale in scales]
    masks = [store.matching(test) for test in plan.filters]
    known = Known(plan, scales, held_by(plan, store), masks, lifted=parts, regions=regions)
    if about.error:
        look = Look(known, store, about, meant(store, narrowed(where, plan)))
        relevant = relevant_of(look, least=least, most_judged=_MOST_JUDGED)
        best = best_of(look, count=count, least=least)
        return Found(known, best, relevant, images, exact=True)
    rows = np.flatnonzero(meant(store, where))
    cosines = about.cosines if len(rows) == len(alive) else about.cosines[:, rows]
    return _found(judged(known, rows, cosines), least=least, images=images, exact=True)


def _with_parts(plan: Plan, store: Store) -> tuple[Lifted | None, RegionScores | None]:
    """Return what the parts of images add to what is asked for, and these parts where it is asked
    where things are; None where no image has any."""
    regions = store.regions() if plan.probes else None
    if regions is None:
        return None, None
    scores = regions.scores(plan.vectors)
    asked = probes_asked(plan.expression)
    parts = lifted(store.scores(plan.vectors), regions, scores, plan.probes, asked=asked)
    if not asks_where(plan.expression):
        return parts, None
    return parts, RegionScores(regions.owners, regions.boxes, scores)


def find_likely(
    plan: Plan, store: Store, where: Where, *, count: int, least: float, also: tuple[int, ...] = ()
) -> Found:
    """Return the same as `find` by a look at the images that the store takes for candidates, and
    at the rows `also`, which need not lie where they are wanted."""
    asked = tuple(sorted(probes_asked(plan.expression)))
    question = Question(
        probes=plan.vectors,
        asked=asked,
        beside=_between(plan),
        count=likely_count(count, one=len(plan.probes) == 1 and bool(asked)),
        best=_BEST,
        where=narrowed(where, plan),
        filters=plan.filters,
        units=tuple(unit for probe in plan.probes for unit in probe.phrases),
        also=also,
    )
    found = store.candidates(question)
    if (test := enough(plan)) is not None:
        # What a filter lets in by itself need not lie near anything.
        where = replace(question.where, test=_both(question.where.test, test))
        found = united(found, store.candidates(replace(question, where=where)))
    known = _known(plan, found)
    looked = found.meant | np.isin(found.rows, also)
    judgement = judged(known, found.rows[looked], found.cosines[:, looked])
    images = int(np.count_nonzero(looked))
    return _found(judgement, least=least, images=images, exact=found.complete)


def look_at(plan: Plan, store: Store, rows: NDArray[np.intp]) -> Judged:
    """Judge the images of some rows (n,), rising, by a plan of filters alone."""
    question = Question(
        plan.vectors, (), plan.vectors, 0, 0, filters=plan.filters, also=tuple(rows.tolist())
    )
    found = store.candidates(question)
    return judged(_known(plan, found), rows, np.empty((0, len(rows)), dtype=np.float32))


def _known(plan: Plan, found: Candidates) -> Known:
    def biases(rows: NDArray[np.intp]) -> NDArray[np.float32]:
        own: NDArray[np.float32] = found.measures[np.searchsorted(found.rows, rows), 0]
        return own

    scales = measured(
        plan, found.sample, images=found.images, biases=biases,
        find_best=best_of_few(found.rows, found.cosines),
    )  # fmt: skip
    return Known(plan, scales, _held(plan, found), list(found.passes), found.rows)


def _held(plan: Plan, found: Candidates) -> list[Held | None]:
    held: list[Held | None] = []
    first = 0
    for probe in plan.probes:
        own = slice(first, first + len(probe.phrases))
        first = own.stop
        held.append(
            share_held_among(
                found.rows, found.holds[own], found.holders[own], image_count=found.images
            )
        )
    return held


def _found(judgement: Judged, *, least: float, images: int, exact: bool) -> Found:
    is_relevant = (judgement.odds >= least) & (judgement.odds > -np.inf)
    known = judgement.evidence.known
    return Found(known, judgement, judgement.rows[is_relevant], images, exact)


def _between(plan: Plan) -> Matrix:
    """Return what candidates lie near beside each probe that is asked for, (b, embed_dim): of
    several the mean, and that away from what is excluded; where nothing is asked for, the opposites
    of what is excluded."""
    asked = sorted(probes_asked(plan.expression))
    excluded = sorted(probes_asked(plan.expression, negated=True) - set(asked))
    if not asked:
        return -plan.vectors
    mean: Matrix = plan.vectors[asked].mean(axis=0, keepdims=True)
    beside = [mean] if len(asked) > 1 else []
    if excluded:
        beside.append(mean - _AWAY * plan.vectors[excluded].mean(axis=0, keepdims=True))
    lengths = [float(np.linalg.norm(each)) for each in beside]
    kept = [each / length for each, length in zip(beside, lengths, strict=True) if length]
    return np.vstack([plan.vectors[:0], *kept])
