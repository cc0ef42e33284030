"""Filters, places and words as conditions of Qdrant.

A condition is data in the form of Qdrant's JSON. Not every filter can be said in it: for each there
is a condition that holds for all images that are meant and perhaps for others (not `certain`), and
one that holds for none but these (`certain`), which is what NOT turns into the first kind.

Source: https://qdrant.tech/documentation/concepts/filtering/
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from visionquery.query.ast import And, Arranged, Blend, Filter, Node, Not, Or
from visionquery.store.base import Root, Scope
from visionquery.store.earth import box_around
from visionquery.store.filters import circle, date_bounds, orientations, patterns, size_bounds
from visionquery.store.folding import Pattern, folded, folded_place
from visionquery.store.places import absolute
from visionquery.store.qd.spelling import scope_key
from visionquery.store.words import holds, name_words

__all__ = [
    "ALL",
    "NOTHING",
    "Condition",
    "Known",
    "any_of",
    "between",
    "every",
    "grams",
    "moment",
    "no",
    "one_of",
]

Condition = dict[str, Any]
"""A filter as Qdrant's JSON has it."""

ALL: Condition = {}
NOTHING: Condition = {"must": [{"has_id": []}]}

_MOMENT = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)([+-]\d\d:\d\d|Z)?", re.ASCII)
_BOUND = re.compile(r"\d{4}(-\d\d(-\d\d(T\d\d(:\d\d(:\d\d)?)?)?)?)?", re.ASCII)
_DIGITS = 14
_AFTER_ANY_TEXT = "\U0010ffff"
_LENGTH = 3


def every(conditions: Sequence[Condition]) -> Condition:
    """Return the condition that all hold."""
    if NOTHING in conditions:
        return NOTHING
    parts = [each for each in conditions if each != ALL]
    return parts[0] if len(parts) == 1 else {"must": parts} if parts else ALL


def any_of(conditions: Sequence[Condition]) -> Condition:
    """Return the condition that at least one holds."""
    if ALL in conditions:
        return ALL
    parts = [each for each in conditions if each != NOTHING]
    return parts[0] if len(parts) == 1 else {"should": parts} if parts else NOTHING


def no(condition: Condition) -> Condition:
    """Return the condition that one does not hold."""
    if condition in (ALL, NOTHING):
        return NOTHING if condition == ALL else ALL
    return {"must_not": [condition]}


def one_of(field: str, values: Sequence[str]) -> Condition:
    """Return the condition that a field has one of these values."""
    return {"must": [{"key": field, "match": {"any": list(values)}}]} if values else NOTHING


def between(field: str, **bounds: float) -> Condition:
    """Return the condition that a number lies between bounds: `gte`, `lte`, `gt`, `lt`."""
    finite = {key: value for key, value in bounds.items() if abs(value) != float("inf")}
    # Without bounds, every image has the number.
    return {"must": [{"key": field, "range": finite}]} if finite else ALL


def moment(taken_at: str | None) -> int | None:
    """Return a time as a number that rises with it; None for what is no time to the second."""
    found = _MOMENT.fullmatch(taken_at or "")
    return int("".join(found.groups()[:6])) if found else None


def grams(text: str) -> set[str]:
    """Return all that three characters of a text in a row are."""
    return {text[at : at + _LENGTH] for at in range(len(text) - _LENGTH + 1)}


