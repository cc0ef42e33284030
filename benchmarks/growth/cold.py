"""`visionquery search` as a whole: from the command to its first result, in a new process."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import vectors
from benchmarks.growth.made import POCKET, of_pocket
from benchmarks.growth.timing import Summary, summary
from benchmarks.quality.photos import SHARED

__all__ = ["cold_search"]

_RUNS = 7
_QUERY = "a dog on a beach"


def cold_search(folder: Path, rows: int) -> dict[str, Summary]:
    """Return what the command takes on a library of so many images; nothing where it cannot be
    made."""
    if rows % vectors.BATCH or not (SHARED / "data/flickr8k-dev").is_dir():
        return {}
    library = of_pocket(folder, rows)
    print(f"{rows:,}: cold", file=sys.stderr)
    command = [sys.executable, "-m", "visionquery", "search", _QUERY, "--quiet"]
    command += ["--library", str(library), "--model", POCKET]
    with tempfile.NamedTemporaryFile(suffix=".toml") as no_settings:
        settings = {**os.environ, "VISIONQUERY_CONFIG": no_settings.name}
        runs = [_until_first_result(command, settings) for _ in range(_RUNS)]
    return {"command": summary(runs)}


def _until_first_result(command: list[str], settings: dict[str, str]) -> float:
    started = time.perf_counter()
    with subprocess.Popen(command, env=settings, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        seconds = time.perf_counter() - started
        process.stdout.read()
    if not line:
        raise SystemExit(f"{command} found nothing")
    return seconds
