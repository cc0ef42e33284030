"""The flow of a run: files to read, bytes to decode, pixels to encode, vectors to write.

Two look-ahead maps over one thread pool keep reading and decoding ahead of the encoder without
ever holding more than a bounded number of pictures; results keep the order of the files, so
that two runs over the same folder write the same library.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from visionquery.errors import ImageError
from visionquery.images import decode
from visionquery.images.limits import Limits
from visionquery.images.scan import FoundFile
from visionquery.models.encoder import Encoder
from visionquery.types import Facts

__all__ = ["Failed", "Known", "Loaded", "Outcome", "Ready", "flow", "ordered_map"]

Item = TypeVar("Item")
Result = TypeVar("Result")

_READ_AHEAD = 8
"""Files whose bytes are read before the decoder wants them."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A file's bytes, and the id of the image they are."""

    file: FoundFile
    data: bytes
    image_id: str
    read_seconds: float


@dataclass(frozen=True, slots=True)
class Failed:
    """A file that is no usable picture. `image_id` is None when not even its bytes were had,
    which may pass; otherwise the verdict holds until the file changes."""

    file: FoundFile
    reason: str
    image_id: str | None


@dataclass(frozen=True, slots=True)
class Known:
    """A file whose image needs no encoding."""

    file: FoundFile
    image_id: str
    read_seconds: float


@dataclass(frozen=True, slots=True)
class Ready:
    """A file whose image is decoded: `prepared` is the encoder's input, float32 (3, S, S)."""

    file: FoundFile
    image_id: str
    facts: Facts
    prepared: NDArray[np.float32]
    read_seconds: float
    decode_seconds: float


Outcome = Failed | Known | Ready


def flow(
    files: Iterable[FoundFile],
    *,
    encoder: Encoder,
    is_stored: Callable[[str], bool],
    limits: Limits,
    threads: int,
    ahead: int,
) -> Iterator[Outcome]:
    """Yield the outcome of every file, in order, decoded at most `ahead` files in advance.

    `is_stored(image_id)` is asked in the calling thread. Of several files with one content only
    the first is decoded; if that fails, so do the others.
    """

    def load(file: FoundFile) -> Loaded | Failed:
        started = time.perf_counter()
        try:
            data = decode.read(file.path, limits=limits)
        except ImageError as error:
            return Failed(file, str(error), None)
        return Loaded(file, data, decode.image_id(data), time.perf_counter() - started)

    def make_ready(item: Loaded | Failed | Known) -> Outcome:
        if not isinstance(item, Loaded):
            return item
        started = time.perf_counter()
        try:
            picture = decode.decode(item.data, min_side=2 * encoder.image_side, limits=limits)
            prepared = encoder.prepare(picture)
        except ImageError as error:
            return Failed(item.file, str(error), item.image_id)
        seconds = time.perf_counter() - started
        return Ready(
            item.file, item.image_id, picture.facts, prepared, item.read_seconds, seconds
        )

    with ThreadPoolExecutor(threads, thread_name_prefix="visionquery-decode") as pool:
        loaded = ordered_map(pool, load, files, ahead=_READ_AHEAD)
        sorted_out = _set_known_apart(loaded, is_stored)
        yield from _fail_alike(ordered_map(pool, make_ready, sorted_out, ahead=ahead))


def _set_known_apart(
    items: Iterable[Loaded | Failed], is_stored: Callable[[str], bool]
) -> Iterator[Loaded | Failed | Known]:
    seen: set[str] = set()
    for item in items:
        if isinstance(item, Loaded) and (item.image_id in seen or is_stored(item.image_id)):
            yield Known(item.file, item.image_id, item.read_seconds)
            continue
        if isinstance(item, Loaded):
            seen.add(item.image_id)
        yield item


def _fail_alike(outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
    reasons: dict[str, str] = {}
    for outcome in outcomes:
        if isinstance(outcome, Failed) and outcome.image_id is not None:
            reasons[outcome.image_id] = outcome.reason
        if isinstance(outcome, Known) and outcome.image_id in reasons:
            yield Failed(outcome.file, reasons[outcome.image_id], outcome.image_id)
        else:
            yield outcome


def ordered_map(
    pool: ThreadPoolExecutor,
    work: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    ahead: int,
) -> Iterator[Result]:
    """Yield `work(item)` in the order of `items`, at most `ahead` of them submitted at a time.

    `items` is drawn in the calling thread. Work not begun is cancelled when the caller stops.
    """
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
