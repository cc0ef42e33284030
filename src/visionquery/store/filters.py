"""What each filter means, once for every store.

A filter of words becomes patterns, of which one must fit; of numbers or dates, bounds; `near` a
circle on the Earth. Which fact each of them looks at is the store's to know.
"""

from visionquery.errors import InputError
from visionquery.query.ast import Contains, Filter, Near, OneOf, Range
from visionquery.store.folding import Pattern, folded, folded_place, with_single_spaces

__all__ = ["circle", "date_bounds", "orientations", "patterns", "size_bounds"]

_NEEDS = {
    "path": "a text",
    "camera": "a text",
    "text": "a text",
    "ext": "a list of extensions",
    "keyword": "a list of keywords",
    "orientation": "a list of landscape, portrait and square",
    "date": "a range of dates",
    "near": "a point and a distance",
}
_SAME_FORMAT = (frozenset({"jpg", "jpeg"}), frozenset({"tif", "tiff"}), frozenset({"heic", "heif"}))
_ORIENTATIONS = frozenset({"landscape", "portrait", "square"})
_AFTER_ANY_TEXT = "\U0010ffff"


def patterns(wanted: Filter) -> tuple[Pattern, ...]:
    """Return what a text must fit, one of it: the camera, a keyword, the text read (its white
    space as single spaces), or for `path` and `ext` an absolute place, each folded.

    Raises InputError for a test of another kind.
    """
    match wanted:
        case Filter("path", Contains(text)):
            return _place_patterns(folded_place(text))
        case Filter("ext", OneOf(values)):
            return _extension_patterns(values)
        case Filter("camera", Contains(text)):
            return (Pattern("glob" if _is_glob(text) else "part", folded(text)),)
        case Filter("keyword", OneOf(values)):
            return tuple(
                Pattern("glob" if _is_glob(value) else "whole", folded(value)) for value in values
            )
        case Filter("text", Contains(text)):
            return (Pattern("part", with_single_spaces(folded(text))),)
    raise _meaningless(wanted)


def orientations(wanted: Filter) -> frozenset[str]:
    """Return which of landscape (wider than high), portrait and square match.

    Raises InputError when something else is asked for.
    """
    if isinstance(wanted.test, OneOf):
        asked = frozenset(folded(value) for value in wanted.test.values)
        if asked <= _ORIENTATIONS:
            return asked
    raise _meaningless(wanted)


def circle(wanted: Filter) -> Near:
    """Return the circle that places must lie in. Raises InputError for a test of another kind."""
    if not isinstance(wanted.test, Near):
        raise _meaningless(wanted)
    return wanted.test


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


def _place_patterns(text: str) -> tuple[Pattern, ...]:
    if not _is_glob(text):
        return (Pattern("part", text),)
    # The whole place, or what follows any of its folders.
    return (Pattern("glob", text), Pattern("glob", f"*/{text}"))


def _extension_patterns(values: tuple[str, ...]) -> tuple[Pattern, ...]:
    names = {folded(value.removeprefix(".")) for value in values}
    for same in _SAME_FORMAT:
        if names & same:
            names |= same
    # What has a dot or a separator in it is no extension, and would fit the end of a name.
    return tuple(
        Pattern("extension", f".{name}")
        for name in sorted(names)
        if name and not {".", "/"} & set(name)
    )


def _is_glob(text: str) -> bool:
    return "*" in text or "?" in text


def _meaningless(wanted: Filter) -> InputError:
    kind = type(wanted.test).__name__
    return InputError(
        f"The filter {wanted.field!r} cannot be tested with {kind} {wanted.test!r}: "
        f"it needs {_NEEDS.get(wanted.field, 'a range of numbers')}."
    )
