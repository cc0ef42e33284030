"""Where in a picture something is, by the model in the box and by colours."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from visionquery import Library
from visionquery.cli.demo import photographs_folder
from visionquery.errors import ImageNotFoundError, InputError
from visionquery.query.ast import Box
from visionquery.query.grammar import parse
from visionquery.seeing import Heatmap

SCENE = (900, 600)
CAT = Box(60.0, 10.0, 35.0, 35.0)
MOTORCYCLE = Box(4.0, 55.0, 36.0, 36.0)


@pytest.fixture(scope="module")
def photographs() -> Path:
    pytest.importorskip("skimage")
    return photographs_folder()


@pytest.fixture(scope="module")
def scene(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cat and a motorcycle, pasted small on gravel."""
    ground = Image.open(photographs / "gravel.png").convert("RGB").resize(SCENE)
    for name, box in (("chelsea.png", CAT), ("motorcycle_left.png", MOTORCYCLE)):
        size = (round(box.width * 9), round(box.height * 6))
        pasted = Image.open(photographs / name).convert("RGB").resize(size)
        ground.paste(pasted, (round(box.left * 9), round(box.top * 6)))
    path = tmp_path_factory.mktemp("scene") / "scene.png"
    ground.save(path)
    return path


@pytest.fixture(scope="module")
def library(
    scene: Path, photographs: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Library]:
    folder = tmp_path_factory.mktemp("seeing") / "library"
    with Library.open(folder, model="pocket", create=True) as opened:
        opened.add(scene, *(photographs / f"{name}.png" for name in ("coffee", "brick", "page")))
        yield opened


def peak(found: Heatmap) -> tuple[float, float]:
    """Where a map is hottest, in percent from the left and the top."""
    y, x = np.unravel_index(int(found.grid.argmax()), found.grid.shape)
    height, width = found.grid.shape
    return (x + 0.5) * 100 / width, (y + 0.5) * 100 / height


def lies_in(at: tuple[float, float], box: Box) -> bool:
    x, y = at
    return box.left <= x <= box.left + box.width and box.top <= y <= box.top + box.height


def overlap(one: Box, other: Box) -> float:
    across = min(one.left + one.width, other.left + other.width) - max(one.left, other.left)
    down = min(one.top + one.height, other.top + other.height) - max(one.top, other.top)
    both = max(across, 0) * max(down, 0)
    return both / (one.width * one.height + other.width * other.height - both)


@pytest.mark.parametrize(("query", "box"), [("a cat", CAT), ("a motorcycle", MOTORCYCLE)])
def test_what_is_pasted_is_found(library: Library, scene: Path, query: str, box: Box) -> None:
    found = library.heatmap(scene, query)
    assert lies_in(peak(found), box)
    assert overlap(found.box, box) > 0.3
    assert found.is_weak == (query == "a motorcycle")  # which is small to this model
    assert found.query == query
    assert found.grid.shape == (64, 96)
    assert 0 <= found.grid.min() < 0.1 < found.grid.max() <= 1


def test_what_is_not_there_is_said_to_be_weak(library: Library, scene: Path) -> None:
    for query in ("an airplane", "a violin", "a castle"):
        found = library.heatmap(scene, query)
        assert found.is_weak, query
        assert found.grid.max() < 0.4


def test_each_part_has_its_map(library: Library, scene: Path) -> None:
    found = library.heatmap(scene, "a cat AND a motorcycle -people path:scene")
    assert [text for text, _ in found.parts] == ["a cat", "a motorcycle"]
    alone = [library.heatmap(scene, text).grid for text, _ in found.parts]
    for (_, part), one in zip(found.parts, alone, strict=True):
        assert part.grid == pytest.approx(one, abs=1e-4)
    assert found.grid == pytest.approx(np.maximum(*alone), abs=1e-4)
    either = library.heatmap(scene, "a cat OR a motorcycle")
    assert either.grid == pytest.approx(found.grid, abs=1e-4)
    twice = library.heatmap(scene, "NOT (NOT a cat)")
    assert twice.grid == pytest.approx(alone[0], abs=1e-4)


def test_a_picture_can_be_looked_for(library: Library, scene: Path, photographs: Path) -> None:
    content = (photographs / "chelsea.png").read_bytes()
    found = library.heatmap(scene, "image:upload", pictures={"upload": content})
    assert lies_in(peak(found), CAT)
    assert not found.is_weak


def test_an_image_is_named_by_its_id_or_its_beginning(library: Library, scene: Path) -> None:
    by_file = library.heatmap(scene, "a cat")
    for name in (by_file.image_id, by_file.image_id[:9]):
        assert (library.heatmap(name, parse("a cat")).grid == by_file.grid).all()


@pytest.mark.parametrize("query", ["ext:png", "-cat", "NOT (a cat OR a dog)"])
def test_a_query_that_asks_for_nothing_to_see_is_refused(library, scene, query: str) -> None:
    with pytest.raises(InputError, match="a heatmap needs a description"):
        library.heatmap(scene, query)


def test_an_image_of_which_nothing_is_known_is_refused(library: Library, photographs: Path):
    with pytest.raises(ImageNotFoundError, match="no image"):
        library.heatmap(photographs / "moon.png", "a cat")


def test_a_file_that_is_gone_is_told(tiny_model: Path, paint, tmp_path: Path) -> None:
    picture = paint(tmp_path / "red.png", "red", 1)
    with Library.open(tmp_path / "library", model=tiny_model, create=True) as opened:
        opened.add(picture)
        (image_id,) = [hit.image_id for hit in opened.search("ext:png")]
        picture.unlink()
        with pytest.raises(ImageNotFoundError, match="gone or has changed"):
            opened.heatmap(image_id, "red")


def test_the_map_is_that_of_the_upright_picture(tiny_model: Path, tmp_path: Path) -> None:
    pixels = np.full((300, 200, 3), 245, np.uint8)
    pixels[:100] = (200, 30, 30)
    turned = Image.Exif()
    turned[0x0112] = 6  # a quarter to the right: what was on top is on the right
    path = tmp_path / "turned.png"
    Image.fromarray(pixels).save(path, exif=turned)
    with Library.open(tmp_path / "library", model=tiny_model, create=True) as opened:
        opened.add(path)
        found = opened.heatmap(path, "red")
    assert found.picture.shape == (200, 300, 3)
    assert lies_in(peak(found), Box(60, 0, 40, 100))
