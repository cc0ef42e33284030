"""Filters and words as tests of records, for stores that look at one image after another."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from visionquery.query.ast import Filter, Near
from visionquery.store.base import ImageRecord
from visionquery.store.earth import kilometres
from visionquery.store.filters import circle, date_bounds, orientations, patterns, size_bounds
from visionquery.store.folding import folded, folded_place, with_single_spaces
from visionquery.store.words import holds, image_words, name_words
from visionquery.types import Facts

__all__ = ["Test", "holds_phrase", "record_test"]

Test = Callable[[ImageRecord, Sequence[str]], bool]
"""A test of a record, and of the absolute paths that filters compare of it."""


def record_test(wanted: Filter) -> Test:
    """Return the test that a filter is. Raises InputError when its test is not one for its
    field."""
    match wanted.field:
        case "path" | "ext" | "camera" | "keyword" | "text":
            asked = patterns(wanted)
            return lambda record, paths: any(
                pattern.fits(text)
                for text in _texts(record, paths, wanted.field)
                for pattern in asked
            )
        case "orientation":
            kinds = orientations(wanted)
            return lambda record, _: _orientation(record.facts) in kinds
        case "near":
            around = circle(wanted)
            return lambda record, _: _is_near(record.facts, around)
        case "date":
            first, end = date_bounds(wanted)
            return lambda record, _: (
                record.facts.taken_at is not None and first <= record.facts.taken_at < end
            )
        case "width" | "height":
            low, high = size_bounds(wanted)
            field = wanted.field
            return lambda record, _: low <= getattr(record.facts, field) <= high


def holds_phrase(
    facts: Facts, paths: Sequence[str], folders: Iterable[str], text: str | None, phrase: str
) -> bool:
    """Return whether an image with these paths below its roots, which have these names, has the
    words of a phrase in a row."""
    words = image_words(facts.caption, facts.keywords, paths, text)
    texts = [words, *(each for folder in folders for each in name_words(folder))]
    return any(holds(text, phrase) for text in texts)


def _texts(record: ImageRecord, paths: Sequence[str], field: str) -> list[str]:
    """Return the folded texts of an image that a filter of words looks at."""
    if field == "keyword":
        return [folded(keyword) for keyword in record.facts.keywords]
    if field == "camera":
        return [] if record.facts.camera is None else [folded(record.facts.camera)]
    if field == "text":
        return [] if record.text is None else [with_single_spaces(folded(record.text))]
    return [folded_place(path) for path in paths]


def _orientation(facts: Facts) -> str:
    if facts.width == facts.height:
        return "square"
    return "landscape" if facts.width > facts.height else "portrait"


def _is_near(facts: Facts, around: Near) -> bool:
    if facts.latitude is None or facts.longitude is None:
        return False
    (km,) = kilometres(around, np.array([facts.latitude]), np.array([facts.longitude]))
    return bool(km <= around.km)
