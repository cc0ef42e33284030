"""Fit the curves of a model: from evidence to confidence, for words and for pictures.

    python -m benchmarks.quality.fit [MODEL]

Fitted on every second photograph and every second concept and absent thing; the others are held
out for `absent.py`. Presence: captions and concepts are here, absent things are not. A match: a
caption's own photograph, the photographs that show a concept; a picture matches one whose captions
share its words. What is printed goes into the model's `model.toml`; for `lit-tiny`, whose folder is
not ours, it is `DEFAULT_CALIBRATION`.
"""

from dataclasses import replace

import numpy as np
from benchmarks.quality.photos import Photos, bare, load, with_article
from numpy.typing import NDArray

from visionquery.query.plan import Null
from visionquery.search.background import kept_background
from visionquery.search.calibrate import (
    Scale,
    best_count,
    best_places,
    confidence,
    growth,
    log_odds,
    picture_scale,
    text_scale,
)
from visionquery.search.result import DEFAULT_MIN_CONFIDENCE
from visionquery.store.base import Store
from visionquery.types import Curve, Line

_CAPTIONS = 0.3
"""What all captions weigh in the fit of a match, beside 1 for all concepts: a caption names one
photograph, while many look alike."""

_ABSENT_ANSWERED = 0.035
"""Absent things that may get an answer at the default confidence, on the photographs of the fit:
less than one in twenty, so that one in twenty holds elsewhere too."""

_OTHERS = 5
"""Photographs that fit a caption as well as its own and are not its own, by reading some."""

_ALIKE = 0.2
"""Jaccard index of the words of two photographs' captions from which on they count as alike."""

Column = NDArray[np.float64]


def main() -> None:
    """Fit and print."""
    photos = load(__doc__).part(0)
    concepts = list(photos.concepts)[::2]
    absent = photos.absent[::2]
    here = [text for name in concepts for text in dict.fromkeys((name, bare(name)))]
    missing = [text for thing in absent for text in (thing, with_article(thing))]
    with photos.library() as asked:
        scored = {
            kind: Texts(photos, asked.store, texts)
            for kind, texts in (("captions", photos.texts), ("here", here), ("missing", missing))
        }
    match = _match(photos, scored, here)
    presence = _guarded(scored["missing"], match, _presence(scored, len(photos.captions)))
    picture = _pictures(photos)
    print(f"\n[calibration.text]\nmatch = {_toml(*match)}")
    print(f"presence = {_toml(*presence)}")
    print(f"\n[calibration.picture]\nmatch = {_toml(*picture)}")


def _toml(slope: float, midpoint: float, tail: float | None = None) -> str:
    end = "" if tail is None else f", tail = {tail:.2f}"
    return f"{{ slope = {slope:.2f}, midpoint = {midpoint:.2f}{end} }}"


class Texts:
    """Texts scored on a library: the evidence of presence (t,) and of a match (t, n)."""

    def __init__(self, photos: Photos, store: Store, texts: list[str]) -> None:
        background = kept_background(store)
        assert background is not None, "the library was measured"
        cosines = photos.encoder.encode_texts(texts) @ photos.vectors.T
        biases = store.measures()[:, 0]
        scales = [_scale(row, biases, background.null) for row in cosines]
        self.scales = scales
        self.best = np.array([scale.best for scale in scales])
        self.tail = np.array([scale.tail for scale in scales])
        self.z = np.stack(
            [(row - scale.usual) / scale.spread for row, scale in zip(cosines, scales, strict=True)]
        )


def _scale(row: NDArray[np.float32], biases: NDArray[np.float32], null: Null) -> Scale:
    best = best_places(row, best_count(len(row), is_text=True))
    return text_scale(row, row[best], biases[best], null, images=len(row))


def _picture_scale(row: NDArray[np.float32]) -> Scale:
    best = best_places(row, best_count(len(row), is_text=False))
    return picture_scale(row, row[best], images=len(row))


