"""TIFF files of kinds that Pillow refuses or misreads: numbers as they are measured or rendered.

These are colours as floats or of 32 bits, floats of 16 or 64 bits, gray of 12 bits, inverted gray
and separate planes of 16 bits, compressed floats in big-endian order, and big-endian BigTIFF.

Sources: TIFF 6.0, sections 8, 14 (predictor) and 15 (tiles); Adobe Photoshop TIFF Technical
Note 3 (floats and their predictor).
"""

import io
import zlib
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from PIL.ImageFile import ImageFile

from visionquery.images.pages import Page, read_pages

__all__ = ["open_samples"]

_WIDTH, _LENGTH, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_STRIP_OFFSETS, _ORIENTATION, _SAMPLES, _ROWS, _STRIP_BYTES = 273, 274, 277, 278, 279
_PLANAR, _PREDICTOR, _FORMAT, _XMP = 284, 317, 339, 700
_TILE_WIDTH, _TILE_LENGTH, _TILE_OFFSETS, _TILE_BYTES = 322, 323, 324, 325

_RAW, _DEFLATE = 1, (8, 32946)
_TYPES = {1: "u", 2: "i", 3: "f"}
_MOST_SAMPLES = 16

_MOST_OF_A_TILE = 1 << 20
"""Pixels by which a tile may go beyond a small picture."""


def open_samples(data: bytes, number: int) -> ImageFile | None:
    """Open a page, from 1, of a TIFF file, or return None where Pillow does as well."""
    if data[:2] not in (b"II", b"MM"):
        return None
    page = next(islice(read_pages(data), max(0, number - 1), None), None)
    return _Samples(page) if page is not None and _is_readable(page) and _is_odd(page) else None


def _is_readable(page: Page) -> bool:
    bits = page.numbers(_BITS) or (1,)
    samples = page.integer(_SAMPLES, 1)
    sizes = {1: (8, 16, 32, 64), 2: (8, 16, 32, 64), 3: (16, 32, 64)}.get(page.integer(_FORMAT, 1))
    return (
        page.integer(_COMPRESSION, _RAW) in (_RAW, *_DEFLATE)
        and page.integer(_PHOTOMETRIC, -1) in (0, 1, 2)
        and 1 <= samples <= _MOST_SAMPLES
        and len(set(bits)) == 1
        and (bits[0] in (sizes or ()) or _is_packed(page))
    )


def _is_packed(page: Page) -> bool:
    """Whether two samples of 12 bits share three bytes."""
    return (
        page.integer(_BITS, 1) == 12
        and page.integer(_SAMPLES, 1) == 1
        and page.integer(_PREDICTOR, 1) == 1
        and _TILE_WIDTH not in page.entries
    )


def _is_odd(page: Page) -> bool:
    bits, kind = page.integer(_BITS, 1), page.integer(_FORMAT, 1)
    is_raw = page.integer(_COMPRESSION, _RAW) == _RAW
    is_large = _is_large(page)
    if kind == 3:
        is_one = page.integer(_SAMPLES, 1) == 1
        return is_large or bits != 32 or not is_one or (page.order == ">" and not is_raw)
    if bits == 16:
        is_apart = is_raw and page.integer(_PLANAR, 1) == 2 and page.integer(_SAMPLES, 1) > 1
        return is_large or is_apart or page.integer(_PHOTOMETRIC, 1) == 0
    return is_large or bits in (12, 64) or (bits == 32 and kind == 1)


def _is_large(page: Page) -> bool:
    """Whether this is a BigTIFF file in big-endian order, which Pillow takes for a small one."""
    return page.order == ">" and page.data[3] == 43


class _Samples(ImageFile):
    """A page that is decoded here, with what it says of itself as Pillow gives it."""

    format = "TIFF"

    def __init__(self, page: Page) -> None:
        self._page = page
        self._said: Image.Exif | None = None
        super().__init__(io.BytesIO(page.data))

    def _open(self) -> None:
        size = (self._page.integer(_WIDTH, 0), self._page.integer(_LENGTH, 0))
        is_turned = self._page.integer(_ORIENTATION, 1) in (5, 6, 7, 8)
        self._size = (size[1], size[0]) if is_turned else size
        self._mode = "RGB"
        packet = bytes(self._page.numbers(_XMP)) if _XMP in self._page.entries else b""
        self.info["xmp"] = packet

    def load(self) -> Any:
        if self._im is None:
            decoded = _picture(self._page)
            self.im, self._mode, self._size = decoded.im, decoded.mode, decoded.size
            ImageOps.exif_transpose(self, in_place=True)
        return Image.Image.load(self)

    def getexif(self) -> Image.Exif:
        if self._said is None:
            self._said = Image.Exif()
            self._said.endian, self._said.bigtiff = self._page.order, 43 in self._page.data[2:4]
            if not _is_large(self._page):
                with suppress(Exception):  # whatever broken tags make the parser do
                    self._said.load_from_fp(io.BytesIO(self._page.data), self._page.offset)
            self._said[_ORIENTATION] = self._page.integer(_ORIENTATION, 1)
        return self._said


