"""Small copies of pictures, for eyes."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from visionquery.images.decode import decode, read
from visionquery.images.limits import DEFAULT_LIMITS, Limits
from visionquery.types import Pixels

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["encoded_thumbnail", "thumbnail"]

_QUALITY = 82
_EFFORT = 2
"""Of six: a third of the default's time for a tenth more bytes (`benchmarks/thumbnails.py`)."""


def thumbnail(path: Path, *, width: int, height: int) -> Pixels:
    """Return a picture fitted into width × height pixels, its aspect kept.

    Raises ImageError for a file that is no usable picture.
    """
    return np.asarray(_fitted(read(path), width, height, DEFAULT_LIMITS, may_grow=True))


def encoded_thumbnail(data: bytes, *, side: int, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """Return a picture as WebP, fitted into a square of `side` pixels and never enlarged: upright,
    and without anything that the file says of itself.

    Raises ImageError for content that is no usable picture.
    """
    stream = io.BytesIO()
    picture = _fitted(data, side, side, limits, may_grow=False)
    picture.save(stream, "WEBP", quality=_QUALITY, method=_EFFORT)
    return stream.getvalue()


def _fitted(data: bytes, width: int, height: int, limits: Limits, *, may_grow: bool) -> "Image":
    from PIL import Image

    # The shorter side of what is wanted is not known before: a square of it is always enough.
    decoded = decode(data, min_side=max(width, height), limits=limits)
    pixels, facts = decoded.pixels, decoded.facts
    scale = min(width / facts.width, height / facts.height)
    if not may_grow:
        scale = min(scale, 1.0)
    target = (max(1, round(facts.width * scale)), max(1, round(facts.height * scale)))
    return Image.fromarray(pixels).resize(target, Image.Resampling.LANCZOS)
