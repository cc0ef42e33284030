"""Pictures, captions and sentences of the training material, decoded and split."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from .settings import PICTURE_SIDE, Places
from .teacher import cached_embeddings

_HELD_OUT_EVERY = 20


@dataclass(frozen=True)
class Pictures:
    """The training pictures and what is known of them, row by row."""

    pixels: Tensor
    """uint8 (n, 128, 128, 3)."""
    targets: Tensor
    """float32 (n, 256): the teacher's image embeddings, unit rows."""
    sources: list[str]
    labels: list[str | None]
    caption_rows: npt.NDArray[np.int64]
    """(n,): which caption set belongs to the picture, or -1."""
    held_out: npt.NDArray[np.bool_]
    """(n,): never trained on; one picture in twenty, by its id."""

    def to(self, device: torch.device) -> "Pictures":
        """Return the same with pixels and targets on `device`."""
        moved = {"pixels": self.pixels.to(device), "targets": self.targets.to(device)}
        return Pictures(**{**self.__dict__, **moved})


@dataclass(frozen=True)
class Texts:
    """Some texts with the teacher's embeddings."""

    texts: list[str]
    embeds: Tensor
    """float32 (len(texts), 256), unit rows."""


def load_pictures(places: Places) -> Pictures:
    """Read the shards, decoding them once into a cache in the work folder."""
    rows = read_lines(places.material / "index.jsonl")
    cache = places.work / "images.npy"
    if not cache.exists():
        np.save(cache, _decode_shards(places.material, rows))
    pixels = torch.from_numpy(np.load(cache))
    raw = np.load(places.material / "targets.npy").astype(np.float32)
    captioned = read_lines(places.material / "captions.jsonl")
    order = {entry["id"]: index for index, entry in enumerate(captioned)}
    return Pictures(
        pixels=pixels,
        targets=functional.normalize(torch.from_numpy(raw), dim=1),
        sources=[row["source"] for row in rows],
        labels=[row.get("label") for row in rows],
        caption_rows=np.array(
            [order.get(r["id"], -1) if r["source"] == "flickr8k" else -1 for r in rows]
        ),
        held_out=np.array([int(row["id"]) % _HELD_OUT_EVERY == 0 for row in rows]),
    )


def load_texts(places: Places) -> dict[str, Texts]:
    """Return captions (five for each captioned picture), sentences, nouns and photo prompts."""
    captioned = read_lines(places.material / "captions.jsonl")
    nouns = (places.material / "nouns.txt").read_text().splitlines()
    parts = {
        "captions": [caption for entry in captioned for caption in entry["captions"]],
        "sentences": (places.material / "sentences.txt").read_text().splitlines(),
        "nouns": nouns,
        "photos": [f"a photo of a {noun}" for noun in nouns],
    }
    return {name: embedded(texts, places, name) for name, texts in parts.items()}


def embedded(texts: Sequence[str], places: Places, name: str) -> Texts:
    """Return texts with the teacher's embeddings, cached in the work folder under `name`."""
    rows = cached_embeddings(texts, places.teacher, places.work / f"text-{name}.npy")
    return Texts(list(texts), torch.from_numpy(rows.astype(np.float32)))


def load_dev(places: Places) -> tuple[list[Path], list[list[str]]]:
    """Return the judging pictures' paths and the captions of each."""
    rows = read_lines(places.dev / "captions.jsonl")
    return [places.dev / row["file"] for row in rows], [row["captions"] for row in rows]


def squashed(path: Path, side: int) -> npt.NDArray[np.uint8]:
    """Read one picture as uint8 (side, side, 3), bicubic, its aspect not kept."""
    with Image.open(path) as image:
        resized = image.convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(resized)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Parse a file of JSON lines."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def _decode_shards(material: Path, rows: list[dict[str, Any]]) -> npt.NDArray[np.uint8]:
    shards = [path.read_bytes() for path in sorted(material.glob("images-*.bin"))]
    pixels = np.zeros((len(rows), PICTURE_SIDE, PICTURE_SIDE, 3), np.uint8)
    for row, place in zip(rows, pixels, strict=True):
        start = row["offset"]
        image = Image.open(io.BytesIO(shards[row["blob"]][start : start + row["size"]]))
        full = image.convert("RGB").resize((PICTURE_SIDE, PICTURE_SIDE), Image.Resampling.BICUBIC)
        place[:] = np.asarray(full)
    return pixels
