"""NOT and AND against what else one could do: contrast sets of the photographs.

    python -m benchmarks.quality.negation [MODEL]

Pairs of concepts A and B of which enough photographs show A with B and enough A without B. "A -B"
is asked for A without B, "A AND B" for both. Beside them: the plain sentence ("a dog without
grass") as one vector, A alone, and vectors subtracted or added raw, as rclip does. A violation is
a photograph of B in the first ten of "A -B". `exclusion` was chosen on every second pair, in the
table that is printed first; the figures below it are those of the other pairs, then of all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from benchmarks.quality.photos import Asked, Photos, bare, load
from benchmarks.quality.verdicts import finish, interval, target
from numpy.typing import NDArray

from visionquery.evaluate.ranking import average_precision
from visionquery.query.ast import And, Blend, Node, Not, Text
from visionquery.search.executor import execute

_ENOUGH = 15
_SHARES = (0.2, 0.8)
_TEN = 10
_EXCLUSIONS = (0.5, 0.25, 0.0, -0.25, -0.5, -0.75, -1.0)

Order = NDArray[np.intp]
Pair = tuple[str, str]


@dataclass(frozen=True, eq=False)
class Measured:
    """Over pairs, each (p,): the share of the first ten that are right, that show A, and that show
    B; and the average precision of what is right."""

    right: NDArray[np.float64]
    shows_a: NDArray[np.float64]
    shows_b: NDArray[np.float64]
    precision: NDArray[np.float64]

    def row(self, name: str) -> str:
        """Return a line of a table."""
        low, high = interval(self.shows_b)
        return (
            f"  {name:28} P@10 {self.right.mean():.3f}  AP {self.precision.mean():.3f}  "
            f"A in ten {self.shows_a.mean():.3f}  B in ten {self.shows_b.mean():.3f} "
            f"({low:.3f} to {high:.3f})"
        )


def main() -> None:
    """Measure and print."""
    photos = load(__doc__)
    pairs = contrasts(photos)
    print(f"{len(pairs)} pairs of {len(photos.concepts)} concepts")
    with photos.library() as asked:
        _choose(photos, asked, pairs[::2])
        for title, some in (("held-out pairs", pairs[1::2]), ("all pairs", pairs)):
            _without(photos, asked, some, title)
        _together(photos, asked, pairs)
    finish()


def contrasts(photos: Photos) -> list[Pair]:
    """Return the pairs (A, B) with enough photographs on both sides, in a fixed random order."""
    pairs = []
    for a, shows_a in photos.concepts.items():
        for b, shows_b in photos.concepts.items():
            both, alone = (shows_a & shows_b).sum(), (shows_a & ~shows_b).sum()
            is_one_way = _SHARES[0] < both / max(both + alone, 1) < _SHARES[1]
            if min(both, alone) >= _ENOUGH and is_one_way and not _overlap(a, b, photos):
                pairs.append((a, b))
    order = np.random.default_rng(0).permutation(len(pairs))
    return [pairs[i] for i in order]


def _overlap(a: str, b: str, photos: Photos) -> bool:
    """Whether one is a kind of the other by the words that name them: no contrast to speak of."""
    return bool(photos.synonyms[a] & photos.synonyms[b])


def _choose(photos: Photos, asked: Asked, pairs: Sequence[Pair]) -> None:
    print("\nexclusion, on every second pair:")
    for exclusion in _EXCLUSIONS:
        found = _measure(photos, pairs, lambda a, b, at=exclusion: _ranked(asked, _not(a, b), at))
        print(found.row(f"{exclusion:5}"))


def _without(photos: Photos, asked: Asked, pairs: Sequence[Pair], title: str) -> None:
    vector = Vectors(photos)
    ways: dict[str, Callable[[str, str], Order]] = {
        "A alone": lambda a, _: vector.order(vector.of(a)),
        "sentence": lambda a, b: vector.order(vector.of(f"{a} without {bare(b)}")),
        "subtracted": lambda a, b: vector.order(vector.of(a) - vector.of(b)),
        '"A" -"B"': lambda a, b: _ranked(asked, _not(a, b)),
        "A without B, as typed": lambda a, b: _ranked(asked, f"{a} without {bare(b)}"),
    }
    print(f"\nA without B, {len(pairs)} {title}:")
    found = {name: _measure(photos, pairs, way) for name, way in ways.items()}
    for name, one in found.items():
        print(one.row(name))
    sentence, ours = found["sentence"], found['"A" -"B"']
    share = float(ours.shows_b.mean() / sentence.shows_b.mean())
    lost = ours.shows_a - sentence.shows_a
    low, high = interval(lost)
    target("violations left of the sentence's", share, lambda left: left <= 0.25, "<= 0.25")
    print(f"  A in the first ten against the sentence's: {lost.mean():+.3f}")
    print(f"  interval: {low:+.3f} to {high:+.3f}")
    target("A kept, upper end of its interval", high, lambda most: most >= 0, ">= 0")
    _report_shown(photos, asked, pairs)


def _report_shown(photos: Photos, asked: Asked, pairs: Sequence[Pair]) -> None:
    """Print what an exclusion leaves and loses of what a search for A shows by default."""
    before, after, kept = [], [], []
    for a, b in pairs:
        shows_b = photos.concepts[b]
        alone, without = _shown(asked, _text(a)), _shown(asked, _not(a, b))
        right = [i for i in alone if photos.concepts[a][i] and not shows_b[i]]
        before += [shows_b[alone].mean()] if alone else []
        after += [shows_b[without].mean()] if without else []
        kept += [len(set(right) & set(without)) / len(right)] if right else []
    print(
        f"  shown by default: B {np.mean(before):.2f} -> {np.mean(after):.2f}; of A without B that "
        f"A shows, {np.mean(kept):.0%} stay; {len(after)} of {len(before)} still answered"
    )


def _together(photos: Photos, asked: Asked, pairs: Sequence[Pair]) -> None:
    vector = Vectors(photos)
    ways: dict[str, Callable[[str, str], Order]] = {
        "sentence": lambda a, b: vector.order(vector.of(f"{a} and {b}")),
        "added": lambda a, b: vector.order(vector.of(a) + vector.of(b)),
        "A AND B": lambda a, b: _ranked(asked, And((_text(a), _text(b)))),
    }
    once = [pair for pair in pairs if (pair[1], pair[0]) not in pairs or pair[0] < pair[1]]
    print(f"\nA with B, {len(once)} pairs:")
    for name, way in ways.items():
        print(_measure(photos, once, way, together=True).row(name))


class Vectors:
    """Texts as vectors, each encoded once."""

    def __init__(self, photos: Photos) -> None:
        self._photos = photos
        self._known: dict[str, NDArray[np.float32]] = {}

    def of(self, text: str) -> NDArray[np.float32]:
        """Return the unit vector, (embed_dim,), of a text."""
        if text not in self._known:
            self._known[text] = self._photos.encoder.encode_texts([text])[0]
        return self._known[text]

    def order(self, vector: NDArray[np.float32]) -> Order:
        """Return the photographs, (n,), best first."""
        return np.argsort(-(self._photos.vectors @ vector), kind="stable")


def _text(name: str) -> Node:
    return Blend((Text(name),))


def _not(a: str, b: str) -> Node:
    return And((_text(a), Not(_text(b))))


def _shown(asked: Asked, query: Node) -> list[int]:
    page = execute(asked.plan(query), asked.store, limit=asked.store.image_count())
    return [int(hit.image_id, 16) for hit in page.hits]


def _ranked(asked: Asked, query: str | Node, exclusion: float | None = None) -> Order:
    plan = asked.plan(query)
    if exclusion is not None:
        plan = replace(plan, calibration=replace(plan.calibration, exclusion=exclusion))
    page = execute(plan, asked.store, limit=asked.store.image_count(), min_confidence=0)
    return np.array([int(hit.image_id, 16) for hit in page.hits])


def _measure(
    photos: Photos,
    pairs: Sequence[Pair],
    way: Callable[[str, str], Order],
    *,
    together: bool = False,
) -> Measured:
    rows = []
    for a, b in pairs:
        shows_a, shows_b = photos.concepts[a], photos.concepts[b]
        right = shows_a & (shows_b if together else ~shows_b)
        order = way(a, b)
        ten = order[:_TEN]
        ranks = np.flatnonzero(right[order]) + 1
        rows.append(
            (right[ten].mean(), shows_a[ten].mean(), shows_b[ten].mean(), average_precision(ranks))
        )
    return Measured(*np.array(rows).T)


if __name__ == "__main__":
    main()
