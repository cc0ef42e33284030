"""`index --regions`: what it says, and where small things are found then."""

import shutil
from pathlib import Path

import pytest
from PIL import Image
from skimage import data

from visionquery.cli.demo import PHOTOGRAPHS, photographs_folder


@pytest.fixture
def scenes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vq: object) -> Path:
    """Photographs, and grass with a small cat in it; the model is the one in the box."""
    monkeypatch.setenv("VISIONQUERY_MODEL", "pocket")
    folder = tmp_path / "scenes"
    folder.mkdir()
    for name in PHOTOGRAPHS:
        if name != "chelsea.png":
            shutil.copy(photographs_folder() / name, folder / name)
    scene = Image.fromarray(data.grass()).convert("RGB").resize((900, 700))
    scene.paste(Image.fromarray(data.chelsea()).resize((190, 140)), (600, 420))
    scene.save(folder / "meadow.jpg")
    return folder


IMAGES = len(PHOTOGRAPHS)


def test_a_person_is_told_what_was_looked_at(vq, scenes):
    said = vq("index", "--regions", scenes)
    assert (said.code, said.out) == (0, "")
    *_, last = said.err.splitlines()
    assert last.startswith(f"Looked closer at {IMAGES} pictures in ")
    assert last.endswith(f": {5 * IMAGES} regions.")
    again = vq("index", "--regions", scenes)
    assert again.err.splitlines()[-1] == "All pictures here have their regions already."


def test_programs_are_told_too(vq, scenes):
    document = vq("index", "--regions", scenes, "--json").document
    views = document["regions"]
    counted = {name: views[name] for name in ("viewed", "regions", "left", "images", "skipped")}
    assert counted == {
        "viewed": IMAGES, "regions": 5 * IMAGES, "left": 0, "images": IMAGES, "skipped": [],
    }  # fmt: skip
    assert views["seconds"] > 0
    assert views["images_per_second"] > 0
    assert document["notes"] == views["notes"] == []
    again = vq("index", "--regions", scenes, "--json").document["regions"]
    assert (again["viewed"], again["images_per_second"]) == (0, 0.0)


def test_a_small_thing_is_found_with_where_it_is(vq, scenes, on_a_terminal, monkeypatch):
    vq("index", scenes, "-q")
    before = vq("search", "a cat", "--all", "--json").document["results"]
    assert {hit["box"] for hit in before} == {None}
    vq("index", "--regions", scenes, "-q")
    first, *_ = vq("search", "a cat", "--explain", "--json").document["results"]
    assert Path(first["path"]).name == "meadow.jpg"
    left, top, width, height = first["box"]
    assert left < 100 * 695 / 900 < left + width
    assert top < 100 * 490 / 700 < top + height
    assert first["parts"][0]["box"] == first["box"]
    monkeypatch.chdir(scenes)
    on_a_terminal(80)
    heading, row, *_ = vq("search", "a cat").out.splitlines()
    assert "found" in heading
    assert "meadow.jpg" in row
    assert "bottom right" in row


def test_without_regions_a_table_has_no_column_for_them(vq, scenes, on_a_terminal):
    vq("index", scenes, "-q")
    on_a_terminal(80)
    assert "found" not in vq("search", "a cat", "--all").out.splitlines()[0]


def test_new_pictures_without_regions_are_counted(vq, scenes):
    vq("index", scenes, "-q")
    shutil.copy(photographs_folder() / "chelsea.png", scenes / "cat.png")
    assert vq("index", scenes, "--json").document["notes"] == [], "nobody asked for regions yet"
    vq("index", "--regions", scenes, "-q")
    Image.open(scenes / "coffee.png").rotate(180).save(scenes / "turned.png")
    Image.open(scenes / "rocket.jpg").rotate(180).save(scenes / "falls.png")
    sentence = f"Not looked at in parts yet: 2. Do it with: visionquery index --regions {scenes}"
    assert vq("index", scenes, "--json").document["notes"] == [sentence]
    assert sentence in vq("index", scenes).err.splitlines()
    found = vq("index", "--regions", scenes, "--json").document
    assert (found["notes"], found["regions"]["viewed"]) == ([], 2)
    assert vq("index", scenes, "--json").document["notes"] == []


def test_status_counts_pictures_that_have_regions(vq, scenes):
    vq("index", scenes, "-q")
    assert vq("status", "--json").document["regions"] == 0
    assert "in parts" not in vq("status").out
    vq("index", "--regions", scenes, "-q")
    (scenes / "coffee.png").unlink()
    shutil.copy(photographs_folder() / "chelsea.png", scenes / "cat.png")
    vq("index", scenes, "-q")
    assert vq("status", "--json").document["regions"] == IMAGES - 1
    assert f"looked at in parts: {IMAGES - 1} of {IMAGES} images" in vq("status").out.splitlines()


def test_one_picture_is_looked_at_alone(vq, scenes):
    vq("index", scenes, "-q")
    Image.open(scenes / "page.png").rotate(180).save(scenes / "new.png")
    views = vq("index", "--regions", scenes / "new.png", "--json").document["regions"]
    assert (views["viewed"], views["images"], views["left"]) == (1, 1, 0)


def test_a_move_to_another_model_takes_no_regions_along(refused):
    assert "--regions" in refused("index", "--reencode", "--regions")


def test_a_library_in_an_engine_keeps_none(refused, scenes, vq, postgres):
    address = postgres.address()
    sentence = refused("index", "--regions", scenes / "coffee.png", "--library", address)
    assert "keeps no regions" in sentence
    assert "visionquery index PATH --regions --library DIR" in sentence
    assert vq("status", "--library", address, "--json").document["images"] == 0
