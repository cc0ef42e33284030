"""Concepts learnt from examples against the best words for them.

    python -m benchmarks.quality.concepts

Examples of a class, drawn at random, teach a concept; the other pictures of the class are to be
found among all labelled pictures without the examples. Beside it: the text query that does best on
these very pictures, of several phrasings, which nobody could know beforehand. A class has 40
pictures at least; of 50 or more there are only 62, and they are counted apart.
"""

import numpy as np
from benchmarks.quality.labelled import Labelled, labelled, phrasings
from benchmarks.quality.verdicts import finish, target
from numpy.typing import NDArray

from visionquery.evaluate.ranking import average_precision
from visionquery.search.feedback import NEAREST, OTHERS, learn
from visionquery.types import Vector

_EXAMPLES = (1, 3, 5, 10)
_LARGE = 50
_CLICKS = 3


def main() -> None:
    """Measure and print."""
    pictures = labelled(least=40)
    texts = {name: pictures.encoder.encode_texts(phrasings(name)) for name in pictures.classes}
    print(f"{len(pictures.vectors):,} pictures, {len(texts)} classes")
    for count in _EXAMPLES:
        found = {name: _measured(pictures, name, texts[name], count) for name in texts}
        _report(pictures, found, count)
        if count == _EXAMPLES[-1]:
            table = np.array(list(found.values()))
            wins = float(np.mean(table[:, 1] > table[:, 0]))
            target("classes in which ten examples alone win", wins, lambda w: w >= 0.9, ">= 0.9")
    finish()


def _report(pictures: Labelled, found: dict[str, NDArray[np.float64]], count: int) -> None:
    print(f"\n{count} examples:")
    groups: dict[str, list[str]] = {"all classes": list(found)}
    for name in found:
        groups.setdefault(pictures.sources_of(name), []).append(name)
    sizes = {name: int(np.sum(pictures.labels == name)) for name in found}
    groups[f"of {_LARGE} or more"] = [name for name in found if sizes[name] >= _LARGE]
    for title, names in groups.items():
        text, alone, both = np.array([found[name] for name in names]).T
        print(
            f"  {title:14} {len(names):4} classes  AP: best text {text.mean():.3f}  "
            f"examples {alone.mean():.3f}, better in {np.mean(alone > text):4.0%}  "
            f"text and examples {both.mean():.3f}, better in {np.mean(both > text):4.0%}"
        )


def _measured(
    pictures: Labelled, name: str, texts: NDArray[np.float32], count: int
) -> NDArray[np.float64]:
    """Return the average precisions of the best text, of examples alone, and of both."""
    vectors, truth = pictures.vectors, pictures.labels == name
    generator = np.random.default_rng(pictures.classes.index(name))
    chosen = generator.permutation(np.flatnonzero(truth))[:count]
    rest = np.ones(len(vectors), bool)
    rest[chosen] = False

    def precision(vector: Vector) -> float:
        order = np.argsort(-(vectors[rest] @ vector), kind="stable")
        return average_precision(np.flatnonzero(truth[rest][order]) + 1)

    others = vectors[np.random.default_rng(0).permutation(len(vectors))[:OTHERS]]
    none = vectors[:0]
    start = texts[2]
    near = vectors[np.argsort(-(vectors @ start), kind="stable")[:NEAREST]]
    reach = max(1.0, count / _CLICKS)
    alone = learn(None, vectors[chosen], none, others=others, nearest=none)
    both = learn(start, vectors[chosen], none, others=others, nearest=near, reach=reach)
    assert alone is not None, "a class has an example"
    assert both is not None, "and a text"
    return np.array([max(map(precision, texts)), precision(alone), precision(both)])


if __name__ == "__main__":
    main()
