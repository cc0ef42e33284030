"""What `questions` mean, told by masks over all rows: for stores that can look at every image, and
for a search that does.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from visionquery.query.ast import And, Arranged, Blend, Filter, Node, Not, Or
from visionquery.store.base import Estimates, Order, Reader, Span
from visionquery.store.questions import Candidates, Question, Where
from visionquery.store.rows import distinct
from visionquery.types import Matrix

__all__ = ["COMPARED_ALL", "candidates", "meant", "page_of", "true_estimates"]

Mask = NDArray[np.bool_]

Nearest = Callable[[Matrix, int, Mask], NDArray[np.intp]]
"""From vectors (q, embed_dim), a count and the mask (row_count,) of images that are meant to the
rows (n,) of about so many of these that are likely to be the nearest of any vector."""

COMPARED_ALL = 20_000
"""So few images that are meant are all candidates, whatever the size of the store."""


def meant(store: Reader, where: Where) -> Mask:
    """Return the mask (row_count,) of the images that are meant, not to be written to; inside
    `store.reading()`. Raises InputError when a test is not one for its field."""
    mask = store.alive()
    if where.scopes is not None:
        mask = mask & store.within(where.scopes)
    if where.test is not None:
        mask = mask & _fitting(store, where.test)
    if where.without is not None:
        mask = mask.copy()
        mask[list(store.rows_of([where.without]).values())] = False
    return mask


def true_estimates(
    store: Reader,
    probes: Matrix,
    spans: Sequence[Span] | None,
    rows: NDArray[np.intp] | None,
) -> Estimates:
    """Return the estimates of a store that has nothing faster than the cosines themselves."""
    if spans is not None:
        rows = np.concatenate([np.empty(0, dtype=np.intp), *(np.arange(*span) for span in spans)])
    return Estimates(store.scores(probes, rows))


def candidates(
    store: Reader,
    question: Question,
    *,
    nearest: Nearest,
    sampled: Callable[[Matrix], NDArray[np.float32]],
) -> Candidates:
    """Return the answer to a question, inside `store.reading()`.

    `nearest` is how the store finds images without a look at all of them; `sampled` gives the
    cosines (p, m) of probes with an even sample of the images.
    """
    alive, is_meant = store.alive(), meant(store, question.where)
    images, left = int(np.count_nonzero(alive)), int(np.count_nonzero(is_meant))
    units = [_held_by_any(store, forms) for forms in question.units]
    complete = question.count > 0 and left <= COMPARED_ALL
    if complete:
        found = [nearest(question.probes, question.best, alive), np.flatnonzero(is_meant)]
    elif left == images:
        found = [nearest(np.vstack([question.probes, question.beside]), question.count, alive)]
    else:
        found = [nearest(question.probes, question.best, alive)]
        found.append(nearest(question.near, question.count, is_meant))
    if question.count:
        found.append(_named(question, units, is_meant, nearest))
    found.append(np.flatnonzero(alive & np.isin(np.arange(len(alive)), question.also)))
    rows = distinct(np.concatenate(found).astype(np.int64))
    return Candidates(
        rows=rows,
        meant=is_meant[rows],
        cosines=store.scores(question.probes, rows),
        measures=store.measures(rows),
        passes=_stacked((store.matching(each)[rows] for each in question.filters), len(rows)),
        holds=_stacked((unit[rows] for unit in units), len(rows)),
        holders=np.array([np.count_nonzero(unit) for unit in units], dtype=np.int64),
        sample=sampled(question.probes),
        images=images,
        complete=complete,
    )


def page_of(
    store: Reader, where: Where, by: Order, *, offset: int, limit: int, places: Sequence[str]
) -> tuple[NDArray[np.intp], int]:
    """Return a page of the rows (n,) of the images meant, in an order of all, and their number;
    inside `store.reading()`."""
    order, is_meant = store.ordered(by, places=places), meant(store, where)
    rows = order if where.is_everywhere else order[is_meant[order]]
    return rows[offset : offset + limit], len(rows)


def _fitting(store: Reader, test: Node) -> Mask:
    match test:
        case Filter():
            return store.matching(test)
        case Not(part):
            return ~_fitting(store, part)
        case And(parts):
            every: Mask = np.logical_and.reduce([_fitting(store, part) for part in parts])
            return every
        case Or(parts):
            either: Mask = np.logical_or.reduce([_fitting(store, part) for part in parts])
            return either
        case Blend() | Arranged():
            raise AssertionError("a description has no truth, only odds")


def _held_by_any(store: Reader, forms: Iterable[str]) -> Mask:
    held: Mask = np.logical_or.reduce([store.holding(form) for form in forms])
    return held


def _named(
    question: Question, units: list[Mask], is_meant: Mask, nearest: Nearest
) -> NDArray[np.intp]:
    """Return rows (n,) of the nearest of those images that are meant and hold a unit, or all."""
    found = [np.empty(0, dtype=np.intp)]
    groups = units if len(units) < 2 else [*units, np.logical_and.reduce(units)]
    for group in groups:
        holders = group & is_meant
        if np.count_nonzero(holders) <= question.count:
            found.append(np.flatnonzero(holders))
        else:
            found.append(nearest(question.middle, question.count, holders))
    return np.concatenate(found)


def _stacked(masks: Iterable[Mask], count: int) -> Mask:
    found = list(masks)
    return np.stack(found) if found else np.empty((0, count), dtype=np.bool_)
