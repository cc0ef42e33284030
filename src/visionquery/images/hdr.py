"""From the light of high dynamic range video to 8-bit RGB as other pictures have it.

Sources: ITU-R BT.2100-2, tables 4 and 5 (the curves PQ and HLG, their constants), BT.2408-5,
section 2.1 (203 cd/m² for white), BT.2087-0, annex 2 inverted (BT.2020 to BT.709), IEC 61966-2-1
(sRGB).
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from visionquery.types import Pixels

__all__ = ["HLG", "PQ", "to_standard_range"]

PQ, HLG = 16, 18
"""Curves of high dynamic range. Source: ITU-T H.273, table 3."""

_WHITE = 203.0
_KNEE = 0.6
"""Of white: what is darker stays as it is, what is brighter is bent to stay below 1."""

_TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]],
    dtype=np.float32,
)
_LUMINANCE = np.array([0.2627, 0.6780, 0.0593], dtype=np.float32)


def to_standard_range(samples: NDArray[np.uint16], curve: int) -> Pixels:
    """Turn BT.2020 RGB, (height, width, 3), 0..65535 along PQ or HLG, into sRGB of 8 bits."""
    light = _curves()[curve][samples]
    if curve == HLG:  # a scene, not a display: what a display of 1,000 cd/m² makes of it
        light *= np.maximum(light @ _LUMINANCE, 1e-6)[..., None] ** 0.2 * (1000.0 / _WHITE)
    light = np.maximum(light @ _TO_BT709.T, 0.0)
    above = np.maximum(light - _KNEE, 0.0)
    light = np.minimum(light, _KNEE) + above * (1 - _KNEE) / (above + (1 - _KNEE))
    curved = 1.055 * light ** (1 / 2.4) - 0.055
    shown = np.where(light <= 0.0031308, 12.92 * light, curved)
    return np.asarray(np.rint(shown * 255.0), dtype=np.uint8)


@cache
def _curves() -> dict[int, NDArray[np.float32]]:
    """Return light for each of 65,536 samples: of PQ in parts of white, of HLG 0..1 of a scene."""
    signal = np.linspace(0.0, 1.0, 65536)
    root = signal ** (1 / 78.84375)
    ratio = np.maximum(root - 0.8359375, 0.0) / (18.8515625 - 18.6875 * root)
    pq = ratio ** (1 / 0.1593017578125)
    low, high = signal**2 / 3, (np.exp((signal - 0.55991073) / 0.17883277) + 0.28466892) / 12
    hlg = np.where(signal <= 0.5, low, high)
    return {PQ: (pq * 10000.0 / _WHITE).astype(np.float32), HLG: hlg.astype(np.float32)}
