"""VisionQuery's search beside other engines: the same vectors, queries and machine, one table.

    python -m benchmarks.beside [--rows 100000] [--dim 512] [--engines a,b,c] [--json FILE]

Every engine runs in a process of its own and keeps its data in a folder of its own; all answer a
query that is new to them, one at a time, in turn, so that what else the machine does meets all
alike. Whatever is not installed has a line that says what to install. All of it, into an
environment of its own:

    pip install visionquery numpy faiss-cpu lancedb sqlite-vec apsw qdrant-edge-py usearch
    pip install --no-deps 'rclip==3.3.*' && pip install ftfy pillow regex requests tqdm
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.beside.engine import CHOICES, Choice
from benchmarks.beside.floor import read_bandwidth
from benchmarks.beside.measure import LIMIT, Figures, Plan, build_all, search_all
from benchmarks.beside.table import print_table
from benchmarks.beside.vectors import KINDS, answers, make_queries, make_vectors

_CHOOSING = 40
_MORE = 300


def main() -> None:
    """Measure, and print the table."""
    options = _options()
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        plan = _planned(options, Path(folder))
        floors = _floors(options.rows * options.dim)
        everything = build_all(plan, options.engines)
        search_all(plan, everything)
        for name, milliseconds in _floors(options.rows * options.dim).items():
            floors[name] = min(floors[name], milliseconds)
    print(f"{options.rows:,} x {options.dim}, {options.vectors}, top {LIMIT},", end=" ")
    print(f"{options.queries} queries, {os.cpu_count()} cores\n")
    if options.json:
        options.json.write_text(json.dumps(_document(options, everything, floors), indent=1))
    print_table(everything, floors)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.beside", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=512, help="a multiple of 8")
    parser.add_argument("--vectors", choices=KINDS, default=KINDS[0])
    parser.add_argument("--queries", type=int, default=200, help="that are timed")
    parser.add_argument("--engines", type=_chosen, default=list(CHOICES), metavar="A,B,C")
    parser.add_argument("--limit-minutes", type=float, default=5, help="for building an engine")
    parser.add_argument("--search-seconds", type=float, default=60, help="for an engine's answers")
    parser.add_argument("--work", type=Path, help="where the temporary folder is made")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where all figures go")
    return parser.parse_args()


def _chosen(names: str) -> list[Choice]:
    known = {choice.name: choice for choice in CHOICES}
    wrong = [name for name in names.split(",") if name not in known]
    if wrong:
        raise argparse.ArgumentTypeError(f"no {', '.join(wrong)}; there are {', '.join(known)}")
    return [known[name] for name in names.split(",")]


def _planned(options: argparse.Namespace, work: Path) -> Plan:
    """Make vectors, queries, rows to add, and the right answers."""
    print("making vectors", file=sys.stderr)
    vectors = make_vectors(work / "vectors.npy", options.rows, options.dim, options.vectors)
    queries = make_queries(vectors, options.queries + _CHOOSING + 1)
    np.save(work / "queries.npy", queries)
    np.save(work / "more.npy", make_queries(vectors, _MORE + 1)[1:])
    right = answers(vectors, queries[:-1], LIMIT)
    build_seconds = 60 * options.limit_minutes
    return Plan(work, options.rows, options.queries, right, build_seconds, options.search_seconds)


def _floors(scanned_bytes: int) -> dict[str, float]:
    """Return the milliseconds that reading a byte per number takes, by name."""
    return {
        f"floor, int8, {threads} thread{'s'[: threads > 1]}": 1e3
        * scanned_bytes
        / read_bandwidth(threads)
        for threads in (1, 2)
    }


def _document(
    options: argparse.Namespace, everything: list[Figures], floors: dict[str, float]
) -> dict[str, Any]:
    about = {"rows": options.rows, "dim": options.dim, "vectors": options.vectors}
    return {**about, "floors_ms": floors, "engines": [each.as_json() for each in everything]}


if __name__ == "__main__":
    main()
