"""A library copied from one place to another, whatever keeps it there: folders and engines.

What a copy holds is written first and compared then; a note in it says, until all is the same, that
it is unfinished. Whatever stops it, the same call goes on from there.
"""

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from visionquery.errors import LibraryNotFoundError, LibraryReplacedError, StoreError
from visionquery.indexing.copied import Origin, keep_origin, origin_of, unfinished_from
from visionquery.indexing.report import Progress
from visionquery.indexing.run import DECODER_NOTE
from visionquery.indexing.transfer import Passed, transfer
from visionquery.opening import made_at, open_at
from visionquery.search.background import copied_notes
from visionquery.search.concepts import CONCEPTS_NOTE
from visionquery.store.base import Scope, Store
from visionquery.store.engines import shown
from visionquery.store.layout import LIBRARY_ID_NOTE
from visionquery.store.places import expanded
from visionquery.types import ModelIdentity, is_address

__all__ = ["Copied", "copy_library"]

OnProgress = Callable[[str, Progress], None]

_PASSES = 5
"""How often is looked at all of a library that others change meanwhile."""


@dataclass(frozen=True, slots=True)
class Copied:
    """A copy that was made and compared: from where to where; its images and files; how many of
    its images were copied by this run, and how many it lost because the library has lost them.
    `notes` are sentences for a person."""

    source: str
    target: str
    images: int
    files: int
    copied: int
    removed: int
    seconds: float
    notes: tuple[str, ...] = ()

    @property
    def already_there(self) -> int:
        """How many of its images were there before this run."""
        return self.images - self.copied


def copy_library(
    source: str | Path, target: str | Path, *, on_progress: OnProgress = lambda *_: None
) -> Copied:
    """Copy a library, given as a folder or an address, to another place, which is new, empty, or
    has a copy of it, unfinished or older, which is brought up to date. No model is needed.

    Others may read and write the library meanwhile; the copy is one of its states in the end, and
    everything in it was compared, vectors bit for bit. `on_progress` gets what is done, and how far
    that is, in files. Raises LibraryNotFoundError, StoreError where the target is none of these or
    the two still differ at the end, LibraryBusyError when another process writes to it,
    EngineError.
    """
    here, there = _place(source), _place(target)
    _check_apart(here, there)
    start = time.monotonic()
    with closing(open_at(here)) as library:
        if (where := unfinished_from(library)) is not None:
            raise StoreError(
                f"{library.location} is an unfinished copy of {where} itself: finish that first."
            )
        with closing(_opened(there, library.model)) as copy, copy.writing():
            _check_target(library, copy)
            try:
                made = _made_same(library, copy, start, on_progress)
            except LibraryReplacedError as error:
                raise LibraryReplacedError(
                    f"{library.location} was moved to another model, compacted or restored while "
                    "it was copied: run the command again to go on."
                ) from error
    # An engine makes its index as the writer leaves.
    return replace(made, seconds=time.monotonic() - start)


def _place(location: str | Path) -> str:
    name = str(location)
    return name if is_address(name) else str(expanded(location).absolute())


def _check_apart(here: str, there: str) -> None:
    """Raise StoreError where a library would be copied into itself."""
    is_inside = here == there
    if not (is_inside or is_address(here) or is_address(there)):
        ours, theirs = Path(here).resolve(), Path(there).resolve()
        is_inside = ours == theirs or ours in theirs.parents or theirs in ours.parents
    if is_inside:
        raise StoreError(
            f"{shown(there)} is no place for a copy of the library {shown(here)}: take another one."
        )


def _opened(place: str, model: ModelIdentity) -> Store:
    try:
        return open_at(place)
    except LibraryNotFoundError:
        return made_at(place, model)


