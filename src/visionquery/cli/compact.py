"""`visionquery compact`"""

import time
from dataclasses import asdict

from visionquery.cli.options import JsonFlag, LibraryOption, QuietFlag
from visionquery.cli.output import print_document, say
from visionquery.cli.session import open_library
from visionquery.present.text import count, duration, escaped, size
from visionquery.store.base import Compaction

__all__ = ["compact"]


def compact(
    library: LibraryOption = None, json: JsonFlag = False, quiet: QuietFlag = False
) -> None:
    """Give back the room of removed images, which stay on disk as holes until then.

    The library is written anew beside itself, so that it needs about as much free room as it
    takes, and takes its place in one step. A running server takes it up by itself;
    other programs that have it open are told to open it again.
    """
    start = time.perf_counter()
    with open_library(library=library, model="auto", create=False, quiet=quiet) as opened:
        done = opened.compact()
        location = opened.status().location
    seconds = time.perf_counter() - start
    if json:
        print_document({**asdict(done), "seconds": round(seconds, 3)})
    elif not quiet:
        say(_summary(location, done, seconds))


def _summary(location: str, done: Compaction, seconds: float) -> str:
    """Return in a line what was done."""
    images = count(done.images, "image")
    if not done.holes:
        return f"Nothing to compact in {escaped(location)}: {images}, no holes."
    before, after = size(done.bytes_before), size(done.bytes_after)
    return (
        f"Compacted {escaped(location)}: {images}, {count(done.holes, 'hole')} gone, "
        f"{before} -> {after} in {duration(seconds)}."
    )
