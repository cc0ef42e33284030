"""Small copies of pictures, for eyes."""

from pathlib import Path

import numpy as np

from visionquery.images.decode import decode, read
from visionquery.images.limits import Limits
from visionquery.types import Pixels

__all__ = ["thumbnail"]


def thumbnail(path: Path, *, width: int, height: int) -> Pixels:
    """Return a picture fitted into width × height pixels, its aspect kept.

    Raises ImageError for a file that is no usable picture.
    """
    from PIL import Image

    pixels = decode(read(path, limits=Limits()), min_side=2 * max(width, height)).pixels
    scale = min(width / pixels.shape[1], height / pixels.shape[0])
    target = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    return np.asarray(Image.fromarray(pixels).resize(target, Image.Resampling.LANCZOS))
