"""LanceDB, embedded: a table without an index, and one with the index that it makes by default."""

from collections.abc import Iterator
from pathlib import Path

import lancedb
import numpy as np
import pyarrow as pa
from benchmarks.beside.vectors import chunks
from numpy.typing import NDArray

from visionquery.types import Matrix, Vector

__all__ = ["Flat", "Indexed"]


class Flat:
    """A table that every search reads from end to end."""

    efforts: tuple[int, ...] = ()

    def build(self, folder: Path, vectors: Matrix) -> None:
        """Make the table."""

        def batches() -> Iterator[pa.RecordBatch]:
            for start, part in chunks(vectors):
                yield _batch(start, part)

        schema = _batch(0, np.zeros((1, vectors.shape[1]), np.float32)).schema
        table = lancedb.connect(folder).create_table("images", batches(), schema=schema)
        self.index(table)

    def index(self, table: lancedb.table.Table) -> None:
        """Make no index."""

    def open(self, folder: Path, dim: int) -> None:
        """Open the table."""
        self._table = lancedb.connect(folder).open_table("images")
        assert self._table.schema.field("vector").type.list_size == dim
        self._effort = 0

    def set_effort(self, effort: int) -> None:
        """Set how many parts of the index a search reads, and how many vectors for one wanted."""
        self._effort = effort

    def search(self, query: Vector, limit: int) -> NDArray[np.intp]:
        """Search the table for the rows' own numbers."""
        found = self._table.search(query).distance_type("dot").limit(limit).select(["row"])
        if self._effort:
            found = found.nprobes(self._effort).refine_factor(self._effort)
        return found.to_arrow()["row"].to_numpy()

    def add(self, first_row: int, vectors: Matrix) -> None:
        """Add to the table; an index does not have them, but searches look there too."""
        self._table.add(pa.Table.from_batches([_batch(first_row, vectors)]))


class Indexed(Flat):
    """A table with an inverted file of product codes."""

    efforts = (10, 20, 50, 100, 200)

    def index(self, table: lancedb.table.Table) -> None:
        """Make the index with the sizes it chooses."""
        table.create_index(metric="dot", index_type="IVF_PQ")


def _batch(first_row: int, vectors: Matrix) -> pa.RecordBatch:
    rows = pa.array(np.arange(first_row, first_row + len(vectors)))
    numbers = pa.array(np.ascontiguousarray(vectors).reshape(-1))
    lists = pa.FixedSizeListArray.from_arrays(numbers, vectors.shape[1])
    return pa.RecordBatch.from_arrays([rows, lists], names=["row", "vector"])
