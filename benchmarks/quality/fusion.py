"""How much should the words of files count beside what the picture shows?

    python -m benchmarks.quality.fusion [MODEL]

Every third photograph carries the content words of its first caption as keywords, the others have
none: a library as people keep it. Other captions of all photographs look for their own, and
concepts for the photographs that show them. The score is the convex combination of the visual
log-odds and the share of the query's words that an image holds, w / (1 + w) of it for the words;
w = 0 is the picture alone, and the words alone are the last line. The weight that is shipped was
chosen on the photographs of even number; the figures are those of odd ones too.
"""

import numpy as np
from benchmarks.quality.photos import Asked, load
from numpy.typing import NDArray

from visionquery.evaluate.ranking import average_precision
from visionquery.query.ast import Blend, Text
from visionquery.search.calibrate import log_odds
from visionquery.search.candidates import find
from visionquery.search.phrases import phrases_of
from visionquery.store.questions import EVERYWHERE
from visionquery.types import Facts

_WEIGHTS = (0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0)
_TAGGED = 3
_ONLY_WORDS = 1e6

Column = NDArray[np.float64]


def main() -> None:
    """Measure and print."""
    photos = load(__doc__)
    facts = [_facts(number, of[0]) for number, of in enumerate(photos.captions)]
    numbers = np.arange(len(photos.captions))
    captions = [of[2] for of in photos.captions]
    with photos.library(facts) as asked:
        scored = [_scored(asked, text) for text in captions]
        concepts = [_scored(asked, name) for name in photos.concepts]
    for weight in (*_WEIGHTS, _ONLY_WORDS):
        places = np.array(
            [
                np.count_nonzero(_fused(visual, share, weight) > _fused(visual, share, weight)[own])
                for own, (visual, share) in enumerate(scored)
            ]
        )
        precision = [
            average_precision(np.flatnonzero(truth[np.argsort(-_fused(*parts, weight))]) + 1)
            for parts, truth in zip(concepts, photos.concepts.values(), strict=True)
        ]
        tagged = numbers % _TAGGED == 0
        groups = (numbers % 2 == 0, numbers % 2 == 1, tagged, ~tagged)
        rates = [100 * np.mean(places[group] < 10) for group in groups]
        name = "words alone" if weight == _ONLY_WORDS else f"w = {weight:g}"
        print(
            f"  {name:12} hit_rate@10: even {rates[0]:.1f}  odd {rates[1]:.1f}  "
            f"with keywords {rates[2]:.1f}  without {rates[3]:.1f} %   "
            f"concepts, average precision {np.mean(precision):.3f}"
        )


def _facts(number: int, caption: str) -> Facts:
    words = [forms[0] for forms in phrases_of([Text(caption)])]
    return Facts(224, 224, "JPEG", 1, keywords=tuple(words) if number % _TAGGED == 0 else ())


def _scored(asked: Asked, text: str) -> tuple[Column, Column]:
    """Return the visual log-odds (n,) and the share of the words (n,) of all photographs."""
    plan = asked.plan(Blend((Text(text),)))
    found = find(plan, asked.store, EVERYWHERE, count=1, least=0.0, every=True)
    evidence, known = found.best.evidence, found.known
    visual = log_odds(evidence.cosines[0], known.scales[0], plan.calibration.text)
    share, held = np.zeros(len(visual)), known.held[0]
    if held is not None:
        places, shares = held.among(evidence.rows)
        share[places] = shares
    return visual, share


def _fused(visual: Column, share: Column, weight: float) -> Column:
    return visual + weight * share


if __name__ == "__main__":
    main()
