"""The arithmetic of an exact scan.

A scan with few probes is bound by reading memory. One dot product per row keeps up with that
on one thread; a matrix product, which BLAS spreads over threads, waits for them longer than
it computes when the machine is busy (`benchmarks/scan.py` shows both). Many probes at once
are bound by arithmetic, where the matrix product wins.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from visionquery.types import Matrix

__all__ = ["cosines"]

_FEW_PROBES = 4
_ROWS_IN_CACHE = 1024
"""Rows read once for all of a few probes: 2 MB at 512 numbers, what a core's cache holds."""


def cosines(probes: Matrix, blocks: Iterable[Matrix], row_count: int) -> NDArray[np.float32]:
    """Return the scores (p, row_count) of unit probes (p, d) for blocks of unit rows (n_i, d).

    The blocks together have `row_count` rows.
    """
    scores = np.empty((len(probes), row_count), dtype=np.float32)
    multiply = _rows_by_row if len(probes) <= _FEW_PROBES else _all_at_once
    start = 0
    for block in blocks:
        end = start + len(block)
        multiply(probes, block, scores[:, start:end])
        start = end
    return scores


def _rows_by_row(probes: Matrix, block: Matrix, scores: NDArray[np.float32]) -> None:
    for start in range(0, len(block), _ROWS_IN_CACHE):
        part = slice(start, start + _ROWS_IN_CACHE)
        for probe, row_scores in zip(probes, scores, strict=True):
            np.vecdot(block[part], probe, out=row_scores[part])


def _all_at_once(probes: Matrix, block: Matrix, scores: NDArray[np.float32]) -> None:
    np.matmul(probes, block.T, out=scores)
