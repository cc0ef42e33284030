"""Time the exact scan of a local library beside what it cannot beat.

    python benchmarks/scan.py [--rows 10000 100000] [--dim 512] [--rounds 30]

The floor is the time that reading the vectors once takes in the same run (the largest number of
an array of the same bytes); plain numpy is one matrix product on an array in memory. The three
take turns, so that what else the machine does meets all alike.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from visionquery.store.base import NewImage
from visionquery.store.local import create_local
from visionquery.types import Facts, Matrix, ModelIdentity

FACTS = Facts(640, 480, "JPEG", 100_000)


def unit_rows(count: int, dim: int) -> Matrix:
    """Return random unit rows (count, dim)."""
    rows = np.random.default_rng(7).standard_normal((count, dim), dtype=np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def medians_ms(actions: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median milliseconds of each action, all run in turn `rounds` times."""
    seconds: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(rounds + 2):
        for name, action in actions.items():
            start = time.perf_counter()
            action()
            seconds[name].append(time.perf_counter() - start)
    return {name: 1e3 * statistics.median(times[2:]) for name, times in seconds.items()}


def measure(rows: int, dim: int, rounds: int) -> dict[str, float]:
    """Return the medians for a library of `rows` vectors of `dim` numbers."""
    vectors = unit_rows(rows, dim)
    probe = vectors[:1].copy()
    with tempfile.TemporaryDirectory() as folder:
        store = create_local(Path(folder, "library"), ModelIdentity("m", "f", dim, "m"))
        with store.writing():
            for start in range(0, rows, 5000):
                part = vectors[start : start + 5000]
                numbered = enumerate(part, start)
                store.write([NewImage(f"{row:032x}", each, FACTS) for row, each in numbered], [])
        words = vectors.reshape(-1).view(np.uint64)
        result = medians_ms(
            {
                "memory read": lambda: words.max(),
                "plain numpy": lambda: probe @ vectors.T,
                "store.scores": lambda: store.scores(probe),
            },
            rounds,
        )
        store.close()
    return result


def main() -> None:
    """Print one line per size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    for rows in options.rows:
        medians = measure(rows, options.dim, options.rounds)
        gigabytes = rows * options.dim * 4 / 1e9
        print(f"{rows:>8} x {options.dim} float32, {gigabytes:.3f} GB, p50 of {options.rounds}")
        for name, milliseconds in medians.items():
            speed = gigabytes / milliseconds * 1e3
            print(f"  {name:<14}{milliseconds:>9.2f} ms{speed:>8.1f} GB/s")


if __name__ == "__main__":
    main()
