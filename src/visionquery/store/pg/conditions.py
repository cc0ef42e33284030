"""Filters as conditions of SQL: what `filters` mean, asked of an image `i`."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from visionquery.query.ast import And, Arranged, Blend, Filter, Near, Node, Not, Or
from visionquery.store.base import Scope
from visionquery.store.earth import RADIUS_KM, box_around
from visionquery.store.entries import is_image_id
from visionquery.store.filters import circle, date_bounds, orientations, patterns, size_bounds
from visionquery.store.folding import Pattern
from visionquery.store.pg.files import at_or_below
from visionquery.store.pg.images import HEAD
from visionquery.store.questions import Where

__all__ = ["EVERY", "NOWHERE", "Condition", "both", "either", "matching", "meant", "within"]


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition, in which every %s stands for one of the values."""

    text: str
    values: tuple[object, ...] = ()


EVERY = Condition("true")
NOWHERE = Condition("false")

_ORIENTATIONS = {
    "landscape": "i.width > i.height",
    "portrait": "i.width < i.height",
    "square": "i.width = i.height",
}
_MOST_PIXELS = 2.0**62
_ESCAPED = str.maketrans({"\\": r"\\", "%": r"\%", "_": r"\_"})


def meant(where: Where) -> Condition:
    """Return the condition for an image to be meant. Raises InputError when a test is not one for
    its field."""
    found = EVERY
    if where.scopes is not None:
        found = within(where.scopes)
    if where.test is not None:
        found = both(found, _fitting(where.test))
    if where.without is not None and is_image_id(where.without):
        without = Condition("i.image_id <> %s", (bytes.fromhex(where.without),))
        found = both(found, without)
    return found


def within(scopes: Iterable[Scope]) -> Condition:
    """Return the condition for an image to be seen at or below any of the scopes."""
    tests = [Condition(*at_or_below(scope, "f")) for scope in scopes]
    return _of_a_file(either(tests), "files AS f") if tests else NOWHERE


def matching(wanted: Filter) -> Condition:
    """Return the condition for a filter to hold; it may be NULL where it does not. Raises
    InputError when the filter's test is not one for its field."""
    match wanted.field:
        case "path":
            below = "files AS f JOIN roots AS r USING (root_id)"
            return _of_a_file(_fits("(r.folded || f.folded)", wanted), below)
        case "ext":
            return _of_a_file(_fits("f.folded", wanted), "files AS f")
        case "text":
            found = _fits("t.folded", wanted)
            inside = f"EXISTS (SELECT FROM texts AS t WHERE t.row = i.row AND {found.text})"
            return Condition(inside, found.values)
        case "keyword":
            return either(_of_a_keyword(pattern) for pattern in patterns(wanted))
        case "camera":
            return _fits("i.folded_camera", wanted)
        case "orientation":
            return either(Condition(_ORIENTATIONS[each]) for each in sorted(orientations(wanted)))
        case "near":
            return _near(circle(wanted))
        case "date":
            return Condition(
                "(i.taken_at IS NOT NULL AND coalesce(i.taken_at, '') >= %s "
                "AND coalesce(i.taken_at, '') < %s)",
                date_bounds(wanted),
            )
        case "width" | "height":
            return _of_a_size(f"i.{wanted.field}", *size_bounds(wanted))


def both(one: Condition, other: Condition) -> Condition:
    """Return the condition that both hold."""
    if EVERY in (one, other):
        return other if one == EVERY else one
    return Condition(f"({one.text} AND {other.text})", (*one.values, *other.values))


def either(tests: Iterable[Condition]) -> Condition:
    """Return the condition that one of several holds."""
    return _joined(" OR ", list(tests), NOWHERE)


def _fitting(test: Node) -> Condition:
    match test:
        case Filter():
            return matching(test)
        case Not(part):
            inner = _fitting(part)
            return Condition(f"({inner.text}) IS NOT TRUE", inner.values)
        case And(parts):
            return _joined(" AND ", [_fitting(part) for part in parts], EVERY)
        case Or(parts):
            return either(_fitting(part) for part in parts)
        case Blend() | Arranged():
            raise AssertionError("a description has no truth, only odds")


def _joined(word: str, tests: list[Condition], of_none: Condition) -> Condition:
    if len(tests) < 2:
        return tests[0] if tests else of_none
    text = word.join(test.text for test in tests)
    return Condition(f"({text})", tuple(value for test in tests for value in test.values))


def _of_a_file(test: Condition, files: str) -> Condition:
    inside = f"EXISTS (SELECT FROM {files} WHERE f.row = i.row AND {test.text})"
    return Condition(inside, test.values)


def _of_a_keyword(pattern: Pattern) -> Condition:
    if pattern.kind == "whole":
        # The index knows heads alone.
        return Condition(
            "(i.keyword_heads @> %s::text[] AND %s = ANY(i.folded_keywords))",
            ([pattern.text[:HEAD]], pattern.text),
        )
    test = _fit("k", pattern)
    return Condition(
        f"EXISTS (SELECT FROM unnest(i.folded_keywords) AS k WHERE {test.text})", test.values
    )


def _fits(expression: str, wanted: Filter) -> Condition:
    return either(_fit(expression, pattern) for pattern in patterns(wanted))


def _fit(expression: str, pattern: Pattern) -> Condition:
    """Return the condition for an expression of a folded text to fit a pattern."""
    if pattern.kind == "whole":
        return Condition(f"{expression} = %s", (pattern.text,))
    if pattern.kind == "extension":
        length = len(pattern.text)
        before = f"substr({expression}, length({expression}) - {length}, 1)"
        return Condition(
            f"(right({expression}, {length}) = %s AND {before} NOT IN ('', '/'))", (pattern.text,)
        )
    # Of LIKE the planner knows more than of a function.
    text = pattern.text.translate(_ESCAPED)
    if pattern.kind == "part":
        return Condition(f"{expression} LIKE %s", (f"%{text}%",))
    return Condition(f"{expression} LIKE %s", (re.sub(r"\*+", "%", text).replace("?", "_"),))


def _of_a_size(column: str, low: float, high: float) -> Condition:
    """Return the condition for a whole number to lie between two numbers: compared with whole ones
    too, the planner knows how many do."""
    if math.isnan(low) or math.isnan(high):
        return NOWHERE
    first = math.ceil(min(max(low, -_MOST_PIXELS), _MOST_PIXELS))
    last = math.floor(min(max(high, -_MOST_PIXELS), _MOST_PIXELS))
    return Condition(f"{column} BETWEEN %s::bigint AND %s::bigint", (first, last))


def _near(wanted: Near) -> Condition:
    """Return the condition for a place to lie in a circle: as `earth.kilometres`, in SQL."""
    box = box_around(wanted)
    stretches = [each for stretch in box.stretches for each in stretch]
    chord = (
        "sin(radians(i.latitude - %s) / 2) ^ 2 + cos(radians(%s)) * cos(radians(i.latitude)) "
        "* sin(radians(i.longitude - %s) / 2) ^ 2"
    )
    return Condition(
        "(i.latitude BETWEEN %s AND %s AND (i.longitude BETWEEN %s AND %s "
        f"OR i.longitude BETWEEN %s AND %s) AND {2 * RADIUS_KM} * asin(sqrt(least({chord}, 1))) "
        "<= %s)",
        (
            *(float(each) for each in (box.south, box.north, *stretches)),
            *(float(each) for each in (wanted.latitude, wanted.latitude, wanted.longitude)),
            float(wanted.km),
        ),
    )
