"""From what a person names (a folder, a model) to an open store and an encoder."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from visionquery.errors import (
    ImageNotFoundError,
    InputError,
    LibraryBusyError,
    LibraryNotFoundError,
    ModelMismatchError,
    StoreError,
    UnknownModelError,
)
from visionquery.query.ast import Like, Node, Picture, terms_of
from visionquery.store.base import Store
from visionquery.store.engines import check_engine, create_engine, open_engine, shown
from visionquery.store.places import expanded, spelled
from visionquery.types import ModelIdentity, is_address

if TYPE_CHECKING:
    from visionquery.images.addresses import Seen
    from visionquery.models.encoder import Encoder
    from visionquery.models.spec import ModelSpec

__all__ = [
    "Fetch",
    "Source",
    "asked_model",
    "check_pictures",
    "is_folder",
    "library_model",
    "load_encoder",
    "made_at",
    "open_at",
    "open_store",
    "picture_or_id",
    "source_of",
]

_CREATION_SECONDS = 5.0
"""How long to wait for another process that is making the same library."""

_CREATION_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Fetch:
    """How the weights of a model are had, should they be missing."""

    offline: bool
    on_note: Callable[[str], None]
    on_download: Callable[[str, int, int], None]

    def acquire(self, spec: ModelSpec) -> None:
        """Have a model's files here."""
        from visionquery.models.acquire import acquire

        acquire(spec, offline=self.offline, on_note=self.on_note, on_download=self.on_download)

    def choose(self) -> ModelSpec:
        """Take the best model that can be had."""
        from visionquery.models.acquire import choose

        return choose(offline=self.offline, on_note=self.on_note, on_download=self.on_download)


@dataclass(frozen=True, slots=True)
class Source:
    """What a person named: the absolute folder or the address of a library, the model, None where
    that was left open, how weights are had, and how many threads compute, 0 for one per core."""

    location: str
    spec: ModelSpec | None
    fetch: Fetch
    threads: int

    def store(self, *, create: bool = False) -> Store:
        """Open the store, or make it where there is none."""
        return open_store(self.location, self.spec, self.fetch if create else None)

    def encoder(self, identity: ModelIdentity) -> Encoder:
        """Load the encoder of a model."""
        named = self.spec is not None and self.spec.identity.fingerprint == identity.fingerprint
        if self.spec is not None and named:
            chosen = self.spec
        else:
            chosen = library_model(shown(self.location), identity)
        return load_encoder(chosen, self.fetch, threads=self.threads)


def source_of(location: str | Path, model: str | Path | None, fetch: Fetch, threads: int) -> Source:
    """Return what these name. Raises InputError for a wrong number of threads, UnknownModelError,
    ModelError."""
    if threads < 0:
        raise InputError(f"threads is {threads}: give a number, or 0 for one per core.")
    name = str(location)
    place = name if is_address(name) else str(expanded(location).absolute())
    return Source(place, asked_model(model), fetch, threads)


def open_store(location: str, spec: ModelSpec | None, fetch: Fetch | None) -> Store:
    """Open the store in a folder or at an address and check its model; with `fetch`, make it where
    there is none."""
    from visionquery.models.spec import artifacts
    from visionquery.models.weights import require

    try:
        store = open_at(location)
    except LibraryNotFoundError:
        if fetch is None:
            raise
        _check(location)  # Before anything is downloaded for it.
        chosen = spec or fetch.choose()
        fetch.acquire(chosen)
        # A broken file is found now, not after an hour of encoding.
        require(chosen, *artifacts(chosen), verify=True)
        store = made_at(location, chosen.identity)
    if spec is not None and spec.identity.fingerprint != store.model.fingerprint:
        identity, place = store.model, store.location
        store.close()
        raise _mismatch(place, identity, spec)
    return store


def open_at(location: str) -> Store:
    """Open the store in an absolute folder or at an address, whatever its model."""
    if is_address(location):
        return open_engine(location)
    from visionquery.store.local import open_local

    return open_local(Path(location))


def _check(location: str) -> None:
    if is_address(location):
        check_engine(location)
        return
    from visionquery.store.local import check_place

    check_place(Path(location))


