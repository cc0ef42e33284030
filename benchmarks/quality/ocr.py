"""Measure reading the text in pictures: words found, text made up, seconds per picture.

Words of a known list are drawn in several heights, contrasts and angles on pictures of 1600 × 1200
pixels, then saved and decoded as an indexed file would be. A word is found when it stands among
the words that were read. Text made up is looked for in photographs that hold almost none; every
line is printed, for a person to judge. Needs the extras `ocr` and `demo`; the photographs are any
folder, by default that of the shared set.
"""

import argparse
import io
import os
import random
import re
import statistics
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image, ImageDraw
from skimage import data

from visionquery.images.decode import decode
from visionquery.images.ocr import MIN_SIDE, TextReader, open_reader

_VOCABULARY = (
    "invoice total amount due receipt passport boarding ticket museum entrance birthday happy "
    "chocolate organic coffee menu breakfast pancakes strawberry lemonade restaurant parking "
    "forbidden emergency exit danger voltage library university physics chemistry equation "
    "theorem photograph mountain railway station platform departure arrival hotel reception "
    "swimming garden bicycle rental 2024 A380 1749"
)
WORDS = _VOCABULARY.split()
SIZE = (1600, 1200)
HEIGHTS = (16, 20, 24, 32, 48, 96)
ANGLES = (0, 5, 10, 20, 45, 90, 180)
PICTURES = 6
RUNS = 5
Colour = str | tuple[int, int, int]
CONTRASTS: dict[str, tuple[Colour, Colour | None]] = {
    "black on white": ("black", "white"),
    "grey on grey": ((150, 150, 150), (190, 190, 190)),
    "white on photo": ("white", None),
    "black on photo": ("black", None),
}
PHOTOGRAPHS = Path(__file__).parents[2] / "shared" / "data" / "flickr8k-dev" / "images"


def drawn(
    seed: int, *, px: int, ink: Colour = "black", paper: Colour | None = "white", angle: float = 0
) -> tuple[Image.Image, list[str]]:
    """Draw up to four lines of words in the middle of a picture; None as paper is a photograph."""
    chance = random.Random(seed)
    layer = Image.new("RGBA", SIZE)
    draw, words = ImageDraw.Draw(layer), list[str]()
    for number in range(min(4, SIZE[1] // (4 * px))):
        line = [chance.choice(WORDS) for _ in range(2 if px > 48 else 4)]
        place = (SIZE[0] * 0.25, SIZE[1] * 0.35 + number * px * 1.7)
        draw.text(place, " ".join(line), fill=ink, font_size=px)
        words += line
    if paper is None:
        picture = Image.fromarray(data.coffee()).resize(SIZE, Image.Resampling.BICUBIC)
    else:
        picture = Image.new("RGB", SIZE, paper)
    layer = layer.rotate(angle, Image.Resampling.BICUBIC)
    picture.paste(layer, mask=layer.getchannel("A"))
    return picture, words


def saved(picture: Image.Image) -> bytes:
    """Return the bytes of a JPEG file."""
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def read(reader: TextReader, content: bytes) -> str:
    """Decode and read a picture as a run over a library does."""
    return reader.read(decode(content, min_side=MIN_SIDE).pixels)


def recall(reader: TextReader, cases: Sequence[tuple[Image.Image, list[str]]]) -> float:
    """Return the part of the words, 0..1, that are found."""
    found = wanted = 0
    for picture, words in cases:
        seen = set(re.findall(r"\w+", read(reader, saved(picture)).lower()))
        found += sum(word.lower() in seen for word in words)
        wanted += len(words)
    return found / wanted


def report_words(reader: TextReader) -> Iterator[str]:
    """Yield lines: recall by height and contrast, then by angle."""
    yield f"{'words found':16}" + "".join(f"{px:>7} px" for px in HEIGHTS)
    for name, (ink, paper) in CONTRASTS.items():
        row = [
            recall(reader, [drawn(s, px=px, ink=ink, paper=paper) for s in range(PICTURES)])
            for px in HEIGHTS
        ]
        yield f"{name:16}" + "".join(f"{value:10.3f}" for value in row)
    for angle in ANGLES:
        cases = [drawn(s, px=32, angle=angle) for s in range(PICTURES)]
        yield f"turned by {angle:3}°, 32 px {recall(reader, cases):8.3f}"


def report_made_up(reader: TextReader, folder: Path, number: int) -> Iterator[str]:
    """Yield what is read in photographs."""
    files = sorted(folder.glob("*.jpg"))[:number]
    lines = [(file.name, read(reader, file.read_bytes())) for file in files]
    hits = [(name, text.replace("\n", " | ")) for name, text in lines if text]
    yield f"text in {len(hits)} of {len(files)} photographs:"
    for name, text in hits:
        yield f"  {name}: {text}"


def report_seconds(reader: TextReader) -> Iterator[str]:
    """Yield the median time of one picture, in seconds of one core, and the rate of many on all."""
    photograph = Image.fromarray(data.coffee())
    page = Image.new("RGB", (1654, 2339), "white")
    for line in range(50):
        words = " ".join(random.Random(line).choices(WORDS, k=9))
        ImageDraw.Draw(page).text((120, 120 + 42 * line), words, fill="black", font_size=26)
    samples = {
        "photo 500 × 333": photograph.resize((500, 333)),
        "photo 1600 × 1067": photograph.resize((1600, 1067)),
        "photo 4000 × 2667": photograph.resize((4000, 2667)),
        "four lines 1600 × 1200": drawn(1, px=32)[0],
        "A4 page, 50 lines, 200 dpi": page,
    }
    for name, picture in samples.items():
        content, times = saved(picture), []
        for _ in range(RUNS):
            started = time.process_time()  # Others may be at work on this machine.
            read(reader, content)
            times.append(time.process_time() - started)
        yield f"{name:28} {statistics.median(times):6.2f} s of one core"
    cores = os.cpu_count() or 1
    contents = [saved(samples["photo 1600 × 1067"])] * (8 * cores)
    started = time.perf_counter()
    with ThreadPoolExecutor(cores) as pool:
        list(pool.map(lambda content: read(reader, content), contents))
    rate = len(contents) / (time.perf_counter() - started)
    yield f"photos 1600 × 1067 on {cores} cores: {rate:.1f} pictures/s"


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photographs", type=Path, default=PHOTOGRAPHS)
    parser.add_argument("--number", type=int, default=200)
    options = parser.parse_args()
    started = time.perf_counter()
    reader = open_reader(threads=1)
    print(f"opened in {time.perf_counter() - started:.2f} s", flush=True)
    for line in report_seconds(reader):
        print(line, flush=True)
    for line in report_words(reader):
        print(line, flush=True)
    for line in report_made_up(reader, options.photographs, options.number):
        print(line, flush=True)


if __name__ == "__main__":
    main()
