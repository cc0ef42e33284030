"""A server goes on when another process compacts its library, or moves it to another model."""

import subprocess
import sys
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from visionquery import Library
from visionquery.errors import LibraryReplacedError
from visionquery.server import ServerSettings, create_app
from visionquery.testing.tiny_model import make_tiny_model


def run(*arguments: object) -> None:
    command = [sys.executable, "-m", "visionquery", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def place(tmp_path: Path, tiny_model: Path, pictures: Path) -> Path:
    """A library with holes."""
    with Library.open(tmp_path / "library", model=tiny_model, create=True) as library:
        library.add(pictures)
        library.remove(pictures / "one")
    return tmp_path / "library"


@pytest.fixture
def api(place: Path, tmp_path: Path):
    settings = ServerSettings(thumbnails=tmp_path / "small")
    with (
        Library.open(place) as library,
        TestClient(create_app(library, settings), base_url="http://127.0.0.1:8000") as client,
    ):
        yield client


def found(api: TestClient) -> list[str]:
    answer = api.get("/api/v1/search", params={"q": "red", "min_confidence": 0})
    assert answer.status_code == 200, answer.text
    return [hit["image_id"] for hit in answer.json()["results"]]


def test_a_compacted_library_is_taken_up(api: TestClient, place: Path) -> None:
    before = found(api)
    run("compact", "--library", place)
    assert found(api) == before
    assert api.get(f"/api/v1/images/{before[0]}").status_code == 200
    assert api.get(f"/api/v1/images/{before[0]}/thumbnail").status_code == 200


def test_another_model_is_taken_up(api: TestClient, place: Path, tmp_path: Path) -> None:
    before = found(api)
    make_tiny_model(tmp_path / "other", seed=9)
    run("index", "--reencode", "--model", tmp_path / "other", "--library", place)
    assert sorted(found(api)) == sorted(before)
    assert api.get("/api/v1/status").json()["model"] == "tiny-9"


def test_a_library_in_python_is_renewed(place: Path) -> None:
    with Library.open(place) as library:
        before = [hit.image_id for hit in library.search("red", min_confidence=0.0)]
        run("compact", "--library", place)
        with pytest.raises(LibraryReplacedError, match="open it again"):
            library.search("red")
        library.renew()
        assert [hit.image_id for hit in library.search("red", min_confidence=0.0)] == before
