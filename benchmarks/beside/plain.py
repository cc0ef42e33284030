"""One matrix product over everything, in memory: what a script of ten lines does."""

from pathlib import Path

import numpy as np
from benchmarks.beside.engine import append_file
from benchmarks.beside.vectors import chunks
from numpy.typing import NDArray

from visionquery.types import Matrix, Vector

__all__ = ["Float32"]

_FILE = "vectors.f32"


class Float32:
    """A matrix in memory, and a bare file of its rows."""

    efforts: tuple[int, ...] = ()

    def build(self, folder: Path, vectors: Matrix) -> None:
        """Write the rows."""
        for _, part in chunks(vectors):
            append_file(folder / _FILE, part)

    def open(self, folder: Path, dim: int) -> None:
        """Read the rows into memory."""
        self._path = folder / _FILE
        self._matrix = np.fromfile(self._path, np.float32).reshape(-1, dim)

    def set_effort(self, effort: int) -> None:
        """Do nothing: there are no efforts."""

    def search(self, query: Vector, limit: int) -> NDArray[np.intp]:
        """Multiply, and take the largest."""
        scores = self._matrix @ query
        rows = np.argpartition(scores, -limit)[-limit:]
        return rows[np.argsort(-scores[rows])]

    def add(self, first_row: int, vectors: Matrix) -> None:
        """Append to the file; the matrix in memory is copied."""
        assert first_row == len(self._matrix)
        append_file(self._path, vectors)
        self._matrix = np.concatenate([self._matrix, vectors])
