"""Is a search past a million images fast, small and right? A million and ten million of them.

    python -m benchmarks.large [--rows 1000000 10000000] [--dim 512] [--folder DIR]

Vectors with their codes on disk, without a catalog, whose records are read for the shown images
alone whatever their number. A process of its own does what an answer that is not exact does with
vectors: samples the scales, guesses by signs, looks closer by bytes, and reads the best as float32.
The codes lie in the system's cache, the vectors may not; every text is a new one. Floor: bytes of
all signs by the speed of memory.

Targets: a million within 15 ms, ten million within 150 ms, recall@20 of 0.995 against every
cosine, and 1.5 GB resident. `--folder` keeps the vectors, 25 GB for ten million, for the next time;
without, they lie in the folder for temporary files while this runs.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from benchmarks import vectors
from benchmarks.beside.floor import read_bandwidth
from benchmarks.quality.verdicts import finish, target
from numpy.typing import NDArray

from visionquery.search.candidates import likely_count
from visionquery.store.codes import Coded, Codes
from visionquery.store.kernels import cosines
from visionquery.store.scanning import Scanned, estimates, nearest, products, sampled_spans
from visionquery.store.vectors import ROWS_PER_SEGMENT, Segments
from visionquery.types import Matrix

_QUERIES = 60
_WARMING = 20
_LIMIT = 20
_MOST_MS = {1_000_000: 15.0, 10_000_000: 150.0}


def main() -> None:
    """Measure, print and judge, or be the process that searches."""
    options = _options()
    if options.search:
        print(json.dumps(searched(options.search, options.rows[0], options.dim)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        for rows in options.rows:
            folder = (options.folder or Path(temporary)) / f"large-{rows}-{options.dim}"
            made(folder, rows, options.dim)
            vectors.warm(folder, but=".f32")
            _judge(folder, rows, options.dim)
    finish()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--search", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def made(folder: Path, rows: int, dim: int) -> Coded:
    """Return what is coded of the made vectors in a folder, which are made where they are not."""
    done = folder / "coded.json"
    if not done.exists():
        folder.mkdir(parents=True, exist_ok=True)
        segments, codes, coded, pauses = Segments(folder, dim), Codes(folder, dim), Coded(), []
        written = 0
        for part in vectors.images(rows, dim):
            segments.append(written, part)
            written += len(part)
            if written - coded.rows >= ROWS_PER_SEGMENT or written == rows:
                started, before = time.perf_counter(), coded.rows
                coded = codes.extend(segments, coded, written)
                pauses.append((time.perf_counter() - started) / (coded.rows - before))
        microseconds = 1e6 * statistics.median(pauses)
        print(f"{rows:,} images: {microseconds:.0f} µs of coding for each, as they come")
        done.write_text(json.dumps([coded.rows, coded.error]), encoding="utf-8")
    count, error = json.loads(done.read_text("utf-8"))
    return Coded(count, error)


def searched(folder: Path, rows: int, dim: int) -> dict[str, object]:
    """Return milliseconds, rows found and memory of this process, after searching."""
    coded = made(folder, rows, dim)
    started = time.perf_counter()
    scanned = Scanned(Segments(folder, dim), Codes(folder, dim), coded, rows)
    alive = np.ones(rows, dtype=np.bool_)
    opened = time.perf_counter() - started
    spans, found, seconds = sampled_spans(rows), [], []
    for probe in vectors.texts(_QUERIES + _WARMING, rows, dim)[:, None]:
        started = time.perf_counter()
        estimates(scanned, probe, spans)
        near = nearest(scanned, probe[0], likely_count(_LIMIT, one=True), among=alive)
        scores = products(scanned, probe, near)[0]
        found.append(near[np.argsort(-scores)[:_LIMIT]].tolist())
        seconds.append(time.perf_counter() - started)
    status = dict(
        line.split(":", 1) for line in Path("/proc/self/status").read_text("utf-8").splitlines()
    )
    return {
        "opened": 1e3 * opened,
        "first": 1e3 * seconds[0],
        "milliseconds": [1e3 * each for each in seconds[_WARMING:]],
        "found": found,
        # Not what `getrusage` says: a child's begins with that of the process it was forked from.
        "most": int(status["VmHWM"].split()[0]) / 1024,
    }


def _judge(folder: Path, rows: int, dim: int) -> None:
    command = [sys.executable, "-m", "benchmarks.large", "--search", str(folder)]
    options = ["--rows", str(rows), "--dim", str(dim)]
    run = subprocess.run([*command, *options], check=True, capture_output=True, text=True)
    answer = json.loads(run.stdout)
    p50, p95 = np.quantile(answer["milliseconds"], [0.5, 0.95])
    floor = 1e3 * rows * dim / 8 / max(read_bandwidth(threads) for threads in (1, 2))
    print(
        f"{rows:,} images x {dim}: opened {answer['opened']:.1f} ms, "
        f"first {answer['first']:.0f} ms, then p50 {p50:.1f}, p95 {p95:.1f} ms; "
        f"reading all signs {floor:.1f} ms"
    )
    most = _MOST_MS.get(rows, np.inf)
    target(f"p50 of {rows:,}, ms", p50, lambda value: value <= most, f"<= {most:.0f}")
    found = [row for rows_found in answer["found"][_WARMING:] for row in rows_found]
    true = _true(folder, rows, dim)
    hits = sum(
        len(set(shown) & set(best))
        for shown, best in zip(answer["found"][_WARMING:], true, strict=True)
    )
    recall = hits / len(found)
    target(f"recall@20 of {rows:,}", recall, lambda value: value >= 0.995, ">= 0.995")
    target(
        f"resident at {rows:,}, MB", answer["most"], lambda value: value <= 1500, "<= 1500"
    )


def _true(folder: Path, rows: int, dim: int) -> NDArray[np.intp]:
    """Return the rows (q, 20) of the best images of every warm query, each compared."""
    probes: Matrix = vectors.texts(_QUERIES + _WARMING, rows, dim)[_WARMING:]
    best = np.full((len(probes), _LIMIT), -np.inf, dtype=np.float32)
    found = np.zeros((len(probes), _LIMIT), dtype=np.intp)
    for number, block in enumerate(Segments(folder, dim).blocks(rows)):
        scores = cosines(probes, [block], len(block))
        own = np.argpartition(-scores, _LIMIT, axis=1)[:, :_LIMIT]
        every = np.concatenate([best, np.take_along_axis(scores, own, axis=1)], axis=1)
        named = np.concatenate([found, own + number * ROWS_PER_SEGMENT], axis=1)
        order = np.argsort(-every, axis=1)[:, :_LIMIT]
        best = np.take_along_axis(every, order, axis=1)
        found = np.take_along_axis(named, order, axis=1)
    return found


if __name__ == "__main__":
    main()
