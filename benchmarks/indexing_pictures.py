"""Folders of pictures as cameras and programs make them, for `benchmarks.indexing`.

The photographs of scikit-image, mixed by pairs, enlarged and given the noise of a sensor, which
makes their files about as long as a camera's.
"""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage import data

ORIGINALS = 6
"""Pictures that differ; more files of a folder are these with some bytes after their end, which
no decoder reads, but which make them other contents."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A folder to make: `size` is width, height in pixels, `files` how many."""

    name: str
    size: tuple[int, int]
    form: str
    files: int


KINDS = (
    Kind("12 MP JPEG", (4000, 3000), "JPEG", 32),
    Kind("2 MP JPEG", (1600, 1200), "JPEG", 96),
    Kind("12 MP PNG", (4000, 3000), "PNG", 8),
    Kind("2 MP WebP", (1600, 1200), "WEBP", 32),
)
_OPTIONS: dict[str, dict[str, int]] = {
    "JPEG": {"quality": 92},
    "PNG": {"compress_level": 4},
    "WEBP": {"quality": 85, "method": 1},
}


def make(kind: Kind, folder: Path) -> list[Path]:
    """Write the files of a kind to a new folder and return them, sorted."""
    folder.mkdir()
    originals = [_content(kind, number) for number in range(min(ORIGINALS, kind.files))]
    files = []
    for number in range(kind.files):
        content = originals[number % len(originals)] + number.to_bytes(4, "big")
        files.append(folder / f"{number:03}.{kind.form.lower()}")
        files[-1].write_bytes(content)
    return files


def _content(kind: Kind, number: int) -> bytes:
    photographs = (data.astronaut, data.coffee, data.chelsea, data.rocket)
    first, second = (photographs[(number + step) % 4]() for step in (0, 1 + number // 4))
    mixed = 0.75 * _enlarged(first, kind.size) + 0.25 * _enlarged(second, kind.size)
    noise = np.random.default_rng(number).normal(0, 4, (*kind.size[::-1], 1)).astype(np.float32)
    pixels = np.clip(mixed + noise, 0, 255).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind.form, **_OPTIONS[kind.form])
    return stream.getvalue()


def _enlarged(photograph: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.float32]:
    image = Image.fromarray(photograph).resize(size, Image.Resampling.BICUBIC)
    return np.asarray(image, np.float32)
