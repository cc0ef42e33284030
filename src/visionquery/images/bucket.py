"""Find the picture files below an address, by the rules that hold for folders of this machine."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from visionquery.errors import VisionQueryError
from visionquery.images.addresses import Seen, entries, look, read, reason_of
from visionquery.images.ignore import IGNORE_FILE, Rules, is_ignored, rules_of
from visionquery.images.kinds import is_candidate
from visionquery.images.limits import Limits
from visionquery.images.scan import (
    LIBRARY_MARK,
    SIDECAR_EXTENSION,
    FoundFile,
    Unreachable,
    is_passed_over,
)
from visionquery.images.sidecars import sidecar_of

__all__ = ["scan_address"]

_COUNT = (IGNORE_FILE, LIBRARY_MARK)
_RULES = Limits(max_bytes=2**20)
_NO_PATH = "its key is no path: it has an empty name in it, . or .., or a version. Rename it"


@dataclass(slots=True)
class _Folders:
    """What is known of folders: the `rules` of those that have some, and which are `left_out`;
    `named` is the path to where the scan begins."""

    named: str
    left_out: set[str]
    rules: dict[str, Rules] = field(default_factory=dict)
    _closed: dict[str, bool] = field(default_factory=dict)

    def is_closed(self, folder: str) -> bool:
        """Whether nothing in a folder is looked at."""
        if not folder:
            return False
        if folder not in self._closed:
            above, _, name = folder.rpartition("/")
            is_named = f"{self.named}/".startswith(f"{folder}/")
            self._closed[folder] = (
                self.is_closed(above)
                or folder in self.left_out
                or (is_passed_over(name) and not is_named)
                or is_ignored(f"{folder}/", self.around(above))
            )
        return self._closed[folder]

    def around(self, folder: str) -> tuple[Rules, ...]:
        """Return the rules that hold in a folder, those of the root first."""
        if not self.rules:
            return ()
        return tuple(self.rules[each] for each in _inwards(folder) if each in self.rules)


def scan_address(
    root: str, *, below: str = "", without: Collection[str] = ()
) -> Iterator[FoundFile | Unreachable]:
    """Yield the picture files below an address, as `scan` does those of a folder.

    Only ignore files are read: a file without an extension is passed over. Where the listing cannot
    be had, all of it is unreachable. A key that is no path (with an empty name in it, "." or "..")
    is unreachable too.
    """
    try:
        yield from _scan(root, below, without)
    except VisionQueryError as error:
        yield Unreachable(_joined(root, below), below, _bare(error))
    except Exception as error:  # whatever the library for such addresses raises
        yield Unreachable(_joined(root, below), below, reason_of(error))


def _scan(
    root: str, below: str, without: Collection[str]
) -> Iterator[FoundFile | Unreachable]:
    found = _listed(root, below)
    paths = sorted(found)
    libraries = {_folder(path) for path in paths if _name(path) == LIBRARY_MARK} - {""}
    folders = _Folders(below, {*without, *libraries})
    for path in paths:
        if _name(path) == IGNORE_FILE:
            folders.rules[_folder(path)] = _rules(root, path)
    for folder in _inwards(_folder(below)) if below else ():
        path = f"{folder}/{IGNORE_FILE}" if folder else IGNORE_FILE
        if look(_joined(root, path)) is not None:
            folders.rules[folder] = _rules(root, path)
    if below and below not in found and not paths:
        found |= _alone(root, below)
        paths = [below] if below in found else []
    notes: dict[str, set[str]] = {}
    for path in found:
        if path[-4:].lower() == SIDECAR_EXTENSION:
            notes.setdefault(_folder(path), set()).add(_name(path))
    told: set[str] = set()
    for path in paths:
        item = _judged(root, path, found[path], folders)
        if isinstance(item, Unreachable):
            # One of a folder of such names speaks for all.
            if _folder(path) not in told:
                told.add(_folder(path))
                yield item
        elif item is not None:
            yield _with_sidecar(root, item, found, notes.get(_folder(path), ()))


def _listed(root: str, below: str) -> dict[str, Seen | None]:
    """Return what counts of the files below a part of a root, by path."""
    lead = f"{below}/" if below else ""
    found: dict[str, Seen | None] = {}
    try:
        for path, seen in entries(_joined(root, below)):
            name = _name(path)
            if is_candidate(name) or name in _COUNT or name[-4:].lower() == SIDECAR_EXTENSION:
                found[lead + path] = seen
    except (FileNotFoundError, NotADirectoryError) as error:
        if "bucket" in str(error):
            raise
    return found


def _alone(root: str, path: str) -> dict[str, Seen | None]:
    """Return a single file, and what lies beside it."""
    found: dict[str, Seen | None] = {}
    stem = PurePosixPath(path).with_suffix("").as_posix()
    beside = [each + end for each in (path, stem) for end in (".xmp", ".XMP")]
    seen = look(_joined(root, path))
    if seen is not None and not seen.is_folder:
        found[path] = seen
        found |= {each: note for each in beside if (note := look(_joined(root, each)))}
    return found


def _judged(
    root: str, path: str, seen: Seen | None, folders: _Folders
) -> FoundFile | Unreachable | None:
    folder, name = _folder(path), _name(path)
    if not is_candidate(name):
        return None
    if seen is None or any(part in ("", ".", "..") for part in path.split("/")):
        return Unreachable(_joined(root, path), path, _NO_PATH)
    if folders.is_closed(folder) or (is_passed_over(name) and path != folders.named):
        return None
    if is_ignored(path, folders.around(folder)):
        return None
    return FoundFile(_joined(root, path), path, seen.size_bytes, seen.mtime_ns)


def _with_sidecar(
    root: str, file: FoundFile, found: Mapping[str, Seen | None], names: Collection[str]
) -> FoundFile:
    name = sidecar_of(PurePosixPath(file.relative), names) if names else None
    if name is None:
        return file
    folder = _folder(file.relative)
    path = f"{folder}/{name}" if folder else name
    seen = found[path]
    if seen is None:
        return file
    return replace(
        file,
        size_bytes=file.size_bytes + seen.size_bytes,
        mtime_ns=max(file.mtime_ns, seen.mtime_ns),
        sidecar=_joined(root, path),
    )


def _rules(root: str, path: str) -> Rules:
    text = read(_joined(root, path), limits=_RULES).decode("utf-8", "surrogateescape")
    return rules_of(text, _folder(path))


def _bare(error: VisionQueryError) -> str:
    return str(error).removeprefix("it cannot be read: ").rstrip(".")


def _inwards(folder: str) -> list[str]:
    """Return a folder after those around it, the root first."""
    parts = folder.split("/") if folder else []
    return ["/".join(parts[:depth]) for depth in range(len(parts) + 1)]


def _joined(root: str, path: str) -> str:
    return f"{root}/{path}" if path else root


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _name(path: str) -> str:
    return path.rpartition("/")[2]
