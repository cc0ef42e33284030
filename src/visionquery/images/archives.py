"""Pictures inside zip archives: which there are, and the bytes of one.

Nothing is ever written to disk, and a name inside is a label, never a path. What an archive says
of itself may be a lie: members are inflated piece by piece up to the limit, the list of members is
not read when it is too long, and members may not share bytes.
"""

import errno
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from zipfile import ZipFile, ZipInfo

from visionquery.errors import UnreadableImageError
from visionquery.images.limits import DEFAULT_LIMITS, Limits, check_bytes
from visionquery.images.scan import is_passed_over, reason_of

__all__ = ["Member", "members", "read_member"]

_MAX_MEMBERS = 10_000
_MAX_LIST_BYTES = 4 * 2**20
"""Of the list of members, the only thing zipfile reads at once: 46 bytes and a name for each."""

_CHUNK_BYTES = 1 << 20
_NUMBER = re.compile(r"(\d{1,18})", re.ASCII)
_ABSOLUTE = re.compile(r"[/\\]|[A-Za-z]:")
_ENCRYPTED, _STORED, _DEFLATED = 0x1, 0, 8
_METHODS = {1: "shrink", 6: "implode", 9: "deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard"}
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError)
"""What zipfile raises about content; a RuntimeError is its word for a member that is encrypted."""


@dataclass(frozen=True, slots=True)
class Member:
    """A picture in an archive: its whole name there and the size that the archive states."""

    name: str
    size_bytes: int


class _Careful(io.BufferedReader):
    """A file that is not read in pieces as large as a list of members that is a bomb."""

    def read(self, size: int | None = -1, /) -> bytes:
        wanted = size if size is not None and size >= 0 else _MAX_LIST_BYTES + 1
        found = super().read(min(wanted, _MAX_LIST_BYTES + 1))
        if len(found) > _MAX_LIST_BYTES:
            raise UnreadableImageError(
                "not an archive that can be read: its list of members is too long. Unpack it"
            )
        return found


def members(path: Path, *, is_picture: Callable[[str], bool]) -> list[Member]:
    """Return the pictures in an archive in the natural order of their names, 2 before 10.

    `is_picture` is asked for the last part of each name. Hidden members and what systems add are
    left out. A member that cannot be
    read is listed too: `read_member` says why. Raises UnreadableImageError for a file that is no
    archive, and for one with more than 10,000 pictures.
    """
    with _opened(path) as archive:
        found = {info.filename: info for info in archive.infolist() if _is_shown(info, is_picture)}
    if len(found) > _MAX_MEMBERS:
        raise UnreadableImageError(
            f"it holds {len(found):,} pictures, more than the limit of {_MAX_MEMBERS:,}. Unpack it"
        )
    ordered = sorted(found.values(), key=lambda info: _natural(info.filename))
    return [Member(info.filename, info.file_size) for info in ordered]


def read_member(path: Path, name: str, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """Return the content of one member, the last one where several have the name.

    Raises ImageTooLargeError above `limits.max_bytes`, as soon as that is known, and
    UnreadableImageError for all else that goes wrong.
    """
    with _opened(path) as archive:
        try:
            info = archive.getinfo(name)
        except KeyError as error:
            reason = "it cannot be read: the archive has no such member"
            raise UnreadableImageError(reason) from error
        _check_member(info, limits)
        with archive.open(info) as stream:
            return _inflated(stream, limits)


@contextmanager
def _opened(path: Path) -> Iterator[ZipFile]:
    try:
        with _Careful(io.FileIO(path)) as file, _listed(file) as archive:
            _check_apart(archive, size_bytes=file.seek(0, io.SEEK_END))
            yield archive
    except (OSError, *_BROKEN) as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:  # a place before the start
            raise UnreadableImageError(f"it cannot be read: {reason_of(error)}") from error
        raise UnreadableImageError("not an archive that can be read: it is damaged") from error


def _listed(file: _Careful) -> ZipFile:
    """Names without a mark are UTF-8 from many programs; the standard says code page 437."""
    try:
        return ZipFile(file, metadata_encoding="utf-8")
    except UnicodeDecodeError:
        return ZipFile(file)


def _check_apart(archive: ZipFile, *, size_bytes: int) -> None:
    """Members that share bytes are how a small file inflates to a huge one."""
    if sum(info.compress_size for info in archive.infolist()) > size_bytes:
        raise UnreadableImageError("not an archive that can be read: its members overlap")


def _is_shown(info: ZipInfo, is_picture: Callable[[str], bool]) -> bool:
    parts = [part for part in _parts(info.filename) if part not in ("", ".", "..")]
    if not parts or info.filename[-1] in "/\\" or any(map(is_passed_over, parts)):
        return False
    return is_picture(parts[-1])


def _parts(name: str) -> list[str]:
    """Some programs for Windows write its separator."""
    return name.replace("\\", "/").split("/")


def _natural(name: str) -> tuple[list[list[tuple[int, str]]], str]:
    """Return what sorts names folder by folder, and the numbers in them by their value."""
    return [_natural_part(part) for part in _parts(name)], name


def _natural_part(part: str) -> list[tuple[int, str]]:
    pieces = _NUMBER.split(part.casefold())  # words and numbers in turns
    return [(0, text) if at % 2 == 0 else (int(text), "") for at, text in enumerate(pieces)]


def _check_member(info: ZipInfo, limits: Limits) -> None:
    """Refuse what is not to be inflated at all."""
    leads_out = ".." in _parts(info.filename) or _ABSOLUTE.match(info.filename) is not None
    if leads_out or "\0" in info.orig_filename:
        raise UnreadableImageError("it cannot be read: its name in the archive is no proper name")
    if info.flag_bits & _ENCRYPTED:
        raise UnreadableImageError("it cannot be read: it is encrypted. Unpack the archive")
    if info.compress_type not in (_STORED, _DEFLATED):
        method = _METHODS.get(info.compress_type, f"method {info.compress_type}")
        raise UnreadableImageError(
            f"it cannot be read: it is compressed with {method}, which is not read here. "
            "Unpack the archive"
        )
    check_bytes(info.file_size, limits)


def _inflated(stream: IO[bytes], limits: Limits) -> bytes:
    pieces: list[bytes] = []
    size_bytes = 0
    while piece := stream.read(_CHUNK_BYTES):
        pieces.append(piece)
        size_bytes += len(piece)
        check_bytes(size_bytes, limits)
    return b"".join(pieces)
