"""EXIF and XMP of containers in which Pillow does not look for them, JPEG 2000 and GIF, and JPEG
without the block that it may stumble over.

Sources: ISO/IEC 15444-1, annex I (boxes); Adobe XMP specification part 3, sections 1.1.2 (GIF)
and 1.1.4 (JPEG 2000); ITU-T T.81, annex B (segments of JPEG); ExifTool's JPEG 2000 tags for the
UUID of EXIF, which no standard has.
"""

from collections.abc import Iterator

__all__ = ["blocks", "boxes", "without_photoshop"]

_JP2_MARK = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
_XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_EXIF_UUID = b"JpgTiffExif->JP2"
_GIF_MARKS = (b"GIF87a", b"GIF89a")
_GIF_XMP = b"\x21\xff\x0bXMP DataXMP"
_GIF_XMP_END = b"\x01\xff\xfe\xfd"
"""How the bytes begin that lead a reader out that takes the packet for a row of short blocks."""

_APP13 = 0xED
_MAX_BOXES = 1000
_MAX_BLOCK_BYTES = 1 << 20


def blocks(data: bytes) -> tuple[bytes, bytes]:
    """Return the EXIF block and the XMP packet of a JPEG 2000 or GIF file, b"" for none."""
    if data.startswith(_JP2_MARK):
        kept = [box for kind, box in boxes(data) if kind == b"uuid"]
        return _of_uuid(kept, _EXIF_UUID), _of_uuid(kept, _XMP_UUID)
    if data.startswith(_GIF_MARKS):
        start = data.find(_GIF_XMP) + len(_GIF_XMP)
        end = data.find(_GIF_XMP_END, start, start + _MAX_BLOCK_BYTES)
        if start >= len(_GIF_XMP) and end >= 0:
            return b"", data[start:end]
    return b"", b""


def without_photoshop(data: bytes) -> bytes:
    """Return a JPEG without the segments (APP13) in which Photoshop and IPTC put their words."""
    kept, position = [data[:2]], 2
    while data[position : position + 1] == b"\xff" and data[position + 1 : position + 2] != b"\xda":
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        if data[position + 1] != _APP13:
            kept.append(data[position:end])
        position = max(end, position + 4)
    return b"".join([*kept, data[position:]])


def boxes(data: bytes | memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Yield the kind and the content of each box, up to the first one that is cut off."""
    view = memoryview(data)
    position = 0
    for _ in range(_MAX_BOXES):
        size, head_bytes = int.from_bytes(view[position : position + 4], "big"), 8
        if size == 1:
            size, head_bytes = int.from_bytes(view[position + 8 : position + 16], "big"), 16
        elif size == 0:  # up to the end
            size = len(view) - position
        if size < head_bytes or position + size > len(view):
            return
        yield bytes(view[position + 4 : position + 8]), view[position + head_bytes :][
            : size - head_bytes
        ]
        position += size


def _of_uuid(contents: list[memoryview], uuid: bytes) -> bytes:
    found = (content[16:] for content in contents if content[:16] == uuid)
    return next((bytes(block) for block in found if len(block) <= _MAX_BLOCK_BYTES), b"")
