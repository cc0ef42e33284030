"""Whether a library is whole, and what can be done where it is not.

It works on a folder, not on an open `Library`: one that is damaged may not open.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from visionquery.errors import EngineError, ImageError, ImageUnavailableError, InputError
from visionquery.indexing.places import is_there
from visionquery.search.background import BACKGROUND_NOTE, BANK_NOTE
from visionquery.store.catalog_checks import StoredFile
from visionquery.store.checking import Checked, check, check_is_library, files_of
from visionquery.store.local import open_local
from visionquery.store.lock import writer_lock
from visionquery.store.repairing import Repaired, repair, whole_roots
from visionquery.types import is_address

__all__ = ["Diagnosis", "FilesRead", "examine"]

OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class FilesRead:
    """What the picture files say. `same` hold the image that the library says; `changed` are
    others by their size or time, which the next indexing sees; `different` have size and time
    of before and another content, or cannot be read any more, which it would not see; `read_again`
    are the keys of their records. `away` are not there now."""

    same: int = 0
    changed: tuple[str, ...] = ()
    different: tuple[str, ...] = ()
    away: int = 0
    read_again: tuple[tuple[int, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is known of a library. `before` is how it was found, `after` how it is after a repair,
    None where nothing was repaired. `roots` are the indexed folders that are there now, and `away`
    those that are not; both are empty where the catalog cannot be read."""

    location: str
    before: Checked
    files: FilesRead | None = None
    repaired: Repaired | None = None
    after: Checked | None = None
    roots: tuple[str, ...] = ()
    away: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether the library is whole now; where files were read, also whether they are those that
        it knows."""
        now = self.before if self.after is None else self.after
        is_settled = self.after is not None or self.files is None or not self.files.different
        return now.is_whole and is_settled


def examine(
    folder: Path, *, mend: bool = False, with_files: bool = False, on_progress: OnProgress
) -> Diagnosis:
    """Look at all of the library in a folder, at its picture files too if asked to, and `mend`
    what is wrong.

    Mending takes the writer's place. Images that are damaged are forgotten with the records of
    their files, so that the next indexing reads these again; what is derived is made anew. Raises
    LibraryNotFoundError, SchemaTooNewError, and StoreError where the library cannot be looked at,
    or brought in order, now.
    """
    check_is_library(folder)  # Before the lock, whose file would else be left in some folder.
    with writer_lock(folder) if mend else nullcontext():
        found = _looked_at(folder, with_files, on_progress)
        is_due = mend and not (found.is_whole and found.before.is_proved)
        if is_due:
            found = _mended(folder, found, on_progress)
    if is_due:
        # The first writer makes the codes of vectors that were dropped.
        with closing(open_local(folder)) as store, store.writing():
            pass
    is_readable = (found.after or found.before).unreadable is None
    roots = whole_roots(folder) if is_readable else []
    there = tuple(root for root in roots if is_there(root))
    return replace(found, roots=there, away=tuple(root for root in roots if root not in there))


def _looked_at(folder: Path, with_files: bool, on_progress: OnProgress) -> Diagnosis:
    before = check(folder, on_progress=on_progress)
    is_asked = with_files and before.is_current
    files = _read(files_of(folder), on_progress) if is_asked else None
    return Diagnosis(str(folder), before, files)


def _mended(folder: Path, found: Diagnosis, on_progress: OnProgress) -> Diagnosis:
    repaired = repair(
        folder,
        found.before,
        forget_notes=(BACKGROUND_NOTE, BANK_NOTE),
        read_again=[] if found.files is None else found.files.read_again,
        on_progress=on_progress,
    )
    return replace(found, repaired=repaired, after=check(folder, on_progress=on_progress))


def _holds(place: str, file: StoredFile) -> bool:
    """Whether a file has the image that the library says. Raises ImageError where it cannot be
    told."""
    from visionquery.images import workers
    from visionquery.images.content import load
    from visionquery.images.limits import Limits

    content = load(place, file.fragment, known_id=file.image_id, limits=Limits())
    if content.path is not None:
        try:
            workers.decode(content, min_side=1)
        except ImageUnavailableError:
            return False  # It is another one.
    return content.image_id == file.image_id


def _size_and_time(place: str) -> tuple[int, int]:
    """Return the bytes and nanoseconds that tell whether a file was changed. Raises OSError,
    EngineError, InputError."""
    if not is_address(place):
        status = Path(place).stat()
        return status.st_size, status.st_mtime_ns
    from visionquery.images.addresses import look

    seen = look(place)
    if seen is None:
        raise FileNotFoundError(place)
    return seen.size_bytes, seen.mtime_ns


def _read(files: Sequence[StoredFile], on_progress: OnProgress) -> FilesRead:
    """Read files and compare them with what the library says."""
    same = away = 0
    changed: list[str] = []
    different: list[StoredFile] = []
    for done, file in enumerate(files, start=1):
        place = file.place
        try:
            size_and_time = _size_and_time(place)
            if _holds(place, file):
                same += 1
            elif size_and_time != (file.size_bytes, file.mtime_ns):
                changed.append(file.place)
            else:
                different.append(file)
        except (FileNotFoundError, EngineError, InputError):
            away += 1
        except (OSError, ImageError):
            if is_address(place):  # what cannot be reached now says nothing of what is there
                away += 1
            else:
                different.append(file)  # It could be read when it was indexed.
        on_progress("Picture files", done, len(files))
    return FilesRead(
        same=same,
        changed=tuple(changed),
        different=tuple(file.place for file in different),
        away=away,
        read_again=tuple((file.root_id, file.path) for file in different),
    )
