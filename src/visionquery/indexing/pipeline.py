"""The line of a run: files to read, bytes to decode, pixels to encode, vectors in their order.

Reading waits, so that it has threads of its own. Decoding and encoding compute, so that they share
the threads that there are for it: a batch that is complete goes first, else a picture is decoded,
and no core waits for the other kind of work, whatever their share is. A batch is computed by one
thread, so that none waits for another. Who draws the outcomes hands the work on; while it writes,
the threads go on with what they have.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future
from typing import TypeVar

from visionquery.errors import ImageError, ImageUnavailableError
from visionquery.images import workers as decoders
from visionquery.images.limits import Limits
from visionquery.indexing.bounds import Bounds
from visionquery.indexing.encoding import Encoding
from visionquery.indexing.outcomes import Failed, Known, Loaded, Outcome, Ready, Several
from visionquery.indexing.reading import Reading, reading_pool
from visionquery.indexing.workers import Room, Workers
from visionquery.models.encoder import PictureEncoder

__all__ = ["flow", "made_ready"]

Item = TypeVar("Item")

_Decoding = Future[Ready[Item] | Failed[Item] | Known[Item]]


def flow(
    items: Iterable[Item],
    *,
    read: Callable[[Item], Loaded[Item] | Failed[Item] | Several[Item]],
    weigh: Callable[[Item], int],
    is_stored: Callable[[str], bool],
    encoder: PictureEncoder,
    limits: Limits,
    threads: int,
    bounds: Bounds,
) -> Generator[Outcome[Item], None, None]:
    """Yield the outcome of every item, in order. Close the generator to stop.

    `read` gets the content of an item's file, in threads of its own, or the items that its file
    holds, which come in its place; `weigh` says how many bytes a content is about to be; `threads`
    decode, each by a process of its own, and encode. `is_stored(image_id)` is asked in the calling
    thread. Of several items with one content only the first is decoded; if that fails, so do the
    others. No more than `bounds` is held. Raises ModelError when the encoder does not work.
    """
    woken, files, rasters = threading.Event(), Room(bounds.files), Room(bounds.rasters)
    sort_out = _sorting(is_stored)

    def decoded(loaded: Loaded[Item]) -> Ready[Item] | Failed[Item]:
        try:
            return made_ready(loaded, encoder, limits, rasters)
        finally:
            files.give(weigh(loaded.item))

    def hand_on(content: Loaded[Item] | Failed[Item]) -> _Decoding[Item]:
        known = sort_out(content)
        if isinstance(known, Loaded):
            encoding.open()
            future: _Decoding[Item] = workers.submit(lambda: decoded(known))
        else:
            files.give(weigh(content.item))
            future = Future()
            future.set_result(known)
        future.add_done_callback(lambda _: woken.set())
        return future

    with reading_pool() as pool, Workers(threads) as workers:
        reading = Reading(pool, items, read, weigh, files, woken)
        encoding: Encoding[Item] = Encoding(
            workers, encoder.image_tower, threads=threads, bounds=bounds, woken=woken
        )
        yield from _fail_alike(_run(reading, hand_on, encoding, workers, woken))


def _run(
    reading: Reading[Item],
    hand_on: Callable[[Loaded[Item] | Failed[Item]], "_Decoding[Item]"],
    encoding: Encoding[Item],
    workers: Workers,
    woken: threading.Event,
) -> Iterator[Outcome[Item]]:
    """Move everything one station on that can be moved, the last station first, then wait."""
    decoding: deque[_Decoding[Item]] = deque()
    while True:
        woken.clear()
        while encoding.takes and decoding and decoding[0].done():
            encoding.put(decoding.popleft().result())
        while len(decoding) + encoding.held < encoding.most_held and (content := reading.take()):
            decoding.append(hand_on(content))
        reading.go_on()
        if reading.ended and not decoding:
            encoding.send()
        if outcomes := encoding.take():
            yield from outcomes
        elif reading.ended and not decoding and encoding.ended:
            return
        else:
            if workers.starve:
                reading.hurry()
            woken.wait()


def _sorting(
    is_stored: Callable[[str], bool],
) -> Callable[[Loaded[Item] | Failed[Item]], Loaded[Item] | Failed[Item] | Known[Item]]:
    """Return what sets apart what is stored, or was handed on before."""
    seen: set[str] = set()

    def sort_out(content: Loaded[Item] | Failed[Item]) -> Loaded[Item] | Failed[Item] | Known[Item]:
        if isinstance(content, Failed):
            return content
        image_id = content.content.image_id
        if image_id in seen or is_stored(image_id):
            return Known(content.item, image_id, content.read_seconds)
        seen.add(image_id)
        return content

    return sort_out


def made_ready(
    loaded: Loaded[Item], encoder: PictureEncoder, limits: Limits, rasters: Room
) -> Ready[Item] | Failed[Item]:
    """Decode a picture, once there is room for it among `rasters`, and prepare it to be encoded."""
    started, image_id = time.perf_counter(), loaded.content.image_id
    try:
        with rasters.claiming() as claim:
            picture = decoders.decode(
                loaded.content, min_side=2 * encoder.image_side, limits=limits, before_pixels=claim
            )
            prepared = encoder.prepare(picture)
    except ImageError as error:
        may_pass = isinstance(error, ImageUnavailableError)
        return Failed(loaded.item, str(error), image_id, may_pass)
    seconds = time.perf_counter() - started
    return Ready(loaded.item, image_id, picture.facts, prepared, loaded.read_seconds, seconds)


def _fail_alike(outcomes: Iterable[Outcome[Item]]) -> Iterator[Outcome[Item]]:
    reasons: dict[str, str] = {}
    for outcome in outcomes:
        if isinstance(outcome, Failed) and outcome.image_id:
            reasons[outcome.image_id] = outcome.reason
        if isinstance(outcome, Known) and outcome.image_id in reasons:
            yield Failed(outcome.item, reasons[outcome.image_id], outcome.image_id)
        else:
            yield outcome
