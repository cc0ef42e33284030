"""What changed in a part of a root, by names, sizes and times: nothing is read."""

import os.path
import posixpath
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from visionquery.images.kinds import extra_missing
from visionquery.images.scan import FoundFile, Unreachable, is_passed_over, reason_of, scan
from visionquery.indexing.places import is_there
from visionquery.indexing.report import Skipped
from visionquery.store.base import FileRecord, Root, Scope, Store
from visionquery.store.places import absolute, below
from visionquery.types import is_address

__all__ = ["Survey", "compare", "survey"]


@dataclass(frozen=True, slots=True)
class Survey:
    """Files as they lie there, against those that are known.

    `new` and `changed` are to be read; `unchanged` counts those that are not; `broken` are as
    they were when they could not be used, with the reason; `gone` are known paths at which there
    is nothing; `unreachable` is what could not be looked at, of which all that is known stays.
    `left_out` counts, by extra of the package, new files that take one which is not installed.
    `away` tells that the place is missing, or its root empty: nothing counts as gone then.
    """

    new: tuple[FoundFile, ...] = ()
    changed: tuple[FoundFile, ...] = ()
    unchanged: int = 0
    broken: tuple[Skipped, ...] = ()
    gone: tuple[str, ...] = ()
    unreachable: tuple[Skipped, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    away: Literal["missing", "empty"] | None = None

    @property
    def to_read(self) -> list[FoundFile]:
        """What a run reads, in the order of the paths."""
        return sorted((*self.new, *self.changed), key=lambda file: file.relative)


def compare(
    known: Mapping[str, FileRecord],
    found: Iterable[FoundFile | Unreachable],
    *,
    try_again: bool = False,
) -> Survey:
    """Compare the files that are known, by path, with those that a scan found; `try_again` says
    that files which could not be used count as changed."""
    new, changed, broken, unreachable = [], [], [], []
    unchanged = 0
    folders: list[str] = []
    seen: set[str] = set()
    left_out: Counter[str] = Counter()
    for item in found:
        if isinstance(item, Unreachable):
            folders.append(item.relative)
            unreachable.append(Skipped(item.path, item.reason))
            continue
        seen.add(item.relative)
        record = known.get(item.relative)
        if extra := extra_missing(posixpath.basename(item.relative)):
            left_out[extra] += record is None  # What is known of the others stays.
        elif record is None:
            new.append(item)
        elif not _is_same(record, item) or (try_again and _problems(item, record)):
            changed.append(item)
        else:
            broken += _problems(item, record)
            unchanged += record.problem is None
    gone = (path for path in known if path not in seen and not _is_below(path, folders))
    return Survey(
        tuple(new), tuple(changed), unchanged, tuple(broken), tuple(gone), tuple(unreachable),
        +left_out,
    )  # fmt: skip


def survey(store: Store, root: Root, scope: Scope, *, try_again: bool = False) -> Survey:
    """Scan a scope of a root and compare it with what the store knows of it.

    What is known of a place that is missing, or of an empty root, counts as neither gone nor
    there; so does a file that a scan passes over, and that is known because it was named.
    """
    known = store.files(scope)
    place = absolute(root.location, scope.path) if scope.path else root.location
    if known and not is_address(place) and not os.path.lexists(place):
        return Survey(away="missing")
    result = compare(known, _found(store, root, scope, known), try_again=try_again)
    gone = tuple(path for path in result.gone if not _is_named_and_there(root, path))
    nothing = not (result.new or result.changed or result.unchanged or result.broken)
    if gone and nothing and not result.unreachable:
        # A listing tells of an address, without being asked whether there is one.
        if is_address(place) and not is_there(place):
            return Survey(away="missing")
        if not is_there(root.location):
            return replace(result, gone=(), away="empty")
    return replace(result, gone=gone)


def _found(
    store: Store, root: Root, scope: Scope, known: Mapping[str, FileRecord]
) -> Iterator[FoundFile | Unreachable]:
    if not root.whole and not scope.path:
        return _alone(root, known)
    inner = [path for other in store.roots() if (path := below(other.location, root.location))]
    return scan(root.location, below=scope.path, without=inner)


def _alone(root: Root, known: Iterable[str]) -> Iterator[FoundFile | Unreachable]:
    """Of a root that is here for single files only these are looked at."""
    for relative in known:
        path = absolute(root.location, relative)
        if is_address(path):
            yield from scan(root.location, below=relative)
            continue
        try:
            status = Path(path).stat()
        except FileNotFoundError:
            continue
        except OSError as error:
            yield Unreachable(path, relative, reason_of(error))
            continue
        yield FoundFile(path, relative, status.st_size, status.st_mtime_ns)


def _problems(file: FoundFile, record: FileRecord) -> list[Skipped]:
    """Return what of a file could not be used, and why: itself, or some of its parts."""
    if record.problem is not None:
        return [Skipped(file.path, record.problem)]
    return [
        Skipped(file.path, part.problem, part.name) for part in record.fragments if part.problem
    ]


def _is_same(record: FileRecord, file: FoundFile) -> bool:
    return (record.size_bytes, record.mtime_ns) == (file.size_bytes, file.mtime_ns)


def _is_below(path: str, folders: Iterable[str]) -> bool:
    return any(not folder or path == folder or path.startswith(folder + "/") for folder in folders)


def _is_named_and_there(root: Root, path: str) -> bool:
    if not any(map(is_passed_over, path.split("/"))):
        return False
    place = absolute(root.location, path)
    return is_there(place) if is_address(place) else os.path.lexists(place)
