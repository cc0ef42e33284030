"""Reading the text of a library's pictures: what is kept, what is left, and going on."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from visionquery.errors import UnreadableImageError
from visionquery.images.content import image_id
from visionquery.images.limits import Limits
from visionquery.images.ocr import TextReader, open_reader
from visionquery.indexing.ocr import OcrReport, read_texts
from visionquery.indexing.report import Progress
from visionquery.store.base import FileRecord, NewImage, Scope, Store
from visionquery.store.local import create_local, open_local
from visionquery.store.memory import MemoryStore
from visionquery.testing.store_examples import MODEL, example_image

SHADES = 20


class BrightnessReader:
    """Stands for a reader: the text of a picture is its brightness in words; that of a white one
    cannot be read, and a black one has none."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def read(self, pixels: np.ndarray) -> str:
        self.shapes.append(pixels.shape)
        level = int(pixels.mean())
        if level == 255:
            raise UnreadableImageError("the text in it cannot be read")
        return f"level\n\x07shade{level}" if level else ""


class StopError(Exception):
    """Stands for whatever ends a run in its middle."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures of `SHADES` brightnesses in "a", black first, and a white one in "b"."""
    for number in range(SHADES):
        save(tmp_path / "pictures" / "a" / f"{number:02}.png", number)
    save(tmp_path / "pictures" / "b" / "white.png", 255)
    return tmp_path / "pictures"


@pytest.fixture(params=["memory", "local"])
def store(request: pytest.FixtureRequest, folder: Path, tmp_path: Path) -> Iterator[Store]:
    """A store that has the pictures, each folder a root, but no text of them."""
    is_local = request.param == "local"
    made: Store = create_local(tmp_path / "library", MODEL) if is_local else MemoryStore(MODEL)
    fill_from(made, folder)
    yield made
    made.close()


def save(path: Path, level: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (24, 16), (level, level, level)).save(path)


def fill_from(store: Store, folder: Path) -> None:
    images, files = [], []
    with store.writing():
        for place in sorted(folder.iterdir()):
            root = store.add_root(str(place))
            for path in sorted(place.iterdir()):
                known = image_id(path.read_bytes())
                made = example_image(path.name)
                images.append(NewImage(known, made.vector, made.facts))
                files.append(FileRecord(root.root_id, path.name, 1, 2, known))
        store.write(images, files)


def run(
    store: Store,
    reader: TextReader | None = None,
    *,
    scopes: list[Scope] | None = None,
    seen: list[Progress] | None = None,
    threads: int = 2,
) -> OcrReport:
    with store.writing():
        return read_texts(
            store,
            scopes,
            open_reader=lambda: reader or BrightnessReader(),
            on_progress=(seen if seen is not None else []).append,
            limits=Limits(),
            threads=threads,
        )


def scope_of(store: Store, name: str) -> Scope:
    return next(Scope(r.root_id) for r in store.roots() if Path(r.location).name == name)


def unread(store: Store) -> int:
    return int((store.alive() & ~store.text_read()).sum())


def names_with(store: Store, phrase: str) -> list[str]:
    rows = np.flatnonzero(store.alive() & store.holding(phrase)).tolist()
    return [Path(record.paths[0]).name for record in store.records(rows)]


def test_every_picture_gets_its_text(store: Store) -> None:
    seen: list[Progress] = []
    report = run(store, seen=seen)
    assert (report.read, report.with_text, report.left, report.images) == (20, 19, 0, 21)
    assert unread(store) == 0
    assert names_with(store, "shade7") == ["07.png"]
    assert names_with(store, "level shade19") == ["19.png"], "a break between lines is a space"
    assert len(names_with(store, "level")) == SHADES - 1
    assert [p.done for p in seen] == [0, 8, 16, 21]
    assert {p.total for p in seen} == {21}
    assert report.images_per_second > 0


def test_what_cannot_be_read_is_said_once_and_stops_nothing(store: Store, folder: Path) -> None:
    report = run(store)
    (skipped,) = report.skipped
    assert skipped.path == str(folder / "b" / "white.png")
    assert skipped.reason == "the text in it cannot be read"
    assert report.notes == ()
    again = run(store)
    assert (again.read, again.left, again.skipped) == (0, 0, ())
    assert again.images_per_second == 0


def test_only_new_pictures_are_read_again(store: Store, folder: Path) -> None:
    run(store)
    save(folder / "a" / "new.png", 99)
    fill_from(store, folder)
    reader = BrightnessReader()
    report = run(store, reader)
    assert (report.read, report.images, len(reader.shapes)) == (1, 22, 1)
    assert names_with(store, "shade99") == ["new.png"]


