"""Make the library of an older version, with the code of its time.

    PYTHONPATH=CHECKOUT/src python tests/libraries/make_library.py tests/libraries/v3.zip

Run by hand, once for every version; `README.md` says with which commits that was done.
"""

import sys
import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from visionquery.store.base import FileRecord, NewImage
from visionquery.store.local import create_local
from visionquery.testing.store_examples import MODEL, example_image
from visionquery.types import ModelIdentity

NAMES = ["Italy/Rome_1.JPG", "Italy/d\udcff \N{SNOWMAN}.png", "gone.jpg", "BeachTrip.jpeg"]
NEXT = ModelIdentity("wide", "f2", 12, "wide")


def main(target: Path) -> None:
    """Make the library and pack it."""
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home, "library")
        # What a store offers depends on its time, not on this one.
        store: Any = create_local(folder, MODEL)
        with store.writing():
            fill(store)
            if hasattr(store, "write_texts"):
                store.write_texts({0: "EXIT\n now", 3: ""})
                store.write_measures(0, np.array([[0.5], [1.5]], np.float32))
            if hasattr(store, "begin_next"):
                store.begin_next(NEXT)
                vectors = [example_image(f"next {row}", embed_dim=12).vector for row in (0, 3)]
                store.write_next([0, 3], np.stack(vectors))
        store.close()
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(folder.rglob("*")):
                archive.write(path, path.relative_to(folder))


def fill(store: Any) -> None:
    """Write images, one of which goes again, and a file without any."""
    root_id = store.add_root("/pictures").root_id
    images = [_image(row) for row in range(len(NAMES))]
    files = [
        FileRecord(root_id, name, 1, 2, image.image_id)
        for name, image in zip(NAMES, images, strict=True)
    ]
    copy = replace(files[0], path="copy of Rome.jpg")
    broken = FileRecord(root_id, "broken.jpg", 1, 2, None, "it is cut off")
    store.write(images, [*files, copy, broken])
    store.forget([(root_id, "gone.jpg")])
    assert store.prune() == 1
    store.set_note("colour", "blue")


def _image(row: int) -> NewImage:
    image = example_image(str(row), taken_at=f"2024-0{row + 1}-01T10:00:00")
    facts = replace(
        image.facts, camera="SONY A7", latitude=48.8, longitude=2.3, caption="At the sea",
        keywords=("Caf\N{LATIN SMALL LETTER E WITH ACUTE}", "x"),
    )  # fmt: skip
    return replace(image, facts=facts)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
