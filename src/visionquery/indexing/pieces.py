"""Pictures to take up, and what is written of them: a file is one, or holds several."""

import posixpath
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from visionquery.errors import ImageError, ImageUnavailableError
from visionquery.images import content, workers
from visionquery.images.kinds import is_picture_name
from visionquery.images.limits import Limits
from visionquery.images.scan import FoundFile
from visionquery.indexing.outcomes import Failed, Loaded, Outcome, Several
from visionquery.indexing.report import Skipped
from visionquery.store.base import FileRecord, Fragment

__all__ = ["Piece", "by_file", "read_piece", "record_of", "skipped_of", "weigh"]

_LARGEST_HEAD = 2**20
"""What is held while a file is looked into that is not read as a whole."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A file that was not looked into yet (`part` is None), or one of the `count` parts that it
    has; a part without a fragment is the whole file."""

    file: FoundFile
    part: content.Part | None = None
    count: int = 1

    @property
    def fragment(self) -> str:
        """Which part of its file it is, "" for the whole."""
        return self.part.fragment if self.part else ""


def weigh(piece: Piece) -> int:
    """Return how many bytes are held once a piece is read."""
    if piece.part is not None:
        return piece.part.size_bytes
    name = posixpath.basename(piece.file.relative)
    return piece.file.size_bytes if is_picture_name(name) else _LARGEST_HEAD


def read_piece(
    piece: Piece, *, limits: Limits
) -> Loaded[Piece] | Failed[Piece] | Several[Piece]:
    """Read a piece, or find the pieces that its file has."""
    started = time.perf_counter()
    try:
        found = _found(piece, limits)
    except ImageError as error:
        return Failed(piece, str(error), may_pass=isinstance(error, ImageUnavailableError))
    if isinstance(found, content.Content):
        return Loaded(piece, found, time.perf_counter() - started)
    if not found:
        return Failed(piece, "there is no picture in it")
    return Several(tuple(Piece(piece.file, part, len(found)) for part in found))


def by_file(outcomes: Iterable[Outcome[Piece]]) -> Iterator[list[Outcome[Piece]]]:
    """Yield the outcomes of each file together, once all are there."""
    gathered: list[Outcome[Piece]] = []
    for outcome in outcomes:
        gathered.append(outcome)
        if len(gathered) == outcome.item.count:
            yield gathered
            gathered = []


def record_of(root_id: int, outcomes: list[Outcome[Piece]]) -> FileRecord | None:
    """Return the record of a file, of the outcomes of all its pieces; None where one of them may
    have failed for a reason that passes, so that the next run looks again."""
    if any(isinstance(outcome, Failed) and outcome.may_pass for outcome in outcomes):
        return None
    first = outcomes[0]
    file = first.item.file
    facts = (root_id, file.relative, file.size_bytes, file.mtime_ns)
    if first.item.fragment:
        fragments = (
            Fragment(each.item.fragment, *_result(each)) for each in outcomes
        )
        return FileRecord(*facts, None, fragments=tuple(fragments))
    return FileRecord(*facts, *_result(first))


def skipped_of(outcome: Failed[Piece]) -> Skipped:
    """Return what a report says of a piece that could not be taken up."""
    piece = outcome.item
    return Skipped(piece.file.path, outcome.reason, piece.fragment)


def _found(piece: Piece, limits: Limits) -> content.Content | list[content.Part]:
    path, part = piece.file.path, piece.part
    if part is not None:
        return content.load(path, part.fragment, known_id=part.image_id, limits=limits)
    return content.take(
        path, list_parts=lambda place: workers.list_parts(place, limits=limits), limits=limits
    )


def _result(outcome: Outcome[Piece]) -> tuple[str | None, str | None]:
    if isinstance(outcome, Failed):
        return None, outcome.reason
    return outcome.image_id, None
