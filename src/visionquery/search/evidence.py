"""What is known of the candidates for each probe of a plan, computed when first asked for."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from visionquery.query.plan import Plan, ProbeRef
from visionquery.search.calibrate import (
    LogOdds,
    Scale,
    log_odds,
    picture_scale,
    suspicion,
    text_scale,
)
from visionquery.search.phrases import share_held
from visionquery.store.base import Store

__all__ = ["Evidence", "Mask", "gather"]

_HOLDS_ALL = 2.0
"""Log-odds, at least, of an image whose files hold every word that counts: whoever named it so
knew what it shows, whatever the model sees."""

_ALL = 1 - 1e-9

Mask = NDArray[np.bool_]
"""Which images, shape (n,)."""


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Cosines, words and scales of n candidates for p probes.

    `cosines` is (p, n). `scales` are measured on the whole library, whatever the candidates.
    `shares[i]`, (n,), is how much of the words of probe i the files hold, 0..1, None for nothing.
    `masks` are those of the filters, each (n,).
    """

    plan: Plan
    cosines: NDArray[np.float32]
    scales: list[Scale]
    shares: list[NDArray[np.float64] | None]
    masks: list[Mask]
    _odds: dict[int, LogOdds] = field(default_factory=dict)

    def odds(self, index: int) -> LogOdds:
        """Return the log-odds, (n,), of being what a probe asks for."""
        if index not in self._odds:
            calibration = self.plan.calibration
            is_text = self.plan.probes[index].is_text
            curve = calibration.text if is_text else calibration.picture
            visual = log_odds(self.cosines[index], self.scales[index], curve)
            self._odds[index] = self._with_words(index, visual)
        return self._odds[index]

    def suspicion(self, excluded: ProbeRef, *, drops: bool) -> LogOdds:
        """Return the log-odds, (n,), with which images count as what a probe excludes: to come
        later for it or, where it `drops` them, to leave the answer."""
        visual = suspicion(
            self.cosines[excluded.index],
            self.scales[excluded.index],
            self.plan.calibration.exclusion,
            beside=tuple((self.cosines[i], self.scales[i], alike) for i, alike in excluded.beside),
            drops=drops,
            several=excluded.several,
        )
        return self._with_words(excluded.index, visual)

    def _with_words(self, index: int, visual: LogOdds) -> LogOdds:
        share = self.shares[index]
        if share is None:
            return visual
        fused = visual + self.plan.calibration.words * share
        return np.where(share > _ALL, np.maximum(fused, _HOLDS_ALL), fused)


def gather(plan: Plan, store: Store, *, rows: NDArray[np.intp], alive: Mask) -> Evidence:
    """Ask a store for all that a plan needs to know of some rows (n,), of which images are
    `alive`, (row_count,); inside `store.reading()`."""
    cosines = store.scores(plan.vectors)
    is_every = len(rows) == cosines.shape[1]
    every = slice(None) if alive.all() else alive
    biases = store.measures()[every, 0] if plan.null is not None and len(plan.probes) else None
    scales = [
        picture_scale(cosines[i, every])
        if biases is None or plan.null is None or not probe.is_text
        else text_scale(cosines[i, every], biases, plan.null)
        for i, probe in enumerate(plan.probes)
    ]
    return Evidence(
        plan,
        cosines if is_every else cosines[:, rows],
        scales,
        _shares(plan, store, rows),
        [store.matching(test)[rows] for test in plan.filters],
    )


def _shares(
    plan: Plan, store: Store, rows: NDArray[np.intp]
) -> list[NDArray[np.float64] | None]:
    known: dict[str, Mask] = {}

    def holding(phrase: str) -> Mask:
        if phrase not in known:
            known[phrase] = store.holding(phrase)
        return known[phrase]

    count = store.image_count()
    shares = [
        share_held(probe.phrases, holding=holding, image_count=count)[0] for probe in plan.probes
    ]
    return [None if share is None else share[rows] for share in shares]
