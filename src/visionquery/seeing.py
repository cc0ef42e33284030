"""From a tree and an image to where in it that is seen.

Any encoder will do: overlapping views of the picture are encoded like pictures, and each counts by
its cosine with what is asked for (`search.heatmap`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from visionquery import given
from visionquery.asking import original, picture_id, planned
from visionquery.errors import ImageError, InputError
from visionquery.images.limits import DEFAULT_LIMITS, Limits
from visionquery.opening import check_pictures, picture_or_id
from visionquery.query.ast import And, Arranged, Blend, Box, Filter, Like, Node, Not, Or
from visionquery.query.wording import unparse
from visionquery.search.background import kept_background
from visionquery.search.heatmap import SMALLEST, Heat, evidence, heat, united, windows
from visionquery.store.base import Store
from visionquery.types import Decoded, Matrix, Pixels

if TYPE_CHECKING:
    from visionquery.images.content import Content
    from visionquery.models.encoder import Encoder
    from visionquery.query.plan import Plan

__all__ = ["Heatmap", "heatmap"]

_SIDE: Final = 96
"""Places along the longer side of a heatmap."""

_AT_ONCE: Final = 16
"""Views that are encoded together."""

_OTHERS: Final = 256
"""Images of the library that show what is usual."""

_LEAST_SPREAD: Final = 0.02
"""Of cosines: a library of a few pictures that are alike has next to none of its own."""


@dataclass(frozen=True, slots=True, eq=False)
class Heatmap:
    """Where in an image a query is seen.

    `whole` is the map of all that is asked for, `parts` are those of each description and picture
    of the query, by its text. `picture` is what was looked at, upright, (height, width, 3), perhaps
    smaller than the image.
    """

    query: str
    image_id: str
    picture: Pixels
    whole: Heat
    parts: tuple[tuple[str, Heat], ...]

    @property
    def grid(self) -> NDArray[np.float32]:
        """The map of all that is asked for, (h, w), 0..1."""
        return self.whole.grid

    @property
    def box(self) -> Box:
        """The part of the image where there is most of it."""
        return self.whole.box

    @property
    def strength(self) -> float:
        """The strongest evidence anywhere, 0..1."""
        return self.whole.strength

    @property
    def is_weak(self) -> bool:
        """Whether there is too little evidence anywhere to believe that it is there."""
        return self.whole.is_weak


def heatmap(
    store: Store,
    encoder: Callable[[], Encoder],
    image: given.Place,
    query: str | Node,
    pictures: Mapping[str, bytes],
    limits: Limits,
) -> Heatmap:
    """Return where in an image, given as a file or an id, a query is seen. What it excludes and
    its filters have no part in that; `pictures` and `limits` are those of `asking.answer`.

    Raises InputError for a query without a description or picture that is asked for, and for
    what does not make sense; ImageNotFoundError for an image that is not in the library or whose
    files are gone or have changed; ImageError, ModelError.
    """
    node, _ = given.tree(query, None)
    check_pictures(node, given=pictures)
    asked = tuple(dict.fromkeys(_asked(node)))
    if not asked:
        raise InputError(
            "The query asks for nothing that could be seen in one place; a heatmap needs a "
            "description, or a picture, that is asked for."
        )
    image_id, place, content = _image(image, store)
    plan = planned(store, encoder(), Or(asked), pictures, limits)
    try:
        picture = _decoded(content, encoder())
    except ImageError as error:
        raise type(error)(f"The picture {place} cannot be looked at: {error}.") from error
    height, width = picture.pixels.shape[:2]
    boxes = windows(width, height)
    views = _encoded(picture, boxes, encoder())
    shape = (ceil(_SIDE * height / max(width, height)), ceil(_SIDE * width / max(width, height)))
    heats = [heat(boxes, scores, shape) for scores in _evidence(plan, views, store)]
    parts = tuple(zip((probe.text for probe in plan.probes), heats, strict=True))
    text = query if isinstance(query, str) else unparse(query)
    return Heatmap(text, image_id, picture.pixels, united(heats), parts)


def _asked(node: Node, *, excluded: bool = False) -> list[Blend]:
    """Return the descriptions and pictures that are asked for, in the order of a tree."""
    match node:
        case Blend():
            return [] if excluded else [node]
        case Arranged(text, relation, things):
            seen = (text,) if relation == "count" else things
            return [] if excluded else [Blend((thing,)) for thing in seen]
        case Not(part):
            return _asked(part, excluded=not excluded)
        case And(parts) | Or(parts):
            return [blend for part in parts for blend in _asked(part, excluded=excluded)]
        case Filter():
            return []


def _image(image: given.Place, store: Store) -> tuple[str, str, Content]:
    """Return the id of an image, and the path and content of a file of it."""
    term = picture_or_id(image, store)
    if isinstance(term, Like):
        with store.reading():
            (record,) = store.records(store.find(term.image_id))
        image_id = record.image_id
    else:
        image_id = picture_id(term.path)
    return image_id, *original(store, image_id)


def _decoded(content: Content, encoder: Encoder) -> Decoded:
    from visionquery.images.workers import decode

    least = ceil(encoder.image_side / SMALLEST)
    return decode(content, min_side=least, limits=DEFAULT_LIMITS)


def _encoded(picture: Decoded, boxes: Sequence[Box], encoder: Encoder) -> Matrix:
    """Return the vectors (m, embed_dim) of views of a picture."""
    from visionquery.images.views import cut

    rows = []
    for start in range(0, len(boxes), _AT_ONCE):
        views = [cut(picture, box) for box in boxes[start : start + _AT_ONCE]]
        rows.append(encoder.encode_images(np.stack([encoder.prepare(view) for view in views])))
    return np.concatenate(rows)


def _evidence(plan: Plan, views: Matrix, store: Store) -> list[NDArray[np.float32]]:
    """Return the evidence (m,) of views for each probe of a plan."""
    with store.reading():
        background = kept_background(store)
        others = store.vectors(store.sample(_OTHERS).tolist())
    found = []
    for probe, vector in zip(plan.probes, plan.vectors, strict=True):
        if background is not None:
            vector = vector - (background.text_mean if probe.is_text else background.image_mean)
        beside = others @ vector
        spread = plan.null.std if probe.is_text and plan.null else float(beside.std())
        found.append(evidence(views @ vector, beside, max(spread, _LEAST_SPREAD)))
    return found
