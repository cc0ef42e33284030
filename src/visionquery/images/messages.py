"""What a decoding process and its parent say to one another: a JSON object, and bytes.

Nothing is unpickled: a decoder that a hostile file took over can send numbers and words, no code.
"""

import json
import struct
from io import FileIO
from typing import Any

__all__ = ["NO_MEMORY", "Head", "MessageError", "receive", "send"]

NO_MEMORY = 12
"""The exit code of a process that has no memory left for a picture (ENOMEM)."""

_LENGTHS = struct.Struct("<IQ")
_MOST_JSON_BYTES = 1 << 24

Head = dict[str, Any]
"""What a message says, as JSON has it."""


class MessageError(Exception):
    """The other side is gone, or says what has no meaning."""


def send(pipe: FileIO, head: Head, body: bytes | memoryview = b"") -> None:
    """Write a message whole to an unbuffered pipe. Raises OSError when the other side is gone."""
    words = json.dumps(head).encode("ascii")
    view = memoryview(body)
    _write(pipe, memoryview(_LENGTHS.pack(len(words), len(view)) + words))
    _write(pipe, view)


def receive(pipe: FileIO, *, most_bytes: int) -> tuple[Head, bytearray]:
    """Read a message from an unbuffered pipe.

    Raises MessageError when the other side is gone, and for a body of more than `most_bytes`.
    """
    words, size = _LENGTHS.unpack(_read(pipe, _LENGTHS.size))
    if words > _MOST_JSON_BYTES or size > most_bytes:
        raise MessageError("a message is longer than it may be")
    try:
        head = json.loads(_read(pipe, words))
    except ValueError as error:
        raise MessageError("a message is no JSON") from error
    if not isinstance(head, dict):
        raise MessageError("a message is no object")
    return head, _read(pipe, size)


def _write(pipe: FileIO, data: memoryview) -> None:
    while data:
        data = data[pipe.write(data) or 0 :]


def _read(pipe: FileIO, size: int) -> bytearray:
    data = bytearray(size)
    view = memoryview(data)
    while view:
        count = pipe.readinto(view)
        if not count:
            raise MessageError("the other side is gone")
        view = view[count:]
    return data
