"""The values of filters: `date:2024-05..2024-08`, `width:>=1000`, `ext:jpg,png`, `path:holiday`."""

import re
from calendar import monthrange
from datetime import date, timedelta

from visionquery.errors import QueryError
from visionquery.query.ast import Contains, Filter, OneOf, Range

__all__ = ["MAX_SIDE", "read_filter"]

MAX_SIDE = 10**9
"""Largest width or height in pixels that a filter can name."""

_BOUND = re.compile(r"(>=|<=|>|<|=)?(.*)", re.DOTALL)
_DATE = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")
_NUMBER = re.compile(r"[0-9]{1,10}")
_EXTENSION = re.compile(r"\.?([^\W_]+)")
_DATE_FORMS = "a date such as 2024, 2024-05, 2024-05-01, 2024..2025 or >2024-05"
_NUMBER_FORMS = "whole pixels such as 1920, >3000, <=800 or 1000..2000"


def read_filter(field: str, value: str, *, position: int) -> Filter:
    """Return the filter that `field:value` asks for.

    `position` is the 0-based character where it stands, for errors. Raises QueryError for a
    value without meaning, a month or day that does not exist, and a range that runs backwards.
    """
    if field == "path":
        return Filter("path", Contains(value))
    if field == "ext":
        return Filter("ext", _extensions(value, position=position))
    if field == "date":
        return Filter("date", _dates(value, position=position))
    return Filter(
        "width" if field == "width" else "height", _pixels(field, value, position=position)
    )


def _extensions(value: str, *, position: int) -> OneOf:
    matches = [_EXTENSION.fullmatch(part.strip()) for part in value.split(",")]
    names = tuple(match[1].lower() for match in matches if match)
    if len(names) < len(matches):
        raise _wrong("ext", value, "file extensions such as jpg or jpg,png", position)
    return OneOf(names)


def _dates(value: str, *, position: int) -> Range:
    operator, low, high = _bounds(value)
    for bound in (low, high):
        if bound is not None and not _is_date(bound):
            raise _wrong("date", value, _DATE_FORMS, position)
    if operator == ">" and low:
        low = _shifted(low, days=1)
    if operator == "<" and high:
        high = _shifted(high, days=-1)
    if low is None and high is None:
        raise _wrong("date", value, _DATE_FORMS, position)
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


def _is_date(text: str) -> bool:
    match = _DATE.fullmatch(text)
    if match is None:
        return False
    year, month, day = (int(part) if part else 1 for part in match.groups())
    return year >= 1 and 1 <= month <= 12 and 1 <= day <= monthrange(year, month)[1]


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


def _backwards(field: str, value: str, position: int) -> QueryError:
    return QueryError(
        f"The range {field}:{value} at position {position + 1} runs backwards; "
        "write the smaller end first.",
        position=position,
        expected="low..high",
    )
