"""Tree to plan: encode what is described, look up what is named, keep the logic as an expression.

A blend of one term is exactly that term's vector. In a blend with a picture, each vector is first
taken from the middle of its modality: what is left is the direction in which a text or a picture
differs from any other. Words beside a picture say how it changes, and count more than the picture,
which shows much that nobody asks for (`benchmarks/quality/composed.py`). What a concept learnt has
no such middle. Examples teach the vector of the other terms.
"""

import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from visionquery.errors import InputError
from visionquery.models.encoder import Encoder
from visionquery.query.arrangement import other_counts
from visionquery.query.ast import (
    And,
    Arranged,
    Blend,
    Example,
    Filter,
    Learned,
    Like,
    Node,
    Not,
    Or,
    Picture,
    Term,
    Text,
    terms_of,
)
from visionquery.query.plan import (
    AllOf,
    AnyOf,
    Arrangement,
    Expression,
    FilterRef,
    Negation,
    Plan,
    Probe,
    ProbeRef,
)
from visionquery.query.wording import unparse
from visionquery.search.background import Background
from visionquery.search.calibrate import DEFAULT_CALIBRATION
from visionquery.search.concepts import concept_vector
from visionquery.search.examples import taught
from visionquery.search.kinds import with_kinds
from visionquery.search.phrases import phrases_of
from visionquery.store.base import ImageRecord, Reader
from visionquery.types import Decoded, Matrix, Vector

__all__ = ["Images", "plan"]

_LEAST_LENGTH = 1e-6
_MOST_TOGETHER = 3
"""Descriptions that one sentence can hold; more would name too much to be a picture."""
_AND = " and "
_LINK = re.compile("^but (with )?(?=.)", re.IGNORECASE)
_CHANGE = 1.75
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


@dataclass(frozen=True, slots=True)
class _Numbering:
    """Which probe a blend is, and which filter a filter."""

    blends: dict[Blend, int]
    filters: dict[Filter, int]

    def probe(self, blend: Blend) -> ProbeRef:
        """Return the probe of a blend, a new one where it has none yet."""
        return ProbeRef(self.blends.setdefault(blend, len(self.blends)))


def plan(
    node: Node,
    *,
    encoder: Encoder,
    store: Reader,
    background: Background | None,
    read_picture: Callable[[Picture | Like], Decoded],
    images: Images | None = None,
) -> Plan:
    """Return the numeric form of a query.

    All texts are encoded in one batch, all pictures in another, the same term once; the encoder
    is not run when the query has neither. `read_picture` gives the pixels of picture files and of
    parts of stored images, whose full ids it is told; a whole stored image has its vector. Without
    a background, texts are calibrated by their own scores and nothing is centred. Raises
    InputError for a `like:`, `more:` or `less:` that names no image or several, a concept that is
    not known or of another model, and a blend whose terms cancel out or that only `less:` makes;
    passes on what `read_picture` raises. `images` have the vectors of stored images where the
    encoder is not that of the store; nothing that was taught holds for it then.
    """
    if images is not None:
        _check_untaught(node)
    numbering = _Numbering(blends={}, filters={})
    expression = _expression(with_kinds(node), numbering)
    blends = list(numbering.blends)
    vectors = _term_vectors(
        blends, encoder=encoder, store=store, images=images or store, read_picture=read_picture
    )
    probes = [_learnt(blend, vectors, background, store) for blend in blends]
    empty = np.empty((0, encoder.identity.embed_dim), dtype=np.float32)
    stacked = np.stack(probes) if probes else empty
    likeness = _likeness(blends, stacked, background)
    return Plan(
        vectors=stacked,
        probes=tuple(_probe(blend) for blend in blends),
        filters=tuple(numbering.filters),
        expression=_annotated(expression, likeness),
        null=None if background is None else background.null,
        calibration=encoder.calibration or DEFAULT_CALIBRATION,
        fingerprint=encoder.identity.fingerprint,
    )


def _check_untaught(node: Node) -> None:
    """Raise InputError where a query holds what was taught with another model."""
    if any(isinstance(term, Example | Learned) for term in terms_of(node)):
        raise InputError(
            "A second model knows nothing of what examples taught the library's own: leave out "
            "--rerank, or the terms more:, less: and concept:."
        )


