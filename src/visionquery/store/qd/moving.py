"""Generations of vectors: a collection filled beside the one in use, which then takes its place."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from visionquery.errors import StoreError
from visionquery.store.qd.batches import batches
from visionquery.store.qd.changes import vectors_name
from visionquery.store.qd.conditions import ALL
from visionquery.store.qd.engine import Engine, Point
from visionquery.store.qd.images import INDEXES
from visionquery.store.qd.state import State
from visionquery.types import Matrix, ModelIdentity

__all__ = ["clear", "compacted", "complete", "drop_others", "put_next"]

_POINTS = 500


def put_next(
    engine: Engine, generation: int, rows: NDArray[np.int64], vectors: Matrix
) -> None:
    """Store vectors (n, d) of rows (n,) in the collection of a generation."""
    points = [Point(row, {}, vector) for row, vector in zip(rows.tolist(), vectors, strict=True)]
    engine.put(vectors_name(engine, generation), points)


def complete(engine: Engine, state: State, following: int, model: ModelIdentity) -> None:
    """Give the vectors of the next generation what their images carry, and leave none of another.
    Raises StoreError when an image has no vector there."""
    old, new = (vectors_name(engine, each) for each in (state.generation, following))
    done = {point.key for point in engine.scroll(new, ALL, fields=False)}
    images = {point.key for point in engine.scroll(old, ALL, fields=False)}
    if not images <= done:
        raise StoreError(f"Not every image has a vector of {model.name}: write those first.")
    engine.remove(new, sorted(done - images))
    for points in batches(engine.scroll(old, ALL), _POINTS):
        engine.amend(new, {point.key: {**point.payload, "measures": None} for point in points})


def compacted(engine: Engine, state: State, generation: int) -> None:
    """Fill the collection of a generation with all images, numbered anew from 0 on."""
    new = vectors_name(engine, generation)
    clear(engine, generation, state.model.embed_dim)
    numbered = _numbered(engine.scroll(vectors_name(engine, state.generation), ALL, vectors=True))
    for points in batches(numbered, _POINTS):
        engine.put(new, points)


def clear(engine: Engine, generation: int, embed_dim: int) -> None:
    """Make the collection of a generation, empty."""
    name = vectors_name(engine, generation)
    if name in engine.collections():
        engine.drop(name)
    engine.make(name, embed_dim, INDEXES)


def drop_others(engine: Engine, used: Sequence[int]) -> None:
    """Drop the collections of all generations but those in use."""
    kept = {vectors_name(engine, generation) for generation in used}
    lead = f"{engine.address.collection}-g"
    for name in sorted(engine.collections() - kept):
        if name.startswith(lead) and name.removeprefix(lead).isdigit():
            engine.drop(name)


def _numbered(points: Iterator[Point]) -> Iterator[Point]:
    for row, point in enumerate(points):
        yield Point(row, {**point.payload, "row": row}, point.vector)
