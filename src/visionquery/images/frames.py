"""Which frame stands for an animation: not always the first, which is often empty.

Frames come one after another, each painted on those before it, so that only a bounded stretch at
the start is looked at.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from visionquery.images.colour import to_rgb

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

__all__ = ["choose"]

_ANIMATIONS = frozenset({"GIF", "PNG", "WEBP", "AVIF"})

_MOST_LOOKED_AT = 8
_MOST_DECODED = 40
_MOST_PIXELS = 12_000_000
"""Frames looked at, frames decoded on the way, and pixels of them all: 0.2 s at most."""

_SIDE = 64
"""Of the copies that are compared, in pixels."""

_MARGIN = 0.5
"""Bits of detail by which a later frame has to be richer: noise and dithering stay below."""


def choose(picture: "ImageFile", reopen: Callable[[], "ImageFile"]) -> "ImageFile":
    """Return an opened picture at the frame to take: of up to eight, evenly spaced, the first that
    shows about as much as any.

    A picture that does not move is returned as it was. `reopen` opens the file once more, as a
    decoder that met an error or went too far is of no more use.
    """
    if picture.format not in _ANIMATIONS:
        return picture
    numbers = _looked_at(picture)
    if not numbers:
        return picture
    number = _richest(picture, numbers)
    chosen = reopen()
    if number == 0:
        return chosen
    try:
        chosen.seek(number)
        chosen.load()
    except Exception:  # it could be decoded a moment ago
        return reopen()
    return chosen


def _looked_at(picture: "ImageFile") -> list[int]:
    """Return the numbers of the frames to compare, evenly spaced over those within reach."""
    try:
        count = int(getattr(picture, "n_frames", 1))
    except Exception:  # a damaged file's frames cannot be counted
        return []
    reach = min(count, _MOST_DECODED, _MOST_PIXELS // max(1, picture.width * picture.height))
    last = min(reach, _MOST_LOOKED_AT) - 1
    return [place * (reach - 1) // last for place in range(last + 1)] if last > 0 else []


def _richest(picture: "ImageFile", numbers: list[int]) -> int:
    """Return the first frame whose detail is near the most; what follows an error is not seen."""
    details: list[tuple[int, float]] = []
    for number in numbers:
        try:
            picture.seek(number)
            details.append((number, _detail(picture)))
        except Exception:
            break
    most = max((detail for _, detail in details), default=0.0)
    return next((number for number, detail in details if detail >= most - _MARGIN), 0)


def _detail(picture: "ImageFile") -> float:
    """Return the entropy, in bits, of the gray levels of a small copy."""
    from PIL.Image import Resampling

    size = (min(_SIDE, picture.width), min(_SIDE, picture.height))
    return to_rgb(picture).resize(size, Resampling.BOX).convert("L").entropy()
