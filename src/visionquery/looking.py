"""A second look at images: from ids to their vectors by another model, from the files that hold
them, each encoded once for good."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from visionquery.errors import InputError
from visionquery.opening import asked_model
from visionquery.store.places import expanded
from visionquery.types import Matrix, ModelIdentity, Vector

if TYPE_CHECKING:
    from visionquery.images.content import Content
    from visionquery.models.encoder import Encoder
    from visionquery.store.base import ImageRecord, Store
    from visionquery.store.looks import Looks

__all__ = ["CANDIDATES", "Looker", "Looking", "SeenImages"]

CANDIDATES = (24, 200)
"""How few and how many images a second model may look at for one answer."""

_IMAGES_PER_WRITE = 16
_BANK = "background"

OnLook = Callable[[int, int], None]


def _ignore(*_: object) -> None:
    """Stand in for a callback nobody gave."""


@dataclass(frozen=True, slots=True, eq=False)
class Looking:
    """A second model at work on one answer: its encoder, what is kept of it, how many candidates
    it looks at, with how many threads, and who is told (done, total) how far it is."""

    encoder: Encoder
    looks: Looks
    candidates: int
    threads: int
    on_progress: OnLook = _ignore

    def vectors(self, store: Store, image_ids: Sequence[str]) -> dict[str, Vector]:
        """Return vectors, (embed_dim,), of stored images by id, without those that no file holds
        any more or whose file cannot be decoded. What was never looked at is encoded now, and kept
        as it is finished, so that an interrupt loses a few at most. Raises ModelError."""
        wanted = list(dict.fromkeys(image_ids))
        found = self.looks.vectors(wanted)
        missing = [image_id for image_id in wanted if image_id not in found]
        if missing:
            found |= self._encoded(store, missing)
        return found

    def bank(self) -> Matrix:
        """Return the vectors, (b, embed_dim), of the captions of the background."""
        from hashlib import sha256

        from visionquery.search.background import captions

        texts = captions()
        version = sha256("\n".join(texts).encode()).hexdigest()[:16]
        return self.looks.texts(f"{_BANK}-{version}", lambda: self.encoder.encode_texts(texts))

    def _encoded(self, store: Store, image_ids: Sequence[str]) -> dict[str, Vector]:
        from visionquery.images.limits import DEFAULT_LIMITS
        from visionquery.indexing.stored import Left, taken

        rows = list(store.rows_of(image_ids).values())
        found: dict[str, Vector] = {}
        batch: dict[str, Vector] = {}
        outcomes = taken(
            store, rows, self._work(), limits=DEFAULT_LIMITS, threads=self.threads,
            ahead=2 * self.threads,
        )  # fmt: skip
        with closing(outcomes):
            self.on_progress(0, len(rows))
            for done, outcome in enumerate(outcomes, 1):
                if not isinstance(outcome, Left):
                    batch |= [outcome]
                if batch and (len(batch) == _IMAGES_PER_WRITE or done == len(rows)):
                    found |= self.looks.keep(batch)
                    batch = {}
                self.on_progress(done, len(rows))
        return found

    def _work(self) -> Callable[[ImageRecord, Content], tuple[str, Vector]]:
        """Return what gives an image's id and vector, of its record and content: each thread
        computes a picture of its own."""
        from visionquery.images import workers

        tower, side = self.encoder.image_tower(), 2 * self.encoder.image_side

        def work(record: ImageRecord, content: Content) -> tuple[str, Vector]:
            prepared = self.encoder.prepare(workers.decode(content, min_side=side))
            return record.image_id, tower.encode(prepared[None])[0]

        return work


@dataclass(frozen=True, slots=True, eq=False)
class SeenImages:
    """The images of a store with their vectors by a second model, for a plan of that model."""

    store: Store
    looking: Looking

    def reading(self) -> AbstractContextManager[None]:
        """Let this thread see one state of the store until the block ends."""
        return self.store.reading()

    def find(self, image_id: str) -> list[int]:
        """Return the rows whose id starts with `image_id`, in any case (two at most)."""
        return self.store.find(image_id)

    def records(self, rows: Sequence[int]) -> list[ImageRecord]:
        """Return the records of rows, in their order."""
        return self.store.records(rows)

    def vectors(self, rows: Sequence[int]) -> Matrix:
        """Return the second model's vectors, (len(rows), embed_dim), of rows, in their order.

        Raises InputError for an image that no file holds any more.
        """
        records = self.store.records(rows)
        found = self.looking.vectors(self.store, [record.image_id for record in records])
        for record in records:
            if record.image_id not in found:
                raise InputError(
                    f"A second look needs the picture {record.image_id} of the query itself, but "
                    "its file is gone or has changed since it was indexed. Plug its disk in, or "
                    "search without --rerank."
                )
        return np.stack([found[record.image_id] for record in records])


@dataclass(slots=True, eq=False)
class Looker:
    """The second models of a library, each loaded once. `folder` is where looks are kept, None for
    the memory of this process alone."""

    load_encoder: Callable[[ModelIdentity], Encoder]
    folder: str | Path | None
    threads: int
    _opened: dict[str, tuple[Encoder, Looks]] = field(default_factory=dict)
    _opening: threading.Lock = field(default_factory=threading.Lock)

    def wanted(
        self,
        model: str | Path | None,
        candidates: int,
        own: ModelIdentity,
        on_progress: OnLook = _ignore,
    ) -> Looking | None:
        """Return a named model ready to look again at images of a library of the model `own`, None
        where none is named.

        Raises InputError for the library's own model and for a number of candidates out of range,
        UnknownModelError, ModelError.
        """
        if model is None:
            return None
        least, most = CANDIDATES
        if candidates not in range(least, most + 1):
            raise InputError(
                f"A second look is at {least} to {most} candidates, not {candidates}; give a "
                "number between."
            )
        spec = asked_model(model)
        if spec is None:
            raise InputError("Name the model of the second look; it is not chosen.")
        if spec.identity.fingerprint == own.fingerprint:
            raise InputError(
                f"{own.name} is the library's own model and would see nothing else; name a better "
                "one for the second look."
            )
        encoder, looks = self._open(spec.identity)
        return Looking(encoder, looks, candidates, self.threads, on_progress)

    def _open(self, identity: ModelIdentity) -> tuple[Encoder, Looks]:
        from visionquery.store.looks import Looks

        with self._opening:
            if identity.fingerprint not in self._opened:
                folder = None if self.folder is None else expanded(self.folder)
                opened = self.load_encoder(identity), Looks(folder, identity)
                self._opened[identity.fingerprint] = opened
            return self._opened[identity.fingerprint]
