"""From what a person names (a folder, a model) to an open store and an encoder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from visionquery.errors import LibraryNotFoundError, ModelMismatchError, UnknownModelError
from visionquery.store.base import Store
from visionquery.types import ModelIdentity

if TYPE_CHECKING:
    from visionquery.models.encoder import Encoder
    from visionquery.models.spec import ModelSpec

__all__ = ["Fetch", "asked_model", "library_model", "load_encoder", "open_store"]


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


def open_store(folder: Path, spec: ModelSpec | None, fetch: Fetch | None) -> Store:
    """Open the store in a folder and check its model; with `fetch`, make it where there is none."""
    from visionquery.models.spec import artifacts
    from visionquery.models.weights import require
    from visionquery.store.local import create_local, open_local

    try:
        store: Store = open_local(folder)
    except LibraryNotFoundError:
        if fetch is None:
            raise
        chosen = spec or fetch.choose()
        fetch.acquire(chosen)
        # A broken file is found now, not after an hour of encoding.
        require(chosen, *artifacts(chosen), verify=True)
        return create_local(folder, chosen.identity)
    if spec is not None and spec.identity.fingerprint != store.model.fingerprint:
        identity = store.model
        store.close()
        raise _mismatch(folder, identity, spec)
    return store


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


def library_model(folder: Path, identity: ModelIdentity) -> ModelSpec:
    """Return the model that a library was made with.

    Raises UnknownModelError when it is not there any more, ModelMismatchError when another one
    is in its place.
    """
    from visionquery.models.catalog import resolve

    try:
        spec = resolve(identity.source)
    except UnknownModelError as error:
        raise UnknownModelError(
            f"The library {folder} was made with the model {identity.name} from "
            f"{identity.source}, which is not there; give its place with --model."
        ) from error
    if spec.identity.fingerprint != identity.fingerprint:
        raise _mismatch(folder, identity, spec)
    return spec


def _mismatch(folder: Path, identity: ModelIdentity, spec: ModelSpec) -> ModelMismatchError:
    same_name = " in another version" if identity.name == spec.name else ""
    return ModelMismatchError(
        f"The library {folder} was made with the model {identity.name}, not with {spec.name}"
        f"{same_name}; leave --model out, use another --library for {spec.name}, or move this one "
        f"to it: visionquery index --reencode --model {spec.source}",
        library_model=identity.name,
        asked_model=spec.name,
    )
