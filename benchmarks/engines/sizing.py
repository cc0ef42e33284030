"""What do a million, a hundred million and ten billion pictures need?

    python -m benchmarks.engines.sizing [--rows 200000] [--dim 512] [--folder DIR]
    python -m benchmarks.engines.sizing --table

Measures what one image takes in a folder and in PostgreSQL, and what loading and indexing one
takes, and keeps it in `sizing.json`; `--table` prints the tables of the page on sizes from it
(docs/explanation/sizing.md, which a test compares with it).
"""

import argparse
import json
import tempfile
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg
from benchmarks import vectors
from benchmarks.engines.server import postgres
from benchmarks.exact import plan_of

from visionquery.copying import copy_library
from visionquery.opening import open_at
from visionquery.search.executor import execute
from visionquery.store.layout import folder_bytes

__all__ = ["FIGURES", "Constants", "constants", "needs_table", "table"]

FIGURES = Path(__file__).with_name("sizing.json")
SIZES = (1_000_000, 100_000_000, 10_000_000_000)
_QUERIES = 120

ENCODED_PER_CORE = {"pocket": 77.0, "ViT-B/32 float32": 9.0}
"""Images per second of one core, 2 MP JPEG, decoding and all: half of what two cores did
(docs/explanation/performance.md)."""

MEMORY_GIB = 256
"""Memory of the machines that the tables count in, of which three quarters hold vectors."""

CORES = 64
CORE_HOUR, GIB_MONTH_MEMORY, GIB_MONTH_DISK = 0.04, 3.0, 0.10
"""Prices in dollars, to be replaced by your own."""

_GIB = 2**30
_LINKS = 200
"""Bytes of HNSW links of an image with m = 16 in Qdrant: 32 on the lowest level, 4 bytes each, and
half as much again."""


@dataclass(frozen=True, slots=True)
class Constants:
    """What was measured at `rows` images of `dim` numbers: bytes of an image in a folder, of its
    codes there, of its tables in PostgreSQL and of its place in the index of vectors; images per
    second of a copy into PostgreSQL without the index, and of making that, on two cores; median
    milliseconds of an answer through the index."""

    rows: int
    dim: int
    folder: float
    codes: float
    tables: float
    index: float
    loaded_per_second: float
    indexed_per_second: float
    answer_ms: float


