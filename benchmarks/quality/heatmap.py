"""Where in a picture something is: heatmaps of scenes whose answer is known.

    python -m benchmarks.quality.heatmap [MODEL] [--scenes N]

A scene is a photograph enlarged to 800 px, into which another one is pasted small, 4 to 25 % of the
area; it is asked for a thing that the captions of the pasted one name and those of the ground do
not. Pointing: the hottest place lies in the pasted photograph, which chance does as often as its
area says. Energy: the share of the heat in it. IoU: of the best box and it. All settings were
chosen on every second scene; "held out" are the others.

Beside what is used: other sizes of views, cosines as they are, and occlusion (each view greyed out
in its turn, and how much the cosine of the whole drops). Last, things that nobody sees
(`absent.txt`): how often a map claims to have found one.

Tried and left out, with pocket on 60 held-out scenes, where what is used points right in 0.683: one
mean over both sizes 0.583, even weights within a view 0.533, smaller views (0.2) that overlap less
0.700 but 0.700 to 0.733 on those chosen on, 123 views of three sizes 0.667; the bias of a view (the
mean of its 64 best cosines with everyday captions) instead of the mean of all 0.683. Evidence from
the rest of the picture alone separates what is there from what is not a little less (at 5 % of
absent things, 62 % instead of 68 %), and a thing that fills a picture is then nowhere.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from benchmarks.quality.photos import LIT_TINY, SHARED, Photos
from benchmarks.quality.verdicts import finish, target
from numpy.typing import NDArray
from PIL import Image

from visionquery.images.views import cut
from visionquery.models.catalog import resolve
from visionquery.models.encoder import Encoder, load_encoder
from visionquery.query.ast import Box
from visionquery.search.background import encode_bank
from visionquery.search.heatmap import SIDES, Heat, evidence, heat, windows
from visionquery.store.memory import MemoryStore
from visionquery.types import Decoded, Facts, Matrix

THINGS = (
    "a dog", "a baby", "a crowd", "a beach", "a pool", "snow", "a mountain", "a bicycle",
    "a motorcycle", "a car", "a boat", "a skateboard", "a ball", "a swing", "a playground",
    "a skier",
)  # fmt: skip
_LONGEST = 800
_SHAPE = (96, 96)
_ABSENT_PER_SCENE = 4
_SIZES = {
    "used: 0.4, 0.25": SIDES, "0.25": (0.25,), "0.33": (1 / 3,), "0.5, 0.25": (0.5, 0.25),
    "0.5, 0.33, 0.25": (0.5, 1 / 3, 0.25),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture, what it is asked for, and the box in percent where that is."""

    picture: Decoded
    thing: str
    box: Box


@dataclass(frozen=True, eq=False)
class Seen:
    """A scene and the vectors of its views by their size: the boxes (m) and (m, embed_dim)."""

    scene: Scene
    views: dict[float, tuple[list[Box], Matrix]]
    occluded: tuple[list[Box], Matrix]
    whole: Matrix
    seconds: float


@dataclass(frozen=True, eq=False)
class Words:
    """Vectors of what is asked for, by its text, and what is usual for this model."""

    texts: dict[str, NDArray[np.float32]]
    middle: NDArray[np.float32]
    spread: float
    others: Matrix


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", default=LIT_TINY, help="catalog name or model folder")
    parser.add_argument("--scenes", type=int, default=120)
    asked = parser.parse_args()
    encoder = load_encoder(resolve(asked.model))
    file = SHARED / "data/flickr8k-dev/captions.jsonl"
    entries = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    none = np.zeros((len(entries), 1), np.float32)
    photos = Photos(encoder, none, [entry["captions"] for entry in entries])
    names = [str(file.parent / entry["file"]) for entry in entries]
    scenes = made(photos, names, asked.scenes)
    seen = [look(scene, encoder) for scene in scenes]
    words = worded(photos, encoder, seen)
    area = np.mean([one.box.width * one.box.height / 1e4 for one in scenes])
    print(f"{encoder.identity.name}, {len(scenes)} scenes; chance {area:.3f}")
    ways(seen[::2], words, "scenes that settings were chosen on")
    ways(seen[1::2], words, "held-out scenes")
    found = [mapped(one, words) for one in seen[1::2]]
    pointing = np.mean([points(one.scene, way) for one, way in zip(seen[1::2], found, strict=True)])
    target("pointing, times chance", float(pointing / area), lambda times: times >= 3, ">= 3")
    weak(photos, seen[1::2], words)
    print(f"  {np.mean([one.seconds for one in seen]):.2f} s for the 65 views of a map")
    finish()


