"""Parts of a picture: which are worth a look of their own, and their pixels.

A part is worth a look when it stands out: its colours and its detail differ from those around it,
it has detail, and its border is a contour. What counts is read from a thumbnail, for all windows of
a few sizes at once, by tables of sums; of windows that show much the same, the best stays. A long
picture, of which an encoder's square sees little, is looked at from both ends too.

Source of the tables: Crow, "Summed-area tables for texture mapping", SIGGRAPH 1984. That what
surrounds an object differs from it, and that a contour closes around it, are the cues of Alexe et
al., "What is an object?", CVPR 2010; how they are measured and weighed here is our own.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from visionquery.query.ast import Box
from visionquery.types import Decoded, Pixels

__all__ = ["LEAST_PART", "PARTS", "cut", "views"]

PARTS: Final = 5
"""Parts of a picture that are looked at, at most: with the whole six views, six times the work."""

LEAST_PART: Final = 1 / 6
_SIZES: Final = (LEAST_PART, 1 / 5, 1 / 4, 1 / 3, 0.45, 0.6)
"""Sides of windows, of the short side of the picture."""

_LONG: Final = 1.6
"""A picture so much longer than wide has its ends looked at."""

_THUMBNAIL: Final = 72
_STEPS: Final = 5
_AROUND: Final = 0.35
"""How wide the surroundings of a window are that it is compared with, in sides of it."""

_MOST_SHARED: Final = 0.25
"""Of two parts, what they have in common may be this share of what they cover at most."""

_COLOUR_WEIGHT: Final = 1.5
_LEAST_VARIANCE: Final = 2e-3

_Numbers = NDArray[np.float64]
_Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class _Windows:
    """Windows of one side, in pixels of the thumbnail, by their upper left corners, (n,)."""

    x: _Places
    y: _Places
    side: int


def cut(whole: Decoded, box: Box) -> Decoded:
    """Return a part of a picture, at least one pixel of it; its facts tell the part's own size."""
    height, width = whole.pixels.shape[:2]
    left, right = _span(box.left, box.width, width)
    top, bottom = _span(box.top, box.height, height)
    across = _span(box.left, box.width, whole.facts.width)
    down = _span(box.top, box.height, whole.facts.height)
    facts = replace(whole.facts, width=across[1] - across[0], height=down[1] - down[0])
    return Decoded(whole.pixels[top:bottom, left:right].copy(), facts)


def views(picture: Decoded, *, side: int) -> list[Box]:
    """Return the parts of a picture that are worth a look, the best first: one at least, and PARTS
    at most. None is smaller than half of `side`, the pixels that an encoder takes, where the
    picture is larger than that."""
    width, height = picture.facts.width, picture.facts.height
    least = side / (2 * min(width, height))
    sizes = [size for size in _SIZES if size >= least] or [_SIZES[-1]]
    found = _ends(width, height)
    boxes, worth = _judged(_channels(picture.pixels), sizes)
    for box in found:
        worth[_shared(_sides(box), boxes) > _MOST_SHARED] = -np.inf
    while len(found) < PARTS and worth.max(initial=-np.inf) > -np.inf:
        best = boxes[int(worth.argmax())]
        found.append(Box(*(100 * best).tolist()))
        worth[_shared(best, boxes) > _MOST_SHARED] = -np.inf
    return found


def _ends(width: int, height: int) -> list[Box]:
    """Return the squares at both ends of a long picture."""
    if max(width, height) < _LONG * min(width, height):
        return []
    share = 100 * min(width, height) / max(width, height)
    if width > height:
        return [Box(0.0, 0.0, share, 100.0), Box(100.0 - share, 0.0, share, 100.0)]
    return [Box(0.0, 0.0, 100.0, share), Box(0.0, 100.0 - share, 100.0, share)]


def _channels(pixels: Pixels) -> _Numbers:
    """Return what a thumbnail shows, (h, w, 4): brightness, two opponent colours, and detail."""
    from PIL import Image

    height, width = pixels.shape[:2]
    scale = _THUMBNAIL / max(width, height)
    size = max(8, round(width * scale)), max(8, round(height * scale))
    small = Image.fromarray(pixels).resize(size, Image.Resampling.BOX)
    red, green, blue = np.moveaxis(np.asarray(small, np.float64) / 255, 2, 0)
    light = (red + green + blue) / 3
    across = np.abs(np.diff(light, axis=1, append=light[:, -1:]))
    detail = across + np.abs(np.diff(light, axis=0, append=light[-1:]))
    colours = np.stack([red - green, blue - (red + green) / 2, detail], axis=-1)
    return np.concatenate([light[..., None], _COLOUR_WEIGHT * colours], axis=-1)


def _judged(channels: _Numbers, sizes: list[float]) -> tuple[_Numbers, _Numbers]:
    """Return windows (n, 4), left, top, width and height as shares, and what each is worth (n,)."""
    height, width = channels.shape[:2]
    sums, squares = _table(channels), _table(channels**2)
    contours = _contours(channels)
    boxes, worth = [], []
    for windows in _windows(width, height, sizes):
        side = np.full(len(windows.x), windows.side)
        places = np.stack([windows.x, windows.y, side, side], axis=1)
        boxes.append(places / np.array([width, height, width, height]))
        worth.append(_worth(windows, sums, squares) * _bordered(windows, *contours))
    return np.concatenate(boxes), np.concatenate(worth)