def _check_target(library: Store, copy: Store) -> None:
    """Raise StoreError where something would be lost, or mixed, by copying there."""
    origin = origin_of(copy)
    if origin is None:
        if copy.row_count() or copy.roots() or library.location == copy.location:
            raise StoreError(f"There is another library in {copy.location}: give an empty place.")
    elif origin.library != _known_as(library):
        raise StoreError(
            f"{copy.location} is a copy of another library, that of {origin.location}: give an "
            "empty place."
        )
    elif origin.finished is not None and _has_changed(origin.finished, _held(copy)):
        raise StoreError(
            f"{copy.location} was changed since it was copied from {origin.location}, and copying "
            "again would undo that: give an empty place."
        )
    if copy.model.fingerprint != library.model.fingerprint:
        raise StoreError(
            f"{copy.location} has vectors of the model {copy.model.name}, {library.location} those "
            f"of {library.model.name}: give an empty place."
        )


def _made_same(library: Store, copy: Store, start: float, on_progress: OnProgress) -> Copied:
    """Copy, compare, and say in the copy that it is whole; the caller holds its writing()."""
    origin = Origin(
        _known_as(library), library.location, datetime.now(UTC).isoformat(timespec="seconds")
    )
    keep_origin(copy, origin)
    passes = _passes(library, copy, on_progress)
    last = passes[-1]
    measured = copy.row_count() if last.unmeasured is None else last.unmeasured
    kept = {key: library.note(key) or "" for key in (DECODER_NOTE, CONCEPTS_NOTE)}
    for key, value in {**kept, **copied_notes(library, measured_rows=measured)}.items():
        if value != (copy.note(key) or ""):
            copy.set_note(key, value)
    keep_origin(copy, replace(origin, finished=_held(copy)))
    return Copied(
        source=library.location,
        target=copy.location,
        images=copy.image_count(),
        files=last.files,
        copied=sum(each.copied for each in passes),
        removed=sum(each.removed for each in passes),
        seconds=time.monotonic() - start,
        notes=tuple(_left(library, copy)),
    )


def _passes(library: Store, copy: Store, on_progress: OnProgress) -> list[Passed]:
    """Make one the same as the other: until a look at everything finds nothing that differs.

    Raises StoreError where that does not come.
    """
    passes: list[Passed] = []
    while len(passes) < _PASSES:
        what = "Copying" if not passes else "Checking"
        show = _shown(what, library, on_progress)
        passes.append(transfer(library, copy, thorough=bool(passes), on_files=show))
        if len(passes) > 1 and not passes[-1].differences:
            return passes
    raise StoreError(
        f"The copy in {copy.location} still differs from {library.location} after {_PASSES} passes "
        f"({passes[-1].first}): run the command again when nobody changes the library."
    )


def _shown(what: str, library: Store, on_progress: OnProgress) -> Callable[[Passed], None]:
    start, total = time.monotonic(), _file_count(library)

    def show(passed: Passed) -> None:
        done, seconds = passed.files, time.monotonic() - start
        on_progress(what, Progress(done, max(done, total), passed.copied, seconds))

    return show


def _file_count(library: Store) -> int:
    return sum(sum(library.file_count(Scope(root.root_id))) for root in library.roots())


def _left(library: Store, copy: Store) -> list[str]:
    """Return what a person should know of that was not copied."""
    notes = []
    if (model := library.next_model()) is not None:
        notes.append(
            f"{library.location} is on its way to the model {model.name}; the copy has the vectors "
            f"of {copy.model.name} alone, and begins that move anew."
        )
    loose = library.image_count() - copy.image_count()
    if loose > 0:
        notes.append(f"{loose:,} images that no file shows any more were left out.")
    return notes


def _known_as(library: Store) -> str:
    """Return the text by which a library is known wherever it lies, or else where it lies."""
    return library.note(LIBRARY_ID_NOTE) or library.location


def _held(copy: Store) -> dict[str, Any]:
    """Return what a copy holds, in numbers that its next writer changes."""
    roots = [
        [root.location, root.whole, *copy.file_count(Scope(root.root_id))] for root in copy.roots()
    ]
    return {"images": copy.image_count(), "rows": copy.row_count(), "roots": roots}


def _has_changed(before: dict[str, Any], now: dict[str, Any]) -> bool:
    # Compacting takes rows away, and changes nothing.
    same = before["images"] == now["images"] and before["roots"] == now["roots"]
    return not same or now["rows"] > before["rows"]
