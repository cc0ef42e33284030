"""Patterns mean the same to SQLite and to Python; boxes hold every place of their circle."""

import sqlite3

import numpy as np
import pytest

from visionquery.query.ast import Near
from visionquery.store.earth import box_around, kilometres
from visionquery.store.folding import Pattern, folded, folded_place, with_single_spaces

ALPHABET = list("ab*?[]^-./é\udce9\N{SNOWMAN}")


@pytest.mark.parametrize("kind", ["part", "whole", "glob", "extension"])
def test_a_pattern_means_the_same_to_sqlite(kind: str) -> None:
    random = np.random.default_rng(3)
    connection = sqlite3.connect(":memory:")
    hits = 0
    for _ in range(4000):
        text = folded("".join(random.choice(ALPHABET, size=random.integers(0, 7))))
        made = folded("".join(random.choice(ALPHABET, size=random.integers(1, 4))))
        if kind == "extension":
            made = "." + made.replace(".", "").replace("/", "")
        if kind in ("extension", "whole") and random.random() < 0.5:
            text = text[:3] + made if kind == "extension" else made
        pattern = Pattern(kind, made)  # type: ignore[arg-type]
        condition, value = pattern.sql("folded")
        question = f"SELECT {condition} FROM (SELECT ? AS folded)"
        ((answer,),) = connection.execute(question, (value, text))
        assert bool(answer) == pattern.fits(text), (text, made)
        hits += pattern.fits(text)
    assert 40 < hits < 3900
    connection.close()


def test_folded_texts_are_alike_whatever_the_case_and_form() -> None:
    assert folded("CAFÉ") == folded("cafe\N{COMBINING ACUTE ACCENT}") == "café"
    assert folded("STRASSE") == folded("straße")
    assert folded("a\udce9\0") == "a\U0010dce9 "
    assert folded_place("/A/") + folded_place("\u0301b") == folded_place("/A/\u0301b")
    assert with_single_spaces(" a\r\n\t b ") == "a b"


def test_distances_are_great_circles() -> None:
    paris = Near(48.8566, 2.3522, 0)
    (london, antipode, itself) = kilometres(
        paris, np.array([51.5074, -48.8566, 48.8566]), np.array([-0.1278, -177.6478, 2.3522])
    )
    assert london == pytest.approx(343.6, abs=0.1)
    assert antipode == pytest.approx(np.pi * 6371.0088)
    assert itself == 0


def test_boxes_hold_their_circles() -> None:
    random = np.random.default_rng(1)
    latitudes = np.degrees(np.arcsin(random.uniform(-1, 1, 20_000)))
    longitudes = random.uniform(-180, 180, 20_000)
    longitudes[:2] = -180, 180
    for _ in range(300):
        circle = Near(
            random.uniform(-90, 90), random.uniform(-360, 360), 20_100 * random.random() ** 3
        )
        box = box_around(circle)
        inside = (latitudes >= box.south) & (latitudes <= box.north)
        beside = [(longitudes >= west) & (longitudes <= east) for west, east in box.stretches]
        near = kilometres(circle, latitudes, longitudes) <= circle.km
        assert not (near & ~(inside & (beside[0] | beside[1]))).any(), circle
