"""The numeric form of a query: what a store must score and how an image's scores combine.

A plan is self-contained (arrays, filters, one expression over their indices), so that it can
be run anywhere its vectors' model is known by `fingerprint`, without grammar or encoder.
"""

from dataclasses import dataclass

from visionquery.query.ast import Filter
from visionquery.types import Matrix

__all__ = ["AllOf", "AnyOf", "Expression", "FilterRef", "Negation", "Null", "Plan", "ProbeRef"]


@dataclass(frozen=True, slots=True)
class Null:
    """Cosines of everyday captions with a library's images: mean and standard deviation."""

    mean: float
    std: float


@dataclass(frozen=True, slots=True)
class ProbeRef:
    """The calibrated score of an image for `Plan.probes[index]`."""

    index: int


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


Expression = ProbeRef | FilterRef | Negation | AllOf | AnyOf


@dataclass(frozen=True, slots=True)
class Plan:
    """What to compute.

    `probes`: unit rows, (p, embed_dim), p may be 0 for a query of filters alone. `nulls[i]`
    helps to calibrate probe i; with None its own scores over the whole library do it alone.
    `fingerprint` names the model that made the probes.
    """

    probes: Matrix
    nulls: tuple[Null | None, ...]
    filters: tuple[Filter, ...]
    expression: Expression
    fingerprint: str
