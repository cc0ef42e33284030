"""`visionquery watch PATH…`"""

import sys
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from typing import Annotated

import typer

from visionquery.cli.options import (
    PLACE,
    BetweenOption,
    LibraryOption,
    ModelOption,
    NiceFlag,
    PauseOnBatteryFlag,
    QuietFlag,
)
from visionquery.cli.output import notes, print_line, say
from visionquery.cli.session import manners_of, open_for
from visionquery.indexing.keeping import Pace
from visionquery.indexing.politeness import Manners, polite, wait_until_free
from visionquery.indexing.report import IndexReport, Progress
from visionquery.indexing.watching import check_can_be_watched, check_installed
from visionquery.present.progress import index_progress
from visionquery.present.text import count
from visionquery.store.places import spelled

__all__ = ["watch"]

_PACE = Pace()
_MANY_FILES = 100
"""A run over so many files shows its progress; the others are over before it would be read."""


_Paths = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH", help="Folders or pictures.", show_default=False, click_type=PLACE
    ),
]
_PollFlag = Annotated[
    bool,
    typer.Option(
        "--poll",
        help="Look for changes now and then, instead of being told by the system (default: on "
        "network drives only).",
    ),
]
_EveryOption = Annotated[
    float,
    typer.Option(
        "--every", min=0.1, metavar="SECONDS", help="How often to look where nothing tells."
    ),
]
_SettleOption = Annotated[
    float,
    typer.Option(
        "--settle", min=0, metavar="SECONDS", help="Index changes when none came for so long."
    ),
]
_RescanOption = Annotated[
    float,
    typer.Option(
        "--rescan",
        min=0.01,
        metavar="MINUTES",
        help="How often to look at everything, whatever was told.",
    ),
]
_JsonFlag = Annotated[
    bool, typer.Option("--json", help="One line of JSON on stdout for each run.")
]


def watch(
    paths: _Paths,
    library: LibraryOption = None,
    model: ModelOption = None,
    poll: _PollFlag = False,
    every: _EveryOption = _PACE.poll,
    settle: _SettleOption = _PACE.settle,
    rescan: _RescanOption = _PACE.look / 60,
    nice: NiceFlag = False,
    pause_on_battery: PauseOnBatteryFlag = False,
    between: BetweenOption = None,
    json: _JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Bring the library up to date with folders, and keep it so until Ctrl-C or SIGTERM.

    What is new or changed is indexed as soon as it has come to rest. A folder that is not there,
    as that of an unplugged disk, is waited for and keeps its images. Needs the extra watch (pip
    install 'visionquery[watch]') unless --poll.
    """
    check_can_be_watched([spelled(path) for path in paths])
    if not poll:
        check_installed()  # Before it says that it watches.
    manners = manners_of(nice=nice, pause_on_battery=pause_on_battery, between=between) or Manners()
    pace = Pace(settle=settle, look=60 * rescan, poll=every)
    note = notes(quiet=quiet)
    with (
        open_for(paths, library=library, model=model, quiet=quiet) as opened,
        ExitStack() as bar,
    ):
        note(f"Watching {', '.join(paths)}; Ctrl-C ends it.")
        show = _progress(bar, quiet=quiet or json)
        opened.watch(
            *paths,
            pace=pace,
            polling=poll,
            before_run=lambda: wait_until_free(manners, on_note=note),
            on_progress=polite(manners, show, on_note=note),
            on_report=_reporter(bar, json=json, quiet=quiet),
            on_note=note,
        )


def _progress(bar: ExitStack, *, quiet: bool) -> Callable[[Progress], None]:
    """Return a callback that shows the progress of a long run, until `bar` is closed."""
    shown: list[Callable[[Progress], None]] = []

    def show(progress: Progress) -> None:
        if progress.total < _MANY_FILES:
            return
        if progress.done == 0:
            shown[:] = [bar.enter_context(index_progress(sys.stderr, quiet=quiet))]
        shown[0](progress)

    return show


def _reporter(bar: ExitStack, *, json: bool, quiet: bool) -> Callable[[IndexReport], None]:
    """Return what says what a run did; of files that are skipped each is counted once."""
    told: set[str] = set()

    def report_run(report: IndexReport) -> None:
        bar.close()
        skipped = {item.path for item in report.skipped}
        line = _summary(report, len(skipped - told))
        told.update(skipped)
        if line and not quiet:
            say(f"{datetime.now():%H:%M:%S} {line}")
        if json:
            from visionquery.present.documents import index_document

            print_line(index_document(report))

    return report_run


def _summary(report: IndexReport, skipped: int) -> str:
    """What a run changed, in a line; "" when it changed nothing."""
    changes = [
        f"{word} {number:,}"
        for number, word in (
            (report.added, "added"),
            (report.updated, "updated"),
            (report.reused, "recognised"),
            (report.removed, "removed"),
            (skipped, "skipped"),
        )
        if number
    ]
    total = f"the library holds {count(report.images, 'image')}"
    return f"{', '.join(changes)}; {total}" if changes else ""
