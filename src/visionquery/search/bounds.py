"""The best of many images by estimates of their cosines, and the true cosines of a few.

A store says how far an estimate is from the truth at most. Images whose upper bound lies below the
true value of `count` others cannot be among the best, and all others are judged by their true
cosines: the answer is that of comparing every vector, at a fraction of the reading.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from visionquery.search.calibrate import LogOdds, log_odds
from visionquery.search.evidence import Known, Mask
from visionquery.search.judging import (
    ABOVE_ALL,
    Judged,
    directions,
    judged,
    needs_a_probe,
    probes_asked,
    ranked,
)
from visionquery.search.phrases import Held
from visionquery.store.base import Estimates, Store
from visionquery.store.kernels import largest
from visionquery.store.rows import distinct

__all__ = ["Look", "best_of", "relevant_of"]

_SEEDS = 64
_GOOD_BY_ONE = 4096
"""Images that are good by one probe of several among which to look for those good by all."""

_COSINES: Final = np.linspace(-1.001, 1.001, 4097, dtype=np.float32)
"""Cosines, from the least to the most, at which curves are read."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """A look at images: estimates of the cosines (p, n) of some rows (n,), rising, None for all
    rows of the store, and which of these are `possible`, (n,), as part of an answer."""

    known: Known
    store: Store
    about: Estimates
    possible: Mask
    rows: NDArray[np.intp] | None = None

    def named(self, places: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the rows of places among those that are looked at."""
        return places if self.rows is None else self.rows[places]

    def true(self, places: NDArray[np.intp]) -> Judged:
        """Judge images at places (m,), rising, by their true cosines."""
        rows = self.named(places)
        return judged(self.known, rows, self.store.scores(self.known.plan.vectors, rows))

    def moved(self, places: NDArray[np.intp], by: float) -> Judged:
        """Judge images at places (m,), rising, by estimates moved in their favour."""
        towards = np.float32(by) * directions(self.known.plan)
        return judged(self.known, self.named(places), self.about.cosines[:, places] + towards)

    def places_held(self, held: Held) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Return the places of images that hold words, and how much."""
        return (held.rows, held.shares) if self.rows is None else held.among(self.rows)


def best_of(look: Look, *, count: int, least: float) -> Judged:
    """Return what may be among the best `count` images, judged by their true cosines; what reaches
    the log-odds `least` comes before all else."""
    seeds = look.true(_seeds(look, count, least))
    floor = _floor(ranked(seeds, least), count)
    level = floor
    if seeds.order is not seeds.odds:
        level = floor - ABOVE_ALL if floor > ABOVE_ALL / 2 else min(floor, least)
    places = _reaching(look, level, look.about.error)
    most = ranked(look.moved(places, look.about.error), least)
    return look.true(places[(most >= floor) & (most > -np.inf)])


def relevant_of(look: Look, *, least: float, most_judged: int) -> NDArray[np.intp]:
    """Return the rows, rising, of all that reaches the log-odds `least`: who is in doubt is judged
    by true cosines, but of more than `most_judged` in doubt the estimates decide."""
    usual = look.about.usual_error
    places = _reaching(look, least, usual)
    if least == -np.inf:
        if look.known.masks:
            places = places[look.moved(places, 0.0).odds > -np.inf]
        return look.named(places)
    odds = look.moved(places, usual).odds
    places = places[(odds >= least) & (odds > -np.inf)]
    in_doubt = look.moved(places, -usual).odds < least
    doubtful = places[in_doubt]
    verdict = look.true(doubtful) if len(doubtful) <= most_judged else look.moved(doubtful, 0.0)
    in_doubt[in_doubt] = verdict.odds < least
    return look.named(places[~in_doubt])


def _seeds(look: Look, count: int, least: float) -> NDArray[np.intp]:
    """Return places of images that are good by their estimates, `count` at least where so many are
    possible: of those that are good by one probe or another the best by all of them."""
    wanted, asked = max(2 * count, _SEEDS), probes_asked(look.known.plan.expression)
    among = wanted if len(asked) == 1 else max(wanted, _GOOD_BY_ONE)
    found = [largest(look.about.cosines[index], among, among=look.possible) for index in asked]
    for held in look.known.held:
        if held is not None:
            places, shares = look.places_held(held)
            found.append(places[np.argsort(-shares, kind="stable")[:wanted]])
    if not asked:
        found.append(np.flatnonzero(look.possible)[:wanted])
    places = distinct(np.concatenate(found))
    places = places[look.possible[places]]
    order = ranked(look.moved(places, 0.0), least)
    return places[order >= _floor(order, wanted)]


def _reaching(look: Look, level: float, error: float) -> NDArray[np.intp]:
    """Return places, rising, of all images whose log-odds may reach a level when cosines are up to
    `error` above the estimates.

    An image is at most as good as the best of what is asked for says, so that it needs a cosine of
    which that is so, or words; but where filters or absences alone can make an answer, all may.
    """
    plan = look.known.plan
    if level == -np.inf or not needs_a_probe(plan.expression):
        return np.flatnonzero(look.possible)
    is_near = np.zeros(len(look.possible), dtype=np.bool_)
    for index in probes_asked(plan.expression):
        curve = plan.calibration.text if plan.probes[index].is_text else plan.calibration.picture
        odds = log_odds(_COSINES, look.known.scales[index], curve)
        place = int(np.searchsorted(odds, level))
        floor = _COSINES[place - 1] - error if place else -np.inf
        is_near |= look.about.cosines[index] >= floor
    for held in look.known.held:
        if held is not None:
            is_near[look.places_held(held)[0]] = True
    return np.flatnonzero(is_near & look.possible)


def _floor(values: LogOdds, count: int) -> float:
    """Return the `count`-th largest of values (n,), -inf where there are fewer."""
    if len(values) < count:
        return -np.inf
    return float(np.partition(values, len(values) - count)[len(values) - count])
