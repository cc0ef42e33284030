"""Every kind of wrong input: the documented exit code, one helpful sentence, no traceback."""

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from visionquery.cli.app import run
from visionquery.testing.tiny_model import make_tiny_model


@pytest.fixture
def fails(own_settings: Path, tiny_model: Path, capsys, monkeypatch):
    """Run a command that must fail with a code and one sentence that has these words."""
    monkeypatch.setenv("VISIONQUERY_MODEL", str(tiny_model))

    def check(code: int, *arguments: object, words: str) -> None:
        capsys.readouterr()
        assert run([str(argument) for argument in arguments]) == code
        captured = capsys.readouterr()
        assert captured.out == ""
        assert words in captured.err
        assert "Traceback" not in captured.err
        assert len(captured.err.strip().splitlines()) == 1, captured.err

    return check


@pytest.fixture
def indexed(pictures, fails) -> Path:
    assert run(["index", str(pictures), "--quiet"]) == 0
    return pictures


def test_nothing_is_made_for_what_cannot_be_indexed(fails, pictures, own_settings, tmp_path):
    notes = tmp_path / "notes.txt"
    notes.touch()
    nowhere = tmp_path / "nowhere"
    auto = ("--model", "auto")  # It would have to be fetched, and the network is off.
    fails(2, "index", nowhere, *auto, words=f"There is no file or folder {nowhere}.")
    fails(2, "index", pictures, nowhere, *auto, words=f"There is no file or folder {nowhere}.")
    fails(2, "index", notes, *auto, words=f"{notes} is no picture file")
    fails(2, "search", "red", notes, *auto, words=f"{notes} is no picture file")
    fails(2, "search", "image:/nope", pictures, *auto, words="There is no file /nope")
    fails(2, "search", "a -(b OR image:/nope)", pictures, words="There is no file /nope")
    fails(4, "index", pictures, "--moved-from", nowhere, words="no library")
    fails(4, "index", pictures, "--library", pictures, *auto, words=str(pictures))
    assert not own_settings.exists()


def test_moved_from_takes_one_path(fails, indexed, tmp_path):
    fails(2, "index", indexed, tmp_path, "--moved-from", indexed, words="takes one PATH")


def test_unknown_model(fails, pictures):
    fails(3, "search", "red", pictures, "--model", "clip-vit-bse", words="Did you mean")


def test_model_folder_without_description(fails, pictures, tmp_path):
    fails(3, "index", pictures, "--model", tmp_path, words="model.toml")


def test_missing_folder(fails, tmp_path):
    fails(2, "index", tmp_path / "nowhere", words="nowhere")
    fails(2, "search", "red", tmp_path / "nowhere", words="nowhere")


@pytest.mark.parametrize("query", ["", "   ", '"red', "(red", "red OR", "date:2024-13", "0:red"])
def test_bad_queries(fails, indexed, query):
    fails(2, "search", query, words="")


def test_no_library_yet(fails, own_settings):
    fails(4, "search", "red", words="visionquery index")
    fails(4, "status", words=str(own_settings))


def test_a_text_file_as_a_library(fails, tmp_path, pictures):
    text = tmp_path / "notes.txt"
    text.write_text("hello")
    fails(4, "search", "red", "--library", text, words="notes.txt")
    fails(4, "index", pictures, "--library", text, words="notes.txt")


def test_a_folder_of_pictures_as_a_library(fails, pictures):
    fails(4, "index", pictures, "--library", pictures, words=str(pictures))


def test_a_library_of_another_model(fails, indexed, tmp_path):
    other = make_tiny_model(tmp_path / "other", seed=7)
    fails(4, "search", "red", "--model", other, words="made with the model")


def test_the_model_of_the_settings_locks_nobody_out(fails, indexed, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("VISIONQUERY_MODEL", str(make_tiny_model(tmp_path / "other", seed=7)))
    words = "leave --model out, and unset VISIONQUERY_MODEL"
    fails(4, "search", "red", words=words)
    fails(4, "index", indexed, words=words)
    fails(4, "similar", indexed / "one" / "red.png", words=words)
    monkeypatch.setenv("VISIONQUERY_MODEL", "no-such-model")
    assert run(["status"]) == 0
    assert run(["remove", str(indexed / "one")]) == 0
    assert "Forgot 6 files and with them 6 images" in capsys.readouterr().err


def test_a_newer_library(fails, indexed, own_settings):
    with sqlite3.connect(own_settings / "catalog.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    fails(4, "status", words="99")


def test_a_folder_that_is_not_indexed(fails, indexed, tmp_path):
    other, gone = tmp_path / "other", tmp_path / "gone"
    other.mkdir()
    fails(2, "search", "red", other, "--no-index", words=f"visionquery index {other}")
    fails(2, "search", "red", gone, "--no-index", words=f"{gone} is not in the library")
    for place in (other, gone):
        fails(2, "remove", place, words=f"Nothing of {place} is in the library.")


def test_no_such_picture(fails, indexed):
    fails(2, "search", "image:nowhere.jpg", words="There is no file nowhere.jpg")
    fails(2, "similar", "nowhere.jpg", words="no picture file 'nowhere.jpg' and no image with")
    fails(2, "similar", "", words="no picture file '' and no image with that id")
    fails(2, "similar", indexed, words=f"{indexed} is a folder")
    fails(2, "search", "image:" + "x" * 300, words="There is no file xxx")
    fails(2, "index", "x" * 300, words="There is no file or folder")


def test_a_text_file_as_a_picture(fails, indexed, tmp_path):
    text = tmp_path / "notes.jpg"
    text.write_text("hello")
    fails(2, "similar", text, words="notes.jpg")


def test_no_weights_and_no_network(fails, pictures):
    fails(3, "search", "red", pictures, "--model", "siglip2-base-patch16-224-int8",
          words="models pull")


def test_a_broken_model(fails, pictures, tiny_model, tmp_path):
    broken = shutil.copytree(tiny_model, tmp_path / "broken")
    (broken / "text.onnx").write_bytes(b"not a model")
    fails(3, "index", pictures, "--model", broken, words="text.onnx")


def test_bad_settings(fails, monkeypatch):
    monkeypatch.setenv("VISIONQUERY_THREADS", "many")
    fails(2, "status", words="VISIONQUERY_THREADS")


def test_eval_of_a_wrong_file(fails, tmp_path):
    file = tmp_path / "captions.jsonl"
    file.write_text('{"file": "a.jpg"}\n')
    fails(2, "eval", file, words="line 1")
    fails(2, "eval", tmp_path / "none.jsonl", words="none.jsonl")


@pytest.mark.usefixtures("own_settings")
def test_unknown_option_is_wrong_input():
    ran = subprocess.run(
        [sys.executable, "-m", "visionquery", "search", "red", "--colour"],
        capture_output=True, text=True, check=False, env=os.environ | {"NO_COLOR": "1"},
    )
    assert ran.returncode == 2
    assert "--colour" in ran.stderr
    assert "Traceback" not in ran.stderr
