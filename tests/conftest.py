"""What many tests stand on: a generated model of colours, pictures that it understands, and,
where they are, the shared real model and photographs."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from visionquery.testing.tiny_model import make_tiny_model

SHARED = Path(__file__).parents[2] / "shared"
COLOURS = {
    "red": (200, 30, 30),
    "green": (30, 160, 40),
    "blue": (30, 50, 200),
    "yellow": (230, 210, 40),
    "black": (15, 15, 15),
    "white": (245, 245, 245),
}


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder whose towers know colours."""
    return make_tiny_model(tmp_path_factory.mktemp("tiny-model"))


@pytest.fixture(scope="session")
def lit_tiny() -> Path:
    """The shared real encoder."""
    folder = SHARED / "models" / "lit-tiny"
    if not folder.is_dir():
        pytest.skip("the shared model lit-tiny is not here")
    return folder


@pytest.fixture(scope="session")
def flickr() -> Path:
    """The shared folder of 1,000 captioned photographs."""
    folder = SHARED / "data" / "flickr8k-dev"
    if not folder.is_dir():
        pytest.skip("the shared photographs of flickr8k-dev are not here")
    return folder


def paint(path: Path, colour: str, seed: int) -> Path:
    """Save a picture of one colour with a little noise, so that no two have the same bytes."""
    noise = np.random.default_rng(seed).integers(-12, 13, (48, 64, 3))
    pixels = np.clip(np.array(COLOURS[colour]) + noise, 0, 255).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of twelve pictures, two of each colour, in two subfolders."""
    folder = tmp_path / "pictures"
    for number, colour in enumerate(COLOURS):
        paint(folder / "one" / f"{colour}.png", colour, number)
        paint(folder / "two" / f"{colour}.jpg", colour, 100 + number)
    return folder


@pytest.fixture
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No setting of the person who runs the tests leaks in; the library is in `tmp_path`."""
    for name in ("MODEL", "OFFLINE", "THREADS"):
        monkeypatch.delenv(f"VISIONQUERY_{name}", raising=False)
    config = tmp_path / "config.toml"
    config.touch()
    library = tmp_path / "library"
    monkeypatch.setenv("VISIONQUERY_CONFIG", str(config))
    monkeypatch.setenv("VISIONQUERY_LIBRARY", str(library))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "no-hub-cache"))
    monkeypatch.setenv("COLUMNS", "100")
    return library
