"""Pages of PDF documents as pictures (the extra `documents`): the one door to PDFium.

Nothing in a document is run: forms, which is where PDFium's scripts are, are never started. PDFium
is not safe in two threads at once, so that everything here happens under one lock, closing too,
which would else be left to whichever thread collects garbage.
"""

import importlib.util
import math
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from visionquery.errors import ImageTooLargeError, UnreadableImageError
from visionquery.images.limits import DEFAULT_LIMITS, Limits, check_bytes
from visionquery.images.metadata import facts_of
from visionquery.images.text import Words
from visionquery.types import Decoded, Facts, Pixels

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfPage

__all__ = ["decode_page", "is_installed", "pages"]

_MAX_PAGES = 500
_POINTS_PER_INCH, _DOTS_PER_INCH = 72, 150
_MAX_PIXELS, _MAX_SIDE = 40_000_000, 30_000
"""Of a drawn page, whatever its size: A0 at 150 dots per inch has 35 million pixels."""

_DATE = re.compile(
    r"(?:D:)?(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d)?(Z|[+-]\d{4})?)?.*", re.ASCII
)
"""Source: ISO 32000-1, section 7.9.4. What follows the offset, or is none, does not count."""

_lock = threading.Lock()


def is_installed() -> bool:
    """Return whether the library that draws PDF documents is installed."""
    return importlib.util.find_spec("pypdfium2") is not None


def pages(data: bytes, limits: Limits = DEFAULT_LIMITS) -> list[str]:
    """Return the fragments of a document, one for each of its first 500 pages: "page=1", ….

    Raises ImageTooLargeError above `limits.max_bytes`, and UnreadableImageError for what is no
    PDF document, has no page or needs a password.
    """
    with _opened(data, limits) as document:
        return [f"page={page}" for page in range(1, min(len(document), _MAX_PAGES) + 1)]


def decode_page(
    data: bytes, page: int, *, min_side: int | None = None, limits: Limits = DEFAULT_LIMITS
) -> Decoded:
    """Draw a page (1-based) on white.

    Both sides of the result are >= `min_side` (pixels, >= 1); None draws 150 dots per inch. It is
    smaller where that would be above `limits.max_pixels`, 40 million pixels, or 30,000 on a side.
    The facts tell the size at 150 dots per inch, drawn or not. Raises as `pages` does, and
    UnreadableImageError for a page that is not there or damaged.
    """
    with _opened(data, limits) as document, _page(document, page) as opened:
        size = opened.get_size()
        if not all(0 < side < math.inf for side in size):
            raise UnreadableImageError(f"page {page} of the PDF cannot be drawn: it has no size")
        pixels = _drawn(opened, _scale(size, min_side, limits))
        usual = _scale(size, None, limits)
        width, height = (math.ceil(side * usual) for side in size)
        facts = facts_of(Facts(width, height, "PDF", len(data)), _words(document))
    return Decoded(pixels=pixels, facts=facts)


@contextmanager
def _opened(data: bytes, limits: Limits) -> Iterator["PdfDocument"]:
    check_bytes(len(data), limits)
    if not is_installed():
        raise UnreadableImageError(
            "reading it needs an extra: pip install 'visionquery[documents]'"
        )
    with _lock:
        from pypdfium2 import PdfDocument, PdfiumError
        from pypdfium2.raw import FPDF_ERR_PASSWORD

        try:
            document = PdfDocument(data)
        except PdfiumError as error:
            is_locked = error.err_code == FPDF_ERR_PASSWORD
            reason = "it needs a password" if is_locked else "it is damaged or has no pages"
            raise UnreadableImageError(f"not a PDF that can be read: {reason}") from error
        try:
            yield document
        finally:
            document.close()


@contextmanager
def _page(document: "PdfDocument", number: int) -> Iterator["PdfPage"]:
    from pypdfium2 import PdfiumError

    if not 1 <= number <= min(len(document), _MAX_PAGES):
        raise UnreadableImageError(f"the PDF has no page {number} that is read")
    try:
        page = document.get_page(number - 1)
    except PdfiumError as error:
        raise UnreadableImageError(f"page {number} of the PDF is damaged") from error
    try:
        yield page
    finally:
        page.close()


def _scale(size: tuple[float, float], min_side: int | None, limits: Limits) -> float:
    """Return pixels for a point."""
    usual = _DOTS_PER_INCH / _POINTS_PER_INCH
    wanted = usual if min_side is None else min_side / min(size)
    return min(wanted, _MAX_SIDE / max(size), _largest(size, min(limits.max_pixels, _MAX_PIXELS)))


def _largest(size: tuple[float, float], max_pixels: int) -> float:
    """Solve (width·s + 1)(height·s + 1) = `max_pixels`: sides are rounded up to whole pixels."""
    around, area = sum(size), math.prod(size)
    return 2 * (max_pixels - 1) / (around + math.sqrt(around**2 + 4 * area * (max_pixels - 1)))


def _drawn(page: "PdfPage", scale: float) -> Pixels:
    try:
        bitmap = page.render(
            scale=scale,
            may_draw_forms=False,
            fill_color=(255, 255, 255, 255),
            rev_byteorder=True,
            limit_image_cache=True,
        )
    except (ValueError, MemoryError) as error:
        raise ImageTooLargeError("the page is too large to be drawn") from error
    try:
        return np.array(bitmap.to_numpy()[:, :, :3])
    finally:
        bitmap.close()


def _words(document: "PdfDocument") -> Words:
    try:
        told = document.get_metadata_dict()
    except UnicodeDecodeError:  # half a character of UTF-16
        return Words()
    return Words(
        captions=(told["Title"], told["Subject"]),
        keywords=tuple(re.split("[;,]", told["Keywords"])),
        dates=(_iso_date(told["CreationDate"]),),
    )


def _iso_date(text: str) -> str:
    match = _DATE.fullmatch(text.strip().replace("'", ""))
    if match is None:
        return ""
    year, month, day, hour, minute, second, offset = match.groups()
    time = f"T{hour}:{minute}:{second or '00'}{offset or ''}" if hour else ""
    return f"{year}-{month}-{day}{time}"
