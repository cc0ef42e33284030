"""What each filter means, once for every store.

A filter becomes either a test of an absolute place (`path`, `ext`) or bounds on a column
(`date`, `width`, `height`). Text is compared in one Unicode form without regard to case, so
that a name typed on one system finds the file named on another.
"""

import os
import re
import unicodedata
from collections.abc import Callable

from visionquery.errors import InputError
from visionquery.query.ast import Contains, Filter, OneOf, Range

__all__ = ["COLUMNS", "date_bounds", "place_test", "size_bounds"]

COLUMNS = {"date": "taken_at", "width": "width", "height": "height"}
"""The fact that each filter with a range looks at."""

_SAME_FORMAT = {"jpeg": "jpg", "tiff": "tif", "heif": "heic"}
_AFTER_ANY_TEXT = "\U0010ffff"


def place_test(wanted: Filter) -> Callable[[str], bool]:
    """Return the test of one absolute place. Raises InputError for a test of another kind."""
    if wanted.field == "path" and isinstance(wanted.test, Contains):
        return _path_test(wanted.test.text)
    if wanted.field == "ext" and isinstance(wanted.test, OneOf):
        return _extension_test(wanted.test.values)
    raise _meaningless(wanted)


def size_bounds(wanted: Filter) -> tuple[float, float]:
    """Return the lowest and highest pixels that match. Raises InputError if not numbers."""
    if not isinstance(wanted.test, Range):
        raise _meaningless(wanted)
    low = -float("inf") if wanted.test.low is None else wanted.test.low
    high = float("inf") if wanted.test.high is None else wanted.test.high
    if isinstance(low, str) or isinstance(high, str):
        raise _meaningless(wanted)
    return low, high


def date_bounds(wanted: Filter) -> tuple[str, str]:
    """Return texts with low <= taken_at < high. Raises InputError if the bounds are numbers."""
    if not isinstance(wanted.test, Range):
        raise _meaningless(wanted)
    low = "" if wanted.test.low is None else wanted.test.low
    high = "" if wanted.test.high is None else wanted.test.high
    if not isinstance(low, str) or not isinstance(high, str):
        raise _meaningless(wanted)
    # Everything that starts with `high` sorts before `high` followed by the last character.
    return low, high + _AFTER_ANY_TEXT


def _path_test(text: str) -> Callable[[str], bool]:
    needle = _folded(text)
    if "*" not in needle and "?" not in needle:
        return lambda place: needle in _folded(place)
    pattern = re.compile("(?:.*/)?" + _glob(needle), re.DOTALL)
    return lambda place: pattern.fullmatch(_folded(place)) is not None


def _glob(text: str) -> str:
    # Runs of stars are one star: each further one would multiply the time of a failing match.
    pieces = re.split(r"(\*+|\?)", text)
    meaning = {"*": ".*", "?": "."}
    return "".join(meaning.get(piece[:1], re.escape(piece)) for piece in pieces)


def _extension_test(values: tuple[str, ...]) -> Callable[[str], bool]:
    wanted = {_one_name(value.removeprefix(".")) for value in values}

    def test(place: str) -> bool:
        name = place[place.rfind(os.sep) + 1 :]
        stem, dot, extension = name.rpartition(".")
        return bool(stem and dot) and _one_name(extension) in wanted

    return test


def _one_name(extension: str) -> str:
    folded = extension.casefold()
    return _SAME_FORMAT.get(folded, folded)


def _folded(text: str) -> str:
    if os.sep != "/":
        text = text.replace(os.sep, "/")
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def _meaningless(wanted: Filter) -> InputError:
    kind = type(wanted.test).__name__
    needs = {"path": "a text", "ext": "a list of extensions", "date": "a range of dates"}
    return InputError(
        f"The filter {wanted.field!r} cannot be tested with {kind} {wanted.test!r}: "
        f"it needs {needs.get(wanted.field, 'a range of numbers')}."
    )
