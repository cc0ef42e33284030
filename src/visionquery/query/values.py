"""The values of fields: `date:2024-05..2024-08`, `width:>=1000`, `ext:jpg,png`, `path:holiday`,
and the part of an image in `like:3f9a@10,20,30,40`."""

import re
from calendar import monthrange
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final, get_args

from visionquery.errors import QueryError
from visionquery.query.ast import Box, Contains, Field, Filter, Like, Near, OneOf, Range
from visionquery.query.when import calendar_dates

__all__ = ["MAX_KM", "MAX_SIDE", "ORIENTATIONS", "read_filter", "read_like"]

MAX_SIDE: Final = 10**9
"""Largest width or height in pixels that a filter can name."""

MAX_KM: Final = 20038.0
"""Half way around the equator, in kilometres: no two places are further apart."""

ORIENTATIONS: Final = ("landscape", "portrait", "square")

_BOUND = re.compile(r"(>=|<=|>|<|=)?(.*)", re.DOTALL)
_DATE = re.compile(r"([0-9]{4})(?:([-/])([0-9]{1,2})(?:\2([0-9]{1,2}))?)?")
_NUMBER = re.compile(r"[0-9]{1,10}")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]{1,20}(?:\.[0-9]{0,20})?|\.[0-9]{1,20})")
_EXTENSION = re.compile(r"\.?([^\W_]+)")
_DATE_FORMS = "a date such as 2024, 2024-05, 2024-05-01, 2024..2025 or >2024-05"
_NUMBER_FORMS = "whole pixels such as 1920, >3000, <=800 or 1000..2000"
_PLACE_FORMS = (
    "latitude,longitude,kilometres in decimal degrees and without spaces, such as 52.52,13.40,5km"
)

_BOX_FORMS = (
    "like:ID@LEFT,TOP,WIDTH,HEIGHT in percent and without spaces, such as like:3f9a@10,20,30,40.5"
)
_ROUNDED = 1e-6
"""By how many percent a part may end outside of its picture: sums of decimals are rounded."""


def read_like(value: str, *, weight: float, position: int) -> Like:
    """Return the image, or the part of one, that `like:value` names.

    `position` is the 0-based character where it stands. A comma at the end belongs to the sentence.
    Raises QueryError for a part without an image, for what is not four numbers and for a part that
    is empty or not inside of its picture.
    """
    value = value.rstrip(",;") or value
    image_id, has_part, part = value.partition("@")
    if not has_part:
        return Like(image_id, weight)
    numbers = [number.strip() for number in part.split(",")]
    is_read = len(numbers) == 4 and all(_DECIMAL.fullmatch(number) for number in numbers)
    if not is_read or not image_id.strip():
        raise _wrong("like", value, _BOX_FORMS, position)
    left, top, width, height = (float(number) for number in numbers)
    for name, start, length in (("width", left, width), ("height", top, height)):
        if start < 0 or length <= 0 or start + length > 100 + _ROUNDED:
            raise QueryError(
                f"like:{value} at position {position + 1} is no part of a picture: its {name} runs "
                f"from {start:g} to {start + length:g}; write percent from 0 to 100, and a {name} "
                "of more than 0.",
                position=position,
                expected="a part of a picture, inside 0 to 100 percent and larger than 0",
            )
    return Like(image_id, weight, Box(left, top, width, height))


def read_filter(field: str, value: str, *, position: int, following: Sequence[str] = ()) -> Filter:
    """Return the filter that `field:value` asks for.

    `position` is the 0-based character where it stands and `following` the words after it, both
    for errors. Raises QueryError for a value without meaning, a month, day or place that does not
    exist, and a range that runs backwards.
    """
    match field:
        case "path" | "camera" | "text":
            return Filter(field, Contains(value))
        case "ext":
            return Filter("ext", _extensions(value, position=position))
        case "orientation":
            return Filter("orientation", _orientations(value, position=position))
        case "keyword":
            return Filter("keyword", _keywords(value, position=position))
        case "date":
            return Filter("date", _dates(value, position=position, following=following))
        case "near":
            return Filter("near", _place(value, position=position))
        case "width" | "height":
            return Filter(field, _pixels(field, value, position=position))
    raise ValueError(f"{field!r} is no filter; filters are {', '.join(get_args(Field))}")


def _extensions(value: str, *, position: int) -> OneOf:
    matches = [_EXTENSION.fullmatch(part.strip()) for part in value.split(",")]
    names = tuple(match[1].lower() for match in matches if match)
    if len(names) < len(matches):
        raise _wrong("ext", value, "file extensions such as jpg or jpg,png", position)
    return OneOf(names)


def _orientations(value: str, *, position: int) -> OneOf:
    names = tuple(part.strip().lower() for part in value.split(","))
    if not set(names) <= set(ORIENTATIONS):
        raise _wrong("orientation", value, f"one or more of {','.join(ORIENTATIONS)}", position)
    return OneOf(names)


def _keywords(value: str, *, position: int) -> OneOf:
    words = tuple(part.strip() for part in value.split(","))
    if not all(words):
        raise _wrong("keyword", value, "keywords such as sunset or sunset,beach", position)
    return OneOf(words)


