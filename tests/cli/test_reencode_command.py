"""`visionquery index --reencode`: what it says, and what is left of it when it is stopped."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from visionquery.cli.app import run
from visionquery.store.base import Scope
from visionquery.store.local import open_local
from visionquery.testing.tiny_model import make_tiny_model

COUNT = 240
KILLS = 4


@pytest.fixture(scope="session")
def second_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("second-model"), seed=1)


@pytest.fixture
def vq(own_settings: Path, tiny_model: Path, pictures: Path, capfd):
    """Run a command on a library of twelve pictures by the first model."""
    assert run(["index", str(pictures), "--model", str(tiny_model), "--quiet"]) == 0

    def call(*arguments: object) -> tuple[int, str, str]:
        capfd.readouterr()
        code = run([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return call


def test_it_moves_the_library_and_says_so(vq, second_model):
    code, out, err = vq("index", "--reencode", "--model", second_model)
    assert (code, out) == (0, "")
    assert "Encoded 12 images in" in err
    assert "The library answers by the model tiny-1: 12 images." in err
    code, out, _ = vq("search", "red", "--json")
    assert (code, json.loads(out)["model"]) == (0, "tiny-1")
    code, out, err = vq("index", "--reencode", "--model", second_model)
    assert (code, out) == (0, "")
    assert "All vectors are by the model tiny-1 already." in err


def test_the_document_has_the_documented_shape(vq, second_model):
    code, out, err = vq("index", "--reencode", "--model", second_model, "--json", "--quiet")
    assert (code, err) == (0, "")
    document = json.loads(out)
    assert set(document) == {
        "reencoded", "left", "images", "model", "complete", "skipped", "seconds",
        "images_per_second", "notes",
    }
    assert (document["reencoded"], document["left"], document["images"]) == (12, 0, 12)
    assert (document["model"], document["complete"]) == ("tiny-1", True)


def test_what_is_left_is_said_with_what_to_do(vq, second_model, pictures):
    away = pictures.rename(pictures.with_name("away"))
    code, _, err = vq("index", "--reencode", "--model", second_model)
    assert code == 0
    assert "12 of 12 images could not be encoded now" in err
    assert f"{pictures} is not there now" in err
    assert "plug its disk in" in err
    code, out, _ = vq("status", "--json")
    assert json.loads(out)["reencoding"] == {
        "model": "tiny-1", "source": str(second_model), "done": 0, "images": 12,
    }
    assert json.loads(out)["model"] == "tiny"
    _, out, _ = vq("status")
    assert "moving to the model tiny-1: 0 of 12 images encoded" in out
    assert f"visionquery index --reencode --model {second_model}" in out
    away.rename(pictures)
    assert vq("index", "--reencode", "--model", second_model)[0] == 0
    _, out, _ = vq("status", "--json")
    assert (json.loads(out)["model"], json.loads(out)["reencoding"]) == ("tiny-1", None)


def test_a_move_goes_on_whatever_the_settings_name(
    vq, second_model, pictures, tiny_model, monkeypatch
):
    away = pictures.rename(pictures.with_name("away"))
    assert vq("index", "--reencode", "--model", second_model)[0] == 0
    monkeypatch.setenv("VISIONQUERY_MODEL", str(tiny_model))
    code, _, err = vq("index", "--reencode")
    assert code == 0
    assert "12 of 12 images could not be encoded now" in err
    away.rename(pictures)
    _, out, _ = vq("index", "--reencode", "--json")
    assert (json.loads(out)["model"], json.loads(out)["complete"]) == ("tiny-1", True)


def test_only_the_flag_gives_a_move_up(vq, second_model, pictures, tiny_model):
    away = pictures.rename(pictures.with_name("away"))
    assert vq("index", "--reencode", "--model", second_model)[0] == 0
    away.rename(pictures)
    assert "given up" in vq("index", "--reencode", "--model", tiny_model)[2]
    assert json.loads(vq("status", "--json")[1])["reencoding"] is None


def test_the_settings_may_name_the_new_model(vq, second_model, monkeypatch):
    monkeypatch.setenv("VISIONQUERY_MODEL", str(second_model))
    code, _, err = vq("search", "red")
    assert code == 4
    assert "--reencode" in err
    assert vq("index", "--reencode")[0] == 0
    assert vq("search", "red")[0] == 0


def test_wrong_input(vq, second_model, pictures, tmp_path):
    wrong = [
        (2, "leave the paths, --ocr", ("index", pictures, "--reencode", "--model", second_model)),
        (2, "leave the paths, --ocr", ("index", "--reencode", "--moved-from", tmp_path)),
        (2, "--model NAME", ("index", "--reencode")),
        (2, "Name the folders", ("index",)),
        (3, "Known models", ("index", "--reencode", "--model", "no-such-model")),
        (4, "no library", ("index", "--reencode", "--model", second_model, "--library", tmp_path)),
    ]
    for expected, words, arguments in wrong:
        code, out, err = vq(*arguments)
        assert (code, out) == (expected, ""), err
        assert words in err
        assert len(err.strip().splitlines()) == 1


@pytest.fixture
def many(tmp_path: Path) -> Path:
    folder = tmp_path / "many"
    folder.mkdir()
    rng = np.random.default_rng(1)
    for number in range(COUNT):
        pixels = rng.integers(0, 255, (24, 32, 3), dtype=np.uint8)
        picture = Image.fromarray(pixels).resize((640, 480), Image.Resampling.BICUBIC)
        picture.save(folder / f"{number:04}.jpg", quality=80)
    return folder


def command(library: Path, model: Path, *arguments: object) -> list[str]:
    shared = ["--library", library, "--model", model, "--json"]
    return [sys.executable, "-m", "visionquery", "index", *map(str, (*arguments, *shared))]


def done_by(command: list[str]) -> dict:
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(ran.stdout)


def content(library: Path) -> tuple[str, dict[str, bytes]]:
    """The model, and every file's vector."""
    store = open_local(library)
    (root,) = store.roots()
    files = store.files(Scope(root.root_id)).values()
    rows = {file.path: store.find(file.image_id)[0] for file in files}
    vectors = store.vectors(list(rows.values()))
    store.close()
    return store.model.name, {
        path: vector.tobytes() for path, vector in zip(rows, vectors, strict=True)
    }


