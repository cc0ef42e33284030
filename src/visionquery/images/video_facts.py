"""Facts from what the containers of videos say of them.

Sources: QuickTime File Format, "Metadata keys" and "User data atoms" (names as FFmpeg gives them);
ISO 6709:2008, annex H (places as text).
"""

import re
from collections.abc import Mapping

from visionquery.images.exif import camera_name, date_time

__all__ = ["camera_of", "format_of", "place_of", "taken_at_of"]

_APPLE, _ANDROID = "com.apple.quicktime.", "com.android."
_MAKES = (f"{_APPLE}make", f"{_ANDROID}manufacturer", "make")
_MODELS = (f"{_APPLE}model", f"{_ANDROID}model", "model")
_PLACES = (f"{_APPLE}location.ISO6709", "location", "location-eng")
_TIMES = (f"{_APPLE}creationdate", "creation_time", "date")
"""Names under which a fact may stand, best first: Apple's time has the zone, the others UTC."""

_FORMATS = {
    "mov": "MP4",
    "matroska": "MKV",
    "avi": "AVI",
    "mpegts": "MPEG-TS",
    "mpeg": "MPEG",
    "flv": "FLV",
    "asf": "WMV",
    "ogg": "OGG",
}
_PLACE = re.compile(r"([+-])(\d{2,6}(?:\.\d+)?)([+-])(\d{3,7}(?:\.\d+)?)(?:[+-].*)?/?")


def format_of(name: str, *, brand: str, head: bytes) -> str:
    """Return what people call a container of which FFmpeg knows the family `name`, a file's major
    `brand` and its first bytes."""
    family = name.split(",")[0]
    if family == "mov" and brand.startswith("qt"):
        return "MOV"
    if family == "matroska" and b"webm" in head:
        return "WEBM"
    return _FORMATS.get(family, family.upper())


def camera_of(metadata: Mapping[str, str]) -> str | None:
    """Return "Make Model" without saying the make twice."""
    return camera_name(_first(metadata, _MAKES), _first(metadata, _MODELS))


def taken_at_of(metadata: Mapping[str, str]) -> str | None:
    """Return when a video was recorded, ISO 8601 to the second, None if not known."""
    dates = (date_time(metadata.get(name, "")) for name in _TIMES)
    return next((date for date in dates if date), None)


def place_of(metadata: Mapping[str, str]) -> tuple[float, float] | None:
    """Return (latitude, longitude) in degrees, north and east positive; None if not known."""
    match = _PLACE.fullmatch((_first(metadata, _PLACES) or "").strip())
    if match is None:
        return None
    latitude = _degrees(match[1], match[2], whole=2)
    longitude = _degrees(match[3], match[4], whole=3)
    if abs(latitude) > 90 or abs(longitude) > 180 or latitude == longitude == 0.0:
        return None  # 0, 0 is what a receiver without a fix writes
    return latitude, longitude


def _degrees(sign: str, text: str, *, whole: int) -> float:
    """Read degrees of `whole` digits, followed by minutes and seconds of two where there are."""
    integer, _, part = text.partition(".")
    pieces = [integer[:whole], *re.findall(r"\d\d", integer[whole:])]
    pieces[-1] += f".{part or 0}"
    value = sum(float(piece) / 60.0**power for power, piece in enumerate(pieces))
    return round(-value if sign == "-" else value, 7)


def _first(metadata: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((metadata[name] for name in names if metadata.get(name, "").strip()), None)
