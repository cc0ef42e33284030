"""Every broken, lying and fuzzed picture is decoded or refused: nothing else comes out."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from visionquery.errors import ImageError, ImageTooLargeError
from visionquery.images.content import read
from visionquery.images.decode import decode
from visionquery.images.limits import Limits

HOSTILE = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "hostile"

pytestmark = pytest.mark.skipif(
    not (HOSTILE / "manifest.jsonl").is_file(), reason="../shared/data/hostile is not here"
)

MOST_SECONDS = 5.0  # of processor time for one file; the slowest needs about a half


def manifest() -> list[dict[str, Any]]:
    lines = (HOSTILE / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def outcome(entry: dict[str, Any], min_side: int | None) -> str:
    """Return what is wrong with how a file was taken, "" when nothing is."""
    try:
        decoded = decode(read(HOSTILE / entry["file"]), min_side=min_side)
    except ImageError as error:
        return f"refused: {error}" if entry["status"] == "ok" else ""
    if decoded.pixels.dtype != "uint8" or decoded.pixels.shape[2:] != (3,):
        return f"pixels of shape {decoded.pixels.shape}"
    if "size" in entry:
        seen = sorted((decoded.facts.width, decoded.facts.height))
        if seen != sorted(entry["size"]):
            return f"size {seen}"
        if decoded.facts.format != entry["format"]:
            return f"format {decoded.facts.format}"
    return ""


@pytest.mark.parametrize("min_side", [448, pytest.param(None, marks=pytest.mark.slow)])
def test_every_file_is_decoded_or_refused(min_side: int | None) -> None:
    wrong = []
    for entry in manifest():
        started = time.process_time()
        problem = outcome(entry, min_side)
        if time.process_time() - started > MOST_SECONDS:
            problem = "too slow"
        if problem:
            wrong.append((entry["file"], problem))
    assert wrong == []


def test_bombs_are_refused_by_their_header() -> None:
    with pytest.raises(ImageTooLargeError, match="30000 × 30000"):
        decode(read(HOSTILE / "made" / "bomb_30000x30000_1bit.png"))


def test_a_lower_limit_on_pixels_holds_for_every_file() -> None:
    limits = Limits(max_pixels=10_000)
    for entry in manifest():
        try:
            decoded = decode(read(HOSTILE / entry["file"]), limits=limits)
        except ImageError:
            continue
        assert decoded.facts.width * decoded.facts.height <= limits.max_pixels, entry["file"]


def test_a_photo_cut_off_in_the_middle_is_taken_and_one_cut_off_at_once_is_not() -> None:
    assert decode(read(HOSTILE / "made" / "trunc_50pct.jpg")).pixels.std() > 10
    with pytest.raises(ImageError, match="cut off"):
        decode(read(HOSTILE / "made" / "trunc_10pct.jpg"))
