"""The numeric form of a query: what a store must score and how an image's scores combine.

A plan is self-contained (arrays, filters, one expression over their indices), so that it can
be run anywhere its vectors' model is known by `fingerprint`, without grammar or encoder.
"""

from dataclasses import dataclass

from visionquery.query.ast import Filter, Relation
from visionquery.types import Calibration, Matrix

__all__ = [
    "AllOf",
    "AnyOf",
    "Arrangement",
    "Expression",
    "FilterRef",
    "Named",
    "Negation",
    "Null",
    "Plan",
    "Probe",
    "ProbeRef",
]


@dataclass(frozen=True, slots=True)
class Null:
    """What images score on captions of other things: mean and standard deviation of the cosine
    less the image's bias, and the mean of the biases."""

    mean: float
    std: float
    bias: float


@dataclass(frozen=True, slots=True)
class Named:
    """The texts of a description: it, then the things it names, then these in the wrong colours.

    `texts` 1..`things` are the things, `right` and `wrong` the numbers of each thing and of the
    same in another's colour. `is_list` tells that the description is no more than its things.
    """

    texts: tuple[str, ...]
    things: int
    right: tuple[int, ...]
    wrong: tuple[int, ...]
    is_list: bool = False


@dataclass(frozen=True, slots=True)
class Probe:
    """What a vector of a plan stands for.

    `text` is its part of the query, as query text. `is_text` tells that it was made of words
    alone. `phrases` are the units to look for among the words of files, each as alternatives
    ("dogs", "dog") in the form of `store.words.words_of`. Of a description that is judged with the
    things it names, `named` are these, and `rows` the vectors of a plan for each of their texts.
    """

    text: str
    is_text: bool
    phrases: tuple[tuple[str, ...], ...] = ()
    named: Named | None = None
    rows: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ProbeRef:
    """The calibrated score of an image for `Plan.probes[index]`.

    Of a probe that is excluded, `beside` are probes that are asked for next to it, as (index,
    likeness): as much of its evidence as theirs explains does not count against an image.
    `several` is of how many that are excluded together it is one.
    """

    index: int
    beside: tuple[tuple[int, float], ...] = ()
    several: int = 1


@dataclass(frozen=True, slots=True)
class Arrangement:
    """What an image gets for `whole`, all the words, and for where it shows `things`.

    Of the relation "count", which says that there are `count`, the things are what competes: the
    same things in other numbers.
    """

    whole: ProbeRef
    things: tuple[ProbeRef, ...]
    relation: Relation
    count: int | None = None


@dataclass(frozen=True, slots=True)
class FilterRef:
    """1 where `Plan.filters[index]` holds, otherwise 0."""

    index: int


@dataclass(frozen=True, slots=True)
class Negation:
    """One minus the part, which is here believed on little evidence."""

    part: "Expression"


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part: the geometric mean of what is asked, times each absence of what is not."""

    parts: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part: the largest."""

    parts: tuple["Expression", ...]


Expression = ProbeRef | Arrangement | FilterRef | Negation | AllOf | AnyOf


@dataclass(frozen=True, slots=True)
class Plan:
    """What to compute.

    `vectors`: unit rows, (p, embed_dim), p may be 0 for a query of filters alone, of the `probes`.
    `null` and `calibration` turn their cosines into confidence; without a null the scores of each
    probe over the whole library do it alone. `fingerprint` names the model of the vectors.
    """

    vectors: Matrix
    probes: tuple[Probe, ...]
    filters: tuple[Filter, ...]
    expression: Expression
    null: Null | None
    calibration: Calibration
    fingerprint: str
