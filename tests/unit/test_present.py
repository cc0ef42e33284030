"""What people and programs see: escapes, sizes, progress lines, tables."""

import io
import os

import pytest

from visionquery.indexing.report import Progress
from visionquery.present.documents import render
from visionquery.present.explanations import left_out_by, summary, verdict
from visionquery.present.previews import half_blocks
from visionquery.present.progress import index_progress
from visionquery.present.tables import hits_table, print_parts, print_table
from visionquery.present.text import count, duration, escaped, percents, printable, size
from visionquery.query.grammar import parse
from visionquery.search.result import Explanation, Hit, Part


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


@pytest.mark.parametrize(
    ("one", "other", "shown"),
    [
        (0.12, 0.25, ("12 %", "25 %")),
        (0.2496, 0.25, ("24.96 %", "25.00 %")),
        (0.2499999, 0.25, ("24.99999 %", "25.00000 %")),
        (0.25, 0.25, ("25 %", "25 %")),
    ],
)
def test_percents_are_told_apart(one, other, shown):
    assert percents(one, other) == shown


def test_what_is_read_keeps_its_backslashes():
    assert printable("a\\b \x1b[31m\n写真") == "a\\b \\x1b[31m\\n写真"


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


def described(text: str, confidence: float, **facts: object) -> Part:
    values = {"kind": "description", "excluded": False, "score": 0.1, "words": ()}
    return Part(text=text, confidence=confidence, **(values | facts))


def filtered(text: str, *, holds: bool, excluded: bool = False) -> Part:
    return Part(text, "filter", excluded, float(holds))


def test_parts_on_one_line():
    parts = [
        described("a dog", 0.92, words=("dog",)),
        described("people", 0.034, excluded=True, words=("people",)),
        filtered("date:2024", holds=True),
        filtered("camera:sony", holds=False, excluded=True),
        described("on a beach", 0.4, words=("beach", "dog")),
    ]
    assert summary(parts) == (
        "a dog 92 %  -people 3 %  date:2024 yes  -camera:sony no  on a beach 40 %  "
        "words: dog, beach"
    )


def test_of_many_excluded_the_first_and_the_strongest_are_shown():
    kinds = [("people", 0.02), ("a man", 0.01), ("a woman", 0.3), ("a child", 0.2)]
    parts = [described(text, confidence, excluded=True) for text, confidence in kinds]
    assert summary(parts) == "-people 2 %  -(a woman) 30 %  (and 2 below)"
    assert summary(parts[:2]) == "-people 2 %  -(a man) 1 %"


def test_what_is_excluded_stays_together():
    texts = ("dog", "a dog", '"a dog"', 'a "red" dog', 'image:"my dog.jpg"', "image:dog.jpg")
    shown = [summary([described(text, 0, excluded=True)]) for text in texts]
    assert shown == [
        "-dog 0 %", "-(a dog) 0 %", '-"a dog" 0 %', '-(a "red" dog) 0 %',
        '-image:"my dog.jpg" 0 %', "-image:dog.jpg 0 %",
    ]


def test_parts_cannot_move_the_cursor():
    part = described("red\x1b[31m", 0.5, words=("red\x1b",))
    assert summary([part]) == "red\\x1b[31m 50 %  words: red\\x1b"
    stream = io.StringIO()
    print_parts([part], stream)
    assert stream.getvalue() == "red\\x1b[31m\tyes\t50 %\t0.100\tred\\x1b\n"


@pytest.mark.parametrize(
    ("query", "culprits"),
    [
        ("a ext:yes", []),
        ("a ext:no", ["ext:no"]),
        ("a -ext:yes", ["-ext:yes"]),
        ("a -ext:no", []),
        ("ext:no path:no", ["ext:no", "path:no"]),
        ("ext:no OR a", []),
        ("ext:no OR path:no", ["ext:no", "path:no"]),
        ("(ext:no OR a) path:no", ["path:no"]),
        ("-(ext:yes OR a)", ["-(ext:yes OR a)"]),
        ("-(ext:yes a)", []),
        ("-(ext:yes path:yes)", ["-(ext:yes path:yes)"]),
        ("NOT -ext:no", ["NOT -ext:no"]),
        ("ext:no AND ext:no", ["ext:no"]),
    ],
)
def test_only_what_leaves_an_image_out_is_blamed(query, culprits):
    fields = ("ext", "path")
    answers = ("yes", "no")
    parts = [filtered(f"{f}:{a}", holds=a == "yes") for f in fields for a in answers]
    assert left_out_by(parse(query), parts) == culprits


@pytest.mark.parametrize(
    ("query", "rank", "confidence", "sentence"),
    [
        ("a", 3, 0.87, "/a.jpg is in the answer: rank 3 of 1,000 images, confidence 87 %."),
        (
            "a", 214, 0.12,
            "/a.jpg is not in the answer: confidence 12 % is below 25 %; rank 214 of 1,000 images.",
        ),
        (
            "a", 214, 0.2499,
            "/a.jpg is not in the answer: confidence 24.99 % is below 25.00 %; "
            "rank 214 of 1,000 images.",
        ),
        ("a ext:no", None, 0.0, "/a.jpg is not in the answer: left out by ext:no."),
    ],
)  # fmt: skip
def test_verdicts(query, rank, confidence, sentence):
    parts = (described("a", 0.5), filtered("ext:no", holds=False))
    image = hit("/a.jpg", confidence=confidence, parts=parts)
    found = Explanation(query, "tiny", image, rank, 0.25, 1000)
    assert verdict(found, parse(query), name="/a.jpg") == sentence