def test_a_run_over_a_folder_reads_that_folder(store: Store) -> None:
    report = run(store, scopes=[scope_of(store, "b")])
    assert (report.read, report.images, len(report.skipped)) == (0, 1, 1)
    assert unread(store) == SHADES
    only = Scope(scope_of(store, "a").root_id, "03.png")
    assert run(store, scopes=[only]).read == 1
    assert names_with(store, "level") == ["03.png"]
    assert run(store, scopes=[]).images == 0


def test_an_interrupted_run_goes_on(store: Store) -> None:
    def stop(progress: Progress) -> None:
        if progress.encoded:
            raise StopError

    with store.writing(), pytest.raises(StopError):
        read_texts(
            store, None, open_reader=BrightnessReader, on_progress=stop, limits=Limits(), threads=2
        )
    assert unread(store) == SHADES + 1 - 8
    seen: list[Progress] = []
    report = run(store, seen=seen)
    assert (report.read, seen[0].total) == (12, 13)
    assert unread(store) == 0
    assert len(names_with(store, "level")) == SHADES - 1


def test_what_was_read_is_there_when_the_library_is_opened_again(
    folder: Path, tmp_path: Path
) -> None:
    made = create_local(tmp_path / "library", MODEL)
    fill_from(made, folder)
    run(made)
    made.close()
    opened = open_local(tmp_path / "library")
    assert unread(opened) == 0
    assert names_with(opened, "shade12") == ["12.png"]
    opened.close()


def test_pictures_that_are_gone_or_changed_stay_unread(store: Store, folder: Path) -> None:
    (folder / "a" / "04.png").unlink()
    save(folder / "a" / "05.png", 200)
    report = run(store)
    assert (report.read, report.left) == (18, 2)
    reasons = {Path(item.path).name: item.reason for item in report.skipped}
    assert reasons["04.png"] == reasons["05.png"]
    assert "gone or has changed" in reasons["04.png"]
    assert "visionquery index" in report.notes[0]
    save(folder / "a" / "04.png", 4)
    assert run(store).read == 1


def test_a_folder_that_is_away_is_waited_for(store: Store, folder: Path) -> None:
    away = (folder / "a").rename(folder / "away")
    report = run(store)
    assert (report.read, report.left, len(report.skipped)) == (0, SHADES, 1)
    assert report.notes[0].startswith(f"{folder / 'a'} is not there now, and with it 20 ")
    away.rename(folder / "a")
    assert run(store).read == SHADES


def test_a_copy_elsewhere_is_enough(store: Store, folder: Path) -> None:
    shutil.copy(folder / "a" / "06.png", folder / "b" / "copy.png")
    fill_from(store, folder)
    (folder / "a" / "06.png").unlink()
    report = run(store)
    assert (report.read, report.left) == (SHADES, 0)
    assert names_with(store, "shade6") == ["06.png"]


def test_a_picture_that_cannot_be_decoded_any_more_is_damaged(store: Store, folder: Path) -> None:
    broken = folder / "a" / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    fill_from(store, folder)
    report = run(store)
    assert {Path(item.path).name for item in report.skipped} == {"broken.png", "white.png"}
    assert unread(store) == 0


def test_no_reader_is_opened_when_there_is_nothing_to_read() -> None:
    def refuse() -> TextReader:
        raise AssertionError("a reader is opened")

    store = MemoryStore(MODEL)
    with store.writing():
        report = read_texts(
            store, None, open_reader=refuse, on_progress=lambda _: None, limits=Limits(), threads=2
        )
    assert (report.read, report.images, report.notes) == (0, 0, ())


def test_a_real_reader_finds_a_picture_by_its_words(tmp_path: Path) -> None:
    folder = tmp_path / "pictures" / "scans"
    folder.mkdir(parents=True)
    for name, words in (("one", "Invoice 2024-117"), ("two", "Happy birthday Anna")):
        picture = Image.new("RGB", (400, 120), "white")
        ImageDraw.Draw(picture).text((20, 30), words, fill="black", font_size=30)
        picture.save(folder / f"{name}.jpg", quality=90)
    store = MemoryStore(MODEL)
    fill_from(store, folder.parent)
    report = run(store, open_reader(threads=1))
    assert (report.read, report.with_text, report.skipped) == (2, 2, ()), report.skipped
    assert names_with(store, "happy birthday") == ["two.jpg"]
    assert names_with(store, "invoice") == ["one.jpg"]
