"""Facts from EXIF: camera, time, place and the words that some programs leave there.

Source of tag numbers and of the forms of values: Exif 2.32 (CIPA DC-008), sections 4.6.4 to
4.6.6; the XP tags are Microsoft's.
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from visionquery.images.text import Words, clean, from_bytes

if TYPE_CHECKING:
    from PIL.Image import Exif

__all__ = [
    "camera",
    "camera_name",
    "date_time",
    "orientation",
    "place",
    "place_of",
    "taken_at",
    "words",
]

_MAKE, _MODEL, _ORIENTATION = 0x010F, 0x0110, 0x0112
_DATE_TIME, _DESCRIPTION = 0x0132, 0x010E
_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
_TITLE, _COMMENT, _KEYWORDS, _SUBJECT = 0x9C9B, 0x9C9C, 0x9C9E, 0x9C9F
_TIMES = ((0x9003, 0x9011), (0x9004, 0x9012), (_DATE_TIME, 0x9010))
"""Tags of a time and of its offset: original, digitized, last changed; best first."""

_DATE = re.compile(
    r"\s*(\d{4})[:/.-](\d\d?)[:/.-](\d\d?)"
    r"(?:[T ]+(\d\d?):(\d\d)(?::(\d\d))?(?:[.,]\d+)?\s*(Z|[+-]\d\d:?\d\d)?)?"
)
_FIRST_YEAR = 1826  # of the oldest photograph that is left
_EARLIEST_NOW = datetime(2026, 1, 1)
"""What a clock that says less has not been set to: small machines start with none in 1970."""

_UNSET_CLOCKS = ("1904-01-01T00:00:00", "1970-01-01T00:00:00")


def orientation(exif: "Exif") -> int:
    """Return the orientation mark, 1..8; 1 (upright) when there is none or it has no meaning."""
    value = exif.get(_ORIENTATION)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def camera(exif: "Exif") -> str | None:
    """Return "Make Model" without saying the make twice; None if not known."""
    return camera_name(_text(exif.get(_MAKE)), _text(exif.get(_MODEL)))


def camera_name(make: str | None, model: str | None) -> str | None:
    """Join who made a camera and what it is called, if that does not say who made it."""
    if make and model and model.casefold().startswith(make.split()[0].casefold()):
        make = None
    return clean(" ".join(part for part in (make, model) if part), max_chars=100)


def taken_at(exif: "Exif") -> str | None:
    """Return when the picture was taken, ISO 8601 to the second, None if not known."""
    details = _directory(exif, _EXIF_IFD)
    for tags in _TIMES:
        text, offset = (_text(details.get(tag, exif.get(tag))) for tag in tags)
        found = date_time(f"{text}{offset or ''}") or date_time(text or "")
        if found is not None:
            return found
    return None


def date_time(text: str) -> str | None:
    """Read a date as EXIF, XMP or ISO write it; None when it cannot be one of a photograph.

    A date without a time stays a date.
    """
    match = _DATE.fullmatch(text.rstrip("\0 "))
    if match is None:
        return None
    *numbers, offset = match.groups()
    try:
        year, month, day, hour, minute, second = (int(number or 0) for number in numbers)
        when = datetime(year, month, day, hour, minute, second)
    except ValueError:
        return None
    if when.year < _FIRST_YEAR or when > _tomorrow() or when.isoformat() in _UNSET_CLOCKS:
        return None
    if numbers[3] is None:
        return when.date().isoformat()
    return when.isoformat() + _offset(offset)


def _tomorrow() -> datetime:
    """A clock ahead of this one by a time zone is right, by a year it is not."""
    now = datetime.now(UTC).replace(tzinfo=None)
    return max(now, _EARLIEST_NOW) + timedelta(days=1)


def _offset(text: str | None) -> str:
    if text is None or text == "Z":
        return "+00:00" if text else ""
    hours, minutes = int(text[1:3]), int(text[-2:])
    return f"{text[0]}{hours:02}:{minutes:02}" if hours <= 14 and minutes < 60 else ""


def place(exif: "Exif") -> tuple[float, float] | None:
    """Return (latitude, longitude) in degrees, north and east positive; None if not known."""
    gps = _directory(exif, _GPS_IFD)
    return place_of((gps.get(2), gps.get(1)), (gps.get(4), gps.get(3)))


def place_of(north: tuple[Any, Any], east: tuple[Any, Any]) -> tuple[float, float] | None:
    """Return the place of two angles, each a row of degrees, minutes and seconds with the letter
    of its side; None when there is no such place."""
    latitude = _degrees(*north, negative="S", limit=90.0)
    longitude = _degrees(*east, negative="W", limit=180.0)
    if latitude is None or longitude is None or latitude == longitude == 0.0:
        return None  # 0, 0 is what a receiver without a fix writes
    return latitude, longitude


def _degrees(parts: Any, side: Any, *, negative: str, limit: float) -> float | None:
    if not isinstance(parts, tuple) or not 1 <= len(parts) <= 3:
        return None
    try:
        total = math.fsum(float(part) / 60.0**power for power, part in enumerate(parts))
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    if not math.isfinite(total) or not 0.0 <= total <= limit:
        return None
    below_zero = (_text(side) or "").upper().startswith(negative)
    return round(-total if below_zero else total, 7)


def words(exif: "Exif") -> Words:
    """Return the captions and keywords as written, best caption first."""
    wide = (_wide_text(exif.get(tag)) for tag in (_SUBJECT, _TITLE, _COMMENT))
    captions = (_text(exif.get(_DESCRIPTION)), *wide)
    return Words(
        captions=tuple(text for text in captions if text),
        keywords=tuple((_wide_text(exif.get(_KEYWORDS)) or "").split(";")),
    )


def _directory(exif: "Exif", tag: int) -> Mapping[int, Any]:
    """Return a nested directory; a broken one is empty."""
    try:
        return exif.get_ifd(tag)
    except Exception:  # whatever broken offsets make the parser do, the rest is still good
        return {}


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        value = _as_written(value)
    if not isinstance(value, bytes):
        return None
    return from_bytes(value.split(b"\0")[0]).strip() or None


def _as_written(text: str) -> bytes:
    """Undo the reading as Latin-1 of text that most programs write as UTF-8."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", errors="ignore")


def _wide_text(value: Any) -> str | None:
    """Microsoft's tags hold UTF-16 in a row of bytes."""
    if isinstance(value, tuple) and all(isinstance(item, int) for item in value):
        value = bytes(item & 0xFF for item in value)
    if not isinstance(value, bytes):
        return None
    return value.decode("utf-16-le", errors="ignore").split("\0")[0].strip() or None
