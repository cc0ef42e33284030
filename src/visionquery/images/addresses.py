"""Pictures behind addresses (`s3://bucket/photos`): what lies there, and its bytes.

fsspec knows how each kind of address is read. Whoever has an address, and is let in, reads the same
in any process. A folder is what keys have in common up to a "/". Nothing is ever written there.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from visionquery.errors import EngineError, ImageError, ImageUnavailableError, InputError
from visionquery.images.limits import DEFAULT_LIMITS, Limits, check_bytes
from visionquery.types import is_address

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

__all__ = ["Seen", "entries", "head", "is_address", "look", "read", "reason_of", "save"]

_AT_ONCE_BYTES = 8 * 2**20
"""What is asked for at first: all of most pictures, without asking for their size before."""

_CLOUD = ("s3", "gs")
"""Where one listing has all that is below a folder, a thousand keys to an answer; what reads these
comes with the extra."""

_TIMES = ("LastModified", "mtime", "last_modified", "modified", "updated", "created")
"""What file systems call the time of the last change."""

_LATEST_NS = 2**63 - 1
_MOST_SAID = 200
"""Characters of what another library says."""

_NO_CREDENTIALS = frozenset(
    {"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"}
    | {"TokenRetrievalError", "DefaultCredentialsError", "RefreshError", "ProfileNotFound"}
)
_NO_ANSWER = frozenset(
    {"EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "HTTPClientError"}
    | {"ConnectionClosedError", "ClientConnectionError", "ConnectionError", "TimeoutError"}
)
"""Names of errors: the libraries that they are from are not imported for them."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is at an address: a folder, or a file of so many bytes, last changed at a time, which
    is 0 where that is not told."""

    is_folder: bool
    size_bytes: int = 0
    mtime_ns: int = 0


def look(address: str) -> Seen | None:
    """Return what is at an address, None where nothing is.

    Raises EngineError where it cannot be reached, InputError where addresses of its kind cannot
    be read.
    """
    try:
        files, path = _located(address)
        files.invalidate_cache()
        return _seen(files.info(path))
    except FileNotFoundError:
        return None
    except (ImportError, ValueError) as error:
        raise InputError(f"{address} cannot be read: {reason_of(error)}.") from error
    except Exception as error:  # whatever the library for such addresses raises
        raise EngineError(f"{address} cannot be reached: {reason_of(error)}.") from error


def entries(address: str) -> Iterator[tuple[str, Seen | None]]:
    """Yield the files below a folder, in no order, by what follows it in their keys, which may be
    any text; None for a file to which no address leads. Raises what the library for such addresses
    does (see `reason_of`)."""
    files, base = _located(address)
    lead = base.strip("/") + "/" if base.strip("/") else ""
    files.invalidate_cache()
    try:
        listed = _flat if _scheme(address) in _CLOUD else _walk
        for name, info in listed(files, base):
            key = name.lstrip("/")
            if key.startswith(lead):
                path = key[len(lead) :]
                led = _leads_to(files, f"{address}/{path}", key)
                yield path, _seen(info) if led else None
    finally:
        files.invalidate_cache()  # It holds the whole listing.


def read(address: str, *, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """Return the bytes of a file.

    Raises ImageTooLargeError above `limits.max_bytes`, before more than 8 MiB are read, and
    ImageUnavailableError when they cannot be had.
    """
    with _told():
        files, path = _located(address)
        data = _begin(files, path, _AT_ONCE_BYTES)
        size_bytes = len(data)
        if size_bytes == _AT_ONCE_BYTES:
            size_bytes = _seen(files.info(path)).size_bytes
        check_bytes(size_bytes, limits)
        if size_bytes > len(data):
            data += files.cat_file(path, start=len(data), end=size_bytes)
        if size_bytes != len(data):
            raise ImageUnavailableError("it cannot be read: it has changed meanwhile")
        return data


def head(address: str, count: int) -> tuple[bytes, int]:
    """Return the first `count` bytes of a file, and its size. Raises ImageUnavailableError."""
    with _told():
        files, path = _located(address)
        return _begin(files, path, count), _seen(files.info(path)).size_bytes


def save(address: str, place: str) -> None:
    """Copy a file to a place of this machine. Raises ImageUnavailableError."""
    with _told():
        files, path = _located(address)
        files.get_file(path, place)


def reason_of(error: BaseException) -> str:
    """Say without a full stop why an address could not be read."""
    names = _names(error)
    said = " ".join(str(error).split())[:_MOST_SAID].rstrip(".") or type(error).__name__
    if names & _NO_CREDENTIALS:
        return (
            f"no credentials were found ({said}); set them up as the tools of its provider do "
            "(aws configure; gcloud auth application-default login)"
        )
    if names & _NO_ANSWER:
        return f"its server does not answer ({said})"
    if "ParamValidationError" in names:
        return f"it is no proper address ({said})"
    if isinstance(error, FileNotFoundError):
        return "there is no such bucket" if "bucket" in said else "it is not there any more"
    if isinstance(error, PermissionError):
        return f"permission denied ({said})"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "there is no room on this machine for a copy of it"
    return said


def _names(error: BaseException) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}


@contextmanager
def _told() -> Iterator[None]:
    """Let whatever keeps bytes from coming be one error, since it may pass."""
    try:
        yield
    except ImageError:
        raise
    except Exception as error:
        raise ImageUnavailableError(f"it cannot be read: {reason_of(error)}") from error


def _begin(files: "AbstractFileSystem", path: str, count: int) -> bytes:
    try:
        data: bytes = files.cat_file(path, start=0, end=count)
    except Exception as error:
        if _names(error) & (_NO_ANSWER | _NO_CREDENTIALS):
            raise
        seen = _seen(files.info(path))  # A file of no bytes has no first one to be asked for.
        if seen.is_folder or seen.size_bytes:
            raise
        return b""
    return data


def _flat(files: "AbstractFileSystem", base: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from files.find(base, detail=True).items()


def _walk(files: "AbstractFileSystem", base: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Go through folders one by one, each once, whatever their names are."""
    folders, known = [base], {base.strip("/")}
    while folders:
        for info in files.ls(folders.pop(), detail=True):
            key = info["name"].strip("/")
            if info["type"] != "directory":
                yield info["name"], info
            elif key not in known:
                known.add(key)
                folders.append(info["name"])


