"""How cost grows: time, memory and disk against the number of images, from 1,000 to a million.

    python -m benchmarks.growth [--rows 1000 10000 100000 1000000] [--dim 512] [--folder DIR]
                                [--json FILE]

For each size, in processes of their own, medians of several runs: opening; a search, plain and
with a filter that is new; adding one image and removing one, on a copy; adding 10,000 at once, for
each image; and `visionquery search` as a whole, on a library that the model in the box can search.
Then where the time of a search goes, and how steep each curve is between the two largest sizes:
1 is in proportion, 0 not at all.

`--folder` keeps the libraries, which take minutes to make, for the next time. The command is
measured where the shared photographs are. `--json` writes, in seconds and bytes:

    {"machine": {"processor", "cores", "memory_bytes", "system", "python", "numpy", "numkong",
                 "onnxruntime", "date", "load"},
     "dim",
     "sizes": [{"rows",
                "operations": {NAME: {"median", "best", "runs"}},
                "stages": {NAME: seconds},
                "memory": {"bare" | "opened" | "searched": {"own", "mapped"}},
                "disk": {"catalog", "vectors", "codes"}}],
     "exponents": {NAME: slope}}
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import vectors
from benchmarks.growth.cold import cold_search
from benchmarks.growth.machine import described
from benchmarks.growth.made import of_made
from benchmarks.growth.table import exponents, judge, print_tables
from benchmarks.growth.timing import summary
from benchmarks.quality.verdicts import finish

_OPENINGS = 7


def main() -> None:
    """Measure, print and judge."""
    options = _options()
    machine = described()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        sizes = [measured(folder, rows, options.dim) for rows in sorted(options.rows)]
    slopes = exponents(sizes)
    if options.json:
        document = {
            "machine": machine, "dim": options.dim, "sizes": sizes, "exponents": slopes
        }  # fmt: skip
        options.json.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    print_tables(sizes, options.dim)
    judge(sizes, slopes)
    finish()


def measured(folder: Path, rows: int, dim: int) -> dict[str, Any]:
    """Return all figures of a size."""
    library = of_made(folder, rows, dim)

    def ask(what: str) -> dict[str, Any]:
        print(f"{rows:,}: {what}", file=sys.stderr)
        command = [sys.executable, "-m", "benchmarks.growth.worker", what]
        ran = subprocess.run(
            [*command, str(library), str(rows), str(dim)], stdout=subprocess.PIPE, check=True
        )
        found: dict[str, Any] = json.loads(ran.stdout)
        return found

    read = ask("read")
    opened = summary([ask("open")["seconds"] for _ in range(_OPENINGS)])
    written = ask("write")["operations"]
    cold = cold_search(folder, rows)
    operations = {**written, "open": opened, **read.pop("operations"), **cold}
    return {"rows": rows, "operations": operations, **read}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.growth", description=__doc__.splitlines()[0]
    )
    sizes = [1000, 10_000, 100_000, 1_000_000]
    parser.add_argument("--rows", type=_size, nargs="+", default=sizes)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--folder", type=Path, help="where libraries are kept")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where all figures go")
    return parser.parse_args()


def _size(text: str) -> int:
    rows = int(text)
    if rows < 1 or (rows > vectors.BATCH and rows % vectors.BATCH):
        raise argparse.ArgumentTypeError(f"{rows:,} is no multiple of {vectors.BATCH:,}")
    return rows


if __name__ == "__main__":
    main()
