import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageOps
from tests.unit.raw_files import dng

from visionquery.errors import ImageTooLargeError, UnreadableImageError
from visionquery.images.limits import Limits
from visionquery.images.raw import decode_raw, is_installed

RED, BLUE = (255, 0, 0), (0, 0, 255)


def preview(size: tuple[int, int] = (320, 240), mark: int | None = None) -> bytes:
    """A JPEG with a red corner at the top left, else blue."""
    picture = Image.new("RGB", size, BLUE)
    picture.paste(RED, (0, 0, size[0] // 2, size[1] // 2))
    exif = Image.Exif()
    if mark is not None:
        exif[0x0112] = mark
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=95, exif=exif.tobytes() if mark is not None else b"")
    return buffer.getvalue()


def turned(jpeg: bytes, mark: int) -> np.ndarray:
    with Image.open(io.BytesIO(jpeg)) as picture:
        picture.getexif()[0x0112] = mark
        return np.asarray(ImageOps.exif_transpose(picture))


def test_it_is_installed_here() -> None:
    assert is_installed()


@pytest.mark.parametrize("mark", [1, 3, 6, 8])
def test_the_preview_comes_upright(mark: int) -> None:
    decoded = decode_raw(dng(preview=preview(), mark=mark))
    assert np.array_equal(decoded.pixels, turned(preview(), mark))
    size = (64, 48) if mark < 5 else (48, 64)
    assert (decoded.facts.width, decoded.facts.height) == size
    assert decoded.facts.format == "RAW"


@pytest.mark.parametrize("mark", [6, 8])
def test_a_preview_that_the_camera_turned_is_not_turned_again(mark: int) -> None:
    upright = preview(size=(240, 320))
    for own in (None, 1):
        decoded = decode_raw(dng(preview=preview((240, 320), own), mark=mark))
        assert np.array_equal(decoded.pixels, turned(upright, 1))


@pytest.mark.parametrize("mark", [1, 3, 6, 8])
def test_a_mark_of_the_previews_own_is_applied_once(mark: int) -> None:
    decoded = decode_raw(dng(preview=preview(mark=mark), mark=mark))
    assert np.array_equal(decoded.pixels, turned(preview(), mark))


@pytest.mark.parametrize("mark", [1, 3, 6, 8])
def test_without_a_preview_the_sensor_is_developed_at_half(mark: int) -> None:
    decoded = decode_raw(dng(mark=mark))
    assert decoded.pixels.shape == ((24, 32, 3) if mark < 5 else (32, 24, 3))
    red, green, blue = decoded.pixels[12, 12].tolist()
    assert red > 2 * max(green, blue)
    assert (decoded.facts.width, decoded.facts.height) == ((64, 48) if mark < 5 else (48, 64))


def test_a_broken_preview_is_passed_over() -> None:
    data = dng(preview=preview())
    at = data.index(b"\xff\xd8\xff")
    broken = data[:at] + b"\0" * 64 + data[at + 64 :]
    assert decode_raw(broken).pixels.shape == (24, 32, 3)


@pytest.mark.parametrize("min_side", [10, 60, 100, 500])
def test_no_side_falls_below_the_least_wanted(min_side: int) -> None:
    pixels = decode_raw(dng(preview=preview((1600, 1200))), min_side=min_side).pixels
    assert min_side <= min(pixels.shape[:2]) <= 2 * min_side + 1
    assert pixels.shape[1] / pixels.shape[0] == pytest.approx(4 / 3, rel=0.03)
    assert decode_raw(dng(size=(640, 480)), min_side=min_side).pixels.shape[0] >= min(min_side, 240)


def test_facts_come_from_the_raw_file() -> None:
    said = [
        (0x010E, 2, [*b"Boats\0"]),
        (0x0132, 2, [*b"2020:01:02 03:04:05\0"]),
        (700, 1, [*XMP.encode()]),
    ]
    for shown in (None, preview(mark=1)):
        facts = decode_raw(dng(preview=shown, more=said)).facts
        assert (facts.camera, facts.taken_at) == ("Acme One", "2020-01-02T03:04:05")
        assert (facts.caption, facts.keywords) == ("Boats", ("sea",))


XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:subject><rdf:Bag><rdf:li>sea</rdf:li></rdf:Bag>
 </dc:subject></rdf:Description></rdf:RDF></x:xmpmeta>"""


def test_limits_are_kept() -> None:
    data = dng(preview=preview())
    with pytest.raises(ImageTooLargeError, match="64 × 48"):
        decode_raw(data, limits=Limits(max_pixels=64 * 48 - 1))
    with pytest.raises(ImageTooLargeError, match="320 × 240"):
        decode_raw(data, limits=Limits(max_pixels=320 * 240 - 1))
    with pytest.raises(ImageTooLargeError, match="MiB"):
        decode_raw(data, limits=Limits(max_bytes=100))


@pytest.mark.parametrize("data", [b"", b"II*\0", b"FUJIFILMCCD-RAW " * 9, b"IIRO" * 99, b"x" * 999])
def test_what_is_no_raw_file_says_so(data: bytes) -> None:
    with pytest.raises(UnreadableImageError, match="not a raw file"):
        decode_raw(data)


@pytest.mark.parametrize("shown", [None, preview((64, 48))])
def test_a_raw_file_that_is_cut_off_raises_nothing_else(shown: bytes | None) -> None:
    data = dng(preview=shown)
    for end in range(0, len(data), 97):
        try:
            decode_raw(data[:end])
        except (UnreadableImageError, ImageTooLargeError):
            continue


def test_sizes_that_lie_are_refused_before_they_are_believed() -> None:
    data = dng()
    wide = struct.pack("<HHII", 0x0100, 4, 1, 64), struct.pack("<HHII", 0x0100, 4, 1, 60_000)
    tall = struct.pack("<HHII", 0x0101, 4, 1, 48), struct.pack("<HHII", 0x0101, 4, 1, 60_000)
    with pytest.raises((UnreadableImageError, ImageTooLargeError)):
        decode_raw(data.replace(*wide).replace(*tall))
