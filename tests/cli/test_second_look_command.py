"""`search --rerank` and `serve --rerank`: fast results first, refined ones after."""

import shutil
from pathlib import Path

import pytest

from visionquery.library import Library
from visionquery.testing.tiny_model import make_tiny_model


@pytest.fixture
def other_model(tmp_path: Path) -> Path:
    return make_tiny_model(tmp_path / "other-model", seed=1)


@pytest.fixture
def indexed(vq, pictures: Path, tmp_path: Path, monkeypatch) -> Path:
    """Indexed pictures, and a cache of looks of their own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert vq("index", pictures, "-q").code == 0
    return pictures


def test_a_pipe_gets_the_refined_answer_alone(vq, indexed, other_model, tmp_path):
    ran = vq("search", "red", "--rerank", other_model, "--json")
    assert ran.code == 0
    assert ran.document["reranked_by"] == "tiny-1"
    assert ran.document["not_reranked"] == 0
    assert set(ran.names) == {"red.png", "red.jpg"}
    assert "Looking again: 12 of 12 pictures" in ran.err
    (kept,) = (tmp_path / "cache" / "visionquery" / "looks").glob("*.sqlite")
    assert kept.stat().st_size
    paths = vq("search", "red", "--rerank", other_model)
    assert (sorted(Path(line).name for line in paths.out.split()), paths.err) == (
        ["red.jpg", "red.png"], "",
    )  # fmt: skip
    assert vq("search", "red", "--json").document["reranked_by"] is None


def test_a_person_sees_the_first_answer_then_the_refined_one(
    vq, indexed, other_model, on_a_terminal
):
    on_a_terminal(100)
    ran = vq("search", "red", "--rerank", other_model, "-n", "1")
    first, refined = ran.out.split("confidence")[1:]
    assert "red" in first
    assert "red" in refined
    assert ran.err.splitlines()[-1] == "Refined by tiny-1:"


def test_who_does_not_wait_keeps_the_first_answer(
    vq, indexed, other_model, on_a_terminal, monkeypatch
):
    ask = Library.search

    def interrupted(self, *asked, **wanted):
        if wanted.get("rerank"):
            wanted["on_look"](0, 12)
            raise KeyboardInterrupt
        return ask(self, *asked, **wanted)

    monkeypatch.setattr(Library, "search", interrupted)
    on_a_terminal(100)
    ran = vq("search", "red", "--rerank", other_model)
    assert (ran.code, ran.out.count("confidence")) == (0, 1)
    assert "Stopped looking" in ran.err
    assert vq("search", "red", "--rerank", other_model, "--json").code == 130


def test_pictures_that_are_gone_are_counted(vq, indexed, other_model):
    shutil.rmtree(indexed / "two")
    ran = vq("search", "red", "--rerank", other_model, "-0")
    assert ran.err.splitlines()[-1] == (
        "6 pictures could not be looked at again: gone or changed since indexed."
    )
    assert ran.code == 0


@pytest.mark.parametrize("candidates", ["23", "201"])
def test_a_number_out_of_range_is_refused(refused, indexed, other_model, candidates):
    sentence = refused("search", "red", "--rerank", other_model, "--candidates", candidates)
    assert "24" in sentence
    assert "200" in sentence


def test_candidates_need_a_model_that_looks_at_them(refused, indexed):
    assert "--rerank" in refused("search", "red", "--candidates", "50")


def test_the_model_of_the_library_is_refused(refused, indexed, tiny_model):
    assert "own model" in refused("search", "red", "--rerank", tiny_model)
    assert "own model" in refused("serve", "--rerank", tiny_model, "--port", "0")


def test_a_model_without_weights_says_how_to_get_them(vq, indexed):
    ran = vq("search", "red", "--rerank", "tinyclip-8m", "--json")
    assert (ran.code, ran.out) == (3, "")
    assert "visionquery models pull" in ran.err


def test_a_real_model_looks_at_photographs_of_the_one_in_the_box(
    vq, lit_tiny, flickr, tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("VISIONQUERY_MODEL", "auto")
    monkeypatch.setenv("VISIONQUERY_LIBRARY", str(tmp_path / "photographs"))
    folder = tmp_path / "some"
    folder.mkdir()
    for photograph in sorted((flickr / "images").iterdir())[:60]:
        shutil.copy(photograph, folder)
    assert vq("index", folder, "--model", "pocket", "-q").code == 0
    asked = ("search", "a dog runs through the snow", "--all", "-n", "60", "--json")
    refined = vq(*asked, "--rerank", lit_tiny, "--candidates", "24")
    assert refined.document["reranked_by"] == "lit-tiny"
    again = vq(*asked, "--rerank", lit_tiny, "--candidates", "24")
    assert again.names == refined.names
    assert again.err == ""  # nothing is encoded twice
    first = vq(*asked)
    assert set(first.names[:24]) == set(refined.names[:24])
    assert first.names[:24] != refined.names[:24]
    assert first.names[24:] == refined.names[24:]
