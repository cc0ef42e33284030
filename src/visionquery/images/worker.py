"""The program of a decoding process: it reads a request, decodes, answers, and waits for the next.

Whatever a file does to a decoder, it does it here: the parent (`images.workers`) ends a process
that takes too long, the system one that takes too much memory, and both start another.
"""

import os
import select
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from io import FileIO
from pathlib import Path

import numpy as np

from visionquery.errors import ImageError, ImageMemoryError
from visionquery.images import parts
from visionquery.images.limits import Limits
from visionquery.images.messages import NO_MEMORY, Head, MessageError, receive, send, shared
from visionquery.types import Pixels

__all__ = ["serve"]

_IDLE_SECONDS = 30.0
"""A process that nobody asks for so long ends by itself, with exit code 0."""

_ORPHAN_SECONDS = 30
"""How much longer than allowed a decoding lasts whose parent is not there to end it."""

_HEADROOM_BYTES = 256 * 2**20
"""What a process may take beyond its start, besides twice what the pixels need."""

_MOST_KEPT_BYTES = 64 * 2**20
"""A process that has come to hold more than at its start and this, because memory that was given
back lies among memory that was not, ends: a quarter of the headroom."""

_UNCLAIMED_BYTES = 16 * 2**20
"""What a picture may need without asking: the headroom is there for it."""

_NO_PIXELS = np.empty((0, 0, 3), np.uint8)


def serve(descriptor: int | None = None) -> None:
    """Answer requests on standard input until it ends, or until none comes for a while; the
    descriptor is that of memory that the parent has too."""
    memory = shared(descriptor)
    requests, answers = _own_pipes()
    _alone()
    start_bytes = _address_space()

    def claim(size_bytes: int) -> None:
        if size_bytes <= _UNCLAIMED_BYTES:
            return
        _end_after(0)  # The parent may wait for room for as long as it likes.
        send(answers, {"claim": size_bytes})
        receive(requests, most_bytes=0)
        _end_after(seconds + _ORPHAN_SECONDS)
        _limit_memory(start_bytes, size_bytes)

    seconds = 0.0
    while _is_asked(requests):
        try:
            head, body = receive(requests, most_bytes=sys.maxsize, memory=memory)
        except MessageError:
            return
        _limit_memory(start_bytes + len(body), 0)
        seconds = head["limits"]["seconds"]
        _end_after(seconds + _ORPHAN_SECONDS)
        answer, pixels = _answer(head, bytes(body), claim)
        _end_after(0)
        send(answers, answer, pixels.reshape(-1).data, memory=memory)
        del body, pixels
        if _address_space() - start_bytes > _MOST_KEPT_BYTES:
            return  # What the last picture left behind would be missing to the next.


def _answer(head: Head, data: bytes, claim: Callable[[int], None]) -> tuple[Head, Pixels]:
    limits = Limits(**head["limits"])
    try:
        if head["do"] == "list":
            found = parts.listed(Path(head["path"]), limits=limits, before=claim)
            return {"parts": [asdict(part) for part in found]}, _NO_PIXELS
        picture = parts.decoded(
            data,
            name=head["name"],
            path=None if head["path"] is None else Path(head["path"]),
            fragment=head["fragment"],
            known_id=head["image_id"],
            min_side=head["min_side"],
            limits=limits,
            before_pixels=claim,
        )
    except (ImageMemoryError, MemoryError):
        os._exit(NO_MEMORY)  # Another process, which has used none yet, is to judge.
    except ImageError as error:
        return {"error": type(error).__name__, "message": str(error)}, _NO_PIXELS
    pixels = np.ascontiguousarray(picture.pixels)
    return {"facts": asdict(picture.facts), "shape": pixels.shape}, pixels


def _own_pipes() -> tuple[FileIO, FileIO]:
    """Keep standard input and output for messages, out of reach of what decoders print."""
    requests, answers = FileIO(os.dup(0), "rb"), FileIO(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    return requests, answers


def _alone() -> None:
    """Set up what holds for the whole process, which decodes one picture at a time: the cores are
    shared out by starting several. An interrupt from the keyboard is for the parent."""
    from visionquery.images.formats import use_one_thread

    use_one_thread()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _is_asked(requests: FileIO) -> bool:
    if sys.platform == "win32":
        return True
    return bool(select.select([requests], [], [], _IDLE_SECONDS)[0])


def _end_after(seconds: float) -> None:
    """Have the system end this process after some seconds, 0 for never, even inside a decoder."""
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _address_space() -> int:
    """Return how much address space this process has, in bytes; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    except (OSError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _limit_memory(start_bytes: int, claimed_bytes: int) -> None:
    """Let the process take so much more than at its start, and not a byte beyond."""
    if not start_bytes:
        return
    import resource

    most = start_bytes + _HEADROOM_BYTES + 2 * claimed_bytes
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))
