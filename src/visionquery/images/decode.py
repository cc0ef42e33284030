"""From a picture's bytes to pixels an encoder can take and the facts that go with them.

Whoever has a file of unknown origin decodes it by `images.workers`, in another process.

Safe to call from many threads: no process-wide setting of Pillow is read or changed. Its switch
for cut-off files is one, so they are handled here: a JPEG is given the end mark it lacks, other
kinds show the part that was decoded before the end came.
"""

import io
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from visionquery.errors import (
    ImageError,
    ImageMemoryError,
    ImageTooLargeError,
    UnreadableImageError,
)
from visionquery.images.blocks import without_photoshop
from visionquery.images.colour import shrink, to_rgb
from visionquery.images.exif import orientation
from visionquery.images.formats import openers
from visionquery.images.frames import choose
from visionquery.images.limits import DEFAULT_LIMITS, Limits, check_bytes, check_pixels
from visionquery.images.metadata import read_exif, read_facts
from visionquery.images.quiet import without_pillow_warnings
from visionquery.images.text import clean
from visionquery.types import Decoded, Pixels

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

__all__ = ["decode"]

_JPEG = ("JPEG", "MPO")
_JPEG_END = b"\xff\xd9"
_CUT_OFF = (OSError, EOFError, SyntaxError, IndexError, struct.error)
"""What decoders raise when the data ends or breaks before the picture does."""

_BYTES_PER_PIXEL = 8
"""Pillow keeps four; decoders that make a picture at once, or a conversion, as many again."""

_BYTES_PER_COEFFICIENTS = 6
"""Of a pixel of a JPEG with as many colours as brightnesses: three of two bytes."""

_LEAST_SHOWN = 0.25
"""The part of a cut-off picture that must be there for it to be worth finding."""


def decode(
    data: bytes,
    *,
    page: int = 1,
    min_side: int | None = None,
    limits: Limits = DEFAULT_LIMITS,
    before_pixels: Callable[[int], None] | None = None,
) -> Decoded:
    """Decode a picture: one page or frame of it, upright, as RGB on white.

    `page` counts from 1, and only TIFF files have more than one. Of an animation the frame that
    `frames.choose` takes is decoded.

    With `min_side` (pixels, >= 1) the result may be smaller than the picture as long as both of
    its sides are >= `min_side`; None asks for every pixel. `before_pixels` is called once, with the
    bytes that decoding is about to take. Raises ImageTooLargeError above a limit, before
    pixels are decoded, and UnreadableImageError for all else that goes wrong.
    """
    check_bytes(len(data), limits)
    try:
        with without_pillow_warnings():
            return _decode(data, page, min_side, limits, before_pixels)
    except ImageError:
        raise
    except Exception as error:  # decoders of hostile bytes raise anything at all
        raise _translated(error) from error


def _decode(
    data: bytes,
    page: int,
    min_side: int | None,
    limits: Limits,
    before_pixels: Callable[[int], None] | None,
) -> Decoded:
    picture = _open_page(data, page)
    check_pixels(*picture.size, limits)
    size = picture.size
    _draft(picture, min_side)
    if before_pixels is not None:
        before_pixels(_bytes_needed(picture, size))
    picture, is_whole = _load(choose(picture, lambda: _open(data)), data, min_side)
    if picture.format not in _JPEG:  # some containers state a size that the picture then lacks
        size = picture.size
        check_pixels(*size, limits)
    rgb = shrink(to_rgb(shrink(picture, min_side)), min_side)
    if not is_whole:
        _check_shown(np.asarray(rgb))
    mark = orientation(read_exif(picture))
    is_turned = mark >= 5 and picture.format != "TIFF"  # whose size is already the upright one
    width, height = reversed(size) if is_turned else size
    facts = read_facts(
        picture, width=width, height=height, size_bytes=len(data), data=data
    )
    return Decoded(pixels=np.asarray(_upright(rgb, mark)), facts=facts)


def _bytes_needed(picture: "ImageFile", size: tuple[int, int]) -> int:
    """Return what decoding takes; `size` is that before the picture was drafted."""
    needed = _BYTES_PER_PIXEL * picture.width * picture.height
    if picture.info.get("progressive"):  # its coefficients are kept whole until the last scan
        needed += _BYTES_PER_COEFFICIENTS * size[0] * size[1]
    return needed


