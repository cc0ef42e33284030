"""Thumbnails: upright, crisp, small, and silent about the file that they were made of."""

import io
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from visionquery.errors import (
    ImageError,
    ImageTooLargeError,
    InputError,
    UnreadableImageError,
)
from visionquery.images.content import of_bytes
from visionquery.images.limits import Limits
from visionquery.images.thumbnails import encoded_thumbnail, thumbnail

ORIENTATION, MAKE, GPS = 0x0112, 0x010F, 0x8825
TURNED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""How a picture lies in a file that has the mark."""


def encoded(picture: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def opened(data: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(data))
    assert picture.format == "WEBP"
    picture.load()
    return picture


def corners(width: int, height: int) -> Image.Image:
    """A picture whose four quarters are red, green, blue and white."""
    pixels = np.zeros((height, width, 3), np.uint8)
    down, across = height // 2, width // 2
    pixels[:down, :across] = (220, 20, 20)
    pixels[:down, across:] = (20, 200, 20)
    pixels[down:, :across] = (20, 20, 220)
    pixels[down:, across:] = 240
    return Image.fromarray(pixels)


def detailed(width: int, height: int) -> Image.Image:
    """A picture with edges and grain at every scale."""
    random = np.random.default_rng(3)
    whole = np.zeros((height, width, 3))
    for step in (2, 8, 32, 128, 512):
        grain = random.integers(0, 256, (height // step + 1, width // step + 1, 3), np.uint8)
        grown = Image.fromarray(grain).resize((width, height), Image.Resampling.NEAREST)
        whole += np.asarray(grown) / 5
    return Image.fromarray(whole.astype(np.uint8))


def decibels(first: np.ndarray, second: np.ndarray) -> float:
    error = np.mean((first.astype(float) - second.astype(float)) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


@pytest.mark.parametrize(
    ("size", "side", "expected"),
    [
        ((400, 300), 320, (320, 240)),
        ((300, 400), 320, (240, 320)),
        ((4000, 3000), 320, (320, 240)),
        ((1000, 1000), 320, (320, 320)),
        ((321, 100), 320, (320, 100)),
        ((320, 320), 320, (320, 320)),
        ((200, 100), 320, (200, 100)),
        ((1, 1), 320, (1, 1)),
        ((3, 2), 1, (1, 1)),
        ((1, 5000), 320, (1, 320)),
        ((5000, 1), 320, (320, 1)),
        ((5000, 7), 640, (640, 1)),
        ((16, 5000), 1600, (5, 1600)),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_it_fits_and_is_never_enlarged(kind, size, side, expected):
    data = encoded(Image.new("RGB", size, (200, 30, 30)), kind)
    picture = opened(encoded_thumbnail(of_bytes(data), side=side))
    assert picture.size == expected
    assert np.abs(np.asarray(picture).reshape(-1, 3).astype(int) - (200, 30, 30)).max() < 12


@pytest.mark.parametrize("mark", TURNED)
@pytest.mark.parametrize("side", [100, 2000])
def test_it_is_upright(mark, side):
    exif = Image.Exif()
    exif[ORIENTATION] = mark
    upright = corners(960, 640)
    turn = TURNED[mark]
    data = encoded(upright if turn is None else upright.transpose(turn), exif=exif, quality=95)
    picture = opened(encoded_thumbnail(of_bytes(data), side=side))
    assert picture.size == ((100, 67) if side == 100 else (960, 640))
    assert decibels(np.asarray(picture), np.asarray(upright.resize(picture.size))) > 28


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("side", [50, 500])
def test_it_says_nothing_of_the_file(kind, side):
    exif = Image.Exif()
    exif[MAKE] = "SECRET camera"
    exif.get_ifd(GPS)[1] = "N"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    options = {"exif": exif, "icc_profile": profile}
    if kind == "JPEG":
        options["comment"] = "SECRET comment"
    if kind == "PNG":
        options["pnginfo"] = PngInfo()
        options["pnginfo"].add_text("Author", "SECRET author")
    data = encoded(corners(200, 100), kind, **options)
    assert b"SECRET" in data
    made = encoded_thumbnail(of_bytes(data), side=side)
    assert b"SECRET" not in made
    assert {made[at : at + 4] for at in (0, 8, 12)} == {b"RIFF", b"WEBP", b"VP8 "}
    picture = opened(made)
    assert len(picture.getexif()) == 0
    assert not {"exif", "icc_profile", "xmp"} & set(picture.info)


@pytest.mark.parametrize("size", [(4000, 3000), (2400, 2400), (3840, 2160), (2160, 3840)])
@pytest.mark.parametrize("side", [160, 320, 640, 1600])
def test_of_a_reduced_picture_it_is_as_crisp_as_of_the_whole(size, side, tmp_path):
    data = encoded(detailed(*size), quality=92)
    (tmp_path / "a.jpg").write_bytes(data)
    made = thumbnail(tmp_path / "a.jpg", width=side, height=side)
    whole = Image.open(io.BytesIO(data)).resize(made.shape[1::-1], Image.Resampling.LANCZOS)
    assert decibels(made, np.asarray(whole)) > 30
    sharpness = [np.abs(np.diff(np.asarray(each, float), axis=1)).mean() for each in (made, whole)]
    assert sharpness[0] > 0.9 * sharpness[1]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "I", "F"])
def test_every_mode_becomes_a_picture(mode):
    kind = "TIFF" if mode in ("CMYK", "F", "I") else "PNG"
    gray = Image.new("L", (64, 48), 128)
    source = Image.new(mode, gray.size, 32768) if mode == "I;16" else gray.convert(mode)
    picture = opened(encoded_thumbnail(of_bytes(encoded(source, kind)), side=32))
    assert (picture.size, picture.mode) == ((32, 24), "RGB")


def test_what_shines_through_is_white():
    data = encoded(Image.new("RGBA", (90, 60), (0, 0, 0, 0)), "PNG")
    assert np.asarray(opened(encoded_thumbnail(of_bytes(data), side=30))).min() > 250


def test_of_several_frames_the_first_is_shown():
    frames = [Image.new("RGB", (60, 60), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    red, _, blue = np.asarray(opened(encoded_thumbnail(of_bytes(data), side=30)))[15, 15]
    assert red > 200 > 60 > blue


@pytest.mark.parametrize(
    "data",
    [b"", b"hello", b"\xff\xd8\xff", b"\xff\xd8\xff\xe0" + bytes(50), b"\x89PNG\r\n\x1a\n"],
)
def test_what_is_no_picture_is_refused(data):
    with pytest.raises(UnreadableImageError):
        encoded_thumbnail(of_bytes(data), side=320)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_broken_bytes_give_a_picture_or_an_image_error(kind):
    whole = encoded(corners(640, 480), kind)
    random = np.random.default_rng(5)
    for _ in range(40):
        broken = bytearray(whole[: random.integers(len(whole) // 2, len(whole) + 1)])
        for at in random.integers(len(broken), size=4).tolist():
            broken[at] = int(random.integers(256))
        with suppress(ImageError):
            assert max(opened(encoded_thumbnail(of_bytes(bytes(broken)), side=64)).size) <= 64


@pytest.mark.parametrize("limits", [Limits(max_pixels=99), Limits(max_bytes=99)])
def test_limits_hold(limits):
    data = encoded(Image.new("RGB", (10, 10)), "PNG", pnginfo=_long_text())
    with pytest.raises(ImageTooLargeError):
        encoded_thumbnail(of_bytes(data), side=5, limits=limits)


@pytest.mark.parametrize("side", [0, -1, 16_384])
def test_a_side_that_no_webp_has_is_refused(side):
    with pytest.raises(InputError, match=r"1 to 16,383 pixels"):
        encoded_thumbnail(of_bytes(encoded(corners(8, 8))), side=side)


def test_a_preview_may_be_larger_than_its_picture(tmp_path: Path):
    path = tmp_path / "a.png"
    path.write_bytes(encoded(corners(40, 20), "PNG"))
    assert thumbnail(path, width=100, height=100).shape == (50, 100, 3)
    assert thumbnail(path, width=10, height=2).shape == (2, 4, 3)
    with pytest.raises(UnreadableImageError):
        thumbnail(tmp_path / "nothing.png", width=10, height=10)


def _long_text() -> PngInfo:
    text = PngInfo()
    text.add_text("Comment", "x" * 200)
    return text
