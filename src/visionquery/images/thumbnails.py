"""Small copies of pictures, for eyes.

A thumbnail has the colours of the file's numbers: an embedded colour profile is not applied, as
`decode` drops it.
"""

import io
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from visionquery.errors import InputError
from visionquery.images.content import Content, load
from visionquery.images.limits import DEFAULT_LIMITS, Limits
from visionquery.images.quiet import without_pillow_warnings
from visionquery.images.workers import decode
from visionquery.types import Pixels

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["encoded_thumbnail", "thumbnail"]

_CRISP = 1.25
"""How much larger than the thumbnail a picture is decoded at least: 37 dB and more from what every
pixel gives, about what WebP loses, in a fraction of the time (`benchmarks/thumbnails.py`)."""

_QUALITY = 80
_METHOD = 2
"""Of 0 to 6: half the time of 3 and the usual 4, for less than a tenth more bytes."""

_LONGEST_SIDE = 16_383
"""Source: WebP Container Specification, "VP8 frame header": 14 bits."""


def thumbnail(path: Path, *, width: int, height: int) -> Pixels:
    """Return a picture fitted into width × height pixels, its aspect kept.

    Raises ImageError for a file that is no usable picture.
    """
    content = load(path, limits=DEFAULT_LIMITS)
    return np.asarray(_fitted(content, width, height, limits=DEFAULT_LIMITS, may_grow=True))


def encoded_thumbnail(
    content: Content, *, side: int, limits: Limits = DEFAULT_LIMITS
) -> bytes:
    """Return a picture as WebP, fitted into side × side pixels and never enlarged: upright, and
    without anything that the file says of itself.

    Raises ImageError for content that is no usable picture, InputError for a side that WebP does
    not know.
    """
    if not 1 <= side <= _LONGEST_SIDE:
        raise InputError(f"A thumbnail has a side of 1 to {_LONGEST_SIDE:,} pixels, not {side}.")
    stream = io.BytesIO()
    picture = _fitted(content, side, side, limits=limits, may_grow=False)
    picture.save(stream, "WEBP", quality=_QUALITY, method=_METHOD)
    return stream.getvalue()


def _fitted(
    content: Content, width: int, height: int, *, limits: Limits, may_grow: bool
) -> "Image":
    from PIL import Image

    least = ceil(_CRISP * max(width, height) * _shape(content.data))
    decoded = decode(content, min_side=least, limits=limits)
    facts = decoded.facts
    scale = min(width / facts.width, height / facts.height)
    if not may_grow:
        scale = min(scale, 1.0)
    target = (max(1, round(facts.width * scale)), max(1, round(facts.height * scale)))
    return Image.fromarray(decoded.pixels).resize(target, Image.Resampling.LANCZOS)


def _shape(data: bytes) -> float:
    """Return the shorter side of a JPEG, most of whose pixels need not be decoded, as a part of
    the longer one; 1 at once for others, and for what is none."""
    from PIL import Image

    try:
        with without_pillow_warnings(), Image.open(io.BytesIO(data), formats=("JPEG",)) as header:
            return min(header.size) / max(header.size)
    except Exception:  # whatever is wrong with the bytes is for `decode` to say
        return 1.0
