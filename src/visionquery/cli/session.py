"""From options to an open library, with notes and downloads shown to the person."""

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from visionquery.cli.output import notes
from visionquery.errors import (
    EngineError,
    InputError,
    LibraryNotFoundError,
    VisionQueryError,
)
from visionquery.indexing.places import check_places
from visionquery.library import Library
from visionquery.present.progress import download_progress, index_progress, step_progress
from visionquery.settings import Settings, load_settings, look_folder
from visionquery.store.places import spelled
from visionquery.types import is_address

if TYPE_CHECKING:
    from visionquery.indexing.ocr import OcrReport
    from visionquery.indexing.politeness import Manners
    from visionquery.indexing.reencode import ReencodeReport
    from visionquery.indexing.regions import RegionsReport
    from visionquery.indexing.report import IndexReport, Progress

__all__ = [
    "add_paths",
    "add_regions",
    "check_keeps_regions",
    "looking",
    "manners_of",
    "open_for",
    "open_library",
    "read_texts",
    "reencode_library",
    "settings",
    "stopping_in_order",
]


def settings(*, library: str | None = None, model: str | None = None) -> Settings:
    """Return the settings of this process with the given flags on top."""
    return load_settings(os.environ, library=library, model=model)


@contextmanager
def open_library(
    *, library: str | None, model: str | None, create: bool, quiet: bool
) -> Iterator[Library]:
    """Open the library that the flags and settings name, for the length of a command. The model
    "auto" is its own, whatever the settings name."""
    chosen = settings(library=library, model=model)
    note = notes(quiet=quiet)
    with (
        stopping_in_order(),
        download_progress(sys.stderr, quiet=quiet) as on_download,
        Library.open(
            chosen.library,
            model=chosen.model,
            create=create,
            offline=chosen.offline,
            threads=chosen.threads,
            looks=look_folder(),
            on_note=note,
            on_download=on_download,
        ) as opened,
    ):
        yield opened


@contextmanager
def open_for(
    paths: Sequence[str], *, library: str | None, model: str | None, quiet: bool
) -> Iterator[Library]:
    """Open the library that paths, if any, are to be indexed in.

    It is made, and its model fetched, only for paths that can be: raises InputError where there
    is no library and a path is not there, or no picture.
    """
    wrong = _what_is_wrong(paths)
    create = bool(paths) and wrong is None
    with ExitStack() as stack:
        try:
            opened = stack.enter_context(
                open_library(library=library, model=model, create=create, quiet=quiet)
            )
        except LibraryNotFoundError:
            if wrong is None:
                raise
            raise wrong from None
        yield opened


def _what_is_wrong(paths: Sequence[str]) -> VisionQueryError | None:
    """Return why paths cannot be indexed in a new library, None when they can."""
    try:
        check_places([spelled(path) for path in paths], is_known=lambda _: False)
    except (InputError, EngineError) as error:
        return error
    return None


def manners_of(*, nice: bool, pause_on_battery: bool, between: str | None) -> "Manners | None":
    """Return the manners that flags ask for, already in force; None where they ask for none.
    Raises InputError."""
    if not (nice or pause_on_battery or between is not None):
        return None
    from visionquery.indexing.politeness import Manners, read_hours, settle

    manners = Manners(nice, pause_on_battery, None if between is None else read_hours(between))
    settle(manners)
    return manners


def add_paths(
    library: Library,
    paths: Sequence[str],
    *,
    on: str | None = None,
    quiet: bool,
    manners: "Manners | None" = None,
) -> "IndexReport":
    """Bring the library up to date with folders, on the cluster that the flag or the settings name
    if they do, showing progress on stderr."""
    with _progress(manners, quiet=quiet) as on_progress:
        return library.add(*paths, on=on or settings().on, on_progress=on_progress)


def read_texts(
    library: Library, paths: Sequence[str], *, quiet: bool, manners: "Manners | None" = None
) -> "OcrReport":
    """Read the text in the pictures of folders, showing progress on stderr."""
    with _progress(manners, quiet=quiet, name="Reading text", noun="picture") as on_progress:
        return library.read_texts(*paths, on_progress=on_progress)


def check_keeps_regions(library: Library, *, needed: bool) -> None:
    """Raise InputError, before an hour of encoding, where regions are needed and the library is of
    a kind that keeps none."""
    location = library.status().location if needed else ""
    if is_address(location):
        from visionquery.store.regions import no_regions

        raise no_regions(location)


def add_regions(
    library: Library, paths: Sequence[str], *, quiet: bool, manners: "Manners | None" = None
) -> "RegionsReport":
    """Look at the pictures of folders in parts, showing progress on stderr."""
    with _progress(manners, quiet=quiet, name="Looking closer", noun="picture") as on_progress:
        return library.add_regions(*paths, on_progress=on_progress)


def reencode_library(
    *, library: str | None, model: str | None, quiet: bool, manners: "Manners | None" = None
) -> "ReencodeReport":
    """Move the library to the model that the flag names, or go on with a move that was begun, or
    else to the model that the settings name; show progress on stderr. Raises InputError where
    there is none of these."""
    with (
        # The model named is the one to come: the library is opened by its own.
        open_library(library=library, model="auto", create=False, quiet=quiet) as opened,
        _progress(manners, quiet=quiet) as on_progress,
    ):
        wanted = model
        if wanted is None and opened.moving_to is None:
            wanted = settings().model
            if wanted is None:
                raise InputError("Name the new model: visionquery index --reencode --model NAME")
        return opened.reencode(wanted, on_progress=on_progress)


@contextmanager
def _progress(
    manners: "Manners | None", *, quiet: bool, name: str = "Indexing", noun: str = "file"
) -> Iterator["Callable[[Progress], None]"]:
    """Show the progress of a run, which waits first, and between its batches, as manners ask."""
    if manners is not None:
        from visionquery.indexing.politeness import polite, wait_until_free

        wait_until_free(manners, on_note=notes(quiet=quiet))
    with index_progress(sys.stderr, quiet=quiet, name=name, noun=noun) as show:
        yield show if manners is None else polite(manners, show, on_note=notes(quiet=quiet))


@contextmanager
def looking(*, quiet: bool) -> Iterator["Callable[[int, int], None]"]:
    """Show on stderr how far a second look is."""
    with step_progress(sys.stderr, quiet=quiet, noun="picture") as show:
        yield lambda done, total: show("Looking again", done, total)


@contextmanager
def stopping_in_order() -> Iterator[None]:
    """Let a terminal that closes, or a system that shuts down, stop a command as Ctrl-C does.
    What is ignored (nohup) stays so."""
    names = ("SIGTERM", "SIGHUP")
    kinds = [getattr(signal, name) for name in names if hasattr(signal, name)]
    ours = [kind for kind in kinds if signal.getsignal(kind) is signal.SIG_DFL]
    for kind in ours:
        signal.signal(kind, _interrupt)
    try:
        yield
    finally:
        for kind in ours:
            signal.signal(kind, signal.SIG_DFL)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
