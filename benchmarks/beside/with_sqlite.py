"""sqlite-vec, through apsw: many a Python is built without leave to load extensions."""

from pathlib import Path

import apsw
import numpy as np
import sqlite_vec
from benchmarks.beside.vectors import chunks
from numpy.typing import NDArray

from visionquery.types import Matrix, Vector

__all__ = ["Bits", "Exact"]

_SEARCH = "SELECT rowid FROM images WHERE vector MATCH ? AND k = ? ORDER BY distance"
_SEARCH_BITS = """
WITH near AS (SELECT rowid, vector FROM images WHERE signs MATCH vec_bit(?) AND k = ?)
SELECT rowid FROM near ORDER BY vec_distance_cosine(vector, ?) LIMIT ?
"""


class Exact:
    """A virtual table of float32 vectors."""

    efforts: tuple[int, ...] = ()
    columns = "vector float[{dim}] distance_metric=cosine"

    def build(self, folder: Path, vectors: Matrix) -> None:
        """Make the table, one transaction for every part."""
        self._connect(folder)
        columns = self.columns.format(dim=vectors.shape[1])
        self._connection.execute(f"CREATE VIRTUAL TABLE images USING vec0({columns})")
        self.prepare(folder, vectors)
        for start, part in chunks(vectors):
            self.add(start, part)
        self._connection.close()

    def prepare(self, folder: Path, vectors: Matrix) -> None:
        """Do nothing: no vector depends on others."""

    def open(self, folder: Path, dim: int) -> None:
        """Open the database."""
        self._connect(folder)
        assert dim

    def set_effort(self, effort: int) -> None:
        """Do nothing: there are no efforts."""

    def search(self, query: Vector, limit: int) -> NDArray[np.intp]:
        """Search the table."""
        return _rows(self._connection.execute(_SEARCH, (query.tobytes(), limit)))

    def add(self, first_row: int, vectors: Matrix) -> None:
        """Insert in one transaction."""
        numbered = ((row + 1, each.tobytes()) for row, each in enumerate(vectors, first_row))
        with self._connection:
            self._connection.executemany(
                "INSERT INTO images(rowid, vector) VALUES (?, ?)", numbered
            )

    def _connect(self, folder: Path) -> None:
        self._connection = apsw.Connection(str(folder / "vectors.db"))
        self._connection.enable_load_extension(True)
        self._connection.load_extension(sqlite_vec.loadable_path())


class Bits(Exact):
    """The same with a column of signs, by which the nearest are chosen to be compared."""

    efforts = (100, 200, 400, 1000)
    columns = "signs bit[{dim}], vector float[{dim}]"

    def prepare(self, folder: Path, vectors: Matrix) -> None:
        """Write the mean that signs are relative to."""
        self._mean = np.mean(vectors[:100_000], axis=0)
        np.save(folder / "mean.npy", self._mean)

    def open(self, folder: Path, dim: int) -> None:
        """Open the database."""
        super().open(folder, dim)
        self._mean = np.load(folder / "mean.npy")
        self._rescored = self.efforts[0]

    def set_effort(self, effort: int) -> None:
        """Set how many are compared."""
        self._rescored = effort

    def search(self, query: Vector, limit: int) -> NDArray[np.intp]:
        """Find the nearest by their signs, and rescore them."""
        given = (_signs(query > self._mean), self._rescored, query.tobytes(), limit)
        return _rows(self._connection.execute(_SEARCH_BITS, given))

    def add(self, first_row: int, vectors: Matrix) -> None:
        """Insert in one transaction."""
        numbered = (
            (row + 1, _signs(each > self._mean), each.tobytes())
            for row, each in enumerate(vectors, first_row)
        )
        insert = "INSERT INTO images(rowid, signs, vector) VALUES (?, vec_bit(?), ?)"
        with self._connection:
            self._connection.executemany(insert, numbered)


def _signs(positive: NDArray[np.bool_]) -> bytes:
    return np.packbits(positive).tobytes()


def _rows(found: apsw.Cursor) -> NDArray[np.intp]:
    return np.array([row for (row,) in found], np.intp) - 1
