"""The answer to a question: Qdrant finds candidates, which are judged exactly.

Their cosines are Qdrant's, of the vectors themselves, not of their codes; words and filters that
Qdrant can only narrow down are compared here with what the candidates carry.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from visionquery.store.base import MEASURES
from visionquery.store.entries import checked_probes
from visionquery.store.kernels import cosines
from visionquery.store.meaning import COMPARED_ALL
from visionquery.store.qd.conditions import ALL, Condition, Known, any_of, every
from visionquery.store.qd.images import WHOLE, Image, image_of, texts_of
from visionquery.store.qd.meant import Meant, filter_test
from visionquery.store.qd.opened import Opened
from visionquery.store.qd.state import State
from visionquery.store.qd.vectors import (
    KEPT_UP_TO,
    measures_of,
    scores_of,
    smallest_ids,
    vectors_of,
)
from visionquery.store.questions import Candidates, Question
from visionquery.store.words import holds, words_of
from visionquery.types import Matrix

__all__ = ["Sampled", "candidates"]

_SAMPLE = 4_096
_CHANGED = 0.1
"""Part of the images by which a library grows or shrinks until its sample is drawn again."""

_SPARE = 100
_WIDENED = 4
"""Where a condition is wider than what is meant, twice as many images as wanted, and some, are
looked for first, and then so many times more as long as too few of them are meant."""


class Sampled:
    """The vectors of an even sample of the images, kept while the library stays about the same."""

    def __init__(self) -> None:
        self._kept: tuple[int, int, Matrix] | None = None

    def cosines(self, opened: Opened, state: State, probes: Matrix) -> NDArray[np.float32]:
        """Return the cosines (p, m) of probes (p, d) with the sample."""
        kept = self._kept
        if kept is None or not _is_like(state, *kept[:2]):
            rows = smallest_ids(opened, state, _SAMPLE)
            kept = (state.generation, state.images, vectors_of(opened, rows))
            self._kept = kept
        return cosines(probes, [kept[2]], len(kept[2]))


def candidates(opened: Opened, question: Question, sampled: Sampled) -> Candidates:
    """Return the answer to a question, inside `opened.reading()`."""
    state = opened.rows_state()
    probes = checked_probes(question.probes, opened.in_use.model.embed_dim)
    known = opened.known(state)
    meant = Meant(known, question.where)
    phrases = [[words_of(form) for form in forms] for forms in question.units]
    units = [any_of([known.of_phrase(form) for form in forms]) for forms in phrases]
    holders = [_count(opened, state, unit) for unit in units]
    found, complete = _found(opened, state, question, meant)
    found |= _named(opened, meant, units, question)
    tests = [filter_test(each, state.roots) for each in question.filters]
    fields = meant.fields | {"measures"} | {field for _, field in tests}
    if units:
        fields |= set(WHOLE)
    asked = sorted(row for row in found if 0 <= row < state.rows)
    points = opened.engine.get(opened.vectors, asked, fields=sorted(fields))
    rows = np.array([row for row in asked if row in points], dtype=np.intp)
    images = [image_of(points[row]) for row in rows.tolist()]
    measures = [measures_of(points[row]) for row in rows.tolist()]
    return Candidates(
        rows=rows,
        meant=_mask([meant.fits], images)[0],
        cosines=scores_of(opened, state, probes, rows),
        measures=np.array(measures, dtype=np.float32).reshape(len(rows), MEASURES),
        passes=_mask([test for test, _ in tests], images),
        holds=_holding(phrases, known, images),
        holders=np.array(holders, dtype=np.int64),
        sample=sampled.cosines(opened, state, probes),
        images=state.images,
        complete=complete,
    )


def _is_like(state: State, generation: int, images: int) -> bool:
    return state.generation == generation and abs(state.images - images) <= _CHANGED * images


def _found(
    opened: Opened, state: State, question: Question, meant: Meant
) -> tuple[set[int], bool]:
    """Return the rows of candidates by their vectors, and whether all that is meant is there."""
    count = question.count

    def nearest(vectors: Matrix, limit: int) -> Iterable[int]:
        return chain(*opened.engine.nearest(opened.vectors, vectors, limit, ALL))

    if count and _count_meant(opened, state, meant) <= COMPARED_ALL:
        rows = (point.key for point in opened.points(state, meant.over, fields=False))
        return {*question.also, *rows, *nearest(question.probes, question.best)}, True
    if meant.is_everywhere:
        near = np.vstack([question.probes, question.beside])
        return {*question.also, *nearest(near, max(count, question.best))}, False
    best = nearest(question.probes, question.best)
    return {*question.also, *best, *_nearest_meant(opened, question.near, count, meant)}, False


def _nearest_meant(
    opened: Opened, vectors: Matrix, count: int, meant: Meant
) -> Iterable[int]:
    """Return the rows of the `count` images that are meant and are the nearest to each of some
    vectors (q, d)."""
    if meant.is_exact or not count:
        return chain(*opened.engine.nearest(opened.vectors, vectors, count, meant.over))
    limit, fits = 2 * count + _SPARE, dict[int, bool]()
    while True:
        found = opened.engine.nearest(opened.vectors, vectors, limit, meant.over)
        unknown = {row for rows in found for row in rows if row not in fits}
        points = opened.engine.get(opened.vectors, unknown, fields=sorted(meant.fields))
        fits |= {row: meant.fits(image_of(point)) for row, point in points.items()}
        meant_of_each = [[row for row in rows if fits.get(row)] for rows in found]
        enough = all(len(rows) >= count for rows in meant_of_each)
        if enough or limit >= COMPARED_ALL or all(len(rows) < limit for rows in found):
            return chain(*(rows[:count] for rows in meant_of_each))
        limit = min(_WIDENED * limit, COMPARED_ALL)


def _named(
    opened: Opened, meant: Meant, units: Sequence[Condition], question: Question
) -> set[int]:
    """Return rows of the nearest of those images that are meant and hold a unit, or all."""
    if not (question.count and len(question.middle)):
        return set()
    groups = [*units, every(units)] if len(units) > 1 else units
    found: set[int] = set()
    for group in groups:
        where = every([group, meant.over])
        found |= set(
            *opened.engine.nearest(opened.vectors, question.middle, question.count, where)
        )
    return found


def _count(opened: Opened, state: State, condition: Condition) -> int:
    """Return for how many images a condition holds, or about how many of very many."""
    exact = state.rows <= KEPT_UP_TO
    return opened.engine.count(opened.vectors, condition, exact=exact)


def _count_meant(opened: Opened, state: State, meant: Meant) -> int:
    """Return how many images are meant, or more."""
    if meant.is_everywhere:
        return state.images
    return opened.engine.count(opened.vectors, meant.over)


def _holding(
    phrases: Sequence[Sequence[str]], known: Known, images: Sequence[Image]
) -> NDArray[np.bool_]:
    """Return which units (u, n), each as the phrases of its alternatives, images hold."""
    if not phrases:
        return np.empty((0, len(images)), dtype=np.bool_)
    texts = [texts_of(image, known.roots) for image in images]
    found = [
        [any(holds(text, form) for form in forms if form for text in of_one) for of_one in texts]
        for forms in phrases
    ]
    return np.array(found, dtype=np.bool_).reshape(len(found), len(images))


def _mask(
    tests: Iterable[Callable[[Image], bool]], images: Sequence[Image]
) -> NDArray[np.bool_]:
    """Return for which tests, (t, n), images pass."""
    found = [[test(image) for image in images] for test in tests]
    return np.array(found, dtype=np.bool_).reshape(len(found), len(images))
