import io
import struct
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from visionquery.errors import ImageTooLargeError, UnreadableImageError
from visionquery.images.decode import decode
from visionquery.images.limits import Limits
from visionquery.images.pages import page_number, tiff_pages

tifffile = pytest.importorskip("tifffile")

COLOURS = [(200, 30, 30), (30, 160, 40), (30, 50, 200)]


def colour(number: int, size: tuple[int, int] = (16, 8)) -> np.ndarray:
    return np.full((size[1], size[0], 3), COLOURS[number % 3], np.uint8)


def stack(pictures: Sequence[np.ndarray], *, big: bool = False, order: str = "<",
          kinds: Sequence[int] = (), **options: object) -> bytes:
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream, bigtiff=big, byteorder=order) as writer:
        for number, picture in enumerate(pictures):
            kind = kinds[number] if kinds else 0
            shown = picture[:, :, 0] > 0 if kind & 4 else picture  # a mask has one bit a pixel
            form = "minisblack" if kind & 4 else "rgb"
            writer.write(shown, photometric=form, subfiletype=kind, metadata=None, **options)
    return stream.getvalue()


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_page_is_found_and_decoded(big: bool, order: str) -> None:
    data = stack([colour(n, (16 + n, 8)) for n in range(3)], big=big, order=order)
    assert tiff_pages(data) == ["page=1", "page=2", "page=3"]
    for number in (1, 2, 3):
        decoded = decode(data, page=number)
        assert (decoded.pixels == COLOURS[number - 1]).all()
        assert (decoded.facts.width, decoded.facts.height) == (15 + number, 8)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "jpeg", "zstd"])
def test_pages_of_any_compression(compression: str) -> None:
    stream = io.BytesIO()
    first, *others = (Image.fromarray(colour(number, (32, 32))) for number in range(3))
    first.save(stream, "TIFF", save_all=True, append_images=others, compression=compression)
    assert tiff_pages(stream.getvalue()) == ["page=1", "page=2", "page=3"]
    for number in (1, 2, 3):
        pixels = decode(stream.getvalue(), page=number).pixels.astype(int)
        assert np.abs(pixels - COLOURS[number - 1]).max() <= 4


@pytest.mark.parametrize(
    ("kinds", "pages"),
    [
        ((0, 0), ["page=1", "page=2"]),
        ((2, 2, 2), ["page=1", "page=2", "page=3"]),
        ((0, 1, 4), []),
        ((0, 1, 0, 5), ["page=1", "page=3"]),
        ((1, 0), ["page=2"]),
        ((1, 1), []),
        ((0,), []),
    ],
)
def test_copies_and_masks_are_no_pages(kinds: tuple[int, ...], pages: list[str]) -> None:
    data = stack([colour(number) for number in range(len(kinds))], kinds=kinds)
    assert tiff_pages(data) == pages


def test_levels_of_a_pyramid_are_no_pages_even_if_unmarked() -> None:
    levels = [colour(0, (256 >> level, 128 >> level)) for level in range(3)]
    assert tiff_pages(stack(levels, tile=(16, 16))) == []
    assert tiff_pages(stack(levels)) == ["page=1", "page=2", "page=3"], "pages of paper"
    alike = [colour(0, (256, 128)), colour(1, (128, 128)), colour(2, (256, 128))]
    assert len(tiff_pages(stack(alike, tile=(16, 16)))) == 3


def test_pages_have_their_own_orientation() -> None:
    page = colour(0)
    page[:, 8:] = COLOURS[1]
    turned = [(274, "H", 1, 6, True)]
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        writer.write(page, photometric="rgb", metadata=None)
        writer.write(page, photometric="rgb", metadata=None, extratags=turned)
    data = stream.getvalue()
    assert decode(data).pixels.shape == (8, 16, 3)
    second = decode(data, page=2)
    assert (second.facts.width, second.facts.height) == (8, 16)
    assert np.array_equal(second.pixels, np.rot90(page, -1))


def test_limits_are_those_of_the_page() -> None:
    data = stack([colour(0), colour(1, (160, 80))])
    assert decode(data, limits=Limits(max_pixels=128)).facts.width == 16
    with pytest.raises(ImageTooLargeError, match="160 × 80 pixels"):
        decode(data, page=2, limits=Limits(max_pixels=128))
    with pytest.raises(ImageTooLargeError, match="MiB"):
        tiff_pages(data, Limits(max_bytes=10))


def test_pages_that_are_not_there() -> None:
    stream = io.BytesIO()
    Image.fromarray(colour(0)).save(stream, "PNG")
    for data, page in ((stack([colour(0)]), 2), (stack([colour(0)]), 0), (stream.getvalue(), 2)):
        with pytest.raises(UnreadableImageError, match=f"no page {page}"):
            decode(data, page=page)


def chain(offsets: Sequence[int]) -> bytes:
    """Directories of one tag at 8, 26, 44, …, each followed by the one of the given number."""
    parts = [b"II*\0" + struct.pack("<I", 8)]
    for following in offsets:
        entry = struct.pack("<HHII", 256, 4, 1, 1) + struct.pack("<HHII", 257, 4, 1, 1)
        place = 8 + 30 * following if following >= 0 else 0
        parts.append(struct.pack("<H", 2) + entry + struct.pack("<I", place))
    return b"".join(parts)


def test_endless_chains_end() -> None:
    assert tiff_pages(chain([0])) == []
    assert tiff_pages(chain([1, 2, 0])) == ["page=1", "page=2", "page=3"]
    assert tiff_pages(chain([1, 99])) == ["page=1", "page=2"]
    assert len(tiff_pages(chain([*range(1, 3000), -1]))) == 500


@pytest.mark.parametrize("data", [b"", b"II*\0", b"II*\0\xff\xff\xff\xff" + b"\xff" * 99, b"MM\0+",
                                  b"II*\0\x08\0\0\0\xff\xff" + b"\xff" * 99, b"\x89PNG" * 9])
def test_what_has_no_pages(data: bytes) -> None:
    assert tiff_pages(data) == []


@pytest.mark.parametrize("seed", range(4))
def test_damage_ends_well(seed: int) -> None:
    data = bytearray(stack([colour(number) for number in range(3)]))
    random = np.random.default_rng(seed)
    for _ in range(100):
        broken = bytearray(data)
        for place in random.integers(0, len(data), 3):
            broken[place] = random.integers(256)
        assert len(tiff_pages(bytes(broken))) <= 500


def test_fragments_of_pages() -> None:
    assert page_number("page=12") == 12
    for fragment in ("page=0", "page=-1", "page=", "t=3", "page=1.5", "page=²"):
        with pytest.raises(UnreadableImageError, match="write page=2"):
            page_number(fragment)
