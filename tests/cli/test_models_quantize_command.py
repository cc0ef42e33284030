"""`models quantize`: from a command to a model that the other commands use."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def blots(tmp_path: Path) -> Path:
    """A folder of twenty pictures of large blots, one file that is none, and a broken one."""
    random = np.random.default_rng(3)
    folder = tmp_path / "blots"
    (folder / "more").mkdir(parents=True)
    for number in range(20):
        pixels = random.integers(0, 256, (4, 4, 3)).astype(np.uint8)
        place = folder / ("more" if number % 2 else "") / f"{number}.png"
        Image.fromarray(pixels).resize((64, 64), Image.Resampling.NEAREST).save(place)
    (folder / "note.txt").write_text("no picture")
    (folder / "broken.jpg").write_bytes(b"no picture")
    return folder


def test_the_model_that_is_made_can_be_used(vq, tiny_model, blots, tmp_path):
    ran = vq("models", "quantize", tiny_model, "--images", blots)
    folder = tmp_path / "no-hub-cache" / "visionquery" / "tiny-int8"
    assert ran.code == 0
    first, *rows = ran.out.splitlines()
    assert first == str(folder)
    assert [row.split("\t")[0] for row in rows] == ["image", "text", "pictures", "texts"]
    assert "20 pictures" in ran.err
    assert f"--reencode --model {folder}" in ran.err
    assert vq("models", "verify", folder).code == 0
    other = tmp_path / "other"
    assert vq("index", blots, "--model", folder, "--library", other, "-q").code == 0
    assert vq("search", "red", "--model", folder, "--library", other).code in (0, 1)
    assert vq("status", "--library", other, "--json").document["model"] == "tiny-int8"


def test_a_library_moves_to_it(vq, tiny_model, blots, tmp_path):
    vq("index", blots, "-q")
    folder = tmp_path / "small"
    made = vq("models", "quantize", tiny_model, "--out", folder, "--json").document
    assert made["fidelity"]["pictures"] == 20
    moved = vq("index", "--reencode", "--model", folder, "--json").document
    assert (moved["model"], moved["complete"]) == ("tiny-int8", True)


def test_the_document_has_its_documented_shape(vq, tiny_model, blots, tmp_path):
    ran = vq("models", "quantize", tiny_model, "--images", blots, "--out", tmp_path / "a", "--json")
    document = ran.document
    assert list(document) == ["model", "source", "folder", "fingerprint", "towers", "fidelity"]
    assert (document["model"], document["source"]) == ("tiny-int8", "tiny")
    assert set(document["towers"]) == {"image", "text"}
    image = document["towers"]["image"]
    assert set(image) == {"recipe", "layers", "float_layers", "size_bytes", "seconds"}
    assert set(image["seconds"]) == set(image["size_bytes"]) == {"before", "after"}
    assert document["fidelity"]["picture_overlap"] >= 0.9


def test_a_person_sees_a_table(vq, tiny_model, blots, tmp_path, on_a_terminal):
    on_a_terminal(100)
    ran = vq("models", "quantize", tiny_model, "--images", blots, "--out", tmp_path / "a", "-q")
    assert "tower" in ran.out
    assert "same 5 best" in ran.out
    assert "stayed" in ran.out
    assert ran.err == ""


def test_photographs_of_a_package_do_where_there_is_no_library(vq, tiny_model, tmp_path):
    pytest.importorskip("skimage")
    ran = vq("models", "quantize", tiny_model, "--out", tmp_path / "a", "--json")
    assert "18 pictures of scikit-image; more would tell more" in ran.err
    assert ran.code == 0


def test_without_any_photographs_a_folder_is_asked_for(refused, tiny_model, tmp_path, monkeypatch):
    monkeypatch.setattr("visionquery.cli.demo.find_spec", lambda _: None)
    sentence = refused("models", "quantize", tiny_model, "--out", tmp_path / "a")
    assert "--images" in sentence


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ("There is no folder", ("--images", "no-such-folder")),
        ("--force", ("--out", "there")),
        ("may be replaced", ("--out", "blots", "--force")),
    ],
)
def test_wrong_input_is_refused_at_once(
    refused, tiny_model, blots, tmp_path, monkeypatch, words, options
):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_model, "there")
    assert words in refused("models", "quantize", tiny_model, *options)


def test_a_library_that_is_named_must_be_there(vq, tiny_model, tmp_path):
    ran = vq("models", "quantize", tiny_model, "--library", tmp_path / "none")
    assert ran.code == 4