def _expression(node: Node, numbering: _Numbering) -> Expression:
    match node:
        case Blend():
            return numbering.probe(node)
        case Arranged():
            things = other_counts(node) if node.relation == "count" else node.things
            whole = numbering.probe(Blend((node.text,)))
            found = tuple(numbering.probe(Blend((thing,))) for thing in things)
            return Arrangement(whole, found, node.relation, node.count)
        case Filter():
            return FilterRef(numbering.filters.setdefault(node, len(numbering.filters)))
        case Not(part):
            return Negation(_expression(part, numbering))
        case And(parts):
            every = (*parts, *_said_together(parts))
            return AllOf(tuple(_expression(part, numbering) for part in every))
        case Or(parts):
            return AnyOf(tuple(_expression(part, numbering) for part in parts))


def _said_together(parts: Sequence[Node]) -> list[Blend]:
    """Return the descriptions of a conjunction as one sentence, forwards and backwards: a picture
    of a dog on a beach matches "a dog and a beach" better than either. Each part still counts on
    its own, so that one which is not there is missed."""
    said = [Blend((part.text,)) if isinstance(part, Arranged) else part for part in parts]
    texts = [
        part.terms[0]
        for part in said
        if isinstance(part, Blend) and len(part.terms) == 1 and isinstance(part.terms[0], Text)
    ]
    if not 1 < len(texts) <= _MOST_TOGETHER:
        return []
    return [Blend((_sentence(order),)) for order in (texts, texts[::-1])]


def _sentence(texts: Sequence[Text]) -> Text:
    said, quotes = "", list[tuple[int, int]]()
    for text in texts:
        said += _AND if said else ""
        quotes += [(len(said) + start, len(said) + end) for start, end in text.quotes]
        said += text.text
    return Text(said, quotes=tuple(quotes))


def _probe(blend: Blend) -> Probe:
    texts = [term for term in blend.terms if isinstance(term, Text)]
    # Words that examples teach stay near what they were: their curve shows more of what is right.
    asked = [term for term in blend.terms if not isinstance(term, Example)]
    return Probe(unparse(blend), 0 < len(texts) == len(asked), phrases_of(texts))


def _likeness(blends: list[Blend], vectors: Matrix, background: Background | None) -> Matrix:
    """Return how alike probes are, (p, p): the cosine of descriptions from the middle of all
    texts, where it is above 0; 0 between others."""
    is_text = np.array([_probe(blend).is_text for blend in blends], dtype=np.bool_)
    if background is None or not is_text.any():
        return np.zeros((len(blends), len(blends)), dtype=np.float32)
    apart = vectors - background.text_mean
    apart /= np.maximum(np.linalg.norm(apart, axis=1, keepdims=True), _LEAST_LENGTH)
    alike = np.maximum(apart @ apart.T, 0.0) * np.outer(is_text, is_text)
    return np.asarray(alike, dtype=np.float32)


def _annotated(
    expression: Expression,
    likeness: Matrix,
    *,
    asked: Sequence[int] = (),
    several: int = 1,
    negated: bool = False,
) -> Expression:
    """Tell each excluded probe what is `asked` for in its conjunction, of how many it is one."""
    match expression:
        case ProbeRef(index) | Arrangement(ProbeRef(index)) if negated:
            return ProbeRef(index, _beside(index, asked, likeness), several)
        case Negation(part):
            return Negation(_annotated(part, likeness, asked=asked, negated=not negated))
        case AllOf(parts):
            wholes = [part.whole if isinstance(part, Arrangement) else part for part in parts]
            beside = [part.index for part in wholes if isinstance(part, ProbeRef)]
            return AllOf(
                tuple(
                    _annotated(
                        part,
                        likeness,
                        asked=beside if isinstance(part, Negation) else (),
                        negated=negated,
                    )
                    for part in parts
                )
            )
        case AnyOf(parts):
            return AnyOf(
                tuple(
                    _annotated(
                        part, likeness, asked=asked, several=len(parts), negated=negated
                    )
                    for part in parts
                )
            )
        case _:
            return expression


def _beside(
    excluded: int, asked: Sequence[int], likeness: Matrix
) -> tuple[tuple[int, float], ...]:
    """Return the probe asked for that is most like the excluded one: those that are like it are
    like each other, and must not explain the same twice."""
    alike = [(index, float(likeness[excluded, index])) for index in asked]
    best = max(alike, key=lambda one: one[1], default=None)
    return () if best is None or best[1] <= 0 else (best,)


def _term_vectors(
    blends: list[Blend],
    *,
    encoder: Encoder,
    store: Reader,
    images: Images,
    read_picture: Callable[[Picture | Like], Decoded],
) -> dict[Term, Vector]:
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


def _learnt(
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
