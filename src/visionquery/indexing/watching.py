"""What changes below a folder while somebody listens, and which places are to be indexed for it."""

import queue
import stat
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from visionquery.errors import InputError
from visionquery.images.ignore import IGNORE_FILE
from visionquery.images.scan import SIDECAR_EXTENSION, is_passed_over, is_wanted
from visionquery.types import is_address

__all__ = [
    "Event",
    "Heard",
    "Listener",
    "check_can_be_watched",
    "check_installed",
    "filesystem_at",
    "is_remote",
    "place_to_index",
    "together",
]

_MOUNTS = Path("/proc/self/mounts")
_REMOTE = (
    *("nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "afs", "ceph", "ncpfs"),
    *("9p", "virtiofs", "vboxsf", "drvfs", "prl_fs"),
)
"""File systems that tell nothing of what other machines, or the host of a virtual one, change; with
all of FUSE, behind which are sshfs, rclone and the like. Source: inotify(7), "Limitations and
caveats"."""

_FILES_OF_A_FOLDER = 8
"""From so many changed files on their folder is looked at, at once."""

_STEP_MS, _GROUP_MS, _TIMEOUT_MS = 50, 400, 200


@dataclass(frozen=True, slots=True)
class Event:
    """A path at which something changed; `is_new` where it was not before."""

    path: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class Heard:
    """What a listener has to say of its place: `events`; that it listens from now on, as `ready`;
    or why it has stopped, as `failure`."""

    place: str
    events: tuple[Event, ...] = ()
    ready: bool = False
    failure: Exception | None = None


class Listener:
    """Listens to what happens at a place, on a thread of its own, until it is closed."""

    def __init__(self, place: str, said: "queue.Queue[Heard]") -> None:
        """Put into `said` what is heard of a folder and all below it, or of a single file."""
        self._place, self._said = place, said
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="visionquery-watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop to listen."""
        self._end.set()
        self._thread.join()

    def _listen(self) -> None:
        whole = Path(self._place).is_dir()
        ready = False
        try:
            for changes in self._changes(whole=whole):
                if not ready:
                    self._said.put(Heard(self._place, ready=True))
                    ready = True
                mine = tuple(each for each in changes if whole or each.path == self._place)
                if mine:
                    self._said.put(Heard(self._place, mine))
        except Exception as error:  # whatever it is, the place is looked at without its help
            self._said.put(Heard(self._place, failure=error))

    def _changes(self, *, whole: bool, pass_over: bool = False) -> Iterator[list[Event]]:
        """Yield what changed, at first nothing: from then on nothing is missed.

        `pass_over` leaves out what may not be listened to. It hides that the system has no more
        watches to give too, so that it is tried without.
        """
        from watchfiles import Change, watch

        try:
            for changes in watch(
                # A file that is replaced is another one to the system: its folder tells.
                self._place if whole else Path(self._place).parent,
                watch_filter=None, debounce=_GROUP_MS, step=_STEP_MS, stop_event=self._end,
                rust_timeout=_TIMEOUT_MS, yield_on_timeout=True, force_polling=False,
                recursive=whole, ignore_permission_denied=pass_over,
            ):  # fmt: skip
                yield [Event(path, change == Change.added) for change, path in changes]
        except PermissionError:
            if pass_over:
                raise
            yield from self._changes(whole=whole, pass_over=True)


def check_installed() -> None:
    """Raise InputError where the extra `watch` is not installed."""
    try:
        import watchfiles  # noqa: F401
    except ImportError as error:
        raise InputError(
            "To hear of changes at once, the extra watch is needed: pip install "
            "'visionquery[watch]'. Without it --poll looks at the folders now and then."
        ) from error


def check_can_be_watched(places: Iterable[str]) -> None:
    """Raise InputError for an address: nobody tells what changes there."""
    for place in filter(is_address, places):
        raise InputError(
            f"{place} cannot be watched: nothing tells what changes behind an address. Run "
            f"visionquery index {place} from time to time instead, as from cron."
        )


def place_to_index(
    event: Event, root: str, *, is_known: Callable[[str], bool]
) -> str | None:
    """Return what is to be indexed after an event below a root, None where it means nothing: the
    file or folder itself, and for something known that is gone the nearest folder that is
    still there."""
    place = _place_to_index(event, Path(root), is_known=is_known)
    return None if place is None else str(place)


def _place_to_index(
    event: Event, root: Path, *, is_known: Callable[[str], bool]
) -> Path | None:
    path = Path(event.path)
    names = path.relative_to(root).parts if path.is_relative_to(root) else ()
    if names and names[-1] == IGNORE_FILE:
        path, names = path.parent, names[:-1]
        return path if path.is_dir() and not any(map(is_passed_over, names)) else None
    if any(map(is_passed_over, names)):
        return None
    kind = _kind(path)
    if kind == stat.S_IFDIR:
        return path if event.is_new else None
    if path.name[-4:].lower() == SIDECAR_EXTENSION:
        return path.parent if path.parent.is_dir() else None
    if kind is not None:
        return path if kind == stat.S_IFREG and is_wanted(event.path) else None
    if not is_known(event.path):
        return None
    above = (folder for folder in path.parents if folder.is_relative_to(root))
    return next((folder for folder in above if folder.is_dir()), None)


def together(places: Iterable[str]) -> list[str]:
    """Return places in order, none of them inside another; many files of one folder become the
    folder."""
    files: dict[Path, list[Path]] = {}
    for place in map(Path, set(places)):
        files.setdefault(place.parent, []).append(place)
    kept: set[Path] = set()
    for folder, inside in files.items():
        kept |= {folder} if len(inside) >= _FILES_OF_A_FOLDER else set(inside)
    return sorted(str(p) for p in kept if not any(above in kept for above in p.parents))


def is_remote(place: str) -> bool:
    """Whether a place lies on a network drive, as far as the system tells (Linux)."""
    try:
        mounts = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return False
    kind = filesystem_at(place, mounts)
    return kind in _REMOTE or kind.startswith("fuse.")


def filesystem_at(place: str, mounts: str) -> str:
    """Return the type of the file system that a place lies on, "" where none has it; `mounts` are
    lines as in fstab(5), in which blanks of names are octal escapes."""
    kinds = {}
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) > 2:
            kinds[Path(_unescaped(fields[1]))] = fields[2]
    around = (Path(place), *Path(place).parents)
    return next((kinds[folder] for folder in around if folder in kinds), "")


def _unescaped(name: str) -> str:
    for code in ("040", "011", "012", "134"):
        name = name.replace(f"\\{code}", chr(int(code, 8)))
    return name


def _kind(path: Path) -> int | None:
    try:
        return stat.S_IFMT(path.stat().st_mode)
    except (OSError, ValueError):
        return None
