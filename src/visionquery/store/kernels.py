"""The arithmetic of a scan: products of a few probes with every row of a block.

A scan with few probes is bound by reading memory. In float32 one dot product per row keeps up
with that on one thread; a matrix product, which BLAS spreads over threads, waits for them longer
than it computes when the machine is busy. Bytes are a quarter as much to read, and then two
threads are needed to keep up; so it is with the several probes of a compound query
(`benchmarks/exact.py` shows all of it).
"""

import os
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from visionquery.types import Matrix

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

__all__ = [
    "byte_products",
    "cosines",
    "in_parallel",
    "largest",
    "quantized",
    "row_products",
    "sign_distances",
]

Piece = TypeVar("Piece")

_FEW_PROBES = 12
_ROWS_IN_CACHE = 1024
"""Rows read once for all of a few probes: 2 MB at 512 numbers, what a core's cache holds."""

_PROBES_BY_ROW = 2
"""Up to so many probes, products row by row are faster than those of a packed matrix."""

_SAMPLED = 8192
_ROOM = 12
"""Values of a sample, beyond those wanted, that make a floor which enough of all values reach."""

_LARGEST = 127
_LEAST_SCALE = 1e-12

_MOST_THREADS = 4
"""More threads read memory no faster."""

_PIECES_PER_THREAD = 2
"""Fewer are done before another thread is awake."""


def cosines(probes: Matrix, blocks: Iterable[Matrix], row_count: int) -> NDArray[np.float32]:
    """Return the scores (p, row_count) of unit probes (p, d) for blocks of unit rows (n_i, d).

    The blocks together have `row_count` rows.
    """
    scores = np.empty((len(probes), row_count), dtype=np.float32)
    start = 0
    for block in blocks:
        row_products(probes, block, scores[:, start : start + len(block)])
        start += len(block)
    return scores


def row_products(probes: Matrix, block: Matrix, scores: NDArray[np.float32]) -> None:
    """Write the products (p, n) of probes (p, d) with float32 rows (n, d) into `scores`. Of damaged
    rows, which hold any bits, nobody is warned: the doctor finds them."""
    with np.errstate(invalid="ignore", over="ignore"):
        _row_products(probes, block, scores)


def _row_products(probes: Matrix, block: Matrix, scores: NDArray[np.float32]) -> None:
    if len(probes) > _FEW_PROBES:
        np.matmul(probes, block.T, out=scores)
        return
    for start in range(0, len(block), _ROWS_IN_CACHE):
        part = slice(start, start + _ROWS_IN_CACHE)
        for probe, row_scores in zip(probes, scores, strict=True):
            np.vecdot(block[part], probe, out=row_scores[part])


def byte_products(codes: NDArray[np.int8], probes: NDArray[np.int8]) -> NDArray[Any]:
    """Return the products (n, p) of rows (n, d) with probes (p, d), numbers below 2**31."""
    # Here, not above: a small library has no codes, and its search should not wait for this.
    import numkong

    if not len(codes):
        return np.empty((0, len(probes)), dtype=np.float32)
    if len(probes) <= _PROBES_BY_ROW:
        return np.asarray(numkong.cdist(codes, probes, "dot", out_dtype="float32"))
    return np.asarray(numkong.dots_packed(codes, numkong.dots_pack(probes)))


def quantized(rows: Matrix) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return rows (n, d) as whole numbers -127..127 (n, d) and the scales (n, 1) to multiply
    them with."""
    scales = np.maximum(np.abs(rows).max(axis=1, keepdims=True, initial=0.0), _LEAST_SCALE)
    scales = np.asarray(scales / _LARGEST, dtype=np.float32)
    return np.rint(rows / scales).astype(np.int8), scales


def sign_distances(bits: NDArray[np.uint8], asked: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Return in how many bits, (n, p), rows (n, bytes) differ from what is asked (p, bytes)."""
    import numkong

    return np.asarray(numkong.hammings_packed(bits, numkong.hammings_pack(asked)))


def largest(
    values: NDArray[np.float32], count: int, *, among: NDArray[np.bool_]
) -> NDArray[np.intp]:
    """Return the places, in order, of the `count` largest values (n,) `among` all, (n,), and of all
    that equal the last; of all among where there are fewer."""
    if count <= 0:
        return np.empty(0, dtype=np.intp)
    places = np.flatnonzero(among & (values >= _low_floor(values, count, among)))
    if len(places) < count:
        places = np.flatnonzero(among)
    if len(places) <= count:
        return places
    found, cut = values[places], len(places) - count
    best: NDArray[np.intp] = places[found >= np.partition(found, cut)[cut]]
    return best


def _low_floor(
    values: NDArray[np.float32], count: int, among: NDArray[np.bool_]
) -> float:
    """Return a value that, by a sample of values (n,), some more than `count` reach, which saves
    sorting all of them; -inf where a sample saves nothing."""
    step = len(values) // _SAMPLED
    sample = values[::step][among[::step]] if step > 1 else values[:0]
    wanted = 2 * count // max(step, 1) + _ROOM
    if wanted >= len(sample):
        return -np.inf
    return float(np.partition(sample, len(sample) - wanted)[len(sample) - wanted])


def in_parallel(work: Callable[[Piece], None], pieces: Sequence[Piece]) -> None:
    """Do the work on every piece, in this thread and, where there are several, in a few others."""
    waiting = iter(pieces)

    def go_on() -> None:
        # Drawn by whoever is free: one thread may be held up by what else the machine does.
        for piece in waiting:
            work(piece)

    threads = min(len(pieces) // _PIECES_PER_THREAD, os.cpu_count() or 1, _MOST_THREADS)
    started = [_pool().submit(go_on) for _ in range(threads - 1)]
    go_on()
    for helper in started:
        # One that was not begun has nothing left to do; in a forked process none ever begins.
        if not helper.cancel():
            helper.result()


@cache
def _pool() -> "ThreadPoolExecutor":
    # Few scans are so large that they need threads, whose module brings `logging` along.
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(_MOST_THREADS - 1, thread_name_prefix="visionquery-scan")
