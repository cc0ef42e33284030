"""Copies on this machine of files behind addresses, for what a decoder reads for itself.

A copy is used by as many as want it at the same time, and kept for a while, since a video is asked
for moment by moment. It is made anew when what is at the address has changed.
"""

import atexit
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath

from visionquery.errors import EngineError, ImageUnavailableError, InputError
from visionquery.images.addresses import Seen, look, save

__all__ = ["copied"]

_MOST_IDLE_BYTES = 2 * 2**30
"""Of copies that nobody uses."""

_LEFT_FREE_BYTES = 256 * 2**20
"""On the disk, beside a copy."""


@dataclass(slots=True)
class _Copy:
    """A copy of a file as it was `seen`, which is there once `made`; `users` are reading it."""

    place: Path
    seen: Seen
    users: int = 0
    made: bool = False
    making: threading.Lock = field(default_factory=threading.Lock)


_changing = threading.Lock()
_copies: OrderedDict[tuple[str, Seen], _Copy] = OrderedDict()
_numbers = iter(range(2**62))


@contextmanager
def copied(address: str) -> Iterator[str]:
    """Give the place of a copy of the file at an address, for the length of a block.

    Raises ImageUnavailableError when it cannot be had, or there is no room for it.
    """
    key = address, _looked_at(address)
    copy = _taken(key)
    try:
        with copy.making:
            if not copy.made:
                _make(address, copy)
        yield str(copy.place)
    finally:
        _give_back(copy)


def _looked_at(address: str) -> Seen:
    try:
        seen = look(address)
    except (EngineError, InputError) as error:
        raise ImageUnavailableError(f"it cannot be read: {str(error).rstrip('.')}") from error
    if seen is None or seen.is_folder:
        raise ImageUnavailableError("it cannot be read: it is not there any more")
    return seen


def _taken(key: tuple[str, Seen]) -> _Copy:
    with _changing:
        copy = _copies.get(key)
        if copy is None:
            # The extension of a name can say what its content does not.
            suffix = PurePosixPath(key[0]).suffix
            name = f"{next(_numbers)}{suffix if suffix[1:].isalnum() else ''}"
            copy = _copies[key] = _Copy(_folder() / name, key[1])
        _copies.move_to_end(key)
        copy.users += 1
        return copy


@cache
def _folder() -> Path:
    """Make the folder of all copies, which goes when the process ends."""
    folder = tempfile.mkdtemp(prefix="visionquery-copies-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _make(address: str, copy: _Copy) -> None:
    free = shutil.disk_usage(copy.place.parent).free
    if copy.seen.size_bytes + _LEFT_FREE_BYTES > free:
        raise ImageUnavailableError(
            f"it cannot be read: there is no room on this machine for a copy of it "
            f"({copy.seen.size_bytes / 2**20:,.1f} MiB in {copy.place.parent})"
        )
    save(address, str(copy.place))
    if copy.place.stat().st_size != copy.seen.size_bytes:
        raise ImageUnavailableError("it cannot be read: it has changed meanwhile")
    copy.made = True


def _give_back(copy: _Copy) -> None:
    """Let a copy go, and the idle ones that were not used for longest, if these are too many."""
    with _changing:
        copy.users -= 1
        idle = [(each, known) for each, known in _copies.items() if not known.users]
        size_bytes = sum(known.seen.size_bytes for _, known in idle)
        for each, known in idle:
            if known.made and size_bytes <= _MOST_IDLE_BYTES:
                continue
            size_bytes -= known.seen.size_bytes
            known.place.unlink(missing_ok=True)
            del _copies[each]
