"""Places and attributes as a search judges them: real files, indexed, with and without regions.

    python -m benchmarks.quality.contrasts [MODEL]

The pictures are those of `relations.py` (two photographs side by side or one above the other, and
the same swapped) and of `binding.py` ("a red car and a blue house", and a picture in which the
colours are exchanged), written as JPEG files into one folder with the 1,000 photographs, indexed by
`Library.add`, and searched. Right is when the picture that is meant comes before its contrast; by
chance half do. Pairs of concepts are the held-out ones. The plain search is that of the same
library before its regions were made.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from benchmarks.quality.binding import coloured, contrasts
from benchmarks.quality.photos import LIT_TINY, SHARED, Photos, photographs
from benchmarks.quality.relations import held_out, pairs_of, photographs_pixels
from benchmarks.quality.verdicts import finish, interval, target
from PIL import Image

from visionquery import Library
from visionquery.search.result import Placing
from visionquery.types import Pixels

_MOST = 150
_SIDE = 150
_EVERY = 5000


@dataclass(frozen=True)
class Contrast:
    """A query, and the names of the picture that is meant and of its contrast."""

    kind: str
    text: str
    meant: str
    other: str


def main() -> None:
    """Measure and print."""
    import argparse

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", default=LIT_TINY, help="catalog name or model folder")
    model = parser.parse_args().model
    photos = photographs(model)
    pixels = photographs_pixels()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "pictures"
        folder.mkdir()
        asked = [*_relations(photos, pixels, folder), *_bindings(photos, pixels, folder)]
        with Library.open(Path(place) / "library", model=model, create=True) as library:
            library.add(folder, SHARED / "data/flickr8k-dev/images")
            plain = _won(library, asked)
            library.add_regions()
            parts = _won(library, asked)
    for kind in dict.fromkeys(one.kind for one in asked):
        own = [place for place, one in enumerate(asked) if one.kind == kind]
        _print(kind, [plain[place] for place in own], [parts[place] for place in own])
    finish()


def _relations(photos: Photos, pixels: Sequence[Pixels], folder: Path) -> list[Contrast]:
    cut = slice((224 - _SIDE) // 2, (224 - _SIDE) // 2 + _SIDE)
    found = []
    for number, pair in enumerate(held_out(pairs_of(photos))):
        (a, b), (first, second) = pair.concepts, pair.photographs
        for relation, axis, kept in (("left of", 1, np.s_[:, cut]), ("above", 0, np.s_[cut])):
            names = [f"{relation}-{number}-{side}.jpg" for side in "ab"]
            for name, two in zip(names, ((first, second), (second, first)), strict=True):
                picture = np.concatenate([pixels[one][kept] for one in two], axis=axis)
                Image.fromarray(picture).save(folder / name, quality=92)
            kind = "left of, 4:3" if axis else "above, 3:4"
            found.append(Contrast(kind, f"{a} {relation} {b}", names[0], names[1]))
            found.append(Contrast(kind, f"{b} {relation} {a}", names[1], names[0]))
    return found


def _bindings(photos: Photos, pixels: Sequence[Pixels], folder: Path) -> list[Contrast]:
    found = []
    for number, one in enumerate(list(contrasts(photos, coloured(photos)))[:_MOST]):
        names = [f"colours-{number}-{side}.jpg" for side in "ab"]
        for name, two in zip(names, (one.meant, one.other), strict=True):
            picture = np.concatenate([pixels[side] for side in two], axis=1)
            Image.fromarray(picture).save(folder / name, quality=92)
        found.append(Contrast("colours of two things", one.text, names[0], names[1]))
    return found


def _won(library: Library, asked: Sequence[Contrast]) -> list[tuple[bool, Placing | None]]:
    """Return whether the picture that is meant comes before its contrast, and what was said of
    where things lie in it."""
    won = []
    for one in asked:
        response = library.search(one.text, limit=_EVERY, min_confidence=0.0)
        every = (*response.hits, *response.closest)
        hits = {Path(path).name: hit for hit in every for path in hit.paths}
        meant, other = hits[one.meant], hits[one.other]
        won.append((meant.rank < other.rank, meant.placed))
    return won


def _print(
    kind: str,
    plain: Sequence[tuple[bool, Placing | None]],
    parts: Sequence[tuple[bool, Placing | None]],
) -> None:
    before, after = (np.array([won for won, _ in each], dtype=float) for each in (plain, parts))
    low, high = interval(after)
    print(
        f"{kind}, {len(before)} contrasts: plain {100 * before.mean():.1f} %, with regions "
        f"{100 * after.mean():.1f} % ({100 * low:.0f} to {100 * high:.0f})"
    )
    said = [(won, placed) for won, placed in parts if placed is not None]
    if said:
        sure = [won for won, placed in said if placed != "unsure"]
        print(
            f"  said to be unsure: {100 * (1 - len(sure) / len(said)):.0f} %; right where sure: "
            f"{100 * np.mean(sure):.0f} %"
        )
    wanted = 0.8 if said else 0.7
    target("told apart", float(after.mean()), lambda share: share >= wanted, f">= {wanted}")


if __name__ == "__main__":
    main()
