"""`visionquery index PATH…` and `visionquery index --reencode`"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import typer

from visionquery.cli.options import (
    PLACE,
    BetweenOption,
    JsonFlag,
    LibraryOption,
    ModelOption,
    NiceFlag,
    OnOption,
    PauseOnBatteryFlag,
    QuietFlag,
)
from visionquery.cli.output import print_document, say
from visionquery.cli.session import (
    add_paths,
    add_regions,
    check_keeps_regions,
    manners_of,
    open_for,
    read_texts,
    reencode_library,
)
from visionquery.errors import InputError
from visionquery.indexing.ocr import OcrReport
from visionquery.indexing.politeness import Manners
from visionquery.indexing.reencode import ReencodeReport
from visionquery.indexing.regions import RegionsReport
from visionquery.indexing.report import IndexReport, Skipped
from visionquery.indexing.unseen import REGIONS_COMMAND
from visionquery.present.text import count, duration, place_text

__all__ = ["index"]

_LINES_AGAIN = 10


_Paths = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="PATH", help="Folders or pictures.", show_default=False, click_type=PLACE
    ),
]
_MovedFromOption = Annotated[
    str | None,
    typer.Option(
        "--moved-from",
        metavar="OLD",
        help="PATH is the folder OLD, indexed or in an indexed one, at its new place; nothing is "
        "encoded again.",
        show_default=False,
        click_type=PLACE,
    ),
]
_ReencodeFlag = Annotated[
    bool,
    typer.Option(
        "--reencode",
        help="Without PATH: move the library to --model. Every image is encoded anew; the old "
        "model answers until all are. Run again, without --model, to go on after an interruption.",
    ),
]
_OcrFlag = Annotated[
    bool,
    typer.Option(
        "--ocr",
        help="Read the text inside the pictures too, where it was not read yet (needs the extra "
        "ocr: pip install 'visionquery[ocr]').",
    ),
]
_RegionsFlag = Annotated[
    bool,
    typer.Option(
        "--regions",
        help="Look at each picture in parts too, where that was not done yet: small things are "
        "found then, with where they are. It takes up to six times as long.",
    ),
]


def index(
    paths: _Paths = None,
    library: LibraryOption = None,
    model: ModelOption = None,
    moved_from: _MovedFromOption = None,
    reencode: _ReencodeFlag = False,
    on: OnOption = None,
    ocr: _OcrFlag = False,
    regions: _RegionsFlag = False,
    nice: NiceFlag = False,
    pause_on_battery: PauseOnBatteryFlag = False,
    between: BetweenOption = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Bring the library up to date with folders: only what is new or changed is encoded.

    Pictures stay where they are. Files that are gone leave the library; a named folder that is
    not there now, or is empty (an unplugged disk), keeps its images.
    """
    manners = manners_of(nice=nice, pause_on_battery=pause_on_battery, between=between)
    if reencode:
        _check_whole(paths or moved_from is not None or ocr or regions or on is not None)
        _reencode(library, model, json=json, quiet=quiet, manners=manners)
        return
    paths = _named(paths, moved_from)
    _check_reader(needed=ocr)
    new = paths if moved_from is None else []
    with open_for(new, library=library, model=model, quiet=quiet) as opened:
        check_keeps_regions(opened, needed=regions)
        if moved_from is not None:
            opened.move_root(moved_from, paths[0])
        report = add_paths(opened, paths, on=on, quiet=quiet, manners=manners)
        report, silent = _without_advice(report) if regions else report, json or quiet
        _say(summary(report), silent=silent)
        views = add_regions(opened, paths, quiet=quiet, manners=manners) if regions else None
        _say(_regions_summary(views) if views else None, silent=silent)
        texts = read_texts(opened, paths, quiet=quiet, manners=manners) if ocr else None
        _say(_texts_summary(texts) if texts else None, silent=silent)
    if json:
        _print_document(report, texts, views)


def _check_whole(names_more: object) -> None:
    if names_more:
        raise InputError(
            "--reencode is for the whole library: leave the paths, --ocr, --regions and --on "
            "out, and bring folders up to date with a visionquery index of its own."
        )


def _check_reader(*, needed: bool) -> None:
    """Raise InputError where text is to be read and nothing can: it would be a pity to learn it
    after an hour of encoding."""
    if needed:
        from visionquery.images.ocr import check_installed

        check_installed()


def _say(summary: str | None, *, silent: bool) -> None:
    if summary and not silent:
        say(summary)


