"""What a model's 8-bit form is worth, for a person."""

from typing import TextIO

from visionquery.models.quantize import Quantized, QuantizedTower
from visionquery.present.tables import print_rows
from visionquery.present.text import escaped, size

__all__ = ["print_quantized"]


def print_quantized(made: Quantized, stream: TextIO) -> None:
    """Print the folder of a model that was made, what became of each tower, and how near its
    vectors are to the original's: a table on a terminal, lines with tabs elsewhere."""
    stream.write(escaped(str(made.folder)) + "\n")
    print_rows(
        ("tower", "size", "was", "time", "was", "faster", "in 8 bits"),
        [_row(tower) for tower in made.towers],
        stream,
    )
    if stream.isatty():
        stream.write("\n")
    near = made.fidelity
    rows = [
        ("pictures", str(near.pictures), *_cosines(near.picture_cosine, near.least_picture_cosine),
         _share(near.picture_overlap)),
        ("texts", str(near.texts), *_cosines(near.text_cosine, near.least_text_cosine),
         _share(near.text_overlap)),
    ]  # fmt: skip
    best = f"same {near.nearest} best"
    print_rows(("measured", "number", "cosine", "least", best), rows, stream)


def _row(tower: QuantizedTower) -> tuple[str, ...]:
    (large, small), (slow, fast) = tower.size_bytes, tower.seconds
    times = f"{fast * 1000:.1f} ms", f"{slow * 1000:.1f} ms"
    figures = (tower.name, size(small), size(large), *times)
    if tower.recipe is None:
        return (*figures, "", "it stayed as it was")
    return (*figures, f"×{slow / fast:.2f}", tower.recipe)


def _cosines(mean: float, least: float) -> tuple[str, str]:
    return f"{mean:.4f}", f"{least:.4f}"


def _share(part: float) -> str:
    return f"{part * 100:.1f} %"
