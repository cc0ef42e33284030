"""What a search asks a store that is too large to compare every image, and what it gets back.

One question, one answer: an engine behind a network is asked once for all that a search needs of
its candidates, where `Store` has a method for each of these things over all rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from visionquery.query.ast import Filter, Node
from visionquery.types import Matrix

if TYPE_CHECKING:
    from visionquery.store.base import Scope

__all__ = ["EVERYWHERE", "Candidates", "Question", "Units", "Where", "united"]

Units = tuple[tuple[str, ...], ...]
"""Units of a query's words; an image holds one when it holds any of its alternatives, each a phrase
in the form of `words.words_of`."""


@dataclass(frozen=True, slots=True)
class Where:
    """Which images are meant: those seen at or below any of `scopes` (None: anywhere), for which
    `test` holds, a tree of filters alone (None: all), but for the one with the id `without`."""

    scopes: tuple[Scope, ...] | None = None
    test: Node | None = None
    without: str | None = None

    @property
    def is_everywhere(self) -> bool:
        """Whether all images are meant."""
        return self == EVERYWHERE


EVERYWHERE = Where()


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """What is wanted.

    Candidates are, for each of the vectors `near`, (q, embed_dim), `count` images or more that are
    likely to be its nearest of those that `where` means, and with them those of the images that
    hold `units`, one or all, that lie nearest to their `middle`; for each of the `probes`,
    (p, embed_dim), the likely `best` of all images, wherever they are; and of the rows `also` those
    that are images. Of each all that follows is to be told.

    A `count` of 0 wants nothing but the best and the rows `also`. What images of the answer lie
    near are the probes numbered `asked`, and the vectors `beside`, (b, embed_dim).
    """

    probes: Matrix
    asked: tuple[int, ...]
    beside: Matrix
    count: int
    best: int
    where: Where = EVERYWHERE
    filters: tuple[Filter, ...] = ()
    units: Units = ()
    also: tuple[int, ...] = ()

    @property
    def near(self) -> Matrix:
        """What images of the answer lie near, (q, embed_dim)."""
        return np.vstack([self.probes[list(self.asked)], self.beside])

    @property
    def middle(self) -> Matrix:
        """The one vector that most of the answer lies near, (1, embed_dim), none of a question
        without any: the first of those beside, a mean, or else what alone is asked for."""
        return (self.beside if len(self.beside) else self.near)[:1]


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """The answer: rows (n,), rising, each once, of images, and of each

    whether `where` means it (n,), its true `cosines` (p, n) with the probes, its `measures`
    (n, MEASURES), which filters it `passes` (f, n), and which units it `holds` (u, n). Of the whole
    store, `holders` (u,) says about how many images hold each unit, `sample` (p, m) holds cosines,
    or good estimates of them, of the probes with an even sample of the images, and `images` is how
    many there are. `complete` tells that the candidates are all images that `where` means.
    """

    rows: NDArray[np.intp]
    meant: NDArray[np.bool_]
    cosines: NDArray[np.float32]
    measures: NDArray[np.float32]
    passes: NDArray[np.bool_]
    holds: NDArray[np.bool_]
    holders: NDArray[np.int64]
    sample: NDArray[np.float32]
    images: int
    complete: bool = field(default=False)


def united(found: Candidates, others: Candidates) -> Candidates:
    """Return candidates and others, of a question that differs in where it looks alone; meant is
    what is meant by either."""
    rows, first = np.unique(np.concatenate([found.rows, others.rows]), return_index=True)
    both = np.isin(rows, found.rows[found.meant]) | np.isin(rows, others.rows[others.meant])
    return replace(
        found,
        rows=rows,
        meant=both,
        cosines=np.hstack([found.cosines, others.cosines])[:, first],
        measures=np.concatenate([found.measures, others.measures])[first],
        passes=np.hstack([found.passes, others.passes])[:, first],
        holds=np.hstack([found.holds, others.holds])[:, first],
    )