def _place(value: str, *, position: int) -> Near:
    parts = [part.strip() for part in value.split(",")]
    if len(parts) == 3:
        parts[2] = parts[2].lower().removesuffix("km").strip()
    if len(parts) != 3 or not all(_DECIMAL.fullmatch(part) for part in parts):
        raise _wrong("near", value, _PLACE_FORMS, position)
    latitude, longitude, km = (float(part) for part in parts)
    for name, number, low, high in (
        ("latitude", latitude, -90.0, 90.0),
        ("longitude", longitude, -180.0, 180.0),
        ("distance", km, 0.0, MAX_KM),
    ):
        if not low <= number <= high or (name == "distance" and number == 0):
            unit = "degrees" if name != "distance" else "km, and more than 0"
            raise QueryError(
                f"near:{value} at position {position + 1} has the {name} {number:g}; "
                f"write {low:g} to {high:g} {unit}.",
                position=position,
                expected=f"a {name} from {low:g} to {high:g}",
            )
    return Near(latitude, longitude, km)


def _dates(value: str, *, position: int, following: Sequence[str]) -> Range:
    operator, low_text, high_text = _bounds(value)
    low, high = (None if text is None else _iso(text) for text in (low_text, high_text))
    if "" in (low, high) or low is high is None:
        raise _no_date(value, following, position)
    if operator == ">" and low:
        low = _shifted(low, days=1)
    if operator == "<" and high:
        high = _shifted(high, days=-1)
    if low is None and high is None:
        raise _wrong("date", value, _DATE_FORMS, position)  # outside the calendar
    # The prefix rule: "2024-05..2024" is May to the end of the year, so compare what both have.
    if low is not None and high is not None and low[: len(high)] > high:
        raise _backwards("date", value, position)
    return Range(low, high)


def _pixels(field: str, value: str, *, position: int) -> Range:
    operator, low_text, high_text = _bounds(value)
    for bound in (low_text, high_text):
        if bound is not None and (not _NUMBER.fullmatch(bound) or int(bound) > MAX_SIDE):
            raise _wrong(field, value, _NUMBER_FORMS, position)
    low = None if low_text is None else int(low_text) + (operator == ">")
    high = None if high_text is None else int(high_text) - (operator == "<")
    if (low is None and high is None) or (high is not None and high < 0):
        raise _wrong(field, value, _NUMBER_FORMS, position)
    if low is not None and high is not None and low > high:
        raise _backwards(field, value, position)
    return Range(low, high)


def _bounds(value: str) -> tuple[str, str | None, str | None]:
    """Split a value into its operator and its two ends; None is open."""
    match = _BOUND.fullmatch(value.strip())
    assert match is not None, "the pattern takes any text"
    operator, rest = match[1] or "", match[2].strip()
    if not operator and ".." in rest:
        low, _, high = rest.partition("..")
        return "..", low.strip() or None, high.strip() or None
    if operator in (">", ">="):
        return operator, rest, None
    if operator in ("<", "<="):
        return operator, None, rest
    return "=", rest, rest


def _iso(text: str) -> str:
    """Return a year, month or day in ISO form, the empty text if it is none of them."""
    match = _DATE.fullmatch(text)
    if match is None:
        return ""
    year, month, day = (int(part) if part else 1 for part in match.group(1, 3, 4))
    if year < 1 or not 1 <= month <= 12 or not 1 <= day <= monthrange(year, month)[1]:
        return ""
    return f"{year:04}-{month:02}-{day:02}"[: 10 if match[4] else 7 if match[3] else 4]


def _shifted(text: str, *, days: int) -> str | None:
    """Return the year, month or day after (`days` 1) or before (-1); None outside the calendar."""
    year, month, day = (int(part) for part in (text + "-01-01")[:10].split("-"))
    if days > 0 and len(text) < 10:
        month, day = (12 if len(text) == 4 else month), 31
        day = monthrange(year, month)[1]
    try:
        return (date(year, month, day) + timedelta(days=days)).isoformat()[: len(text)]
    except OverflowError:
        return None


def _wrong(field: str, value: str, expected: str, position: int) -> QueryError:
    return QueryError(
        f"{field}:{value} at position {position + 1} cannot be understood; write {expected}.",
        position=position,
        expected=expected,
    )


def _no_date(value: str, following: Sequence[str], position: int) -> QueryError:
    """Return the error for a value that is no date; it translates what people say for dates."""
    for count in range(len(following), -1, -1):
        spoken = " ".join([value.lstrip("<=>"), *following[:count]]).rstrip(",.;!?")
        if dates := calendar_dates(spoken, date.today()):
            return QueryError(
                f"date: takes calendar dates; for {spoken} write date:{dates} "
                f"(position {position + 1}).",
                position=position,
                expected=_DATE_FORMS,
            )
    return _wrong("date", value, _DATE_FORMS, position)


def _backwards(field: str, value: str, position: int) -> QueryError:
    return QueryError(
        f"The range {field}:{value} at position {position + 1} runs backwards; "
        "write the smaller end first.",
        position=position,
        expected="low..high",
    )
