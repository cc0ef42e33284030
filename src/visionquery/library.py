"""The façade: one object for a library of images that can be asked in words.

It holds a store and, once needed, an encoder, and passes data between the rooms below. It
never prints; what a person should see goes through the callbacks.
"""

import os
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from visionquery.errors import ImageError, InputError
from visionquery.indexing.status import LibraryStatus, RootStatus, library_status
from visionquery.opening import Fetch, asked_model, library_model, load_encoder, open_store
from visionquery.query.ast import Blend, Like, Node, Picture
from visionquery.query.grammar import parse
from visionquery.search.result import Response, seen_within
from visionquery.store.base import Scope, Store
from visionquery.store.places import outermost
from visionquery.types import Decoded, ModelIdentity

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from visionquery.indexing.reencode import ReencodeReport
    from visionquery.indexing.report import IndexReport, Progress
    from visionquery.models.encoder import Encoder
    from visionquery.query.plan import Plan

__all__ = ["Library", "LibraryStatus", "RootStatus"]

Place = str | Path
_BATCH_SIZE = 16


def _ignore(*_: object) -> None:
    """Stand in for a callback nobody gave."""


class Library:
    """A library of images. Use `Library.open`, best as a context manager."""

    def __init__(
        self, store: Store, load_encoder: "Callable[[ModelIdentity], Encoder]", *, threads: int = 0
    ) -> None:
        """Join a store with a way to get the encoder of a model, asked for at first need."""
        self._store = store
        self._load_encoder = load_encoder
        self._threads = threads or os.cpu_count() or 1

    @classmethod
    def open(
        cls,
        location: Place,
        *,
        model: Place | None = None,
        create: bool = False,
        offline: bool = False,
        threads: int = 0,
        on_note: Callable[[str], None] = _ignore,
        on_download: Callable[[str, int, int], None] = _ignore,
    ) -> Self:
        """Open the library in a folder; with `create`, make it where there is none.

        `model` is a catalog name, an alias or a model folder: for a new library the model of
        all its vectors, for an existing one a check. None and "auto" stand for the library's
        own model or, for a new one, the automatic choice. `offline` never touches the network.
        `threads` decode and encode, 0 for one per core. `on_note` gets sentences for a person,
        `on_download` (file, done_bytes, total_bytes).

        Raises LibraryNotFoundError, StoreError, SchemaTooNewError, ModelMismatchError,
        UnknownModelError, and for a new library without weights WeightsMissingError.
        """
        if "://" in str(location):
            raise InputError(f"{location}: this version keeps libraries in folders; give a folder.")
        folder = Path(location).expanduser().absolute()
        spec = asked_model(model)
        fetch = Fetch(offline=offline, on_note=on_note, on_download=on_download)
        store = open_store(folder, spec, fetch if create else None)

        def load(identity: ModelIdentity) -> "Encoder":
            named = spec is not None and spec.identity.fingerprint == identity.fingerprint
            chosen = spec if spec and named else library_model(folder, identity)
            return load_encoder(chosen, fetch, threads=threads)

        return cls(store, load, threads=threads)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release files and memory."""
        self._store.close()

    @cached_property
    def encoder(self) -> "Encoder":
        """The library's encoder, loaded at first need.

        Raises ModelError where it is missing or broken.
        """
        return self._load_encoder(self._store.model)

    # -- filling ---------------------------------------------------------------------------
    def add(
        self, *paths: Place, on_progress: "Callable[[Progress], None]" = _ignore
    ) -> "IndexReport":
        """Bring the library up to date with folders or single files.

        Only what is new or changed is encoded; files that are gone leave the library. Every
        batch is kept as it is finished, so an interrupted run loses nothing and the next one
        goes on from there. Raises InputError for a path that does not exist, LibraryBusyError
        when another process is writing.
        """
        from visionquery.images.limits import Limits
        from visionquery.indexing.run import index

        places = [_absolute(path) for path in paths]
        for place in places:
            self._check_present(place)
        with self._store.writing():
            for place in places:
                self._store.add_root(str(place if place.is_dir() else place.parent))
            report = index(
                self._store,
                self.encoder,
                outermost(self._scopes(places)),
                on_progress=on_progress,
                limits=Limits(),
                threads=self._threads,
                batch_size=_BATCH_SIZE,
            )
            self._refresh_background()
        return report

    def reencode(
        self, model: Place, *, on_progress: "Callable[[Progress], None]" = _ignore
    ) -> "ReencodeReport":
        """Move the library to another model, given like that of `open`: encode all images anew.

        The old model answers until every image has its new vector, and goes then. Every batch is
        kept as it is finished, so that the next run goes on from there; a run for a third model
        gives up what there was for the second, and one for the library's own model that too.
        Images whose files are not there now, or have changed, keep the library on the old model;
        the report says what to do. Raises InputError where no model is named, ModelError where
        it is missing or broken, LibraryBusyError when another process is writing.
        """
        from visionquery.images.limits import Limits
        from visionquery.indexing.reencode import keep_model, reencode
        from visionquery.search.background import BACKGROUND_NOTE

        spec = asked_model(model)
        if spec is None:
            raise InputError("Name the model that the library is to move to; it is not chosen.")
        with self._store.writing():
            if spec.identity.fingerprint == self._store.model.fingerprint:
                report = keep_model(self._store)
            else:
                encoder = self._load_encoder(spec.identity)
                report = reencode(
                    self._store,
                    encoder,
                    on_progress=on_progress,
                    limits=Limits(),
                    threads=self._threads,
                    batch_size=_BATCH_SIZE,
                    forget_notes=(BACKGROUND_NOTE,),
                )
                if report.complete:
                    self.encoder = encoder
            if report.complete:
                self._refresh_background()
        return report

    def remove(self, *paths: Place) -> int:
        """Forget folders or files and return how many images went; no picture is touched.

        Raises InputError for a path that is not in the library.
        """
        with self._store.writing():
            for scope in self._scopes([_absolute(path) for path in paths]):
                files = self._store.files(scope)
                if not files:
                    raise InputError(f"Nothing of {scope.path or 'it'} is in the library.")
                self._store.forget([(scope.root_id, path) for path in files])
            return self._store.prune()

    def move_root(self, old: Place, new: Place) -> None:
        """Say that the indexed folder `old` now lies at `new`; nothing is encoded again.

        Raises InputError when `old` is no indexed folder or `new` is not there.
        """
        before, after = _absolute(old), _absolute(new)
        if not after.is_dir():
            raise InputError(f"There is no folder {after}; give the place where {before} is now.")
        root = next((r for r in self._store.roots() if r.location == str(before)), None)
        if root is None:
            known = ", ".join(r.location for r in self._store.roots()) or "none"
            raise InputError(f"{before} is not an indexed folder; those are: {known}.")
        with self._store.writing():
            self._store.move_root(root.root_id, str(after))

    # -- asking ----------------------------------------------------------------------------
    def search(
        self,
        query: str | Node,
        *,
        text: str | None = None,
        limit: int = 20,
        offset: int = 0,
        within: Iterable[Place] = (),
        min_confidence: float | None = None,
    ) -> Response:
        """Find images by what they show.

        `query` is text of the query language, or a tree (then `text` names it in the
        response). `within` are indexed folders or files to answer from. `min_confidence`
        (0..1) is where relevance ends; None is the default, 0 shows everything.
        Raises QueryError, InputError for a folder that is not indexed, ModelError.
        """
        node = parse(query) if isinstance(query, str) else query
        shown = query if isinstance(query, str) else text or ""
        return self._answer(node, shown, limit, offset, within, min_confidence, without=None)

    def similar(
        self,
        image: Place,
        *,
        limit: int = 20,
        offset: int = 0,
        within: Iterable[Place] = (),
        min_confidence: float = 0.0,
    ) -> Response:
        """Find images that look like one, given as a file or an image id; it is left out.

        Raises InputError when `image` is neither, ImageError when it cannot be decoded.
        """
        term: Picture | Like
        if Path(image).expanduser().exists():
            from visionquery.images import decode
            from visionquery.images.limits import Limits

            path = Path(image).expanduser()
            term = Picture(str(path))
            itself = decode.image_id(decode.read(path, limits=Limits()))
        else:
            term, itself = Like(str(image)), str(image)
        node = Blend((term,))
        return self._answer(
            node, str(image), limit, offset, within, min_confidence, without=itself
        )

    def covers(self, place: Place) -> bool:
        """Return whether a folder or file lies in an indexed folder."""
        return self._store.locate(str(_absolute(place))) is not None

    def status(self) -> LibraryStatus:
        """Return what the library holds and which of its folders are there now."""
        return library_status(self._store)

    # -- inside ----------------------------------------------------------------------------
    def _answer(
        self,
        node: Node,
        text: str,
        limit: int,
        offset: int,
        within: Iterable[Place],
        min_confidence: float | None,
        *,
        without: str | None,
    ) -> Response:
        from visionquery.search.calibrate import DEFAULT_MIN_CONFIDENCE
        from visionquery.search.executor import execute

        started = time.perf_counter()
        places = [_absolute(place) for place in within]
        scopes = self._scopes(places)
        with self._store.reading():
            page = execute(
                self._plan(node),
                self._store,
                within=self._candidates(scopes, without),
                limit=limit,
                offset=offset,
                min_confidence=DEFAULT_MIN_CONFIDENCE if min_confidence is None else min_confidence,
            )
        return Response(
            query=text,
            model=self._store.model.name,
            exact=True,
            seconds=time.perf_counter() - started,
            hits=seen_within(page.hits, places),
            closest=seen_within(page.closest, places),
            total=page.total,
        )

    def _plan(self, node: Node) -> "Plan":
        from visionquery.search.background import kept_background
        from visionquery.search.planner import plan

        return plan(
            node,
            encoder=self.encoder,
            store=self._store,
            background=kept_background(self._store),
            read_picture=self._read_picture,
        )

    def _candidates(
        self, scopes: Sequence[Scope], without: str | None
    ) -> "NDArray[np.bool_] | None":
        """The rows to answer from, (row_count,), None for all."""
        if not scopes and without is None:
            return None
        mask = self._store.within(scopes) if scopes else self._store.alive()
        if without is not None:
            mask = mask.copy()
            mask[self._store.find(without)] = False
        return mask

    def _read_picture(self, path: str) -> "Decoded":
        from visionquery.images import decode
        from visionquery.images.limits import Limits

        limits = Limits()
        try:
            data = decode.read(Path(path).expanduser(), limits=limits)
            return decode.decode(data, min_side=2 * self.encoder.image_side, limits=limits)
        except ImageError as error:
            raise type(error)(f"The picture {path} cannot be used as a query: {error}.") from error

    def _refresh_background(self) -> None:
        """Measure anew what no match looks like, once the library has changed enough."""
        from visionquery.search.background import (
            is_stale,
            keep_background,
            kept_background,
            measure_background,
        )

        kept = kept_background(self._store)
        if kept is None or is_stale(kept, self._store.image_count()):
            measured = measure_background(self.encoder, self._store)
            if measured is not None:
                keep_background(self._store, measured)

    def _scopes(self, places: Sequence[Path]) -> list[Scope]:
        """Where the places lie in the library."""
        scopes = []
        for place in places:
            scope = self._store.locate(str(place))
            if scope is None:
                raise InputError(
                    f"{place} is not in the library; add it with: visionquery index {place}"
                )
            scopes.append(scope)
        return scopes

    def _check_present(self, place: Path) -> None:
        if place.is_file() or place.is_dir():
            return
        scope = self._store.locate(str(place))
        files = self._store.files(scope) if scope is not None else {}
        if files:
            raise InputError(
                f"{place} is not there now; its {len(files)} files stay in the library. Plug its "
                "disk in, or say where it is now with: visionquery index NEW --moved-from OLD"
            )
        raise InputError(f"There is no file or folder {place}.")


def _absolute(place: Place) -> Path:
    """Absolute and without "..", but symbolic links as they are, which pathlib cannot do."""
    return Path(os.path.abspath(Path(place).expanduser()))  # noqa: PTH100