def _windows(width: int, height: int, sizes: list[float]) -> Iterator[_Windows]:
    for size in sizes:
        side = max(3, round(size * min(width, height)))
        step = max(1, side // _STEPS)
        across, down = (
            np.unique([*range(0, length - side + 1, step), length - side])
            for length in (width, height)
        )
        x, y = (each.ravel() for each in np.meshgrid(across, down))
        yield _Windows(x, y, side)


def _worth(windows: _Windows, sums: _Numbers, squares: _Numbers) -> _Numbers:
    """Return, (n,), how far windows are from their surroundings, as two normal distributions of
    each channel are apart (Bhattacharyya), times the spread of what they show."""
    x, y, side = windows.x, windows.y, windows.side
    margin = max(1, round(_AROUND * side))
    right, bottom = sums.shape[1] - 1, sums.shape[0] - 1
    x0, y0 = np.maximum(x - margin, 0), np.maximum(y - margin, 0)
    x1, y1 = np.minimum(x + side + margin, right), np.minimum(y + side + margin, bottom)
    inside = _within(sums, x, y, x + side, y + side)
    around = _within(sums, x0, y0, x1, y1) - inside
    inside_squares = _within(squares, x, y, x + side, y + side)
    around_squares = _within(squares, x0, y0, x1, y1) - inside_squares
    count, count_around = side * side, ((x1 - x0) * (y1 - y0) - side * side)[:, None]
    mean, variance = _moments(inside, inside_squares, count)
    mean_around, variance_around = _moments(around, around_squares, count_around)
    both = variance + variance_around
    apart = (mean - mean_around) ** 2 / both
    apart += 0.5 * np.log(both**2 / (4 * variance * variance_around))
    spread = np.sqrt(variance[:, :3].sum(axis=1))
    return np.asarray(apart.sum(axis=1) * spread)


def _moments(
    sums: _Numbers, squares: _Numbers, count: int | _Places
) -> tuple[_Numbers, _Numbers]:
    mean = sums / np.maximum(count, 1)
    variance = np.maximum(squares / np.maximum(count, 1) - mean**2, 0.0) + _LEAST_VARIANCE
    return mean, variance


def _contours(channels: _Numbers) -> tuple[_Numbers, _Numbers]:
    """Return sums of the steps between columns, down each column, and between rows, along each."""
    height, width = channels.shape[:2]
    across, down = np.zeros((height + 1, width + 1)), np.zeros((height + 1, width + 1))
    steps = np.abs(np.diff(channels[..., :3], axis=1)).sum(axis=2)
    across[1:, 1:-1] = steps.cumsum(axis=0)
    steps = np.abs(np.diff(channels[..., :3], axis=0)).sum(axis=2)
    down[1:-1, 1:] = steps.cumsum(axis=1)
    return across, down


def _bordered(windows: _Windows, across: _Numbers, down: _Numbers) -> _Numbers:
    """Return the mean step over the border of windows, (n,); none over that of the picture."""
    x, y, side = windows.x, windows.y, windows.side
    total = np.zeros(len(x))
    for column in (x, x + side):
        total += across[y + side, column] - across[y, column]
    for row in (y, y + side):
        total += down[row, x + side] - down[row, x]
    return np.asarray(total / (4 * side))


def _table(channels: _Numbers) -> _Numbers:
    """Return the sums of all that lies above and left of each place, (h + 1, w + 1, c)."""
    return np.pad(channels.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0), (0, 0)))


def _within(table: _Numbers, x0: _Places, y0: _Places, x1: _Places, y1: _Places) -> _Numbers:
    return np.asarray(table[y1, x1] - table[y0, x1] - table[y1, x0] + table[y0, x0])


def _shared(box: _Numbers, boxes: _Numbers) -> _Numbers:
    """Return what a box and boxes (n, 4) have in common, (n,), of what both cover."""
    left, top = np.maximum(box[0], boxes[:, 0]), np.maximum(box[1], boxes[:, 1])
    right = np.minimum(box[0] + box[2], boxes[:, 0] + boxes[:, 2])
    bottom = np.minimum(box[1] + box[3], boxes[:, 1] + boxes[:, 3])
    common = np.maximum(right - left, 0) * np.maximum(bottom - top, 0)
    return np.asarray(common / (box[2] * box[3] + boxes[:, 2] * boxes[:, 3] - common))


def _sides(box: Box) -> _Numbers:
    return np.array([box.left, box.top, box.width, box.height]) / 100


def _span(start: float, length: float, pixels: int) -> tuple[int, int]:
    """Return where a stretch, in percent of a side of some pixels, starts and ends in it."""
    first = min(int(start * pixels / 100 + 0.5), pixels - 1)
    end = min(int((start + length) * pixels / 100 + 0.5), pixels)
    return first, max(end, first + 1)
