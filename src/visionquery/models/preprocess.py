"""From pixels to the numbers an image tower takes: one resize of a box, then a table per channel.

Published preprocessors resize the whole picture and then cut a square out of it. Resizing only
the part that the square comes from gives the same pixels for less work; the box is computed from
the picture's true size in whole target pixels, so that a smaller draft gives the same cut.
"""

from functools import cache
from math import ceil

import numpy as np
from numpy.typing import NDArray

from visionquery.models.spec import Preprocess
from visionquery.types import Decoded

__all__ = ["Box", "prepare", "source_box"]

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels, fractions allowed."""


def prepare(decoded: Decoded, spec: Preprocess) -> NDArray[np.float32]:
    """Return a picture as a tower's input, (3, size, size), channels red, green, blue.

    `decoded.pixels` may be a draft of the picture, at best of twice `size` or more. Safe to call
    from several threads.
    """
    from PIL import Image

    pixels = decoded.pixels
    height, width = pixels.shape[:2]
    left, top, right, bottom = source_box(decoded.facts.width, decoded.facts.height, spec)
    across, down = width / decoded.facts.width, height / decoded.facts.height
    left, right = left * across, min(right * across, width)
    top, bottom = top * down, min(bottom * down, height)
    if spec.resize == "crop":
        # The cut comes first there, so that the filter must not see what is outside of it.
        pixels = pixels[int(top) : ceil(bottom), int(left) : ceil(right)]
        left, right = left - int(left), right - int(left)
        top, bottom = top - int(top), bottom - int(top)
    resample = Image.Resampling[spec.interpolation.upper()]
    image = Image.fromarray(pixels)
    square = image.resize((spec.size, spec.size), resample, (left, top, right, bottom))
    return _normalized(np.asarray(square), spec)


def source_box(width: int, height: int, spec: Preprocess) -> Box:
    """Return the part of a picture of `width` × `height` pixels that becomes the square.

    `shortest`: the short side becomes `size`, the long side is truncated to a whole number of
    target pixels, and the square is centred in whole target pixels.
    Source: torchvision.transforms.functional.resize and center_crop (`half_even`);
    transformers.image_transforms.get_resize_output_image_size and center_crop (`floor`).
    """
    if spec.resize == "squash":
        return 0.0, 0.0, float(width), float(height)
    if spec.resize == "crop":
        side = min(width, height)
        left, top = _centred(width, side, spec), _centred(height, side, spec)
        return float(left), float(top), float(left + side), float(top + side)
    new_width, new_height = _shortest(width, height, spec.size)
    left, top = _centred(new_width, spec.size, spec), _centred(new_height, spec.size, spec)
    across, down = width / new_width, height / new_height
    return (
        left * across,
        top * down,
        min((left + spec.size) * across, width),
        min((top + spec.size) * down, height),
    )


def _shortest(width: int, height: int, size: int) -> tuple[int, int]:
    if width <= height:
        return size, int(size * height / width)
    return int(size * width / height), size


def _centred(length: int, size: int, spec: Preprocess) -> int:
    # An offset is never negative here, so that `truncate` and `floor` agree; both are names that
    # published preprocessors use.
    spare = length - size
    return round(spare / 2) if spec.rounding == "half_even" else spare // 2


def _normalized(square: NDArray[np.uint8], spec: Preprocess) -> NDArray[np.float32]:
    prepared = np.empty((3, spec.size, spec.size), np.float32)
    for channel, table in enumerate(_tables(spec.mean, spec.std)):
        np.take(table, square[:, :, channel], out=prepared[channel])
    return prepared


@cache
def _tables(
    mean: tuple[float, float, float], std: tuple[float, float, float]
) -> NDArray[np.float32]:
    """Return (3, 256): what each of a channel's 256 values becomes."""
    values = np.arange(256)[None, :] / 255
    tables = (values - np.array(mean)[:, None]) / np.array(std)[:, None]
    return np.asarray(tables, np.float32)