@dataclass(frozen=True, slots=True)
class Known:
    """What conditions follow from beside what is asked: the roots, and `values`, which gives all
    that a field holds, None where that is too much."""

    roots: Sequence[Root]
    values: Callable[[str], Sequence[str] | None]

    def of_tree(self, node: Node, *, certain: bool = False) -> Condition:
        """Return the condition of a tree of filters. Raises InputError when a test is not one for
        its field."""
        match node:
            case Filter():
                return self.of_filter(node, certain=certain)
            case Not(part):
                return no(self.of_tree(part, certain=not certain))
            case And(parts):
                return every([self.of_tree(part, certain=certain) for part in parts])
            case Or(parts):
                return any_of([self.of_tree(part, certain=certain) for part in parts])
            case Blend() | Arranged():
                raise AssertionError("a description has no truth, only odds")

    def of_filter(self, wanted: Filter, *, certain: bool = False) -> Condition:
        """Return the condition of a filter."""
        match wanted.field:
            case "width" | "height":
                low, high = size_bounds(wanted)
                return between(f"facts.{wanted.field}", gte=low, lte=high)
            case "orientation":
                return one_of("orientation", sorted(orientations(wanted)))
            case "ext":
                return one_of("types", [each.text.removeprefix(".") for each in patterns(wanted)])
            case "camera":
                return self._of_values("facts.camera", patterns(wanted), certain=certain)
            case "keyword":
                return self._of_values("keywords", patterns(wanted), certain=certain)
            case "date":
                return _of_dates(*date_bounds(wanted), certain=certain)
            case "near":
                box = box_around(circle(wanted))
                inside = between("facts.latitude", gte=box.south, lte=box.north)
                aside = [between("facts.longitude", gte=w, lte=e) for w, e in box.stretches]
                return NOTHING if certain else every([inside, any_of(aside)])
            case "path":
                asked = patterns(wanted)
                return any_of([self._of_place(each, certain=certain) for each in asked])
            case "text":
                (pattern,) = patterns(wanted)
                read = one_of("read", ["yes"])
                return NOTHING if certain else every([read, _with_grams([pattern.text])])

    def of_scopes(self, scopes: Sequence[Scope]) -> Condition:
        """Return the condition that an image is at or below one of these."""
        return one_of("lineage", [scope_key(scope) for scope in scopes])

    def of_phrase(self, phrase: str) -> Condition:
        """Return a condition that holds for all images with the words of a phrase in a row, and for
        others that have them apart."""
        if not phrase:
            return NOTHING
        named = [
            scope_key(Scope(root.root_id))
            for root in self.roots
            if any(holds(words, phrase) for words in name_words(PurePath(root.location).name))
        ]
        words = [one_of("words", [word]) for word in dict.fromkeys(phrase.split())]
        return any_of([every(words), one_of("lineage", named)])

    def _of_values(
        self, field: str, asked: Sequence[Pattern], *, certain: bool
    ) -> Condition:
        if all(pattern.kind == "whole" for pattern in asked):
            return one_of(field, [pattern.text for pattern in asked])
        known = self.values(field)
        if known is None:
            return NOTHING if certain else ALL
        return one_of(
            field, [each for each in known if any(one.fits(folded(each)) for one in asked)]
        )

    def _of_place(self, pattern: Pattern, *, certain: bool) -> Condition:
        pieces = [pattern.text] if pattern.kind == "part" else re.split(r"[*?]+", pattern.text)
        if certain:
            return NOTHING
        return any_of([_in_root(root, pieces) for root in self.roots])


def _in_root(root: Root, pieces: Sequence[str]) -> Condition:
    """Return a condition that holds where the places of a root have all pieces."""
    folder = folded_place(absolute(root.location, ""))
    found = []
    for piece in pieces:
        # In the folder, below it, or over the border.
        ends = [at for at in range(1, len(piece)) if folder.endswith(piece[:at])]
        below = [_with_grams([piece]), *(_with_grams([piece[at:]]) for at in ends)]
        found.append(ALL if piece in folder else any_of(below))
    return every([one_of("lineage", [scope_key(Scope(root.root_id))]), *found])


def _with_grams(texts: Sequence[str]) -> Condition:
    wanted = sorted({gram for text in texts for gram in grams(text)})
    return every([one_of("grams", [gram]) for gram in wanted])


def _of_dates(low: str, end: str, *, certain: bool) -> Condition:
    high = end.removesuffix(_AFTER_ANY_TEXT)
    if not all(text == "" or _BOUND.fullmatch(text) for text in (low, high)):
        return NOTHING if certain else one_of("dated", ["yes", "oddly"])
    first = int(_digits(low).ljust(_DIGITS, "0")) if low else 0
    last = int(_digits(high).ljust(_DIGITS, "9")) if high else 10**_DIGITS
    inside = between("taken", gte=first, lte=last)
    return inside if certain else any_of([inside, one_of("dated", ["oddly"])])


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)
