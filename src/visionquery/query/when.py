"""Dates as people say them ("last summer"), turned into the calendar dates that `date:` takes."""

import re
from datetime import date, timedelta
from typing import Final

__all__ = ["calendar_dates"]

_SEASONS: Final = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}
"""The month in which each season of the northern half of the Earth begins; each has three."""

_DAYS: Final = {"today": 0, "tonight": 0, "yesterday": -1}
_PERIOD: Final = re.compile(
    rf"(?:(last|past|this|the|in) )*(week|weekend|month|year|{'|'.join(_SEASONS)})(?: (\d{{4}}))?"
)
_LATEST: Final = re.compile(r"(?:(?:the|in|last|past) )+([0-9]{1,4}) (day|week|month|year)s?")
_AGO: Final = re.compile(r"([0-9]{1,4}|a|an|one) (day|week|month|year)s? ago")


def calendar_dates(words: str, today: date) -> str | None:
    """Return a value of `date:` for `words` as seen from `today`, None if they are not known.

    "last summer" is the last one that is over, "summer" the last one that has begun.
    """
    spoken = " ".join(words.lower().split())
    try:
        if spoken in _DAYS:
            return (today + timedelta(days=_DAYS[spoken])).isoformat()
        if match := _PERIOD.fullmatch(spoken):
            return _period(match[2], today, which=match[1] or "", year=match[3])
        if match := _LATEST.fullmatch(spoken):
            return f">={_before(today, int(match[1]), match[2])}"
        if match := _AGO.fullmatch(spoken):
            count = int(match[1]) if match[1].isdigit() else 1
            return _before(today, count, match[2])
    except (OverflowError, ValueError):
        return None  # a day outside the calendar
    return None


def _period(name: str, today: date, *, which: str, year: str | None) -> str | None:
    is_last = which in ("last", "past")
    if name in _SEASONS:
        return _season(_SEASONS[name], today, is_last=is_last, year=year)
    if year is not None:
        return None
    if name == "year":
        return f"{today.year - is_last:04}"
    if name == "month":
        return _before(today, int(is_last), "month")
    monday = today - timedelta(days=today.weekday() + 7 * is_last)
    first = monday + timedelta(days=5 if name == "weekend" else 0)
    return f"{first}..{monday + timedelta(days=6)}"


def _season(month: int, today: date, *, is_last: bool, year: str | None) -> str:
    """Return the three months of the season that begins in `month`, in `year` or most lately."""
    if year is not None:
        first = date(int(year), month, 1)
    else:
        latest = _months_after(today.replace(day=1), -3) if is_last else today
        first = max(
            start
            for start in (date(latest.year - back, month, 1) for back in (0, 1))
            if start <= latest
        )
    return f"{_month(first)}..{_month(_months_after(first, 2))}"


def _before(today: date, count: int, unit: str) -> str:
    """Return the day, month or year that was `count` units ago; a week is named by its day."""
    if unit in ("day", "week"):
        return (today - timedelta(days=count * (7 if unit == "week" else 1))).isoformat()
    if unit == "year":
        return f"{date(today.year - count, 1, 1).year:04}"
    return _month(_months_after(today.replace(day=1), -count))


def _months_after(first: date, count: int) -> date:
    months = first.year * 12 + first.month - 1 + count
    return date(months // 12, months % 12 + 1, 1)


def _month(day: date) -> str:
    return day.isoformat()[:7]
