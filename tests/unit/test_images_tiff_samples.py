import io
import struct
from contextlib import suppress

import numpy as np
import pytest

from visionquery.errors import ImageTooLargeError, UnreadableImageError
from visionquery.images.decode import decode
from visionquery.images.limits import Limits

tifffile = pytest.importorskip("tifffile")

HEIGHT, WIDTH = 48, 64
RAMP = np.linspace(0, 1, HEIGHT * WIDTH * 3).reshape(HEIGHT, WIDTH, 3)
SCALES = {"uint8": 255, "uint16": 65535, "uint32": 2**32 - 1, "float16": 1, "float32": 1,
          "float64": 1}


def tiff(samples: np.ndarray, photometric: str = "rgb", **options: object) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, samples, photometric=photometric, metadata=None, **options)
    return stream.getvalue()


def difference(data: bytes, wanted: np.ndarray = RAMP) -> float:
    return float(np.abs(decode(data).pixels - wanted * 255.0).mean())


@pytest.mark.parametrize("kind", SCALES)
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "deflate"])
@pytest.mark.parametrize("big", [False, True])
def test_every_kind_of_number(kind: str, order: str, compression: str | None, big: bool) -> None:
    samples = (RAMP * SCALES[kind]).astype(kind)
    options = {"byteorder": order, "compression": compression, "bigtiff": big}
    assert difference(tiff(samples, **options)) < 1
    apart = samples.transpose(2, 0, 1).copy()
    assert difference(tiff(apart, planarconfig="separate", **options)) < 1
    gray = samples[:, :, 0].copy()
    assert difference(tiff(gray, "minisblack", **options), RAMP[:, :, :1]) < 1
    assert difference(tiff(samples, tile=(16, 32), **options)) < 1
    if kind.startswith("uint"):
        inverted = SCALES[kind] - gray
        assert difference(tiff(inverted, "miniswhite", **options), RAMP[:, :, :1]) < 1


def test_differences_between_integers_are_added_up() -> None:
    samples = (RAMP * (2**32 - 1)).astype("uint32")
    assert difference(tiff(samples, compression="deflate", predictor=2)) < 1


def test_what_is_no_number_is_black_and_a_sun_does_not_darken_all() -> None:
    samples = RAMP.astype("float32")
    samples[0, :10], samples[1, 0], samples[2, 0] = np.nan, np.inf, 1e6
    decoded = decode(tiff(samples))
    assert (decoded.pixels[0, :10] == 0).all()
    assert (decoded.pixels[1, 0] == 255).all()
    assert np.abs(decoded.pixels[5:] - RAMP[5:] * 255).mean() < 1
    assert decode(tiff(np.full((4, 4, 3), np.nan, "float32"))).pixels.max() == 0


def twelve_bits(width: int, height: int) -> tuple[bytes, np.ndarray]:
    values = np.linspace(0, 4095, width * height).astype(int).reshape(height, width)
    bits = (values[:, :, None] >> np.arange(11, -1, -1)) & 1
    packed = np.packbits(bits.reshape(height, -1).astype(np.uint8), axis=1).tobytes()
    entries = [(256, width), (257, height), (258, 12), (259, 1), (262, 1), (273, 8), (277, 1),
               (278, height), (279, len(packed))]
    tags = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    head = b"II*\0" + struct.pack("<I", 8 + len(packed)) + packed
    return head + struct.pack("<H", len(entries)) + tags + bytes(4), values


@pytest.mark.parametrize("size", [(64, 48), (33, 5), (1, 1)])
def test_twelve_bits(size: tuple[int, int]) -> None:
    data, values = twelve_bits(*size)
    assert np.abs(decode(data).pixels[:, :, 0] - values / 4095 * 255).max() <= 0.51


def test_orientation_and_camera_stay() -> None:
    tags = [(274, "H", 1, 6, True), (271, "s", 6, "Canon", True)]
    decoded = decode(tiff(RAMP.astype("float32"), extratags=tags))
    assert (decoded.facts.width, decoded.facts.height) == (HEIGHT, WIDTH)
    assert np.abs(decoded.pixels - np.rot90(RAMP, -1) * 255).mean() < 1
    assert (decoded.facts.camera, decoded.facts.format) == ("Canon", "TIFF")


def test_a_later_page() -> None:
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        for samples in (RAMP.astype("float32"), 1 - RAMP.astype("float32")):
            writer.write(samples, photometric="rgb", metadata=None)
    second = decode(stream.getvalue(), page=2).pixels
    assert np.abs(second - (1 - RAMP) * 255).mean() < 1


def test_limits_and_missing_ends() -> None:
    data = tiff(RAMP.astype("float32"), rowsperstrip=8)
    with pytest.raises(ImageTooLargeError, match="64 × 48 pixels"):
        decode(data, limits=Limits(max_pixels=HEIGHT * WIDTH - 1))
    small = decode(data, min_side=16).pixels
    assert small.shape == (24, 32, 3)
    assert decode(data[: len(data) * 3 // 4]).pixels.shape == (HEIGHT, WIDTH, 3)
    with pytest.raises(UnreadableImageError, match="cut off"):
        decode(data[: len(data) // 20])


@pytest.mark.parametrize("seed", range(3))
def test_damage_ends_well(seed: int) -> None:
    data = tiff(RAMP.astype("float64")[:8, :8], compression="deflate")
    random = np.random.default_rng(seed)
    for _ in range(40):
        broken = bytearray(data)
        for place in random.integers(0, len(data), 4):
            broken[place] = random.integers(256)
        with suppress(UnreadableImageError, ImageTooLargeError):  # and nothing else
            decode(bytes(broken), limits=Limits(max_pixels=10_000))
