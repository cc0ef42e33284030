"""Reading captions and measuring with them."""

import json

import pytest

from visionquery.errors import InputError
from visionquery.evaluation import evaluate, read_captions
from visionquery.models.catalog import resolve
from visionquery.models.encoder import load_encoder


def write(path, *lines: object):
    path.write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in lines), "utf-8")
    return path


def test_lines_of_one_picture_are_joined(tmp_path):
    file = write(
        tmp_path / "c.jsonl",
        {"file": "a.jpg", "captions": ["one"]},
        {"file": "b.jpg", "captions": ["two"]},
        {"file": "a.jpg", "captions": ["three"]},
    )
    entries = read_captions(file, images=tmp_path / "photos")
    assert [(e.path.name, e.captions) for e in entries] == [
        ("a.jpg", ("one", "three")), ("b.jpg", ("two",)),
    ]
    assert entries[0].path == tmp_path / "photos" / "a.jpg"


def test_a_byte_order_mark_and_odd_line_ends_are_read(tmp_path):
    file = tmp_path / "c.jsonl"
    file.write_text('\ufeff{"file": "a.jpg", "captions": ["one\u2028two"]}\r\n', "utf-8")
    assert read_captions(file)[0].captions == ("one\u2028two",)


@pytest.mark.parametrize(
    "line",
    [
        "{}",
        "[]",
        "nonsense",
        '{"file": "a.jpg", "captions": []}',
        '{"file": "a", "captions": [" "]}',
        '{"file": "a\\u0000", "captions": ["x"]}',
        '{"file": "a", "captions": ["\\ud800"]}',
        "[" * 100_000,
    ],
    ids=range(8),
)
def test_malformed_lines_are_named(tmp_path, line):
    file = tmp_path / "c.jsonl"
    file.write_text('{"file": "a.jpg", "captions": ["one"]}\n' + line)
    with pytest.raises(InputError, match="line 2"):
        read_captions(file)


def test_figures_of_a_known_order(tmp_path, tiny_model, pictures):
    encoder = load_encoder(resolve(str(tiny_model)))
    entries = [
        {"file": f"one/{colour}.png", "captions": [f"a {colour} picture"]}
        for colour in ("red", "green", "blue", "yellow", "black", "white")
    ]
    file = write(pictures / "c.jsonl", *entries)
    seen = []
    found = evaluate(read_captions(file), encoder, threads=2, on_progress=seen.append)
    assert (found.images, found.captions, found.mrr, found.median_rank) == (6, 6, 1.0, 1.0)
    assert found.hit_rate == found.recall == {1: 1.0, 5: 1.0, 10: 1.0}
    assert (seen[-1].done, seen[-1].total) == (6, 6)


def test_a_shared_caption_splits_recall_but_not_hit_rate(tmp_path, tiny_model, pictures):
    encoder = load_encoder(resolve(str(tiny_model)))
    file = write(
        pictures / "c.jsonl",
        {"file": "one/red.png", "captions": ["red"]},
        {"file": "two/red.jpg", "captions": ["red"]},
        {"file": "one/blue.png", "captions": ["blue"]},
    )
    found = evaluate(read_captions(file), encoder, threads=2, on_progress=lambda _: None)
    assert found.hit_rate[1] == pytest.approx(2 / 3)
    assert found.recall[1] == pytest.approx(2 / 3)
    assert found.recall[5] == 1.0


def test_a_picture_that_cannot_be_used_is_named(tmp_path, tiny_model):
    encoder = load_encoder(resolve(str(tiny_model)))
    file = write(tmp_path / "c.jsonl", {"file": "none.jpg", "captions": ["one"]})
    with pytest.raises(InputError, match=r"none\.jpg"):
        evaluate(read_captions(file), encoder, threads=2, on_progress=lambda _: None)