def _named(paths: list[str] | None, moved_from: str | None) -> list[str]:
    if not paths:
        raise InputError("Name the folders or pictures to index: visionquery index PATH")
    if moved_from is not None and len(paths) > 1:
        raise InputError("--moved-from takes one PATH: the place where the folder OLD is now.")
    return paths


def _without_advice(report: IndexReport) -> IndexReport:
    """Leave out the note that names the command which is being run."""
    notes = tuple(note for note in report.notes if REGIONS_COMMAND not in note)
    return replace(report, notes=notes)


def _print_document(
    report: IndexReport, texts: OcrReport | None, views: RegionsReport | None
) -> None:
    from visionquery.present.documents import index_document, regions_document, texts_document

    document = index_document(report)
    if texts is not None:
        document["texts"] = texts_document(texts)
    if views is not None:
        document["regions"] = regions_document(views)
    print_document(document)


def summary(report: IndexReport) -> str:
    """Return what a run did, in a few lines for a person."""
    lines = _skipped(report.skipped, nothing_new=not (report.encoded or report.reused))
    lines += report.notes
    if report.encoded:
        lines.append(_speed(report.encoded, report.seconds, report.images_per_second))
    elif report.unchanged or report.reused:
        lines.append("Nothing to encode: everything here is known already.")
    elif not report.notes:
        lines.append("No pictures were found.")
    changes = [
        f"{number:,} {word}"
        for number, word in (
            (report.updated, "changed"),
            (report.reused, "recognised by content"),
            (report.removed, "gone"),
            (len(report.skipped), "skipped"),
        )
        if number
    ]
    total = f"The library holds {count(report.images, 'image')}"
    lines.append(f"{total} ({', '.join(changes)})." if changes else f"{total}.")
    return "\n".join(lines)


def _texts_summary(report: OcrReport) -> str:
    lines = [*_skipped(report.skipped, nothing_new=not report.read), *report.notes]
    if report.read:
        speed = f"{report.images_per_second:.1f} images/s"
        done = f"{count(report.read, 'picture')} in {duration(report.seconds)} ({speed})"
        lines.append(f"Read the text in {done}: found some in {report.with_text:,}.")
    elif not report.left:
        lines.append("No text to read: that of all pictures here was read before.")
    return "\n".join(lines)


def _regions_summary(report: RegionsReport) -> str:
    lines = [*_skipped(report.skipped, nothing_new=not report.viewed), *report.notes]
    if report.viewed:
        speed = f"{report.images_per_second:.1f} images/s"
        done = f"{count(report.viewed, 'picture')} in {duration(report.seconds)} ({speed})"
        lines.append(f"Looked closer at {done}: {count(report.regions, 'region')}.")
    elif not report.left:
        lines.append("All pictures here have their regions already.")
    return "\n".join(lines)


def _skipped_line(item: Skipped) -> str:
    return f"skipped {place_text(item.path, item.fragment)}: {item.reason}"


def _skipped(skipped: Sequence[Skipped], *, nothing_new: bool) -> list[str]:
    """A line for each file. A run that found nothing new has said them all before."""
    lines = list(map(_skipped_line, skipped))
    if nothing_new and len(lines) > _LINES_AGAIN:
        more = len(lines) - _LINES_AGAIN
        lines[_LINES_AGAIN:] = [f"and {more:,} more; index --json lists them all"]
    return lines


def _reencode(
    library: str | None, model: str | None, *, json: bool, quiet: bool, manners: Manners | None
) -> None:
    report = reencode_library(library=library, model=model, quiet=quiet, manners=manners)
    if json:
        from visionquery.present.documents import reencode_document

        print_document(reencode_document(report))
    elif not quiet:
        say(_reencode_summary(report))


def _reencode_summary(report: ReencodeReport) -> str:
    lines = list(map(_skipped_line, report.skipped))
    if report.reencoded:
        lines.append(_speed(report.reencoded, report.seconds, report.images_per_second))
    images = count(report.images, "image")
    if report.complete:
        state = f"The library answers by the model {report.model}: {images}."
        return "\n".join([*lines, *report.notes, state])
    lines.append(
        f"{report.left:,} of {images} could not be encoded now; the library answers by its old "
        "model until all are."
    )
    lines += report.notes
    return "\n".join(lines)


def _speed(images: int, seconds: float, images_per_second: float) -> str:
    speed = f"{images_per_second:.1f} images/s"
    return f"Encoded {count(images, 'image')} in {duration(seconds)} ({speed})."
