"""Small photographs, each of another content, cut out of those that scikit-image brings along."""

from pathlib import Path

import pytest
from PIL import Image

__all__ = ["cut_photographs"]

SIDE = 160


def cut_photographs(folder: Path, *, each: int = 6) -> int:
    """Save parts of photographs in two folders, and return how many. Skips the test where there
    are none."""
    skimage = pytest.importorskip("skimage", reason="the photographs of scikit-image are not here")
    names = ("astronaut.png", "brick.png", "camera.png", "chelsea.png", "coffee.png", "coins.png",
             "grass.png", "gravel.png", "ihc.png", "rocket.jpg")  # fmt: skip
    count = 0
    for name in names:
        with Image.open(Path(skimage.__file__).parent / "data" / name) as opened:
            photograph = opened.convert("RGB")
        for part in range(each):
            left, top = 25 * part, 20 * part
            place = folder / ("even" if part % 2 == 0 else "odd") / f"{Path(name).stem}-{part}.jpg"
            place.parent.mkdir(parents=True, exist_ok=True)
            photograph.crop((left, top, left + SIDE, top + SIDE)).save(place, quality=90)
            count += 1
    return count
