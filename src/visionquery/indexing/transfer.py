"""One pass from a store to another: what differs between them is found, and brought over.

Both are read in the same order, a stretch of file records at a time with the images that these
show, so that a large library takes no more memory than a small one. Only the `Store` protocol is
used. What is there already stays, so that the next pass, or one after a kill, goes on where this
one ended; a thorough pass that finds no difference is the proof that there is none.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visionquery.errors import StoreError
from visionquery.store.base import FileRecord, ImageRecord, NewImage, Root, Scope, Store
from visionquery.store.fragments import images_of
from visionquery.store.places import packed

__all__ = ["Passed", "transfer"]

_FILES_AT_ONCE = 4_000
_IMAGES_AT_ONCE = 4_000
"""An engine writes twice as fast a few thousand at a time as a few hundred."""

_ASIDE = "visionquery makes a root here"

Files = dict[str, FileRecord]


@dataclass(slots=True)
class Passed:
    """What a pass did: files looked at, images copied, and images that the target lost. Of the
    `differences` that it found, `first` says what one was. `unmeasured` is the first row of the
    target whose image has no measures, None where all have them; only a thorough pass looks."""

    files: int = 0
    copied: int = 0
    removed: int = 0
    differences: int = 0
    first: str = ""
    unmeasured: int | None = None

    def note(self, count: int, what: str) -> None:
        """Count differences."""
        if count and not self.differences:
            self.first = what
        self.differences += count


@dataclass(frozen=True, slots=True)
class _Pair:
    """The stores, and what is known of the pass between them."""

    source: Store
    target: Store
    thorough: bool
    on_files: Callable[[Passed], None]
    passed: Passed = field(default_factory=Passed)


def transfer(
    source: Store, target: Store, *, thorough: bool, on_files: Callable[[Passed], None]
) -> Passed:
    """Make the target hold the files of the source with their images, and no others; return what
    there was to do. `thorough` compares what both know of the same image too, bit for bit. Call it
    inside `target.writing()`; `on_files` is told after each stretch of files.

    Raises StoreError where the two have different vectors of an image.
    """
    pair = _Pair(source, target, thorough, on_files)
    roots = [root for root in source.roots() if any(source.file_count(Scope(root.root_id)))]
    # A root inside another stays one of its own only when it is there first.
    for root in sorted(roots, key=lambda root: len(root.location), reverse=True):
        _bring_root(pair, root)
    wanted = {(root.location, root.whole) for root in roots}
    for root in target.roots():
        if (root.location, root.whole) not in wanted:
            _forget(pair, root)
    pair.passed.removed += target.prune()
    if thorough:
        _compare_totals(pair)
    return pair.passed


# -- roots -----------------------------------------------------------------------------------
def _bring_root(pair: _Pair, root: Root) -> None:
    scope = Scope(_root_there(pair, root).root_id)
    after: str | None = None
    while True:
        # Rows are those of one state; others may write between two stretches.
        with pair.source.reading():
            here = pair.source.files(Scope(root.root_id), after=after, limit=_FILES_AT_ONCE)
            there = pair.target.files(scope, after=after, limit=_FILES_AT_ONCE)
            after = _common_end(here, there)
            _bring_files(pair, scope.root_id, _up_to(after, here), _up_to(after, there))
        pair.on_files(pair.passed)
        if after is None:
            return


def _root_there(pair: _Pair, root: Root) -> Root:
    """Return the target's root of a place, making it if need be."""
    target = pair.target
    known = next((each for each in target.roots() if each.location == root.location), None)
    if known is not None and known.whole and not root.whole:
        _forget(pair, known)
        pair.passed.removed += target.prune()
    made = target.add_root(root.location, whole=root.whole)
    if made.location == root.location:
        return made
    # It lies in another one, in which it would be a folder as any other: it is moved there.
    aside = str(Path(os.sep, _ASIDE).absolute())
    if target.locate(aside) is not None:
        raise StoreError(
            f"{root.location} cannot become an indexed folder of its own in {target.location}: "
            "copy to an empty place."
        )
    return target.move(Scope(target.add_root(aside, whole=root.whole).root_id), root.location)


def _forget(pair: _Pair, root: Root) -> None:
    """Forget all files of one of the target's roots."""
    while files := pair.target.files(Scope(root.root_id), limit=_FILES_AT_ONCE):
        pair.passed.note(len(files), f"{root.location} has files")
        pair.target.forget([(root.root_id, path) for path in files])


def _compare_totals(pair: _Pair) -> None:
    """Compare what can be counted."""
    with pair.source.reading():
        here, there = _root_counts(pair.source), _root_counts(pair.target)
        images = pair.source.image_count(), pair.target.image_count()
    for place in here.keys() ^ there.keys():
        pair.passed.note(1, f"{place[0]} is indexed")
    for place in here.keys() & there.keys():
        pair.passed.note(here[place] != there[place], f"{place[0]} has another number of files")
    # The source may have images of files that are forgotten, which nothing has pruned yet.
    pair.passed.note(images[0] < images[1], f"{images[1] - images[0]:,} images more are there")


def _root_counts(store: Store) -> dict[tuple[str, bool], tuple[int, int]]:
    counts = {
        (root.location, root.whole): store.file_count(Scope(root.root_id)) for root in store.roots()
    }
    return {place: count for place, count in counts.items() if any(count)}


# -- files -----------------------------------------------------------------------------------
def _common_end(here: Files, there: Files) -> str | None:
    """Return the last path up to which both stretches have all files, None at the end."""
    full = [next(reversed(files)) for files in (here, there) if len(files) == _FILES_AT_ONCE]
    return min(full, key=packed) if full else None


