"""Pictures in a terminal, as half blocks: two pixels a character, in true colour."""

from rich.color import Color
from rich.style import Style
from rich.text import Text

from visionquery.types import Pixels

__all__ = ["half_blocks"]


def half_blocks(pixels: Pixels) -> list[Text]:
    """Return the lines of a picture (height, width, 3); an odd last row is left out."""
    return [
        Text.assemble(
            *(
                ("▀", Style(color=Color.from_rgb(*upper), bgcolor=Color.from_rgb(*lower)))
                for upper, lower in zip(pixels[y].tolist(), pixels[y + 1].tolist(), strict=True)
            )
        )
        for y in range(0, len(pixels) - 1, 2)
    ]
