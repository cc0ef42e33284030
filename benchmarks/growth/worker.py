"""One kind of measurement on one library, in this process of its own; figures as JSON on stdout.

    python -m benchmarks.growth.worker open|read|write LIBRARY ROWS DIM
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

from benchmarks.growth.changing import changing
from benchmarks.growth.reading import reading

from visionquery.store.local import open_local


def main() -> None:
    """Measure what is asked for, and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("open", "read", "write"))
    parser.add_argument("library", type=Path)
    parser.add_argument("rows", type=int)
    parser.add_argument("dim", type=int)
    asked = parser.parse_args()
    measure = {"open": opening, "read": reading, "write": changing}[asked.what]
    print(json.dumps(measure(asked.library, asked.rows, asked.dim)))


def opening(library: Path, rows: int, dim: int) -> dict[str, Any]:
    """Return the seconds that opening takes in a new process, its imports done."""
    started = time.perf_counter()
    store = open_local(library)
    counted = store.row_count()
    seconds = time.perf_counter() - started
    assert (counted, store.model.embed_dim) == (rows, dim)
    store.close()
    return {"seconds": seconds}


if __name__ == "__main__":
    main()
