"""The one writer's place of a library folder.

The system's lock on a file holds it, which a killed process gives up at once; a second file says
who has it, for people. Where the file system knows no locks, that second file is the lock: made
by one process alone, and taken over when its process, of this machine, is gone. No time decides
anything.
"""

import errno
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from visionquery.errors import LibraryBusyError
from visionquery.store.faults import translated

__all__ = ["LOCK_NAME", "OWNER_NAME", "writer_lock"]

LOCK_NAME = "writer.lock"
OWNER_NAME = "writer.json"

_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP}


@dataclass(frozen=True, slots=True)
class _Owner:
    """Who writes: a process of a machine, since a time (ISO 8601)."""

    pid: int
    host: str
    since: str


@contextmanager
def writer_lock(folder: Path) -> Iterator[None]:
    """Hold the writer's place until the block ends; a killed process gives it up at once.

    Raises LibraryBusyError naming the process that has it, StoreError when the folder cannot
    be written to.
    """
    with ExitStack() as held:
        with translated(str(folder)):
            _take(folder, held)
        yield


def _take(folder: Path, held: ExitStack) -> None:
    # Only writers pay for this import: a search process never needs it.
    import filelock

    lock = filelock.FileLock(
        folder / LOCK_NAME, timeout=0, thread_local=False, fallback_to_soft=False
    )
    owner = folder / OWNER_NAME
    try:
        lock.acquire()
    except filelock.Timeout:
        known = _owner(owner)
        # What a killed writer left says nothing of the one that has the place now.
        raise _busy(folder, None if known is None or _is_gone(known) else known) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        _take_alone(folder, owner)
        held.callback(owner.unlink, missing_ok=True)
    else:
        held.callback(lock.release)
        held.callback(_forget, owner)
        owner.write_bytes(_document())


def _forget(owner: Path) -> None:
    """Remove what is there for the words of an error alone, whatever the disk says to that."""
    with suppress(OSError):
        owner.unlink()


def _take_alone(folder: Path, owner: Path) -> None:
    """Make the file of the owner, which must not be there; that of a process gone is removed."""
    known = _owner(owner)
    if known is not None and _is_gone(known):
        _remove(owner, known)
    try:
        with owner.open("xb") as file:
            file.write(_document())
    except FileExistsError:
        raise _busy(folder, _owner(owner), removable=owner) from None


def _remove(owner: Path, known: _Owner) -> None:
    """Remove the file of an owner that is gone, unless another process was faster."""
    aside = owner.with_name(f"{owner.name}.{os.getpid()}")
    with suppress(FileNotFoundError):
        owner.rename(aside)
        if _owner(aside) == known:
            aside.unlink()
        else:
            aside.rename(owner)


def _document() -> bytes:
    from datetime import datetime

    since = datetime.now().astimezone().isoformat(timespec="seconds")
    return json.dumps(asdict(_Owner(os.getpid(), _host(), since))).encode("ascii")


def _host() -> str:
    import platform

    return platform.node()


def _owner(file: Path) -> _Owner | None:
    """Return who a file says has the place, None when it says nothing."""
    try:
        found = json.loads(file.read_bytes())
        return _Owner(int(found["pid"]), str(found["host"]), str(found["since"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_gone(known: _Owner) -> bool:
    """Return whether a process is known to have ended."""
    if known.host != _host() or os.name == "nt":  # where kill would end it
        return False
    try:
        os.kill(known.pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def _busy(folder: Path, known: _Owner | None, *, removable: Path | None = None) -> LibraryBusyError:
    then = "wait until it has finished, or stop it, then run the command again."
    if removable is not None:
        # Nobody can see from here whether a process of another machine has ended.
        then += f" If it has ended, remove {removable}."
    if known is None:
        return LibraryBusyError(f"Another process is writing to the library {folder}: {then}")
    place = "" if known.host == _host() else f" on {known.host}"
    return LibraryBusyError(
        f"Process {known.pid}{place} has been writing to the library {folder} since "
        f"{known.since.replace('T', ' ')}: {then}",
        pid=known.pid,
        host=known.host,
        since=known.since,
    )
