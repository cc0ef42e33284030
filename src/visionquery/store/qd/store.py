"""The writing half of a library in Qdrant.

What is to be written is checked first, then kept as a change (`changes`), then made.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from visionquery.errors import StoreError
from visionquery.store import entries
from visionquery.store.base import NO_NOTES, Compaction, FileRecord, NewImage, Root, Scope
from visionquery.store.fragments import images_of
from visionquery.store.places import locate, normal
from visionquery.store.qd import moving
from visionquery.store.qd.batches import batches
from visionquery.store.qd.changes import note_key
from visionquery.store.qd.conditions import one_of
from visionquery.store.qd.engine import Point
from visionquery.store.qd.files import file_key, file_point
from visionquery.store.qd.handing import images_by_id, stored_files, with_files
from visionquery.store.qd.images import WHOLE, Image, image_of, payload_of
from visionquery.store.qd.rooting import added, moved
from visionquery.store.qd.spelling import scope_key
from visionquery.store.qd.state import Following, State
from visionquery.store.qd.writing import QdrantWriter
from visionquery.store.regions import ImageRegions, no_regions
from visionquery.types import Facts, Matrix, ModelIdentity

__all__ = ["QdrantStore"]

_FORGOTTEN_AT_ONCE = 2_000


class QdrantStore(QdrantWriter):
    """A `Store` in Qdrant. Safe to read from several threads."""

    def add_root(self, location: str, *, whole: bool = True) -> Root:
        """Return the root that this absolute folder belongs to, making it if need be."""
        place, state = normal(location), self._begin()
        then = added(state, place, whole=whole)
        if then.state != state:
            self._make(then.state, handed=list(then.handed))
        return then.root

    def move(self, scope: Scope, location: str) -> Root:
        """Say that the files below a scope now lie below another absolute folder.

        Raises StoreError when the scope's root is not in the library.
        """
        place, state = normal(location), self._begin()
        if scope.root_id not in {root.root_id for root in state.roots}:
            raise StoreError(f"Root {scope.root_id} is not in the library.")
        if scope.path:
            first = added(state, place, whole=True)
            target = locate(place, [first.root]) or Scope(first.root.root_id)
            then = moved(first.state, first.root)
            handed = [*first.handed, (scope, target), *then.handed]
        else:
            root = next(root for root in state.roots if root.root_id == scope.root_id)
            then = moved(state, replace(root, location=place))
            handed = list(then.handed)
        self._make(then.state, handed=handed)
        return then.root

    def write(self, images: Sequence[NewImage], files: Sequence[FileRecord]) -> None:
        """Store images and the files they were seen in, all or nothing.

        Raises StoreError when something in the batch does not fit this library.
        """
        batch = entries.checked_batch(images, files, embed_dim=self.model.embed_dim)
        state, engine = self._begin(), self._open.engine
        before = stored_files(engine, batch.files)
        shown = {image_id for file in batch.files.values() for image_id in images_of(file)}
        touched = {*batch.images, *shown, *(i for file in before.values() for i in images_of(file))}
        known = images_by_id(engine, self._open.vectors, touched)
        _check_files(batch.files.values(), state, {*known, *batch.images})
        new = (key for key in batch.images if key not in known)
        rows = {key: row for row, key in enumerate(new, start=state.rows)}
        known |= {key: Image(row, key, batch.images[key].facts) for key, row in rows.items()}
        changed = with_files(known, before.values(), batch.files.values())
        points = [
            Point(rows[key], payload_of(changed.get(key, known[key])), batch.images[key].vector)
            for key in rows
        ]
        # No reader sees these until the state counts them.
        engine.put(self._open.vectors, points)
        self._make(
            state.after(rows=state.rows + len(rows), images=state.images + len(rows)),
            images={
                each.row: payload_of(each) for key, each in changed.items() if key not in rows
            },
            files={point.key: point.payload for point in map(file_point, batch.files.values())},
        )

    def write_facts(self, facts: Mapping[str, Facts]) -> None:
        """Store facts of stored images, by image_id, all or nothing.

        Raises StoreError when one is not stored.
        """
        state = self._begin()
        known = images_by_id(self._open.engine, self._open.vectors, facts)
        fit = entries.checked_facts(facts, known.keys())
        self._make_images(state, (replace(known[key], facts=each) for key, each in fit.items()))

    def forget(self, files: Sequence[tuple[int, str]]) -> None:
        """Forget files, given as (root_id, path); unknown ones are passed over."""
        for some in batches(files, _FORGOTTEN_AT_ONCE):
            state, engine = self._begin(), self._open.engine
            gone = stored_files(engine, some)
            ids = {image_id for file in gone.values() for image_id in images_of(file)}
            known = images_by_id(engine, self._open.vectors, ids)
            changed = with_files(known, gone.values(), ())
            self._make(
                state.after(),
                images={each.row: payload_of(each) for each in changed.values()},
                gone_points=[file_key(*key) for key in gone],
            )

    def prune(self) -> int:
        """Drop images that no file holds and roots without files; return how many images."""
        state = self._begin()
        loose = self._open.points(state, one_of("loose", ["yes"]), fields=False)
        rows = [point.key for point in loose]
        used = tuple(root for root in state.roots if self._has_files(root))
        self._make(state.after(images=state.images - len(rows), roots=used), gone_rows=rows)
        return len(rows)

    def write_texts(self, texts: Mapping[int, str]) -> None:
        """Store the text that was read in pictures, by row, all or nothing.

        Raises StoreError when a row is no image.
        """
        state = self._begin()
        inside = [row for row in texts if 0 <= row < state.rows]
        points = self._open.engine.get(self._open.vectors, inside, fields=WHOLE)
        for row in texts:
            if row not in points:
                raise StoreError(f"Row {row} is no image of the library (any more): read again.")
        known = {row: image_of(point) for row, point in points.items()}
        fit = {row: entries.storable(text) for row, text in texts.items()}
        self._make_images(state, (replace(known[row], text=text) for row, text in fit.items()))

    def write_measures(self, first_row: int, measures: NDArray[np.float32]) -> None:
        """Store measures (n, MEASURES) of the rows from `first_row` on.

        Raises StoreError when they do not fit the store, or its rows.
        """
        state = self._begin()
        fit = entries.checked_measures(first_row, measures, state.rows)
        numbers = [[None if np.isnan(each) else float(each) for each in row] for row in fit]
        self._make(
            state.after(),
            images={row: {"measures": each} for row, each in enumerate(numbers, start=first_row)},
        )

    def write_regions(  # The protocol names what nothing is done with here.
        self, rows: Sequence[int], found: Sequence[ImageRegions]  # noqa: ARG002
    ) -> None:
        """Raise InputError: regions are kept in folders."""
        raise no_regions(self.location)

    def drop_regions(self) -> None:
        """Do nothing: there are none."""

    def set_note(self, key: str, value: str) -> None:
        """Keep a small text beside the data."""
        self._make(self._begin().after(), notes={key: entries.storable(value)})

    def compact(self, *, notes: Mapping[str, str] = NO_NOTES) -> Compaction:
        """Number the images anew without holes, and keep these notes.

        Raises StoreError while the store is being moved to another model.
        """
        state, bytes_before = self._begin(), self.size_bytes()
        holes = state.rows - state.images
        if holes and state.following is not None:
            raise StoreError(
                f"The store is being moved to the model {state.following.model.name}: finish that "
                "first, then compact it."
            )
        if holes:
            generation = state.generations_made + 1
            moving.compacted(self._open.engine, state, generation)
            fit = {key: entries.storable(value) for key, value in notes.items()}
            after = state.after(
                rows=state.images, generation=generation, generations_made=generation
            )
            self._switch(after, notes=fit)
        return Compaction(state.images, holes, bytes_before, self.size_bytes())

    # -- moving to another model -----------------------------------------------------------
    def begin_next(self, model: ModelIdentity) -> None:
        """Begin, or go on with, vectors of another model; what was made for a third one goes.

        Raises StoreError for the model in use.
        """
        state = self._begin()
        if model.fingerprint == state.model.fingerprint:
            raise StoreError(f"The vectors come from {model.name} already.")
        before = state.following
        if before is not None and before.model.fingerprint == model.fingerprint:
            self._make(state.after(following=Following(model, before.generation)))
            return
        generation = state.generations_made + 1
        moving.clear(self._open.engine, generation, model.embed_dim)
        after = state.after(following=Following(model, generation), generations_made=generation)
        self._make(after)
        self._drop_unused(after)

    def write_next(self, rows: Sequence[int], vectors: Matrix) -> None:
        """Store the next model's vectors, (len(rows), its embed_dim).

        Raises StoreError when no move was begun, or rows or vectors do not fit it.
        """
        state = self._begin()
        following = _begun(state)
        asked = entries.checked_rows(rows, state.rows)
        fit = entries.checked_vectors(vectors, len(asked), following.model.embed_dim)
        moving.put_next(self._open.engine, following.generation, asked, fit)

    def finish_next(self, *, forget_notes: Sequence[str] = ()) -> None:
        """Make the next model the model in one step; drop these notes and the old vectors.

        Raises StoreError when no move was begun, or an image has no vector of it yet.
        """
        state = self._begin()
        following = _begun(state)
        moving.complete(self._open.engine, state, following.generation, following.model)
        after = state.after(
            model=following.model, generation=following.generation, following=None
        )
        self._switch(after, gone_points=[note_key(key) for key in forget_notes])

    def drop_next(self) -> None:
        """Give up the move and its vectors; without one, do nothing."""
        state = self._begin()
        if state.following is not None:
            after = state.after(following=None)
            self._make(after)
            self._drop_unused(after)

    def _has_files(self, root: Root) -> bool:
        inside = one_of("lineage", [scope_key(Scope(root.root_id))])
        found = self._open.engine.scroll(self._open.catalog, inside, fields=False, limit=1)
        return any(True for _ in found)


def _begun(state: State) -> Following:
    if state.following is None:
        raise StoreError("The store is not being moved to another model.")
    return state.following


def _check_files(files: Iterable[FileRecord], state: State, image_ids: Set[str]) -> None:
    """Raise StoreError when a file is below no root, or shows none of the images."""
    root_ids = {root.root_id for root in state.roots}
    for file in files:
        if file.root_id not in root_ids:
            raise StoreError(f"A file is below root {file.root_id}, not in the library.")
        if missing := set(images_of(file)) - image_ids:
            raise StoreError(f"A file shows image {min(missing)}, which is not stored.")
