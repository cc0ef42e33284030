"""How large a frame of a video is as a person sees it, and which way is up."""

from math import ceil

from visionquery.types import Pixels

__all__ = ["Matrix", "reduced_size", "square_size", "swaps_sides", "turned"]

Matrix = tuple[int, int, int, int]
"""a, b, c, d, by which what is stored at x, y is shown at ax + cy, bx + dy.

Source: ISO/IEC 14496-12, section 6.2.2.
"""

_MOST_STRETCHED = 8.0
"""Pixels that are wider or higher than this are a mistake in the file."""


def square_size(width: int, height: int, ratio: float) -> tuple[int, int]:
    """Return width and height in square pixels, neither less than what is stored, of pixels that
    are `ratio` times as wide as they are high."""
    if not 1 / _MOST_STRETCHED <= ratio <= _MOST_STRETCHED:
        return width, height
    return round(width * max(ratio, 1.0)), round(height / min(ratio, 1.0))


def reduced_size(width: int, height: int, min_side: int | None) -> tuple[int, int]:
    """Halve both sides, as `colour.shrink` does, as often as they stay >= `min_side` pixels."""
    factor = 1 if min_side is None else min(width // min_side, height // min_side)
    factor = 1 << max(factor, 1).bit_length() - 1
    return ceil(width / factor), ceil(height / factor)


def swaps_sides(matrix: Matrix) -> bool:
    """Return whether width and height change places."""
    return abs(matrix[1]) > abs(matrix[0])


def turned(pixels: Pixels, matrix: Matrix) -> Pixels:
    """Turn and mirror pixels, (height, width, 3), by the quarter that is nearest."""
    a, _, _, d = matrix
    if swaps_sides(matrix):
        _, d, a, _ = matrix
        pixels = pixels.swapaxes(0, 1)
    return pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]
