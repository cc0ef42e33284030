"""Qdrant Edge: the engine of Qdrant in the process, a shard in a folder."""

from pathlib import Path

import numpy as np
import qdrant_edge as qdrant
from benchmarks.beside.vectors import chunks
from numpy.typing import NDArray

from visionquery.types import Matrix, Vector

__all__ = ["Exact", "Graph"]

_BATCH = 1000
_NEVER_KB = 10**9


class Exact:
    """A shard that is read from end to end."""

    efforts: tuple[int, ...] = ()
    indexing_threshold_kb = _NEVER_KB

    def build(self, folder: Path, vectors: Matrix) -> None:
        """Fill a shard in batches, and let it put itself in order."""
        place = folder / "shard"
        place.mkdir()
        config = qdrant.EdgeConfig(
            vectors=qdrant.EdgeVectorParams(vectors.shape[1], qdrant.Distance.Dot),
            hnsw_config=qdrant.HnswIndexConfig(16, 100, 1000),
            optimizers=qdrant.EdgeOptimizersConfig(indexing_threshold=self.indexing_threshold_kb),
        )
        self._shard = qdrant.EdgeShard.create(str(place), config)
        for start, part in chunks(vectors, _BATCH):
            self._upsert(start, part)
        self._shard.flush()
        self._shard.optimize()
        self._shard.close()

    def open(self, folder: Path, dim: int) -> None:
        """Load the shard."""
        self._shard = qdrant.EdgeShard.load(str(folder / "shard"))
        self._params = qdrant.SearchParams(exact=True)
        assert dim

    def set_effort(self, effort: int) -> None:
        """Set how many candidates a graph's search keeps."""
        self._params = qdrant.SearchParams(hnsw_ef=effort)

    def search(self, query: Vector, limit: int) -> NDArray[np.intp]:
        """Ask the shard for ids alone."""
        nearest = qdrant.Query.Nearest(query.tolist())
        request = qdrant.QueryRequest(
            limit=limit, query=nearest, params=self._params, with_payload=False, with_vector=False
        )
        return np.array([point.id for point in self._shard.query(request)], np.intp)

    def add(self, first_row: int, vectors: Matrix) -> None:
        """Write one batch and have it flushed."""
        self._upsert(first_row, vectors)
        self._shard.flush()

    def _upsert(self, first_row: int, vectors: Matrix) -> None:
        numbered = enumerate(vectors.tolist(), first_row)
        points = [qdrant.Point(row, each) for row, each in numbered]
        self._shard.update(qdrant.UpdateOperation.upsert_points(points))


class Graph(Exact):
    """A shard with a graph."""

    efforts = (32, 64, 128, 256, 512)
    indexing_threshold_kb = 10_000
