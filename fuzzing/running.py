"""One target in processes of its own: a death, or an input without end, is a finding, and the next
process goes on."""

import hashlib
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from fuzzing.child import HEAD, MAX_BYTES, TIME_IS_UP

__all__ = ["Outcome", "fuzz", "reproduce"]

_SLEEPS_AFTER_SECONDS = 300.0
"""One that computes for long ends itself; this long nothing may happen on the busiest machine."""

_MORE_SECONDS = 30.0  # than it was given
_MOST_FAILURES = 3  # in a row, of starting: a busy machine can be the cause of some
_LOOKS_EVERY_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many inputs a target was tried on, for how long, and the files of what broke it."""

    target: str
    executions: int
    minutes: float
    findings: tuple[Path, ...]


def fuzz(target: str, minutes: float, folder: Path, *, seed: int) -> Outcome:
    """Fuzz a target; `folder` keeps its corpus and findings."""
    for name in ("corpus", "findings"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    current = folder / "current"
    current.write_bytes(bytes(HEAD.size + MAX_BYTES))
    started = time.monotonic()
    end, failures = started + minutes * 60, 0
    while (left := end - time.monotonic()) > 0:
        before = _state(current)[0]
        death = _child(target, folder, left, seed + before)
        runs, data = _state(current)
        failures = failures + 1 if runs == before else 0
        if failures == _MOST_FAILURES:
            raise SystemExit(f"The target {target} does not start; see {folder / 'log'}.")
        if death and runs != before:
            _keep(folder, death, data)
    findings = sorted(path for path in (folder / "findings").iterdir() if path.suffix != ".txt")
    took = (time.monotonic() - started) / 60
    return Outcome(target, _state(current)[0], took, tuple(findings))


def reproduce(target: str, file: Path) -> None:
    """Run a target on the content of a file; what it raises passes through."""
    from tests.fuzz.targets import TARGETS

    TARGETS[target](file.read_bytes())


def _child(target: str, folder: Path, seconds: float, seed: int) -> str:
    """Run a process until it ends; return what it died of, "" when its time was over."""
    command = [sys.executable, "-m", "fuzzing.child", target, str(folder), str(seconds), str(seed)]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            return _watched(process, folder / "current", seconds)
        finally:
            process.kill()
            process.wait()


def _watched(process: "subprocess.Popen[bytes]", current: Path, seconds: float) -> str:
    seen, since = _state(current)[0], time.monotonic()
    end = since + seconds + _MORE_SECONDS
    while process.poll() is None:
        time.sleep(_LOOKS_EVERY_SECONDS)
        runs = _state(current)[0]
        if runs != seen:
            seen, since = runs, time.monotonic()
        elif time.monotonic() - since > _SLEEPS_AFTER_SECONDS:
            return "hang"
        if time.monotonic() > end:
            return ""
    if process.returncode == 0:
        return ""
    if process.returncode == -TIME_IS_UP:
        return "hang"
    return f"signal-{-process.returncode}" if process.returncode < 0 else "exit"


def _state(current: Path) -> tuple[int, bytes]:
    """Return how many inputs were begun, and the last of them."""
    content = current.read_bytes()
    runs, size = HEAD.unpack_from(content)
    return runs, content[HEAD.size : HEAD.size + size]


def _keep(folder: Path, death: str, data: bytes) -> None:
    name = f"{death}-{hashlib.sha256(data).hexdigest()[:8]}"
    (folder / "findings" / name).write_bytes(data)
