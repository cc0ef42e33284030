"""From whatever a decoder yields to 8-bit RGB, without clipping and without lost transparency."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["shrink", "to_rgb"]

_SHRINKABLE = frozenset({"L", "LA", "RGB", "RGBA", "CMYK", "YCbCr"})
"""Modes whose numbers may be averaged before they are turned into RGB."""


def shrink(picture: "Image", min_side: int | None) -> "Image":
    """Average blocks of 2 × 2, 4 × 4, … pixels so that both sides stay >= `min_side` pixels.

    Powers of two, as a JPEG is drafted: the largest block that fits would change what an encoder
    sees three times as much and save little. Without `min_side`, and in modes that cannot be
    shrunk, the picture is returned as it is.
    """
    if min_side is None or picture.mode not in _SHRINKABLE or "transparency" in picture.info:
        return picture
    factor = min(picture.width // min_side, picture.height // min_side)
    return picture.reduce(1 << factor.bit_length() - 1) if factor > 1 else picture


def to_rgb(picture: "Image") -> "Image":
    """Return the picture in mode RGB: deep samples scaled, transparency over white."""
    if picture.mode.startswith("I;16"):
        return _gray(_deep_samples(picture), low=0.0, high=65535.0)
    if picture.mode == "I":
        return _integers_to_rgb(picture)
    if picture.mode == "F":
        return _gray_over_own_range(np.asarray(picture, dtype=np.float64))
    if _has_transparency(picture):
        return _over_white(picture.convert("RGBA"))
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _has_transparency(picture: "Image") -> bool:
    """Pillow's own test of this fails on a picture whose palette is missing."""
    if picture.mode in ("LA", "PA", "RGBA", "RGBa") or "transparency" in picture.info:
        return True
    return picture.palette is not None and picture.palette.mode.endswith("A")


def _over_white(picture: "Image") -> "Image":
    from PIL import Image

    white = Image.new("RGB", picture.size, (255, 255, 255))
    white.paste(picture, mask=picture.getchannel("A"))
    return white


def _deep_samples(picture: "Image") -> NDArray[Any]:
    """Return 16-bit samples, (height, width), whatever byte order the mode names."""
    order = ">u2" if picture.mode.endswith("B") else "<u2"
    raw = np.frombuffer(picture.tobytes(), dtype=order)
    return raw.reshape(picture.height, picture.width)


def _integers_to_rgb(picture: "Image") -> "Image":
    """PNG and PPM keep 16-bit samples here; only there is the full scale known."""
    samples = np.asarray(picture)
    if getattr(picture, "format", None) in ("PNG", "PPM"):
        return _gray(samples, low=0.0, high=65535.0)
    return _gray_over_own_range(samples)


def _gray_over_own_range(samples: NDArray[Any]) -> "Image":
    finite = samples[np.isfinite(samples)]
    if finite.size == 0:
        return _gray(np.zeros(samples.shape), low=0.0, high=1.0)
    low, high = float(finite.min()), float(finite.max())
    return _gray(samples, low=low, high=high)


def _gray(samples: NDArray[Any], *, low: float, high: float) -> "Image":
    """Map low..high of samples (height, width) to 0..255, rounded; not-a-number is black."""
    from PIL import Image

    # float32 keeps 16-bit samples exact; only wider ranges need twice the memory.
    wide = np.float32 if high - low <= 65535 and abs(low) <= 65535 else np.float64
    scaled: NDArray[Any] = samples.astype(wide)
    with np.errstate(all="ignore"):
        np.subtract(scaled, low, out=scaled)
        np.multiply(scaled, 255.0 / max(high - low, np.finfo(np.float64).tiny), out=scaled)
    scaled = np.clip(np.nan_to_num(scaled, nan=0.0, posinf=255.0, neginf=0.0), 0.0, 255.0)
    return Image.fromarray(np.rint(scaled).astype(np.uint8)).convert("RGB")
