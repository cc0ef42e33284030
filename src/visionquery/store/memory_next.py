"""The vectors that a library in memory gathers of the next model."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from visionquery.errors import StoreError
from visionquery.types import Matrix, ModelIdentity, Vector

__all__ = ["Next"]


@dataclass(frozen=True, slots=True)
class Next:
    """A move to another model: its vectors, (embed_dim,), by row."""

    model: ModelIdentity
    vectors: dict[int, Vector] = field(default_factory=dict)

    def matrix(self, rows: Iterable[int], row_count: int) -> Matrix:
        """Return the vectors (row_count, embed_dim) of all rows. Raises StoreError when one of
        `rows`, the images, has none."""
        if not self.vectors.keys() >= set(rows):
            raise StoreError(
                f"Not every image has a vector of {self.model.name}: write those first."
            )
        matrix = np.zeros((row_count, self.model.embed_dim), dtype=np.float32)
        for row, vector in self.vectors.items():
            matrix[row] = vector
        return matrix
