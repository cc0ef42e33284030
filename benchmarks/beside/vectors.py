"""The vectors and queries that every engine gets, and the right answers."""

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpy as np
from benchmarks.vectors import BATCH, Kind, images
from numpy.typing import NDArray

from visionquery.types import Matrix

__all__ = ["KINDS", "answers", "chunks", "make_queries", "make_vectors"]

KINDS = get_args(Kind)

_CHUNK = 20_000
_PERTURBED = 0.7
"""The length of what is added to a member to make a query of it."""


def make_vectors(path: Path, rows: int, dim: int, kind: Kind) -> Matrix:
    """Write unit vectors (rows, dim) as one .npy file, and return it mapped into memory."""
    vectors = np.lib.format.open_memmap(path, "w+", np.float32, (rows, dim))
    start = 0
    for part in images(-(-rows // BATCH) * BATCH, dim, kind):
        vectors[start : start + len(part)] = part[: rows - start]
        start += len(part)
    vectors.flush()
    return vectors


def make_queries(vectors: Matrix, count: int) -> Matrix:
    """Return unit queries (count, dim): members moved by noise, and mixtures of two or three
    members, in turn."""
    random = np.random.default_rng(2)
    rows, dim = vectors.shape
    queries = np.empty((count, dim), np.float32)
    for number in range(count):
        if number % 2:
            chosen = np.sort(random.choice(rows, size=random.integers(2, 4), replace=False))
            query = random.dirichlet(np.ones(len(chosen))) @ vectors[chosen]
        else:
            noise = random.standard_normal(dim)
            query = vectors[random.integers(rows)] + noise * (_PERTURBED / np.linalg.norm(noise))
        queries[number] = query / np.linalg.norm(query)
    return queries


def answers(vectors: Matrix, queries: Matrix, limit: int) -> NDArray[np.intp]:
    """Return the rows (q, limit) of the largest cosines, computed in float64, best first."""
    exact = queries.astype(np.float64)
    best_scores = np.full((len(queries), 0), -np.inf)
    best_rows = np.zeros((len(queries), 0), np.intp)
    for start, part in chunks(vectors):
        scores = exact @ part.astype(np.float64).T
        keep = min(limit, len(part))
        rows = np.argpartition(-scores, keep - 1, axis=1)[:, :keep]
        best_scores = np.hstack([best_scores, np.take_along_axis(scores, rows, axis=1)])
        best_rows = np.hstack([best_rows, rows + start])
        order = np.argsort(-best_scores, axis=1, kind="stable")[:, :limit]
        best_scores = np.take_along_axis(best_scores, order, axis=1)
        best_rows = np.take_along_axis(best_rows, order, axis=1)
    return best_rows


def chunks(vectors: Matrix, size: int = _CHUNK) -> Iterator[tuple[int, Matrix]]:
    """Yield the vectors in parts (size, dim) in memory, each with the row it starts at."""
    for start in range(0, len(vectors), size):
        yield start, np.array(vectors[start : start + size])
