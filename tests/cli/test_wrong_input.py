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


def test_a_newer_library(fails, indexed, own_settings):
    with sqlite3.connect(own_settings / "catalog.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    fails(4, "status", words="99")


def test_a_folder_that_is_not_indexed(fails, indexed, tmp_path):
    fails(2, "search", "red", tmp_path, "--no-index", words="visionquery index")
    fails(2, "remove", tmp_path, words="not in the library")


def test_no_such_picture(fails, indexed):
    fails(2, "search", "image:nowhere.jpg", words="nowhere.jpg")
    fails(2, "similar", "nowhere.jpg", words="nowhere.jpg")


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