def made_at(location: str, model: ModelIdentity) -> Store:
    """Make a library, or take the one that another process makes at the same moment."""
    try:
        return _created(location, model)
    except StoreError as error:
        refused = error
    end = time.monotonic() + _CREATION_SECONDS
    while True:
        try:
            return open_at(location)
        except LibraryNotFoundError:
            if not isinstance(refused, LibraryBusyError) or time.monotonic() > end:
                raise refused from None
        time.sleep(_CREATION_POLL_SECONDS)


def _created(location: str, model: ModelIdentity) -> Store:
    if is_address(location):
        return create_engine(location, model)
    from visionquery.store.local import create_local

    return create_local(Path(location), model)


def load_encoder(spec: ModelSpec, fetch: Fetch, *, threads: int) -> Encoder:
    """Return a model's encoder, its weights fetched first where they are missing.

    Raises WeightsMissingError, ChecksumMismatchError, ModelError.
    """
    from visionquery.models import encoder

    fetch.acquire(spec)
    return encoder.load_encoder(spec, threads=threads)


def asked_model(model: str | Path | None) -> ModelSpec | None:
    """Return the model a person named; None where they left it open (None, "auto").

    Raises UnknownModelError, ModelError.
    """
    if model is None or str(model) == "auto":
        return None
    from visionquery.models.catalog import resolve

    return resolve(str(model))


def library_model(location: str, identity: ModelIdentity) -> ModelSpec:
    """Return the model that a library was made with.

    Raises UnknownModelError when it is not there any more, ModelMismatchError when another one
    is in its place.
    """
    from visionquery.models.catalog import resolve

    try:
        spec = resolve(identity.source)
    except UnknownModelError as error:
        raise UnknownModelError(
            f"The model {identity.name} of the library {location} is not at {identity.source} any "
            "more; give its place with --model."
        ) from error
    if spec.identity.fingerprint != identity.fingerprint:
        raise _mismatch(location, identity, spec)
    return spec


def _mismatch(location: str, identity: ModelIdentity, spec: ModelSpec) -> ModelMismatchError:
    same_name = " in another version" if identity.name == spec.name else ""
    return ModelMismatchError(
        f"The library {location} was made with the model {identity.name}, not with {spec.name}"
        f"{same_name}. Name no model (leave --model out, and unset VISIONQUERY_MODEL or the "
        f"setting if they name it), use another --library for {spec.name}, or move this one to "
        f"it: visionquery index --reencode --model {spec.source}",
        library_model=identity.name,
        asked_model=spec.name,
    )


def check_pictures(node: Node, *, given: Collection[str] = ()) -> None:
    """Raise InputError when a picture that a query names is not there: before any other work.

    `given` are names of pictures that are at hand and need no file.
    """
    for term in terms_of(node):
        if isinstance(term, Picture) and term.path not in given and not _is_file(term.path):
            raise InputError(f"There is no file {term.path}; image: takes a picture file.")


def picture_or_id(image: str | Path, store: Store) -> Picture | Like:
    """Return what a person named as an image: a file, or else the one image with that id.

    Raises ImageNotFoundError when it is neither, InputError for a folder and for the beginning of
    several ids.
    """
    name = str(image)
    if store.rows_of([name]):
        return Like(name)  # A whole id is one whatever lies in the working folder.
    if name and _is_file(name):
        return Picture(name)
    if name and is_folder(name):
        raise InputError(f"{name} is a folder; give a picture file, or the id of an image.")
    found = store.find(name) if name else []
    if not found:
        raise ImageNotFoundError(f"There is no picture file {name!r} and no image with that id.")
    if len(found) > 1:
        raise InputError(f"{name} is the beginning of several ids; give more of it.")
    return Like(name.lower())


def is_folder(name: str) -> bool:
    """Return whether a path or an address is that of a folder."""
    place = spelled(name)
    if is_address(place):
        seen = _seen(place)
        return seen is not None and seen.is_folder
    try:
        return Path(place).is_dir()
    except OSError:
        return False


def _is_file(name: str) -> bool:
    place = spelled(name)
    if is_address(place):
        seen = _seen(place)
        return seen is not None and not seen.is_folder
    try:
        return Path(place).is_file()
    except OSError:
        return False


def _seen(address: str) -> Seen | None:
    from visionquery.images.addresses import look

    return look(address)
