"""Tree to plan: number what is described and what is filtered, have the vectors made (`blending`),
and keep the logic as an expression."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

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
from visionquery.search.blending import Images, learnt, term_vectors
from visionquery.search.calibrate import DEFAULT_CALIBRATION
from visionquery.search.judging import probes_asked
from visionquery.search.kinds import with_kinds
from visionquery.search.parts import named_in
from visionquery.search.phrases import phrases_of
from visionquery.store.base import Reader
from visionquery.types import Decoded, Matrix

__all__ = ["plan"]

_LEAST_LENGTH = 1e-6
_MOST_TOGETHER = 3
"""Descriptions that one sentence can hold; more would name too much to be a picture."""
_AND = " and "


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
    has_parts = images is None and store.regions() is not None
    named = _named_things(numbering, expression) if has_parts else {}
    blends = list(numbering.blends)
    vectors = term_vectors(
        blends, encoder=encoder, store=store, images=images or store, read_picture=read_picture
    )
    probes = [learnt(blend, vectors, background, store) for blend in blends]
    empty = np.empty((0, encoder.identity.embed_dim), dtype=np.float32)
    stacked = np.stack(probes) if probes else empty
    likeness = _likeness(blends, stacked, background)
    return Plan(
        vectors=stacked,
        probes=tuple(named.get(blend) or _probe(blend) for blend in blends),
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


def _named_things(numbering: _Numbering, expression: Expression) -> dict[Blend, Probe]:
    """Return the probes of descriptions that are asked for and are lists of things, and number the
    vectors that these need. Sentences are found no better by their things in the parts of pictures
    that are kept (`benchmarks/quality/regions.py`)."""
    asked, found = probes_asked(expression), {}
    for blend, number in list(numbering.blends.items()):
        match blend.terms:
            case (Text(text, _, ()),) if number in asked and (named := named_in(text)).is_list:
                others = (numbering.probe(Blend((Text(each),))) for each in named.texts[1:])
                rows = (number, *(ref.index for ref in others))
                found[blend] = replace(_probe(blend), named=named, rows=rows)
    return found


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
