"""One engine in a process of its own, driven by lines of JSON.

    python -m benchmarks.beside.worker ENGINE WORK

WORK is a folder with `vectors.npy`, `queries.npy` and `more.npy` (rows to add); the engine's own
folder is WORK/ENGINE. Times are taken here, so that no pipe is in them.
"""

import json
import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.beside.engine import CHOICES, Engine

Answer = dict[str, Any]


class Worker:
    """What the lines ask for, each a method."""

    def __init__(self, name: str, work: Path) -> None:
        self._choice = next(choice for choice in CHOICES if choice.name == name)
        self._work, self._folder = work, work / name
        self._queries = np.load(work / "queries.npy")
        self._engine: Engine

    def build(self, rows: int, folder: str) -> Answer:
        """Build from the first `rows` vectors in another folder, and say how long it took."""
        engine = self._choice.load()
        vectors = np.load(self._work / "vectors.npy", mmap_mode="r")[:rows]
        Path(folder).mkdir(parents=True)
        return {"seconds": _timed(lambda: engine.build(Path(folder), vectors))}

    def open(self, limit: int) -> Answer:
        """Open what was built, answer once, and say what each step took."""
        started = time.perf_counter()
        self._engine = self._choice.load()
        imported = time.perf_counter()
        self._engine.open(self._folder, self._queries.shape[1])
        opened = time.perf_counter()
        self._engine.search(self._queries[-1], limit)
        answered = time.perf_counter()
        return {
            "import_seconds": imported - started,
            "open_seconds": opened - imported,
            "first_seconds": answered - opened,
            "efforts": list(self._engine.efforts),
        }

    def effort(self, effort: int) -> Answer:
        """Search with an effort from now on."""
        self._engine.set_effort(effort)
        return {}

    def search(self, query: int, limit: int) -> Answer:
        """Answer one of the queries."""
        probe = self._queries[query]
        started = time.perf_counter()
        rows = self._engine.search(probe, limit)
        seconds = time.perf_counter() - started
        return {"seconds": seconds, "rows": rows.tolist()}

    def memory(self) -> Answer:
        """Say how much memory is resident: all of it, and what is this process's own."""
        status = Path("/proc/self/status").read_text("ascii")
        sizes = {key: int(kb) * 1024 for key, kb in re.findall(r"(Rss\w+|VmRSS):\s+(\d+)", status)}
        return {"resident_bytes": sizes["VmRSS"], "own_bytes": sizes["RssAnon"]}

    def add(self, first_row: int, start: int, count: int, limit: int) -> Answer:
        """Add one batch, and say whether a search finds the last of it."""
        batch = np.load(self._work / "more.npy")[start : start + count]
        seconds = _timed(lambda: self._engine.add(first_row, batch))
        found = self._engine.search(batch[-1], limit)
        return {"seconds": seconds, "found": first_row + count - 1 in found.tolist()}


def _timed(action: Callable[[], None]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def main() -> None:
    """Answer line after line until there are no more."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is not an answer
    worker = Worker(sys.argv[1], Path(sys.argv[2]))
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = getattr(worker, asked.pop("do"))(**asked)
        except Exception as error:  # whatever it is, it belongs in the table
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
