"""From a file's bytes to pixels an encoder can take and the facts that go with them.

Safe to call from many threads: no process-wide setting of Pillow is read or changed. Its switch
for cut-off files is one, so they are handled here: a JPEG is given the end mark it lacks, other
kinds show the part that was decoded before the end came.
"""

import hashlib
import io
import stat
import struct
from collections.abc import Callable
from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from visionquery.errors import ImageError, ImageTooLargeError, UnreadableImageError
from visionquery.images.colour import shrink, to_rgb
from visionquery.images.exif import orientation
from visionquery.images.formats import openers
from visionquery.images.frames import choose
from visionquery.images.limits import DEFAULT_LIMITS, Limits, check_bytes, check_pixels
from visionquery.images.metadata import read_exif, read_facts
from visionquery.images.quiet import without_pillow_warnings
from visionquery.images.scan import reason_of
from visionquery.images.text import clean
from visionquery.query.ast import Box
from visionquery.types import Decoded, Pixels

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

__all__ = ["decode", "decode_part", "image_id", "read"]

_JPEG = ("JPEG", "MPO")
_JPEG_END = b"\xff\xd9"
_CUT_OFF = (OSError, EOFError, SyntaxError, IndexError, struct.error)
"""What decoders raise when the data ends or breaks before the picture does."""

_BYTES_PER_PIXEL = 8
"""Pillow keeps four; decoders that make a picture at once, or a conversion, as many again."""

_LEAST_SHOWN = 0.25
"""The part of a cut-off picture that must be there for it to be worth finding."""


def read(path: Path, *, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """Return the bytes of a picture file.

    Raises ImageTooLargeError above `limits.max_bytes`, before anything is read, and
    UnreadableImageError when the file is not there, not regular or not readable.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableImageError("it cannot be read: it is not a regular file")
        check_bytes(status.st_size, limits)
        with path.open("rb") as file:
            data = file.read(limits.max_bytes + 1)
    except OSError as error:
        raise UnreadableImageError(f"it cannot be read: {reason_of(error)}") from error
    except ValueError as error:  # a NUL character, which no file's name can hold
        raise UnreadableImageError("it cannot be read: this is no name of a file") from error
    check_bytes(len(data), limits)
    return data


def image_id(data: bytes) -> str:
    """Return the identity of a file's content: 32 hexadecimal digits of BLAKE2b."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


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


def decode_part(
    data: bytes, box: Box, *, min_side: int, limits: Limits = DEFAULT_LIMITS
) -> Decoded:
    """Decode a part of a picture, at least one pixel of it; its facts tell the part's own size.

    The result may be smaller than the part as long as both of its sides are >= `min_side`
    (pixels, >= 1). Raises as `decode` does.
    """
    least = ceil(min_side * 100 / min(box.width, box.height))
    whole = decode(data, min_side=least, limits=limits)
    height, width = whole.pixels.shape[:2]
    left, right = _span(box.left, box.width, width)
    top, bottom = _span(box.top, box.height, height)
    across = _span(box.left, box.width, whole.facts.width)
    down = _span(box.top, box.height, whole.facts.height)
    facts = replace(whole.facts, width=across[1] - across[0], height=down[1] - down[0])
    return Decoded(whole.pixels[top:bottom, left:right].copy(), facts)


def _span(start: float, length: float, pixels: int) -> tuple[int, int]:
    """Return where a stretch, in percent of a side of some pixels, starts and ends in it."""
    first = min(int(start * pixels / 100 + 0.5), pixels - 1)
    end = min(int((start + length) * pixels / 100 + 0.5), pixels)
    return first, max(end, first + 1)


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
        before_pixels(_BYTES_PER_PIXEL * picture.width * picture.height)
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
    facts = read_facts(picture, width=width, height=height, size_bytes=len(data))
    return Decoded(pixels=np.asarray(_upright(rgb, mark)), facts=facts)


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
        return UnreadableImageError("not a picture that can be read: memory does not suffice")
    return UnreadableImageError(f"not a picture that can be read: {_damage(error)}")


def _damage(error: Exception) -> str:
    words = clean(str(error), max_chars=200) if isinstance(error, OSError | ValueError) else None
    if words is None or "cannot load" in words:
        return "it is damaged"
    is_short = "truncated" in words.lower() or "not enough image data" in words
    return "it is cut off" if is_short else words[0].lower() + words[1:]
