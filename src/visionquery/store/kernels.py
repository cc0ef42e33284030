"""The arithmetic of an exact scan.

A scan with few probes is bound by reading memory. One dot product per row keeps up with that
on one thread; a matrix product, which BLAS spreads over threads, waits for them longer than
it computes when the machine is busy (`benchmarks/scan.py` shows both). The several probes of a
compound query are bound by arithmetic; two threads share the rows. Only many at once are worth
what a matrix product takes to arrange its operands.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from visionquery.types import Matrix

__all__ = ["cosines"]

_FEW_PROBES = 12
_PROBES_PER_THREAD = 2
_THREADS = 2
_ROWS_IN_CACHE = 1024
"""Rows read once for all of a few probes: 2 MB at 512 numbers, what a core's cache holds."""


def cosines(probes: Matrix, blocks: Iterable[Matrix], row_count: int) -> NDArray[np.float32]:
    """Return the scores (p, row_count) of unit probes (p, d) for blocks of unit rows (n_i, d).

    The blocks together have `row_count` rows.
    """
    scores = np.empty((len(probes), row_count), dtype=np.float32)
    multiply = _rows_by_row if len(probes) <= _FEW_PROBES else _all_at_once
    with ThreadPoolExecutor(_THREADS) as pool:
        start = 0
        for block in blocks:
            end = start + len(block)
            if _PROBES_PER_THREAD < len(probes) <= _FEW_PROBES and len(block) > _ROWS_IN_CACHE:
                half = len(block) // 2
                other = pool.submit(multiply, probes, block[:half], scores[:, start : start + half])
                multiply(probes, block[half:], scores[:, start + half : end])
                other.result()
            else:
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
