"""What is known of some candidates for each probe of a plan, computed when first asked for."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from visionquery.query.ast import Box
from visionquery.query.plan import Arrangement, Plan, ProbeRef
from visionquery.search.arrangement import (
    Leaning,
    RegionScores,
    against,
    in_order,
    leaning,
    otherwise_many,
)
from visionquery.search.calibrate import LogOdds, Scale, log_odds, suspicion
from visionquery.search.phrases import Held, share_held
from visionquery.search.regions import Lifted
from visionquery.store.base import Store

__all__ = ["Again", "Evidence", "Known", "Mask", "held_by"]

_HOLDS_ALL = 2.0
"""Log-odds, at least, of an image whose files hold every word that counts: whoever named it so
knew what it shows, whatever the model sees."""

_ALL = 1 - 1e-9

Mask = NDArray[np.bool_]
"""Which images, shape (n,)."""


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What is known of a library for a plan: the `scales` of its probes, who `held` how much of
    their words, None for nothing, and the `masks` of its filters, each (m,), of the rows `looked`
    at, (m,), rising, where these are not all; `lifted` are the cosines of all images where parts of
    them count too, and `regions` these parts, where the plan asks where things are. `again` is what
    a second model knows."""

    plan: Plan
    scales: list[Scale]
    held: list[Held | None]
    masks: list[Mask]
    looked: NDArray[np.intp] | None = None
    lifted: Lifted | None = None
    regions: RegionScores | None = None
    again: "Again | None" = None

    def cosines(self, store: Store, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return the cosines (p, n) of the probes with images of rows (n,), as they count."""
        if self.lifted is not None:
            return self.lifted.cosines[:, rows]
        return store.scores(self.plan.vectors, rows)

    def box(self, probe: int, row: int) -> Box | None:
        """Return the part of an image that a probe is met by, None where it is the whole."""
        return None if self.lifted is None else self.lifted.box(probe, row)


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Cosines (p, n) of p probes with n candidates, which are rows (n,), rising."""

    known: Known
    rows: NDArray[np.intp]
    cosines: NDArray[np.float32]
    _odds: dict[int, LogOdds] = field(default_factory=dict)

    @property
    def masks(self) -> list[Mask]:
        """Which candidates, (n,), pass each filter."""
        looked = self.known.looked
        places = self.rows if looked is None else np.searchsorted(looked, self.rows)
        return [mask[places] for mask in self.known.masks]

    def odds(self, index: int) -> LogOdds:
        """Return the log-odds, (n,), of being what a probe asks for."""
        if index not in self._odds:
            calibration = self.known.plan.calibration
            is_text = self.known.plan.probes[index].is_text
            curve = calibration.text if is_text else calibration.picture
            visual = log_odds(self.cosines[index], self.known.scales[index], curve)
            first = self._with_words(index, visual)
            self._odds[index] = self._fused(first, lambda other: other.odds(index))
        return self._odds[index]

    def suspicion(self, excluded: ProbeRef, *, drops: bool) -> LogOdds:
        """Return the log-odds, (n,), with which images count as what a probe excludes: to come
        later for it or, where it `drops` them, to leave the answer."""
        scales = self.known.scales
        visual = suspicion(
            self.cosines[excluded.index],
            scales[excluded.index],
            self.known.plan.calibration.exclusion,
            beside=tuple((self.cosines[i], scales[i], alike) for i, alike in excluded.beside),
            drops=drops,
            several=excluded.several,
        )
        first = self._with_words(excluded.index, visual)
        return self._fused(first, lambda other: other.suspicion(excluded, drops=drops))

    def _fused(self, odds: LogOdds, ask: "Callable[[Evidence], LogOdds]") -> LogOdds:
        """Return log-odds, (n,), as they are where a second model has seen the image too."""
        again = self.known.again
        if again is None:
            return odds
        is_seen = np.isin(self.rows, again.evidence.rows)
        places = np.searchsorted(again.evidence.rows, self.rows[is_seen])
        odds[is_seen] += again.weight * (ask(again.evidence)[places] - odds[is_seen])
        return odds

    def placed(self, wanted: Arrangement, *, drops: bool) -> LogOdds:
        """Return what images gain or lose, (n,), for where they show things, or how many: in order
        or, where it `drops` them, in what makes them part of the answer. 0 where nothing is known.
        """
        if wanted.relation == "count":
            own, *others = (self._spreads(ref.index) for ref in (wanted.whole, *wanted.things))
            return otherwise_many(own, others)
        leaning = self.leaning(wanted)
        return against(leaning) if drops else in_order(leaning)

    def leaning(self, wanted: Arrangement) -> Leaning:
        """Return how far images, (n,), lie as is wanted; 0 where there are no regions."""
        if self.known.regions is None:
            return np.zeros(len(self.rows))
        things = [thing.index for thing in wanted.things]
        return leaning(wanted.relation, self.known.regions, things, self.rows)

    def _spreads(self, index: int) -> NDArray[np.float64]:
        scale = self.known.scales[index]
        spreads: NDArray[np.float64] = (self.cosines[index] - scale.usual) / scale.spread
        return spreads

    def _with_words(self, index: int, visual: LogOdds) -> LogOdds:
        held = self.known.held[index]
        if held is None:
            return visual
        places, shares = held.among(self.rows)
        fused = visual[places] + self.known.plan.calibration.words * shares
        visual[places] = np.where(shares > _ALL, np.maximum(fused, _HOLDS_ALL), fused)
        return visual


@dataclass(frozen=True, slots=True, eq=False)
class Again:
    """The evidence of a second model for the probes of its own plan, which mean the same one by
    one, and how much it weighs, 0..1, in the mean of both log-odds."""

    evidence: Evidence
    weight: float


def held_by(plan: Plan, store: Store) -> list[Held | None]:
    """Return who holds how much of the words of each probe; inside `store.reading()`."""
    found: dict[str, Mask] = {}

    def holding(phrase: str) -> Mask:
        if phrase not in found:
            found[phrase] = store.holding(phrase)
        return found[phrase]

    count = store.image_count()
    return [share_held(probe.phrases, holding=holding, image_count=count) for probe in plan.probes]
