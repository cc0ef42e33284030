"""Images that a store knows, taken up once more from the files that hold them."""

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from visionquery.errors import ImageError, ImageUnavailableError
from visionquery.images.content import Content, is_file, load
from visionquery.images.limits import Limits
from visionquery.indexing.ahead import ordered_map
from visionquery.indexing.places import is_there
from visionquery.indexing.report import Skipped
from visionquery.store.base import ImageRecord, Root, Store
from visionquery.store.places import below

__all__ = ["Left", "content_of", "explained", "taken"]

Result = TypeVar("Result")

_RECORDS_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Left:
    """An image that could not be taken up. `problem` is None when no file has its content."""

    record: ImageRecord
    problem: str | None


def taken(
    store: Store,
    rows: Sequence[int],
    work: Callable[[ImageRecord, Content], Result],
    *,
    limits: Limits,
    threads: int,
    ahead: int,
) -> Generator[Result | Left, None, None]:
    """Yield, in the order of `rows`, what `work` makes of every image: of its record and the
    content of the first file that still has it.

    `work` runs on `threads` threads, at most `ahead` images in advance; an ImageError that it
    raises leaves the image. Close the generator to stop.
    """

    def take(record: ImageRecord) -> Result | Left:
        found = content_of(record, limits=limits)
        if found is None:
            return Left(record, None)
        try:
            return work(record, found[1])
        except ImageUnavailableError:  # a part that only its decoder can compare
            return Left(record, None)
        except ImageError as error:
            return Left(record, str(error))

    with ThreadPoolExecutor(threads, thread_name_prefix="visionquery-decode") as pool:
        yield from ordered_map(pool, take, _records(store, rows), ahead=ahead)


def content_of(record: ImageRecord, *, limits: Limits) -> tuple[str, Content] | None:
    """Return the path and content of the first file that still holds an image; None when none
    does."""
    for path in record.paths:
        content = _content(path, record, limits)
        if content is not None:
            return path, content
    return None


def explained(
    left: Sequence[Left], roots: Sequence[Root]
) -> tuple[tuple[Skipped, ...], list[str]]:
    """Say why images are left: those of folders that are not there now are counted by folder,
    the others named; and what to do."""
    away = {root.location: 0 for root in roots if not is_there(root.location)}
    skipped, changed, unreadable = [], 0, 0
    for item in left:
        paths = item.record.paths
        home = next((a for a in away if any(below(path, a) is not None for path in paths)), None)
        if item.problem is not None:
            skipped.append(Skipped(paths[0], item.problem))
            unreadable += 1
        elif home is not None:
            away[home] += 1
        else:
            skipped.append(Skipped(paths[0], "it is gone or has changed since it was indexed"))
            changed += 1
    notes = [
        f"{place} is not there now, and with it {number:,} of those left: plug its disk in, then "
        "run the command again."
        for place, number in away.items()
        if number
    ]
    if changed:
        notes.append(
            f"Gone or changed since they were indexed: {changed:,}. Bring their folders up to date "
            "with visionquery index, then run the command again."
        )
    if unreadable:
        notes.append(
            f"Not to be decoded any more: {unreadable:,}. Take them out with visionquery remove, "
            "then run the command again."
        )
    return tuple(skipped), notes


def _records(store: Store, rows: Sequence[int]) -> Iterator[ImageRecord]:
    for start in range(0, len(rows), _RECORDS_AT_ONCE):
        yield from store.records(rows[start : start + _RECORDS_AT_ONCE])


def _content(path: str, record: ImageRecord, limits: Limits) -> Content | None:
    """Read what a path holds. A part that the decoder reads for itself is compared only then."""
    fragment = record.fragments.get(path, "")
    try:
        content = load(path, fragment, known_id=record.image_id, limits=limits)
        is_there = content.path is None or is_file(path)
    except (ImageError, OSError):
        return None
    return content if is_there and content.image_id == record.image_id else None
