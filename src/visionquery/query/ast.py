"""The tree of a query. Nodes are frozen data; meaning is given by `search`, text by `grammar`.

Two ways to combine, never confused: terms inside one `Blend` become a single vector ("like this
picture, but at night"); `And`, `Or` and `Not` combine the calibrated scores of an image.
"""

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "And",
    "Arranged",
    "Blend",
    "Box",
    "Contains",
    "Example",
    "Field",
    "Filter",
    "Learned",
    "Like",
    "Near",
    "Node",
    "Not",
    "OneOf",
    "Or",
    "Picture",
    "Range",
    "Relation",
    "Term",
    "Text",
    "terms_of",
]


@dataclass(frozen=True, slots=True)
class Text:
    """A description in words. `weight` > 0 is relative to the other terms of its blend. `quotes`
    are the stretches of `text`, as (start, end), that stood in quotes: each counts as a whole
    where the words of files are compared."""

    text: str
    weight: float = 1.0
    quotes: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture file as a term (`image:PATH`)."""

    path: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Box:
    """A part of a picture, in percent of its upright width and height: 0 <= `left`, 0 < `width`,
    `left` + `width` <= 100, and the same downwards."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Like:
    """An image of the library as a term (`like:ID`), or the part of it in `box`
    (`like:ID@LEFT,TOP,WIDTH,HEIGHT`); `image_id` may be a unique prefix."""

    image_id: str
    weight: float = 1.0
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """An image of the library that says what is meant: more like it (`more:ID`) or less
    (`less:ID`). It teaches the vector of the terms that it stands among; `image_id` may be a
    unique prefix."""

    image_id: str
    wanted: bool


@dataclass(frozen=True, slots=True)
class Learned:
    """A concept that the library was taught, by its name (`concept:NAME`)."""

    name: str
    weight: float = 1.0


Term = Text | Picture | Like | Learned | Example


@dataclass(frozen=True, slots=True)
class Blend:
    """One or more terms that together make one vector. A single term is the common case; examples
    stand behind all others."""

    terms: tuple[Term, ...]


Relation = Literal[
    "left of", "right of", "above", "below", "left", "right", "top", "bottom", "count"
]
"""How two things lie, where one lies in the picture, or how many there are."""


@dataclass(frozen=True, slots=True)
class Arranged:
    """A description in plain words that says where things are, or how many. `text` are all its
    words, as written; `things` what is looked for, the subject first; `count` how many, for the
    relation "count" alone."""

    text: Text
    relation: Relation
    things: tuple[Text, ...]
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Contains:
    """Matches text that contains `text`, ignoring case; `*` and `?` make it a whole-text glob."""

    text: str


@dataclass(frozen=True, slots=True)
class Range:
    """Matches low <= value <= high, None is open. Numbers for sizes, ISO date prefixes for dates
    (a value matches `high` when it starts with it: `2024-05` includes all of May)."""

    low: float | str | None
    high: float | str | None


@dataclass(frozen=True, slots=True)
class OneOf:
    """Matches when the value equals one of `values`, ignoring case; `*` and `?` make a keyword a
    glob."""

    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Near:
    """Matches places within `km` kilometres of a point, measured along the surface; degrees are
    WGS 84."""

    latitude: float
    longitude: float
    km: float


Field = Literal[
    "path", "ext", "date", "width", "height", "orientation", "camera", "near", "keyword", "text"
]


@dataclass(frozen=True, slots=True)
class Filter:
    """A test on a fact of the image. `path` and `ext` hold when any of its places matches,
    `keyword` when any of its keywords does, `text` looks at the text that was read in the
    picture, where `*` and `?` are themselves. An image without the fact fails the test."""

    field: Field
    test: Contains | Range | OneOf | Near


@dataclass(frozen=True, slots=True)
class Not:
    """The image does not show (or satisfy) `part`."""

    part: "Node"


@dataclass(frozen=True, slots=True)
class And:
    """Every part holds."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one part holds."""

    parts: tuple["Node", ...]


Node = Blend | Arranged | Filter | Not | And | Or


def terms_of(node: Node) -> tuple[Term, ...]:
    """Return all descriptions and pictures of a query, in its order."""
    match node:
        case Blend(terms):
            return terms
        case Arranged(text):
            return (text,)
        case Filter():
            return ()
        case Not(part):
            return terms_of(part)
        case And(nodes) | Or(nodes):
            return tuple(term for part in nodes for term in terms_of(part))
