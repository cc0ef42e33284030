"""Decoding in processes of their own, which a hostile file may kill, stall or bloat.

Safe to call from many threads: each has a process while it decodes. A process is started when
none is idle, serves one call after another, and ends by itself when it has had nothing to do for a
while. Memory: a process may take 256 MiB beyond its start, and twice what the pixels of its picture
need (Linux holds it to that; elsewhere only the limits on pixels and bytes do).
"""

import atexit
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from functools import cache
from math import ceil
from pathlib import Path

import numpy as np

from visionquery import errors
from visionquery.errors import ImageError, ImageMemoryError, UnreadableImageError
from visionquery.images.child import Child, ChildEndedError
from visionquery.images.content import Content, Part, on_disk
from visionquery.images.limits import DEFAULT_LIMITS, Limits
from visionquery.images.messages import NO_MEMORY, Head
from visionquery.images.text import clean
from visionquery.images.views import cut
from visionquery.query.ast import Box
from visionquery.types import Decoded, Facts

__all__ = ["close", "decode", "decode_part", "list_parts", "most_bytes"]

_PROCESS_BYTES = (120 + 64 + 256) * 2**20
"""What a decoding process holds at most besides twice what its pixels need: itself, what it
has in common with its parent, and its headroom."""

_LISTING_AT_ONCE = 2
"""Files that are looked into at a time, by processes besides those of the threads that decode."""

_TRIES = 2
_BREAKS_DOWN = "not a picture that can be read: the decoder of its format breaks down over it"
_BYTES_PER_PIXEL = 3

BeforePixels = Callable[[int], None]


def decode(
    content: Content,
    *,
    min_side: int | None = None,
    limits: Limits = DEFAULT_LIMITS,
    before_pixels: Callable[[int], None] | None = None,
) -> Decoded:
    """Decode a picture as `images.decode` does, in a process of its own.

    `before_pixels` is called once at most in one try, with the bytes that decoding is about to
    take. A content that ends its process twice (it takes longer than `limits.seconds`, or breaks a
    decoder) is refused as others are. Raises ImageTooLargeError and UnreadableImageError.
    """
    with nullcontext() if content.path is None else on_disk(content.path) as path:
        request = {
            "do": "decode",
            "min_side": min_side,
            "name": content.name,
            "path": path,
            "fragment": content.fragment,
            "image_id": content.image_id,
            "limits": asdict(limits),
        }
        answer, pixels = _asked(request, content.data, limits, before_pixels)
    try:
        facts = Facts(**(answer["facts"] | {"keywords": tuple(answer["facts"]["keywords"])}))
        height, width, channels = answer["shape"]
        shown = np.frombuffer(pixels, np.uint8).reshape(height, width, channels)
    except (KeyError, TypeError, ValueError) as error:  # a decoder that somebody else speaks for
        raise UnreadableImageError(_BREAKS_DOWN) from error
    return Decoded(shown, facts)


def list_parts(path: str | Path, *, limits: Limits = DEFAULT_LIMITS) -> list[Part]:
    """Return the parts of a file that holds several pictures, as `parts.listed` does, in a process
    of its own."""
    with on_disk(str(path)) as place, _listing:
        request = {"do": "list", "path": place, "limits": asdict(limits)}
        answer, _ = _asked(request, b"", limits, None)
    try:
        return [Part(**part) for part in answer["parts"]]
    except (KeyError, TypeError) as error:
        raise UnreadableImageError(_BREAKS_DOWN) from error


def decode_part(
    content: Content, box: Box, *, min_side: int, limits: Limits = DEFAULT_LIMITS
) -> Decoded:
    """Decode a part of a picture, at least one pixel of it; its facts tell the part's own size.

    The result may be smaller than the part as long as both of its sides are >= `min_side`
    (pixels, >= 1). Raises as `decode` does.
    """
    least = ceil(min_side * 100 / min(box.width, box.height))
    return cut(decode(content, min_side=least, limits=limits), box)


def close() -> None:
    """End the processes that are idle."""
    with _changing:
        children = list(_idle)
        _idle.clear()
    for child in children:
        child.close()


def most_bytes(threads: int) -> int:
    """Return what the processes of so many threads that decode, and those that look into files, may
    hold besides twice what the pixels of their pictures need."""
    return (threads + _LISTING_AT_ONCE) * _PROCESS_BYTES


_idle: list[Child] = []
_listing = threading.BoundedSemaphore(_LISTING_AT_ONCE)
_changing = threading.Lock()


@contextmanager
def _child() -> Iterator[Child]:
    """Give a process to this thread; it is idle again afterwards, unless something was raised."""
    child = _waiting()
    if child is None:
        _keep_tidy()
        child = Child()
    try:
        yield child
    except BaseException:  # what it says next would be taken for the answer to another request
        child.close()
        raise
    with _changing:
        _idle.append(child)


def _waiting() -> Child | None:
    """Take a process that waits for work. One that waited too long has ended."""
    with _changing:
        ended = [child for child in _idle if child.has_ended]
        _idle[:] = [child for child in _idle if child not in ended]
        child = _idle.pop() if _idle else None
    for each in ended:
        each.close()
    return child


def _after_fork() -> None:
    """The processes are those of the parent, which goes on using their pipes."""
    global _changing, _listing
    _changing, _listing = threading.Lock(), threading.BoundedSemaphore(_LISTING_AT_ONCE)
    _idle.clear()


@cache
def _keep_tidy() -> None:
    atexit.register(close)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_after_fork)


def _asked(
    request: Head, data: bytes, limits: Limits, before_pixels: BeforePixels | None
) -> tuple[Head, bytes | bytearray]:
    """Have a request answered, once more by another process where one ends over it."""
    tries = 0
    while True:
        try:
            answer, body = _answer(request, data, limits, before_pixels)
        except ChildEndedError as end:
            tries += end.counts
            if tries == _TRIES:
                raise _refusal(end, limits) from end
            continue
        if "error" in answer:
            raise _error(answer)
        return answer, body


def _answer(
    request: Head, data: bytes, limits: Limits, before_pixels: BeforePixels | None
) -> tuple[Head, bytes | bytearray]:
    seconds, most = limits.seconds, _BYTES_PER_PIXEL * limits.max_pixels
    with _child() as child:
        answer, body = child.ask(request, data, seconds=seconds, most_bytes=most)
        if "claim" in answer:
            claimed = answer["claim"]
            if before_pixels is not None and isinstance(claimed, int):
                before_pixels(claimed)  # Waiting for room is not counted.
            answer, body = child.ask({}, seconds=seconds, most_bytes=most)
        if "claim" in answer:  # once more, which no decoder of ours does
            raise UnreadableImageError(_BREAKS_DOWN)
        return answer, body


def _error(answer: Head) -> ImageError:
    """Return the error that an answer tells of, in words that may be shown."""
    kind = getattr(errors, str(answer["error"]), None)
    words = clean(str(answer.get("message")), max_chars=300) or _BREAKS_DOWN
    if isinstance(kind, type) and issubclass(kind, ImageError):
        return kind(words)
    return UnreadableImageError(words)


def _refusal(end: ChildEndedError, limits: Limits) -> ImageError:
    if end.code == NO_MEMORY:
        return ImageMemoryError()
    if not end.late:
        return UnreadableImageError(_BREAKS_DOWN)
    seconds = f"{limits.seconds:g} s"
    return UnreadableImageError(
        f"not a picture that can be read: decoding it takes more than {seconds}"
    )
