"""The vectors and queries that every engine gets, and the right answers."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visionquery.types import Matrix

__all__ = ["KINDS", "answers", "chunks", "make_queries", "make_vectors"]

KINDS = ("clustered", "random")

_CHUNK = 20_000
_IMAGES_PER_CENTRE = 200
_COMMON = 0.5
"""The mean cosine of two vectors: what image vectors of CLIP have."""
_DECAY = 0.4
"""How fast the directions lose weight: the k-th has the standard deviation k ** -_DECAY."""
_PERTURBED = 0.7
"""The length of what is added to a member to make a query of it."""


def make_vectors(path: Path, rows: int, dim: int, kind: str) -> Matrix:
    """Write unit vectors (rows, dim) as one .npy file, and return it mapped into memory."""
    vectors = np.lib.format.open_memmap(path, "w+", np.float32, (rows, dim))
    random = np.random.default_rng(1)
    made = _clustered(random, rows, dim) if kind == "clustered" else _uniform(random, rows, dim)
    start = 0
    for part in made:
        vectors[start : start + len(part)] = part
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


def _uniform(random: np.random.Generator, rows: int, dim: int) -> Iterator[Matrix]:
    for start in range(0, rows, _CHUNK):
        yield _unit(random.standard_normal((min(_CHUNK, rows - start), dim), dtype=np.float32))


def _clustered(random: np.random.Generator, rows: int, dim: int) -> Iterator[Matrix]:
    """Yield vectors around centres, all of which share a mean direction; clusters differ in
    size and in how close they are, and some directions of space vary more than others."""
    turned = np.linalg.qr(random.standard_normal((dim, dim)))[0]
    spread = (turned * np.arange(1, dim + 1) ** -_DECAY).T.astype(np.float32)
    mean = _unit(random.standard_normal((1, dim), dtype=np.float32))
    count = max(8, rows // _IMAGES_PER_CENTRE)
    centres = _unit(random.standard_normal((count, dim), dtype=np.float32) @ spread)
    closeness = random.uniform(0.3, 0.8, count).astype(np.float32)
    weights = random.lognormal(0, 1, count)
    weights /= weights.sum()
    for start in range(0, rows, _CHUNK):
        size = min(_CHUNK, rows - start)
        cluster = random.choice(count, size=size, p=weights)
        noise = _unit(random.standard_normal((size, dim), dtype=np.float32) @ spread)
        share = closeness[cluster, None]
        own = _unit(np.sqrt(share) * centres[cluster] + np.sqrt(1 - share) * noise)
        yield _unit(math.sqrt(_COMMON) * mean + math.sqrt(1 - _COMMON) * own)


def _unit(rows: Matrix) -> Matrix:
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows
