"""Gather what a picture file says of itself. Broken metadata gives fewer facts, never an error."""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from visionquery.images import exif as exif_facts
from visionquery.images.blocks import blocks
from visionquery.images.captions import read_iptc, read_xmp
from visionquery.images.text import Words, clean
from visionquery.types import Facts

if TYPE_CHECKING:
    from PIL.Image import Exif, Image

__all__ = [
    "best_caption",
    "best_date",
    "facts_of",
    "parsed_exif",
    "read_exif",
    "read_facts",
    "unique_keywords",
]

_MAX_CAPTION, _MAX_KEYWORD, _MAX_KEYWORDS = 2000, 100, 100
_IPTC_TIFF, _XMP_TIFF = 33723, 700
_IPTC_RESOURCE, _EXIF_RESOURCE, _XMP_RESOURCE = 0x0404, 0x0422, 0x0424
"""Source: Adobe Photoshop File Formats Specification, "Image Resource IDs"."""

_JUNK = re.compile(
    r"(olympus|minolta|konica minolta|pentax|kodak|sony|samsung|casio|ricoh|digital|kyocera)?"
    r"\s*(digital)?\s*(still)?\s*(camera|dsc|dsc_?\d+|digimax.*)?"
    r"|<?(digimax|kenox|samsung)\b.*|exif[_ ]jpeg[_ ]picture|dcf ?1\.0|created with gimp"
    r"|(default|untitled|image description|image|picture|photo|my beautiful picture|jpeg)"
    r"|(dav|sdr|hdr|rhdr|hdrpl|cof|mde|oznor\w*|ozedf|edf|nor|ptr|vbh|btf|bty|binary comment)"
    r"|[a-z]{0,4}[_-]?\d{3,}(\.jpe?g)?",
    re.IGNORECASE,
)
"""What cameras and programs write where a person's description belongs."""

Value = TypeVar("Value")


def read_facts(
    picture: "Image", *, width: int, height: int, size_bytes: int, data: bytes = b""
) -> Facts:
    """Return the facts of an opened and loaded picture.

    `width` and `height` are pixels as a person sees it, `size_bytes` the size of the file. With
    the file's bytes, `data`, blocks of GIF and JPEG 2000 are found that Pillow passes over.
    """
    exif_block, xmp_packet = _safe(lambda: blocks(data), (b"", b""))
    exif = parsed_exif(exif_block) if exif_block else read_exif(picture)
    xmp = _safe(lambda: read_xmp(_xmp_packet(picture) or xmp_packet), Words())
    iptc = _safe(lambda: read_iptc(_iptc_block(picture)), Words())
    words = Words(
        captions=(*xmp.captions, *iptc.captions, *_png_words(picture)),
        keywords=(*xmp.keywords, *iptc.keywords),
        dates=(*xmp.dates, *iptc.dates, *_png_dates(picture)),
        camera=xmp.camera,
        place=xmp.place,
    )
    form = "JPEG" if picture.format == "MPO" else picture.format or "unknown"
    return facts_of(Facts(width, height, form, size_bytes), words, exif)


def facts_of(bare: Facts, words: Words, exif: "Exif | None" = None) -> Facts:
    """Return the facts of size and format together with what a file says: EXIF goes first for
    time, place and camera, its other blocks, `words`, for caption and keywords."""
    read = exif if exif is not None else parsed_exif(b"")
    own = _safe(lambda: exif_facts.words(read), Words())
    latitude, longitude = _safe(lambda: exif_facts.place(read), None) or words.place or (None, None)
    return replace(
        bare,
        camera=_safe(lambda: exif_facts.camera(read), None) or words.camera,
        taken_at=_safe(lambda: exif_facts.taken_at(read), None) or best_date(words.dates),
        latitude=latitude,
        longitude=longitude,
        caption=best_caption((*words.captions, *own.captions)),
        keywords=unique_keywords((*words.keywords, *own.keywords)),
    )


def read_exif(picture: "Image") -> "Exif":
    """Return the EXIF directory of a loaded picture, as much of it as can be read."""
    found = _safe(picture.getexif, parsed_exif(b""))
    return found or parsed_exif(_photoshop(picture).get(_EXIF_RESOURCE, b""))


def parsed_exif(block: bytes) -> "Exif":
    """Return the EXIF directory of a block or of a TIFF file, as much of it as can be read."""
    from PIL.Image import Exif

    exif = Exif()
    if block:
        _safe(lambda: exif.load(block), None)
    return exif


def _safe(read: Callable[[], Value], otherwise: Value) -> Value:
    """Parsers of foreign bytes raise whatever they like; none of it is worth a picture."""
    try:
        return read()
    except Exception:
        return otherwise


def _xmp_packet(picture: "Image") -> bytes:
    packet = picture.info.get("xmp") or picture.info.get("XML:com.adobe.xmp")
    packet = packet or _tiff_tags(picture).get(_XMP_TIFF, b"")
    packet = packet or _photoshop(picture).get(_XMP_RESOURCE, b"")
    return packet.encode("utf-8") if isinstance(packet, str) else bytes(packet)


def _iptc_block(picture: "Image") -> bytes:
    if resource := _photoshop(picture).get(_IPTC_RESOURCE):
        return resource
    block = _tiff_tags(picture).get(_IPTC_TIFF, b"")
    if isinstance(block, tuple) and all(isinstance(item, int) for item in block):
        return b"".join(item.to_bytes(4, "little") for item in block)
    return block if isinstance(block, bytes) else b""


def _photoshop(picture: "Image") -> dict[int, bytes]:
    """Return the resources of Photoshop by number, as a JPEG or a PSD file has them."""
    resources = picture.info.get("photoshop")
    if not isinstance(resources, dict):
        resources = {number: data for number, _, data in getattr(picture, "resources", ())}
    return {number: data for number, data in resources.items() if isinstance(data, bytes)}


def _tiff_tags(picture: "Image") -> dict[int, Any]:
    return _safe(lambda: dict(getattr(picture, "tag_v2", {})), {})


def _png_words(picture: "Image") -> list[str]:
    values = (picture.info.get(key) for key in ("Description", "Title"))
    return [str(value) for value in values if isinstance(value, str) and picture.format == "PNG"]


def _png_dates(picture: "Image") -> list[str]:
    """PNG asks for the date form of mail in "Creation Time"; many programs write ISO."""
    from email.utils import parsedate_to_datetime

    text = picture.info.get("Creation Time")
    if not isinstance(text, str):
        return []
    return [text, _safe(lambda: parsedate_to_datetime(text).isoformat(), "")]


def best_date(candidates: Iterable[str]) -> str | None:
    """Return the first that is a date of a photograph, as ISO 8601."""
    read = (exif_facts.date_time(text.strip()) for text in candidates)
    return next((date for date in read if date), None)


def best_caption(candidates: Iterable[str]) -> str | None:
    """Return the first that a person may have written, on one line."""
    cleaned = (clean(text, max_chars=_MAX_CAPTION) for text in candidates)
    return next((text for text in cleaned if text and not _JUNK.fullmatch(text)), None)


def unique_keywords(candidates: Iterable[str]) -> tuple[str, ...]:
    """Return keywords once each, ignoring case, in the order they were met."""
    kept: dict[str, str] = {}
    for candidate in candidates:
        word = clean(candidate, max_chars=_MAX_KEYWORD)
        if word:
            kept.setdefault(word.casefold(), word)
    return tuple(list(kept.values())[:_MAX_KEYWORDS])
