"""How well texts find their pictures, and names find theirs."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from .augment import as_input
from .data import embedded, load_dev, squashed
from .settings import PICTURE_SIDE, Places

Floats = npt.NDArray[np.float32]
CUTS = (1, 5, 10)


@dataclass(frozen=True)
class Rates:
    """Text-to-image retrieval, every caption a query."""

    hit_rate: dict[int, float]
    """For each k: part of the queries (0..1) whose picture is among the first k."""
    mrr: float
    median_rank: float


def retrieval(texts: Floats, images: Floats, answers: Sequence[int]) -> Rates:
    """Rank all images (n, 256) for each text (m, 256) whose own image is `answers[m]`.

    Source: Karpathy and Fei-Fei 2015, "Deep Visual-Semantic Alignments" (recall@k as reported
    there); mean reciprocal rank of Voorhees 1999, "The TREC-8 Question Answering Track Report".
    """
    scores = texts @ images.T
    own = scores[np.arange(len(texts)), np.asarray(answers)]
    ranks = 1 + (scores > own[:, None]).sum(1)
    return Rates(
        hit_rate={k: float((ranks <= k).mean()) for k in CUTS},
        mrr=float((1 / ranks).mean()),
        median_rank=float(np.median(ranks)),
    )


class DevSet:
    """The judging pictures in memory, with the teacher's embeddings of their captions."""

    def __init__(self, places: Places) -> None:
        paths, captions = load_dev(places)
        cache = places.work / "dev.npy"
        if not cache.exists():
            np.save(cache, np.stack([squashed(path, PICTURE_SIDE) for path in paths]))
        self._pixels = torch.from_numpy(np.load(cache))
        self._texts = embedded([c for group in captions for c in group], places, "dev")
        self._answers = [row for row, group in enumerate(captions) for _ in group]

    def rates(self, tower: nn.Module, side: int) -> Rates:
        """Judge an image tower against the teacher's text tower."""
        images = embed_pixels(tower, self._pixels, side)
        return retrieval(self._texts.embeds.numpy(), images.numpy(), self._answers)


@torch.no_grad()
def embed_pixels(tower: nn.Module, pixels: Tensor, side: int) -> Tensor:
    """Embed uint8 (n, h, w, 3) as float32 (n, 256) on the CPU."""
    device = next(tower.parameters()).device
    parts = [tower(as_input(part.to(device), side)).cpu() for part in torch.split(pixels, 100)]
    return torch.cat(parts)


def curve_row(
    places: Places, *, minutes: float, epochs: float, side: int, loss: float, rates: Rates
) -> str:
    """Add a line to the curve in the work folder and return it in words."""
    path = places.work / "curve.csv"
    fresh = not path.exists()
    hits = [round(100 * rates.hit_rate[k], 2) for k in CUTS]
    with path.open("a", newline="") as file:
        writer = csv.writer(file)
        if fresh:
            names = [f"hit_rate@{k}_percent" for k in CUTS]
            writer.writerow(["minutes", "epochs", "side_px", "loss", *names])
        writer.writerow([round(minutes, 1), round(epochs, 2), side, round(loss, 3), *hits])
    shown = "/".join(f"{hit:.1f}" for hit in hits)
    return f"image {minutes:.1f} min, {epochs:.2f} epochs, {side} px, loss {loss:.3f}, {shown} %"
