"""What an address of a library in Qdrant means.

`qdrant://host:6333/collection`, with parameters `https`, `prefer_grpc`, `grpc_port`, `timeout`
(seconds), `api_key`, and, of importance only when the library is made, `shards` and `replicas`. The
key can stand in the variable QDRANT_API_KEY instead, where nobody reads it off a command.

`qdrant:///folder/collection` is no server but the mode of the client that keeps points in a folder:
for tests and a first look, not for use; it compares every vector in Python.
"""

import os
import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, urlsplit

from visionquery.errors import InputError

__all__ = ["KEY_VARIABLE", "Address", "read_address"]

KEY_VARIABLE = "QDRANT_API_KEY"

_DEFAULT = "visionquery"
_PORT = 6333
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,200}")
_NUMBERS = {"shards": 1, "replicas": 1, "timeout": 30, "grpc_port": 6334}
_FLAGS = ("https", "prefer_grpc")
_FORM = "qdrant://HOST:6333/COLLECTION"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a library is: a server, or for tests a `folder`, and the name of its catalog."""

    shown: str
    collection: str
    folder: str | None = None
    host: str = ""
    port: int = _PORT
    https: bool = False
    prefer_grpc: bool = False
    grpc_port: int = 6334
    timeout: int = 30
    shards: int = 1
    replicas: int = 1
    api_key: str | None = field(default=None, repr=False)


def read_address(address: str) -> Address:
    """Return what an address means. Raises InputError for one that means nothing."""
    parts = urlsplit(address)
    asked = _parameters(parts.query)
    folder, _, name = parts.path.rpartition("/")
    host, port = _server(parts)
    if folder and host:
        raise InputError(f"The address has a folder after its server: write {_FORM}.")
    if not host and not folder:
        raise InputError(f"The address names no server: write {_FORM}.")
    if not _NAME.fullmatch(name or _DEFAULT):
        raise InputError(f"{name!r} cannot be the name of a collection: use letters and digits.")
    place = f"{host}:{port}" if host else folder
    return Address(
        shown=f"qdrant://{place}/{name or _DEFAULT}",
        collection=name or _DEFAULT,
        folder=None if host else folder,
        host=host,
        port=port,
        https=asked.get("https") == "true",
        prefer_grpc=asked.get("prefer_grpc") == "true",
        api_key=asked.get("api_key") or os.environ.get(KEY_VARIABLE) or None,
        **{key: _number(key, asked.get(key)) for key in _NUMBERS},
    )


def _server(parts: SplitResult) -> tuple[str, int]:
    """Return host and port; raises InputError for a port that is none, or a user's name."""
    try:
        host, port = parts.hostname or "", parts.port or _PORT
    except ValueError:
        raise InputError(f"The address has a port that is no number: write {_FORM}.") from None
    if "@" in parts.netloc:
        raise InputError(
            "A library in Qdrant has no user: leave out what stands before the @, and give its "
            f"key as {KEY_VARIABLE}."
        )
    return host, port


def _parameters(query: str) -> dict[str, str]:
    asked = dict(parse_qsl(query, keep_blank_values=True))
    known = {*_NUMBERS, *_FLAGS, "api_key"}
    if unknown := sorted(asked.keys() - known):
        raise InputError(
            f"{unknown[0]!r} is no parameter of an address in Qdrant: there are "
            f"{', '.join(sorted(known))}."
        )
    for flag in _FLAGS:
        if asked.get(flag, "true") not in ("true", "false"):
            raise InputError(f"The parameter {flag} of the address must be true or false.")
    return asked


def _number(key: str, text: str | None) -> int:
    if text is None:
        return _NUMBERS[key]
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65_535:
        raise InputError(f"The parameter {key} of the address must be a number from 1 on.")
    return int(text)
