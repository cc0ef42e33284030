"""A library moves to another model: what it answers on the way, and what keeps it waiting."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from visionquery import Library
from visionquery.errors import InputError, ModelError, StoreError, UnreadableImageError
from visionquery.images import workers
from visionquery.images.content import Content
from visionquery.indexing.report import Progress
from visionquery.search.background import BACKGROUND_NOTE
from visionquery.store.base import Scope
from visionquery.store.local import open_local
from visionquery.testing.tiny_model import make_tiny_model


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two models of colours whose vectors do not compare with those of `tiny_model`."""
    home = tmp_path_factory.mktemp("models")
    return [make_tiny_model(home / str(seed), seed=seed) for seed in (1, 2)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "library"


@pytest.fixture
def library(folder: Path, tiny_model: Path, pictures: Path) -> Iterator[Library]:
    with Library.open(folder, model=tiny_model, create=True) as opened:
        opened.add(pictures)
        yield opened


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a library with its image's vector."""
    store = open_local(folder)
    found = {}
    for root in store.roots():
        for file in store.files(Scope(root.root_id)).values():
            if file.image_id is not None:
                vector = store.vectors(store.find(file.image_id))[0]
                found[f"{root.location}/{file.path}"] = vector.tobytes()
    store.close()
    return found


def fresh(folder: Path, model: Path, pictures: Path) -> dict[str, bytes]:
    """What a library that was by this model from the start has."""
    with Library.open(folder, model=model, create=True) as made:
        made.add(pictures)
    return content(folder)


class StopError(Exception):
    """Stands for whatever ends a run in its middle."""


def stop_in_the_middle(library: Library, model: Path) -> int:
    """Re-encode until some images are done, and return how many."""

    def watch(progress: Progress) -> None:
        if progress.encoded:
            raise StopError

    with pytest.raises(StopError):
        library.reencode(model, on_progress=watch)
    status = library.status().reencoding
    assert status is not None
    return status.done


def firsts(library: Library, *colours: str) -> list[set[str]]:
    return [{Path(h.path).stem for h in library.search(c, limit=2).hits} for c in colours]


def add_pictures(folder: Path, number: int) -> None:
    """More than one batch of pictures."""
    random = np.random.default_rng(5)
    from PIL import Image

    for index in range(number):
        pixels = random.integers(0, 255, (24, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"more-{index:02}.png")


def test_it_ends_as_a_library_that_was_never_another(
    library: Library, folder: Path, models: list[Path], pictures: Path, tmp_path: Path
) -> None:
    seen: list[Progress] = []
    report = library.reencode(models[0], on_progress=seen.append)
    assert (report.reencoded, report.left, report.images, report.complete) == (12, 0, 12, True)
    assert (report.model, report.skipped, report.notes) == ("tiny-1", (), ())
    assert report.images_per_second > 0
    assert [(p.done, p.total) for p in seen][0::len(seen) - 1] == [(0, 12), (12, 12)]
    status = library.status()
    assert (status.model, status.images, status.reencoding) == ("tiny-1", 12, None)
    assert content(folder) == fresh(tmp_path / "fresh", models[0], pictures)


def test_it_answers_by_the_new_model_at_once_and_when_opened_again(
    library: Library, folder: Path, models: list[Path], pictures: Path
) -> None:
    before = [(hit.path, round(hit.score, 4)) for hit in library.search("red", limit=4).hits]
    library.reencode(models[0])
    assert library.search("red").model == "tiny-1"
    assert firsts(library, "red", "blue") == [{"red"}, {"blue"}]
    assert library.add(pictures).unchanged == 12
    library.close()
    with Library.open(folder) as again:
        assert firsts(again, "red", "green") == [{"red"}, {"green"}]
        after = [(hit.path, round(hit.score, 4)) for hit in again.search("red", limit=4).hits]
    assert [path for path, _ in after[:2]] == [path for path, _ in before[:2]]


def background(folder: Path) -> str | None:
    store = open_local(folder)
    note = store.note(BACKGROUND_NOTE)
    store.close()
    return note


def test_the_background_is_measured_with_the_new_model(
    library: Library, folder: Path, models: list[Path], pictures: Path, tmp_path: Path
) -> None:
    before = background(folder)
    library.reencode(models[0])
    with Library.open(tmp_path / "fresh", model=models[0], create=True) as made:
        made.add(pictures)
    assert background(folder) not in (None, before)
    assert background(folder) == background(tmp_path / "fresh")


def test_the_old_model_answers_until_all_is_done(
    library: Library, folder: Path, models: list[Path], pictures: Path, tmp_path: Path
) -> None:
    add_pictures(pictures, 40)
    library.add(pictures)
    before = library.search("red", min_confidence=0)
    old = content(folder)
    done = stop_in_the_middle(library, models[0])
    assert 0 < done < 52
    after = library.search("red", min_confidence=0)
    assert (after.model, after.hits) == (before.model, before.hits)
    assert content(folder) == old
    library.close()
    with Library.open(folder) as again:
        report = again.reencode(models[0])
    assert (report.reencoded, report.complete) == (52 - done, True)
    assert report.notes == (f"Went on from {done} images encoded before.",)
    assert content(folder) == fresh(tmp_path / "fresh", models[0], pictures)


def test_pictures_come_and_go_meanwhile(
    library: Library, folder: Path, models: list[Path], pictures: Path, tmp_path: Path
) -> None:
    add_pictures(pictures, 30)
    library.add(pictures)
    stop_in_the_middle(library, models[0])
    for path in ("one/red.png", "two/blue.jpg", "more-29.png"):
        (pictures / path).unlink()
    (pictures / "two").rename(pictures / "three")
    shutil.copy(pictures / "one" / "green.png", pictures / "copy.png")
    for index in range(3):
        picture = pictures / f"more-{index:02}.png"
        picture.write_bytes(picture.read_bytes() + b"changed")
    assert library.add(pictures).updated == 3
    assert library.status().model == "tiny"
    assert library.reencode(models[0]).complete
    assert content(folder) == fresh(tmp_path / "fresh", models[0], pictures)


def test_a_disk_that_is_not_there_keeps_the_old_model(
    library: Library, folder: Path, models: list[Path], pictures: Path
) -> None:
    away = pictures.rename(pictures.with_name("away"))
    second = away.with_name("second")
    shutil.copytree(away / "one", second)
    (second / "red.png").write_bytes((second / "red.png").read_bytes() + b"other")
    library.add(second)
    report = library.reencode(models[0])
    assert (report.reencoded, report.left, report.images) == (6, 7, 13)
    assert not report.complete
    assert report.skipped == ()
    (note,) = report.notes
    assert note.startswith(f"{pictures} is not there now, and with it 7 of those left: plug")
    assert library.search("red").model == "tiny"
    pictures.mkdir()
    assert library.reencode(models[0]).left == 7, "an empty folder is an unplugged disk"
    pictures.rmdir()
    away.rename(pictures)
    report = library.reencode(models[0])
    assert (report.reencoded, report.complete) == (7, True)
    assert library.search("red").model == "tiny-1"


def test_changed_files_keep_the_old_model_until_they_are_indexed(
    library: Library, models: list[Path], pictures: Path
) -> None:
    changed, gone = pictures / "one" / "red.png", pictures / "two" / "red.jpg"
    changed.write_bytes(changed.read_bytes() + b"more")
    gone.unlink()
    report = library.reencode(models[0])
    assert (report.reencoded, report.left, report.complete) == (10, 2, False)
    assert {skipped.path for skipped in report.skipped} == {str(changed), str(gone)}
    assert "visionquery index" in report.notes[0]
    library.add(pictures)
    report = library.reencode(models[0])
    assert (report.reencoded, report.images, report.complete) == (1, 11, True)


def test_a_picture_that_is_no_longer_decoded_can_be_taken_out(
    library: Library, models: list[Path], pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = (pictures / "one" / "red.png").read_bytes()
    whole = workers.decode

    def narrower(content: Content, **options: object) -> object:
        if content.data == bad:
            raise UnreadableImageError("not a picture that can be read: it is damaged")
        return whole(content, **options)

    monkeypatch.setattr(workers, "decode", narrower)
    report = library.reencode(models[0])
    assert (report.left, report.skipped[0].reason) == (
        1, "not a picture that can be read: it is damaged",
    )
    assert "visionquery remove" in report.notes[0]
    library.remove(report.skipped[0].path)
    report = library.reencode(models[0])
    assert (report.reencoded, report.complete, report.images) == (0, True, 11)


def test_a_third_model_gives_the_second_up(
    library: Library, folder: Path, models: list[Path], pictures: Path, tmp_path: Path
) -> None:
    add_pictures(pictures, 30)
    library.add(pictures)
    done = stop_in_the_middle(library, models[0])
    report = library.reencode(models[1])
    assert report.notes == (f"The move to tiny-1 is given up, with {done} images encoded for it.",)
    assert (report.reencoded, report.complete) == (42, True)
    assert content(folder) == fresh(tmp_path / "fresh", models[1], pictures)


def test_its_own_model_means_nothing_to_do(
    library: Library, tiny_model: Path, models: list[Path], pictures: Path
) -> None:
    report = library.reencode(tiny_model)
    assert (report.reencoded, report.left, report.images, report.complete) == (0, 0, 12, True)
    assert "already" in report.notes[0]
    add_pictures(pictures, 30)
    library.add(pictures)
    stop_in_the_middle(library, models[0])
    report = library.reencode(tiny_model)
    assert report.notes[1] == "The move to tiny-1 is given up."
    assert library.status().reencoding is None


def test_a_broken_model_changes_nothing(
    library: Library, models: list[Path], pictures: Path, tmp_path: Path
) -> None:
    add_pictures(pictures, 30)
    library.add(pictures)
    done = stop_in_the_middle(library, models[0])
    for part in ("text.onnx", "image.onnx"):
        broken = shutil.copytree(models[1], tmp_path / part)
        (broken / part).write_bytes(b"not a model")
        with pytest.raises(ModelError):
            library.reencode(broken)
    status = library.status().reencoding
    assert status is not None
    assert (status.model, status.done, status.images) == ("tiny-1", done, 42)
    with pytest.raises(InputError, match="Name the model"):
        library.reencode("auto")


def test_a_library_whose_old_model_is_lost_can_move(
    tmp_path: Path, models: list[Path], pictures: Path
) -> None:
    lost = shutil.copytree(models[1], tmp_path / "lost")
    with Library.open(tmp_path / "library", model=lost, create=True) as made:
        made.add(pictures)
    shutil.rmtree(lost)
    with Library.open(tmp_path / "library") as library:
        with pytest.raises(ModelError):
            library.search("red")
        assert library.reencode(models[0]).complete
        assert firsts(library, "red") == [{"red"}]


def test_an_empty_library_moves(tmp_path: Path, tiny_model: Path, models: list[Path]) -> None:
    with Library.open(tmp_path / "library", model=tiny_model, create=True) as library:
        report = library.reencode(models[0])
        assert (report.images, report.complete, report.images_per_second) == (0, True, 0)
        assert library.status().model == "tiny-1"


def test_a_library_open_elsewhere_says_that_it_moved(
    library: Library, folder: Path, models: list[Path], pictures: Path
) -> None:
    with Library.open(folder) as other:
        assert firsts(other, "red") == [{"red"}]
        library.reencode(models[0])
        with pytest.raises(StoreError, match="open it again"):
            other.search("red")
        with pytest.raises(StoreError, match="open it again"):
            other.add(pictures)
        with pytest.raises(StoreError, match="open it again"):
            other.reencode(models[1])
