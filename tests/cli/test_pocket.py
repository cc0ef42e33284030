"""The model in the box: small enough, whole, and as good as its card says."""

import json
from pathlib import Path

import pytest

from visionquery.cli.app import run
from visionquery.models.catalog import resolve
from visionquery.models.weights import size_bytes, verify

CARD = Path(__file__).parents[2] / "src" / "visionquery" / "models" / "pocket" / "CARD.md"


def test_it_is_small_and_every_file_is_the_one_that_was_measured():
    spec = resolve("pocket")
    assert size_bytes(spec) < 24e6
    assert all(check.ok for check in verify(spec))


def test_the_card_tells_data_method_figures_limits_and_licence():
    headings = {line[3:] for line in CARD.read_text("utf-8").splitlines() if line[:3] == "## "}
    assert {"Figures", "Method", "Data", "Limits and bias", "Licence"} <= headings


def test_it_finds_photographs_it_never_saw(own_settings, flickr, capsys):
    assert run(["eval", str(flickr / "captions.jsonl"), "--model", "pocket", "--json", "-q"]) == 0
    rates = json.loads(capsys.readouterr().out)["hit_rate"]
    assert rates["10"] == pytest.approx(0.430, abs=0.01)
    assert rates["5"] == pytest.approx(0.317, abs=0.01)
    assert rates["1"] == pytest.approx(0.111, abs=0.01)


def test_a_new_library_without_a_hub_takes_it_and_says_so(own_settings, pictures, capsys):
    assert run(["index", str(pictures)]) == 0
    (note,) = [line for line in capsys.readouterr().err.splitlines() if "pocket" in line]
    assert "--reencode --model clip-vit-base-patch32" in note
    assert run(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["model"] == "pocket"
