"""Raw files of cameras (the extra `raw`): the one door to LibRaw.

A camera puts the picture that it showed into its raw file. That is what is searched: it takes a
tenth of the time of developing the sensor's numbers, and looks as its maker meant it. A file
without one is developed at half its size.
"""

import importlib.util
import io
from typing import TYPE_CHECKING, Any

import numpy as np

from visionquery.errors import ImageTooLargeError, UnreadableImageError
from visionquery.images.blocks import boxes
from visionquery.images.captions import read_xmp
from visionquery.images.colour import shrink, to_rgb
from visionquery.images.exif import orientation
from visionquery.images.limits import DEFAULT_LIMITS, Limits, check_bytes, check_pixels
from visionquery.images.metadata import facts_of, parsed_exif, read_exif
from visionquery.images.quiet import without_pillow_warnings
from visionquery.types import Decoded, Facts

if TYPE_CHECKING:
    from PIL.Image import Exif, Image
    from rawpy import RawPy

__all__ = ["decode_raw", "is_installed"]

_TIFF_HEADS = {b"II": b"II*\0", b"MM": b"MM\0*"}
_XMP = 700
_CR3_BRAND, _CANON_UUID = b"ftypcrx ", bytes.fromhex("85c0b687820f11e08111f4ce462b6a48")
"""Source: Canon CR3 as described by Laurent Clévy: CMT1 of the box of this UUID is IFD0, CMT2 the
EXIF directory, CMT4 that of GPS, each a TIFF of its own."""
_ORIENTATION, _EXIF_IFD, _GPS_IFD = 0x0112, 0x8769, 0x8825

_MARKS = {0: 1, 3: 3, 5: 8, 6: 6}
"""LibRaw's words for a turn, as marks of EXIF."""


def is_installed() -> bool:
    """Return whether the library that reads raw files is installed."""
    return importlib.util.find_spec("rawpy") is not None


def decode_raw(
    data: bytes, *, min_side: int | None = None, limits: Limits = DEFAULT_LIMITS
) -> Decoded:
    """Decode a raw file: the largest preview in it, upright, else the sensor's picture at half.

    The facts tell the size of the whole picture. With `min_side` (pixels, >= 1) the result may be
    smaller as long as both sides of it are >= `min_side` or as long as the preview's. Raises
    ImageTooLargeError above a limit and UnreadableImageError for all else that goes wrong.
    """
    check_bytes(len(data), limits)
    if not is_installed():
        raise UnreadableImageError("reading it needs an extra: pip install 'visionquery[raw]'")
    import rawpy

    try:
        with rawpy.imread(io.BytesIO(data)) as raw, without_pillow_warnings():
            check_pixels(raw.sizes.width, raw.sizes.height, limits)
            return _decoded(raw, data, min_side, limits)
    except (rawpy.LibRawTooBigError, rawpy.LibRawUnsufficientMemoryError) as error:
        raise ImageTooLargeError("the picture is too large for the decoder of raw files") from error
    except (rawpy.LibRawError, rawpy.NotSupportedError, OSError, ValueError, SyntaxError) as error:
        raise UnreadableImageError(
            "not a raw file that can be read: it is damaged or of an unknown camera"
        ) from error


def _decoded(raw: "RawPy", data: bytes, min_side: int | None, limits: Limits) -> Decoded:
    width, height = raw.sizes.width, raw.sizes.height
    if raw.sizes.flip in (5, 6):
        width, height = height, width
    preview = _preview(raw, min_side, limits)
    picture, own = preview or (_developed(raw, min_side), parsed_exif(b""))
    exif = _told(data)
    words = read_xmp(_packet(exif))
    facts = facts_of(Facts(width, height, "RAW", len(data)), words, exif or own)
    return Decoded(pixels=np.array(picture), facts=facts)


def _preview(raw: "RawPy", min_side: int | None, limits: Limits) -> "tuple[Image, Exif] | None":
    """Return the largest preview, upright, and its EXIF; None where there is none to be used."""
    import rawpy

    try:
        picture = _opened(raw.extract_thumb().data)
        check_pixels(*picture.size, limits)
        picture.draft("RGB", (min_side or picture.width, min_side or picture.height))
        picture.load()
        shown = to_rgb(shrink(picture, min_side))
    except (rawpy.LibRawNonFatalError, rawpy.NotSupportedError, OSError, SyntaxError, TypeError):
        return None
    exif = read_exif(picture)
    mark = orientation(exif) if _ORIENTATION in exif else _MARKS.get(raw.sizes.flip, 1)
    return _upright(shown, 1 if _is_turned_already(shown, raw) else mark), exif


def _opened(found: Any) -> "Image":
    """Open a preview: the bytes of a JPEG, or else its pixels."""
    from PIL import Image

    if isinstance(found, bytes):
        return Image.open(io.BytesIO(found), formats=("JPEG",))
    return Image.fromarray(found)


def _is_turned_already(preview: "Image", raw: "RawPy") -> bool:
    """LibRaw gives a preview the mark of the sensor's picture, as some cameras do, although others
    have turned it: a turn by a quarter shows in its shape."""
    sizes = raw.sizes
    if sizes.flip not in (5, 6) or preview.width == preview.height or sizes.width == sizes.height:
        return False
    return (preview.width > preview.height) != (sizes.width > sizes.height)


def _developed(raw: "RawPy", min_side: int | None) -> "Image":
    """Develop the sensor's numbers at half the size, upright, brightened as a camera would."""
    from PIL import Image

    pixels = raw.postprocess(half_size=True, use_camera_wb=True, output_bps=8)
    return shrink(Image.fromarray(pixels).convert("RGB"), min_side)


def _upright(picture: "Image", mark: int) -> "Image":
    from PIL import ImageOps

    picture.getexif()[_ORIENTATION] = mark
    return ImageOps.exif_transpose(picture)


def _told(data: bytes) -> "Exif | None":
    """Return the EXIF of the raw file itself, None where it has none that can be found."""
    if data[4:12] == _CR3_BRAND:
        return _canon(data)
    head = _TIFF_HEADS.get(data[:2])
    # Olympus and Panasonic write marks of their own before what else is a TIFF file.
    exif = parsed_exif(head + data[4:]) if head else None
    return exif or None


def _canon(data: bytes) -> "Exif | None":
    kept = {}
    movie = next((content for kind, content in boxes(data) if kind == b"moov"), memoryview(b""))
    for kind, content in boxes(movie):
        if kind == b"uuid" and content[:16] == _CANON_UUID:
            kept = {name: parsed_exif(bytes(block)) for name, block in boxes(content[16:])}
    exif = kept.get(b"CMT1")
    if exif is not None:
        for name, tag in ((b"CMT2", _EXIF_IFD), (b"CMT4", _GPS_IFD)):
            exif.get_ifd(tag).update(kept.get(name) or {})
    return exif


def _packet(exif: "Exif | None") -> bytes:
    packet: Any = exif.get(_XMP, b"") if exif is not None else b""
    return packet if isinstance(packet, bytes) else b""
