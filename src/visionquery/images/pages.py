"""Which pages of a TIFF file are pictures of their own.

Read here and not by Pillow, which parses every tag of a page before it can go on to the next, and
stops at the first page of a kind that it cannot decode.

Sources: TIFF 6.0, sections 2 and 8 (directories, NewSubfileType), Adobe's supplement on BigTIFF.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from visionquery.errors import UnreadableImageError
from visionquery.images.limits import DEFAULT_LIMITS, Limits, check_bytes

__all__ = ["Page", "page_number", "read_pages", "tiff_pages"]

_MOST_PAGES = 500
_MOST_TAGS = 1000
_MOST_DIRECTORIES = 2 * _MOST_PAGES
"""Where half of them are thumbnails, all pages are still found."""

_NEW_SUBFILE_TYPE, _WIDTH, _LENGTH, _TILE_WIDTH = 254, 256, 257, 322
_REDUCED, _MASK = 1, 4
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
"""Bytes of a value of each type. Source: TIFF 6.0, section 2; of 13 and 16 the supplements."""

_LETTERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I", 16: "Q"}


@dataclass(frozen=True, slots=True)
class Page:
    """One directory of a TIFF file: its `number`, from 1, and `offset`, the file's bytes and byte
    order, and of each tag the type, the count, and the place of its values."""

    number: int
    offset: int
    data: bytes
    order: str
    entries: dict[int, tuple[int, int, int]]

    def numbers(self, tag: int) -> tuple[Any, ...]:
        """Return the numbers of a tag; none where it has none or they lie beyond the end."""
        kind, count, place = self.entries.get(tag, (0, 0, 0))
        if kind not in _LETTERS or place + count * _SIZES[kind] > len(self.data):
            return ()
        return struct.unpack_from(f"{self.order}{count}{_LETTERS[kind]}", self.data, place)

    def integer(self, tag: int, otherwise: int) -> int:
        """Return the first number of a tag, `otherwise` where it has none."""
        kind, count, place = self.entries.get(tag, (0, 0, 0))
        if kind not in _LETTERS or not count or place + _SIZES[kind] > len(self.data):
            return otherwise
        return int(struct.unpack_from(self.order + _LETTERS[kind], self.data, place)[0])


def tiff_pages(data: bytes, limits: Limits = DEFAULT_LIMITS) -> list[str]:
    """Return the fragments (`page=2`, from 1) of the pages of a TIFF file that are pictures of
    their own; none when its first page is the only one, or it is no TIFF file.

    Reduced copies and masks are no pages, and at most 500 are returned. Raises ImageTooLargeError
    above `limits.max_bytes`.
    """
    check_bytes(len(data), limits)
    pages = list(read_pages(data))
    first = next((page for page in pages if not _is_marked(page)), None)
    numbers = [page.number for page in pages if first and _is_own(page, first)]
    return [] if numbers == [1] else [f"page={number}" for number in numbers[:_MOST_PAGES]]


def page_number(fragment: str) -> int:
    """Return n of `page=n`. Raises UnreadableImageError for any other fragment."""
    name, _, number = fragment.partition("=")
    if name != "page" or not number.isascii() or not number.isdecimal() or not int(number):
        raise UnreadableImageError(f"{fragment!r} is no page: write page=2, counted from 1")
    return int(number)


def _is_marked(page: Page) -> bool:
    return bool(page.integer(_NEW_SUBFILE_TYPE, 0) & (_REDUCED | _MASK))


def _is_own(page: Page, first: Page) -> bool:
    """Whether a page is neither a copy nor a mask. Scanners of slides leave the copies unmarked:
    these are tiled, as pages of paper are not, and of the first page's shape."""
    if _is_marked(page):
        return False
    width, height = page.integer(_WIDTH, 0), page.integer(_LENGTH, 0)
    if width <= 0 or height <= 0:
        return False
    if page is first or _TILE_WIDTH not in page.entries:
        return True
    across, down = first.integer(_WIDTH, 0) / width, first.integer(_LENGTH, 0) / height
    return min(across, down) < 1.9 or abs(across / down - 1) > 0.02


def read_pages(data: bytes) -> Iterator[Page]:
    """Yield the directories of a TIFF file in their order, until they end, break or repeat."""
    head = _head(data)
    if head is None:
        return
    order, is_big, offset = head
    seen: set[int] = set()
    while offset and offset not in seen and len(seen) < _MOST_DIRECTORIES:
        seen.add(offset)
        try:
            entries, following = _directory(data, offset, order, is_big)
        except struct.error:  # it lies beyond the end of the file
            return
        yield Page(len(seen), offset, data, order, entries)
        offset = following


def _head(data: bytes) -> tuple[str, bool, int] | None:
    """Return the byte order, whether numbers are of 64 bits, and where the first directory is."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or len(data) < 16:
        return None
    (version,) = struct.unpack_from(f"{order}H", data, 2)
    if version == 43:
        return order, True, int(struct.unpack_from(f"{order}Q", data, 8)[0])
    if version != 42:
        return None
    return order, False, int(struct.unpack_from(f"{order}I", data, 4)[0])


def _directory(
    data: bytes, offset: int, order: str, is_big: bool
) -> tuple[dict[int, tuple[int, int, int]], int]:
    """Return the entries of a directory and where the next one is."""
    count_form, entry_form, next_form = ("Q", "HHQQ", "Q") if is_big else ("H", "HHII", "I")
    (count,) = struct.unpack_from(order + count_form, data, offset)
    if count > _MOST_TAGS:
        return {}, 0
    start = offset + struct.calcsize(order + count_form)
    size = struct.calcsize(order + entry_form)
    inline = 8 if is_big else 4
    entries: dict[int, tuple[int, int, int]] = {}
    for place in range(start, start + count * size, size):
        tag, kind, length, target = struct.unpack_from(order + entry_form, data, place)
        fits = _SIZES.get(kind, 1) * length <= inline
        entries[tag] = (kind, length, place + size - inline if fits else target)
    (following,) = struct.unpack_from(order + next_form, data, start + count * size)
    return entries, int(following)
