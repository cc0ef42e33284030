"""`visionquery concepts`: teach, list, share, forget."""

from pathlib import Path

import pytest


@pytest.fixture
def taught(vq, pictures: Path) -> Path:
    vq("index", pictures)
    ran = vq("concepts", "learn", "our-red", "--like", pictures / "one" / "red.png")
    assert ran.code == 0
    assert "Learnt our-red from 1 picture. Search for it with: concept:our-red" in ran.err
    return pictures


def test_a_concept_is_searched_for_listed_and_forgotten(vq, taught):
    assert vq("search", "--json", "--all", "concept:our-red").names[0].startswith("red.")
    assert vq("concepts", "list").out.splitlines()[-1].startswith("our-red\tfrom 1 picture\t")
    (known,) = vq("concepts", "list", "--json").document["concepts"]
    assert (known["name"], known["liked"], known["disliked"]) == ("our-red", 1, 0)
    assert vq("concepts", "remove", "our-red").code == 0
    assert "Nothing was taught so far" in vq("concepts", "list").err


def test_learning_tells_what_it_skipped(vq, taught):
    (taught / "one" / "broken.png").write_bytes(b"no picture")
    learn = ("concepts", "learn", "x", "--like", taught)
    ran = vq(*learn, "--unlike", taught / "two", "--text", "red")
    assert "broken.png" in ran.err
    ran = vq("concepts", "learn", "x", "--like", taught / "one", "--json")
    assert [Path(each["path"]).name for each in ran.document["skipped"]] == ["broken.png"]


def test_a_concept_goes_from_library_to_library(vq, taught, tmp_path):
    file, other = tmp_path / "our-red.json", tmp_path / "other"
    assert vq("concepts", "export", "our-red", file).code == 0
    vq("index", taught, "--library", other)
    ran = vq("concepts", "import", file, "--library", other, "--json")
    assert ran.document["name"] == "our-red"
    ran = vq("search", "--json", "--all", "concept:our-red", "--library", other)
    assert ran.names[0].startswith("red.")


def test_wrong_input_is_one_sentence(vq, refused, taught, tmp_path):
    assert "there are: our-red" in refused("concepts", "remove", "x")
    assert "cannot be read" in refused("concepts", "import", tmp_path / "none.json")
    assert "no picture file" in refused("concepts", "learn", "x", "--like", tmp_path / "none")
    assert "less:ID" in refused("search", "a dog -more:3f")
