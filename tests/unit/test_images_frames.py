import io
import time
from collections.abc import Sequence
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from visionquery.errors import UnreadableImageError
from visionquery.images import frames
from visionquery.images.decode import decode

ANIMATIONS = ["GIF", "PNG", "WEBP", "AVIF"]


def photo(seed: int, side: int = 64) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((side, side), Image.Resampling.BICUBIC)


def plain(side: int = 64, level: int = 20) -> Image.Image:
    return Image.new("RGB", (side, side), (level, level, level))


def animation(form: str, pictures: Sequence[Image.Image], **options: object) -> bytes:
    stream = io.BytesIO()
    more = {"duration": 50} if form != "AVIF" else {}
    pictures[0].save(
        stream, form, save_all=True, append_images=pictures[1:], **(more | options)
    )
    return stream.getvalue()


def distance(data: bytes, wanted: Image.Image, min_side: int | None = None) -> float:
    pixels = decode(data, min_side=min_side).pixels
    expected = np.asarray(wanted.resize(pixels.shape[1::-1], Image.Resampling.BOX), dtype=float)
    return float(np.abs(pixels - expected).mean())


@pytest.mark.parametrize("form", ANIMATIONS)
@pytest.mark.parametrize("min_side", [None, 16])
def test_an_empty_start_is_passed_over(form: str, min_side: int | None) -> None:
    data = animation(form, [plain(level=20), plain(level=60), photo(1), plain(level=90)])
    assert distance(data, photo(1), min_side) < 14


@pytest.mark.parametrize("form", ANIMATIONS)
def test_of_equals_the_first_is_taken(form: str) -> None:
    assert distance(animation(form, [photo(1), photo(2), photo(3)]), photo(1)) < 14


def test_the_first_of_the_rich_ones_within_reach_is_taken() -> None:
    pictures = [plain(level=level) for level in range(20, 220, 2)]
    pictures[23:] = [photo(number) for number in range(23, 100)]
    data = animation("WEBP", pictures, lossless=True)
    assert distance(data, photo(27)) < 1, "0, 5, 11, 16, 22, 27, 33 and 39 are looked at"


def test_still_pictures_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "_richest", None)
    for form in (*ANIMATIONS, "JPEG", "TIFF", "BMP"):
        stream = io.BytesIO()
        photo(1).save(stream, form)
        assert distance(stream.getvalue(), photo(1)) < 14


def test_thousands_of_frames_cost_little() -> None:
    pictures = [photo(number % 7, 8) for number in range(1500)]
    data = animation("GIF", [plain(8), *pictures], duration=0)
    start = time.perf_counter()
    assert decode(data).pixels.std() > 10
    assert time.perf_counter() - start < 5


def test_large_frames_are_looked_at_within_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    data = animation("GIF", [plain(), plain(level=60), photo(1)])
    monkeypatch.setattr(frames, "_MOST_PIXELS", 2 * 64 * 64)
    assert decode(data).pixels.std() == 0
    monkeypatch.setattr(frames, "_MOST_PIXELS", 64 * 64 - 1)
    assert decode(data).pixels[0, 0].tolist() == [20, 20, 20]


@pytest.mark.parametrize("form", ANIMATIONS)
def test_broken_later_frames_do_not_hurt(form: str) -> None:
    data = animation(form, [photo(1), *(photo(number) for number in range(2, 9))])
    for part in (0.95, 0.7, 0.5):
        cut = data[: int(len(data) * part)]
        if form in ("AVIF", "WEBP"):  # of which nothing is decoded when they are cut off
            with suppress(UnreadableImageError):
                decode(cut)
        else:
            assert distance(cut, photo(1)) < 14


def test_transparency_is_white_in_later_frames_too() -> None:
    rich = photo(1).convert("RGBA")
    rich.paste((0, 0, 0, 0), (0, 0, 32, 64))
    empty = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    data = animation("PNG", [empty, rich], disposal=1)
    pixels = decode(data).pixels
    assert (pixels[:, :32] == 255).all()
    assert pixels[:, 32:].std() > 10


def test_facts_stay_those_of_the_file() -> None:
    info = PngInfo()
    info.add_text("Description", "A lighthouse")
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Canon"
    data = animation("PNG", [plain(), photo(1).resize((64, 32)).resize((64, 64))], pnginfo=info,
                     exif=exif)
    facts = decode(data).facts
    assert (facts.caption, facts.camera, facts.format) == ("A lighthouse", "Canon", "PNG")
    turned = photo(1).resize((64, 32)).resize((64, 64)).transpose(Image.Transpose.ROTATE_270)
    assert distance(data, turned) < 2
