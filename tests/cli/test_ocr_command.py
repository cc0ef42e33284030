"""`index --ocr` and what it gives a search: real text in real pictures, read on this machine."""

import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

needs_reader = pytest.mark.skipif(
    find_spec("rapidocr") is None, reason="the extra ocr is not installed"
)
TEXTS = {
    "receipt.png": ["Hotel Adlon", "Total due 248.00"],
    "board.jpg": ["Departures", "Lisbon 10:45 gate B7"],
    "empty.png": [],
}


def write(path: Path, lines: list[str], colour: str = "white") -> None:
    picture = Image.new("RGB", (640, 320), colour)
    font = ImageFont.load_default(size=36)
    for number, line in enumerate(lines):
        ImageDraw.Draw(picture).text((40, 40 + 72 * number), line, fill="black", font=font)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    """A folder of pictures, two of them with text."""
    folder = tmp_path / "papers"
    for name, lines in TEXTS.items():
        write(folder / name, lines)
    return folder


@needs_reader
def test_text_is_found_once_it_is_read(vq, refused, papers):
    assert vq("index", papers, "-q").code == 0
    assert "visionquery index --ocr" in refused("search", 'text:"total due"')

    ran = vq("index", papers, "--ocr", "--json")
    texts = ran.document["texts"]
    counted = {name: texts[name] for name in ("read", "with_text", "left", "images", "skipped")}
    assert counted == {"read": 3, "with_text": 2, "left": 0, "images": 3, "skipped": []}
    assert texts["seconds"] > 0
    assert texts["images_per_second"] > 0

    assert vq("search", 'text:"total due"', "--json").names == ["receipt.png"]
    assert vq("search", "text:Lisbon", "--json").names == ["board.jpg"]
    assert vq("search", "text:zebra").code == 1
    assert set(vq("search", "--json", "--", "-text:lisbon").names) == {"receipt.png", "empty.png"}


@needs_reader
def test_text_counts_beside_what_a_picture_shows(vq, papers):
    vq("index", papers, "-q")
    before = vq("search", "lisbon gate", "--all", "--explain", "--json").document["results"]
    assert all(hit["parts"][0]["words"] == [] for hit in before)
    vq("index", papers, "--ocr", "-q")
    first, *others = vq("search", "lisbon gate", "--all", "--explain", "--json").document["results"]
    assert Path(first["path"]).name == "board.jpg"
    assert set(first["parts"][0]["words"]) == {"lisbon", "gate"}
    was = next(hit for hit in before if hit["path"] == first["path"])
    assert first["confidence"] > was["confidence"]
    assert first["confidence"] > max(hit["confidence"] for hit in others)


@needs_reader
def test_a_person_is_told_what_was_read(vq, papers):
    said = vq("index", papers, "--ocr").err
    assert "Read the text in 3 pictures in " in said
    assert "found some in 2." in said
    again = vq("index", papers, "--ocr")
    assert (again.code, again.out) == (0, "")
    assert "No text to read: that of all pictures here was read before." in again.err


@needs_reader
def test_only_what_is_new_is_read(vq, papers):
    vq("index", papers, "--ocr", "-q")
    write(papers / "new.png", ["Boarding pass"])
    (papers / "board.jpg").rename(papers / "renamed.jpg")
    texts = vq("index", papers, "--ocr", "--json").document["texts"]
    assert (texts["read"], texts["images"]) == (1, 4)
    assert vq("search", "text:lisbon", "--json").names == ["renamed.jpg"]


@needs_reader
def test_a_folder_is_read_alone(vq, papers, tmp_path):
    write(tmp_path / "other" / "note.png", ["Shopping list"])
    vq("index", papers, tmp_path / "other", "-q")
    texts = vq("index", tmp_path / "other", "--ocr", "--json").document["texts"]
    assert (texts["read"], texts["images"]) == (1, 1)
    assert vq("search", "text:lisbon").code == 1


@needs_reader
@pytest.mark.skipif(os.name == "nt", reason="needs signals")
def test_an_interrupted_run_goes_on_where_it_was(vq, tmp_path):
    many = tmp_path / "many"
    for number in range(18):
        write(many / f"{number:02}.png", [f"Page number {number:02}", "of a long report"])
    vq("index", many, "-q")
    process = subprocess.Popen(
        [sys.executable, "-m", "visionquery", "index", str(many), "--ocr", "-q"]
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if vq("search", "text:page", "-q").code == 0:  # until then an error: nothing was read
            process.send_signal(signal.SIGTERM)
            break
        time.sleep(0.02)
    assert process.wait(timeout=60) in (130, 0)
    kept = vq("search", "text:page", "--json").document["total"]
    assert kept >= 8
    texts = vq("index", many, "--ocr", "--json").document["texts"]
    assert (texts["read"], texts["left"]) == (18 - kept, 0)
    assert vq("search", "text:page", "--json").document["total"] == 18


def test_without_the_reader_nothing_is_begun(refused, papers, own_settings, monkeypatch):
    monkeypatch.setattr("visionquery.images.ocr.importlib.util.find_spec", lambda *_: None)
    sentence = refused("index", papers, "--ocr")
    assert "pip install 'visionquery[ocr]'" in sentence
    assert not own_settings.exists()


def test_reading_text_is_no_part_of_a_move_to_another_model(refused):
    assert "--ocr" in refused("index", "--reencode", "--ocr")