def _up_to(end: str | None, files: Files) -> Files:
    if end is None:
        return files
    last = packed(end)
    return {path: file for path, file in files.items() if packed(path) <= last}


def _bring_files(pair: _Pair, root_id: int, here: Files, there: Files) -> None:
    """Bring over a stretch of files, given as both stores have it."""
    wanted = {path: replace(file, root_id=root_id) for path, file in here.items()}
    missing = [file for path, file in wanted.items() if there.get(path) != file]
    gone = [(root_id, path) for path in there if path not in wanted]
    for files in _few(missing):
        _write(pair, files)
    if gone:
        pair.target.forget(gone)
        pair.passed.note(len(gone), f"the file {gone[0][1]} is known")
    if pair.thorough:
        ids = _images(wanted.values())
        for start in range(0, len(ids), _IMAGES_AT_ONCE):
            _compare(pair, ids[start : start + _IMAGES_AT_ONCE])
    pair.passed.files += len(wanted)


def _few(files: Iterable[FileRecord]) -> Iterator[list[FileRecord]]:
    """Cut files into groups that show a bounded number of images; one file stays in one."""
    group: list[FileRecord] = []
    images = 0
    for file in files:
        group.append(file)
        images += len(file.fragments) or 1
        if images >= _IMAGES_AT_ONCE:
            yield group
            group, images = [], 0
    if group:
        yield group


def _images(files: Iterable[FileRecord]) -> list[str]:
    """Return the ids of the images that files show, each once."""
    return list(dict.fromkeys(image_id for file in files for image_id in images_of(file)))


def _write(pair: _Pair, files: Sequence[FileRecord]) -> None:
    """Write files, and the images in them that the target does not have."""
    ids = _images(files)
    known = pair.target.rows_of(ids)
    rows = pair.source.rows_of([image_id for image_id in ids if image_id not in known])
    records = pair.source.records(list(rows.values()))
    vectors = pair.source.vectors(list(rows.values()))
    pair.target.write(
        [
            NewImage(record.image_id, vector, record.facts)
            for record, vector in zip(records, vectors, strict=True)
        ],
        files,
    )
    pair.passed.copied += len(records)
    pair.passed.note(len(files), f"the file {files[0].path} is another")
    there = _rows(pair.target, rows)
    texts = {
        row: record.text
        for row, record in zip(there.tolist(), records, strict=True)
        if record.text is not None
    }
    if texts:
        pair.target.write_texts(texts)
    measures = pair.source.measures(np.array(list(rows.values()), dtype=np.intp))
    measured = ~np.isnan(measures).all(axis=1)
    _write_measures(pair.target, there[measured], measures[measured])


# -- images ----------------------------------------------------------------------------------
def _compare(pair: _Pair, ids: Sequence[str]) -> None:
    """Compare what both stores know of images, and bring over what the source knows otherwise."""
    source, target = pair.source, pair.target
    here, there = _rows(source, ids), _rows(target, ids)
    _check_vectors(pair, ids, source.vectors(here.tolist()), target.vectors(there.tolist()))
    records = list(
        zip(source.records(here.tolist()), target.records(there.tolist()), strict=True)
    )
    facts = {one.image_id: one.facts for one, other in records if one.facts != other.facts}
    if facts:
        target.write_facts(facts)
    texts = {other.row: one.text or "" for one, other in records if _has_other_text(one, other)}
    if texts:
        target.write_texts(texts)
    wanted, known = source.measures(here), target.measures(there)
    differ = ((wanted != known) & ~(np.isnan(wanted) & np.isnan(known))).any(axis=1)
    _write_measures(target, there[differ], wanted[differ])
    for count, what in ((len(facts), "facts"), (len(texts), "text"), (differ.sum(), "measures")):
        pair.passed.note(int(count), f"the {what} of an image differ")
    unmeasured = there[np.isnan(wanted).any(axis=1)]
    if len(unmeasured):
        before = pair.passed.unmeasured
        first = int(unmeasured.min())
        pair.passed.unmeasured = first if before is None else min(first, before)


def _rows(store: Store, ids: Iterable[str]) -> NDArray[np.intp]:
    """Return the rows of images in the order of their ids."""
    ids = list(ids)
    rows = store.rows_of(ids)
    if missing := [image_id for image_id in ids if image_id not in rows]:
        raise StoreError(
            f"The library {store.location} does not have image {missing[0]}, which a file of it "
            "shows: see what is wrong with it, then run the command again."
        )
    return np.array([rows[image_id] for image_id in ids], dtype=np.intp)


def _check_vectors(
    pair: _Pair, ids: Sequence[str], here: NDArray[np.float32], there: NDArray[np.float32]
) -> None:
    differ = (here != there).any(axis=1)
    if differ.any():
        raise StoreError(
            f"{pair.target.location} has another vector of image {ids[int(differ.argmax())]} than "
            f"{pair.source.location}: one of the two is damaged; copy to a new place."
        )


def _has_other_text(one: ImageRecord, other: ImageRecord) -> bool:
    """Whether a text was read that the other does not have. What only the other has was read
    before, in the same picture."""
    return one.text is not None and one.text != other.text


def _write_measures(
    target: Store, rows: NDArray[np.intp], measures: NDArray[np.float32]
) -> None:
    """Write measures of rows in any order: each run of neighbours at a time."""
    order = np.argsort(rows)
    starts = np.flatnonzero(np.diff(rows[order]) != 1) + 1
    for run in np.split(order, starts):
        if len(run):
            target.write_measures(int(rows[run[0]]), measures[run])
