"""FAISS: exact in float32 and in fp16, a graph, and signs that are rescored."""

from pathlib import Path

import faiss
import numpy as np
from benchmarks.beside.engine import append_file, replace_file
from benchmarks.beside.vectors import chunks
from numpy.typing import NDArray

from visionquery.types import Matrix, Vector

__all__ = ["Binary", "Flat", "Graph", "Half"]

_RESCORED = 1000


class Flat:
    """IndexFlatIP in one file, which adding writes anew: FAISS has no other way."""

    efforts: tuple[int, ...] = ()

    def make(self, dim: int) -> faiss.Index:
        """Return an empty index."""
        return faiss.IndexFlatIP(dim)

    def build(self, folder: Path, vectors: Matrix) -> None:
        """Add everything, and write the index."""
        index = self.make(vectors.shape[1])
        for _, part in chunks(vectors):
            index.add(part)
        replace_file(folder / "index", lambda path: faiss.write_index(index, path))

    def open(self, folder: Path, dim: int) -> None:
        """Read the index into memory."""
        self._path = folder / "index"
        self._index = faiss.read_index(str(self._path))
        faiss.omp_set_num_threads(1)  # one query has work for one: others are only waited for
        assert self._index.d == dim

    def set_effort(self, effort: int) -> None:
        """Set how many candidates a graph's search keeps."""
        self._index.hnsw.efSearch = effort

    def search(self, query: Vector, limit: int) -> NDArray[np.intp]:
        """Search the index."""
        return self._index.search(query[None], limit)[1][0]

    def add(self, first_row: int, vectors: Matrix) -> None:
        """Add to the index, and write all of it."""
        assert first_row == self._index.ntotal
        self._index.add(vectors)
        replace_file(self._path, lambda path: faiss.write_index(self._index, path))


class Half(Flat):
    """A flat index of fp16."""

    def make(self, dim: int) -> faiss.Index:
        """Return an empty index."""
        half = faiss.ScalarQuantizer.QT_fp16
        return faiss.IndexScalarQuantizer(dim, half, faiss.METRIC_INNER_PRODUCT)


class Graph(Flat):
    """A graph over float32."""

    efforts = (32, 64, 128, 256, 512, 1024)

    def make(self, dim: int) -> faiss.Index:
        """Return an empty index."""
        index = faiss.IndexHNSWFlat(dim, 32, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = 80
        return index


class Binary:
    """Signs in FAISS, and a mapped fp16 matrix that decides among the nearest by them."""

    efforts: tuple[int, ...] = ()

    def build(self, folder: Path, vectors: Matrix) -> None:
        """Write the mean of the vectors, their signs beside it, and the fp16 matrix."""
        mean = np.mean(vectors[:100_000], axis=0)
        np.save(folder / "mean.npy", mean)
        index = faiss.IndexBinaryFlat(vectors.shape[1])
        for _, part in chunks(vectors):
            index.add(np.packbits(part > mean, axis=1))
            append_file(folder / "vectors.f16", part.astype(np.float16))
        replace_file(folder / "index", lambda path: faiss.write_index_binary(index, path))

    def open(self, folder: Path, dim: int) -> None:
        """Read the signs into memory, and map the matrix."""
        self._folder, self._dim = folder, dim
        self._mean = np.load(folder / "mean.npy")
        self._index = faiss.read_index_binary(str(folder / "index"))
        faiss.omp_set_num_threads(1)
        self._map()

    def set_effort(self, effort: int) -> None:
        """Do nothing: there are no efforts."""

    def search(self, query: Vector, limit: int) -> NDArray[np.intp]:
        """Find 1,000 by their signs, and rescore them."""
        signs = np.packbits(query > self._mean)[None]
        nearest = np.sort(self._index.search(signs, _RESCORED)[1][0])
        scores = np.vecdot(self._matrix[nearest].astype(np.float32), query)
        rows = np.argpartition(scores, -limit)[-limit:]
        return nearest[rows[np.argsort(-scores[rows])]]

    def add(self, first_row: int, vectors: Matrix) -> None:
        """Append to the matrix, add to the signs, and write all of these."""
        assert first_row == self._index.ntotal
        append_file(self._folder / "vectors.f16", vectors.astype(np.float16))
        self._index.add(np.packbits(vectors > self._mean, axis=1))
        path = self._folder / "index"
        replace_file(path, lambda beside: faiss.write_index_binary(self._index, beside))
        self._map()

    def _map(self) -> None:
        whole = np.memmap(self._folder / "vectors.f16", np.float16, "r")
        self._matrix = whole.reshape(-1, self._dim)
