"""A heatmap laid over a picture, for eyes.

The colours go from a dark violet over red and orange to a pale yellow: their lightness rises
evenly, so that they can be told apart without seeing hues and in print. What is no evidence lies in
a dim veil, and the stronger it is the clearer the picture shows through and the warmer it glows.
"""

import io
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray

from visionquery.query.ast import Box
from visionquery.types import Pixels

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["FORMATS", "Format", "layer", "overlay"]

Format = Literal["PNG", "JPEG", "WEBP"]

FORMATS: Final[dict[str, Format]] = {
    ".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP",
}  # fmt: skip
"""What is written, by the ending of a file's name."""

_ANCHORS: Final = np.array(
    [
        (0.00, 18, 12, 44, 0.54),
        (0.25, 72, 20, 104, 0.52),
        (0.50, 168, 44, 96, 0.48),
        (0.75, 240, 112, 40, 0.42),
        (1.00, 252, 224, 120, 0.40),
    ]
)
"""Value, red, green, blue (0..255), opacity. CIELAB lightness 5, 18, 39, 64, 89."""

_QUALITY: Final = 85
_OUTLINE: Final = 240
"""The shorter side of a picture in units of the outline's width."""


def overlay(pixels: Pixels, heat: NDArray[np.float32], box: Box | None, kind: Format) -> bytes:
    """Return a picture (height, width, 3) with a heatmap (h, w), 0..1, over it and the box
    outlined, as a picture file without anything but pixels."""
    from PIL import Image

    picture = Image.fromarray(pixels).convert("RGBA")
    picture.alpha_composite(_coloured(heat, picture.size, box))
    return _encoded(picture.convert("RGB"), kind)


def layer(heat: NDArray[np.float32], size: tuple[int, int], box: Box | None) -> bytes:
    """Return a heatmap (h, w), 0..1, alone, as a WebP of (width, height) pixels to be laid over a
    picture of that shape."""
    return _encoded(_coloured(heat, size, box), "WEBP")


def _coloured(heat: NDArray[np.float32], size: tuple[int, int], box: Box | None) -> "Image":
    from PIL import Image

    large = np.asarray(Image.fromarray(heat).resize(size, Image.Resampling.BICUBIC))
    places, *channels = _ANCHORS.T
    shades = np.stack([np.interp(large, places, channel) for channel in channels], axis=-1)
    shades[..., 3] *= 255
    coloured = Image.fromarray((shades + 0.5).astype(np.uint8), "RGBA")
    if box is not None:
        _outline(coloured, box)
    return coloured


def _outline(picture: "Image", box: Box) -> None:
    """Draw a box as a white line in a dark one, which is seen on any ground."""
    from PIL import ImageDraw

    across, down = (picture.width - 1) / 100, (picture.height - 1) / 100
    left, top = box.left * across, box.top * down
    corners = (left, top, left + box.width * across, top + box.height * down)
    thick = max(1, round(min(picture.size) / _OUTLINE))
    draw = ImageDraw.Draw(picture)
    draw.rectangle(corners, outline=(0, 0, 0, 160), width=3 * thick)
    inner = (corners[0] + thick, corners[1] + thick, corners[2] - thick, corners[3] - thick)
    if inner[0] < inner[2] and inner[1] < inner[3]:
        draw.rectangle(inner, outline=(255, 255, 255, 255), width=thick)


def _encoded(picture: "Image", kind: Format) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, quality=_QUALITY)
    return stream.getvalue()
