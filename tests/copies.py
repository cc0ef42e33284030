"""Libraries for tests of copying: one with all that a library can have in it, where stores lie, and
what is in one, to be compared."""

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tests.conformance.qdrant_stores import SERVER

from visionquery.store.base import FileRecord, Fragment, Scope, Store
from visionquery.testing.store_examples import HOME, example_image

__all__ = ["KINDS", "PAIRS", "Places", "contents", "make_rich"]

KINDS = ["folder", "postgresql", "qdrant"]
"""Where a library can lie."""

PAIRS = [("folder", kind) for kind in KINDS] + [(kind, "folder") for kind in KINDS[1:]]
"""From where to where it is copied."""


class Places:
    """New places for libraries, of any kind."""

    def __init__(self, folder: Path, fixture: Callable[[str], Any]) -> None:
        self._folder = folder
        self._fixture = fixture
        self._count = 0

    def new(self, kind: str) -> str:
        """Return the place of a library that is not there yet."""
        self._count += 1
        if kind == "postgresql":
            return str(self._fixture("postgres").address())
        folder = self._folder / f"{kind}-{self._count}"
        if kind == "qdrant":
            name = f"copied-{secrets.token_hex(6)}"
            return f"{SERVER}/{name}" if SERVER else f"qdrant://{folder}/{name}"
        return str(folder)


def make_rich(store: Store) -> None:
    """Fill an empty store: roots in roots, names that are no text, files of several images, files
    that were skipped, images in several files, texts, measures, and rows of removed images."""
    with store.writing():
        inner = store.add_root(HOME + "/a/b").root_id
        single = store.add_root("/single", whole=False).root_id
        outer = store.add_root(HOME).root_id
        images = [example_image(f"{number}") for number in range(25)]
        ids = [image.image_id for image in images]
        files = [FileRecord(outer, f"{n:02}.jpg", n, 10 + n, ids[n]) for n in range(12)]
        files += [
            FileRecord(outer, "a/b.jpg", 5, 6, ids[12]),
            FileRecord(outer, "a b/\udce9 京都.jpg", 5, 6, ids[0]),
            FileRecord(outer, "broken.jpg", 5, 6, None, "not a picture that can be read"),
            FileRecord(outer, "film.mp4", 5, 6, None, None, (
                Fragment("t=0", ids[13]), Fragment("t=1.5", None, "it is damaged"),
                Fragment("t=2", ids[13]), Fragment("t=9", ids[14]),
            )),
            FileRecord(inner, "x.jpg", 5, 6, ids[15]),
            FileRecord(inner, "y.jpg", 5, 6, ids[1]),
            FileRecord(single, "z.zip", 5, 6, None, None, tuple(
                Fragment(f"member=a/{number}.jpg", ids[number]) for number in range(2, 18)
            )),
            *(FileRecord(outer, f"own/{n}.jpg", n, n, ids[n]) for n in range(20, 25)),
            FileRecord(outer, "gone-1.jpg", 5, 6, ids[18]),
            FileRecord(outer, "gone-2.jpg", 5, 6, ids[19]),
        ]  # fmt: skip
        store.write(images, files)
        store.forget([(outer, "gone-1.jpg"), (outer, "gone-2.jpg")])
        store.prune()
        rows = store.rows_of(ids)
        store.write_texts({rows[ids[2]]: "", rows[ids[3]]: "an invoice", rows[ids[14]]: "Straße"})
        for image_id in (*ids[0:7], *ids[9:18]):
            value = np.float32(int(image_id[:6], 16) / 2**24)
            store.write_measures(rows[image_id], np.array([[value]], np.float32))
        store.set_note("decoder", "of then")


def contents(store: Store) -> dict[str, object]:
    """Return all that a library means, without the numbers of its rows and roots."""
    with store.reading():
        rows = np.flatnonzero(store.alive()).tolist()
        parts = zip(
            store.records(rows), store.vectors(rows), store.measures(np.array(rows, np.intp)),
            strict=True,
        )  # fmt: skip
        images = {
            record.image_id: (
                record.facts, record.paths, record.text, dict(record.fragments),
                vector.tobytes(), measures.tobytes(),
            )
            for record, vector, measures in parts
        }  # fmt: skip
        files = {
            (root.location, path): (file.size_bytes, file.mtime_ns, file.image_id, file.problem,
                                    file.fragments)
            for root in store.roots()
            for path, file in store.files(Scope(root.root_id)).items()
        }  # fmt: skip
        roots = {(root.location, root.whole) for root in store.roots()}
        return {"images": images, "files": files, "roots": roots, "decoder": store.note("decoder")}
