"""The file that `explain --heatmap` writes, and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from visionquery.errors import ImageError, ImageNotFoundError, InputError
from visionquery.present.text import escaped

if TYPE_CHECKING:
    from visionquery.images.overlay import Format
    from visionquery.library import Library
    from visionquery.seeing import Heatmap

__all__ = ["HeatmapOption", "Target"]

HeatmapOption = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Write the picture with the place marked where the query is seen: .png, .jpg, .webp.",
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True)
class Target:
    """Where a heatmap is written, and as what."""

    path: Path
    kind: Format

    @classmethod
    def of(cls, name: str, image: str, library: Library) -> Target:
        """Return the file of a name. Raises InputError for an ending that is none of a picture, and
        for a file that is the explained image or one of the library."""
        from visionquery.images.overlay import FORMATS

        path = Path(name).expanduser()
        kind = FORMATS.get(path.suffix.lower())
        if kind is None:
            raise InputError(
                f"{name} does not say what to write: give a file that ends in .png, .jpg or .webp."
            )
        if path.exists() and (_is_same(path, image) or _is_kept(path, library)):
            raise InputError(
                f"{name} is a picture of the library or an original, which a heatmap does not "
                "overwrite: give another file."
            )
        return cls(path, kind)

    def write(self, found: Heatmap) -> Heatmap:
        """Write a heatmap, and return it. Raises InputError where the file cannot be written."""
        from visionquery.images.overlay import overlay

        shown = None if found.is_weak else found.box
        data = overlay(found.picture, found.grid, shown, self.kind)
        try:
            self.path.write_bytes(data)
        except OSError as error:
            raise InputError(
                f"The heatmap cannot be written to {self.path} ({error.strerror}): give another "
                "file."
            ) from error
        return found

    def document(self, found: Heatmap) -> dict[str, object]:
        """Return `{"file", "box", "weak"}`; the box is [left, top, width, height] in percent."""
        box = found.box
        sides = (box.left, box.top, box.width, box.height)
        return {
            "file": str(self.path), "box": [round(side, 2) for side in sides],
            "weak": found.is_weak,
        }  # fmt: skip

    def sentence(self, found: Heatmap) -> str:
        """Return in a sentence where a query is seen, and where that is drawn."""
        name, box = escaped(str(self.path)), found.box
        if found.is_weak:
            return f"Little evidence of it anywhere in the picture: {name} marks no place."
        return (
            f"Strongest in the {box.width:.0f} % × {box.height:.0f} % at {box.left:.0f} % from the "
            f"left and {box.top:.0f} % from the top: see {name}."
        )


def _is_same(path: Path, image: str) -> bool:
    try:
        return path.samefile(image)
    except OSError:
        return False


def _is_kept(path: Path, library: Library) -> bool:
    """Tell whether a file lies in an indexed folder, or has the content of a known image."""
    if library.covers(path):
        return True
    from visionquery.asking import picture_id

    try:
        library.image(picture_id(str(path)))
    except (ImageError, ImageNotFoundError):
        return False
    return True
