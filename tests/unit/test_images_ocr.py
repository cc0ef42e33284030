"""Reading the text in pictures: what is found, in which order, and what is not made up."""

import io
import logging
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import skimage
from PIL import Image, ImageDraw

from visionquery.errors import ImageError, InputError, ModelError, UnreadableImageError
from visionquery.images import ocr
from visionquery.images.decode import decode
from visionquery.types import Pixels

PHOTOGRAPHS = Path(skimage.__file__).parent / "data"
LINES = ["Departures today", "Lisbon 10:45 gate B7", "Oslo 11:20 gate A12", "Please mind the gap"]


@pytest.fixture(scope="module")
def reader() -> ocr.TextReader:
    return ocr.open_reader(threads=1)


def drawn(
    lines: list[str], *, size: tuple[int, int] = (640, 400), px: int = 32, ink: str = "black"
) -> Image.Image:
    """Draw lines of text, `px` pixels high, on white."""
    picture = Image.new("RGB", size, "white")
    for number, line in enumerate(lines):
        ImageDraw.Draw(picture).text((40, 40 + 2 * px * number), line, fill=ink, font_size=px)
    return picture


def pixels_of(picture: Image.Image) -> Pixels:
    return np.asarray(picture.convert("RGB"))


def photograph(name: str) -> Pixels:
    return pixels_of(Image.open(PHOTOGRAPHS / name))


@pytest.mark.parametrize("px", [12, 20, 32])
def test_lines_come_from_the_top_to_the_bottom(reader: ocr.TextReader, px: int) -> None:
    assert reader.read(pixels_of(drawn(LINES, px=px))).splitlines() == LINES


@pytest.mark.parametrize("angle", [8, -15, 180])
def test_tilted_text_is_read(reader: ocr.TextReader, angle: int) -> None:
    tilted = drawn(LINES).rotate(angle, expand=True, fillcolor="white")
    assert set(reader.read(pixels_of(tilted)).splitlines()) == set(LINES)


def test_a_picture_on_its_side_is_turned_by_its_orientation_mark(reader: ocr.TextReader) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    drawn(LINES).transpose(Image.Transpose.ROTATE_90).save(buffer, "JPEG", exif=exif, quality=95)
    picture = decode(buffer.getvalue(), min_side=ocr.MIN_SIDE)
    assert picture.pixels.shape == (400, 640, 3)
    assert reader.read(picture.pixels).splitlines() == LINES


def test_words_beside_one_another_come_from_the_left(reader: ocr.TextReader) -> None:
    picture = Image.new("RGB", (900, 300), "white")
    draw = ImageDraw.Draw(picture)
    for place, word, px in (
        ((600, 40), "third", 40), ((40, 44), "first", 60), ((330, 58), "second", 40),
        ((500, 200), "fifth", 40), ((40, 194), "fourth", 40),
    ):
        draw.text(place, word, fill="black", font_size=px)
    words = reader.read(pixels_of(picture)).split()
    assert words == ["first", "second", "third", "fourth", "fifth"]


def test_many_lines_are_all_read(reader: ocr.TextReader) -> None:
    lines = [f"Item number {number} costs {number * 7} euro" for number in range(1, 31)]
    picture = drawn(lines, size=(1200, 1600), px=24)
    assert reader.read(pixels_of(picture)).splitlines() == lines


def test_a_page_yields_its_words(reader: ocr.TextReader) -> None:
    text = " ".join(reader.read(photograph("page.png")).split())
    assert text.startswith("Region-based segmentation Let us first determine markers of the coins")
    for words in ("unambiguously as either object or background.", "histogram of grey values:"):
        assert words in text


@pytest.mark.parametrize("name", ["camera.png", "coffee.png", "chelsea.png", "brick.png"])
def test_a_photograph_without_text_yields_nothing(reader: ocr.TextReader, name: str) -> None:
    assert reader.read(photograph(name)) == ""


@pytest.mark.parametrize(
    "shape", [(1, 1), (7, 7), (8, 8), (1, 5000), (5000, 1), (16, 2000), (40, 9000), (9000, 40)]
)
def test_pictures_of_any_shape_are_read(reader: ocr.TextReader, shape: tuple[int, int]) -> None:
    assert reader.read(np.full((*shape, 3), 255, np.uint8)) == ""
    noise = np.random.default_rng(3).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert isinstance(reader.read(noise), str)


def test_a_flat_picture_of_one_line_is_read(reader: ocr.TextReader) -> None:
    picture = Image.new("RGB", (420, 26), "white")
    ImageDraw.Draw(picture).text((4, 3), "Emergency exit on the left", fill="black", font_size=18)
    assert reader.read(pixels_of(picture)) == "Emergency exit on the left"


def test_a_large_picture_is_read_in_its_working_size(reader: ocr.TextReader) -> None:
    assert reader.read(pixels_of(drawn(LINES, size=(4000, 3000), px=120))).splitlines() == LINES


def test_several_threads_read_at_once(reader: ocr.TextReader) -> None:
    pictures = [pixels_of(drawn([line], size=(420, 120))) for line in LINES * 2]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(reader.read, pictures)) == LINES * 2


def test_nothing_is_said_and_no_network_is_asked(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network is asked")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    handlers = list(logging.getLogger().handlers)
    fresh = ocr.open_reader(threads=1)
    assert fresh.read(pixels_of(drawn(["Quiet please"]))) == "Quiet please"
    assert fresh.read(np.full((64, 64, 3), 255, np.uint8)) == ""
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger().handlers == handlers


@pytest.mark.skipif(sys.platform != "linux", reason="counts the threads of a process in /proc")
def test_its_threads_are_bounded() -> None:
    script = (
        "import os\n"
        "import numpy as np\n"
        "from visionquery.images.ocr import open_reader\n"
        "reader = open_reader(threads=1)\n"
        "before = len(os.listdir('/proc/self/task'))\n"
        "reader.read(np.random.default_rng(1).integers(0, 256, (600, 800, 3), dtype=np.uint8))\n"
        "print(len(os.listdir('/proc/self/task')) - before)\n"
    )
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    with pytest.raises(InputError, match=r"pip install 'visionquery\[ocr\]'"):
        ocr.open_reader()
    with pytest.raises(InputError, match="Reading the text in pictures"):
        ocr.check_installed()


def test_a_model_that_is_missing_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ocr._MODELS, "Det", "no-such-model.onnx")
    with pytest.raises(ModelError, match=r"no-such-model\.onnx.*Install it again"):
        ocr.open_reader(threads=1)


def test_a_failure_of_its_library_is_of_this_picture() -> None:
    def engine(_: Pixels) -> None:
        raise ZeroDivisionError("deep inside")

    broken = ocr._PackagedReader(engine)
    with pytest.raises(UnreadableImageError, match="cannot be read") as caught:
        broken.read(pixels_of(drawn(["any"])))
    assert isinstance(caught.value, ImageError)
