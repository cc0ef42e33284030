"""The one writer's place of a library folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from visionquery.errors import LibraryBusyError
from visionquery.store.faults import translated

__all__ = ["LOCK_NAME", "OWNER_NAME", "writer_lock"]

LOCK_NAME = "writer.lock"
OWNER_NAME = "writer.pid"


@contextmanager
def writer_lock(folder: Path) -> Iterator[None]:
    """Hold the writer's place until the block ends; a killed process gives it up at once.

    Raises LibraryBusyError naming the process that has it, StoreError when the folder cannot
    be written to.
    """
    # Only writers pay for this import: a search process never needs it.
    import filelock

    lock = filelock.FileLock(folder / LOCK_NAME, timeout=0, thread_local=False)
    owner = folder / OWNER_NAME
    with translated(str(folder)):
        try:
            lock.acquire()
        except filelock.Timeout:
            raise _busy(folder, owner) from None
    try:
        with translated(str(folder)):
            owner.write_text(str(os.getpid()), encoding="ascii")
        yield
    finally:
        # It is there for the words of an error alone; the place must be given up whatever happens.
        with suppress(OSError):
            owner.unlink()
        lock.release()


def _busy(folder: Path, owner: Path) -> LibraryBusyError:
    try:
        who = f"Process {int(owner.read_text(encoding='ascii'))}"
    except (OSError, ValueError):
        who = "Another process"
    return LibraryBusyError(
        f"{who} is writing to the library {folder}: wait until it has finished, or stop it, "
        "then run the command again."
    )
