"""A heatmap over a picture: recognisable, in its shape, lighter where there is more."""

import io

import numpy as np
import pytest
from PIL import Image

from visionquery.images.overlay import FORMATS, layer, overlay
from visionquery.query.ast import Box

GREY = np.full((60, 90, 3), 128, np.uint8)
RAMP = np.tile(np.linspace(0, 1, 90, dtype=np.float32), (6, 1))


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("kind", sorted(set(FORMATS.values())))
def test_it_is_a_picture_of_the_same_size(kind: str) -> None:
    shown = opened(overlay(GREY, RAMP, None, kind))
    assert (shown.format, shown.size, shown.mode) == (kind, (90, 60), "RGB")
    assert not shown.getexif()


def test_the_more_evidence_the_lighter() -> None:
    shown = np.asarray(opened(overlay(GREY, RAMP, None, "PNG")).convert("L"), np.int16)
    columns = shown.mean(axis=0)[2:-2]
    assert (np.diff(columns) > -0.5).all()
    assert columns[-1] - columns[0] > 60


def test_steps_of_evidence_are_even_steps_of_lightness() -> None:
    lightness = opened(overlay(GREY, RAMP, None, "PNG")).convert("LAB").getchannel(0)
    at = np.asarray(lightness, np.float64).mean(axis=0)[[5, 25, 45, 65, 84]]
    steps = np.diff(at)
    assert steps.min() > 0.4 * steps.max()


def test_the_picture_stays_recognisable() -> None:
    stripes = GREY.copy()
    stripes[:, ::6] = 250
    for value in (0.0, 0.5, 1.0):
        flat = np.full((6, 9), value, np.float32)
        shown = np.asarray(opened(overlay(stripes, flat, None, "PNG")).convert("L"), np.int16)
        assert shown[30, 6] - shown[30, 9] > 40


def test_the_box_is_outlined() -> None:
    flat = np.zeros((6, 9), np.float32)
    pixels = np.full((600, 900, 3), 128, np.uint8)
    plain = np.asarray(opened(overlay(pixels, flat, None, "PNG")), np.int16)
    boxed = np.asarray(opened(overlay(pixels, flat, Box(20, 20, 40, 50), "PNG")), np.int16)
    rows, columns = np.nonzero(np.abs(boxed - plain).max(axis=2) > 40)
    assert abs(np.array([columns.min(), rows.min()]) - (180, 120)).max() <= 3
    assert abs(np.array([columns.max(), rows.max()]) - (539, 419)).max() <= 3
    assert (boxed == 255).all(axis=2).any()
    inside = (slice(200, 350), slice(250, 450))
    assert (boxed[inside] == plain[inside]).all()


def test_a_layer_lets_the_picture_through() -> None:
    alone = opened(layer(RAMP, (320, 200), Box(10, 10, 20, 20)))
    assert (alone.format, alone.size, alone.mode) == ("WEBP", (320, 200), "RGBA")
    opacity = np.asarray(alone.getchannel("A"))
    assert 80 < opacity[150].min() <= opacity[150].max() < 160


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1)])
def test_no_shape_is_too_odd(shape: tuple[int, int]) -> None:
    pixels = np.zeros((*shape, 3), np.uint8)
    shown = opened(overlay(pixels, RAMP, Box(0, 0, 100, 100), "PNG"))
    assert shown.size == shape[::-1]
