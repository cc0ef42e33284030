"""What no scan can beat: the time that reading its bytes takes."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

__all__ = ["read_bandwidth"]

_BYTES = 512 * 2**20
_ROUNDS = 8


def read_bandwidth(threads: int) -> float:
    """Return the bytes per second that reading a large buffer once reaches at best."""
    words = np.ones(_BYTES // 8, np.int64)
    parts = np.array_split(words, threads)
    best = float("inf")
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(_ROUNDS):
            started = time.perf_counter()
            list(pool.map(np.sum, parts))
            best = min(best, time.perf_counter() - started)
    return _BYTES / best