def made(photos: Photos, names: Sequence[str], count: int) -> list[Scene]:
    """Return scenes, always the same."""
    random = np.random.default_rng(0)
    scenes = []
    for number in range(count):
        thing = THINGS[number % len(THINGS)]
        shows = photos.concepts[thing]
        pasted = Image.open(names[int(random.choice(np.flatnonzero(shows)))]).convert("RGB")
        ground = Image.open(names[int(random.choice(np.flatnonzero(~shows)))]).convert("RGB")
        larger = _LONGEST / max(ground.size)
        ground = ground.resize((round(ground.width * larger), round(ground.height * larger)))
        share = random.uniform(0.04, 0.25) * ground.width * ground.height
        scale = (share / (pasted.width * pasted.height)) ** 0.5
        scale = min(scale, min(ground.size) / max(pasted.size))
        pasted = pasted.resize((round(pasted.width * scale), round(pasted.height * scale)))
        left = int(random.integers(0, ground.width - pasted.width + 1))
        top = int(random.integers(0, ground.height - pasted.height + 1))
        ground.paste(pasted, (left, top))
        across, down = 100 / ground.width, 100 / ground.height
        box = Box(left * across, top * down, pasted.width * across, pasted.height * down)
        scenes.append(Scene(_decoded(np.asarray(ground)), thing, box))
    return scenes


def _decoded(pixels: NDArray[np.uint8]) -> Decoded:
    return Decoded(pixels, Facts(pixels.shape[1], pixels.shape[0], "JPEG", 1))


def look(scene: Scene, encoder: Encoder) -> Seen:
    """Encode the views of a scene, of all sizes, and the scene without each of the small ones."""
    views, seconds = {}, 0.0
    for size in sorted({size for sizes in _SIZES.values() for size in sizes}):
        started = time.perf_counter()
        boxes = _of_size(scene, size)
        views[size] = boxes, _encoded([cut(scene.picture, box) for box in boxes], encoder)
        seconds += (time.perf_counter() - started) * (size in SIDES)
    boxes = views[0.25][0]
    occluded = _encoded([_without(scene.picture, box) for box in boxes], encoder)
    return Seen(scene, views, (boxes, occluded), _encoded([scene.picture], encoder), seconds)


def _of_size(scene: Scene, size: float) -> list[Box]:
    height, width = scene.picture.pixels.shape[:2]
    return windows(width, height, sides=(size,))


def _without(picture: Decoded, box: Box) -> Decoded:
    pixels = picture.pixels.copy()
    height, width = pixels.shape[:2]
    rows = slice(round(box.top * height / 100), round((box.top + box.height) * height / 100))
    columns = slice(round(box.left * width / 100), round((box.left + box.width) * width / 100))
    pixels[rows, columns] = 127
    return _decoded(pixels)


def _encoded(pictures: Sequence[Decoded], encoder: Encoder) -> Matrix:
    prepared = [encoder.prepare(picture) for picture in pictures]
    rows = [
        encoder.encode_images(np.stack(prepared[start : start + 16]))
        for start in range(0, len(prepared), 16)
    ]
    return np.concatenate(rows)


def worded(photos: Photos, encoder: Encoder, seen: Sequence[Seen]) -> Words:
    """Encode what is asked for, and measure what is usual; the other images are the scenes."""
    store = MemoryStore(encoder.identity)
    with store.writing():
        bank = encode_bank(store, encoder)
    others = np.concatenate([one.whole for one in seen])
    middle = bank.mean(axis=0)
    texts = [*THINGS, *photos.absent]
    vectors = encoder.encode_texts(texts)
    spread = float((others @ (bank - middle).T).std())
    return Words(dict(zip(texts, vectors, strict=True)), middle, spread, others)


