"""Does a larger library answer more absent things? From 60 to 7,000 photographs.

    python -m benchmarks.quality.growth

The 1,000 development photographs and the 6,000 of the training half of Flickr8k, whose vectors by
`lit-tiny` lie in the shared training material. Both halves of that model were joined on the
captions of the 6,000, so only captions of the others ask; absent is what no caption of either
mentions.
"""

import json

import numpy as np
from benchmarks.quality.absent import ask
from benchmarks.quality.photos import SHARED, Photos, load, with_article

_SIZES = (60, 250, 1000, 3000, 7000)
_CAPTIONS = 300


def main() -> None:
    """Measure and print."""
    photos = load(__doc__)
    every = with_training(photos)
    things = [text for thing in every.absent for text in (thing, with_article(thing))]
    print(f"{len(every.absent)} absent things")
    order = np.random.default_rng(0).permutation(len(every.captions))
    for size in _SIZES:
        chosen = order[:size]
        some = Photos(photos.encoder, every.vectors[chosen], [every.captions[i] for i in chosen])
        captions = [every.captions[i][0] for i in chosen if i < len(photos.captions)][:_CAPTIONS]
        with some.library() as asked:
            absent, present = ask(asked, things), ask(asked, captions)
        shown = present.shown[present.shown > 0]
        print(
            f"  {size:5} photographs: absent answered {absent.answered:.1%}, captions "
            f"{present.answered:.1%}, photographs shown {np.median(shown):.0f}"
        )


def with_training(photos: Photos) -> Photos:
    folder = SHARED / "pocket-train"
    entries = map(json.loads, (folder / "captions.jsonl").read_text("utf-8").splitlines())
    captions = {entry["id"]: entry["captions"] for entry in entries}
    index = map(json.loads, (folder / "index.jsonl").read_text("utf-8").splitlines())
    rows = [(row, one["id"]) for row, one in enumerate(index) if one["id"] in captions]
    vectors = np.load(folder / "targets.npy")[[row for row, _ in rows]].astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Photos(
        photos.encoder,
        np.concatenate([photos.vectors, vectors]),
        [*photos.captions, *(captions[name] for _, name in rows)],
    )


if __name__ == "__main__":
    main()
