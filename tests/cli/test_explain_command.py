"""`visionquery explain IMAGE QUERY`: the verdict, the parts, the exit code."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from visionquery.search.result import DEFAULT_MIN_CONFIDENCE

KEYS = {
    "query", "model", "relevant", "rank", "images", "min_confidence", "left_out_by", "image",
}


@pytest.fixture
def indexed(vq, pictures: Path) -> Path:
    assert vq("index", pictures, "-q").code == 0
    return pictures


def test_a_picture_in_the_answer(vq, indexed):
    best = vq("search", "red -blue", "--json").document["results"][0]
    ran = vq("explain", best["path"], "red -blue")
    verdict, *rows = ran.out.splitlines()
    assert (ran.code, ran.err) == (0, "")
    sure = f"{best['confidence'] * 100:.0f} %"
    assert verdict == f"{best['path']} is in the answer: rank 1 of 12 images, confidence {sure}."
    parts = [row.split("\t") for row in rows]
    assert [(part, wanted) for part, wanted, *_ in parts] == [("red", "yes"), ("blue", "no")]
    assert all(re.fullmatch(r"\d+ %", found) for _, _, found, _, _ in parts)
    assert all(re.fullmatch(r"-?\d\.\d{3}", cosine) for *_, cosine, _ in parts)
    assert parts[0][-1] == "red"  # its name


def test_a_picture_that_is_not(vq, indexed):
    blue = indexed / "one" / "blue.png"
    ran = vq("explain", blue, "red")
    assert ran.code == 1
    least = f"{100 * DEFAULT_MIN_CONFIDENCE:g} %"
    assert re.fullmatch(
        rf"{blue} is not in the answer: confidence \d+ % is below {least}; rank \d+ of 12 images\.",
        ran.out.splitlines()[0],
    )
    assert vq("explain", blue, "red", "--min-confidence", "0").code == 0


@pytest.mark.parametrize(
    ("query", "left_out_by"),
    [
        ("red date:2024", ["date:2024"]),
        ("red date:2024 -ext:png", ["date:2024", "-ext:png"]),
        ("red ext:png (date:2024 OR path:two)", ["date:2024", "path:two"]),
        ("red -(ext:png path:one)", ["-(ext:png path:one)"]),
        ("(blue OR date:2024) ext:jpg", ["ext:jpg"]),
        ("ext:jpg", ["ext:jpg"]),
        ("(red ext:jpg) OR (blue date:2024)", ["ext:jpg", "date:2024"]),
    ],
)
def test_the_filters_that_leave_a_picture_out_are_named(vq, indexed, query, left_out_by):
    red = indexed / "one" / "red.png"
    ran = vq("explain", red, query)
    named = " and ".join(left_out_by)
    assert ran.code == 1
    assert ran.out.splitlines()[0] == f"{red} is not in the answer: left out by {named}."
    document = vq("explain", red, query, "--json").document
    assert (document["rank"], document["left_out_by"]) == (None, left_out_by)
    assert str(red) not in vq("search", query, "--all").out.splitlines()


@pytest.mark.parametrize(
    "query", ["ext:png", "ext:png path:one -date:2024", "NOT (date:2024 ext:png)"]
)
def test_filters_alone_know_no_rank(vq, indexed, query):
    ran = vq("explain", indexed / "one" / "red.png", query)
    assert ran.code == 0
    assert ran.out.splitlines()[0].endswith("is in the answer: it passes the filters.")


def test_the_document_is_a_search_result_and_its_verdict(vq, indexed):
    red = indexed / "one" / "red.png"
    ran = vq("explain", red, "red AND green", "--json")
    document = ran.document
    assert set(document) == KEYS
    assert ran.code == (0 if document["relevant"] else 1)
    assert (document["query"], document["images"]) == ("red AND green", 12)
    assert (document["left_out_by"], document["min_confidence"]) == ([], DEFAULT_MIN_CONFIDENCE)
    hits = vq("search", "red AND green", "--all", "--explain", "--json").document["results"]
    hit = next(hit for hit in hits if hit["path"] == str(red))
    assert document["image"] | {"rank": document["rank"], "folded": []} == hit


def test_every_rank_is_that_of_the_search(vq, indexed):
    hits = vq("search", "red OR blue", "--all", "--json").document["results"]
    ranks = [
        vq("explain", hit["image_id"], "red OR blue", "--json").document["rank"] for hit in hits
    ]
    assert ranks == [hit["rank"] for hit in hits]


def test_a_picture_is_its_content(vq, indexed, tmp_path):
    copy = shutil.copy(indexed / "one" / "red.png", tmp_path / "copy.png")
    assert f"{indexed / 'one' / 'red.png'} is in the answer" in vq("explain", copy, "red").out


def test_what_is_not_in_the_library(refused, vq, indexed, tmp_path):
    other = shutil.copy(indexed / "one" / "red.png", tmp_path / "other.png")
    with Path(other).open("ab") as file:
        file.write(b"more")
    assert "not in the library" in refused("explain", other, "red")
    assert "no picture file 'nowhere.jpg'" in refused("explain", "nowhere.jpg", "red")
    assert "is a folder" in refused("explain", indexed, "red")
    assert "position 7" in refused("explain", other, "red OR")
    assert "There is no file nope.png" in refused("explain", other, "red image:nope.png")
    assert vq("explain", other, "red", "--library", tmp_path / "none").code == 4


@pytest.mark.parametrize("columns", [80, 120])
def test_a_terminal_gets_a_table_as_wide_as_it_is(vq, indexed, on_a_terminal, columns):
    on_a_terminal(columns)
    long = " ".join(["a red picture of the colour red"] * 6)
    shown = vq("explain", indexed / "one" / "red.png", f"{long} -blue date:2024").out
    _, heading, *rows = shown.splitlines()
    assert heading.split("  ")[0] == "part of the query"
    assert all(name in heading for name in ("wanted", "found", "cosine", "words found"))
    assert max(map(len, [heading, *rows])) <= columns
    together = " ".join(" ".join(row.split("  ")[0] for row in rows).split())
    assert together == f"{long} blue date:2024"
    assert rows[-1].split() == ["date:2024", "yes", "no"]


def test_a_column_that_says_nothing_is_left_out(vq, indexed, on_a_terminal):
    on_a_terminal(80)
    shown = vq("explain", indexed / "one" / "red.png", "ext:jpg").out
    assert shown.splitlines()[1].split("  ") == ["part of the query", "wanted", "found"]


# -- heatmaps ------------------------------------------------------------------------------------
@pytest.mark.parametrize(("ending", "kind"), [("png", "PNG"), ("JPG", "JPEG"), ("webp", "WEBP")])
def test_a_heatmap_is_written_and_told_of(vq, indexed, tmp_path, ending, kind):
    red, out = indexed / "one" / "red.png", tmp_path / f"out.{ending}"
    ran = vq("explain", red, "red", "--heatmap", out)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[-1].endswith((f": see {out}.", f": {out} marks no place."))
    with Image.open(out) as shown:
        assert (shown.format, shown.size) == (kind, (64, 48))


def test_a_heatmap_is_in_the_document(vq, tmp_path):
    pixels = np.full((300, 600, 3), 245, np.uint8)
    pixels[:, 400:] = (200, 30, 30)
    scene, out = tmp_path / "pictures" / "scene.png", tmp_path / "out.png"
    scene.parent.mkdir()
    Image.fromarray(pixels).save(scene)
    assert vq("index", scene, "-q").code == 0
    document = vq("explain", scene, "red", "--heatmap", out, "--json").document
    assert set(document) == KEYS | {"heatmap"}
    seen = document["heatmap"]
    left, top, width, height = seen["box"]
    assert (seen["file"], seen["weak"]) == (str(out), False)
    assert left > 50
    assert left + width <= 100
    assert 0 <= top <= top + height <= 100
    sentence = vq("explain", scene, "red", "--heatmap", out).out.splitlines()[-1]
    assert sentence.startswith(f"Strongest in the {width:.0f} % × {height:.0f} %")
    assert vq("explain", scene, "blue", "--heatmap", out, "--json").document["heatmap"]["weak"]
    weak = vq("explain", scene, "blue", "--heatmap", out).out.splitlines()[-1]
    assert weak.startswith("Little evidence of it anywhere")


def test_a_heatmap_overwrites_no_picture(refused, vq, indexed, tmp_path):
    red, copy = indexed / "one" / "red.png", tmp_path / "copy.png"
    changed = indexed / "two" / "green.jpg"
    shutil.copy(red, copy)
    changed.write_bytes(changed.read_bytes() + b"more")
    for kept in (red, copy, changed, indexed / "one" / "blue.png"):
        before = kept.read_bytes()
        assert "does not overwrite" in refused("explain", red, "red", "--heatmap", kept)
        assert kept.read_bytes() == before
    again = tmp_path / "again.png"
    for _ in range(2):
        assert vq("explain", red, "red", "--heatmap", again, "-q").code == 0


def test_a_heatmap_that_cannot_be(refused, indexed, tmp_path):
    red = indexed / "one" / "red.png"
    assert "ends in .png" in refused("explain", red, "red", "--heatmap", tmp_path / "out.gif")
    nowhere = tmp_path / "nowhere" / "out.png"
    assert "cannot be written" in refused("explain", red, "red", "--heatmap", nowhere)
    nothing = refused("explain", red, "ext:png", "--heatmap", tmp_path / "out.png")
    assert "a heatmap needs a description" in nothing
    assert not (tmp_path / "out.png").exists()
