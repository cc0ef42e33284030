"""Gather what a picture file says of itself. Broken metadata gives fewer facts, never an error."""

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from visionquery.images import exif as exif_facts
from visionquery.images.captions import read_iptc, read_xmp
from visionquery.images.text import Words, clean
from visionquery.types import Facts

if TYPE_CHECKING:
    from PIL.Image import Exif, Image

__all__ = ["read_exif", "read_facts"]

_MAX_CAPTION, _MAX_KEYWORD, _MAX_KEYWORDS = 2000, 100, 100
_IPTC_TIFF, _XMP_TIFF = 33723, 700
_IPTC_RESOURCE = 0x0404

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


def read_facts(picture: "Image", *, width: int, height: int, size_bytes: int) -> Facts:
    """Return the facts of an opened and loaded picture.

    `width` and `height` are pixels as a person sees it, `size_bytes` the size of the file.
    """
    exif = read_exif(picture)
    xmp = _safe(lambda: read_xmp(_xmp_packet(picture)), Words())
    iptc = _safe(lambda: read_iptc(_iptc_block(picture)), Words())
    words = _safe(lambda: exif_facts.words(exif), Words())
    captions = (*xmp.captions, *iptc.captions, *words.captions, *_png_words(picture))
    latitude, longitude = _safe(lambda: exif_facts.place(exif), None) or (None, None)
    return Facts(
        width=width,
        height=height,
        format="JPEG" if picture.format == "MPO" else picture.format or "unknown",
        size_bytes=size_bytes,
        camera=_safe(lambda: exif_facts.camera(exif), None),
        taken_at=_safe(lambda: exif_facts.taken_at(exif), None)
        or _first_date((*xmp.dates, *iptc.dates, *_png_dates(picture))),
        latitude=latitude,
        longitude=longitude,
        caption=_first_caption(captions),
        keywords=_unique((*xmp.keywords, *iptc.keywords, *words.keywords)),
    )


def read_exif(picture: "Image") -> "Exif":
    """Return the EXIF directory of a loaded picture, as much of it as can be read."""
    from PIL.Image import Exif

    return _safe(picture.getexif, Exif())


def _safe(read: Callable[[], Value], otherwise: Value) -> Value:
    """Parsers of foreign bytes raise whatever they like; none of it is worth a picture."""
    try:
        return read()
    except Exception:
        return otherwise


def _xmp_packet(picture: "Image") -> bytes:
    packet = picture.info.get("xmp") or picture.info.get("XML:com.adobe.xmp")
    packet = packet or _tiff_tags(picture).get(_XMP_TIFF, b"")
    return packet.encode("utf-8") if isinstance(packet, str) else bytes(packet)


def _iptc_block(picture: "Image") -> bytes:
    resources = picture.info.get("photoshop")
    if isinstance(resources, dict):
        return bytes(resources.get(_IPTC_RESOURCE, b""))
    block = _tiff_tags(picture).get(_IPTC_TIFF, b"")
    if isinstance(block, tuple) and all(isinstance(item, int) for item in block):
        return b"".join(item.to_bytes(4, "little") for item in block)
    return block if isinstance(block, bytes) else b""


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


def _first_date(candidates: Iterable[str]) -> str | None:
    read = (exif_facts.date_time(text.strip()) for text in candidates)
    return next((date for date in read if date), None)


def _first_caption(candidates: Iterable[str]) -> str | None:
    cleaned = (clean(text, max_chars=_MAX_CAPTION) for text in candidates)
    return next((text for text in cleaned if text and not _JUNK.fullmatch(text)), None)


def _unique(candidates: Iterable[str]) -> tuple[str, ...]:
    """Return keywords once each, ignoring case, in the order they were met."""
    kept: dict[str, str] = {}
    for candidate in candidates:
        word = clean(candidate, max_chars=_MAX_KEYWORD)
        if word:
            kept.setdefault(word.casefold(), word)
    return tuple(list(kept.values())[:_MAX_KEYWORDS])