def _presence(scored: dict[str, Texts], images: int) -> tuple[float, float, float]:
    """Return slope, midpoint and tail; captions and concepts weigh as much as absent things."""
    weights = {"captions": 0.5, "here": 0.5, "missing": 1.0}
    columns, truth, weight = [], [], []
    for kind, texts in scored.items():
        columns.append(np.stack([texts.best, texts.tail], axis=1))
        truth.append(np.full(len(texts.best), kind != "missing", dtype=float))
        weight.append(np.full(len(texts.best), weights[kind] / len(texts.best)))
    best, tail, constant = newton(*map(np.concatenate, (columns, truth, weight)))
    return best, -constant / best - growth(images), max(tail, 0.0) / best


def _guarded(
    missing: Texts, match: tuple[float, float], presence: tuple[float, float, float]
) -> tuple[float, float, float]:
    """Raise the midpoint of presence until few enough absent things are answered: a fit that
    takes both mistakes for equally bad answers too many of them."""
    slope, midpoint, tail = presence
    best = missing.z.max(axis=1).astype(np.float32)
    while True:
        curve = Curve(Line(*match), Line(slope, midpoint), tail)
        sure = [
            confidence(log_odds(z[None], replace(scale, usual=0.0, spread=1.0), curve))[0]
            for z, scale in zip(best, missing.scales, strict=True)
        ]
        if np.mean(np.array(sure) >= DEFAULT_MIN_CONFIDENCE) <= _ABSENT_ANSWERED:
            return slope, midpoint, tail
        midpoint += 0.02


def _match(photos: Photos, scored: dict[str, Texts], here: list[str]) -> tuple[float, float]:
    own = photos.own[:, None] == np.arange(len(photos.captions))
    share = _CAPTIONS / len(own)
    truth = {**photos.concepts, **{bare(name): mask for name, mask in photos.concepts.items()}}
    shown = np.stack([truth[text] for text in here])
    counts = np.maximum(shown.sum(axis=1, keepdims=True), 1)
    z = [scored["captions"].z, scored["here"].z]
    right = [own, shown]
    weight = [
        np.where(own, share, share * _OTHERS / own.shape[1]),
        np.broadcast_to(1 / len(here) / counts, shown.shape),
    ]
    return line(z, right, weight)


def _pictures(photos: Photos) -> tuple[float, float]:
    """Fit a match of pictures: every photograph asks for those whose captions share its words."""
    cosines = photos.vectors @ photos.vectors.T
    z, right, weight = [], [], []
    for number, row in enumerate(cosines):
        others = np.arange(len(row)) != number
        scale = _picture_scale(row[others])
        alike = np.array([_jaccard(photos.words[number], words) for words in photos.words])
        z.append((row[others] - scale.usual) / scale.spread)
        right.append(alike[others] >= _ALIKE)
        weight.append(np.full(len(row) - 1, 1.0))
    return line(z, right, weight)


def _jaccard(first: set[str], second: set[str]) -> float:
    return len(first & second) / len(first | second)


def line(
    z: list[Column], right: list[NDArray[np.bool_]], weight: list[Column]
) -> tuple[float, float]:
    """Return slope and midpoint of 1 / (1 + exp(-slope * (z - midpoint)))."""
    columns, truth, weights = (
        np.concatenate([part.ravel() for part in parts]) for parts in (z, right, weight)
    )
    slope, constant = newton(columns[:, None], truth.astype(float), weights / weights.sum())
    return slope, -constant / slope


def newton(columns: Column, truth: Column, weight: Column) -> tuple[float, ...]:
    """Return the coefficients of a logistic regression, the constant last, by Newton's method."""
    design = np.column_stack([columns, np.ones(len(columns))])
    theta = np.zeros(design.shape[1])
    for _ in range(40):
        chance = 1 / (1 + np.exp(-design @ theta))
        curvature = (design * (weight * chance * (1 - chance))[:, None]).T @ design
        theta -= np.linalg.solve(
            curvature + 1e-9 * np.eye(len(theta)), design.T @ (weight * (chance - truth))
        )
    return tuple(map(float, theta))


if __name__ == "__main__":
    main()
