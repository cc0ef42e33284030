"""rclip's own search, with the text tower left out: the vector is given instead."""

from pathlib import Path

import numpy as np
from benchmarks.beside.vectors import chunks
from numpy.typing import NDArray
from rclip import db
from rclip.main import RClip
from rclip.model import Model

from visionquery.types import Matrix, Vector

__all__ = ["Rclip"]

_FOLDER = "/photos"


class _GivenVector(Model):
    """A model whose text vector is known; nothing else of it is used by a search."""

    def __init__(self, vector: Vector) -> None:
        self.vector = vector

    def compute_features_for_queries(self, queries: list[str]) -> Matrix:
        return self.vector if queries else np.zeros_like(self.vector)


class Rclip:
    """A database of rclip, filled as its indexing fills it."""

    efforts: tuple[int, ...] = ()

    def build(self, folder: Path, vectors: Matrix) -> None:
        """Fill a database through rclip's own class."""
        database = db.DB(folder / "db.sqlite3")
        for start, part in chunks(vectors):
            _store(database, start, part)
        database.close()

    def open(self, folder: Path, dim: int) -> None:
        """Open the database."""
        self._database = db.DB(folder / "db.sqlite3")
        self._model = _GivenVector(np.zeros(dim, np.float32))
        self._rclip = RClip(self._model, self._database, 8, None)

    def set_effort(self, effort: int) -> None:
        """Do nothing: there are no efforts."""

    def search(self, query: Vector, limit: int) -> NDArray[np.intp]:
        """Search as the command line does."""
        self._model.vector = query
        found = self._rclip.search("what the vector says", _FOLDER, top_k=limit)
        return np.array([int(Path(hit.filepath).stem) for hit in found], np.intp)

    def add(self, first_row: int, vectors: Matrix) -> None:
        """Insert the rows and commit."""
        _store(self._database, first_row, vectors)


def _store(database: db.DB, first_row: int, vectors: Matrix) -> None:
    for row, vector in enumerate(vectors, first_row):
        path = f"{_FOLDER}/{row:09}.jpg"
        image = db.NewImage(
            filepath=path, modified_at=1.0, size=1, vector=vector.tobytes(), hash=f"{row:032x}"
        )
        database.upsert_image(image, commit=False)
    database.commit()
