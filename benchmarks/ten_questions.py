"""Ten plain questions to the model in the box and its three best pictures, as a figure.

    python benchmarks/ten_questions.py [OUT.png]

The photographs are those of scikit-image that `visionquery demo` uses, all of them free to show.
They are copied under numbers, so that no name of a file gives one away. A frame marks what
`DEFAULT_MIN_CONFIDENCE` calls relevant; nothing is chosen by hand.
"""

import shutil
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from visionquery import Library
from visionquery.cli.demo import PHOTOGRAPHS

OUT = Path(__file__).parents[1] / "docs" / "images" / "ten-questions.png"
QUESTIONS = (
    "a cat",
    "a cup of coffee",
    "a motorcycle",
    "a rocket launch",
    "a woman in an orange suit",
    "a man with a camera",
    "the moon",
    "green grass",
    "a page of a book",
    "a plate of spaghetti",
)
WIDTH, HEIGHT, GAP, LABEL = 168, 126, 10, 34
MATCH, NO_MATCH, INK, PAPER = "#2e9e5b", "#c8c8c8", "#222222", "#ffffff"


def cell(path: str, confidence: float, relevant: bool, font: ImageFont.FreeTypeFont) -> Image.Image:
    picture = ImageOps.fit(Image.open(path).convert("RGB"), (WIDTH - 8, HEIGHT - 8))
    framed = ImageOps.expand(picture, border=4, fill=MATCH if relevant else NO_MATCH)
    whole = Image.new("RGB", (WIDTH, HEIGHT + 20), PAPER)
    whole.paste(framed, (0, 0))
    label = f"{confidence * 100:.0f} %"
    ImageDraw.Draw(whole).text((4, HEIGHT + 2), label, fill=INK, font=font)
    return whole


def main() -> None:
    """Ask and draw."""
    samples = Path(find_spec("skimage").origin).parent / "data"
    columns, shown = 2, 3
    block = shown * (WIDTH + GAP) + GAP
    row = LABEL + HEIGHT + 20 + GAP
    rows = len(QUESTIONS) // columns
    sheet = Image.new("RGB", (columns * block, rows * row + GAP), PAPER)
    draw = ImageDraw.Draw(sheet)
    bold, small = ImageFont.load_default(19), ImageFont.load_default(14)
    with tempfile.TemporaryDirectory() as folder, Library.open(
        Path(folder) / "library", model="pocket", create=True
    ) as library:
        unnamed = Path(folder) / "unnamed"
        unnamed.mkdir()
        for number, name in enumerate(PHOTOGRAPHS):
            shutil.copy(samples / name, unnamed / f"{number}{Path(name).suffix}")
        library.add(unnamed)
        for number, question in enumerate(QUESTIONS):
            left, top = number // rows * block + GAP, number % rows * row + GAP
            draw.text((left, top + 4), question, fill=INK, font=bold)
            response = library.search(question, limit=shown)
            for place, hit in enumerate((*response.hits, *response.closest)):
                picture = cell(hit.path, hit.confidence, place < len(response.hits), small)
                sheet.paste(picture, (left + place * (WIDTH + GAP), top + LABEL))
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else OUT
    out.parent.mkdir(parents=True, exist_ok=True)
    sheet.quantize(200).save(out, optimize=True)
    print(out)


if __name__ == "__main__":
    main()
