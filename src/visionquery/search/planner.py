"""Tree to plan: encode what is described, look up what is named, keep the logic as an expression.

A blend of one term is exactly that term's vector. In a blend of several, each vector is first
taken from the middle of its modality (texts and pictures of one model lie in different regions),
so that a weight means the same for both.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from visionquery.errors import InputError
from visionquery.models.encoder import Encoder
from visionquery.query.ast import And, Blend, Filter, Like, Node, Not, Or, Picture, Term, Text
from visionquery.query.plan import (
    AllOf,
    AnyOf,
    Expression,
    FilterRef,
    Negation,
    Null,
    Plan,
    ProbeRef,
)
from visionquery.search.background import Background
from visionquery.store.base import Store
from visionquery.types import Decoded, Matrix, Vector

__all__ = ["plan"]

_Key = tuple[type[Term], str]
"""What makes two terms the same vector: the weight does not."""


@dataclass(frozen=True, slots=True)
class _Numbering:
    """Which probe a blend is, and which filter a filter."""

    blends: dict[Blend, int]
    filters: dict[Filter, int]


def plan(
    node: Node,
    *,
    encoder: Encoder,
    store: Store,
    background: Background | None,
    read_picture: Callable[[str], Decoded],
) -> Plan:
    """Return the numeric form of a query.

    All texts are encoded in one batch, all pictures in another, the same term once; the encoder
    is not run when the query has neither. Without a background, texts are calibrated by their
    own scores and blends are not centred. Raises InputError for a `like:` that names no image or
    several and for a blend whose terms cancel out; passes on ImageError from `read_picture`.
    """
    numbering = _Numbering(blends={}, filters={})
    expression = _expression(node, numbering)
    blends = list(numbering.blends)
    vectors = _term_vectors(blends, encoder=encoder, store=store, read_picture=read_picture)
    probes = [_blended(blend, vectors, background) for blend in blends]
    empty = np.empty((0, encoder.identity.embed_dim), dtype=np.float32)
    return Plan(
        probes=np.stack(probes) if probes else empty,
        nulls=tuple(_null(blend, background) for blend in blends),
        filters=tuple(numbering.filters),
        expression=expression,
        fingerprint=encoder.identity.fingerprint,
    )


def _expression(node: Node, numbering: _Numbering) -> Expression:
    match node:
        case Blend():
            return ProbeRef(numbering.blends.setdefault(node, len(numbering.blends)))
        case Filter():
            return FilterRef(numbering.filters.setdefault(node, len(numbering.filters)))
        case Not(part):
            return Negation(_expression(part, numbering))
        case And(parts):
            return AllOf(tuple(_expression(part, numbering) for part in parts))
        case Or(parts):
            return AnyOf(tuple(_expression(part, numbering) for part in parts))


def _null(blend: Blend, background: Background | None) -> Null | None:
    match blend.terms:
        case (Text(),) if background is not None:
            return background.null
        case _:
            return None


def _term_vectors(
    blends: list[Blend],
    *,
    encoder: Encoder,
    store: Store,
    read_picture: Callable[[str], Decoded],
) -> dict[_Key, Vector]:
    keys = list(dict.fromkeys(_key(term) for blend in blends for term in blend.terms))
    texts = [value for kind, value in keys if kind is Text]
    paths = [value for kind, value in keys if kind is Picture]
    vectors: dict[_Key, Vector] = {
        (Like, value): _stored(value, store) for kind, value in keys if kind is Like
    }
    if paths:
        prepared = np.stack([encoder.prepare(read_picture(path)) for path in paths])
        vectors.update(_named(Picture, paths, encoder.encode_images(prepared)))
    if texts:
        vectors.update(_named(Text, texts, encoder.encode_texts(texts)))
    return vectors


def _named(kind: type[Term], values: list[str], vectors: Matrix) -> Iterator[tuple[_Key, Vector]]:
    for value, vector in zip(values, vectors, strict=True):
        yield (kind, value), vector


def _key(term: Term) -> _Key:
    match term:
        case Text(value) | Picture(value) | Like(value):
            return type(term), value


def _stored(image_id: str, store: Store) -> Vector:
    with store.reading():
        rows = store.find(image_id)
        vectors = store.vectors(rows)
    if len(rows) != 1:
        problem = "is the beginning of several ids; give more of it" if rows else "is not here"
        raise InputError(
            f"like:{image_id} {problem}. The ids of images stand in the results with --json."
        )
    vector: Vector = vectors[0]
    return vector


def _blended(blend: Blend, vectors: dict[_Key, Vector], background: Background | None) -> Vector:
    if len(blend.terms) == 1:
        return vectors[_key(blend.terms[0])]
    weighted = [
        np.float32(term.weight) * _centred(vectors[_key(term)], term, background)
        for term in blend.terms
    ]
    return _unit(np.sum(weighted, axis=0))


def _centred(vector: Vector, term: Term, background: Background | None) -> Vector:
    if background is None:
        return vector
    mean = background.text_mean if isinstance(term, Text) else background.image_mean
    return _unit(vector - mean)


def _unit(vector: Vector) -> Vector:
    length = np.linalg.norm(vector)
    if length < 1e-6:
        raise InputError(
            "The parts of the query cancel each other out and leave nothing to look for; "
            "change a weight, or join them with AND."
        )
    unit: Vector = (vector / length).astype(np.float32)
    return unit
