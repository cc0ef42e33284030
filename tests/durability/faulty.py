"""Building the layer that fails, and running writers above it."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

__all__ = ["Ended", "Writers", "build"]

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Ended:
    """How a writer ended: its exit code (negative: the signal), how many steps it acknowledged
    (-1: not even a library), what errors it met, and the number of its operations on files."""

    code: int
    done: int
    errors: tuple[str, ...]
    operations: int


def build(folder: Path) -> Path:
    """Build `faults.c` in a folder. Skips the test where that cannot be: it takes Linux and a C
    compiler (Debian: the packages gcc and libc6-dev)."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not sys.platform.startswith("linux") or compiler is None:
        pytest.skip("no LD_PRELOAD or no C compiler here (Debian: gcc and libc6-dev)")
    made = folder / "faults.so"
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1",
         "-o", str(made), str(HERE / "faults.c"), "-ldl", "-pthread"],
        check=True,
    )
    return made


class Writers:
    """Writers of scenarios, one at a time, above files that fail as they are told to. A context
    manager."""

    def __init__(self, layer: Path, workplace: Path) -> None:
        """Keep the process that they come from ready, and its files in `workplace`."""
        self._said = workplace / "said.jsonl"
        paths = [str(HERE.parent), os.environ.get("PYTHONPATH", "")]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "durability.writer"],
            env=os.environ | {"LD_PRELOAD": str(layer), "PYTHONPATH": os.pathsep.join(paths)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(
        self,
        scenario: str,
        folder: Path,
        *,
        mode: str = "none",
        at: int = 0,
        log: Path | None = None,
        below: Path | None = None,
        goes_on: bool = False,
    ) -> Ended:
        """Let a writer do what the library in `folder` lacks of a scenario, with a fault at the
        `at`-th operation on a file in it. `log` gets all of them, those elsewhere `below` a folder
        too."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._said.unlink(missing_ok=True)
        job = {
            "scenario": scenario, "folder": str(folder), "goes_on": goes_on,
            "FAULTS_FOLDER": str(below or folder), "FAULTS_ACK": str(self._said),
            "FAULTS_MODE": mode, "FAULTS_AT": str(at), "FAULTS_LOG": str(log or ""),
        }  # fmt: skip
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        lines = self._said.read_text("utf-8").splitlines() if self._said.exists() else []
        said = [json.loads(line) for line in lines]
        foreign = [value for kind, value in said if kind == "foreign"]
        assert not foreign, foreign
        return Ended(
            code,
            max((value for kind, value in said if kind == "done"), default=-1),
            tuple(value for kind, value in said if kind in {"error", "stopped"}),
            next((value for kind, value in said if kind == "operations"), 0),
        )

    def __enter__(self) -> "Writers":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=20)
