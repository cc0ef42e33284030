"""Make the heatmap that docs/ shows, of a photograph that scikit-image carries.

    python scripts/make_heatmap.py

Uses the model in the box; needs the extra `demo`.
"""

import io
import tempfile
from pathlib import Path

from PIL import Image

from visionquery import Library
from visionquery.cli.demo import PHOTOGRAPHS, photographs_folder
from visionquery.images.overlay import overlay

PAGE = Path(__file__).parents[1] / "docs" / "images" / "heatmap.jpg"
QUERY = "a woman smiling"
SIDE = 440


def main() -> None:
    """Write the picture and the heatmap side by side."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Library.open(Path(folder) / "library", model="pocket", create=True) as library,
    ):
        library.add(*(photographs_folder() / name for name in PHOTOGRAPHS))
        found = library.heatmap(photographs_folder() / "astronaut.png", QUERY)
    drawn = Image.open(io.BytesIO(overlay(found.picture, found.grid, found.box, "PNG")))
    both = Image.new("RGB", (2 * SIDE, SIDE))
    both.paste(Image.fromarray(found.picture).resize((SIDE, SIDE)), (0, 0))
    both.paste(drawn.resize((SIDE, SIDE)), (SIDE, 0))
    both.save(PAGE, quality=76, optimize=True)


if __name__ == "__main__":
    main()
