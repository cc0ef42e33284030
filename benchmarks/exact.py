"""Is an exact search as fast as memory can be read? Libraries of 10,000, 100,000 and a million.

    python -m benchmarks.exact [--rows 10000 100000 1000000] [--dim 512] [--folder DIR]

For each size, medians of runs in turns, each with a text that none before it had:

- the floor, bytes of the codes by the speed at which this run reads memory, one thread or two,
  whichever is faster;
- the scan: an estimate of every cosine; the float32 scan and a product of NumPy beside it;
- the best 20: a scan, and the rows that its bound does not rule out read in float32;
- whole answers: scales, confidence, words, records of 20 images, without encoding the text.

Targets: the best 20 within 1.5 x the floor, recall@20 against float64 of 1 for clustered and for
random vectors, also where the bound alone decides: no row outside of what was read can be better.
`--folder` keeps the libraries, which take minutes to make, for the next time.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from benchmarks import vectors
from benchmarks.quality.verdicts import finish, target
from numpy.typing import NDArray

from visionquery.query.ast import Contains, Filter
from visionquery.query.plan import (
    AllOf,
    Expression,
    FilterRef,
    Negation,
    Null,
    Plan,
    Probe,
    ProbeRef,
)
from visionquery.search.calibrate import DEFAULT_CALIBRATION
from visionquery.search.executor import execute
from visionquery.search.phrases import Phrases
from visionquery.search.result import Page
from visionquery.store.base import Store
from visionquery.store.kernels import largest
from visionquery.types import Matrix

_ROUNDS = 10
_RUNS_IN_A_TURN = 4
_LIMIT = 20
_RECALLED = 50
_READ_BYTES = 512 * 2**20
_NULL = Null(mean=0.0, std=0.03, bias=0.2)
SONY = Filter("camera", Contains("sony"))
_ONE = ProbeRef(0)
_BOTH = AllOf((ProbeRef(0), ProbeRef(1)))
_WITHOUT = AllOf((ProbeRef(0), Negation(ProbeRef(1, ((0, 0.3),)))))
FILTERED = AllOf((ProbeRef(0), FilterRef(0)))


def main() -> None:
    """Measure, print and judge."""
    options = _options()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        for rows in options.rows:
            store = vectors.library(folder, rows, options.dim)
            vectors.warm(Path(store.location))
            _judge(rows, options.dim, measure(store, rows, options.dim))
            _judge_recall(store, rows, options.dim)
            store.close()
        rows = min(100_000, max(options.rows))
        store = vectors.library(folder, rows, options.dim, "random")
        print(f"{rows:,} random vectors")
        _judge_recall(store, rows, options.dim)
        store.close()
    finish()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--folder", type=Path)
    return parser.parse_args()


def measure(store: Store, rows: int, dim: int) -> dict[str, float]:
    """Return the median milliseconds of each thing that is measured."""
    asked = iter(vectors.texts(12 * _ROUNDS * _RUNS_IN_A_TURN, rows, dim)[:, None])
    # As float32 rows, a million is too much to hold beside the library.
    held = _held(store, rows) if rows <= 100_000 else None

    def pair() -> Matrix:
        return np.concatenate([next(asked), next(asked)])

    actions: dict[str, Callable[[], object]] = {
        **_reads(rows * dim),
        "scan": lambda: store.estimates(next(asked)),
        "float32 scan": lambda: store.scores(next(asked)),
        "best 20": lambda: best(store, next(asked), _LIMIT),
        "answer": lambda: answer(store, next(asked), _LIMIT),
        "answer, AND": lambda: answer(store, pair(), _LIMIT, _BOTH),
        "answer, NOT": lambda: answer(store, pair(), _LIMIT, _WITHOUT),
        "answer, filter": lambda: answer(store, next(asked), _LIMIT, FILTERED, (SONY,)),
    }
    if held is not None:
        actions["NumPy float32"] = lambda: next(asked) @ held.T
    return medians_ms(actions, _ROUNDS)


def medians_ms(actions: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median milliseconds of each action. They take turns of a few runs, of which the
    first, which finds the caches full of what came before, does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(rounds):
        for name, action in actions.items():
            times = []
            for _ in range(_RUNS_IN_A_TURN):
                start = time.perf_counter()
                action()
                times.append(time.perf_counter() - start)
            seconds[name] += times[1:]
    return {name: 1e3 * statistics.median(times) for name, times in seconds.items()}


def best(store: Store, probe: Matrix, count: int) -> NDArray[np.intp]:
    """Return the rows (count,) nearest to a probe (1, dim), best first, for certain."""
    with store.reading():
        about, alive = store.estimates(probe), store.alive()
        rows = largest(about.cosines[0], count, among=alive)
        if about.error:
            floor = np.sort(store.scores(probe, rows)[0])[-count] - about.error
            rows = np.flatnonzero((about.cosines[0] >= floor) & alive)
        scores = store.scores(probe, rows)[0]
    return rows[np.argsort(-scores, kind="stable")[:count]]


def answer(
    store: Store,
    probes: Matrix,
    limit: int,
    expression: Expression = _ONE,
    filters: tuple[Filter, ...] = (),
) -> Page:
    """Return a page for texts of vectors (p, dim) whose words are in no file."""
    return execute(plan_of(store, probes, expression, filters), store, limit=limit, exact=True)


def plan_of(
    store: Store,
    probes: Matrix,
    expression: Expression = _ONE,
    filters: tuple[Filter, ...] = (),
    phrases: Phrases = (),
) -> Plan:
    """Return the plan of texts of vectors (p, dim), whose words are the units `phrases`."""
    return Plan(
        vectors=probes,
        probes=tuple(Probe("made", is_text=True, phrases=phrases) for _ in probes),
        filters=filters,
        expression=expression,
        null=_NULL,
        calibration=DEFAULT_CALIBRATION,
        fingerprint=store.model.fingerprint,
    )


def _reads(size_bytes: int) -> dict[str, Callable[[], object]]:
    """Return what reads memory, on one thread and on two, as much at a time as the codes are, out
    of a buffer that no cache holds."""
    buffer = np.ones(max(_READ_BYTES, size_bytes) // 8, dtype=np.uint64)
    pool, words = ThreadPoolExecutor(1), size_bytes // 8
    places = np.random.default_rng(0)

    def part() -> NDArray[np.uint64]:
        first = int(places.integers(len(buffer) - words + 1))
        return buffer[first : first + words]

    def two() -> None:
        here = part()
        other = pool.submit(here[: words // 2].max)
        here[words // 2 :].max()
        other.result()

    return {"read, one thread": lambda: part().max(), "read, two threads": two}


def _held(store: Store, rows: int) -> Matrix:
    return store.vectors(range(rows))


def _judge(rows: int, dim: int, medians: dict[str, float]) -> None:
    floor = min(medians["read, one thread"], medians["read, two threads"])
    print(f"{rows:,} images x {dim}, {rows * dim / floor / 1e6:.0f} GB/s")
    for name, milliseconds in medians.items():
        print(f"  {name:20} {milliseconds:8.2f} ms   {milliseconds / floor:6.2f} x the floor")
    ratio = medians["best 20"] / floor
    target(f"best 20 of {rows:,} / floor", ratio, lambda value: value <= 1.5, "<= 1.5")


def _judge_recall(store: Store, rows: int, dim: int) -> None:
    """Compare with every cosine in float64; of equals, either will do."""
    found = 0
    probes = vectors.texts(_RECALLED, rows, dim)
    for probe, true in zip(probes[:, None], _cosines(store, probes, rows).T, strict=True):
        least = np.partition(true, rows - _LIMIT)[rows - _LIMIT]
        # Two cosines that float32 cannot tell apart are equal.
        found += int(np.count_nonzero(true[best(store, probe, _LIMIT)] >= least - 1e-7))
    recall = found / (_RECALLED * _LIMIT)
    target(f"recall@20 of {rows:,} against float64", recall, lambda value: value == 1, "= 1")


def _cosines(store: Store, probes: Matrix, rows: int) -> NDArray[np.float64]:
    wide = probes.T.astype(np.float64)
    parts = [
        store.vectors(range(start, min(start + 50_000, rows))).astype(np.float64) @ wide
        for start in range(0, rows, 50_000)
    ]
    return np.concatenate(parts)


if __name__ == "__main__":
    main()
