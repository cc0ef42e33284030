"""Do parts of pictures find small things, and what do they cost?

    python -m benchmarks.quality.regions [MODEL] [--scenes N]

Scenes are photographs enlarged to 800 pixels with another photograph pasted in somewhere, 2.5 to
5 % of the area: a small thing, whose box is known. A concept is looked for among all scenes; right
are those whose small photograph shows it, and scenes that show it themselves do not count. Of what
is everywhere (a person, grass) any order finds much by chance, so what is rare is told apart. Then
the photographs as they are: captions look for their own picture and concepts for theirs, which
parts must not make worse. The scenes of even number chose how parts are scored; figures are those
of odd number. Cost is that of indexing with parts over indexing without, on the scenes and on
12 megapixel photographs, and of a search with them over one without.

Tried and left out, by the best part alone on such scenes with `lit-tiny` (whole 0.136): four
halves and the middle 0.143, nine thirds 0.156, sixteen quarters 0.183, all of these 0.179; five
parts that stand out 0.280, five that have a contour too 0.330. A prior against small parts (0.25
or 0.5 spreads for each halving of the area) changes nothing or harms (0.167, 0.167, 0.160).
Taking off half of the mean of an image's other parts or of the whole finds little more (0.345
for 0.339). The odds among everyday captions in place of the cosine are worse (0.278).
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from benchmarks.quality.photos import LIT_TINY, SHARED, Photos, photographs
from numpy.typing import NDArray
from PIL import Image

from visionquery import Library
from visionquery.evaluate.ranking import average_precision
from visionquery.query.ast import Blend, Text
from visionquery.search.result import Response

_SIDE = 800
_LARGE = (4000, 3000)
_LARGE_COUNT = 24
_ASKED = 300
_TIMED = 40
_TOO_FEW = 3
_RARE = 0.1

Boxes = NDArray[np.float64]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", default=LIT_TINY, help="catalog name or model folder")
    parser.add_argument("--scenes", type=int, default=400, help="scenes to make, at most 1,000")
    asked = parser.parse_args()
    photos = photographs(asked.model)
    names = _files()
    with tempfile.TemporaryDirectory() as folder:
        _small_things(photos, names, Path(folder), asked.model, asked.scenes)
        _ordinary(photos, names, Path(folder), asked.model)
        _large(names, Path(folder), asked.model)


def _files() -> list[Path]:
    import json

    file = SHARED / "data/flickr8k-dev/captions.jsonl"
    return [file.parent / json.loads(line)["file"] for line in file.read_text().splitlines()]


def _small_things(
    photos: Photos, names: Sequence[Path], folder: Path, model: str, count: int
) -> None:
    other = np.random.default_rng(0).permutation(len(names))[:count]
    boxes = _make_scenes(names, other, folder / "scenes")
    with Library.open(folder / "small.vq", model=model, create=True) as library:
        before = _added(library, folder / "scenes", "small scenes, 0.64 MP")
        places = _places(folder / "scenes", count)
        plain = _precisions(library, photos, other, places)
        _add_regions(library, before)
        parts = _precisions(library, photos, other, places)
        _print_precisions("all concepts", plain, parts, list(parts))
        rare = [name for name in parts if photos.concepts[name].mean() <= _RARE]
        _print_precisions("that at most a tenth of the photographs show", plain, parts, rare)
        _print_boxes(library, photos, other, boxes, places)


def _print_precisions(
    what: str, plain: dict[str, float], parts: dict[str, float], names: Sequence[str]
) -> None:
    before, after = (float(np.mean([of[name] for name in names])) for of in (plain, parts))
    print(
        f"  small things, {len(names)} {what}, average precision: whole {before:.3f}  "
        f"parts {after:.3f}  x {after / before:.2f} (target 2)"
    )


def _make_scenes(names: Sequence[Path], other: NDArray[np.intp], folder: Path) -> Boxes:
    """Write scenes, and return where the small photographs are (n, 4) as shares."""
    folder.mkdir()
    random = np.random.default_rng(1)
    boxes = []
    for number, small in enumerate(other):
        scene = Image.open(names[number]).convert("RGB").resize((_SIDE, _SIDE))
        side = int(_SIDE * random.uniform(0.16, 0.223))
        left, top = random.integers(0, _SIDE - side, 2).tolist()
        pasted = Image.open(names[small]).convert("RGB").resize((side, side))
        scene.paste(pasted, (left, top))
        scene.save(folder / f"{number:04}.jpg", quality=92)
        boxes.append((left, top, left + side, top + side))
    return np.array(boxes) / _SIDE


def _precisions(
    library: Library, photos: Photos, other: NDArray[np.intp], places: dict[str, int]
) -> dict[str, float]:
    found = {}
    numbers = np.arange(len(other))
    for name, shown in photos.concepts.items():
        counts = ~shown[numbers] & (numbers % 2 == 1)
        right = counts & shown[other]
        if right.sum() < _TOO_FEW:
            continue
        order = _order(library.search(name, limit=len(other), min_confidence=0.0), places)
        order = order[counts[order]]
        found[name] = average_precision(np.flatnonzero(right[order]) + 1)
    return found


def _places(folder: Path, count: int) -> dict[str, int]:
    return {str(folder / f"{number:04}.jpg"): number for number in range(count)}


def _order(response: Response, places: dict[str, int]) -> NDArray[np.intp]:
    hits = (*response.hits, *response.closest)
    return np.array([places[str(hit.path)] for hit in hits], dtype=np.intp)


def _print_boxes(
    library: Library,
    photos: Photos,
    other: NDArray[np.intp],
    boxes: Boxes,
    places: dict[str, int],
) -> None:
    """Say how often the box of a right scene among the first ten lies on the small photograph."""
    on, seen = 0, 0
    for name, shown in photos.concepts.items():
        response = library.search(name, limit=10, min_confidence=0.0)
        for hit in (*response.hits, *response.closest):
            number = places[str(hit.path)]
            if not shown[other[number]] or shown[number] or hit.box is None:
                continue
            x, y = hit.box.left + hit.box.width / 2, hit.box.top + hit.box.height / 2
            left, top, right, bottom = 100 * boxes[number]
            on += left <= x <= right and top <= y <= bottom
            seen += 1
    share = 100 * on / max(seen, 1)
    print(f"  boxes whose middle lies on the small thing: {share:.0f} % of {seen}")


def _ordinary(photos: Photos, names: Sequence[Path], folder: Path, model: str) -> None:
    with Library.open(folder / "whole.vq", model=model, create=True) as library:
        before = _added(library, names[0].parent, "photographs of 224 px")
        places = {str(name): number for number, name in enumerate(names)}
        plain = _of_photographs(library, photos, places)
        _add_regions(library, before)
        parts = _of_photographs(library, photos, places)
        for (what, without), with_parts in zip(plain.items(), parts.values(), strict=True):
            print(f"  {what}: whole {without:.3f}  parts {with_parts:.3f}")


def _of_photographs(
    library: Library, photos: Photos, places: dict[str, int]
) -> dict[str, float]:
    ranks, seconds, precision, answered = [], [], [], []
    for number in range(0, _ASKED):
        caption = Blend((Text(photos.captions[number][1]),))
        started = time.perf_counter()
        answered.append(bool(library.search(caption).hits))
        seconds.append(time.perf_counter() - started)
        order = _order(library.search(caption, limit=1000, min_confidence=0.0), places)
        ranks.append(int(np.flatnonzero(order == number)[0]))
    for name, shown in photos.concepts.items():
        order = _order(library.search(name, limit=1000, min_confidence=0.0), places)
        precision.append(average_precision(np.flatnonzero(shown[order]) + 1))
    named = sum(bool(library.search(name).hits) for name in photos.concepts)
    absent = sum(bool(library.search(Blend((Text(thing),))).hits) for thing in photos.absent)
    return {
        "hit_rate@1 of captions": float(np.mean(np.array(ranks) < 1)),
        "hit_rate@10 of captions": float(np.mean(np.array(ranks) < 10)),
        "concepts, average precision": float(np.mean(precision)),
        "share of captions answered": float(np.mean(answered)),
        "share of concepts answered": named / len(photos.concepts),
        "share of absent things answered": absent / len(photos.absent),
        "milliseconds of a search": 1e3 * statistics.median(seconds[-_TIMED:]),
    }


def _large(names: Sequence[Path], folder: Path, model: str) -> None:
    (folder / "large").mkdir()
    for number in range(_LARGE_COUNT):
        large = Image.open(names[number]).convert("RGB").resize(_LARGE)
        large.save(folder / "large" / f"{number}.jpg", quality=90)
    with Library.open(folder / "large.vq", model=model, create=True) as library:
        _add_regions(library, _added(library, folder / "large", "photographs of 12 MP"))


def _added(library: Library, folder: Path, what: str) -> float:
    library.warm_up()
    report = library.add(folder)
    print(f"  {what}: {report.images_per_second:.1f} images/s", end="")
    return report.seconds / report.encoded


def _add_regions(library: Library, before: float) -> None:
    report = library.add_regions()
    after = report.seconds / report.viewed
    print(
        f"; index cost with {report.regions / report.viewed:.1f} parts x "
        f"{(before + after) / before:.2f} (target 6)"
    )


if __name__ == "__main__":
    main()
