"""What a decoding process and its parent say to one another: a JSON object, and bytes.

Nothing is unpickled: a decoder that a hostile file took over can send numbers and words, no code.
Words go through pipes; so do bytes, unless both have a piece of memory in common (on Linux), which
saves most of the copying and all of the waiting.
"""
import json
import mmap
import os
import struct
import sys
from io import FileIO
from typing import Any

__all__ = ["NO_MEMORY", "Head", "MessageError", "receive", "send", "share", "shared"]

NO_MEMORY = 12
"""The exit code of a process that has no memory left for a picture (ENOMEM)."""

_LENGTHS = struct.Struct("<IQ?")
_MOST_JSON_BYTES = 1 << 24
_SHARED_BYTES = 64 * 2**20
"""Only what is used of it takes memory; what is larger goes through a pipe."""

Head = dict[str, Any]
"""What a message says, as JSON has it."""


class MessageError(Exception):
    """The other side is gone, or says what has no meaning."""


def share() -> int | None:
    """Return the descriptor of a piece of memory that a child may have in common with its parent;
    None where the system has no such thing. It cannot be cut short, so that neither side can have
    the other reach beyond its end."""
    if sys.platform != "linux":
        return None
    import fcntl

    try:
        memory = os.memfd_create("visionquery", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    except (AttributeError, OSError):  # a Python, or a system, from before there was such a thing
        return None
    try:
        os.ftruncate(memory, _SHARED_BYTES)
        fcntl.fcntl(memory, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
    except OSError:  # a limit on the size of files holds for it too
        os.close(memory)
        return None
    return memory


def shared(memory: int | None) -> mmap.mmap | None:
    """Map what `share` gave."""
    return None if memory is None else mmap.mmap(memory, _SHARED_BYTES)


def send(
    pipe: FileIO, head: Head, body: bytes | memoryview = b"", *, memory: mmap.mmap | None = None
) -> None:
    """Write a message whole to an unbuffered pipe, its body into the memory that both sides have
    where there is some. Raises OSError when the other side is gone."""
    words = json.dumps(head).encode("ascii")
    view = memoryview(body)
    if memory is not None and len(view) <= _SHARED_BYTES:
        memory[: len(view)] = view
        _write(pipe, memoryview(_LENGTHS.pack(len(words), len(view), True) + words))
    else:
        _write(pipe, memoryview(_LENGTHS.pack(len(words), len(view), False) + words))
        _write(pipe, view)


def receive(
    pipe: FileIO, *, most_bytes: int, memory: mmap.mmap | None = None
) -> tuple[Head, bytes | bytearray]:
    """Read a message from an unbuffered pipe, and its body from the memory of both if it is there.

    Raises MessageError when the other side is gone, and for a body of more than `most_bytes`.
    """
    words, size, is_shared = _LENGTHS.unpack(_read(pipe, _LENGTHS.size))
    if words > _MOST_JSON_BYTES or size > most_bytes:
        raise MessageError("a message is longer than it may be")
    try:
        head = json.loads(_read(pipe, words))
    except ValueError as error:
        raise MessageError("a message is no JSON") from error
    if not isinstance(head, dict):
        raise MessageError("a message is no object")
    if is_shared and memory is not None and size <= _SHARED_BYTES:
        return head, memory[:size]
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
