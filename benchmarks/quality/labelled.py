"""Pictures of many classes: the labelled part of the shared training pictures, encoded.

The vectors are those of `lit-tiny`, made of the pictures at full size (`targets.npy`). Only these
labels are known: 200 classes of Tiny ImageNet, and about a thousand of one or two pictures, which
stand for everything else.
"""

import json
from dataclasses import dataclass

import numpy as np
from benchmarks.quality.photos import LIT_TINY, SHARED, with_article
from numpy.typing import NDArray

from visionquery.models.catalog import resolve
from visionquery.models.encoder import Encoder, load_encoder
from visionquery.types import Matrix

__all__ = ["Labelled", "labelled", "phrasings"]

_FOLDER = SHARED / "pocket-train"


@dataclass(frozen=True, eq=False)
class Labelled:
    """Vectors (n, embed_dim) of pictures, their labels and sources (n,), and the names of the
    classes that are large enough, in a fixed random order."""

    encoder: Encoder
    vectors: Matrix
    labels: NDArray[np.str_]
    sources: NDArray[np.str_]
    classes: list[str]

    def sources_of(self, name: str) -> str:
        """Return where most pictures of a class are from."""
        names, counts = np.unique(self.sources[self.labels == name], return_counts=True)
        return str(names[np.argmax(counts)])


def labelled(*, least: int) -> Labelled:
    """Read all labelled pictures and the classes of `least` pictures or more."""
    lines = (_FOLDER / "index.jsonl").read_text("utf-8").splitlines()
    entries = [json.loads(line) for line in lines]
    rows = [row for row, entry in enumerate(entries) if entry.get("label")]
    vectors = np.load(_FOLDER / "targets.npy", mmap_mode="r")[rows].astype(np.float32)
    labels = np.array([entries[row]["label"] for row in rows])
    names, counts = np.unique(labels, return_counts=True)
    large = [str(name) for name in names[counts >= least]]
    order = np.random.default_rng(0).permutation(len(large))
    return Labelled(
        load_encoder(resolve(LIT_TINY)),
        vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
        labels,
        np.array([entries[row]["source"] for row in rows]),
        [large[i] for i in order],
    )


def phrasings(name: str) -> list[str]:
    """Return ways to ask for a class in words; the third is what one would try first."""
    one = with_article(name)
    return [name, one, f"a photo of {one}", f"a photo of the {name}", f"a close-up of {one}"]
