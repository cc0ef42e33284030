"""What the point of an image carries beside its vector, and the record that it makes.

A part of it is what the image is (`facts`, `places`, `text`), and a part is derived from it, for
conditions: `lineage`, the keys of all files and folders that it is in; `words`, `grams`, `types`,
`keywords`, `orientation`, `taken` and `dated`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import PurePath
from typing import Any

from visionquery.store.base import ImageRecord, Root
from visionquery.store.derived import extension
from visionquery.store.folding import folded, folded_place, with_single_spaces
from visionquery.store.fragments import compared
from visionquery.store.places import absolute, packed
from visionquery.store.qd.conditions import grams, moment
from visionquery.store.qd.engine import Point
from visionquery.store.qd.spelling import kept_text, lineage, shown_text
from visionquery.store.words import image_words, name_words
from visionquery.types import Facts

__all__ = [
    "FACTS",
    "INDEXES",
    "PLACES",
    "TEXT",
    "WHOLE",
    "Image",
    "Seen",
    "image_of",
    "order_of_id",
    "payload_of",
    "places_of",
    "record_of",
    "texts_of",
]

FACTS, PLACES, TEXT = "facts", "places", "text"
WHOLE = ["image_id", FACTS, PLACES, TEXT]
"""What `image_of` needs to know all of an image."""

INDEXES = {
    "row": "integer",
    "image_id": "keyword",
    "order": "integer",
    "facts.width": "integer",
    "facts.height": "integer",
    "facts.camera": "keyword",
    "facts.latitude": "float",
    "facts.longitude": "float",
    "orientation": "keyword",
    "keywords": "keyword",
    "taken": "integer",
    "dated": "keyword",
    "lineage": "keyword",
    "loose": "keyword",
    "types": "keyword",
    "words": "keyword",
    "grams": "keyword",
    "read": "keyword",
}

_DIGITS = 13  # of an id: 52 bits, which floats tell apart


@dataclass(frozen=True, slots=True, order=True)
class Seen:
    """Where an image was seen: a file of a root, the place of the fragment in it, its name."""

    root_id: int
    path: str
    at: int
    fragment: str


@dataclass(frozen=True, slots=True)
class Image:
    """An image without its vector; `text` is None where nobody has looked."""

    row: int
    image_id: str
    facts: Facts
    seen: tuple[Seen, ...] = ()
    text: str | None = None

    def moved(self, gone: Iterable[tuple[int, str]], come: Iterable[Seen]) -> "Image":
        """Return the image without the places in some files, and with others."""
        files = set(gone)
        kept = (each for each in self.seen if (each.root_id, each.path) not in files)
        return replace(self, seen=tuple(sorted({*kept, *come})))


def order_of_id(image_id: str, *, fill: str = "0") -> int:
    """Return a number that rises with the ids, or the last one, with `fill` "f", of a prefix."""
    return int(image_id[:_DIGITS].ljust(_DIGITS, fill), 16)


def payload_of(image: Image) -> dict[str, Any]:
    """Return what the point of an image carries, but for its measures."""
    facts, paths = image.facts, [compared(each.path, each.fragment) for each in image.seen]
    places = [folded_place(path) for path in paths]
    text = None if image.text is None else with_single_spaces(folded(image.text))
    words = image_words(facts.caption, facts.keywords, paths, image.text).split()
    parts = [*places, *([] if text is None else [text])]
    return {
        "row": image.row,
        "image_id": image.image_id,
        "order": order_of_id(image.image_id),
        FACTS: _packed(facts),
        PLACES: [
            [each.root_id, kept_text(each.path), each.at, kept_text(each.fragment)]
            for each in image.seen
        ],
        TEXT: None if image.text is None else kept_text(image.text),
        "orientation": _orientation(facts),
        "keywords": sorted({folded(each) for each in facts.keywords}),
        "taken": moment(facts.taken_at),
        "dated": facts.taken_at if facts.taken_at is None else _dated(facts.taken_at),
        "lineage": sorted({key for each in image.seen for key in lineage(each.root_id, each.path)}),
        "loose": None if image.seen else "yes",
        "types": sorted({extension(place) for place in places} - {""}),
        "words": sorted(set(words) - {"|"}),
        "grams": sorted({gram for part in parts for gram in grams(part)}),
        "read": None if image.text is None else "yes",
    }


def image_of(point: Point) -> Image:
    """Return the image that a point is; what was not asked for of it has any value."""
    known = point.payload
    facts, text = known.get(FACTS), known.get(TEXT)
    return Image(
        row=int(point.key),
        image_id=known.get("image_id", ""),
        facts=Facts(0, 0, "", 0) if facts is None else _facts(facts),
        seen=tuple(
            Seen(root_id, shown_text(path), at, shown_text(fragment))
            for root_id, path, at, fragment in known.get(PLACES, ())
        ),
        text=None if text is None else shown_text(text),
    )


def record_of(image: Image, roots: Sequence[Root]) -> ImageRecord:
    """Return the record of an image in files below these roots."""
    first: dict[str, str] = {}
    for place, seen in _placed(image, roots):
        first.setdefault(place, seen.fragment)
    return ImageRecord(
        row=image.row,
        image_id=image.image_id,
        facts=image.facts,
        paths=tuple(sorted(first, key=packed)),
        text=image.text,
        fragments={place: fragment for place, fragment in first.items() if fragment},
    )


def places_of(image: Image, roots: Sequence[Root]) -> list[str]:
    """Return the absolute paths that filters compare of an image."""
    return [compared(place, seen.fragment) for place, seen in _placed(image, roots)]


def texts_of(image: Image, roots: Sequence[Root]) -> list[str]:
    """Return the words of an image: all its own, and those of the names of its roots."""
    known = {root.root_id: root.location for root in roots}
    folders = {PurePath(known[each.root_id]).name for each in image.seen if each.root_id in known}
    paths = [compared(each.path, each.fragment) for each in image.seen]
    own = image_words(image.facts.caption, image.facts.keywords, paths, image.text)
    return [own, *(words for folder in folders for words in name_words(folder))]


def _placed(image: Image, roots: Sequence[Root]) -> list[tuple[str, Seen]]:
    # A file that is being handed to a root which does not count yet is nowhere for a moment.
    known = {root.root_id: root.location for root in roots}
    return [
        (absolute(known[seen.root_id], seen.path), seen)
        for seen in image.seen
        if seen.root_id in known
    ]


def _packed(facts: Facts) -> dict[str, Any]:
    known = asdict(facts)
    known["keywords"] = list(facts.keywords)
    return known


def _facts(known: dict[str, Any]) -> Facts:
    return Facts(**{**known, "keywords": tuple(known["keywords"])})


def _orientation(facts: Facts) -> str:
    if facts.width == facts.height:
        return "square"
    return "landscape" if facts.width > facts.height else "portrait"


def _dated(taken_at: str) -> str:
    return "oddly" if moment(taken_at) is None else "yes"