def _picture(page: Page) -> Image.Image:
    """Return 8-bit RGB of colours, and of gray what `colour.to_rgb` scales."""
    samples = _samples(page)
    is_integer = samples.dtype.kind == "u"
    if page.integer(_PHOTOMETRIC, 1) == 2 and samples.shape[2] >= 3:
        colours = samples[:, :, :3]
        if is_integer:
            return Image.fromarray(_scaled(colours, 0.0, float(np.iinfo(samples.dtype).max)))
        finite = colours[np.isfinite(colours)]
        low, high = np.quantile(finite, (0.001, 0.999)) if finite.size else (0.0, 1.0)
        return Image.fromarray(_scaled(colours, min(float(low), 0.0), float(high)))
    gray = samples[:, :, 0]
    if page.integer(_PHOTOMETRIC, 1) == 0:
        gray = np.iinfo(gray.dtype).max - gray if is_integer else -gray
    if is_integer and gray.dtype.itemsize <= 2:
        return Image.fromarray(np.ascontiguousarray(gray))
    return Image.fromarray(np.ascontiguousarray(gray, dtype=np.float32))


def _scaled(samples: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """Map low..high of numbers to 0..255; what is no number is black."""
    with np.errstate(all="ignore"):
        parts = (samples.astype(np.float64) - low) / max(high - low, 1e-300)
    parts = np.clip(np.nan_to_num(parts, nan=0.0, posinf=1.0, neginf=0.0), 0.0, 1.0)
    return np.asarray(np.rint(parts * 255.0), dtype=np.uint8)


def _samples(page: Page) -> NDArray[Any]:
    """Return the numbers of a page, (height, width, 1 or up to 3), in the machine's byte order."""
    width, height = page.integer(_WIDTH, 0), page.integer(_LENGTH, 0)
    bits, count = page.integer(_BITS, 1), min(page.integer(_SAMPLES, 1), 3)
    kind = "u2" if bits == 12 else f"{_TYPES[page.integer(_FORMAT, 1)]}{bits // 8}"
    out = np.zeros((height, width, count), dtype=kind)
    for plane, top, left, block in _blocks(page, np.dtype(page.order + kind)):
        if plane >= count:
            break
        rows, columns = min(len(block), height - top), min(block.shape[1], width - left)
        bands = slice(plane, plane + 1) if page.integer(_PLANAR, 1) == 2 else slice(None)
        out[top : top + rows, left : left + columns, bands] = block[:rows, :columns, :count]
    return out


def _blocks(page: Page, kind: np.dtype[Any]) -> Iterator[tuple[int, int, int, NDArray[Any]]]:
    """Yield plane, top, left and numbers of each strip or tile, up to where they break off."""
    width, height = page.integer(_WIDTH, 0), page.integer(_LENGTH, 0)
    is_tiled = _TILE_WIDTH in page.entries
    across = page.integer(_TILE_WIDTH, 0) if is_tiled else width
    down = page.integer(_TILE_LENGTH, 0) if is_tiled else min(page.integer(_ROWS, height), height)
    offsets = page.numbers(_TILE_OFFSETS if is_tiled else _STRIP_OFFSETS)
    sizes = page.numbers(_TILE_BYTES if is_tiled else _STRIP_BYTES)
    if not offsets or not 0 < across * down <= max(4 * width * height, _MOST_OF_A_TILE):
        raise OSError("it is damaged")
    planes, count = page.integer(_SAMPLES, 1), 1
    if page.integer(_PLANAR, 1) != 2:
        planes, count = count, planes
    places = (
        (plane, top, left)
        for plane in range(planes)
        for top in range(0, height, down)
        for left in range(0, width, across)
    )
    for index, (place, offset, size) in enumerate(zip(places, offsets, sizes, strict=False)):
        rows = down if is_tiled else min(down, height - place[1])
        block = _block(page, page.data[offset : offset + size], (rows, across, count), kind)
        if block is None:
            if index == 0:
                raise OSError("image file is truncated")
            return
        yield *place, block


def _block(
    page: Page, raw: bytes, shape: tuple[int, int, int], kind: np.dtype[Any]
) -> NDArray[Any] | None:
    """Return the numbers of a strip or tile, (rows, columns, samples); None if it is cut off."""
    rows, columns, count = shape
    row_bytes = (columns * 12 + 7) // 8 if _is_packed(page) else columns * count * kind.itemsize
    if page.integer(_COMPRESSION, _RAW) != _RAW:
        raw = zlib.decompressobj().decompress(raw, rows * row_bytes)
    if len(raw) < rows * row_bytes:
        return None
    lines = np.frombuffer(raw, np.uint8, rows * row_bytes).reshape(rows, row_bytes)
    if _is_packed(page):
        return _unpacked(lines)[:, :columns, None]
    predictor = page.integer(_PREDICTOR, 1)
    if predictor == 3:
        summed = lines.reshape(rows, -1, count).cumsum(axis=1, dtype=np.uint8)
        parts = summed.reshape(rows, kind.itemsize, -1).swapaxes(1, 2)
        return np.ascontiguousarray(parts).view(kind.newbyteorder(">")).reshape(shape)
    numbers = lines.view(kind).reshape(shape)
    return numbers.cumsum(axis=1, dtype=kind.newbyteorder("=")) if predictor == 2 else numbers


def _unpacked(lines: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Return samples of 12 bits, (rows, columns), stretched to 16."""
    padded = np.pad(lines, ((0, 0), (0, -lines.shape[1] % 3))).astype(np.uint16)
    first, middle, last = padded[:, ::3], padded[:, 1::3], padded[:, 2::3]
    pairs = np.stack([first << 4 | middle >> 4, (middle & 15) << 8 | last], axis=2)
    samples = pairs.reshape(len(lines), -1)
    return np.asarray(samples << 4 | samples >> 8, dtype=np.uint16)
