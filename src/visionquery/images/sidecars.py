"""XMP files that lie beside a picture and say what its owner noted of it."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path, PurePath

from visionquery.errors import ImageError
from visionquery.images.captions import read_xmp
from visionquery.images.limits import Limits
from visionquery.images.metadata import best_caption, best_date, unique_keywords
from visionquery.images.text import Words
from visionquery.types import Facts, is_address

__all__ = ["read_sidecar", "sidecar_of", "with_sidecar"]

_EXTENSIONS = tuple(f".{x}{m}{p}" for x in "xX" for m in "mM" for p in "pP")
_MAX_BYTES = 8 * 2**20
"""Programs keep their drawn masks there too."""


def sidecar_of(path: PurePath, names_in_folder: Collection[str]) -> str | None:
    """Return which of the names is that of a picture's sidecar, None for none.

    `photo.cr2.xmp` is for `photo.cr2` alone and goes before `photo.xmp`, which is for every
    photo of that name.
    """
    names = (stem + extension for stem in (path.name, path.stem) for extension in _EXTENSIONS)
    return next((name for name in names if name in names_in_folder), None)


def read_sidecar(path: str | Path) -> Words:
    """Return what a sidecar says; one that cannot be read, or is too large, says nothing."""
    try:
        packet = _content(str(path))
    except (OSError, ValueError, ImageError):
        return Words()
    return read_xmp(packet, max_bytes=_MAX_BYTES)


def _content(place: str) -> bytes:
    if is_address(place):
        from visionquery.images.addresses import read

        return read(place, limits=Limits(max_bytes=_MAX_BYTES))
    with Path(place).open("rb") as file:
        return file.read(_MAX_BYTES + 1)


def with_sidecar(facts: Facts, words: Words) -> Facts:
    """Return the facts of a picture with what its sidecar says before what its file says, since
    it was noted later. A camera is what the file says it is."""
    latitude, longitude = words.place or (facts.latitude, facts.longitude)
    return replace(
        facts,
        camera=facts.camera or words.camera,
        taken_at=best_date(words.dates) or facts.taken_at,
        latitude=latitude,
        longitude=longitude,
        caption=best_caption(words.captions) or facts.caption,
        keywords=unique_keywords((*words.keywords, *facts.keywords)),
    )