def stop_after_a_batch(command: list[str], library: Path, stop: Callable) -> subprocess.Popen:
    """Start a run and stop it once it has written one more batch of new vectors."""
    before = done_so_far(library)
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while process.poll() is None and done_so_far(library) <= before:
        time.sleep(0.002)
    stop(process)
    return process


def done_so_far(library: Path) -> int:
    store = open_local(library)
    try:
        return int(store.next_done().sum())
    finally:
        store.close()


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_killed_runs_end_like_a_library_of_the_new_model(
    tmp_path, tiny_model, second_model, many
):
    library, fresh = tmp_path / "moved", tmp_path / "fresh"
    done_by(command(library, tiny_model, many))
    old = content(library)
    chance = random.Random(3)

    def kill(process: subprocess.Popen) -> None:
        time.sleep(chance.random() * 0.02)
        process.send_signal(signal.SIGKILL)

    going_on = command(library, second_model, "--reencode")
    for _ in range(KILLS):
        stop_after_a_batch(going_on, library, kill).communicate()
        if content(library)[0] != "tiny":
            break
        assert content(library) == old
    ended = done_by(going_on)
    assert (ended["left"], ended["images"], ended["complete"]) == (0, COUNT, True)
    assert ended["reencoded"] < COUNT
    done_by(command(fresh, second_model, many))
    assert content(library) == content(fresh)
    assert [path.name for path in library.glob("vectors-*")] == ["vectors-2"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for another process")
def test_an_interrupt_keeps_what_is_finished(tmp_path, tiny_model, second_model, many):
    library = tmp_path / "library"
    done_by(command(library, tiny_model, many))
    process = stop_after_a_batch(
        command(library, second_model, "--reencode"), library,
        lambda running: running.send_signal(signal.SIGINT),
    )
    out, err = process.communicate()
    assert process.returncode == 130, err
    assert out == ""
    assert "kept" in err
    assert "Traceback" not in err
    done = done_so_far(library)
    assert 0 < done < COUNT
    ended = done_by(command(library, second_model, "--reencode"))
    assert (ended["reencoded"], ended["complete"]) == (COUNT - done, True)
