"""Words and dates from IPTC-IIM records and XMP packets.

Sources: IPTC-IIM 4.2 chapters 3 and 6 (records, data sets), Adobe XMP specification part 1
(serialization as RDF/XML) and part 2 (Dublin Core, photoshop, xmp and exif namespaces).
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from visionquery.images.text import Words, from_bytes

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

__all__ = ["read_iptc", "read_xmp"]

_MAX_XMP_BYTES = 1 << 20
_MAX_RECORDS = 2000
_UTF8_MARK = b"\x1b%G"

_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_DATES = (
    "{http://ns.adobe.com/exif/1.0/}DateTimeOriginal",
    "{http://ns.adobe.com/photoshop/1.0/}DateCreated",
    "{http://ns.adobe.com/xap/1.0/}CreateDate",
)


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


def read_xmp(packet: bytes) -> Words:
    """Read an XMP packet; one that is too large, broken or declares entities says nothing."""
    if not packet or len(packet) > _MAX_XMP_BYTES:
        return Words()
    text = _xml_text(packet)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        return Words()
    from xml.etree import ElementTree

    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError):
        return Words()
    return Words(
        captions=(*_items(root, f"{_DC}description"), *_items(root, f"{_DC}title")),
        keywords=tuple(_items(root, f"{_DC}subject")),
        dates=tuple(text for name in _DATES for text in _values(root, name)),
    )


def _xml_text(packet: bytes) -> str:
    """Decode before parsing, so that no encoding can hide a declaration."""
    wide = packet[:2] in (b"\xff\xfe", b"\xfe\xff")
    text = packet.decode("utf-16" if wide else "utf-8", errors="replace")
    return text.strip("\ufeff\0 \r\n\t")


def _items(root: "Element", name: str) -> list[str]:
    """Return the texts of a property's list, the default language first."""
    items = [item for holder in root.iter(name) for item in holder.iter(f"{_RDF}li")]
    items.sort(key=lambda item: item.get(_LANGUAGE, "x-default") != "x-default")
    return [item.text for item in items if item.text and item.text.strip()] or list(
        _values(root, name)
    )


def _values(root: "Element", name: str) -> Iterator[str]:
    """Return a simple property, written as an element or as an attribute."""
    for element in root.iter():
        text = element.text if element.tag == name else element.get(name)
        if text and text.strip():
            yield text