def main() -> None:
    """Measure and keep, or print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    if not options.table:
        with tempfile.TemporaryDirectory() as temporary:
            found = _measured(options.folder or Path(temporary), options.rows, options.dim)
        FIGURES.write_text(json.dumps(asdict(found), indent=1) + "\n", encoding="utf-8")
    print(table(constants()), needs_table(constants()), sep="\n\n")


def constants() -> Constants:
    """Return what was measured last."""
    return Constants(**json.loads(FIGURES.read_text("utf-8")))


def table(found: Constants) -> str:
    """Return the measured constants as a table."""
    rows = [
        ("a library in a folder, on disk", f"{found.folder:,.0f} bytes"),
        ("of that its codes, which every exact search reads", f"{found.codes:,.0f} bytes"),
        ("PostgreSQL: tables and their indexes", f"{found.tables:,.0f} bytes"),
        ("PostgreSQL: index of vectors (HNSW, halfvec)", f"{found.index:,.0f} bytes"),
        ("`copy` into PostgreSQL, compared, less the index", _speed(found.loaded_per_second)),
        ("making the index, two cores", _speed(found.indexed_per_second)),
        ("an answer of 20 through the index", f"{found.answer_ms:.1f} ms"),
    ]
    return _table(("an image takes", f"{found.rows:,} x {found.dim}"), rows)


def needs_table(found: Constants) -> str:
    """Return what each size needs, by the formulas of the page."""
    heads = ("", *(_count(size) for size in SIZES))
    lines: list[tuple[str, ...]] = [
        ("folder: disk", *(_gib(size * found.folder) for size in SIZES)),
        ("folder: read for an exact answer", *(_gib(size * found.codes) for size in SIZES)),
        ("PostgreSQL: disk", *(_gib(size * (found.tables + found.index)) for size in SIZES)),
        ("PostgreSQL: memory for the index", *(_gib(size * found.index) for size in SIZES)),
        (f"machines of {MEMORY_GIB} GiB", *(_machines(size * found.index) for size in SIZES)),
        ("hours to make the index, 2 cores", *(_hours(size, found) for size in SIZES)),
        ("Qdrant, int8 in memory", *(_gib(size * _quantized(found.dim)) for size in SIZES)),
        (
            f"machines of {MEMORY_GIB} GiB",
            *(_machines(size * _quantized(found.dim)) for size in SIZES),
        ),
    ]
    for model, speed in ENCODED_PER_CORE.items():
        hours = tuple(_number(size / speed / 3600 / CORES) for size in SIZES)
        lines.append((f"encoding, {model}: hours on {CORES} cores", *hours))
        cost = tuple(f"${_number(size / speed / 3600 * CORE_HOUR)}" for size in SIZES)
        lines.append((f"encoding, {model}: cost", *cost))
    lines.append(("PostgreSQL: cost of a month", *(_month(size, found) for size in SIZES)))
    return _table(heads, lines)


def _measured(folder: Path, rows: int, dim: int) -> Constants:
    with closing(vectors.library(folder, rows, dim)) as local, postgres() as uri:
        address = f"{uri}&schema=sized"
        made = copy_library(local.location, address)
        whole, index, seconds = _sizes(uri)
        with closing(open_at(address)) as store:
            times = []
            for probe in vectors.texts(_QUERIES, rows, dim)[:, None]:
                plan = plan_of(store, probe)
                started = time.perf_counter()
                execute(plan, store, limit=20)
                times.append(time.perf_counter() - started)
        codes = sum(
            path.stat().st_size for path in Path(local.location).rglob("*.i8") if path.is_file()
        )
        return Constants(
            rows=rows,
            dim=dim,
            folder=folder_bytes(Path(local.location)) / rows,
            codes=codes / rows,
            tables=(whole - index) / rows,
            index=index / rows,
            loaded_per_second=rows / (made.seconds - seconds),
            indexed_per_second=rows / seconds,
            answer_ms=1e3 * sorted(times[20:])[len(times[20:]) // 2],
        )


def _sizes(uri: str) -> tuple[int, int, float]:
    """Return the bytes of the tables and all their indexes, those of the index of vectors, and the
    seconds of making it once more."""
    with psycopg.connect(uri, autocommit=True) as connection:
        ((whole,),) = connection.execute(
            "SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class "
            "WHERE relnamespace = 'sized'::regnamespace AND relkind = 'r'"
        )
        ((index,),) = connection.execute("SELECT pg_relation_size('sized.images_1_0_near')")
        started = time.perf_counter()
        connection.execute("SET maintenance_work_mem = '1GB'")
        connection.execute("REINDEX INDEX sized.images_1_0_near")
        return int(whole), int(index), time.perf_counter() - started


def _quantized(dim: int) -> float:
    return dim + _LINKS


def _machines(needed: float) -> str:
    return f"{max(1, -(-needed // (0.75 * MEMORY_GIB * _GIB))):,.0f}"


def _hours(size: int, found: Constants) -> str:
    return _number(size / found.indexed_per_second / 3600)


def _month(size: int, found: Constants) -> str:
    memory = size * found.index / _GIB * GIB_MONTH_MEMORY
    return f"${_number(memory + size * (found.tables + found.index) / _GIB * GIB_MONTH_DISK)}"


def _count(size: int) -> str:
    return {10**6: "1 million", 10**8: "100 million", 10**10: "10 billion"}[size]


def _gib(size: float) -> str:
    gib = size / _GIB
    return f"{gib / 1024:,.1f} TiB" if gib >= 1024 else f"{_number(gib)} GiB"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _speed(per_second: float) -> str:
    return f"{per_second:,.0f} images/s"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main()
