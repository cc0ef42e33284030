"""Do corrections of ranking help? Hubness by bank and weight, and prompts.

    python -m benchmarks.quality.hubness [MODEL]

Every caption looks for its own photograph; intervals are bootstrapped over photographs. Hubness:
the cosine less a share of the image's bias, as Nearest Neighbor Normalization does (arXiv
2410.24114), with the stored bias (bank of everyday captions, `background.txt`) and, to see what a
bank of the very kind of the queries would give, with the captions of the other photographs as the
bank. Prompts: the caption averaged with "a photo of …" and the like, and concepts by average
precision, as prompts were made for single words.
"""

from collections.abc import Sequence

import numpy as np
from benchmarks.quality.photos import Photos, bare, load
from benchmarks.quality.verdicts import interval, percent
from numpy.typing import NDArray

from visionquery.evaluate.ranking import average_precision, ranks
from visionquery.search.background import biases_of
from visionquery.types import Matrix

_CUTS = (1, 5, 10)
_SHARES = (0.25, 0.5, 0.75, 1.0)
_PROMPTS = ("a photo of {}", "a photograph of {}", "a picture showing {}", "an image of {}")

Scores = NDArray[np.float32]


def main() -> None:
    """Measure and print."""
    photos = load(__doc__)
    queries = photos.encoder.encode_texts(photos.texts)
    plain = queries @ photos.vectors.T
    first = _hits(plain, photos)
    print(f"\nhit_rate@{'/'.join(map(str, _CUTS))} in percent, and @1 against plain cosine:")
    _report("plain cosine", first, first, photos)
    _report_hubness(photos, queries, plain, first)
    for count in (1, 2, 4):
        mixed = _mixed(photos, photos.texts, queries, _PROMPTS[:count])
        _report(f"with {count} prompts", _hits(mixed @ photos.vectors.T, photos), first, photos)
    _report_concepts(photos)


def _report_hubness(photos: Photos, queries: Matrix, plain: Scores, first: list[Scores]) -> None:
    with photos.library() as asked:
        stored = asked.store.measures()[:, 0]
    for share in _SHARES:
        found = _hits(plain - share * stored, photos)
        _report(f"stored bias, {share}", found, first, photos)
    # Each half of the photographs is ranked with the captions of the other half as the bank.
    for share in _SHARES:
        corrected = plain.copy()
        for part in (0, 1):
            bank = queries[photos.own % 2 != part]
            asking = photos.own % 2 == part
            corrected[asking] -= share * biases_of(photos.vectors, bank)
        _report(f"captions of others, {share}", _hits(corrected, photos), first, photos)


def _report_concepts(photos: Photos) -> None:
    print("\nconcepts, mean average precision:")
    for title, names in (
        ("as a word", [bare(name) for name in photos.concepts]),
        ("with its article", list(photos.concepts)),
    ):
        vectors = photos.encoder.encode_texts(names)
        for count in (0, 1, 4):
            mixed = _mixed(photos, names, vectors, _PROMPTS[:count])
            found = [
                average_precision(np.flatnonzero(truth[np.argsort(-row, kind="stable")]) + 1)
                for row, truth in zip(
                    mixed @ photos.vectors.T, photos.concepts.values(), strict=True
                )
            ]
            low, high = interval(np.array(found))
            print(f"  {title}, {count} prompts: {np.mean(found):.3f} ({low:.3f} to {high:.3f})")


def _mixed(photos: Photos, texts: Sequence[str], own: Matrix, prompts: Sequence[str]) -> Matrix:
    total = own + sum(photos.encoder.encode_texts([p.format(t) for t in texts]) for p in prompts)
    return np.asarray(total / np.linalg.norm(total, axis=1, keepdims=True), dtype=np.float32)


def _hits(scores: Scores, photos: Photos) -> list[NDArray[np.float64]]:
    found = ranks(scores, photos.own)
    return [(found <= cut).astype(np.float64) for cut in _CUTS]


def _report(
    name: str,
    found: list[NDArray[np.float64]],
    first: list[NDArray[np.float64]],
    photos: Photos,
) -> None:
    low, high = interval(found[0] - first[0], photos.own)
    print(
        f"  {name:26} {percent([hits.mean() for hits in found]):20} "
        f"{100 * (found[0] - first[0]).mean():+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"
    )


if __name__ == "__main__":
    main()
