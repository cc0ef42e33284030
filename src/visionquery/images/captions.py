"""Words, dates, cameras and places from IPTC-IIM records and XMP packets.

Sources: IPTC-IIM 4.2 chapters 3 and 6 (records, data sets), Adobe XMP specification part 1
(serialization as RDF/XML) and part 2 (Dublin Core, photoshop, xmp, exif and tiff namespaces; a
GPSCoordinate is "45,26,30N" or "45,26.5N"). Programs keep hierarchies of keywords in namespaces
of their own.
"""

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from visionquery.images.exif import camera_name, place_of
from visionquery.images.text import Words, from_bytes

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

__all__ = ["read_iptc", "read_xmp"]

_MAX_XMP_BYTES = 1 << 20
_MAX_RECORDS = 2000
_UTF8_MARK = b"\x1b%G"

_ITEM = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}li"
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_DC = "{http://purl.org/dc/elements/1.1/}"
_EXIF = "{http://ns.adobe.com/exif/1.0/}"
_TIFF = "{http://ns.adobe.com/tiff/1.0/}"
_PHOTOSHOP = "{http://ns.adobe.com/photoshop/1.0/}"
_CAPTIONS = (
    f"{_DC}description", f"{_DC}title", f"{_PHOTOSHOP}Headline", f"{_TIFF}ImageDescription",
)  # fmt: skip
_KEYWORDS = (f"{_DC}subject",)
_HIERARCHIES = {
    "{http://ns.adobe.com/lightroom/1.0/}hierarchicalSubject": "|",
    "{http://www.digikam.org/ns/1.0/}TagsList": "/",
    "{http://ns.microsoft.com/photo/1.0/}LastKeywordXMP": "/",
}
"""Properties whose items are paths of keywords, and what stands between two levels."""

_DATES = (
    f"{_EXIF}DateTimeOriginal",
    f"{_PHOTOSHOP}DateCreated",
    "{http://ns.adobe.com/xap/1.0/}CreateDate",
)
_CAMERA = (f"{_TIFF}Make", f"{_TIFF}Model")
_PLACE = (f"{_EXIF}GPSLatitude", f"{_EXIF}GPSLongitude")
_READ = frozenset({*_CAPTIONS, *_KEYWORDS, *_HIERARCHIES, *_DATES, *_CAMERA, *_PLACE})

_ANGLE = re.compile(r"(\d{1,3}),(\d{1,2}(?:\.\d+)?)(?:,(\d{1,2}(?:\.\d+)?))?([NSEW])", re.ASCII)
_OWN_TAGS = "darktable"
"""The top level under which a program notes what it did."""


def read_iptc(block: bytes) -> Words:
    """Read IPTC-IIM records; what follows a broken record is not read."""
    found: dict[tuple[int, int], list[bytes]] = {}
    for record, data_set, value in _records(block):
        found.setdefault((record, data_set), []).append(value)
    utf8 = found.get((1, 90), [b""])[0] == _UTF8_MARK

    def texts(data_set: int) -> tuple[str, ...]:
        values = found.get((2, data_set), [])
        return tuple(v.decode("utf-8", "replace") if utf8 else from_bytes(v) for v in values)

    return Words(
        captions=texts(120) + texts(105) + texts(5),
        keywords=texts(25),
        dates=_iptc_dates(texts(55), texts(60)),
    )


def _records(block: bytes) -> Iterator[tuple[int, int, bytes]]:
    position = 0
    for _ in range(_MAX_RECORDS):
        head = block[position : position + 5]
        if len(head) < 5 or head[0] != 0x1C:
            return
        size = int.from_bytes(head[3:5], "big")
        position += 5
        if size & 0x8000:  # extended: these bits count the bytes of the true size
            width = size & 0x7FFF
            size = int.from_bytes(block[position : position + width], "big")
            position += width
        if position + size > len(block):
            return
        yield head[1], head[2], block[position : position + size]
        position += size


def _iptc_dates(days: tuple[str, ...], times: tuple[str, ...]) -> tuple[str, ...]:
    """Turn CCYYMMDD and HHMMSS±HHMM into one ISO text."""
    if not days or len(days[0]) != 8:
        return ()
    day = f"{days[0][:4]}-{days[0][4:6]}-{days[0][6:]}"
    if not times or len(times[0]) < 6:
        return (day,)
    time = times[0]
    return (f"{day}T{time[:2]}:{time[2:4]}:{time[4:6]}{time[6:]}", day)


def read_xmp(packet: bytes, *, max_bytes: int = _MAX_XMP_BYTES) -> Words:
    """Read an XMP packet; one that is too large, broken or declares entities says nothing."""
    if not packet or len(packet) > max_bytes:
        return Words()
    text = _xml_text(packet)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        return Words()
    from xml.etree import ElementTree

    try:
        found = _properties(ElementTree.fromstring(text))
    except (ElementTree.ParseError, ValueError):
        return Words()

    def all_of(names: Iterable[str]) -> tuple[str, ...]:
        return tuple(text for name in names for text in found.get(name, ()))

    make, model = (next(iter(all_of([name])), None) for name in _CAMERA)
    return Words(
        captions=all_of(_CAPTIONS),
        keywords=(*all_of(_KEYWORDS), *_levels(found)),
        dates=all_of(_DATES),
        camera=camera_name(make, model),
        place=_place(*(all_of([name]) for name in _PLACE)),
    )


def _xml_text(packet: bytes) -> str:
    """Decode before parsing, so that no encoding can hide a declaration."""
    wide = packet[:2] in (b"\xff\xfe", b"\xfe\xff")
    text = packet.decode("utf-16" if wide else "utf-8", errors="replace")
    return text.strip("\ufeff\0 \r\n\t")


def _properties(root: "Element") -> dict[str, list[str]]:
    """Return the values of what is read here, each written as an element or as an attribute."""
    found: dict[str, list[str]] = {}
    for element in root.iter():
        if element.tag in _READ:
            found.setdefault(element.tag, []).extend(_texts(element))
        for name in _READ.intersection(element.keys()):
            found.setdefault(name, []).append(element.get(name, ""))
    return {name: [text for text in texts if text.strip()] for name, texts in found.items()}


def _texts(element: "Element") -> list[str]:
    """Return the items of a property, the default language first, or its one value."""
    items = element.findall(f"*/{_ITEM}")  # not deeper: properties inside one another are hostile
    items.sort(key=lambda item: item.get(_LANGUAGE, "x-default") != "x-default")
    return [item.text or "" for item in items] or [element.text or ""]


def _levels(found: dict[str, list[str]]) -> Iterator[str]:
    """Return each level of each path of keywords as a keyword."""
    for name, separator in _HIERARCHIES.items():
        for path in found.get(name, ()):
            levels = path.split(separator)
            if levels[0] != _OWN_TAGS:
                yield from levels


def _place(north: tuple[str, ...], east: tuple[str, ...]) -> tuple[float, float] | None:
    angles = [_ANGLE.fullmatch(texts[0].strip()) if texts else None for texts in (north, east)]
    read = [
        (tuple(float(part) for part in angle.groups()[:3] if part), angle[4])
        for angle in angles
        if angle is not None
    ]
    return place_of(*read) if len(read) == 2 else None
