"""The façade: one object for a library of images that can be asked in words. It never prints;
what a person should see goes through the callbacks."""

import os
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Self

from visionquery import given
from visionquery.asking import (
    NO_PICTURES,
    Wanted,
    answer,
    explain,
    known_image,
    original,
    picture_id,
)
from visionquery.errors import InputError
from visionquery.given import Place
from visionquery.images.limits import DEFAULT_LIMITS, Limits
from visionquery.indexing.places import forget, move, scopes_at
from visionquery.looking import Looker
from visionquery.opening import Fetch, asked_model, picture_or_id, source_of
from visionquery.query.ast import Blend, Like, Node
from visionquery.search.result import Explanation, Response, Sort
from visionquery.store.base import Compaction, Facets, Store
from visionquery.types import KnownImage, ModelIdentity

if TYPE_CHECKING:
    from visionquery.images.content import Content
    from visionquery.indexing.keeping import Pace
    from visionquery.indexing.ocr import OcrReport
    from visionquery.indexing.places import Removal
    from visionquery.indexing.reencode import ReencodeReport
    from visionquery.indexing.report import IndexReport, Progress
    from visionquery.indexing.status import LibraryStatus
    from visionquery.models.encoder import Encoder
    from visionquery.store.backup import BackedUp

__all__ = ["Library"]

def _ignore(*_: object) -> None:
    """Stand in for a callback nobody gave."""


