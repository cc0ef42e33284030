"""A small library to be damaged, what a person can ask of it, and ways to look at and mend it."""


import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from visionquery.doctor import Diagnosis, examine
from visionquery.store.base import FileRecord, Fragment, NewImage, Scope
from visionquery.store.checking import Checked, check
from visionquery.store.local import create_local, open_local
from visionquery.testing.store_examples import MODEL, example_image, fill

GONE = range(3, 6)
FILES = {
    f"{number % 5}/Pic_{number}.jpg": example_image(str(number), taken_at="2024-01-01T00:00:00")
    for number in range(60)
}
PAGES = [example_image(f"page {number}") for number in range(3)]


def quiet(*_: object) -> None:
    """Show no progress."""


def look(folder: Path) -> Checked:
    return check(folder, on_progress=quiet)


def mend(folder: Path) -> Diagnosis:
    return examine(folder, mend=True, on_progress=quiet)


def index(folder: Path) -> None:
    """What an indexing does: read what it does not know, and drop what is in no file."""
    with closing(open_local(folder)) as store, store.writing():
        root = store.add_root(os.path.abspath(os.sep + "pictures"))  # noqa: PTH100
        known = store.files(Scope(root.root_id))
        files = [FileRecord(root.root_id, path, 1, 2, image.image_id) for path, image in kept()]
        parts = tuple(Fragment(f"page={n}", each.image_id) for n, each in enumerate(PAGES, start=1))
        files.append(FileRecord(root.root_id, "a.pdf", 1, 2, None, fragments=parts))
        files.append(FileRecord(root.root_id, "broken.jpg", 1, 2, None, "it is not whole"))
        new = [file for file in files if known.get(file.path) != file]
        images: list[NewImage] = [*PAGES, *(image for _, image in kept())]
        wanted = {part.image_id for file in new for part in (file, *file.fragments)}
        store.write([image for image in images if image.image_id in wanted], new)
        strange = known.keys() - {file.path for file in files}
        store.forget([(root.root_id, path) for path in strange])
        store.prune()


def kept() -> Sequence[tuple[str, NewImage]]:
    return [pair for number, pair in enumerate(FILES.items()) if number not in GONE]


def make(folder: Path) -> Path:
    """Make a library with holes, texts, notes, a file of several images and one of none."""
    with closing(create_local(folder, MODEL)) as store:
        fill(store, FILES, home=os.path.abspath(os.sep + "pictures"))  # noqa: PTH100
        with store.writing():
            paths = list(FILES)
            store.forget([(1, paths[number]) for number in GONE])
            store.prune()
            store.write_texts({row: f"text of {row}" for row in range(10, 20)})
            store.write_measures(0, np.ones((60, 1), np.float32))
    index(folder)
    return folder


def content(folder: Path) -> object:
    """All that a person can ask of a library."""
    with closing(open_local(folder)) as store:
        files = {path: file for root in store.roots() for path, file in
                 store.files(Scope(root.root_id)).items()}  # fmt: skip
        rows = np.flatnonzero(store.alive()).tolist()
        images = {
            record.image_id: (record.facts, record.paths, dict(record.fragments), vector.tobytes())
            for record, vector in zip(store.records(rows), store.vectors(rows), strict=True)
        }
        words = [np.count_nonzero(store.holding(word)) for word in ("pic", "näme 7", "pic 17")]
        roots = [(root.location, root.whole) for root in store.roots()]
        return files, images, words, roots, store.model, store.image_count()


def sql(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / "catalog.sqlite")) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def flip(path: Path, place: int, bits: int = 1) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        (before,) = file.read(1)
        file.seek(place)
        file.write(bytes([before ^ bits]))
