"""From examples, given as folders, files or images of a library, to a concept that it keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from visionquery.errors import ImageError, InputError
from visionquery.images.limits import DEFAULT_LIMITS
from visionquery.images.scan import scan
from visionquery.opening import is_folder, picture_or_id
from visionquery.query.ast import Like, Picture
from visionquery.search.concepts import (
    Concept,
    check_name,
    concepts,
    forget,
    keep,
    known_concept,
    read_file,
    write_file,
)
from visionquery.search.examples import taught
from visionquery.store.base import Store
from visionquery.store.places import spelled
from visionquery.types import Vector

if TYPE_CHECKING:
    from visionquery.models.encoder import Encoder

__all__ = ["Concepts", "Lesson"]

_AS_SURE_AS_CLICKS: Final = 3
"""Examples that move a text as far as as many clicks do. More of them move it further: unlike
clicks, they were not taken from what the text finds best."""

Example = str | Path
Examples = Example | Iterable[Example]


@dataclass(frozen=True, slots=True)
class Lesson:
    """What was learnt, and the files that could not be used for it: (path, reason)."""

    concept: Concept
    skipped: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Concepts:
    """The concepts of a library. They stand in queries as `concept:NAME`."""

    _store: Store
    _encoder: Callable[[], Encoder]

    def learn(
        self,
        name: str,
        *,
        like: Examples,
        unlike: Examples = (),
        text: str | None = None,
        on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> Lesson:
        """Learn what pictures have in common, and keep it under a name, in place of what had it.

        `like` shows it and `unlike` what is taken for it; each is a folder, a picture file or the
        id of an image, or several of these. `text` describes it, where words come near.
        `on_progress` gets (done, total) pictures. Raises InputError for what is none of these, for
        a name that cannot be one, where no picture is left and where examples teach nothing;
        ModelError; LibraryBusyError.
        """
        check_name(name)
        liked, disliked = (list(self._named(names)) for names in (like, unlike))
        if not liked:
            raise InputError(
                "There is no picture to learn from; name one, or a folder, with --like."
            )
        vectors, skipped = self._seen([*liked, *disliked], on_progress)
        good, bad = (
            [found for one in some if (found := vectors.get(one)) is not None]
            for some in (liked, disliked)
        )
        if not good:
            place, reason = skipped[0]
            raise InputError(f"No picture can be used to learn from; of {place}: {reason}.")
        start = None if text is None else self._encoder().encode_texts([text])[0]
        reach = max(1.0, len(good) / _AS_SURE_AS_CLICKS)
        vector = taught(start, good, bad, store=self._store, reach=reach)
        concept = self._made(name, vector, text, len(good), len(bad))
        with self._store.writing():
            keep(self._store, concept)
        return Lesson(concept, tuple(skipped))

    def all(self) -> list[Concept]:
        """Return all concepts, in the order of their names."""
        return list(concepts(self._store).values())

    def remove(self, name: str) -> None:
        """Forget a concept. Raises InputError for one that is not known; LibraryBusyError."""
        with self._store.writing():
            forget(self._store, name)

    def export(self, name: str, path: Example) -> None:
        """Write a concept to a file, which holds no picture. Raises InputError for one that is not
        known, and for a file that cannot be written."""
        write_file(known_concept(name, self._store), Path(path))

    def take_in(self, path: Example) -> Concept:
        """Keep the concept of a file, in place of one with its name. Raises InputError for what is
        no concept, and for one of another model; LibraryBusyError."""
        concept = read_file(Path(path))
        with self._store.writing():
            keep(self._store, concept)
        return concept

    def _named(self, names: Examples) -> Iterator[Picture | Like]:
        """Yield the files and images that are meant, each once."""
        several = [names] if isinstance(names, str | Path) else list(names)
        return iter(dict.fromkeys(chain.from_iterable(map(self._files, map(str, several)))))

    def _files(self, name: str) -> Iterator[Picture | Like]:
        if name and is_folder(name) and not self._store.rows_of([name]):
            for found in scan(spelled(name)):
                yield Picture(found.path)
        else:
            yield picture_or_id(name, self._store)

    def _seen(
        self, terms: Sequence[Picture | Like], on_progress: Callable[[int, int], None]
    ) -> tuple[dict[Picture | Like, Vector], list[tuple[str, str]]]:
        """Return the vectors of files and images, and which files cannot be used, and why."""
        vectors, skipped = dict[Picture | Like, Vector](), list[tuple[str, str]]()
        for done, term in enumerate(terms, start=1):
            try:
                vectors[term] = self._vector(term)
            except ImageError as error:
                skipped.append(
                    (term.path if isinstance(term, Picture) else term.image_id, str(error))
                )
            on_progress(done, len(terms))
        return vectors, skipped

    def _vector(self, term: Picture | Like) -> Vector:
        """Return the vector of a file or an image: the one that the library has, where it has."""
        from visionquery.images import workers
        from visionquery.images.content import load

        if isinstance(term, Like):
            return self._stored(self._store.find(term.image_id))
        content = load(spelled(term.path), limits=DEFAULT_LIMITS)
        if rows := self._store.rows_of([content.image_id]):
            return self._stored(list(rows.values()))
        encoder = self._encoder()
        decoded = workers.decode(content, min_side=2 * encoder.image_side)
        encoded: Vector = encoder.encode_images(encoder.prepare(decoded)[None])[0]
        return encoded

    def _stored(self, rows: list[int]) -> Vector:
        vector: Vector = self._store.vectors(rows)[0]
        return vector

    def _made(
        self, name: str, vector: Vector, text: str | None, liked: int, disliked: int
    ) -> Concept:
        model = self._store.model
        return Concept(
            name=name,
            model=model.name,
            fingerprint=model.fingerprint,
            vector=np.asarray(vector, dtype=np.float32),
            liked=liked,
            disliked=disliked,
            text=text,
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
