"""The half of the façade that fills a library and keeps it: open, add, remove, move, back up.

Like the other half, `library`, it holds a store and, once needed, an encoder, and passes data
between the rooms below. It never prints; what a person should see goes through the callbacks.
"""

import os
import threading
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Self

from visionquery import given
from visionquery.errors import InputError
from visionquery.given import Place
from visionquery.indexing.places import forget, move
from visionquery.looking import Looker
from visionquery.opening import Fetch, asked_model, source_of
from visionquery.store.base import Compaction, Store
from visionquery.types import ModelIdentity

if TYPE_CHECKING:
    from visionquery.indexing.keeping import Pace
    from visionquery.indexing.ocr import OcrReport
    from visionquery.indexing.places import Removal
    from visionquery.indexing.reencode import ReencodeReport
    from visionquery.indexing.regions import RegionsReport
    from visionquery.indexing.report import IndexReport, Progress
    from visionquery.models.encoder import Encoder
    from visionquery.store.backup import BackedUp

__all__ = ["FilledLibrary"]


def _ignore(*_: object) -> None:
    """Stand in for a callback nobody gave."""


class FilledLibrary:
    """A library as far as it is opened, filled and kept: `Library` adds what it can be asked."""

    def __init__(
        self,
        store: Store,
        load_encoder: "Callable[[ModelIdentity], Encoder]",
        *,
        threads: int = 0,
        open_again: Callable[[], Store] | None = None,
        looks: Place | None = None,
    ) -> None:
        """Join a store with a way to get the encoder of a model, asked for at first need, and to
        open the store once more; `looks` is that of `open`."""
        self._store = store
        self._load_encoder, self._open_again = load_encoder, open_again
        self._threads = threads or os.cpu_count() or 1
        self._left: list[Store] = []
        self._looker = Looker(load_encoder, looks, self._threads)

    @classmethod
    def open(
        cls,
        location: Place,
        *,
        model: Place | None = None,
        create: bool = False,
        offline: bool = False,
        threads: int = 0,
        looks: Place | None = None,
        on_note: Callable[[str], None] = _ignore,
        on_download: Callable[[str, int, int], None] = _ignore,
    ) -> Self:
        """Open the library in a folder; with `create`, make it where there is none.

        `model` is a catalog name, an alias or a model folder: for a new library the model of
        all its vectors, for an existing one a check. None and "auto" stand for the library's
        own model or, for a new one, the automatic choice. `offline` never touches the network.
        `threads` decode and encode, 0 for one per core. `looks` is a folder that keeps what second
        looks see, for all libraries; None keeps it while this one is open. `on_note` gets sentences
        for a person, `on_download` (file, done_bytes, total_bytes).

        Raises LibraryNotFoundError, StoreError, SchemaTooNewError, ModelMismatchError,
        UnknownModelError, InputError for a wrong number of threads, and for a new library without
        weights WeightsMissingError.
        """
        fetch = Fetch(offline=offline, on_note=on_note, on_download=on_download)
        source = source_of(location, model, fetch, threads)
        store = source.store(create=create)
        again = source.store
        return cls(store, source.encoder, threads=threads, open_again=again, looks=looks)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release files and memory."""
        for store in (*self._left, self._store):
            store.close()

    def renew(self) -> None:
        """Open the library once more in its place, after a LibraryReplacedError: others moved it to
        another model, compacted or restored it. Threads that are using it finish with what they
        have. Raises what `open` does."""
        if self._open_again is not None:
            before, self._store = self._store, self._open_again()
            self._left.append(before)  # Somebody may still be reading it.
            if before.model.fingerprint != self._store.model.fingerprint:
                self.__dict__.pop("encoder", None)

    @cached_property
    def encoder(self) -> "Encoder":
        """The library's encoder, loaded at first need.

        Raises ModelError where it is missing or broken.
        """
        return self._load_encoder(self._store.model)

    # -- filling ---------------------------------------------------------------------------
    def add(
        self,
        *paths: Place,
        on: str | None = None,
        on_progress: "Callable[[Progress], None]" = _ignore,
    ) -> "IndexReport":
        """Bring the library up to date with folders or single files.

        Only what is new or changed is encoded; files that are gone leave the library, but those
        of a named folder that is not there, or is empty as the place of an unplugged disk is,
        stay, and a note says so. Every batch is kept as it is finished, so an interrupted run
        loses nothing and the next one goes on from there. `on` is a Ray cluster that reads and
        encodes (ray://HOST:PORT, or "ray"; extra `ray`). Raises, before anything is changed,
        InputError for a path that is neither there nor known, and for a file that is no picture
        by its name; LibraryBusyError when another process is writing; EngineError where the
        cluster fails.
        """
        from visionquery import filling

        return filling.add(
            self._store, lambda: self.encoder, given.places(self._store, paths),
            on=on, on_progress=on_progress, threads=self._threads,
        )  # fmt: skip

    def watch(
        self,
        *paths: Place,
        pace: "Pace | None" = None,
        polling: bool = False,
        before_run: Callable[[], None] = _ignore,
        on_progress: "Callable[[Progress], None]" = _ignore,
        on_report: "Callable[[IndexReport], None]" = _ignore,
        on_note: Callable[[str], None] = _ignore,
        stop: threading.Event | None = None,
    ) -> None:
        """Bring the library up to date with folders or files, and keep it so until `stop` is set.

        What is not there is waited for, and so is a library that another process writes to. Each
        run is one `add` of what changed: `before_run` comes before it, its report goes to
        `on_report`. `polling` looks at everything now and then instead of being told of changes.
        Raises InputError as `add` does, and without the extra `watch` unless `polling`.
        """
        from visionquery import filling

        filling.watch(
            self._store, lambda: self.encoder, given.places(self._store, paths), pace=pace,
            polling=polling, before_run=before_run, on_progress=on_progress,
            on_report=on_report, on_note=on_note, stop=stop or threading.Event(),
            threads=self._threads,
        )  # fmt: skip

    def reencode(
        self, model: Place | None = None, *, on_progress: "Callable[[Progress], None]" = _ignore
    ) -> "ReencodeReport":
        """Move the library to another model, given like that of `open`: encode all images anew.

        None goes on with a move that was begun. The old model answers until every image has its
        new vector, and goes then. Every batch is kept as it is finished, so that the next run
        goes on from there; a run for a third model gives up what there was for the second, and
        one for the library's own model that too. Images whose files are not there now, or have
        changed, keep the library on the old model; the report says what to do. Raises InputError
        where no model is named, ModelError where it is missing or broken, LibraryBusyError when
        another process is writing.
        """
        from visionquery import filling

        spec = asked_model(model)
        wanted = self.moving_to if spec is None else spec.identity
        if wanted is None or (spec is None and model is not None):
            raise InputError("Name the model that the library is to move to; it is not chosen.")
        report, encoder = filling.reencode(
            self._store,
            wanted,
            self._load_encoder,
            lambda: self.encoder,
            on_progress=on_progress,
            threads=self._threads,
        )
        if encoder is not None:
            self.encoder = encoder
        return report

    def read_texts(
        self, *paths: Place, on_progress: "Callable[[Progress], None]" = _ignore
    ) -> "OcrReport":
        """Read the text inside the pictures of folders or files, without any of the whole
        library, that was not read yet; `add` comes before.

        Every batch is kept as it is finished. Images whose files are not there now, or have
        changed, stay unread; the report says what to do. Raises InputError for a path that is not
        in the library and without the extra `ocr`, ModelError where that does not work, and
        LibraryBusyError when another process is writing.
        """
        from visionquery import filling

        return filling.read_texts(
            self._store, given.places(self._store, paths),
            on_progress=on_progress, threads=self._threads,
        )  # fmt: skip

    def add_regions(
        self, *paths: Place, on_progress: "Callable[[Progress], None]" = _ignore
    ) -> "RegionsReport":
        """Look at the pictures of folders or files, without any of the whole library, once more in
        parts, so that small things are found, with where they are; `add` comes before.

        Pictures that have regions are passed over, and every batch is kept as it is finished.
        Images whose files are not there now, or have changed, get none; the report says what to
        do. Raises InputError for a path that is not in the library, and for a library at an
        address, which keeps no regions; ModelError; LibraryBusyError when another process is
        writing.
        """
        from visionquery import filling

        return filling.add_regions(
            self._store, lambda: self.encoder, given.places(self._store, paths),
            on_progress=on_progress, threads=self._threads,
        )  # fmt: skip

    def drop_regions(self) -> None:
        """Forget the regions of all images."""
        with self._store.writing():
            self._store.drop_regions()

    def remove(self, *paths: Place) -> "Removal":
        """Forget folders or files; no picture is touched.

        Raises InputError, before anything is changed, for a path of which nothing is known.
        """
        places = given.places(self._store, paths)
        with self._store.writing():
            return forget(self._store, places)

    def move_root(self, old: Place, new: Place) -> None:
        """Say that the folder `old`, indexed or in an indexed one, now lies at `new`; nothing
        is encoded again.

        Raises InputError when nothing of `old` is known or `new` is not there.
        """
        (before,), after = given.places(self._store, old), given.place(new)
        with self._store.writing():
            move(self._store, before, after)

    def compact(self) -> Compaction:
        """Give back the room of removed images, which keep their place on disk until then.

        The library is written anew beside itself, and takes its place in one step: it needs about
        as much free room as it takes, and whatever stops it leaves it as it was. Programs that
        have it open elsewhere must open it again. Raises StoreError while the library is being
        moved to another model, LibraryBusyError when another process is writing.
        """
        from visionquery import filling

        return filling.compact(self._store)

    def backup(
        self, to: Place, *, on_progress: Callable[[str, int, int], None] = _ignore
    ) -> "BackedUp":
        """Copy the library as it is now to another folder, while others read it and write to it.

        The folder is new or empty, or has an older copy of this library, which is brought up to
        date: only what came since is copied. The copy is checked before it counts, and is a library
        of its own. `on_progress` gets (what, done_bytes, total_bytes). Raises StoreError where the
        folder is none of these or cannot be written to, and where the library itself is damaged;
        InputError for a library at an address.
        """
        from visionquery import filling

        return filling.backup(self._store, given.place(to), on_progress=on_progress)

    @property
    def moving_to(self) -> ModelIdentity | None:
        """The model that the library is on its way to, None when it is not."""
        return self._store.next_model()
