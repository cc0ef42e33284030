"""VisionQuery's own store: the best rows for certain or likely, and whole answers, without a model.
"""

from pathlib import Path

import numpy as np
from benchmarks.beside.vectors import chunks
from benchmarks.exact import answer, best
from numpy.typing import NDArray

from visionquery.store.base import NewImage, Store
from visionquery.store.local import create_local, open_local
from visionquery.store.questions import Question
from visionquery.types import Facts, Matrix, ModelIdentity, Vector

__all__ = ["Answers", "Likely", "Ours"]

_BATCH = 10_000
_FACTS = Facts(4000, 3000, "JPEG", 1_000_000)


class Ours:
    """A library of images without files."""

    efforts: tuple[int, ...] = ()

    def build(self, folder: Path, vectors: Matrix) -> None:
        """Make a library; every batch is durable."""
        store = create_local(folder / "library", ModelIdentity("m", "f", vectors.shape[1], "m"))
        for start, part in chunks(vectors, _BATCH):
            _write(store, start, part)
        store.close()

    def open(self, folder: Path, dim: int) -> None:
        """Open the library."""
        self._store = open_local(folder / "library")
        assert self._store.model.embed_dim == dim

    def set_effort(self, effort: int) -> None:
        """Do nothing: there are no efforts."""

    def search(self, query: Vector, limit: int) -> NDArray[np.intp]:
        """Look at every image by its codes, and read what may be among the best."""
        return best(self._store, query[None], limit)

    def add(self, first_row: int, vectors: Matrix) -> None:
        """Write one batch."""
        _write(self._store, first_row, vectors)


class Likely(Ours):
    """The same, but that images are passed over as in a library past a million."""

    def search(self, query: Vector, limit: int) -> NDArray[np.intp]:
        """Guess by signs, look closer by bytes, and read the best."""
        with self._store.reading():
            found = self._store.candidates(Question(query[None], (0,), query[None][:0], limit, 1))
        return found.rows[np.argsort(-found.cosines[0])[:limit]]


class Answers(Ours):
    """The same, with all that an answer has: confidence, total, and the records of its images."""

    def search(self, query: Vector, limit: int) -> NDArray[np.intp]:
        """Run the plan of a description."""
        page = answer(self._store, query[None], limit)
        return np.array([int(hit.image_id, 16) for hit in (*page.hits, *page.closest)])


def _write(store: Store, first_row: int, vectors: Matrix) -> None:
    images = [NewImage(f"{row:032x}", each, _FACTS) for row, each in enumerate(vectors, first_row)]
    with store.writing():
        store.write(images, [])
