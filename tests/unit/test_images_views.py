"""Which parts of a picture are looked at, and their pixels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visionquery.images.views import PARTS, cut, views
from visionquery.query.ast import Box
from visionquery.types import Decoded, Facts


def picture(pixels: np.ndarray) -> Decoded:
    height, width = pixels.shape[:2]
    return Decoded(pixels, Facts(width, height, "JPEG", 1))


def meadow(width: int, height: int) -> np.ndarray:
    grass = np.random.default_rng(0).integers(90, 110, (height, width, 3), dtype=np.uint8)
    grass[..., 1] += 60
    return grass


@settings(deadline=None, max_examples=60)
@given(
    width=st.integers(1, 900),
    height=st.integers(1, 900),
    seed=st.integers(0, 5),
    side=st.sampled_from([32, 128, 224, 384]),
)
def test_parts_lie_inside_and_are_few(width: int, height: int, seed: int, side: int) -> None:
    noise = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    found = views(picture(noise), side=side)
    assert 1 <= len(found) <= PARTS
    for box in found:
        assert box.left >= 0
        assert box.top >= 0
        assert box.width > 0
        assert box.height > 0
        assert box.left + box.width <= 100 + 1e-6
        assert box.top + box.height <= 100 + 1e-6
    assert len(set(found)) == len(found)


def test_what_stands_out_is_looked_at_first() -> None:
    pixels = meadow(800, 600)
    checks = np.random.default_rng(1).integers(0, 255, (9, 9, 3), dtype=np.uint8)
    pixels[330:450, 560:680] = np.kron(checks, np.ones((14, 14, 1), np.uint8))[:120, :120]
    first = views(picture(pixels), side=128)[0]
    middle = first.left + first.width / 2, first.top + first.height / 2
    assert middle == (pytest.approx(100 * 620 / 800, abs=4), pytest.approx(100 * 390 / 600, abs=4))
    assert first.width * first.height / 100 < 12


def test_a_plain_picture_has_a_part_too() -> None:
    assert views(picture(np.full((300, 400, 3), 128, np.uint8)), side=128)


@pytest.mark.parametrize(("width", "height"), [(1600, 800), (800, 1600), (3000, 100)])
def test_both_ends_of_a_long_picture_are_looked_at(width: int, height: int) -> None:
    share = 100 * min(width, height) / max(width, height)
    ends = views(picture(meadow(width, height)), side=128)[:2]
    if width > height:
        assert ends == [Box(0, 0, share, 100), Box(100 - share, 0, share, 100)]
    else:
        assert ends == [Box(0, 0, 100, share), Box(0, 100 - share, 100, share)]


def test_no_part_is_too_small_for_the_encoder() -> None:
    found = views(picture(meadow(400, 300)), side=224)
    assert min(box.width * 4 for box in found) >= 110


def test_a_part_is_cut_where_it_lies() -> None:
    pixels = np.arange(100 * 50 * 3, dtype=np.uint32).astype(np.uint8).reshape(50, 100, 3)
    part = cut(picture(pixels), Box(10, 20, 30, 40))
    np.testing.assert_array_equal(part.pixels, pixels[10:30, 10:40])
    assert (part.facts.width, part.facts.height) == (30, 20)
    assert cut(picture(pixels), Box(99.9, 99.9, 0.1, 0.1)).pixels.shape == (1, 1, 3)