def _open_page(data: bytes, page: int) -> "ImageFile":
    """Open at a page, from 1, of which only TIFF files have several."""
    if data[:2] in (b"II", b"MM"):
        from visionquery.images.tiff_samples import open_samples

        samples = open_samples(data, page)
        if samples is not None:
            return samples
    picture = _open(data)
    if page == 1:
        return picture
    missing = UnreadableImageError(f"the file has no page {page}")
    if page < 1 or picture.format != "TIFF":
        raise missing
    try:
        picture.seek(page - 1)
    except EOFError as error:
        raise missing from error
    return picture


def _open(data: bytes) -> "ImageFile":
    """Open by content. Pillow's own `open` would apply its process-wide pixel limit."""
    if not data:
        raise UnreadableImageError("not a picture that can be read: the file is empty")
    stream = io.BytesIO(data)
    problem: object = "its content is of no known picture format"
    for name, (factory, accepts) in openers().items():
        verdict = accepts(data[:16]) if accepts else True
        if isinstance(verdict, str):
            problem = verdict
        elif verdict:
            stream.seek(0)
            try:
                return factory(stream, "")
            except (SyntaxError, IndexError, TypeError, struct.error):
                if name == "JPEG" and (bare := without_photoshop(data)) != data:
                    return _open(bare)  # It may be its words that are broken, not the picture.
                problem = f"it begins like {name} but is damaged" if accepts else problem
    raise UnreadableImageError(f"not a picture that can be read: {problem}")


def _load(picture: "ImageFile", data: bytes, min_side: int | None) -> tuple["ImageFile", bool]:
    """Decode the pixels; the second value is False when only a part of them could be."""
    try:
        picture.load()
    except _CUT_OFF:
        if picture.format not in _JPEG:
            return _part(picture), False
    else:
        return picture, True
    ended = _open(data + _JPEG_END)
    try:
        _draft(ended, min_side)
        ended.load()
    except _CUT_OFF:
        return _part(ended), False
    return ended, False


def _draft(picture: "ImageFile", min_side: int | None) -> None:
    """Let a JPEG be decoded at a half, quarter or eighth, keeping both sides >= `min_side`."""
    if min_side is not None and picture.format in _JPEG:
        picture.draft(None, (min_side, min_side))


def _part(picture: "ImageFile") -> "ImageFile":
    """Take what was decoded so far: with no tile left to decode, loading succeeds."""
    picture.tile = []
    picture.load()
    return picture


def _check_shown(pixels: Pixels) -> None:
    """Refuse a cut-off picture, (height, width, 3), most of which is filling of one colour."""
    height = len(pixels)
    ends = (pixels[::-1], pixels)
    missing = max(_equal_rows(rows) for rows in ends)
    if 1 - missing / height < _LEAST_SHOWN:
        raise UnreadableImageError("not a picture that can be read: it is cut off near its start")


def _equal_rows(pixels: Pixels) -> int:
    """Count the rows at the start that are like the first."""
    differs = (pixels != pixels[:1]).any(axis=(1, 2))
    return int(differs.argmax()) if differs.any() else len(pixels)


def _upright(picture: "Image", mark: int) -> "Image":
    """Undo an EXIF orientation mark, 1..8. Source: Exif 2.32, section 4.6.4, Orientation."""
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    return picture.transpose(turns[mark]) if mark in turns else picture


def _translated(error: Exception) -> ImageError:
    """Say what went wrong as a person would."""
    from PIL.Image import DecompressionBombError

    if isinstance(error, DecompressionBombError):
        return ImageTooLargeError("the picture is too large for the decoder of its format")
    if isinstance(error, MemoryError):
        return ImageMemoryError()
    return UnreadableImageError(f"not a picture that can be read: {_damage(error)}")


def _damage(error: Exception) -> str:
    words = clean(str(error), max_chars=200) if isinstance(error, OSError | ValueError) else None
    if words is None or "cannot load" in words:
        return "it is damaged"
    is_short = "truncated" in words.lower() or "not enough image data" in words
    return "it is cut off" if is_short else words[0].lower() + words[1:]
