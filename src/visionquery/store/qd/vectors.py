"""Vectors and rows of a library in Qdrant, read many at a time."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from visionquery.store.base import MEASURES
from visionquery.store.kernels import cosines
from visionquery.store.qd.batches import batches
from visionquery.store.qd.conditions import ALL, between, one_of
from visionquery.store.qd.engine import Point
from visionquery.store.qd.opened import Opened
from visionquery.store.qd.state import State
from visionquery.store.rows import distinct
from visionquery.types import Matrix

__all__ = [
    "ALIKE",
    "KEPT_UP_TO",
    "measures_of",
    "rows_of",
    "scores_of",
    "scores_of_all",
    "smallest_ids",
    "vectors_of",
]

KEPT_UP_TO = 20_000
"""Rows of a library up to which all vectors are kept here until something changes."""

ALIKE = 64
"""Images whose ids agree as far as their order tells, at most."""

_BLOCK = 4_096
_IDS = 500


def rows_of(opened: Opened, state: State, image_ids: Sequence[str]) -> dict[str, int]:
    """Return the rows, by id, of those of the ids that are stored, in the order of the ids."""
    found: dict[str, int] = {}
    for some in batches(dict.fromkeys(image_ids), _IDS):
        for point in opened.points(state, one_of("image_id", some), fields=["image_id"]):
            found[point.payload["image_id"]] = point.key
    return {each: found[each] for each in image_ids if each in found}


def scores_of(
    opened: Opened, state: State, probes: Matrix, rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return the cosines (p, n) of probes (p, d) with rows (n,), in their order."""
    if state.rows <= KEPT_UP_TO:
        matrix = _matrix(opened)[rows]
        return cosines(probes, [matrix], len(matrix))
    rising = distinct(rows)
    found = opened.engine.products(opened.vectors, probes, rising)
    return found[:, np.searchsorted(rising, rows)]


def scores_of_all(opened: Opened, state: State, probes: Matrix) -> NDArray[np.float32]:
    """Return the cosines (p, row_count) of probes (p, d) with all rows."""
    if state.rows <= KEPT_UP_TO:
        return cosines(probes, [_matrix(opened)], state.rows)
    scores = np.zeros((len(probes), state.rows), dtype=np.float32)
    for rows, block in _blocks(opened, state):
        scores[:, rows] = cosines(probes, [block], len(block))
    return scores


def vectors_of(opened: Opened, rows: NDArray[np.int64]) -> Matrix:
    """Return the vectors (n, d) of rows (n,), in their order; holes have zeros."""
    found = np.zeros((len(rows), opened.in_use.model.embed_dim), dtype=np.float32)
    asked = distinct(rows).tolist()
    points = opened.engine.get(opened.vectors, asked, fields=False, vectors=True)
    for at, row in enumerate(rows.tolist()):
        if row in points:
            found[at] = points[row].vector
    return found


def smallest_ids(opened: Opened, state: State, count: int) -> NDArray[np.intp]:
    """Return the rows (n,) of the `count` images with the smallest ids, in the order of these."""
    there = between("row", lt=state.rows)
    found = opened.engine.first(
        opened.vectors, there, "order", limit=count + ALIKE, fields=["image_id"]
    )
    smallest = sorted(found, key=lambda point: str(point.payload["image_id"]))[:count]
    return np.array([point.key for point in smallest], dtype=np.intp)


def measures_of(point: Point) -> NDArray[np.float32]:
    """Return the measures (MEASURES,) that a point carries, NaN where none was written."""
    kept = point.payload.get("measures") or [None] * MEASURES
    return np.array([np.nan if each is None else each for each in kept], dtype=np.float32)


def _matrix(opened: Opened) -> Matrix:
    """Return all vectors (row_count, d), kept until the library changes."""

    def read(state: State) -> Matrix:
        matrix = np.zeros((state.rows, opened.in_use.model.embed_dim), dtype=np.float32)
        for rows, block in _blocks(opened, state):
            matrix[rows] = block
        matrix.flags.writeable = False
        return matrix

    return opened.kept("vectors", read)


def _blocks(opened: Opened, state: State) -> Iterator[tuple[list[int], Matrix]]:
    """Yield the vectors (n, d) of all images, some at a time, each with their rows."""
    points = opened.points(state, ALL, fields=False, vectors=True)
    for some in batches(points, _BLOCK):
        vectors = [point.vector for point in some if point.vector is not None]
        yield [point.key for point in some], np.stack(vectors)
