"""USearch: its exact search of a matrix, and its graphs of fp16 and int8."""

from pathlib import Path

import numpy as np
from benchmarks.beside.engine import append_file, replace_file
from benchmarks.beside.vectors import chunks
from numpy.typing import NDArray
from usearch.index import Index, MetricKind, search

from visionquery.types import Matrix, Vector

__all__ = ["Bytes", "Exact", "Half"]


class Exact:
    """A mapped fp16 matrix."""

    efforts: tuple[int, ...] = ()

    def build(self, folder: Path, vectors: Matrix) -> None:
        """Write the matrix."""
        for _, part in chunks(vectors):
            append_file(folder / "vectors.f16", part.astype(np.float16))

    def open(self, folder: Path, dim: int) -> None:
        """Map the matrix."""
        self._path, self._dim = folder / "vectors.f16", dim
        self._map()

    def set_effort(self, effort: int) -> None:
        """Do nothing: there are no efforts."""

    def search(self, query: Vector, limit: int) -> NDArray[np.intp]:
        """Compare every row."""
        probe = query.astype(np.float16)[None]
        found = search(self._matrix, probe, limit, MetricKind.IP, exact=True)
        return np.asarray(found.keys).reshape(-1).astype(np.intp)

    def add(self, first_row: int, vectors: Matrix) -> None:
        """Append to the file, and map it anew."""
        assert first_row == len(self._matrix)
        append_file(self._path, vectors.astype(np.float16))
        self._map()

    def _map(self) -> None:
        self._matrix = np.memmap(self._path, np.float16, "r").reshape(-1, self._dim)


class Half:
    """A graph of fp16 in one file, read into memory; adding writes the file anew."""

    efforts = (64, 128, 256, 512, 1024)
    dtype = "f16"

    def build(self, folder: Path, vectors: Matrix) -> None:
        """Add everything, and save the index."""
        index = Index(ndim=vectors.shape[1], metric=MetricKind.Cos, dtype=self.dtype)
        for start, part in chunks(vectors):
            index.add(np.arange(start, start + len(part)), part)
        replace_file(folder / "index", index.save)

    def open(self, folder: Path, dim: int) -> None:
        """Load the index."""
        self._path = folder / "index"
        index = Index.restore(str(self._path))
        assert index is not None
        assert index.ndim == dim
        self._index = index

    def set_effort(self, effort: int) -> None:
        """Set how many candidates a search keeps."""
        self._index.expansion_search = effort

    def search(self, query: Vector, limit: int) -> NDArray[np.intp]:
        """Search the graph."""
        return self._index.search(query, limit).keys.astype(np.intp)

    def add(self, first_row: int, vectors: Matrix) -> None:
        """Add to the graph, and save all of it."""
        self._index.add(np.arange(first_row, first_row + len(vectors)), vectors)
        replace_file(self._path, self._index.save)


class Bytes(Half):
    """A graph of int8."""

    dtype = "i8"