def _leads_to(files: "AbstractFileSystem", address: str, key: str) -> bool:
    """Whether an address is understood as that of a key: part of an odd name may be taken for
    something else, as the version of a file."""
    path: str = files._strip_protocol(address)
    return path.strip("/") == key.rstrip("/") and "?versionId=" not in key


def _located(address: str) -> "tuple[AbstractFileSystem, str]":
    """Return what reads an address, and what it calls it. Raises ImportError."""
    kind = _kind(_scheme(address))
    options = {} if _scheme(address) in _CLOUD else kind._get_kwargs_from_urls(address)
    if not kind.async_impl:
        return kind(**options), kind._strip_protocol(address)
    # One for all threads, each of which would have connections of its own.
    files = _shared(_scheme(address), os.getpid(), **options)
    return files, kind._strip_protocol(address)


@cache
def _shared(scheme: str, _process: int, **options: Any) -> "AbstractFileSystem":
    return _kind(scheme)(**options)


@cache
def _kind(scheme: str) -> "type[AbstractFileSystem]":
    extra = f"for {scheme}:// the extra cloud is needed: pip install 'visionquery[cloud]'"
    try:
        from fsspec import get_filesystem_class
    except ImportError as error:
        raise ImportError(extra) from error
    try:
        kind: type[AbstractFileSystem] = get_filesystem_class(scheme)
    except ImportError as error:
        if scheme in _CLOUD:
            raise ImportError(extra) from error
        raise ImportError(f"for {scheme}:// a package is missing: {error}") from error
    except ValueError as error:
        raise ValueError(f"no kind of address begins with {scheme}://") from error
    return kind


def _scheme(address: str) -> str:
    return address.partition("://")[0]


def _seen(info: dict[str, Any]) -> Seen:
    if info["type"] == "directory":
        return Seen(True)
    time = next((info[name] for name in _TIMES if info.get(name)), 0)
    # A listing may tell fractions of seconds that the head of a file does not.
    whole = "LastModified" in info
    return Seen(False, int(info.get("size") or 0), _ns(time, whole=whole))


def _ns(time: object, *, whole: bool) -> int:
    """Return a time in nanoseconds since 1970, to the microsecond, or to the `whole` second."""
    if isinstance(time, str):
        try:
            time = datetime.fromisoformat(time)
        except ValueError:
            return 0
    if isinstance(time, datetime):
        since = (time if time.tzinfo else time.replace(tzinfo=UTC)) - _EPOCH
        microseconds = (since.days * 86_400 + since.seconds) * 10**6 + since.microseconds
    elif isinstance(time, int | float):
        microseconds = round(time * 10**6)
    else:
        return 0
    step = 10**6 if whole else 1
    return max(-_LATEST_NS, min(microseconds // step * step * 1000, _LATEST_NS))


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
