"""What people and programs see: escapes, sizes, progress lines, tables."""

import io
import os

import pytest

from visionquery.indexing.report import Progress
from visionquery.present.documents import render
from visionquery.present.previews import half_blocks
from visionquery.present.progress import index_progress
from visionquery.present.tables import hits_table, print_table
from visionquery.present.text import count, duration, escaped, size
from visionquery.search.result import Hit


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain name.jpg", "plain name.jpg"),
        ("Grüße 写真.jpg", "Grüße 写真.jpg"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("back\\slash", "back\\\\slash"),
        ("left\u202eright", "left\\u202eright"),
        (os.fsdecode(b"caf\xe9.jpg"), "caf\\xe9.jpg"),
    ],
)
def test_names_are_escaped(name, shown):
    assert escaped(name) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.04, "0.0 s"), (9.96, "10.0 s"), (12.4, "12 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")],
)
def test_durations(seconds, shown):
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0, "0 B"), (512, "512 B"), (1_400_000, "1.4 MB"), (605_744_262, "606 MB"), (2e12, "2.0 TB")],
)
def test_sizes(number, shown):
    assert size(int(number)) == shown


def test_counts():
    assert (count(1, "image"), count(2000, "image")) == ("1 image", "2,000 images")


def test_documents_are_ascii_and_keep_any_name():
    name = os.fsdecode(b"caf\xe9.jpg")
    text = render({"path": name})
    assert text.isascii()
    assert "\\udce9" in text


def test_progress_without_a_terminal_is_a_last_line():
    stream = io.StringIO()
    with index_progress(stream, quiet=False) as show:
        show(Progress(0, 40, 0, 0.0))
        show(Progress(20, 40, 20, 1.0))
        show(Progress(40, 40, 40, 2.0))
    assert stream.getvalue() == "Indexing: 40 of 40 files, 20.0 images/s\n"


def test_nothing_to_do_and_quiet_say_nothing():
    stream = io.StringIO()
    with index_progress(stream, quiet=False) as show:
        show(Progress(0, 0, 0, 0.1))
    with index_progress(stream, quiet=True) as show:
        show(Progress(5, 5, 5, 0.1))
    assert stream.getvalue() == ""


class Terminal(io.StringIO):
    """A stream that calls itself a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar_only_when_there_is_something_to_wait_for(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    stream = Terminal()
    with index_progress(stream, quiet=False) as show:
        show(Progress(0, 0, 0, 0.1))
    assert stream.getvalue() == ""
    with index_progress(stream, quiet=False) as show:
        show(Progress(0, 40, 0, 0.0))
        show(Progress(10, 40, 10, 1.0))
    assert "10 of 40 files, 10.0 images/s, 3.0 s left" in stream.getvalue()


def hit(path: str, **facts: object) -> Hit:
    values = {
        "rank": 1, "score": 0.3, "confidence": 0.87, "image_id": "ab" * 16, "path": path,
        "paths": (path,), "width": 640, "height": 480, "taken_at": "2024-05-01T12:30:00",
    }
    return Hit(**(values | facts))


def test_a_table_links_paths_and_shows_facts(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Terminal()
    print_table(hits_table([hit("/photos/beach/a b.jpg", paths=("/1", "/2", "/3"))]), stream)
    shown = stream.getvalue()
    assert "file:///photos/beach/a%20b.jpg" in shown
    assert "87 %" in shown
    assert "2024-05-01 12:30" in shown
    assert "640×480" in shown
    assert "+2" in shown


def test_previews_pair_two_rows_of_pixels():
    import numpy as np

    pixels = np.zeros((5, 3, 3), dtype=np.uint8)
    pixels[0] = 255
    lines = half_blocks(pixels)
    assert [line.plain for line in lines] == ["▀▀▀", "▀▀▀"]
