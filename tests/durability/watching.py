"""A reader that has a library open while it is written to."""

import threading
from pathlib import Path

import numpy as np

from visionquery.errors import LibraryNotFoundError, StoreError
from visionquery.store.base import Scope
from visionquery.store.local import LocalStore, open_local

__all__ = ["Watch", "image_files"]


def image_files(store: LocalStore) -> dict[str, str]:
    """Return the image of every file, by the file's path below its root."""
    with store.reading():
        return {
            path: file.image_id
            for root in store.roots()
            for path, file in store.files(Scope(root.root_id)).items()
            if file.image_id is not None
        }


class Watch:
    """Looks at a library again and again, from a thread of its own with one open store: `seen` has
    the images of the last committed state that it saw, `looks` how often it looked, `done` how many
    images had their vector of a next model then. A context manager: on leaving, it has looked once
    more, at what is there by then."""

    def __init__(self, folder: Path) -> None:
        """Begin to look; the library need not be there yet."""
        self.seen: frozenset[str] | None = None
        self.done = 0
        self.looks = 0
        self.problem: BaseException | None = None
        self._folder = folder
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(30)
        assert not self._thread.is_alive()
        if self.problem is not None:
            raise self.problem

    def _run(self) -> None:
        try:
            while not self._over.wait(0.002):
                self._read_on()
        except BaseException as error:
            self.problem = error

    def _read_on(self) -> None:
        """Read until the end with one open store, or until it says that the model has changed."""
        try:
            store = open_local(self._folder)
        except LibraryNotFoundError:
            return
        try:
            while True:
                last = self._over.is_set()
                self._look(store)
                if last or self._over.wait(0.002):
                    return
        except StoreError as error:
            if "moved to another model" not in str(error):
                raise
        finally:
            store.close()

    def _look(self, store: LocalStore) -> None:
        with store.reading():
            rows = np.flatnonzero(store.alive())
            done = int(store.next_done().sum())
            seen = frozenset(record.image_id for record in store.records(rows.tolist()))
            if len(rows):
                # It can search, and every image is nearest to itself.
                probe = store.vectors(rows[-1:].tolist())
                assert store.scores(probe, rows)[0, -1] > 0.9999
        self.seen, self.done = seen, done
        self.looks += 1