def mapped(one: Seen, words: Words, text: str | None = None) -> Heat:
    """Return the map that the program makes."""
    return _map(one, words, SIDES, text or one.scene.thing)


def _map(one: Seen, words: Words, sizes: Sequence[float], text: str, *, raw: bool = False) -> Heat:
    boxes = [box for size in sizes for box in one.views[size][0]]
    views = np.concatenate([one.views[size][1] for size in sizes])
    vector = words.texts[text] - (0 if raw else words.middle)
    return heat(boxes, evidence(views @ vector, words.others @ vector, words.spread), _SHAPE)


def _occluded(one: Seen, words: Words) -> Heat:
    boxes, without = one.occluded
    vector = words.texts[one.scene.thing]
    return heat(boxes, (one.whole @ vector - without @ vector) / words.spread, _SHAPE)


def ways(seen: Sequence[Seen], words: Words, title: str) -> None:
    """Print a table of ways to make maps."""
    table: dict[str, Callable[[Seen], Heat]] = {
        name: lambda one, sizes=sizes: _map(one, words, sizes, one.scene.thing)
        for name, sizes in _SIZES.items()
    }
    table["used, cosines alone"] = lambda one: _map(
        one, words, SIDES, one.scene.thing, raw=True
    )
    table["occlusion, 0.25"] = lambda one: _occluded(one, words)
    print(f"\n{len(seen)} {title}:")
    for name, way in table.items():
        maps = [way(one) for one in seen]
        pairs = list(zip([one.scene for one in seen], maps, strict=True))
        figures = [np.mean([of(*pair) for pair in pairs]) for of in (points, energy, overlap)]
        print("  {:22} pointing {:.3f}  energy {:.3f}  IoU {:.3f}".format(name, *figures))


def points(scene: Scene, found: Heat) -> bool:
    """Tell whether the hottest place lies in the box."""
    y, x = np.unravel_index(int(found.grid.argmax()), found.grid.shape)
    return bool(_inside(scene.box, found.grid.shape)[y, x])


def energy(scene: Scene, found: Heat) -> float:
    """Return the share of the heat that lies in the box."""
    total = float(found.grid.sum())
    return float(found.grid[_inside(scene.box, found.grid.shape)].sum()) / total if total else 0.0


def overlap(scene: Scene, found: Heat) -> float:
    """Return the intersection over the union of the two boxes."""
    one, other = scene.box, found.box
    across = min(one.left + one.width, other.left + other.width) - max(one.left, other.left)
    down = min(one.top + one.height, other.top + other.height) - max(one.top, other.top)
    both = max(across, 0.0) * max(down, 0.0)
    return both / (one.width * one.height + other.width * other.height - both)


def _inside(box: Box, shape: tuple[int, int]) -> NDArray[np.bool_]:
    down, across = [(np.arange(count) + 0.5) * 100 / count for count in shape]
    rows = (box.top <= down) & (down <= box.top + box.height)
    columns = (box.left <= across) & (across <= box.left + box.width)
    return rows[:, None] & columns[None, :]


def weak(photos: Photos, seen: Sequence[Seen], words: Words) -> None:
    """Print how often strong evidence is claimed of what is there and of what is not."""
    random = np.random.default_rng(1)
    there = [not mapped(one, words).is_weak for one in seen]
    absent = [
        not mapped(one, words, str(thing)).is_weak
        for one in seen
        for thing in random.choice(photos.absent, _ABSENT_PER_SCENE, replace=False)
    ]
    print(f"  strong evidence of the pasted thing: {np.mean(there):.1%} of {len(there)}")
    claimed = float(np.mean(absent))
    target(f"claimed of {len(absent)} absent things", claimed, lambda c: c <= 0.1, "<= 0.1")


if __name__ == "__main__":
    main()
