"""Does a search know when it does not know? Absent things against what is there.

    python -m benchmarks.quality.absent [MODEL]

Asks for things that no caption of the photographs mentions, nor the background that confidence
stands on, and for the captions themselves, and counts which are answered. Beside it, on the same
data: the best that one cut through the cosines can do, with the cut chosen while looking at these
very queries. Curves are fitted on every second photograph, concept and thing (`fit.py`); "held out"
are the others as a library of their own, "all" the whole collection.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from benchmarks.quality.photos import Asked, Photos, bare, load, with_article
from benchmarks.quality.verdicts import finish, percent, target
from numpy.typing import NDArray

from visionquery.query.ast import Blend, Text
from visionquery.search.executor import execute
from visionquery.search.result import DEFAULT_MIN_CONFIDENCE

_ABSENT = 0.05
_PRESENT = 0.85
_SIZES = (4, 20, 100, 250)


@dataclass(frozen=True, eq=False)
class Answers:
    """For some texts: the best cosine and the best confidence, (t,), and how many photographs
    were shown, (t,)."""

    cosine: NDArray[np.float64]
    confidence: NDArray[np.float64]
    shown: NDArray[np.intp]

    @property
    def answered(self) -> float:
        """The share of texts that got an answer."""
        return float(np.mean(self.confidence >= DEFAULT_MIN_CONFIDENCE))


def main() -> None:
    """Measure and print."""
    photos = load(__doc__)
    print(f"{len(photos.absent)} absent things, each asked as a word and with its article")
    for title, part, names, things in (
        ("held out", photos.part(1), list(photos.concepts)[1::2], photos.absent[1::2]),
        ("all", photos, list(photos.concepts), photos.absent),
    ):
        print(f"\n{title}, {len(part.captions)} photographs:")
        absent, captions = _compare(part, names, things)
        if title == "all":
            target("absent answered", absent.answered, lambda rate: rate <= _ABSENT, "<= 0.05")
            target("present answered", captions.answered, lambda rate: rate >= _PRESENT, ">= 0.85")
    _small(photos)
    _alike(photos)
    finish()


def _compare(
    photos: Photos, names: Sequence[str], things: Sequence[str]
) -> tuple[Answers, Answers]:
    scenes = [f"{with_article(thing)} on a table" for thing in things]
    words = [text for thing in things for text in (thing, with_article(thing))]
    spoken = [text for name in names for text in dict.fromkeys((name, bare(name)))]
    with photos.library() as asked:
        absent = ask(asked, words)
        in_scene = ask(asked, scenes)
        captions = ask(asked, photos.texts)
        concepts = ask(asked, spoken)
        right = _right(photos, asked, spoken)
    kinds = (
        ("absent things", absent), ("absent things in a scene", in_scene),
        ("captions", captions), ("concepts", concepts),
    )  # fmt: skip
    for kind, found in kinds:
        shown = found.shown[found.shown > 0]
        print(
            f"  {kind:25} answered {found.answered:6.1%} of {len(found.shown):5}, "
            f"photographs shown, where answered: {np.median(shown) if len(shown) else 0:.0f}"
        )
    print(f"  concepts: precision {right[0]:.2f}, recall {right[1]:.2f}")
    _print_cosine(absent, captions, concepts)
    return absent, captions


def ask(asked: Asked, texts: Sequence[str]) -> Answers:
    """Ask for texts and return what came of it."""
    rows = []
    for text in texts:
        plan = asked.plan(Blend((Text(text),)))
        page = execute(plan, asked.store, limit=1, min_confidence=DEFAULT_MIN_CONFIDENCE)
        (best,) = (*page.hits, *page.closest)
        rows.append((best.score, best.confidence, page.total))
    cosine, confidence, shown = map(np.array, zip(*rows, strict=True))
    return Answers(cosine, confidence, shown)


def _right(photos: Photos, asked: Asked, spoken: Sequence[str]) -> tuple[float, float]:
    """Return mean precision (of those answered) and recall of concepts."""
    truth = {**photos.concepts, **{bare(name): mask for name, mask in photos.concepts.items()}}
    precision, recall = [], []
    for text in spoken:
        if text not in truth:
            continue
        page = execute(asked.plan(Blend((Text(text),))), asked.store, limit=len(photos.captions))
        rows = [int(hit.image_id, 16) for hit in page.hits]
        recall.append(truth[text][rows].sum() / truth[text].sum())
        precision += [truth[text][rows].mean()] if rows else []
    return float(np.mean(precision)), float(np.mean(recall))


def _print_cosine(absent: Answers, captions: Answers, concepts: Answers) -> None:
    cut = np.quantile(absent.cosine, 1 - _ABSENT)
    fair = np.quantile(absent.confidence, 1 - _ABSENT)
    same = [float(np.mean(kind.cosine > cut)) for kind in (captions, concepts)]
    ours = [float(np.mean(kind.confidence > fair)) for kind in (captions, concepts)]
    print(
        f"  where 5 % of the absent are answered, captions / concepts that are: "
        f"one cut through the cosines {percent(same)}, confidence {percent(ours)}"
    )


def _small(photos: Photos) -> None:
    """Print what small libraries do, drawn at random from the photographs."""
    print("\nsmall libraries, mean of ten drawn at random:")
    random = np.random.default_rng(0)
    for size in _SIZES:
        found = []
        for _ in range(10):
            drawn = np.sort(random.choice(len(photos.captions), size, replace=False))
            some = Photos(
                photos.encoder, photos.vectors[drawn], [photos.captions[i] for i in drawn]
            )
            with some.library() as asked:
                things = [with_article(thing) for thing in photos.absent[::5]]
                found.append((ask(asked, things).answered, ask(asked, some.texts[::3]).answered))
        rates = np.mean(found, axis=0)
        print(f"  {size:3} photographs: absent answered {rates[0]:.1%}, captions {rates[1]:.1%}")


def _alike(photos: Photos) -> None:
    """Print what libraries of one thing do, where whatever is usual matches."""
    print("\nlibraries of one thing:")
    for name in ("a dog", "snow", "a child", "water"):
        rows = np.flatnonzero(photos.concepts[name])
        some = Photos(photos.encoder, photos.vectors[rows], [photos.captions[i] for i in rows])
        with some.library() as asked:
            shown = ask(asked, [name]).shown[0]
            absent = ask(asked, [with_article(thing) for thing in photos.absent[::2]]).answered
        print(f"  {name}: {shown} of {len(rows)} shown, absent answered {absent:.1%}")


if __name__ == "__main__":
    main()
