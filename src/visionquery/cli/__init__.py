"""The command line: a thin skin, one file per command. `main` is the entry point."""

import contextlib
import gc
import io
import os
import sys
from typing import NoReturn

__all__ = ["main"]

_INTERRUPTED = 130
_OBJECTS_BETWEEN_COLLECTIONS = 100_000


def main() -> None:
    """Run the program on the process's arguments and exit with the documented code."""
    # What imports make never dies; looking for garbage among it, as often as Python does unless
    # told otherwise, costs a search an eighth of its time.
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, 50, 50)
    try:
        _make_streams_safe()
        from visionquery.cli.app import run

        _leave(run(sys.argv[1:]))
    except KeyboardInterrupt:  # before the first command began, or while the last one ended
        sys.exit(_INTERRUPTED)


def _leave(code: int) -> NoReturn:
    """End the process at once: everything is closed and written by now, and taking the runtime
    apart piece by piece would cost a search a tenth of its time."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _make_streams_safe() -> None:
    """Let no file name fail for want of a character, and no closed stream for want of a file."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - for the process's life
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
