"""Small camera raw files that LibRaw opens: DNG, with and without a preview."""

import io
import struct

import numpy as np
from PIL import Image

__all__ = ["dng"]

_BYTES, _ASCII, _SHORT, _LONG, _RATIONAL, _SIGNED = 1, 2, 3, 4, 5, 10
_CODES = {_BYTES: "B", _ASCII: "B", _SHORT: "H", _LONG: "I", _RATIONAL: "I", _SIGNED: "i"}

Entry = tuple[int, int, list[int]]


def dng(
    *,
    size: tuple[int, int] = (64, 48),
    colour: tuple[int, int, int] = (12000, 2000, 2000),
    preview: bytes | None = None,
    mark: int = 1,
    more: list[Entry] | None = None,
) -> bytes:
    """A DNG whose sensor saw one colour (16 bits): the preview first where there is one, then the
    pattern of red, green and blue. `mark` is the orientation of both."""
    width, height = size
    red, green, blue = colour
    pattern = np.array([[red, green], [green, blue]], "<u2")
    samples = np.tile(pattern, (height // 2, width // 2)).tobytes()
    told: list[Entry] = [
        (0x010F, _ASCII, [*b"Acme\0"]), (0x0110, _ASCII, [*b"Acme One\0"]),
        (0x0112, _SHORT, [mark]), (0xC612, _BYTES, [1, 4, 0, 0]),
        (0xC614, _ASCII, [*b"Acme One\0"]),
        (0xC621, _SIGNED, [1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1]),
        (0xC628, _RATIONAL, [1, 1, 1, 1, 1, 1]), (0xC65A, _SHORT, [21]), *(more or []),
    ]  # fmt: skip
    sensor: list[Entry] = [
        (0x00FE, _LONG, [0]), (0x0100, _LONG, [width]), (0x0101, _LONG, [height]),
        (0x0102, _SHORT, [16]), (0x0103, _SHORT, [1]), (0x0106, _SHORT, [32803]),
        (0x0115, _SHORT, [1]), (0x0116, _LONG, [height]), (0x0117, _LONG, [len(samples)]),
        (0x828D, _SHORT, [2, 2]), (0x828E, _BYTES, [0, 1, 1, 2]), (0xC61D, _LONG, [16383]),
    ]  # fmt: skip
    if preview is None:
        return _tiff([*told, *sensor], samples)
    with Image.open(io.BytesIO(preview)) as picture:
        across, down = picture.size
    shown: list[Entry] = [
        (0x00FE, _LONG, [1]), (0x0100, _LONG, [across]), (0x0101, _LONG, [down]),
        (0x0102, _SHORT, [8, 8, 8]), (0x0103, _SHORT, [7]), (0x0106, _SHORT, [6]),
        (0x0115, _SHORT, [3]), (0x0116, _LONG, [down]), (0x0117, _LONG, [len(preview)]),
    ]  # fmt: skip
    return _tiff([*told, *shown], preview, [*sensor], samples)


def _tiff(
    first: list[Entry], data: bytes, inner: list[Entry] | None = None, inner_data: bytes = b""
) -> bytes:
    """One directory with one strip, and perhaps another inside it."""
    written = bytearray(b"II*\0\0\0\0\0")
    first = [*first, (0x0111, _LONG, [_added(written, data)])]
    if inner is not None:
        inner = [*inner, (0x0111, _LONG, [_added(written, inner_data)])]
        first.append((0x014A, _LONG, [_directory(written, inner)]))
    struct.pack_into("<I", written, 4, _directory(written, first))
    return bytes(written)


def _added(written: bytearray, data: bytes) -> int:
    written += b"\0" * (len(written) % 2)
    place = len(written)
    written += data
    return place


def _directory(written: bytearray, entries: list[Entry]) -> int:
    rows = b""
    for tag, kind, values in sorted(entries):
        packed = struct.pack(f"<{len(values)}{_CODES[kind]}", *values)
        count = len(values) // 2 if kind in (_RATIONAL, _SIGNED) else len(values)
        if len(packed) > 4:
            packed = struct.pack("<I", _added(written, packed))
        rows += struct.pack("<HHI", tag, kind, count) + packed.ljust(4, b"\0")
    return _added(written, struct.pack("<H", len(entries)) + rows + bytes(4))
