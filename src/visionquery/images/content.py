"""What there is to decode: the content of a file, or the part of one that is a picture of its own.

A file that holds several pictures has **fragments**, each the name of one: `t=12.48` (a moment of a
video, in seconds), `page=3`, `member=a/b.jpg` (of an archive). An image is its content there too:
a member its bytes, a key frame its packet, a page the whole file and its number.
"""

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from visionquery.errors import ImageUnavailableError, VisionQueryError
from visionquery.images.kinds import HEAD_BYTES, is_picture_name, kind_of
from visionquery.images.limits import DEFAULT_LIMITS, Limits, check_bytes
from visionquery.images.scan import reason_of
from visionquery.types import is_address

__all__ = [
    "CHANGED",
    "Content",
    "Part",
    "image_id",
    "is_file",
    "load",
    "of_bytes",
    "on_disk",
    "part_id",
    "read",
    "take",
]

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
CHANGED = "it has changed since it was looked into"


@dataclass(frozen=True, slots=True)
class Content:
    """What a decoder is given: the bytes of a picture, or else the `path`, or address, of a file
    that it reads for itself and the `fragment` that is meant. `name` is the file's, or the
    member's."""

    image_id: str
    name: str
    data: bytes = b""
    path: str | None = None
    fragment: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A picture in a file of several. `image_id` is "" where only reading it tells."""

    fragment: str
    image_id: str
    size_bytes: int


def image_id(data: bytes) -> str:
    """Return the identity of a file's content: 32 hexadecimal digits of BLAKE2b."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def part_id(file_id: str, fragment: str) -> str:
    """Return the identity of a part that has no bytes of its own, of a file's and its name."""
    return image_id(f"{file_id}#{fragment}".encode("utf-8", "surrogatepass"))


def read(path: str | Path, *, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """Return the bytes of a picture file.

    Raises ImageTooLargeError above `limits.max_bytes`, before anything is read, and
    ImageUnavailableError when the file is not there, not regular or not readable.
    """
    if is_address(str(path)):
        from visionquery.images import addresses

        return addresses.read(str(path), limits=limits)
    with _opened(path) as (file, size_bytes):
        check_bytes(size_bytes, limits)
        return file.read(size_bytes)  # What grows meanwhile is read again by the next run.


def of_bytes(data: bytes, name: str = "") -> Content:
    """Return the content that some bytes are."""
    return Content(image_id(data), name, data)


def load(path: str | Path, fragment: str = "", *, known_id: str = "", limits: Limits) -> Content:
    """Return a picture's content: read it, or, of a part that the decoder reads for itself, take
    `known_id` for what it is. Raises ImageError as `read` does."""
    if fragment.startswith("member="):
        from visionquery.images.archives import read_member

        name = fragment.removeprefix("member=")
        with on_disk(str(path)) as place:
            return of_bytes(read_member(Path(place), name, limits), name)
    if fragment:
        return Content(known_id, _name(path), path=str(path), fragment=fragment)
    return of_bytes(read(path, limits=limits), _name(path))


def take(
    path: str, *, list_parts: Callable[[str], list[Part]], limits: Limits
) -> Content | list[Part]:
    """Return what a file is by its content: a picture, which may be none, or the parts that it has.

    `list_parts` looks into files that only a decoder can look into; an empty list is that of a
    single picture. Raises ImageError for a file that cannot be read, or that holds no picture.
    """
    name = _name(path)
    data = None
    if is_address(path) and is_picture_name(name):
        data = read(path, limits=limits)  # Asking for its beginning first would take as long again.
    head, size_bytes = _head(path) if data is None else (data[:HEAD_BYTES], len(data))
    kind = kind_of(head, name)
    if kind == "archive":
        from visionquery.images.archives import members

        with on_disk(path) as place:
            found = members(Path(place), is_picture=is_picture_name)
        return [Part(f"member={each.name}", "", each.size_bytes) for each in found]
    if kind in ("video", "pdf", "tiff") and (parts := list_parts(path)):
        return parts
    if not is_picture_name(name):  # its size was not reckoned with
        return [Part("", "", size_bytes)]
    return load(path, limits=limits) if data is None else of_bytes(data, name)


@contextmanager
def on_disk(place: str) -> Iterator[str]:
    """Give the path of a file, of one behind an address that of a copy, for the length of a block.
    Raises ImageUnavailableError where there can be no copy."""
    if not is_address(place):
        yield place
        return
    from visionquery.images.copies import copied

    with copied(place) as path:
        yield path


def is_file(place: str) -> bool:
    """Return whether there is a file at a place, as far as that can be told now."""
    if not is_address(place):
        return Path(place).is_file()
    from visionquery.images.addresses import look

    try:
        seen = look(place)
    except VisionQueryError:
        return False
    return seen is not None and not seen.is_folder


def _head(path: str) -> tuple[bytes, int]:
    """Return the beginning of a file, and its size."""
    if is_address(path):
        from visionquery.images import addresses

        return addresses.head(path, HEAD_BYTES)
    with _opened(path) as (file, size_bytes):
        return file.read(HEAD_BYTES), size_bytes


def _name(path: str | Path) -> str:
    return os.path.basename(path)  # noqa: PTH119 (for every file)


@contextmanager
def _opened(path: str | Path) -> Iterator[tuple[BinaryIO, int]]:
    """Open a regular file, and tell its size in bytes. A pipe is not waited for."""
    try:
        with os.fdopen(os.open(path, _FLAGS), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ImageUnavailableError("it cannot be read: it is not a regular file")
            yield file, status.st_size
    except OSError as error:
        raise ImageUnavailableError(f"it cannot be read: {reason_of(error)}") from error
    except ValueError as error:  # a NUL character, which no file's name can hold
        raise ImageUnavailableError("it cannot be read: this is no name of a file") from error