class Library:
    """A library of images. Use `Library.open`, best as a context manager."""

    def __init__(
        self,
        store: Store,
        load_encoder: "Callable[[ModelIdentity], Encoder]",
        *,
        threads: int = 0,
        open_again: Callable[[], Store] | None = None,
        looks: Place | None = None,
    ) -> None:
        """Join a store with ways to get the encoder of a model and to open the store once more;
        `looks` is that of `open`."""
        self._store, self._left = store, list[Store]()
        self._load_encoder, self._open_again = load_encoder, open_again
        self._threads = threads or os.cpu_count() or 1
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

        Raises LibraryNotFoundError, StoreError, SchemaTooNewError, ModelMismatchError, ModelError,
        and InputError for a wrong number of threads.
        """
        fetch = Fetch(offline=offline, on_note=on_note, on_download=on_download)
        source = source_of(location, model, fetch, threads)
        store, again = source.store(create=create), source.store
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
            self._store, wanted, self._load_encoder, lambda: self.encoder,
            on_progress=on_progress, threads=self._threads,
        )  # fmt: skip
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

        The library is written anew beside itself, and takes its place in one step: it needs as much
        free room again, and whatever stops it leaves it as it was. Other programs that have it open
        must open it again. Raises StoreError while it is being moved to another model,
        LibraryBusyError when another process is writing.
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

    # -- asking ----------------------------------------------------------------------------
    def search(
        self,
        query: str | Node,
        *,
        text: str | None = None,
        limit: int = 20,
        offset: int = 0,
        within: Place | Iterable[Place] = (),
        min_confidence: float | None = None,
        sort: Sort | None = None,
        explain: bool = False,
        exact: bool | None = None,
        pictures: Mapping[str, bytes] = NO_PICTURES,
        limits: Limits = DEFAULT_LIMITS,
        rerank: Place | None = None,
        candidates: int = 100,
        on_look: Callable[[int, int], None] = _ignore,
    ) -> Response:
        """Find images by what they show.

        `query` is text of the query language, or a tree; `text` names a tree, and only a tree,
        in the response. `within` are indexed folders or files (or one) to answer from.
        `min_confidence` (0..1) is where relevance ends; None is the default, 0 shows everything.
        `sort` by "date" (newest first) or "path" orders what is relevant; None is "relevance",
        for a query of filters alone "date". `explain` gives every hit its parts. `exact` tells
        whether every image is compared; None is where the store can. `pictures` are
        contents of picture files that terms `image:NAME` mean, decoded within `limits`. `rerank`
        is a larger model, given like that of `open`, that looks at the best 24 to 200 `candidates`
        once more; what it has not seen yet it encodes, and tells `on_look` (done, total).
        Raises QueryError, InputError for a folder that is not indexed, ModelError.
        """
        node, name = given.tree(query, text)
        places = given.places(self._store, within)
        wanted = Wanted(limit, offset, sort, given.least(min_confidence), places, explain, exact)
        look = self._looker.wanted(rerank, candidates, self._store.model, on_look)
        return answer(
            self._store, lambda: self.encoder, node, name, wanted,
            pictures=pictures, limits=limits, looking=look,
        )  # fmt: skip

    def similar(
        self,
        image: Place,
        *,
        limit: int = 20,
        offset: int = 0,
        within: Place | Iterable[Place] = (),
        min_confidence: float = 0.0,
        exact: bool | None = None,
    ) -> Response:
        """Find images that look like one, given as a file or an image id; it is left out. `exact`
        is that of `search`. Raises InputError when `image` is neither, ImageError when it cannot
        be decoded."""
        term = picture_or_id(image, self._store)
        itself = term.image_id if isinstance(term, Like) else picture_id(term.path)
        places, node = given.places(self._store, within), Blend((term,))
        wanted = Wanted(limit, offset, None, min_confidence, places, exact=exact)
        return answer(self._store, lambda: self.encoder, node, str(image), wanted, without=itself)

    def explain(
        self,
        image: Place,
        query: str | Node,
        *,
        text: str | None = None,
        min_confidence: float | None = None,
        pictures: Mapping[str, bytes] = NO_PICTURES,
        limits: Limits = DEFAULT_LIMITS,
    ) -> Explanation:
        """Explain why an image, given as a file or an id, is or is not in the answer to a query:
        its rank among all, and what each part of the query has to do with it. `pictures` and
        `limits` are those of `search`.

        Raises QueryError, InputError for an image that is not in the library, ImageError for a
        file that cannot be read, ModelError.
        """
        node, name = given.tree(query, text)
        term = picture_or_id(image, self._store)
        image_id = term.image_id if isinstance(term, Like) else picture_id(term.path)
        return explain(
            self._store, lambda: self.encoder, image_id, node, name,
            min_confidence=given.least(min_confidence), pictures=pictures, limits=limits,
        )  # fmt: skip

    def image(self, image_id: str) -> KnownImage:
        """Return what is known of the image with an id, given whole. Raises ImageNotFoundError
        where there is none."""
        return known_image(self._store, image_id)

    def original(self, image_id: str) -> tuple[str, "Content"]:
        """Return a file of the image with an id, given whole, as its path and content: nothing
        else than what was indexed, whatever lies at that path by now. What is a part of a larger
        file, such as a moment of a video, has no bytes of its own but a path and a fragment.

        Raises ImageNotFoundError where there is no such image, and where its files are gone or
        have changed.
        """
        return original(self._store, image_id)

    @property
    def image_count(self) -> int:
        """How many images the library holds."""
        return self._store.image_count()

    def facets(self) -> Facets:
        """Return what filters can choose from: cameras, types, folders and dates, with counts."""
        return self._store.facets()

    def warm_up(self, *, rerank: Place | None = None) -> None:
        """Load the encoder, and that of a second look, and use its text tower once, so that the
        first search is as fast as every other. Raises ModelError where it is missing or broken."""
        self.encoder.encode_texts(["a picture"])
        if (look := self._looker.wanted(rerank, 100, self._store.model)) is not None:
            look.bank()

    def covers(self, place: Place) -> bool:
        """Return whether a folder or file lies in an indexed folder, or has one below it."""
        return bool(scopes_at(self._store, *given.places(self._store, place)))

    @property
    def moving_to(self) -> ModelIdentity | None:
        """The model that the library is on its way to, None when it is not."""
        return self._store.next_model()

    def status(self, *, look: bool = False) -> "LibraryStatus":
        """Return what the library holds and which of its folders are there now; with `look`, how
        these differ from it by names, sizes and times, which takes a scan of each."""
        from visionquery.indexing.status import library_status

        return library_status(self._store, look=look)
