"""Find the picture files below a folder: in a stable order, without being stopped by anything."""

import errno
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from visionquery.images.ignore import Rules, is_ignored, read_rules
from visionquery.images.kinds import begins_like_picture, is_candidate, may_be_candidate
from visionquery.types import is_address

__all__ = [
    "LIBRARY_MARK",
    "SIDECAR_EXTENSION",
    "FoundFile",
    "Unreachable",
    "is_passed_over",
    "is_wanted",
    "reason_of",
    "scan",
]

_SYSTEM_NAMES = frozenset(
    {"@eadir", "@recycle", "@recently-snapshot", "#recycle", "#snapshot", "$recycle.bin"}
    | {"recycler", "system volume information", "__macosx", "lost+found", "found.000"}
)
SIDECAR_EXTENSION = ".xmp"
_MARK_BYTES = 16
LIBRARY_MARK = "catalog.sqlite"

_LATEST_NS = 2**63 - 1
"""In the year 2262; file systems keep, and broken ones report, later times."""

_LEADS_NOWHERE = (errno.ENOENT, errno.ELOOP)
"""A file that went away meanwhile, and a link that leads to itself."""

_REASONS: dict[type[OSError], str] = {
    FileNotFoundError: "it is not there any more",
    PermissionError: "permission denied",
    NotADirectoryError: "it is not a folder",
    IsADirectoryError: "it is a folder, not a file",
}


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file worth opening as a picture. `path` is absolute, or an address; `relative` is to the
    scanned root, "/"-separated, bytes that are no UTF-8 as surrogate escapes; `mtime_ns` is within
    64 bits, as it can be kept. Where a `sidecar` beside it says more of it, size and time are those
    of both, added up and the later one, so that a change of either shows."""

    path: str
    relative: str
    size_bytes: int
    mtime_ns: int
    sidecar: str | None = None


@dataclass(frozen=True, slots=True)
class Unreachable:
    """A folder (or file) that could not be looked at, and why. Whatever was known below
    `relative` ("" is the root itself) may still be there."""

    path: str
    relative: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Folder:
    path: str
    relative: str
    rules: tuple[Rules, ...]


@dataclass(frozen=True, slots=True)
class _Bounds:
    """The real place of the scanned root, and the folders below it that are left out."""

    real_root: Path
    left_out: frozenset[str]


def scan(
    root: str | Path, *, below: str = "", without: Collection[str] = ()
) -> Iterator[FoundFile | Unreachable]:
    """Yield the picture files of `root`, in order of their relative paths.

    `below` is a folder or file, "/"-separated and relative to `root`, to which the answer is
    narrowed; what is ignored on the way there stays so, but what is hidden does not: it is
    named. `without` are folders, relative to `root`, that are left out. Links to folders are
    followed unless they lead to where the scan comes by anyway, so loops end. Skipped: hidden and
    system folders and files, what `.visionqueryignore` files name, libraries, all but regular
    files. A file without an extension is looked into. `root` may be an address: see `bucket`.
    """
    if is_address(str(root)):
        from visionquery.images.bucket import scan_address

        yield from scan_address(str(root), below=below, without=without)
        return
    seen: set[tuple[int, int]] = set()
    bounds = _Bounds(Path(os.path.realpath(root)), frozenset(map(os.path.normcase, without)))
    parts = tuple(part for part in below.split("/") if part)
    stack = [_enter(_Folder(str(Path(root).absolute()), "", ()), seen, parts, bounds)]
    while stack:
        found = next(stack[-1], None)
        if found is None:
            stack.pop()
        elif isinstance(found, _Folder):
            remaining = parts[found.relative.count("/") + 1 :]
            stack.append(_enter(found, seen, remaining, bounds))
        else:
            yield found


def _enter(
    folder: _Folder, seen: set[tuple[int, int]], parts: tuple[str, ...], bounds: _Bounds
) -> Iterator[FoundFile | Unreachable | _Folder]:
    """Yield what lies directly in a folder; only its entry `parts[0]` when there is one."""
    try:
        if not _first_visit(folder.path, seen):
            return
        with os.scandir(folder.path) as listing:
            entries = {_order(entry): entry for entry in listing}
    except OSError as error:
        yield Unreachable(folder.path, folder.relative, reason_of(error))
        return
    if folder.relative and LIBRARY_MARK in entries:
        return
    rules = (*folder.rules, *read_rules(folder.path, folder.relative))
    notes = {name for name in entries if name[-4:].lower() == SIDECAR_EXTENSION}
    for key in sorted(entries):
        entry = entries[key]
        if entry.name != parts[0] if parts else is_passed_over(entry.name):
            continue
        found = _look(entry, folder.relative, rules, bounds)
        if isinstance(found, FoundFile) and notes:
            found = _with_sidecar(found, notes)
        if found is not None:
            yield found


def _first_visit(path: str, seen: set[tuple[int, int]]) -> bool:
    status = Path(path).stat()
    identity = (status.st_dev, status.st_ino)
    if identity in seen:
        return False
    seen.add(identity)
    return True


def _order(entry: os.DirEntry[str]) -> str:
    """Sorting folders with their "/" makes the whole scan come in the order of its paths."""
    try:
        return entry.name + "/" if entry.is_dir() else entry.name
    except OSError:
        return entry.name


def _look(
    entry: os.DirEntry[str], above: str, rules: tuple[Rules, ...], bounds: _Bounds
) -> FoundFile | Unreachable | _Folder | None:
    relative = f"{above}/{entry.name}" if above else entry.name
    try:
        if entry.is_dir():
            if is_ignored(relative + "/", rules) or os.path.normcase(relative) in bounds.left_out:
                return None
            if _comes_by_anyway(entry, bounds.real_root):
                return None
            return _Folder(entry.path, relative, rules)
        if not (is_candidate(entry.name) or may_be_candidate(entry.name)):
            return None
        if is_ignored(relative, rules) or not entry.is_file() or not is_wanted(entry.path):
            return None
        status = entry.stat()
    except OSError as error:
        if error.errno in _LEADS_NOWHERE:
            return None
        return Unreachable(entry.path, relative, reason_of(error))
    mtime_ns = max(-_LATEST_NS, min(status.st_mtime_ns, _LATEST_NS))
    return FoundFile(entry.path, relative, status.st_size, mtime_ns)


def is_wanted(place: str) -> bool:
    """Return whether a file is worth opening; one whose name says nothing is looked into, unless
    it is behind an address."""
    name = os.path.basename(place)  # noqa: PTH119 (for every file)
    if not may_be_candidate(name) or is_address(place):
        return is_candidate(name)
    try:
        with Path(place).open("rb") as file:
            return begins_like_picture(file.read(_MARK_BYTES))
    except OSError:
        return False


def _with_sidecar(file: FoundFile, names: Collection[str]) -> FoundFile:
    from visionquery.images.sidecars import sidecar_of  # not needed where there are none

    path = Path(file.path)
    name = sidecar_of(path, names)
    if name is None:
        return file
    path = path.with_name(name)
    try:
        status = path.stat()
    except OSError:
        return file
    return replace(
        file,
        size_bytes=file.size_bytes + status.st_size,
        mtime_ns=max(file.mtime_ns, min(status.st_mtime_ns, _LATEST_NS)),
        sidecar=str(path),
    )


def is_passed_over(name: str) -> bool:
    """Whether a scan leaves out an entry of this name unless it is asked for: hidden ones, and
    those that belong to a system."""
    return name.startswith(".") or name.casefold() in _SYSTEM_NAMES


def _comes_by_anyway(entry: os.DirEntry[str], real_root: Path) -> bool:
    """A link into the scanned root shows nothing new, unless it leads to a hidden place."""
    if not entry.is_symlink():
        return False
    target = Path(entry.path).resolve()
    if not target.is_relative_to(real_root):
        return False
    return not any(is_passed_over(name) for name in target.relative_to(real_root).parts)


def reason_of(error: OSError) -> str:
    """Say in a few words why the system refused a file or folder."""
    if error.errno == errno.ENAMETOOLONG:
        return "its path is too long for the system"
    for kind, reason in _REASONS.items():
        if isinstance(error, kind):
            return reason
    return (error.strerror or str(error) or type(error).__name__).lower()
