"""The process that runs one target until its time is over, or until it dies.

    python -m fuzzing.child TARGET FOLDER SECONDS SEED

It leaves in FOLDER: `current`, the input being tried and how many were tried before; `corpus/`,
what coverage found worth keeping; `findings/`, inputs that break the promise, one for each place
where it breaks.
"""

import contextlib
import hashlib
import mmap
import random
import signal
import struct
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

__all__ = ["HEAD", "MAX_BYTES", "TIME_IS_UP", "main"]

MAX_BYTES = 1 << 16
HEAD = struct.Struct("<QQ")
"""At the start of `current`: inputs begun, and bytes of the one being tried, which follow."""

TIME_IS_UP = getattr(signal, "SIGPROF", 27)
"""What ends a process that computes for too long on one input, even inside a decoder."""

_MOST_SECONDS = 30.0
_ADDRESS_BYTES = 6 << 30
_PACKAGES = ["visionquery", "PIL", "xml", "tomllib"]


class _Watched:
    """A target that says what it tries and keeps what breaks it."""

    def __init__(self, target: Callable[[bytes], None], folder: Path) -> None:
        self._target = target
        self._findings = folder / "findings"
        with (folder / "current").open("r+b") as file:
            self._current = mmap.mmap(file.fileno(), HEAD.size + MAX_BYTES)
        self._runs = HEAD.unpack_from(self._current)[0]

    def __call__(self, data: bytes) -> None:
        data = data[:MAX_BYTES]
        self._runs += 1
        self._current[HEAD.size : HEAD.size + len(data)] = data
        HEAD.pack_into(self._current, 0, self._runs, len(data))
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_PROF, _MOST_SECONDS)
        try:
            self._target(data)
        except Exception as error:  # whatever it is, it is what was looked for
            self._keep(data, error)

    def _keep(self, data: bytes, error: Exception) -> None:
        """Keep the shortest input for each line of code that raises."""
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if "visionquery" in frame.filename] or frames
        place = f"{type(error).__name__} {ours[-1].filename}:{ours[-1].lineno}"
        name = f"{type(error).__name__}-{_digest(place.encode())}"
        file = self._findings / name
        if not file.exists() or len(data) < file.stat().st_size:
            file.write_bytes(data)
            file.with_suffix(".txt").write_text("".join(traceback.format_exception(error)))


def main() -> None:
    """Run a target as the command line says."""
    name, place, seconds, seed = sys.argv[1:5]
    folder = Path(place)
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_BYTES, _ADDRESS_BYTES))
    try:
        import atheris
    except ImportError:
        watched, seeds = _begun(name, folder)
        _by_chance(watched, seeds, float(seconds), int(seed))
        return
    with atheris.instrument_imports(include=_PACKAGES):
        watched, seeds = _begun(name, folder)
    corpus = folder / "corpus"
    for data in seeds:
        (corpus / _digest(data)).write_bytes(data)
    options = [f"-max_total_time={max(1, round(float(seconds)))}", f"-max_len={MAX_BYTES}"]
    options += [f"-seed={seed}", "-rss_limit_mb=0", "-malloc_limit_mb=0", "-timeout=100000"]
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={folder}/", str(corpus)], watched)
    atheris.Fuzz()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:8]


def _begun(name: str, folder: Path) -> tuple[_Watched, list[bytes]]:
    """Return a target and its seeds, each tried, so that all that is imported late is imported.
    Those that a process before this one died of are left out."""
    from tests.fuzz.seeds import SEEDS
    from tests.fuzz.targets import TARGETS

    dead = {path.name.rpartition("-")[2] for path in (folder / "findings").iterdir()}
    seeds = [seed for seed in SEEDS[name]() if _digest(seed) not in dead]
    watched = _Watched(TARGETS[name], folder)
    for seed in seeds:
        watched(seed)
    return watched, seeds


def _by_chance(watched: _Watched, seeds: list[bytes], seconds: float, seed: int) -> None:
    """Try edited seeds, without knowing what they cover."""
    from tests.fuzz.edits import edited, random_edits

    end = time.monotonic() + seconds
    chance = random.Random(seed)
    while time.monotonic() < end:
        watched(edited(chance.choice(seeds), random_edits(chance)))


if __name__ == "__main__":
    main()
