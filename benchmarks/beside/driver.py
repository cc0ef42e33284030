"""The other end of a worker's pipe."""

import json
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

__all__ = ["Driver", "EngineFailedError"]


class EngineFailedError(Exception):
    """An engine could not do what it was asked."""


class Driver:
    """A worker process, asked one thing at a time."""

    def __init__(self, name: str, work: Path) -> None:
        self._errors = (work / f"{name}.log").open("a")
        command = [sys.executable, "-m", "benchmarks.beside.worker", name, str(work)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True
        )

    def ask(self, do: str, *, seconds: float = 600, **asked: Any) -> dict[str, Any]:
        """Return the answer; raise EngineFailedError when there is none in time."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"do": do, **asked}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise EngineFailedError("its process ended") from None
        if not select.select([self._process.stdout], [], [], seconds)[0]:
            raise EngineFailedError(f"{do} took more than {seconds / 60:.0f} min")
        line = self._process.stdout.readline()
        if not line:
            raise EngineFailedError("its process ended")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise EngineFailedError(answer["error"])
        return answer

    def close(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.communicate()
        self._errors.close()
