"""Pictures of every kind of file, one at a time: what a decoding process does for its parent."""

from collections.abc import Callable
from pathlib import Path

from visionquery.errors import ImageUnavailableError, UnreadableImageError
from visionquery.images.content import CHANGED, Part, image_id, part_id, read
from visionquery.images.decode import decode
from visionquery.images.kinds import HEAD_BYTES, kind_of
from visionquery.images.limits import Limits
from visionquery.images.pages import page_number
from visionquery.types import Decoded

__all__ = ["decoded", "listed"]

_MEMORY = {"video": 384 * 2**20, "raw": 384 * 2**20, "pdf": 256 * 2**20, "svg": 128 * 2**20}
"""Bytes that decoders take which do not say so by the size of the picture: a process may take twice
as much."""

Before = Callable[[int], None]


def listed(path: Path, *, limits: Limits, before: Before) -> list[Part]:
    """Return the parts of a video, PDF or TIFF file; none for a TIFF with one page.

    `before` is called with the bytes that looking into it may take. Raises ImageError for a file in
    which there is no picture.
    """
    with path.open("rb") as file:
        kind = kind_of(file.read(HEAD_BYTES), path.name)
    before(_MEMORY.get(kind, path.stat().st_size))
    if kind == "video":
        from visionquery.images.video import key_frames

        return [Part(frame.fragment, frame.image_id, 0) for frame in key_frames(path, limits)]
    data = read(path, limits=limits)
    if kind == "pdf":
        from visionquery.images.pdf import pages
    else:
        from visionquery.images.pages import tiff_pages as pages
    file_id = image_id(data)
    return [Part(fragment, part_id(file_id, fragment), 0) for fragment in pages(data, limits)]


def decoded(
    data: bytes,
    *,
    name: str,
    path: Path | None,
    fragment: str,
    known_id: str,
    min_side: int | None,
    limits: Limits,
    before_pixels: Before,
) -> Decoded:
    """Decode a picture that is `data`, or the part `fragment` of the file at `path`, as
    `decode.decode` does. Raises ImageError, for a part also when it is no more `known_id`."""
    if path is None:
        return _picture(data, name, min_side, limits, before_pixels)
    if fragment.startswith("t="):
        from visionquery.images.video import decode_frame

        before_pixels(_MEMORY["video"])
        return decode_frame(
            path, fragment, known_id=known_id, min_side=min_side, limits=limits
        )
    data = read(path, limits=limits)
    if part_id(image_id(data), fragment) != known_id:
        raise ImageUnavailableError(f"it cannot be read: {CHANGED}")
    page = page_number(fragment)
    if kind_of(data[:HEAD_BYTES], name) == "pdf":
        from visionquery.images.pdf import decode_page

        before_pixels(_MEMORY["pdf"])
        return decode_page(data, page, min_side=min_side, limits=limits)
    return decode(data, page=page, min_side=min_side, limits=limits, before_pixels=before_pixels)


def _picture(
    data: bytes,
    name: str,
    min_side: int | None,
    limits: Limits,
    before_pixels: Before,
) -> Decoded:
    kind = kind_of(data[:HEAD_BYTES], name)
    if kind == "raw":
        from visionquery.images.raw import decode_raw

        before_pixels(_MEMORY["raw"])
        return decode_raw(data, min_side=min_side, limits=limits)
    if kind == "svg":
        from visionquery.images.svg import decode_svg

        before_pixels(_MEMORY["svg"])
        return decode_svg(data, min_side=min_side, limits=limits)
    if kind in ("pdf", "video", "archive"):
        raise UnreadableImageError(
            f"not a picture that can be read: it is {_NAMES[kind]}, which holds several; give one"
        )
    return decode(data, min_side=min_side, limits=limits, before_pixels=before_pixels)


_NAMES = {"pdf": "a PDF", "video": "a video", "archive": "an archive"}
