"""What a look at a whole library found, and a copy of one: for a person, and as JSON documents."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from shlex import quote

from visionquery.copying import Copied
from visionquery.doctor import Diagnosis, FilesRead
from visionquery.present.text import count, duration, escaped, size
from visionquery.store.backup import BackedUp
from visionquery.store.checking import Checked, LostImage
from visionquery.store.places import below
from visionquery.store.repairing import Repaired

__all__ = [
    "backup_document",
    "backup_line",
    "copied_document",
    "copied_lines",
    "doctor_document",
    "doctor_lines",
]

_NAMED = 10
"""Images and files that a person is told of each kind."""


def doctor_document(found: Diagnosis) -> dict[str, object]:
    """Return `{"location", "whole", "format_version", "images", "files", "coded", "unproved",
    "unreadable", "faults", "damaged", "pictures", "repair", "roots", "away", "notes"}`."""
    before, pictures = found.before, found.files
    return {
        "location": found.location,
        "whole": found.is_whole,
        "format_version": before.version or None,
        "images": before.images,
        "files": before.files,
        "coded": before.coded,
        "unproved": before.unproved,
        "unreadable": before.unreadable,
        "faults": [asdict(fault) for fault in before.faults],
        "damaged": [_lost(image) for image in before.lost],
        "pictures": None if pictures is None else _pictures(pictures),
        "repair": None if found.repaired is None else _repair(found.repaired, found.after),
        "roots": list(found.roots),
        "away": list(found.away),
        "notes": list(before.notes),
    }


def doctor_lines(found: Diagnosis, *, library: str | None) -> list[str]:
    """Return what a person should know, in lines; `library` is what `--library` was given."""
    lines = [escaped(found.location), *_looked_at(found.before)]
    lines += _wrong(found.before)
    if found.files is not None:
        lines += _pictures_lines(found.files)
    lines += [f"note: {escaped(note)}." for note in found.before.notes]
    option = "" if library is None else f" --library {quote(library)}"
    if found.repaired is not None:
        lines += _repaired_lines(found, option)
    elif found.is_whole:
        lines.append("Nothing is wrong.")
    else:
        lines.append(f"To bring it in order: visionquery doctor --repair{option}")
    return lines


def backup_document(made: BackedUp, seconds: float) -> dict[str, object]:
    """Return `{"folder", "images", "copied_bytes", "update", "seconds"}`."""
    return {
        "folder": made.folder,
        "images": made.images,
        "copied_bytes": made.copied_bytes,
        "update": made.is_update,
        "seconds": round(seconds, 3),
    }


def backup_line(made: BackedUp, seconds: float) -> str:
    """Return what was copied, in one sentence."""
    done = "brought up to date" if made.is_update else "made"
    return (
        f"The copy in {escaped(made.folder)} was {done}, checked, and holds "
        f"{count(made.images, 'image')}: {size(made.copied_bytes)} in {duration(seconds)}."
    )


def copied_document(made: Copied) -> dict[str, object]:
    """Return `{"from", "to", "images", "files", "copied", "already_there", "removed", "verified",
    "seconds", "notes"}`."""
    return {
        "from": made.source,
        "to": made.target,
        "images": made.images,
        "files": made.files,
        "copied": made.copied,
        "already_there": made.already_there,
        "removed": made.removed,
        "verified": True,  # Else there is an error, and no document.
        "seconds": round(made.seconds, 3),
        "notes": list(made.notes),
    }


def copied_lines(made: Copied) -> list[str]:
    """Return what was copied, in a sentence, and what a person should know besides."""
    removed = f", {count(made.removed, 'image')} removed" if made.removed else ""
    there = f"{made.already_there:,} were there already" if made.already_there else ""
    return [
        f"{escaped(made.target)} holds all of {escaped(made.source)}, compared: "
        f"{count(made.images, 'image')} in {count(made.files, 'file')}; copied {made.copied:,}"
        f"{', ' + there if there else ''}{removed}, in {duration(made.seconds)}.",
        *map(escaped, made.notes),
    ]


def _lost(image: LostImage) -> dict[str, object]:
    return {"paths": list(image.paths), "why": image.why}


def _pictures(read: FilesRead) -> dict[str, object]:
    return {
        "same": read.same,
        "changed": list(read.changed),
        "different": list(read.different),
        "away": read.away,
    }


def _repair(repaired: Repaired, after: Checked | None) -> dict[str, object]:
    return {
        "lost": [_lost(image) for image in repaired.lost],
        "lost_without_name": repaired.unknown,
        "damaged_catalog": repaired.damaged,
        "images": 0 if after is None else after.images,
    }


def _looked_at(found: Checked) -> list[str]:
    if not found.is_current:
        return [] if found.unreadable else ["looked at the catalog alone"]
    proved = f", {found.unproved:,} of them from before checksums" if found.unproved else ""
    codes = f", {found.coded:,} codes" if found.coded else ""
    return [
        f"looked at {count(found.images, 'image')} (facts and vectors{proved}){codes}, "
        f"{count(found.files, 'file')}"
    ]


def _wrong(found: Checked) -> Iterator[str]:
    if found.unreadable is not None:
        yield f"wrong: {escaped(found.unreadable)}"
    for fault in found.faults:
        number = "" if fault.count is None else f"{fault.count:,} "
        yield f"wrong: {fault.part}: {number}{escaped(fault.what)}"
    if found.next_rows:
        yield f"wrong: {count(len(found.next_rows), 'vector')} of the next model are damaged"
    yield from _images(found.lost, "damaged")


def _images(images: Sequence[LostImage], word: str) -> Iterator[str]:
    for image in images[:_NAMED]:
        places = ", ".join(map(escaped, image.paths)) or "an image that is in no file"
        yield f"{word}: {places}: {image.why}"
    yield from _more(len(images))


def _more(number: int) -> Iterator[str]:
    if number > _NAMED:
        yield f"and {number - _NAMED:,} more; visionquery doctor --json lists them all"


def _pictures_lines(read: FilesRead) -> Iterator[str]:
    yield (
        f"read {count(read.same + len(read.changed) + len(read.different), 'picture file')}: "
        f"{read.same:,} are as indexed, {len(read.changed):,} changed since, {read.away:,} are not "
        "there now"
    )
    for path in read.different[:_NAMED]:
        yield f"wrong: {escaped(path)} has another content than was indexed, at the same time"
    yield from _more(len(read.different))


def _repaired_lines(found: Diagnosis, option: str) -> Iterator[str]:
    repaired = found.repaired
    if repaired is None:
        return
    if repaired.damaged is not None:
        yield f"The damaged catalog is kept as {escaped(repaired.damaged)}."
        yield from _images(repaired.lost, "lost")
    yield _lost_in_all(repaired)
    if not found.is_whole:
        yield "It could not be brought in order as a whole: run visionquery doctor again."
    places = " ".join(map(quote, [*found.roots, *_single_files(found)])) or "FOLDER"
    yield f"Then bring it up to date: visionquery index {places}{option}"
    for root in found.away:
        yield f"{escaped(root)} is not there now: index it when it is."


def _single_files(found: Diagnosis) -> list[str]:
    """Return the files to be read again that were indexed by themselves, not with a folder."""
    folders = [*found.roots, *found.away]
    lost = found.repaired.lost if found.repaired is not None else ()
    return [
        path
        for image in lost
        for path in image.paths
        if not any(below(path, folder) is not None for folder in folders)
    ]


def _lost_in_all(repaired: Repaired) -> str:
    named, unknown = len(repaired.lost), repaired.unknown
    if unknown is None:
        return "Repaired. How many images were lost cannot be told."
    if not named + unknown:
        return "Repaired. Nothing was lost."
    files = count(sum(len(image.paths) for image in repaired.lost), "file")
    return f"Repaired. Lost: {count(named + unknown, 'image')}, known from {files}."
