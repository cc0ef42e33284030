"""Kinds of files beyond the plain ones: deep, inked, layered, turned by their container."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from visionquery.images.decode import decode


def photo(seed: int = 0) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (5, 9, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((128, 64), Image.Resampling.BICUBIC)


def saved(picture: Image.Image, form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, form, **options)
    return stream.getvalue()


def difference(data: bytes, wanted: Image.Image, min_side: int | None = None) -> float:
    pixels = decode(data, min_side=min_side).pixels
    expected = wanted.convert("RGB").resize(pixels.shape[1::-1], Image.Resampling.BOX)
    return float(np.abs(pixels - np.asarray(expected, dtype=float)).mean())


def deep_png(samples: np.ndarray) -> bytes:
    """A PNG of 16 bits, (height, width) or (height, width, 3), which Pillow cannot write."""
    height, width = samples.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    head = struct.pack(">IIBBBBB", width, height, 16, 2 if samples.ndim == 3 else 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


@pytest.mark.parametrize("min_side", [None, 30])
def test_inked_progressive_and_layered_jpegs(min_side: int | None) -> None:
    inked = saved(photo().convert("CMYK"), "JPEG", quality=95)
    assert b"Adobe" in inked, "the mark of inverted inks"
    assert difference(inked, photo(), min_side) < 2
    assert difference(saved(photo(), "JPEG", quality=95, progressive=True), photo(), min_side) < 4
    layered = saved(photo(), "MPO", save_all=True, append_images=[photo(1)], quality=95)
    assert difference(layered, photo(), min_side) < 4
    assert decode(layered).facts.format == "JPEG"


def test_deep_pngs() -> None:
    deep = np.asarray(photo()).astype(np.uint16) * 257
    assert difference(deep_png(deep), photo()) == 0
    assert difference(deep_png(deep[:, :, 1]), photo().getchannel("G")) == 0


def test_a_palette_with_a_transparency_for_each_colour() -> None:
    pixels = decode(saved(photo().quantize(16), "PNG", transparency=bytes([0] * 16))).pixels
    assert (pixels == 255).all()
    opaque = saved(photo().quantize(16), "PNG", transparency=bytes([255] * 16))
    assert difference(opaque, photo().quantize(16)) == 0


@pytest.mark.parametrize("min_side", [None, 20])
def test_jpeg_2000(min_side: int | None) -> None:
    assert difference(saved(photo(), "JPEG2000"), photo(), min_side) < 1
    deep = Image.fromarray(np.asarray(photo())[:, :, 1].astype(np.uint16) * 257)
    assert difference(saved(deep, "JPEG2000"), photo().getchannel("G")) == 0


def test_ten_bits_of_heif() -> None:
    import pillow_heif

    stream = io.BytesIO()
    deep = np.asarray(photo()).astype(np.uint16) * 257
    pillow_heif.encode("RGB;16", (128, 64), deep.tobytes(), stream, quality=95)
    assert difference(stream.getvalue(), photo()) < 6


@pytest.mark.parametrize("form", ["HEIF", "AVIF"])
def test_a_turn_in_the_container_and_in_exif_is_one_turn(form: str) -> None:
    decode(saved(photo(), "PNG"))  # what the program registers, the test can write
    exif = Image.Exif()
    exif[0x0112] = 6
    data = saved(photo(), form, quality=95, exif=exif.tobytes())
    assert b"irot" in data
    assert difference(data, photo().transpose(Image.Transpose.ROTATE_270)) < 6
