import io
import os
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from visionquery.errors import ImageTooLargeError, UnreadableImageError
from visionquery.images.colour import to_rgb
from visionquery.images.content import image_id, read
from visionquery.images.decode import decode
from visionquery.images.limits import Limits

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def saved(picture: Image.Image, form: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def corners(width: int = 128, height: int = 64) -> Image.Image:
    """Red, green / blue, white quarters: every turn of it is another picture."""
    picture = Image.new("RGB", (width, height))
    half = (width // 2, height // 2)
    for colour, at in zip((RED, GREEN, BLUE, WHITE), ((0, 0), (1, 0), (0, 1), (1, 1)), strict=True):
        picture.paste(colour, (at[0] * half[0], at[1] * half[1], *_far(at, half)))
    return picture


def _far(at: tuple[int, int], half: tuple[int, int]) -> tuple[int, int]:
    return (at[0] + 1) * half[0], (at[1] + 1) * half[1]


def photo(width: int, height: int, seed: int = 0) -> Image.Image:
    """A smooth random picture, so that JPEG keeps it and no two rows are alike."""
    noise = np.random.default_rng(seed).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


def close(found: np.ndarray, expected: Image.Image, tolerance: float) -> bool:
    wanted = np.asarray(expected.convert("RGB"), dtype=float)
    return found.shape == wanted.shape and np.abs(found - wanted).mean() <= tolerance


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
@pytest.mark.parametrize("mark", range(1, 9))
def test_orientation_is_applied_to_pixels_and_facts(mark: int, form: str) -> None:
    import pillow_heif

    pillow_heif.register_heif_opener()
    exif = Image.Exif()
    exif[0x0112] = mark
    stored = corners()
    upright = ImageOps.exif_transpose(_with_exif(stored, exif))
    decoded = decode(saved(stored, form, exif=exif.tobytes()))
    assert close(decoded.pixels, upright, 8.0)
    assert (decoded.facts.width, decoded.facts.height) == upright.size


def _with_exif(picture: Image.Image, exif: Image.Exif) -> Image.Image:
    return Image.open(io.BytesIO(saved(picture, "PNG", exif=exif.tobytes())))


def test_a_drafted_jpeg_is_turned_too() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    decoded = decode(saved(photo(1600, 800), "JPEG", exif=exif.tobytes()), min_side=200)
    assert (decoded.facts.width, decoded.facts.height) == (800, 1600)
    assert decoded.pixels.shape == (400, 200, 3)


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
@pytest.mark.parametrize("size", [(1000, 700), (701, 3001), (448, 448), (447, 2000), (899, 897)])
def test_no_side_falls_below_the_least_wanted(size: tuple[int, int], form: str) -> None:
    source = photo(*size)
    pixels = decode(saved(source, form), min_side=448).pixels
    assert min(pixels.shape[:2]) >= min(448, *size)
    assert min(pixels.shape[:2]) < 2 * 448
    assert abs(pixels.shape[1] / pixels.shape[0] * size[1] - size[0]) < size[0] / 100
    assert close(pixels, source.resize(pixels.shape[1::-1], Image.Resampling.BOX), 3.0)


def test_every_pixel_comes_when_no_side_is_named() -> None:
    source = photo(900, 500)
    assert np.array_equal(decode(saved(source)).pixels, np.asarray(source))


def test_cmyk_is_not_inverted() -> None:
    pixels = decode(saved(corners().convert("CMYK"), "JPEG", quality=95)).pixels
    assert close(pixels, corners(), 8.0)


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_not_clipped(form: str) -> None:
    deep = np.linspace(0, 65535, 256 * 4).astype(np.uint16).reshape(4, 256)
    pixels = decode(saved(Image.fromarray(deep), form)).pixels
    assert np.array_equal(pixels[:, :, 0], np.rint(deep / 257.0).astype(np.uint8))


def test_big_endian_sixteen_bits() -> None:
    deep = np.array([[0, 257 * 40], [257 * 200, 65535]], dtype=np.uint16)
    header = b"P5 2 2 65535\n"
    pixels = decode(header + deep.astype(">u2").tobytes()).pixels
    assert pixels[:, :, 1].tolist() == [[0, 40], [200, 255]]


def test_wide_integers_and_floats_are_scaled_to_their_range() -> None:
    values = np.array([[-5.0, 0.0, 5.0, np.nan]], dtype=np.float32)
    assert decode(saved(Image.fromarray(values), "TIFF")).pixels[0, :, 0].tolist() == [
        0,
        128,
        255,
        0,
    ]
    wide = np.array([[-100_000, 0, 100_000]], dtype=np.int32)
    assert decode(saved(Image.fromarray(wide), "TIFF")).pixels[0, :, 0].tolist() == [0, 128, 255]
    flat = np.full((2, 2), 7.0, dtype=np.float32)
    assert decode(saved(Image.fromarray(flat), "TIFF")).pixels.max() == 0


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_is_white_and_half_is_half(mode: str) -> None:
    picture = Image.new("RGBA", (3, 1), (0, 0, 0, 255))
    picture.putpixel((1, 0), (0, 0, 0, 0))
    picture.putpixel((2, 0), (0, 0, 0, 128))
    assert decode(saved(picture.convert(mode))).pixels[0, :, 0].tolist() == [0, 255, 127]


def test_palette_with_transparency_is_white_there() -> None:
    picture = Image.new("P", (2, 1), 0)
    picture.putpalette([200, 10, 10, 10, 200, 10])
    picture.putpixel((1, 0), 1)
    for data in (saved(picture, transparency=1), saved(picture, "GIF", transparency=1)):
        assert decode(data).pixels[0].tolist() == [[200, 10, 10], [255, 255, 255]]


def test_a_keyed_colour_is_transparent_at_any_size() -> None:
    picture = Image.new("RGB", (200, 200), GREEN)
    pixels = decode(saved(picture, transparency=GREEN), min_side=50).pixels
    assert (pixels == 255).all()


@pytest.mark.parametrize("mode", ["1", "L", "P", "LAB", "CMYK"])
def test_other_modes_become_rgb(mode: str) -> None:
    form = "TIFF" if mode in ("LAB", "CMYK") else "PNG"
    source = Image.linear_gradient("L").convert("RGB")
    picture = _lab(source) if mode == "LAB" else source.convert(mode)
    expected = picture if mode in ("1", "P") else source  # these two lose something themselves
    assert close(decode(saved(picture, form)).pixels, expected, 3.0)


@pytest.mark.parametrize("mode", ["YCbCr", "HSV", "RGBX", "RGBa"])
def test_rarer_modes_become_rgb(mode: str) -> None:
    source = Image.linear_gradient("L")
    full = source.convert("RGBA" if mode == "RGBa" else "RGB")
    assert close(np.asarray(to_rgb(full.convert(mode))), source, 3.0)


def _lab(picture: Image.Image) -> Image.Image:
    from PIL import ImageCms

    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    converted = ImageCms.applyTransform(picture, ImageCms.buildTransform(*profiles, "RGB", "LAB"))
    assert converted is not None
    return converted


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_the_first_frame_stands_for_an_animation(form: str) -> None:
    frames = [Image.new("RGB", (32, 32), colour) for colour in (RED, GREEN, BLUE)]
    data = saved(frames[0], form, save_all=True, append_images=frames[1:])
    assert np.abs(decode(data).pixels - np.array(RED)).max() <= 8


@pytest.mark.parametrize("form", ["AVIF", "HEIF", "WEBP", "JPEG2000", "BMP", "TGA", "ICO", "PPM"])
def test_formats_are_read_back(form: str) -> None:
    decode(saved(Image.new("L", (1, 1))))  # what the program registers, the test can write
    source = photo(64, 64)
    decoded = decode(saved(source, form))
    assert decoded.facts.format == form
    assert close(decoded.pixels, source, 12.0)


def test_postscript_is_never_run() -> None:
    with pytest.raises(UnreadableImageError, match="no known picture format"):
        decode(saved(corners(), "EPS"))


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("min_side", [None, 100])
def test_a_jpeg_that_lacks_its_end_is_taken(progressive: bool, min_side: int | None) -> None:
    source = photo(640, 480)
    data = saved(source, "JPEG", quality=95, progressive=progressive)
    decoded = decode(data[: len(data) * 7 // 10], min_side=min_side)
    pixels = decoded.pixels
    upper = pixels[: len(pixels) // 2]
    wanted = source.resize(pixels.shape[1::-1]).crop((0, 0, pixels.shape[1], len(upper)))
    assert close(upper, wanted, 6.0)
    assert (decoded.facts.width, decoded.facts.height) == (640, 480)


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "GIF"])
def test_other_cut_off_files_show_what_they_have(form: str) -> None:
    source = photo(320, 240).convert("P" if form == "GIF" else "RGB")
    data = saved(source, form)
    assert decode(data[: len(data) * 8 // 10]).pixels.shape == (240, 320, 3)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "BMP"])
def test_a_file_cut_off_at_its_start_is_refused(form: str) -> None:
    data = saved(photo(640, 480), form)
    with pytest.raises(UnreadableImageError, match="not a picture that can be read"):
        decode(data[: len(data) // 10])


@pytest.mark.parametrize("data", [b"", b"<html></html>", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_says_so(data: bytes) -> None:
    with pytest.raises(UnreadableImageError, match="not a picture that can be read: "):
        decode(data)


def test_limits_are_checked_before_decoding() -> None:
    data = saved(photo(100, 100))
    with pytest.raises(ImageTooLargeError, match="100 × 100 pixels"):
        decode(data, limits=Limits(max_pixels=9_999))
    with pytest.raises(ImageTooLargeError, match="MiB"):
        decode(data, limits=Limits(max_bytes=10))
    assert decode(data, limits=Limits(max_pixels=10_000)).facts.width == 100


def test_pillows_own_pixel_limit_neither_refuses_nor_warns(monkeypatch: pytest.MonkeyPatch) -> None:
    data = saved(photo(100, 100))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert decode(data).facts.width == 100


def test_warning_filters_are_left_as_they_were() -> None:
    before = list(warnings.filters)
    data = saved(photo(400, 300), "JPEG")
    threads = [threading.Thread(target=decode, args=(data,)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(warnings.filters) == before


def test_read_says_why_not(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImageError, match="not there any more"):
        read(tmp_path / "gone.jpg")
    with pytest.raises(UnreadableImageError, match="a folder, not a file"):
        read(tmp_path)
    large = tmp_path / "large.jpg"
    large.write_bytes(b"12345")
    with pytest.raises(ImageTooLargeError):
        read(large, limits=Limits(max_bytes=4))
    assert read(large, limits=Limits(max_bytes=5)) == b"12345"


def test_identity_is_content() -> None:
    assert image_id(b"") == "cae66941d9efbd404e4d88758ea67670"
    assert image_id(b"a") != image_id(b"b")


def test_what_decoding_takes_is_told_before_it() -> None:
    pixels = np.zeros((600, 800, 3), np.uint8)
    told: dict[str, list[int]] = {"PNG": [], "JPEG": []}
    for form, sizes in told.items():
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, form)
        decode(stream.getvalue(), min_side=100, before_pixels=sizes.append)
    assert told["PNG"] == [800 * 600 * 8]
    assert told["JPEG"] == [200 * 150 * 8], "of a JPEG only the draft is decoded"


def test_words_that_are_broken_cost_no_picture() -> None:
    stream = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(stream, "JPEG")
    data = stream.getvalue()
    words = bytes.fromhex("50686f746f73686f7020332e30003842494d0404")
    segment = b"\xff\xed" + (len(words) + 2).to_bytes(2, "big") + words
    decoded = decode(data[:2] + segment + data[2:])
    assert (decoded.facts.width, decoded.pixels[0, 0, 0] > 200) == (40, True)


@pytest.mark.skipif(os.name == "nt", reason="there are no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jpg")
    with pytest.raises(UnreadableImageError, match="not a regular file"):
        read(tmp_path / "a.jpg")
