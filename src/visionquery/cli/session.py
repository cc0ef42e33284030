"""From options to an open library, with notes and downloads shown to the person."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from visionquery.cli.output import notes
from visionquery.errors import InputError
from visionquery.indexing.reencode import ReencodeReport
from visionquery.indexing.report import IndexReport
from visionquery.library import Library
from visionquery.present.progress import download_progress, index_progress
from visionquery.settings import Settings, load_settings

__all__ = ["add_paths", "open_library", "reencode_library", "settings"]


def settings(*, library: str | None = None, model: str | None = None) -> Settings:
    """Return the settings of this process with the given flags on top."""
    return load_settings(os.environ, library=library, model=model)


@contextmanager
def open_library(
    *, library: str | None, model: str | None, create: bool, quiet: bool
) -> Iterator[Library]:
    """Open the library that the flags and settings name, for the length of a command."""
    chosen = settings(library=library, model=model)
    note = notes(quiet=quiet)
    with (
        download_progress(sys.stderr, quiet=quiet) as on_download,
        Library.open(
            chosen.library,
            model=chosen.model,
            create=create,
            offline=chosen.offline,
            threads=chosen.threads,
            on_note=note,
            on_download=on_download,
        ) as opened,
    ):
        yield opened


def add_paths(library: Library, paths: Sequence[Path], *, quiet: bool) -> IndexReport:
    """Bring the library up to date with folders, showing progress on stderr."""
    with index_progress(sys.stderr, quiet=quiet) as on_progress:
        return library.add(*paths, on_progress=on_progress)


def reencode_library(*, library: str | None, model: str | None, quiet: bool) -> ReencodeReport:
    """Move the library to the model that the flags and settings name, showing progress on
    stderr. Raises InputError where they name none."""
    wanted = settings(model=model).model
    if wanted is None:
        raise InputError("Name the new model: visionquery index --reencode --model NAME")
    with (
        # The model named is the one to come: the library is opened by its own.
        open_library(library=library, model="auto", create=False, quiet=quiet) as opened,
        index_progress(sys.stderr, quiet=quiet) as on_progress,
    ):
        return opened.reencode(wanted, on_progress=on_progress)
