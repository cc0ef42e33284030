"""Vectors of what a query describes: terms encoded or looked up, blended, and taught.

A blend of one term is exactly that term's vector. In a blend with a picture, each vector is first
taken from the middle of its modality: what is left is the direction in which a text or a picture
differs from any other. Words beside a picture say how it changes, and count more than the picture,
which shows much that nobody asks for (`benchmarks/quality/composed.py`). What a concept learnt has
no such middle. Examples teach the vector of the other terms.
"""

import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Final, Protocol

import numpy as np

from visionquery.errors import InputError
from visionquery.models.encoder import Encoder
from visionquery.query.ast import Blend, Example, Learned, Like, Picture, Term, Text
from visionquery.search.background import Background
from visionquery.search.concepts import concept_vector
from visionquery.search.examples import taught
from visionquery.store.base import ImageRecord, Reader
from visionquery.types import Decoded, Matrix, Vector

__all__ = ["Images", "learnt", "term_vectors"]

_LEAST_LENGTH: Final = 1e-6
_LINK: Final = re.compile("^but (with )?(?=.)", re.IGNORECASE)
_CHANGE: Final = 1.75
"""How much words count beside a picture of the same weight; chosen on half of composed queries."""


class Images(Protocol):
    """Where images that a query names are known, with their vectors by its model: a store, for the
    model of its own."""

    def reading(self) -> AbstractContextManager[None]:
        """Let this thread see one state in all that it reads until the block ends."""

    def find(self, image_id: str) -> list[int]:
        """Return the rows whose id starts with `image_id`, in any case (two at most)."""

    def records(self, rows: Sequence[int]) -> list[ImageRecord]:
        """Return the records of rows, in their order."""

    def vectors(self, rows: Sequence[int]) -> Matrix:
        """Return the vectors of rows, (len(rows), embed_dim), in their order."""


def term_vectors(
    blends: list[Blend],
    *,
    encoder: Encoder,
    store: Reader,
    images: Images,
    read_picture: Callable[[Picture | Like], Decoded],
) -> dict[Term, Vector]:
    """Return the vector of every term, by `_key`: texts are encoded in one batch, pictures in
    another. Raises InputError for what names no image or several, and for a concept that is not
    known or of another model; passes on what `read_picture` raises."""
    keys = dict.fromkeys(_key(term, blend) for blend in blends for term in blend.terms)
    texts = [key for key in keys if isinstance(key, Text)]
    seen: list[Picture | Like] = []
    vectors: dict[Term, Vector] = {}
    for key in keys:
        match key:
            case Like(image_id, _, None):
                vectors[key] = _stored("like", image_id, images)
            case Example(image_id, wanted):
                vectors[key] = _stored("more" if wanted else "less", image_id, images)
            case Learned(name):
                vectors[key] = concept_vector(name, store)
            case Like() | Picture():
                seen.append(key)
    if seen:
        prepared = np.stack([encoder.prepare(read_picture(_named(key, images))) for key in seen])
        vectors.update(zip(seen, encoder.encode_images(prepared), strict=True))
    if texts:
        encoded = encoder.encode_texts([key.text for key in texts])
        vectors.update(zip(texts, encoded, strict=True))
    return vectors


def _key(term: Term, blend: Blend) -> Term:
    """Return what makes two terms the same vector: weight and quotes do not, nor does what links
    the words to a picture beside them ("but with snow")."""
    match term:
        case Example():
            return term
        case Text(text, _, quotes):
            is_literal = quotes[:1] and quotes[0][0] == 0
            is_change = _has_picture(blend) and not is_literal
            return Text(_LINK.sub("", text) if is_change else text)
        case _:
            return replace(term, weight=1.0)


def _has_picture(blend: Blend) -> bool:
    return any(isinstance(term, Picture | Like) for term in blend.terms)


def _stored(field: str, image_id: str, store: Images) -> Vector:
    with store.reading():
        vector: Vector = store.vectors([_row(field, image_id, store)])[0]
    return vector


def _named(term: Picture | Like, store: Images) -> Picture | Like:
    """Return a term with the full id of its image."""
    if isinstance(term, Picture):
        return term
    with store.reading():
        (record,) = store.records([_row("like", term.image_id, store)])
    return replace(term, image_id=record.image_id)


def _row(field: str, image_id: str, store: Images) -> int:
    rows = store.find(image_id)
    if len(rows) != 1:
        problem = "is the beginning of several ids; give more of it" if rows else "is not here"
        raise InputError(
            f"{field}:{image_id} {problem}. The ids of images stand in the results with --json."
        )
    return rows[0]


def learnt(
    blend: Blend, vectors: dict[Term, Vector], background: Background | None, store: Reader
) -> Vector:
    """Return the vector of a blend, as its examples teach it."""
    examples = [term for term in blend.terms if isinstance(term, Example)]
    asked = tuple(term for term in blend.terms if not isinstance(term, Example))
    start = _blended(Blend(asked), vectors, background) if asked else None
    if not examples:
        assert start is not None, "a blend has a term"
        return start
    liked = [vectors[term] for term in examples if term.wanted]
    disliked = [vectors[term] for term in examples if not term.wanted]
    return taught(start, liked, disliked, store=store)


def _blended(blend: Blend, vectors: dict[Term, Vector], background: Background | None) -> Vector:
    if len(blend.terms) == 1:
        return vectors[_key(blend.terms[0], blend)]
    middle = None if all(isinstance(term, Text) for term in blend.terms) else background
    has_picture = _has_picture(blend)
    weighted = [
        np.float32(_weight(term, has_picture)) * _centred(vectors[_key(term, blend)], term, middle)
        for term in blend.terms
    ]
    return _unit(np.sum(weighted, axis=0))


def _weight(term: Term, has_picture: bool) -> float:
    if isinstance(term, Example):
        raise AssertionError("an example teaches a vector and is no part of it")
    return term.weight * (_CHANGE if has_picture and isinstance(term, Text) else 1.0)


def _centred(vector: Vector, term: Term, background: Background | None) -> Vector:
    if background is None or isinstance(term, Learned):
        return vector
    mean = background.text_mean if isinstance(term, Text) else background.image_mean
    return _unit(vector - mean)


def _unit(vector: Vector) -> Vector:
    length = np.linalg.norm(vector)
    if length < _LEAST_LENGTH:
        raise InputError(
            "The parts of the query cancel each other out and leave nothing to look for; "
            "change a weight, or join them with AND."
        )
    unit: Vector = (vector / length).astype(np.float32)
    return unit
